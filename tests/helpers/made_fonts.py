"""Small fonts of Han characters, made for a test: each glyph is two boxes."""

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

__all__ = ["write_font"]


def write_font(path, characters, style, blank=""):
    """A TrueType font with ``characters``, which look different, and differently in each style.

    ``style`` is an integer from 0 to 5, and ``blank`` are characters with an empty glyph.
    """
    names = [f"uni{ord(character):04X}" for character in characters]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names)})
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    for character, name in zip(characters, names):
        pen = TTGlyphPen(None)
        if character not in blank:
            _draw_box(pen, 0, 100 * style, 300, 100 * style + 400)
            left, top = 400 + 25 * (ord(character) % 16), 300 + 25 * (ord(character) // 16 % 16)
            _draw_box(pen, left, top - 300, left + 60, top)
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (1000, 0) for name in glyphs})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def _draw_box(pen, left, bottom, right, top):
    pen.moveTo((left, bottom))
    for corner in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(corner)
    pen.closePath()
