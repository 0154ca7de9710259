"""Stray images: which stand under a name, and what is measured of them."""

import pytest
import torch

from lossbook.backbones import embed
from lossbook.experiments import stray_images, typefaces
from tests.helpers.toys import TYPEFACES_OPTIONS as OPTIONS
from tests.helpers.toys import toy_typefaces


def test_strays_are_images_of_one_other_character_under_a_name():
    data = toy_typefaces()
    parts = data.hold_out(6, 3)
    own = data.select(parts.characters[:4], parts.faces)
    others = data.select(parts.characters[4:8], parts.faces)
    mixed, stray = stray_images.mix(own, others, 0.4, seed=1)
    assert 0 < stray.sum() < len(mixed) and mixed.classes == own.classes
    for image, label, is_stray in zip(mixed.images, mixed.labels, stray):
        source = others if is_stray else own
        assert any(torch.equal(image, one) for one in source.images[source.labels == label])
    clean, none = stray_images.mix(own, others, 0)
    assert torch.equal(clean.images, own.images) and not none.any()


def test_what_is_measured_is_that_of_the_trained_head(tmp_path, monkeypatch):
    monkeypatch.setattr(typefaces, "EMBEDDING_DIM", 2)
    trained = []
    fit = typefaces.fit

    def fit_and_keep(model, head, *rest, **options):
        trained.append((model, head))
        return fit(model, head, *rest, **options)

    monkeypatch.setattr(typefaces, "fit", fit_and_keep)
    data = toy_typefaces()
    cells = [stray_images.Cell(2, 0.4, 0), stray_images.Cell(1, 0, 0)]
    options = {"names": 4, "steps": 4, **OPTIONS}
    record, _ = stray_images.run(cells, data, tmp_path, **options)
    again, _ = stray_images.run(cells, data, tmp_path, **options)
    assert len(trained) == 2 and again == record

    (model, head), _ = trained
    parts = data.hold_out(6, 3)
    own, others = (
        data.select(parts.characters[part], parts.faces) for part in (slice(4), slice(4, 8))
    )
    images, stray = stray_images.mix(own, others, 0.4, 0)
    x = embed(model, images.images)
    centers = torch.stack([head.weight, *head.others]).detach()
    nearest = []
    for row, label in zip(x, images.labels):
        cos = [torch.cosine_similarity(row, center[label], dim=0) for center in centers]
        nearest.append(cos.index(max(cos)))
    nearest = torch.tensor(nearest)
    dominant = torch.tensor(
        [nearest[images.labels == j].bincount(minlength=2).argmax() for j in range(4)]
    )
    cos = [
        torch.cosine_similarity(row, centers[dominant[label], label], dim=0)
        for row, label in zip(x, images.labels)
    ]
    angles = torch.stack(cos).arccos().rad2deg()
    away = nearest != dominant[images.labels]
    cell = record["cells"][cells[0].name]
    for kind, which in (("own", ~stray), ("stray", stray)):
        assert cell[kind]["images"] == which.sum()
        assert cell[kind]["away"] == pytest.approx(away[which].double().mean().item())
        assert cell[kind]["angle"] == pytest.approx(angles[which].median().item(), abs=0.05)
    suspects = sorted(range(len(x)), key=lambda i: -angles[i])[: int(stray.sum())]
    assert cell["found"] == pytest.approx(stray[suspects].double().mean().item(), abs=0.05)
    without = record["cells"][cells[1].name]
    assert "stray" not in without and "found" not in without and without["own"]["away"] == 0
