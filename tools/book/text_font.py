"""The font of the book's text, so that it looks alike on every machine: Source Sans.

It comes from the package font-source-sans-pro, under the SIL Open Font License. The pages serve
what they need of it: three faces, with the characters of European languages. Where a character is
missing, or the font comes too late, the reader's own font stands in: nothing moves after a page
has been shown.
"""

from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FAMILY = "lossbook text"  # not the font's own name, which its licence keeps for the whole font
FACES = {  # file -> weight, style
    "Regular": (400, "normal"),
    "It": (400, "italic"),
    "Semibold": (600, "normal"),
}
CHARACTERS = [
    *range(0x20, 0x7F),  # Latin
    *range(0xA0, 0x180),
    *range(0x370, 0x400),  # Greek
    *range(0x2010, 0x2040),  # dashes, quotation marks
    *range(0x2070, 0x20A0),  # raised and lowered digits
    *range(0x2190, 0x2194),  # arrows
    0x2212,  # minus
    0x221A,
    0x221E,
    0x2248,
    0x2260,
    0x2264,
    0x2265,
]
FEATURES = ["kern", "liga", "mark", "mkmk", "ccmp", "locl", "tnum", "lnum", "frac"]
COPYRIGHT, LICENSE, ITS_ADDRESS = 0, 13, 14


def write(folder):
    """Put the faces and fonts.css, which names them, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    package = Path(find_spec("font_source_sans_pro").origin).parent
    rules = []
    for face, (weight, style) in FACES.items():
        write_face(package / f"files/SourceSansPro-{face}.ttf", folder / f"{face}.woff")
        rules.append(
            f'@font-face {{ font-family: "{FAMILY}"; src: url({face}.woff) format("woff"); '
            f"font-weight: {weight}; font-style: {style}; font-display: optional; }}\n"
        )
    (folder / "fonts.css").write_text("".join(rules), encoding="utf-8")


def write_face(source, target):
    """Write the ``CHARACTERS`` of the font in ``source`` as a .woff."""
    font = TTFont(source)
    kept = subset.Options(
        layout_features=FEATURES,
        name_IDs=[COPYRIGHT, LICENSE, ITS_ADDRESS],
        hinting=False,
        notdef_outline=True,
    )
    subsetter = subset.Subsetter(kept)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(target)


def preload(app, page, template, context, doctree):
    """Ask for the faces with the page itself, not after its style sheet."""
    links = ""
    for face in FACES:
        address = context["pathto"](f"_static/fonts/{face}.woff", resource=True)
        links += f'<link rel="preload" href="{address}" as="font" type="font/woff" crossorigin />\n'
    context["metatags"] = context.get("metatags", "") + links
