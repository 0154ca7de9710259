"""Presets, names with a scale and a margin, and runs: each becomes the head that it describes."""

import pytest
import torch
from torch import nn

from lossbook import data, heads, training
from lossbook.heads.presets import head_from_name, head_from_run, preset_from_name
from tests.helpers import oracle
from tests.helpers.runs import make_3d_run, make_run

# The table of the source comparison, typed in from there and not from the library.
SOURCE_TABLE = """
softmax      no  no  1 1 0   0    Softmax
L-softmax_v1 no  no  1 2 0   0    LSoftmax
A-softmax_v1 yes no  1 2 0   0    SphereFace
A-softmax_v2 yes no  1 3 0   0    SphereFace
norm-softmax yes yes 1 1 0   0    NormSoftmax
CosFace_v1   yes yes 4 1 0   .1   CosFace
CosFace_v2   yes yes 4 1 0   .2   CosFace
ArcFace_v1   yes yes 4 1 .1  0    ArcFace
ArcFace_v2   yes yes 4 1 .2  0    ArcFace
ArcFace_v3   yes yes 4 1 .3  0    ArcFace
"""
ROWS = [line.split() for line in SOURCE_TABLE.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_presets_are_the_source_table(row):
    name, unit_weight, unit_embedding, scale, m1, m2, m3, class_name = row
    torch.manual_seed(0)
    head = heads.from_preset(name, embedding_dim=2, num_classes=10).double()
    assert type(head).__name__ == class_name
    assert head.unit_weight == (unit_weight == "yes")
    assert head.unit_embedding == (unit_embedding == "yes")
    x, labels = 2 * torch.randn(24, 2, dtype=torch.float64), torch.randint(0, 10, (24,))
    expected = oracle.loss(
        x.tolist(),
        labels.tolist(),
        head.weight.tolist(),
        lambda theta: oracle.turned(theta, float(m1), float(m2)) - float(m3),
        float(scale),
        head.unit_weight,
        head.unit_embedding,
    )
    assert head.loss(x, labels).item() == pytest.approx(expected, rel=1e-9)


def test_presets_are_all_there():
    assert list(heads.PRESETS) == [row[0] for row in ROWS]


def test_a_combined_preset_builds(monkeypatch):
    monkeypatch.setitem(heads.PRESETS, "mixed", heads.Preset(True, True, 16, 0.9, 0.4, 0.15))
    head = heads.from_preset("mixed", 2, 10)
    assert head.name == "CombinedMargin(scale=16, m1=0.9, m2=0.4, m3=0.15)"


@pytest.mark.parametrize(
    "wrong, nearest",
    [("arcface_v1", "ArcFace_v1"), ("Arcface", "ArcFace_v"), ("sofmax", "softmax")],
)
def test_an_unknown_preset_names_the_nearest(wrong, nearest):
    with pytest.raises(KeyError, match=f"did you mean .*{nearest}"):
        heads.from_preset(wrong, 2, 10)


@pytest.mark.parametrize(
    "settings, message",
    [
        ((False, False, 1, 1, 0.3, 0), "the margin m1 alone"),
        ((True, False, 1, 2, 0, 0.1), "the margin m1 alone"),
        ((False, False, 16, 1, 0, 0), "takes them for its scale"),
        ((False, True, 16, 1, 0, 0), "leaves the class vectors their lengths"),
    ],
)
def test_settings_that_no_head_has_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        heads.head_from_preset(heads.Preset(*settings), 2, 10)


def test_unit_class_vectors_without_a_margin_are_spherefaces():
    preset = heads.Preset(True, False, 1, 1, 0, 0)
    assert type(heads.head_from_preset(preset, 2, 10)) is heads.SphereFace


# --- names with a scale and a margin -------------------------------------------------------------


def test_a_preset_s_name_is_its_own_preset():
    for name, preset in heads.PRESETS.items():
        assert preset_from_name(name) == preset


@pytest.mark.parametrize(
    "name, loss",
    [
        ("ArcFace_v1_s16", "ArcFace(scale=16, margin=0.1)"),
        ("norm-softmax_s16", "NormSoftmax(scale=16)"),
        ("CosFace_s30_m0.4", "CosFace(scale=30, margin=0.4)"),
        ("CosFace_v2_m0.35", "CosFace(scale=4, margin=0.35)"),
        ("ArcFace_s64_m0.5", "ArcFace(scale=64, margin=0.5)"),
        ("A-softmax_m4", "SphereFace(margin=4)"),
        ("L-softmax_m4", "LSoftmax(margin=4)"),
    ],
)
def test_scale_and_margin_in_a_name(name, loss):
    assert head_from_name(name, 2, 10).name == loss


@pytest.mark.parametrize(
    "name, message",
    [
        ("ArcFac", "did you mean ArcFace_v"),
        ("ArcFac_s16", "no preset 'ArcFac'"),
        ("ArcFace", "ArcFace needs a margin"),
        ("softmax_s16", "no scale to set; leave _s16 out"),
        ("softmax_m0.1", "no margin to set; leave _m0.1 out"),
        ("norm-softmax_m0.1", "no margin to set; leave _m0.1 out"),
        ("", "no preset ''"),
    ],
)
def test_a_wrong_name_is_refused_with_the_reason(name, message):
    with pytest.raises(KeyError) as error:
        preset_from_name(name)
    assert message in error.value.args[0]


def test_a_preset_without_a_row_still_has_a_head(monkeypatch):
    monkeypatch.setitem(heads.MORE_PRESETS, "Special", lambda d, C: heads.CosFace(d, C, scale=3))
    assert head_from_name("Special", 2, 10).name == "CosFace(scale=3, margin=0.35)"
    assert heads.from_preset("Special", 2, 10).name == "CosFace(scale=3, margin=0.35)"
    assert heads.preset_names() == [*heads.PRESETS, *heads.MORE_PRESETS]
    with pytest.raises(KeyError, match="no row of lengths"):
        preset_from_name("Special")


@pytest.mark.parametrize(
    "suffix, first", [("_s16", "_s16"), ("_m0.3", "_m0.3"), ("_s16_m0.3", "_s16")]
)
def test_a_preset_without_a_row_takes_no_scale_and_no_margin(suffix, first, monkeypatch):
    monkeypatch.setitem(heads.MORE_PRESETS, "Special", lambda d, C: heads.CosFace(d, C, scale=3))
    for make in (preset_from_name, lambda name: head_from_name(name, 2, 10)):
        with pytest.raises(KeyError, match=f"Special is a preset without.* leave {first} out"):
            make(f"Special{suffix}")


@pytest.mark.parametrize(
    "name, loss",
    [
        ("AdaCos", "AdaCos(scale=3.10734)"),
        ("AdaFace", "AdaFace(scale=16, margin=0.4, spread=0.333, rate=0.99)"),
        ("AdaFace_s64_m0.3", "AdaFace(scale=64, margin=0.3, spread=0.333, rate=0.99)"),
        ("CurricularFace_m0.4", "CurricularFace(scale=16, margin=0.4, rate=0.01)"),
        ("ElasticFace", "ElasticFace(scale=16, margin=0.5, deviation=0.0125, angular=True)"),
        ("MV-softmax_s32", "MVSoftmax(scale=32, margin=0.35, t=1.2, adaptive=True, angular=False)"),
        ("SphereFace2", "SphereFace2(scale=16, margin=0.4, balance=0.7, power=3)"),
        ("SubCenterArcFace_m0.2", "SubCenterArcFace(scale=16, margin=0.2, centers=3)"),
    ],
)
def test_losses_after_arcface_by_name(name, loss):
    assert head_from_name(name, 2, 10).name == loss
    if name in heads.MORE_PRESETS:
        assert heads.from_preset(name, 2, 10).name == loss


def test_a_loss_without_a_margin_or_scale_of_its_own_refuses_it():
    with pytest.raises(KeyError, match="MagFace is a preset without a margin.* leave _m0.3 out"):
        head_from_name("MagFace_s16_m0.3", 2, 10)
    with pytest.raises(KeyError, match="AdaCos is a preset without a scale.* leave _s16 out"):
        head_from_name("AdaCos_s16", 2, 10)
    with pytest.raises(KeyError, match="make its head with head_from_name"):
        preset_from_name("AdaFace_s16")


class MyHead(heads.CosFace):
    """A head that is not the library's."""


@pytest.mark.parametrize(
    "head",
    [
        heads.ArcFace(3, 10, scale=11, margin=0.4, easy_margin=True),
        heads.CosFace(3, 10),
        heads.CombinedMargin(3, 10, m1=1.1, m2=0.1),
        heads.Softmax(3, 10),
        heads.NormSoftmax(3, 10),
        MyHead(3, 10, margin=0.2),
    ],
    ids=lambda head: type(head).__name__,
)
def test_a_run_gives_its_head_again(head):
    again = head_from_run(make_3d_run(head))
    assert type(again) is type(head) and again.name == head.name
    assert getattr(again, "easy_margin", None) == getattr(head, "easy_margin", None)


@pytest.mark.parametrize("make", [heads.AdaCos, heads.ArcFace, heads.AdaFace])
def test_a_scale_that_moved_in_training_comes_back_from_the_saved_run(make, tmp_path):
    head = make(2, 4)
    if make is not heads.AdaCos:
        head.scale = nn.Parameter(torch.tensor(16.0))
    start = head.hyperparameters["scale"]
    images, labels = torch.rand(24, 1, 8, 8), torch.arange(24) % 4
    split = data.Split(images, labels, tuple("abcd"))
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    dataset = data.Dataset("toy", split, split)
    run = training.fit(network, head, dataset, epochs=2, batch_size=8, progress=False, device="cpu")
    run.save(tmp_path / "run.npz")
    run = training.Run.load(tmp_path / "run.npz")
    end = head.hyperparameters["scale"]
    assert run.config["head"]["scale"] == start != end
    again = head_from_run(run)
    assert again.scale == end and again.name == head.name == run.name
    first = head_from_run(run, epoch=1).scale
    assert first == run.config["head_changes"][0]["scale"]
    assert first != again.scale


def test_an_annealed_margin_is_that_of_its_epoch():
    run = make_3d_run(heads.SphereFace(3, 10, margin=4, anneal_until=0.5), epochs=10)
    lam = [head_from_run(run, epoch).lam for epoch in (1, 2, 5, 10)]
    assert lam[0] > lam[1] > lam[2] == lam[3] == head_from_run(run).lam == 0


@pytest.mark.parametrize("name", ["NoSuchHead(m=2)", "head"])
def test_a_run_without_a_known_head_is_refused(name):
    with pytest.raises(ValueError, match="does not record its margin.*heads="):
        head_from_run(make_run(dim=3, name=name))
