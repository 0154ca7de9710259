"""Saved embeddings: those of the trained network, of strangers in unseen typefaces."""

import numpy as np
import pytest

from lossbook.backbones import embed
from lossbook.data.corruption import blur
from lossbook.experiments import embeddings, typefaces
from tests.helpers.toys import TYPEFACES_OPTIONS as OPTIONS
from tests.helpers.toys import toy_typefaces


def test_they_are_those_of_the_strangers(tmp_path, monkeypatch):
    monkeypatch.setattr(typefaces, "EMBEDDING_DIM", 2)
    monkeypatch.setattr(embeddings, "EXAMPLES", (3, 4))
    data = toy_typefaces()
    cell = typefaces.Cell("ArcFace_m0.3", 8, steps=6)
    embeddings.run(data, tmp_path, cell=cell, identities=5, **OPTIONS)
    numbers, arrays = embeddings.load(tmp_path)
    held_out = data.hold_out(6, 3)
    assert numbers["characters"] == "".join(data.characters[i] for i in held_out.strangers[:5])
    assert len(arrays["x"]) == 5 * 3 and arrays["class_vectors"].shape == (8, 2)

    trained = typefaces.train(cell, data, **OPTIONS)
    for row, (label, face) in enumerate(zip(arrays["labels"], arrays["faces"])):
        split = data.select(held_out.strangers[[label]], held_out.unseen_faces[[face]])
        for key, image in (("x", split.images), ("x_blurred", blur(split.images, 1.0))):
            expected = embed(trained.backbone, image).numpy()
            np.testing.assert_allclose(arrays[key][[row]], expected, rtol=2e-3, atol=1e-4)
    images = data.select(held_out.strangers[[3]], held_out.unseen_faces).images
    assert arrays["ink"][3] == pytest.approx(images.float().mean().item() / 255, rel=1e-3)
    assert (arrays["examples"] == data.examples(3, 4)).all()
