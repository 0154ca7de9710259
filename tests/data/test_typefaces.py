"""Characters in typefaces, drawn from fonts that the tests make."""

import dataclasses
import hashlib
import shutil

import numpy as np
import pytest

from lossbook.data import DataError, fonts
from lossbook.data.typefaces import typefaces
from tests.helpers.made_fonts import write_font
from tests.helpers.toys import toy_typefaces


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four fonts that differ, a copy of one of them, and three that are left out."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fonts, "LEAST_CHARACTERS", 6)
    folder = tmp_path / "fonts"
    folder.mkdir()
    for style, extra in enumerate(("一丁七万", "一丁七", "一丁", "一")):
        write_font(folder / f"style{style}.ttf", fonts.TEST_GLYPHS + extra, style)
    shutil.copy(folder / "style0.ttf", folder / "twin.ttf")
    write_font(folder / "few.ttf", fonts.TEST_GLYPHS, 4)
    write_font(folder / "without.ttf", "有我明都一丁七万", 4)
    (folder / "broken.ttf").write_bytes(b"no font")
    return folder


def test_faces_and_characters_follow_the_rule(folder):
    data = typefaces(3, folder=folder)
    assert data.faces == ("style0", "style1", "style2", "style3")
    assert data.sources["skipped"]["twin"] == "looks like style0"
    assert data.sources["skipped"]["few"] == "has 5 Han characters"
    assert "cannot draw all" in data.sources["skipped"]["without"]
    assert "cannot be read" in data.sources["skipped"]["broken"]
    # 七 and 万 stand in fewer than three faces; the others are ordered by how many have them.
    assert set(data.characters) == {*fonts.TEST_GLYPHS, "一", "丁"} and data.characters[-1] == "丁"
    shown = {(data.characters[c], data.faces[f]) for c, f in zip(data.character, data.face)}
    assert len(shown) == len(data.images) == 6 * 4 + 3 and ("丁", "style3") not in shown
    assert typefaces(3, 2, folder=folder).characters == data.characters[:2]
    with pytest.raises(DataError, match="0 characters stand in 5 of the 4 typefaces"):
        typefaces(5, folder=folder)


def test_images_are_the_glyphs_and_the_checksums_those_of_the_files(folder):
    data = typefaces(3, folder=folder)
    row = np.flatnonzero((data.face == 2) & (data.character == data.characters.index("永")))[0]
    font = fonts.open_face(fonts.Face("style2", folder / "style2.ttf", 0, frozenset()))
    image = data.images[row, 0].numpy()
    assert np.array_equal(image, fonts.draw_glyph(font, "永"))
    rows, columns = np.nonzero(image > 20)
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(sides) == 24 and abs(rows.min() + rows.max() - 27) <= 1
    pixels = data.images.numpy().tobytes()
    assert data.sources["images_sha256"] == hashlib.sha256(pixels).hexdigest()
    content = (folder / "style1.ttf").read_bytes()
    assert data.sources["fonts"]["style1"] == hashlib.sha256(content).hexdigest()


def test_a_blank_glyph_has_no_image(folder):
    write_font(folder / "style5.ttf", fonts.TEST_GLYPHS + "一丁", 5, blank="丁")
    data = typefaces(3, folder=folder)
    face = data.faces.index("style5")
    assert data.characters.index("丁") not in data.character[data.face == face]
    assert (data.face == face).sum() == 6


def test_images_are_drawn_once_and_again_for_other_fonts(folder, monkeypatch):
    first = typefaces(3, folder=folder)
    with monkeypatch.context() as patch:
        patch.setattr(fonts, "draw_glyph", None)
        assert typefaces(3, folder=folder).sources == first.sources
    write_font(folder / "style4.ttf", fonts.TEST_GLYPHS + "一", 4)
    assert len(typefaces(3, folder=folder).faces) == 5


def test_a_drawing_that_was_stopped_is_not_taken_for_complete(folder, monkeypatch):
    draw, calls = fonts.draw_glyph, []

    def stop(font, character):
        calls.append(character)
        if len(calls) > 40:  # the five test glyphs of each face come first
            raise KeyboardInterrupt
        return draw(font, character)

    monkeypatch.setattr(fonts, "draw_glyph", stop)
    with pytest.raises(KeyboardInterrupt):
        typefaces(3, folder=folder)
    monkeypatch.setattr(fonts, "draw_glyph", draw)
    assert len(typefaces(3, folder=folder).images) == 27


def test_strangers_are_unseen_characters_in_unseen_typefaces(folder):
    data = typefaces(3, folder=folder)
    held_out = data.hold_out(strangers=3, unseen_faces=1)
    known = data.select(held_out.characters, held_out.faces)
    strangers = data.select(held_out.strangers, held_out.unseen_faces)
    assert set(known.classes).isdisjoint(strangers.classes)
    assert {*known.classes, *strangers.classes} == set(data.characters)
    assert sorted([*held_out.faces, *held_out.unseen_faces]) == [0, 1, 2, 3]
    assert len(strangers) == 3 and known.images.dtype == strangers.images.dtype
    for i in range(len(known)):  # a label is the character that the image shows
        font = fonts.open_face(fonts.Face("", folder / "style0.ttf", 0, frozenset()))
        image = fonts.draw_glyph(font, known.classes[known.labels[i]])
        if 0 in held_out.faces and (known.images[i, 0].numpy() == image).all():
            break
    else:
        pytest.fail("no image of style0 among the known")
    with pytest.raises(ValueError, match="strangers = 6: there are 7 characters"):
        data.hold_out(strangers=6, unseen_faces=1)


def test_fewer_faces_per_character_are_drawn_for_each_alone_and_are_nested(folder):
    data = typefaces(3, folder=folder)
    everything = np.arange(7), np.arange(4)
    pixels = {}
    for count in (1, 2, 9):
        split = data.select(*everything, faces_per_character=count)
        assert np.bincount(split.labels).max() == min(count, 4)
        pixels[count] = {image.numpy().tobytes() for image in split.images}
    assert pixels[1] < pixels[2] < pixels[9]
    with pytest.raises(
        ValueError, match="1 of 7 characters stand in none of these 1 typefaces, 丁"
    ):
        data.select(np.arange(7), [3])


def test_missing_packages_are_named_with_the_command_that_installs_them(folder, monkeypatch):
    monkeypatch.setattr(fonts, "PACKAGES", ("fonts-here", "fonts-away", "fonts-gone"))
    monkeypatch.setattr(
        fonts,
        "_files_of_package",
        lambda name: fonts.font_files(folder) if name == "fonts-here" else [],
    )
    command = "apt-get install --no-install-recommends fonts-away fonts-gone"
    with pytest.raises(DataError, match=command):
        typefaces(3)
    with pytest.warns(UserWarning, match=command):
        assert len(typefaces(3, allow_missing=True).faces) == 4
    monkeypatch.setattr(fonts, "_files_of_package", lambda name: [])
    with pytest.raises(DataError, match="3 of the 3 font packages"):
        typefaces(3, allow_missing=True)


def test_files_of_a_package_are_read_from_the_package_database():
    assert fonts._files_of_package("no-such-package-here") == []
    assert [name for name in fonts.PACKAGES if not name.startswith("fonts-")] == []
    assert len(set(fonts.PACKAGES)) == len(fonts.PACKAGES)


def test_a_folder_without_fonts_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no font"):
        typefaces(folder=tmp_path)


def test_one_typeface_of_a_style_is_held_out_and_its_likes_are_in_neither_part():
    groups = np.array([0] * 4 + [1] * 2 + [2] * 2 + [3, 4] + [5] * 10)
    data = dataclasses.replace(toy_typefaces(), groups=groups)
    drawn = set()
    for seed in range(20):
        rest, unseen = data.hold_out_faces(3, np.arange(20), seed)
        assert len(unseen) == len(set(groups[unseen])) == 3 and unseen.tolist() == sorted(unseen)
        assert rest.tolist() == [i for i in range(20) if groups[i] not in groups[unseen]]
        drawn |= set(unseen.tolist())
    assert drawn == {4, 5, 6, 7, 8, 9}  # the groups of 4 and of 10 are more than a tenth of 20
    rest, unseen = data.hold_out_faces(1, np.array([0, 1, 2, 9]))
    assert rest.tolist() == [0, 1, 2] and unseen.tolist() == [9]
    with pytest.raises(ValueError, match="4 of their 6 groups"):
        data.hold_out_faces(5, np.arange(20))
    with pytest.raises(ValueError, match="one group must be left"):
        data.hold_out_faces(2, np.array([8, 9]))


def test_groups_are_chains_of_alike_faces(folder, monkeypatch):
    faces, _ = fonts.distinct_faces(fonts.font_files(folder))
    angles = dict(zip((face.name for face in faces), np.radians([0, 20, 60, 40])))
    monkeypatch.setattr(
        fonts,
        "_test_vector",
        lambda face: np.array([np.cos(angles[face.name]), np.sin(angles[face.name])]),
    )
    assert fonts.style_groups(faces).tolist() == [0, 0, 0, 0]  # steps of 20°, cosine 0.94
    angles["style2"] = np.radians(80)
    assert fonts.style_groups(faces)[[1, 3, 2]].tolist() == [0, 0, 1]


def test_examples_are_characters_in_the_same_typefaces():
    data = toy_typefaces()
    images = data.examples(3, 4)
    assert images.shape == (3, 4, 28, 28) and images.dtype == np.uint8
    every = data.images[:, 0].numpy()
    rows = [[int((every == image).all(axis=(1, 2)).argmax()) for image in line] for line in images]
    characters, faces = data.character[rows], data.face[rows]
    assert (characters == characters[:, :1]).all() and len(set(characters[:, 0])) == 3
    assert (faces == faces[:1]).all() and len(set(faces[0])) == 4
    assert (images == data.examples(3, 4)).all()
    with pytest.raises(ValueError, match="in all of 9 typefaces, expected 3 in 10"):
        data.examples(3, 10)
