"""Leave of the theme's icons only those that the book shows.

The theme brings all 2,000 icons of Font Awesome twice: as fonts, which its style sheet uses, and as
a script of 1.5 MB on every page, which draws them again as SVG. Without the script the fonts serve;
and of the fonts and the style sheet only what the pages name is kept.
"""

import logging
import re
import warnings

from fontTools import subset
from fontTools.ttLib import TTFont

SCRIPT = re.compile(
    r"\s*<!-- So that users can add custom icons -->"
    r'\s*<script defer src="[^"]*/fontawesome\.js[^"]*"></script>'
)
ICON = re.compile(
    r"""(?P<selectors>\.fa-[\w-]+:before(?:,\.fa-[\w-]+:before)*)\{content:"(?P<character>[^"]+)"\}"""
)
FONT = re.compile(
    r'url\([^)]*/(?P<name>fa-\w+-\d+)\.woff2\) format\("woff2"\),'
    r'url\([^)]*\.ttf\) format\("truetype"\)'
)


logging.getLogger("fontTools").setLevel(
    logging.WARNING
)  # else each table of a font is a line of the build


def keep_used(book):
    """Rewrite the built pages in the folder ``book``, and the theme's style sheet and fonts in it.

    A theme that is not built as described keeps all its icons, with a warning.
    """
    styles, scripts = book / "_static/styles/pydata-sphinx-theme.css", book / "_static/scripts"
    fonts = book / "_static/vendor/fontawesome/webfonts"
    lighter = {}
    for page in book.glob("**/*.html"):
        text, scripts_removed = SCRIPT.subn("", page.read_text(encoding="utf-8"))
        if scripts_removed:
            lighter[page] = text
    used = names(" ".join(lighter.values()))
    for script in book.glob("_static/**/*.js"):
        if script.name != "fontawesome.js":
            used |= names(script.read_text(encoding="utf-8"))
    css, characters = only(used, styles.read_text(encoding="utf-8"))
    css, fonts_replaced = FONT.subn(
        r'url(../vendor/fontawesome/webfonts/\g<name>.woff) format("woff")', css
    )
    if not (lighter and characters and fonts_replaced == 3):
        warnings.warn(
            f"all icons of the theme stay: {len(lighter)} pages load its script, the style sheet "
            f"has {len(characters)} of their icons and {fonts_replaced} fonts; expected some, some "
            "and 3. The theme has changed, see tools/book/prune_icons.py",
            stacklevel=2,
        )
        return
    kept = characters | literal(book)
    for page, text in lighter.items():
        page.write_text(text, encoding="utf-8")
    styles.write_text(css, encoding="utf-8")
    for font in fonts.glob("*.ttf"):
        thin(font, kept)
    for stale in [*fonts.glob("*.ttf"), *fonts.glob("*.woff2"), *scripts.glob("fontawesome.js*")]:
        stale.unlink()


def names(text):
    """The icons that a page or a script names: "fa-bars"."""
    return set(re.findall(r"\bfa-[a-z0-9-]+", text))


def only(used, css):
    """(css without the rules of icons that are not in ``used``, the characters of those that
    are)."""
    characters = set()

    def rule(match):
        if used.isdisjoint(names(match["selectors"])):
            return ""
        characters.add(decoded(match["character"]))
        return match[0]

    return ICON.sub(rule, css), characters


def decoded(character):
    r"""The character that a style sheet writes as itself or as "\f0c9"."""
    return chr(int(character[1:], 16)) if character.startswith("\\") else character


def literal(book):
    """Characters that style sheets take from the icon fonts on their own, outside the theme's list
    of icons: those of boxes such as a note. All of them are private use characters."""
    sheets = [sheet.read_text(encoding="utf-8") for sheet in book.glob("_static/**/*.css")]
    return {
        decoded(text)
        for sheet in sheets
        for text in re.findall(r'"(\\[ef][0-9a-f]{3}|[\ue000-\uf8ff])"', ICON.sub("", sheet))
    }


def thin(path, characters):
    """Write the .ttf at ``path`` with these characters alone, as .woff beside it."""
    font = TTFont(path)
    subsetter = subset.Subsetter(subset.Options(layout_features=[], notdef_outline=True))
    subsetter.populate(unicodes=map(ord, characters))
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(path.with_suffix(".woff"))
