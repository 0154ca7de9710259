"""Embeddings of characters that a network has not seen, saved as a system in use would hold them.

ArcFace is trained on 1,600 of the characters of :mod:`lossbook.experiments.typefaces`, in many
typefaces. The embeddings are those of 600 strangers among them, in typefaces that the training did
not see either, of clean images and of blurred ones.
"""

import numpy as np
import torch

from lossbook.backbones import embed
from lossbook.data.corruption import blur
from lossbook.experiments import resumable, typefaces
from lossbook.utils.records import FOLDER

__all__ = ["CELL", "IDENTITIES", "BLUR", "run", "load"]

CELL = typefaces.Cell("ArcFace_m0.3", 1600)
IDENTITIES = 600  # strangers whose embeddings are saved
EXAMPLES = 10, 30  # characters and typefaces of the images that are saved, too
BLUR = 1.0  # pixels, the standard deviation of the Gaussian


def run(
    data,
    folder,
    *,
    cell=CELL,
    identities=IDENTITIES,
    backbone=typefaces.small_network,
    device=None,
    made_by=None,
    **options,
):
    """Train the network, and save the embeddings in ``folder``, unless they are there already.

    ``data``, ``backbone``, ``device`` and ``options`` (``sizes`` and the recipe) are those of
    :func:`lossbook.experiments.typefaces.run`. Returns and raises as
    :func:`lossbook.experiments.resumable.run`.
    """
    settings = typefaces.settings_of(data, **options)
    settings |= {"identities": identities, "blur": BLUR}

    def measure(cell):
        trained = typefaces.train(cell, data, backbone=backbone, device=device, **options)
        return _embed_strangers(cell, trained, data, identities)

    return resumable.run([cell], measure, folder, settings, made_by)


def load(folder=None):
    """(numbers, arrays) of the saved embeddings, or of those in another folder.

    ``arrays`` holds, of N images of I strangers in d dimensions:

    * ``x`` and ``x_blurred``, ``(N, d)`` float32: embeddings of the images, and of blurred ones;
    * ``labels`` and ``faces``, ``(N,)`` int64: the identity, and the typeface, of each;
    * ``ink``, ``(I,)`` float32: the mean brightness of an identity's images, in [0, 1];
    * ``class_vectors``, ``(C, d)`` float32: of the identities of the training;
    * ``examples``, ``(10, 30, 28, 28)`` uint8: images of some characters in some typefaces.

    Raises as :func:`lossbook.experiments.resumable.load`.
    """
    record, arrays = resumable.load(folder or FOLDER / "embeddings")
    ((name, numbers),) = record["cells"].items()
    wide = {"float16": np.float32, "int16": np.int64, "uint8": np.uint8}
    return numbers, {
        key: array.astype(wide[array.dtype.name]) for key, array in arrays[name].items()
    }


def _embed_strangers(cell, trained, data, identities):
    """(numbers, arrays), the arrays in half precision to keep the file small."""
    strangers, faces = trained.parts.strangers[:identities], trained.parts.unseen_faces
    label_of, face_of = np.full(len(data.characters), -1), np.full(len(data.faces), -1)
    label_of[strangers] = np.arange(len(strangers))
    face_of[faces] = np.arange(len(faces))
    labels, face = label_of[data.character], face_of[data.face]
    rows = np.flatnonzero((labels >= 0) & (face >= 0))
    images, labels, face = data.images[torch.from_numpy(rows)], labels[rows], face[rows]
    brightness = images.float().mean(dim=(1, 2, 3)).numpy() / 255
    ink = np.bincount(labels, brightness) / np.bincount(labels)
    numbers = {
        **cell._asdict(),
        "scale": float(trained.head.scale),
        "characters": "".join(data.characters[i] for i in strangers),
        "faces": [data.faces[i] for i in faces],
        "train_accuracy": float(trained.run.history.train_acc.iloc[-1]),
        "versions": trained.run.config["versions"],
    }
    arrays = {
        "x": embed(trained.backbone, images),
        "x_blurred": embed(trained.backbone, blur(images, BLUR)),
        "ink": torch.from_numpy(ink),
        "class_vectors": trained.head.weight.detach().cpu(),
    }
    arrays = {key: array.numpy().astype(np.float16) for key, array in arrays.items()}
    arrays |= {"labels": labels.astype(np.int16), "faces": face.astype(np.int16)}
    return numbers, {**arrays, "examples": data.examples(*EXAMPLES)}
