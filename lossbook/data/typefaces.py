"""Typefaces: a Han character is an identity, and a typeface is its writer.

The images are made on this computer from installed fonts, once, and kept in the cache. Typefaces as
well as characters can be held out, so that strangers are unseen characters in unseen typefaces.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lossbook.data import fonts
from lossbook.data.dataset import DataError, Split
from lossbook.utils.files import cache, write_atomically
from lossbook.utils.progress import progress_bar
from lossbook.utils.validation import check_int, require

__all__ = ["HeldOut", "Typefaces", "typefaces"]

RULE = 2  # counts the versions of how images are chosen and drawn, so that old ones are not reused


class HeldOut(NamedTuple):
    """Characters and typefaces in two parts each: to train on, and to test on.

    A typeface that looks like one to test on is in neither part. All are arrays of positions in
    ``Typefaces.characters`` and ``Typefaces.faces``.
    """

    characters: np.ndarray
    faces: np.ndarray
    strangers: np.ndarray
    unseen_faces: np.ndarray


@dataclass(frozen=True, eq=False)
class Typefaces:
    """Images of characters in typefaces.

    Parameters
    ----------
    images : Tensor, shape (N, 1, 28, 28), uint8, light on black
        Read from the file in the cache as they are needed.
    character, face : (N,) int64 arrays
        The character and the typeface of each image, as positions in the two tuples below.
    characters : tuple of str
        The character that stands in the most faces first.
    faces : tuple of str
        Names of the typefaces.
    groups : (faces,) int64 array
        The number of each typeface's group of alike ones, by
        :func:`lossbook.data.fonts.style_groups`.
    sources : dict
        ``"fonts"``: the SHA-256 of the font file of each face; ``"images_sha256"``; ``"skipped"``:
        why each other face of these files was left out.
    """

    images: torch.Tensor
    character: np.ndarray
    face: np.ndarray
    characters: tuple
    faces: tuple
    groups: np.ndarray
    sources: dict

    def hold_out(self, strangers=1000, unseen_faces=12, seed=0):
        """Hold out characters and typefaces, drawn by ``seed``: a :class:`HeldOut`.

        The characters to train on are in random order, so that the first C of them are a sample.
        Typefaces are held out as in :meth:`hold_out_faces`.

        Raises ``ValueError`` if fewer than two characters are left to train on, and as that method.
        """
        strangers = check_int("strangers", strangers, 2)
        require(
            strangers < len(self.characters) - 1,
            f"strangers = {strangers}: there are {len(self.characters)} characters, and at least "
            "two must be left to train on",
        )
        characters = np.random.default_rng(seed).permutation(len(self.characters))
        faces, unseen = self.hold_out_faces(unseen_faces, np.arange(len(self.faces)), seed)
        return HeldOut(characters[strangers:], faces, characters[:strangers], unseen)

    def hold_out_faces(self, count, faces, seed=0):
        """(rest, held out): ``count`` of ``faces`` that differ in style are held out, by ``seed``.

        One typeface of each of ``count`` groups is held out. The others of these groups are in
        neither part: they would show a held-out style in training, or count it several times when
        testing. A group with more than a tenth of ``faces`` is not drawn, so that enough are left.

        Raises ``ValueError`` if there are fewer groups, or no typeface is left to train on.
        """
        count = check_int("count", count)
        faces = np.asarray(faces)
        groups, sizes = np.unique(self.groups[faces], return_counts=True)
        small = groups[sizes <= max(1, len(faces) // 10)]
        require(
            count <= len(small) and count < len(groups),
            f"{count} typefaces to hold out of {len(faces)}: {len(small)} of their {len(groups)} "
            "groups of alike ones have at most a tenth of them, and one group must be left to "
            "train on",
        )
        random = np.random.default_rng(seed)
        drawn = random.permutation(small)[:count]
        held_out = [random.choice(faces[self.groups[faces] == group]) for group in drawn]
        return faces[~np.isin(self.groups[faces], drawn)], np.sort(held_out)

    def select(self, characters, faces, faces_per_character=None, seed=0):
        """The images of some characters in some typefaces, as a :class:`~lossbook.data.Split`.

        Labels number ``characters`` in the order given. With ``faces_per_character`` at most so
        many of the faces are drawn, by ``seed``, for each character on its own.

        Raises ``ValueError`` if a character stands in none of these faces.
        """
        characters = np.asarray(characters)
        label_of = np.full(len(self.characters), -1)
        label_of[characters] = np.arange(len(characters))
        rows = np.flatnonzero((label_of[self.character] >= 0) & np.isin(self.face, faces))
        if faces_per_character is not None:
            rows = self._draw_faces(
                rows, check_int("faces_per_character", faces_per_character), seed
            )
        labels = label_of[self.character[rows]]
        missing = np.setdiff1d(np.arange(len(characters)), labels)
        require(
            len(missing) == 0,
            f"{len(missing)} of {len(characters)} characters stand in none of these "
            f"{len(faces)} typefaces, {self.characters[characters[missing[:1]].sum()]} for one: "
            "give more typefaces",
        )
        names = tuple(self.characters[i] for i in characters)
        return Split(self.images[torch.from_numpy(rows)], torch.from_numpy(labels), names)

    def examples(self, characters=10, faces=30, seed=2):
        """Images of characters in the same typefaces: ``(characters, faces, 28, 28)`` uint8 array.

        The faces and then the characters, of those that stand in all of the faces, are drawn by
        ``seed``. Raises ``ValueError`` if there are not so many of them.
        """
        random = np.random.default_rng(seed)
        row_of = np.full((len(self.characters), len(self.faces)), -1)
        row_of[self.character, self.face] = np.arange(len(self.images))
        columns = np.sort(random.permutation(len(self.faces))[:faces])
        complete = random.permutation(np.flatnonzero((row_of[:, columns] >= 0).all(axis=1)))
        require(
            len(columns) == faces and len(complete) >= characters,
            f"{len(complete)} characters stand in all of {len(columns)} typefaces, expected "
            f"{characters} in {faces}: give smaller numbers",
        )
        rows = row_of[np.ix_(complete[:characters], columns)]
        images = self.images[torch.from_numpy(rows.ravel()), 0]
        return images.numpy().reshape(characters, faces, *images.shape[1:])

    def _draw_faces(self, rows, count, seed):
        """Of each character, at most ``count`` of the rows, in their order.

        A face's rank for a character depends on the seed and these two alone.
        """
        rank = np.random.default_rng(seed).random((len(self.characters), len(self.faces)))
        order = np.lexsort([rank[self.character[rows], self.face[rows]], self.character[rows]])
        character = self.character[rows][order]
        first = np.searchsorted(character, character)
        return np.sort(rows[order[np.arange(len(order)) - first < count]])


def typefaces(min_faces=36, num_characters=None, *, folder=None, allow_missing=False):
    """Han characters in the typefaces of installed fonts.

    The fonts are those of the packages in ``lossbook.data.fonts.PACKAGES``, of Debian and its
    derivatives. This command installs them::

        sudo apt-get install --no-install-recommends $(
            python -c "from lossbook.data import fonts; print(*fonts.PACKAGES)")

    Their licences are free; the images are drawn here, once, into lossbook's cache, in a few
    minutes, and are not part of this package. Which faces differ is decided by
    :func:`lossbook.data.fonts.distinct_faces`, and how a glyph becomes an image by
    :func:`lossbook.data.fonts.draw_glyph`.

    Parameters
    ----------
    min_faces : int
        A character must stand in at least this many of the faces.
    num_characters : int, optional
        At most so many characters, those that stand in the most faces. Default: all.
    folder : path, optional
        Take the fonts in this folder instead of Debian's packages.
    allow_missing : bool
        Make do with the packages that are installed; a warning names the missing ones.

    Returns
    -------
    Typefaces

    Raises
    ------
    DataError
        If font packages are missing (the message has the command that installs them), or no two
        characters stand in ``min_faces`` faces.
    """
    min_faces = check_int("min_faces", min_faces)
    if num_characters is not None:
        num_characters = check_int("num_characters", num_characters, 2)
    if folder is None:
        files = fonts.packaged_font_files(allow_missing)
    else:
        files = fonts.font_files(folder)
    root = cache() / "typefaces"
    faces_path = root / f"faces-{_key_of(files)}.json"
    if not faces_path.exists():
        _save_faces(files, faces_path)
    known = json.loads(faces_path.read_text(encoding="utf-8"))
    faces = [
        fonts.Face(face["name"], Path(face["path"]), face["index"], frozenset(face["characters"]))
        for face in known["faces"]
    ]
    stem = f"images-{_key_of(files)}-{min_faces}-{num_characters or 'all'}"
    if not (root / f"{stem}.npz").exists():
        _draw_images(faces, _choose(faces, min_faces, num_characters), root / stem)
    return _load(root / stem, faces, known, min_faces)


def _key_of(files):
    """Names the state of font files: their paths, sizes and times, without reading them."""
    state = [RULE, *((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


def _save_faces(files, path):
    faces, skipped = fonts.distinct_faces(files)
    require(faces, f"none of {len(files)} fonts has a face to use: {skipped}", DataError)
    content = {
        "faces": [
            {
                "name": face.name,
                "path": str(face.path),
                "index": face.index,
                "characters": sorted(face.characters),
                "sha256": fonts.checksum(face.path),
            }
            for face in faces
        ],
        "groups": fonts.style_groups(faces).tolist(),
        "skipped": skipped,
    }
    write_atomically(path, lambda file: file.write(json.dumps(content).encode()))


def _choose(faces, min_faces, num_characters):
    """Code points of the characters that stand in enough faces, by count and then by number."""
    counts = np.zeros(0x110000, dtype=int)
    for face in faces:
        counts[list(face.characters)] += 1
    chosen = np.flatnonzero(counts >= min_faces)
    require(
        len(chosen) >= 2,
        f"{len(chosen)} characters stand in {min_faces} of the {len(faces)} typefaces: give a "
        "smaller min_faces, or install more fonts",
        DataError,
    )
    return chosen[np.argsort(-counts[chosen], kind="stable")][:num_characters]


def _draw_images(faces, codes, stem):
    """Write the images of all characters in all faces that have them, face by face.

    The index comes last: where it is, the images are complete.
    """
    character, face_of, digest = [], [], hashlib.sha256()

    def write(file):
        for number, face in enumerate(progress_bar(faces, desc="drawing characters", unit="face")):
            font = fonts.open_face(face)
            for position, code in enumerate(codes.tolist()):
                if code not in face.characters:
                    continue
                image = fonts.draw_glyph(font, chr(code))
                if image is not None:
                    file.write(image.tobytes())
                    digest.update(image.tobytes())
                    character.append(position)
                    face_of.append(number)

    write_atomically(stem.with_suffix(".bytes"), write)
    index = {
        "character": np.array(character, dtype=np.int64),
        "face": np.array(face_of, dtype=np.int64),
        "codes": codes,
        "sha256": np.array(digest.hexdigest()),
    }
    write_atomically(stem.with_suffix(".npz"), lambda file: np.savez(file, **index))


def _load(stem, faces, known, min_faces):
    with np.load(stem.with_suffix(".npz")) as stored:
        index = {name: stored[name] for name in stored.files}
    size = fonts.IMAGE_SIZE
    shape = len(index["character"]), 1, size, size
    path = stem.with_suffix(".bytes")
    require(
        path.is_file() and path.stat().st_size == np.prod(shape),
        f"{path} is missing or damaged: delete {stem.with_suffix('.npz')} to make both again",
        DataError,
    )
    # "c": read as needed and never written, though torch wants an array that can be.
    images = torch.from_numpy(np.memmap(path, np.uint8, mode="c", shape=shape))
    return Typefaces(
        images,
        index["character"],
        index["face"],
        tuple(chr(code) for code in index["codes"]),
        tuple(face.name for face in faces),
        np.array(known["groups"]),
        {
            "min_faces": min_faces,
            "fonts": {face["name"]: face["sha256"] for face in known["faces"]},
            "images_sha256": str(index["sha256"]),
            "skipped": known["skipped"],
        },
    )
