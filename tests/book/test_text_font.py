"""The book's font: light, under its licence, and with the characters that the text uses."""

import re

from fontTools.ttLib import TTFont

from tools.book import text_font
from tools.toc import ROOT, pages

MATH_OR_CODE = re.compile(r"\$\$.*?\$\$|\$.*?\$|```.*?```|`.*?`", re.S)
BORROWED = set("✔✖↔↕▶☰θ̂")  # signs, which the reader's own font draws


def test_three_light_faces_with_their_licence(tmp_path):
    text_font.write(tmp_path)
    faces = {path.stem: TTFont(path) for path in tmp_path.glob("*.woff")}
    assert set(faces) == set(text_font.FACES)
    for name, font in faces.items():
        assert (tmp_path / f"{name}.woff").stat().st_size < 35_000
        assert "Open Font License" in font["name"].getDebugName(text_font.LICENSE)
        assert font["name"].getDebugName(1) is None, "the font's own name is kept for the whole"
        assert set(map(ord, "Aaßéπ–“”→−≈·×")) <= set(font.getBestCmap())
        assert "kern" in {
            record.FeatureTag for record in font["GPOS"].table.FeatureList.FeatureRecord
        }
    rules = (tmp_path / "fonts.css").read_text(encoding="utf-8")
    assert rules.count("@font-face") == rules.count("font-display: optional") == 3


def test_the_font_has_the_characters_of_the_text(tmp_path):
    text_font.write(tmp_path)
    characters = set(TTFont(tmp_path / "Regular.woff").getBestCmap())
    for page in pages():
        text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
        missing = {sign for sign in MATH_OR_CODE.sub("", text) if ord(sign) not in characters}
        assert missing - BORROWED <= set("\n"), page
