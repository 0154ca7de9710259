"""Settings of a head: set during training, checked, in the name, the repr and the state dict."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lossbook import heads
from tests.helpers import batches, oracle

D, C = 5, 7


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.2, 0.35])
def test_a_margin_schedule_is_in_the_loss_the_name_and_the_repr(margin):
    head, (x, labels) = heads.ArcFace(D, C, scale=16, margin=0.5).double(), batches.batch(12, D, C)
    head.margin, head.scale = margin, 8
    expected = oracle.loss(
        x.tolist(), labels.tolist(), head.weight.tolist(),
        lambda theta: oracle.turned(theta, 1, margin), 8, True, True,
    )  # fmt: skip
    assert head.loss(x, labels).item() == pytest.approx(expected, rel=1e-9)
    assert head.name == f"ArcFace(scale=8, margin={margin:g})"
    assert f"scale=8, margin={margin:g}" in repr(head)
    assert head.hyperparameters == {"scale": 8.0, "margin": margin}


@pytest.mark.parametrize(
    "make, name, value, error",
    [
        (heads.ArcFace, "scale", -5.0, ValueError),
        (heads.ArcFace, "scale", 0, ValueError),
        (heads.ArcFace, "scale", math.nan, ValueError),
        (heads.ArcFace, "scale", "16", TypeError),
        (heads.ArcFace, "scale", True, TypeError),
        (heads.ArcFace, "margin", math.nan, ValueError),
        (heads.ArcFace, "margin", -0.1, ValueError),
        (heads.ArcFace, "margin", "0.3", TypeError),
        (heads.ArcFace, "margin", None, TypeError),
        (heads.CosFace, "margin", 2.0, ValueError),
        (heads.CombinedMargin, "m1", 0, ValueError),
        (heads.CombinedMargin, "m3", math.inf, ValueError),
        (heads.SphereFace, "margin", 0.5, ValueError),
        (heads.SphereFace, "lam", -1.0, ValueError),
        (heads.NormSoftmax, "scale", math.inf, ValueError),
        (heads.SubCenterArcFace, "margin", math.nan, ValueError),
        (heads.Contrastive, "margin", -1.0, ValueError),
        (heads.Triplet, "margin", 0.0, ValueError),
        (heads.Triplet, "mining", "semihard", ValueError),
        (heads.CenterAlone, "alpha", 1.5, ValueError),
        (heads.Center, "alpha", 0.0, ValueError),
        (heads.Center, "balance", -1.0, ValueError),
        (heads.Range, "intra", -1.0, ValueError),
        (heads.Range, "margin", math.nan, ValueError),
        (heads.Marginal, "threshold", 4.0, ValueError),
        (heads.Marginal, "error", -0.1, ValueError),
        (heads.SupCon, "temperature", 0.0, ValueError),
        (heads.Circle, "margin", 1.0, ValueError),
        (heads.Circle, "scale", -1.0, ValueError),
        (heads.ProxyAnchor, "margin", -0.1, ValueError),
        (heads.SphereFace2, "balance", 1.0, ValueError),
    ],
)
def test_a_value_outside_its_domain_is_refused_and_the_old_one_stays(make, name, value, error):
    head = make(D, C)
    before = getattr(head, name), head.name
    with pytest.raises(error, match=f"{name}|m = |m must|lam"):
        setattr(head, name, value)
    assert (getattr(head, name), head.name) == before


def test_scalars_of_numpy_and_torch_become_numbers():
    head = heads.CosFace(D, C)
    head.margin, head.scale = np.float64(0.2), torch.tensor(8.0)
    assert type(head.margin) is float and type(head.scale) is float
    assert head.name == "CosFace(scale=8, margin=0.2)"


def test_the_state_of_a_schedule_is_taken_over_by_a_head_made_alike():
    grown = heads.ArcFace(D, C, scale=16, margin=0.0)
    assert list(grown.state_dict()) == ["weight"]
    grown.margin = 0.3
    resumed = heads.ArcFace(D, C, scale=16, margin=0.0)
    resumed.load_state_dict(grown.state_dict())
    assert resumed.margin == 0.3 and resumed.name == grown.name
    again = heads.ArcFace(D, C, scale=16, margin=0.0)
    again.load_state_dict(resumed.state_dict())
    assert again.margin == 0.3


def test_a_head_made_with_another_margin_keeps_its_own():
    grown = heads.ArcFace(D, C, margin=0.0)
    grown.margin = 0.3
    fine_tuned = heads.ArcFace(D, C, margin=0.5)
    fine_tuned.load_state_dict(grown.state_dict())
    assert fine_tuned.margin == 0.5
    plain = heads.Softmax(D, C, bias=False)
    plain.load_state_dict(grown.state_dict())  # a head without the setting takes the weights
    assert torch.equal(plain.weight, grown.weight)


def test_whole_margins_stay_whole_and_nested_heads_load():
    grown = nn.Sequential(heads.SphereFace(D, C, margin=1))
    grown[0].margin = 3
    resumed = nn.Sequential(heads.SphereFace(D, C, margin=1))
    resumed.load_state_dict(grown.state_dict())
    assert resumed[0].margin == 3 and type(resumed[0].margin) is int


@pytest.mark.parametrize("make", [heads.SphereFace, heads.LSoftmax])
def test_lambda_is_in_the_repr_and_in_the_state(make):
    head = make(D, C)
    head.set_progress(0.25)
    assert f"lam={head.lam:g}" in repr(head) and head.lam > 0
    resumed = make(D, C)
    resumed.load_state_dict(copy.deepcopy(head.state_dict()))
    assert resumed.lam == head.lam
    old = head.state_dict()
    del old["settings.lam"]  # as saved before λ was in it
    make(D, C).load_state_dict(old)


@pytest.mark.parametrize("make", [heads.SphereFace, heads.LSoftmax])
def test_an_annealed_head_that_is_not_told_its_progress_warns_once(make, monkeypatch):
    monkeypatch.setattr("lossbook.heads.margin_heads.LOSSES_BEFORE_WARNING", 5)
    x, labels = batches.batch(4, D, C)
    head, told = make(D, C).double(), make(D, C).double()
    for _ in range(4):
        head.loss(x, labels)
    with pytest.warns(UserWarning, match=r"head.set_progress\(step / steps\)"):
        head.loss(x, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told.set_progress(1)
        for _ in range(12):
            head.loss(x, labels)
            told.loss(x, labels)
            with torch.no_grad():
                make(D, C).double().loss(x, labels)


@pytest.mark.parametrize(
    "make",
    [
        lambda: heads.ArcFace(D, 10, margin=3),
        lambda: heads.ArcFace(D, 10, margin=2),
        lambda: heads.SubCenterArcFace(D, 10, margin=2.0),
        lambda: heads.CombinedMargin(D, 10, m2=2.5),
        lambda: setattr(heads.ArcFace(D, 10), "margin", 3),
    ],
)
def test_a_margin_that_no_class_can_meet_is_told_in_degrees(make):
    with pytest.warns(UserWarning, match=r"in radians.*classes can be at most 96°.*math.radians"):
        make()


@pytest.mark.parametrize("classes, margin", [(2, 3.1), (3, 2.09), (10, 1.6), (100_000, 1.57)])
def test_a_margin_that_can_be_met_is_not(classes, margin):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        heads.ArcFace(2, classes, margin=margin)


@pytest.mark.parametrize("d, c", [(D, C), (64, 2500)])
def test_a_scale_that_learns_has_the_gradient_of_the_definition(d, c):
    torch.manual_seed(0)
    head, (x, labels) = heads.ArcFace(d, c, scale=16).double(), batches.batch(12, d, c)
    head.scale = nn.Parameter(torch.tensor(16.0, dtype=torch.float64))
    assert head.name == "ArcFace(scale=16, margin=0.5)"
    head.loss(x, labels).backward()
    fixed = heads.ArcFace(d, c).double()
    fixed.load_state_dict({"weight": head.weight})

    def at(scale):
        fixed.scale = scale
        return F.cross_entropy(fixed(x, labels), labels).item()

    assert head.scale.grad.item() == pytest.approx((at(16.001) - at(15.999)) / 0.002, rel=1e-5)


@pytest.mark.parametrize("scale", [-1.0, math.nan])
def test_a_learned_scale_begins_above_zero(scale):
    with pytest.raises(ValueError, match="scale"):
        heads.NormSoftmax(D, C).scale = nn.Parameter(torch.tensor(scale))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: heads.ArcFace(embedding_size=D, num_classes=C), "it is called embedding_dim"),
        (lambda: heads.ArcFace(D, C, s=64), r"called scale; the call is ArcFace\(embedding_dim"),
        (lambda: heads.CosFace(D, C, m=0.4), "it is called margin"),
        (lambda: heads.LSoftmax(D, C, scale=3), "lengths of the embeddings in the place of a"),
        (lambda: heads.Softmax(D, C, temperature=3), r"no argument 'temperature'; the call is"),
    ],
)
def test_an_unknown_argument_names_the_right_call(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_swapped_sizes_are_named():
    with pytest.raises(ValueError, match=r"ArcFace\(embedding_dim=16, num_classes=10"):
        heads.ArcFace(10, 16)(torch.randn(4, 16))


@pytest.mark.parametrize(
    "make, name, message",
    [
        (heads.ArcFace, "m", "ArcFace has no setting 'm': it is called margin"),
        (heads.CosFace, "s", "CosFace has no setting 's': it is called scale"),
        (heads.NormSoftmax, "margin", "NormSoftmax has no setting 'margin': its settings are"),
        (heads.MagFace, "margin", "MagFace has no setting 'margin': its settings are .*low_margin"),
    ],
)
def test_a_setting_by_another_name_is_refused(make, name, message):
    head = make(D, C)
    with pytest.raises(AttributeError, match=message):
        setattr(head, name, 0.1)
    head.note = "any other attribute may be set"


def test_a_head_of_the_users_own_may_call_its_attributes_as_it_likes():
    class Mine(heads.ArcFace):
        def __init__(self):
            super().__init__(D, C)
            self.m = 0.2

    assert Mine().m == 0.2
