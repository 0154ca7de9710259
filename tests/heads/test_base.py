"""What every head shares: checked input, names, initial class vectors, overridden logits."""

import math

import numpy as np
import pytest
import torch

from lossbook import heads
from lossbook.heads.euclidean import Contrastive
from tests.helpers import batches

D, C = 5, 7


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x, labels, error, says",
    [
        (
            torch.zeros(4, D),
            torch.tensor([0, 1, 2, C]),
            ValueError,
            rf"label {C} is outside \[0, {C}\)",
        ),
        (torch.zeros(4, D), torch.tensor([0, 1, 2, -1]), ValueError, "label -1 is outside"),
        (
            torch.zeros(4, D),
            torch.zeros(4),
            TypeError,
            r"int64 tensor, got torch.float32: use labels.long\(\)",
        ),
        (torch.zeros(4, D), [0, 1, 2, 3], TypeError, "got list"),
        (
            torch.zeros(4, D),
            torch.zeros(3, dtype=torch.int64),
            ValueError,
            r"shape \(3,\), expected \(4,\)",
        ),
        (
            torch.zeros(4, D + 1),
            torch.zeros(4, dtype=torch.int64),
            ValueError,
            rf"expected \(N, {D}\)",
        ),
        (torch.zeros(D), torch.zeros(1, dtype=torch.int64), ValueError, rf"expected \(N, {D}\)"),
        (torch.zeros(0, D), torch.zeros(0, dtype=torch.int64), ValueError, "N at least 1"),
        (
            torch.zeros(4, D, dtype=torch.int64),
            torch.zeros(4, dtype=torch.int64),
            TypeError,
            "floating-point",
        ),
        (
            torch.tensor([[0.0] * D, [math.nan] * D]),
            torch.tensor([0, 1]),
            heads.NonFiniteEmbedding,
            "embedding 1 of 2 holds nan",
        ),
        (torch.full((2, D), math.inf), torch.tensor([0, 1]), ValueError, "holds inf"),
    ],
)
@pytest.mark.parametrize("make", [heads.Softmax, heads.ArcFace])
def test_bad_input_is_named(make, x, labels, error, says):
    with pytest.raises(error, match=says):
        make(D, C).loss(x, labels)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: heads.ArcFace(D, C, margin=28.6), "math.radians"),
        (lambda: heads.ArcFace(D, C, scale=0), "scale = 0"),
        (lambda: heads.ArcFace(D, C, scale=math.inf), "scale = inf"),
        (lambda: heads.CosFace(D, C, margin=-0.35), "-0.35"),
        (lambda: heads.SphereFace(D, C, margin=0.5), "at least 1"),
        (lambda: heads.LSoftmax(D, C, lambda_floor=99), "lambda_floor"),
        (lambda: heads.LSoftmax(D, C, anneal_until=0), "anneal_until"),
        (lambda: heads.CombinedMargin(D, C, m1=-1), "m1 = -1"),
        (lambda: heads.Softmax(0, C), "embedding_dim"),
        (lambda: heads.Softmax(D, 1), "num_classes"),
    ],
)
def test_settings_outside_their_domain(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_whole_numbers_are_whole():
    assert heads.ArcFace(np.int64(2), np.int64(10)).weight.shape == (10, 2)
    with pytest.raises(ValueError, match="embedding_dim = True"):
        heads.ArcFace(True, 10)


# --- names ---------------------------------------------------------------------------------------


def test_a_name_has_the_settings():
    assert heads.ArcFace(2, 10, scale=16, margin=0.3).name == "ArcFace(scale=16, margin=0.3)"
    assert heads.Softmax(2, 10).name == "Softmax"
    representation = repr(heads.ArcFace(2, 10, 16, 0.3))
    assert "embedding_dim=2, num_classes=10, scale=16, margin=0.3" in representation


def test_the_easy_margin_is_in_the_name():
    easy = heads.ArcFace(2, 10, easy_margin=True)
    assert easy.name == "ArcFace(scale=64, margin=0.5, easy_margin=True)"
    assert heads.ArcFace(2, 10).name == "ArcFace(scale=64, margin=0.5)"


# --- class vectors before training ---------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [heads.NormSoftmax, heads.SphereFace, heads.CosFace, heads.ArcFace, heads.CombinedMargin],
)
def test_unit_class_vectors_start_evenly_spaced_in_the_plane(kind):
    """In the order of their classes, turned by an angle of the seed's."""
    turns = set()
    for seed in range(3):
        torch.manual_seed(seed)
        weight = kind(2, 7).weight.detach().double()
        angle = torch.atan2(weight[:, 1], weight[:, 0])
        steps = torch.remainder(angle.roll(-1) - angle, 2 * math.pi)
        torch.testing.assert_close(
            steps, torch.full((7,), 2 * math.pi / 7, dtype=torch.float64), rtol=0, atol=1e-5
        )
        torch.testing.assert_close(
            weight.norm(dim=1), torch.ones(7, dtype=torch.float64), rtol=0, atol=1e-5
        )
        turns.add(angle[0].item())
    assert len(turns) == 3


@pytest.mark.parametrize("head", [heads.Softmax(2, 7), heads.LSoftmax(2, 7), heads.ArcFace(3, 7)])
def test_other_class_vectors_start_at_random(head):
    assert head.weight.norm(dim=1).std() > 0.01


# --- a new loss ----------------------------------------------------------------------------------


def test_a_new_loss_is_one_margin_method():
    class Halfway(heads.MarginHead):
        unit_weight = unit_embedding = True

        def margin_of(self, cos):
            return (3 * cos - self.margin) / 3

    head, (x, labels) = Halfway(D, C, 16, margin=0.6).double(), batches.batch(24, D, C)
    same = heads.CosFace(D, C, 16, 0.2).double()
    same.load_state_dict(head.state_dict())
    torch.testing.assert_close(head.loss(x, labels), same.loss(x, labels))


def test_a_margin_head_without_a_margin_is_refused():
    with pytest.raises(NotImplementedError, match="Forgetful must define margin_of"):
        type("Forgetful", (heads.MarginHead,), {})(D, C)


# --- whose logits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [heads.Softmax, heads.NormSoftmax, heads.LSoftmax, heads.SphereFace, heads.CosFace]
    + [heads.ArcFace, heads.CombinedMargin],
)
def test_these_have_the_library_s_logits(make):
    assert make(D, C).uses_library_logits()


@pytest.mark.parametrize(
    "head",
    [
        Contrastive(D, C),
        heads.SubCenterArcFace(D, C),
        heads.Center(D, C),
        heads.Range(D, C),
        heads.Marginal(D, C),
        heads.SphereFace2(D, C),
    ],
    ids=lambda head: type(head).__name__,
)
def test_these_have_their_own(head):
    assert not head.uses_library_logits()


@pytest.mark.parametrize(
    "method",
    ["forward", "plain_logits", "products", "apply_margin", "target_logits", "shortest_length"]
    + ["check_inputs"],
)
def test_a_method_of_the_logits_defined_anew_is_noticed(method):
    """In a class, in a class mixed in, in a subclass of such a class, and on one instance."""

    def redefined(self, *arguments):
        return getattr(heads.ArcFace, method)(self, *arguments)

    override = type("Override", (heads.ArcFace,), {method: redefined})
    mixed_in = type("MixedIn", (type("Mixin", (), {method: redefined}), heads.ArcFace), {})
    inherited = type("Inherited", (override,), {})
    for kind in (override, mixed_in, inherited):
        assert not kind(D, C).uses_library_logits()
    head = heads.ArcFace(D, C)
    setattr(head, method, redefined.__get__(head))
    assert not head.uses_library_logits()
    assert heads.ArcFace(D, C).uses_library_logits()


def test_a_subclass_s_margin_does_not_inherit_the_mark_of_a_constant_one():
    learning = torch.tensor(0.1, requires_grad=True)

    def margin_of(self, cos):
        return cos - learning

    override = type("Override", (heads.ArcFace,), {"margin_of": margin_of})
    mixed_in = type("MixedIn", (type("Mixin", (), {"margin_of": margin_of}), heads.ArcFace), {})
    for kind in (override, mixed_in):
        assert not kind(D, C).uses_library_logits()
    head = heads.ArcFace(D, C)
    head.margin_of = lambda cos: cos - learning
    assert not head.uses_library_logits()
    assert type("Renamed", (heads.ArcFace,), {})(D, C).uses_library_logits()


def test_a_constant_margin_is_not_evaluated_to_see_if_it_learns(monkeypatch):
    head = heads.ArcFace(D, C)
    monkeypatch.setattr("lossbook.margins.arcface", None)
    assert head.uses_library_logits()
