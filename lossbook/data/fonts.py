"""Installed fonts: which faces of them differ, which characters they have, and images of glyphs.

A *face* is one design in a font file; a collection (``.ttc``) holds several. Han characters are
those from U+4E00 to U+9FFF, the block "CJK Unified Ideographs".
"""

import hashlib
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lossbook.data.dataset import DataError
from lossbook.utils.progress import progress_bar
from lossbook.utils.validation import require

__all__ = [
    "PACKAGES",
    "TEST_GLYPHS",
    "Face",
    "checksum",
    "distinct_faces",
    "draw_glyph",
    "font_files",
    "install_command",
    "open_face",
    "packaged_font_files",
    "style_groups",
]

# Debian's packages of Han fonts, without those that only repeat the faces of another.
PACKAGES = (
    "fonts-aoyagi-kouzan-t",
    "fonts-aoyagi-soseki",
    "fonts-arphic-bkai00mp",
    "fonts-arphic-bsmi00lp",
    "fonts-arphic-gbsn00lp",
    "fonts-arphic-gkai00mp",
    "fonts-arphic-ukai",
    "fonts-arphic-uming",
    "fonts-babelstone-han",
    "fonts-cns11643-kai",
    "fonts-cns11643-sung",
    "fonts-cwtex-fs",
    "fonts-cwtex-heib",
    "fonts-cwtex-kai",
    "fonts-cwtex-ming",
    "fonts-cwtex-yen",
    "fonts-dejima-mincho",
    "fonts-dotgothic16",
    "fonts-hanazono",
    "fonts-horai-umefont",
    "fonts-ipaexfont-gothic",
    "fonts-ipamj-mincho",
    "fonts-kanjistrokeorders",
    "fonts-kiloji",
    "fonts-klee",
    "fonts-konatu",
    "fonts-kouzan-mouhitsu",
    "fonts-lxgw-wenkai",
    "fonts-migmix",
    "fonts-misaki",
    "fonts-mona",
    "fonts-monapo",
    "fonts-morisawa-bizud-gothic",
    "fonts-morisawa-bizud-mincho",
    "fonts-motoya-l-cedar",
    "fonts-motoya-l-maruberi",
    "fonts-noto-cjk",
    "fonts-noto-cjk-extra",
    "fonts-oradano-mincho-gsrr",
    "fonts-rampart",
    "fonts-reggae",
    "fonts-ricty-diminished",
    "fonts-rocknroll",
    "fonts-sawarabi-gothic",
    "fonts-sawarabi-mincho",
    "fonts-seto",
    "fonts-smiley-sans",
    "fonts-stick",
    "fonts-takao-gothic",
    "fonts-train",
    "fonts-vlgothic",
    "fonts-wqy-microhei",
    "fonts-wqy-zenhei",
    "fonts-yozvox-yozfont-antique",
    "fonts-yusei-magic",
)
EXTENSIONS = (".ttf", ".otf", ".ttc", ".otc")
HAN = range(0x4E00, 0xA000)
LEAST_CHARACTERS = 2000  # of a face: fewer are a sample of glyphs, not a typeface for text

# In every national standard of Japan, mainland China and Taiwan; few strokes and many, open
# shapes and closed ones.
TEST_GLYPHS = "永有我明都"
SAME_COSINE = 0.985
ALIKE_COSINE = 0.9  # of two faces of one style, such as the weights of a family

# A glyph is drawn larger than it is needed and scaled down, so that hinting, which moves outlines
# to whole pixels, hardly matters. A glyph in which nothing is darker than FAINT is blank.
FONT_SIZE, GLYPH_SIZE, IMAGE_SIZE, FAINT = 48, 24, 28, 64


class Face(NamedTuple):
    """One face: its name, its file, its number in the file, and its Han characters' code points."""

    name: str
    path: Path
    index: int
    characters: frozenset


def install_command(packages):
    """The command that installs Debian's ``packages``."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


def packaged_font_files(allow_missing=False):
    """The font files of the installed ones of ``PACKAGES``, in the order of their names.

    Raises ``DataError`` with the command that installs them if packages are missing. With
    ``allow_missing`` that is a warning, and an error only if none is installed.
    """
    files, missing = [], []
    for package in PACKAGES:
        package_files = _files_of_package(package)
        files += package_files
        if not package_files:
            missing.append(package)
    if missing:
        message = (
            f"{len(missing)} of the {len(PACKAGES)} font packages are not installed: "
            f"{', '.join(missing)}. On Debian, install them with\n{install_command(missing)}"
        )
        require(
            allow_missing and files,
            message + ("" if allow_missing else "\nor do without them: allow_missing=True"),
            DataError,
        )
        warnings.warn(message + "\nThe data set is made without them", stacklevel=3)
    return sorted(files)


def font_files(folder):
    """All font files below ``folder``, in the order of their names.

    Raises ``DataError`` if there is none.
    """
    files = sorted(path for path in Path(folder).rglob("*") if _is_font(path))
    require(
        files,
        f"{folder} holds no font: expected files that end in {', '.join(EXTENSIONS)}",
        DataError,
    )
    return files


def distinct_faces(files):
    """(faces, skipped): the faces of ``files`` that differ, and why each other one is left out.

    A face is left out if it cannot be read, has fewer than 2,000 Han characters or cannot draw all
    of ``TEST_GLYPHS``. The others are taken in the order of how many Han characters they have, the
    most first, and of their names; a face is kept if its images of the test glyphs, as one vector,
    have a cosine below 0.985 with those of every face kept before. So of faces that look alike the
    one with the most characters stays.

    Returns
    -------
    faces : list of Face
    skipped : dict, name of a face → reason
    """
    candidates, skipped = [], {}
    for path in progress_bar(files, desc="reading fonts", unit="font"):
        for face, reason in _faces_in(path):
            if reason is None and len(face.characters) < LEAST_CHARACTERS:
                reason = f"has {len(face.characters)} Han characters"
            if reason is None:
                candidates.append(face)
            else:
                skipped[face.name] = reason
    candidates.sort(key=lambda face: (-len(face.characters), face.name))
    faces, vectors = [], np.empty((0, len(TEST_GLYPHS) * IMAGE_SIZE**2))
    for face in progress_bar(candidates, desc="comparing faces", unit="face"):
        vector = _test_vector(face)
        if vector is None:
            skipped[face.name] = f"cannot draw all of {TEST_GLYPHS}"
            continue
        cosines = vectors @ vector
        if (cosines >= SAME_COSINE).any():
            skipped[face.name] = f"looks like {faces[int(cosines.argmax())].name}"
            continue
        faces.append(face)
        vectors = np.vstack([vectors, vector])
    return faces, skipped


def style_groups(faces):
    """The number of each face's group, ``(F,)``: faces that look alike are in one group.

    Two faces are in one group if a chain of faces leads from one to the other in which the test
    glyphs of neighbours have a cosine of at least 0.9. So faces of two groups differ by more than
    their weight.
    """
    vectors = np.stack([_test_vector(face) for face in faces])
    groups = np.arange(len(faces))
    for first, second in np.argwhere(vectors @ vectors.T >= ALIKE_COSINE):
        groups[groups == groups[second]] = groups[first]
    return np.unique(groups, return_inverse=True)[1]


def open_face(face):
    """The Pillow font of a :class:`Face`, at the size that :func:`draw_glyph` draws from.

    Raises ``OSError`` if FreeType cannot read it.
    """
    from PIL import ImageFont

    # The basic layout: one character at a time needs no shaping.
    return ImageFont.truetype(
        face.path, FONT_SIZE, index=face.index, layout_engine=ImageFont.Layout.BASIC
    )


def draw_glyph(font, character):
    """A character's image, ``(28, 28)`` uint8, light on black; None if it is blank or fails.

    The glyph is cropped, scaled so that its longer side has 24 pixels, and centred.
    """
    from PIL import Image

    try:
        mask, _ = font.getmask2(character, mode="L")
    except (OSError, ValueError):  # FreeType refuses some glyphs of old fonts
        return None
    if 0 in mask.size:
        return None
    glyph = Image.frombytes("L", mask.size, bytes(mask))
    box = glyph.point(lambda value: value > FAINT).getbbox()
    if box is None:
        return None
    width, height = box[2] - box[0], box[3] - box[1]
    factor = GLYPH_SIZE / max(width, height)
    size = max(1, round(factor * width)), max(1, round(factor * height))
    scaled = glyph.resize(size, Image.Resampling.BILINEAR, box=box)
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    top, left = (IMAGE_SIZE - size[1]) // 2, (IMAGE_SIZE - size[0]) // 2
    image[top : top + size[1], left : left + size[0]] = np.asarray(scaled)
    return image


def checksum(path):
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_of_package(package):
    """The font files of an installed Debian package; none if it is not installed."""
    if shutil.which("dpkg-query") is None:
        return []
    listing = subprocess.run(
        ["dpkg-query", "--listfiles", package], capture_output=True, text=True, check=False
    )
    return [Path(line) for line in listing.stdout.splitlines() if _is_font(Path(line))]


def _is_font(path):
    return path.suffix.lower() in EXTENSIONS and path.is_file()


def _faces_in(path):
    """(Face, why it cannot be read or None) of each face in a file."""
    from fontTools.ttLib import TTCollection, TTFont, TTLibError

    try:
        if path.suffix.lower() in (".ttc", ".otc"):
            with TTCollection(path, lazy=True) as collection:
                fonts = list(collection.fonts)
                for index, font in enumerate(fonts):
                    yield Face(f"{path.stem}:{index}", path, index, _han_characters(font)), None
        else:
            with TTFont(path, lazy=True) as font:
                yield Face(path.stem, path, 0, _han_characters(font)), None
    except (TTLibError, OSError, KeyError, AssertionError, ValueError) as error:
        yield Face(path.stem, path, 0, frozenset()), f"cannot be read: {error}"


def _han_characters(font):
    """Code points of the Han characters for which a font has a glyph."""
    glyph_names = font.getBestCmap() or {}
    return frozenset(
        code for code, name in glyph_names.items() if code in HAN and name != ".notdef"
    )


def _test_vector(face):
    """The unit vector of a face's test glyphs; None if one of them is missing."""
    if not all(ord(character) in face.characters for character in TEST_GLYPHS):
        return None
    try:
        font = open_face(face)
    except OSError:
        return None
    images = [draw_glyph(font, character) for character in TEST_GLYPHS]
    if any(image is None for image in images):
        return None
    vector = np.stack(images).reshape(-1).astype(float)
    return vector / np.linalg.norm(vector)
