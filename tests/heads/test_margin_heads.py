"""Heads against explicit float64 loops, pytorch-metric-learning, and every kind of bad input."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as pml
from torch.nn import functional as F

from lossbook import heads
from tests.helpers import oracle

D, C, N = 5, 7, 24
MAKE = {
    "Softmax": lambda: heads.Softmax(D, C),
    "NormSoftmax": lambda: heads.NormSoftmax(D, C, scale=16),
    "LSoftmax": lambda: heads.LSoftmax(D, C, margin=4),
    "SphereFace": lambda: heads.SphereFace(D, C, margin=3),
    "CosFace": lambda: heads.CosFace(D, C, scale=30, margin=0.35),
    "ArcFace": lambda: heads.ArcFace(D, C, scale=64, margin=0.5),
    "CombinedMargin": lambda: heads.CombinedMargin(D, C, scale=16, m1=1.2, m2=0.3, m3=0.1),
}
MARGIN = [name for name in MAKE if name not in ("Softmax", "NormSoftmax")]


def batch(seed=0, n=N, d=D, c=C):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64) * 2
    return x, torch.randint(0, c, (n,), generator=generator)


def make(name, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    head = MAKE[name]().to(dtype)
    if name == "Softmax":
        torch.nn.init.normal_(head.bias)
    return head


def by_loops(head, x, labels, lam=0.0):
    name, p = type(head).__name__, head.hyperparameters
    target = oracle.target_functions(
        p.get("margin"), p.get("m1", 1), p.get("m2", 0), p.get("m3", 0), lam
    )[name]
    bias = head.bias.tolist() if getattr(head, "bias", None) is not None else None
    return oracle.loss(
        x.tolist(),
        labels.tolist(),
        head.weight.tolist(),
        target,
        p.get("scale", 1),
        head.unit_weight,
        head.unit_embedding,
        bias,
    )


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", MAKE)
def test_loss_equals_the_loops(name, seed):
    head, (x, labels) = make(name, seed), batch(seed)
    assert head.loss(x, labels).item() == pytest.approx(by_loops(head, x, labels), rel=1e-9)


@pytest.mark.parametrize("name", ["LSoftmax", "SphereFace"])
def test_annealed_loss_equals_the_loops(name):
    head, (x, labels) = make(name), batch()
    head.set_progress(head.anneal_until / 2)
    assert head.lam == pytest.approx(head.lambda_start / 2)
    assert head.loss(x, labels).item() == pytest.approx(
        by_loops(head, x, labels, lam=head.lambda_start / 2), rel=1e-9
    )


@pytest.mark.parametrize("name", MAKE)
def test_gradcheck_of_embeddings_and_weights(name):
    head, (x, labels) = make(name), batch(n=6)

    def loss(x, weight):
        other = copy.copy(head)
        other._parameters = {**head._parameters, "weight": weight}
        return other.loss(x, labels)

    assert torch.autograd.gradcheck(
        loss, (x.requires_grad_(), head.weight.detach().clone().requires_grad_())
    )


@pytest.mark.parametrize("name", MAKE)
def test_prediction_has_no_margin_and_training_only_moves_the_target(name):
    head, (x, labels) = make(name), batch()
    plain, trained = head(x), head(x, labels)
    moved = plain != trained
    is_target = F.one_hot(labels, C).bool()
    assert not moved[~is_target].any()
    if name in MARGIN:
        assert (trained[is_target] < plain[is_target]).all()
    expected = head.weight @ x.T
    if head.unit_weight:
        expected = expected / head.weight.norm(dim=1, keepdim=True)
    if head.unit_embedding:
        expected = head.scale * expected / x.norm(dim=1)
    bias = head.bias if name == "Softmax" else 0
    torch.testing.assert_close(plain, expected.T + bias)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(sorted(MAKE)))
def test_rotating_embeddings_and_class_vectors_together_changes_nothing(seed, name):
    head, (x, labels) = make(name, seed), batch(seed)
    turn, _ = torch.linalg.qr(
        torch.randn(D, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    )
    before = head.loss(x, labels)
    with torch.no_grad():
        head.weight.copy_(head.weight @ turn)
    torch.testing.assert_close(head.loss(x @ turn, labels), before, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["NormSoftmax", "CosFace", "ArcFace", "CombinedMargin"])
def test_lengths_do_not_matter_where_they_are_normalised(name):
    head, (x, labels) = make(name), batch()
    before = head.loss(x, labels)
    with torch.no_grad():
        head.weight.mul_(torch.linspace(0.1, 9, C, dtype=torch.float64)[:, None])
    torch.testing.assert_close(head.loss(x * 17, labels), before)


# --- no margin reduces to norm-softmax, softmax ------------------------------------------------


@pytest.mark.parametrize(
    "margined, plain",
    [
        (lambda: heads.CosFace(D, C, 16, 0.0), lambda: heads.NormSoftmax(D, C, 16)),
        (lambda: heads.ArcFace(D, C, 16, 0.0), lambda: heads.NormSoftmax(D, C, 16)),
        (lambda: heads.CombinedMargin(D, C, 16), lambda: heads.NormSoftmax(D, C, 16)),
        (lambda: heads.LSoftmax(D, C, margin=1), lambda: heads.Softmax(D, C, bias=False)),
        (lambda: heads.CombinedMargin(D, C, 16, m2=0.4), lambda: heads.ArcFace(D, C, 16, 0.4)),
        (lambda: heads.CombinedMargin(D, C, 16, m3=0.4), lambda: heads.CosFace(D, C, 16, 0.4)),
    ],
)
def test_special_cases_agree(margined, plain):
    one, two, (x, labels) = margined().double(), plain().double(), batch()
    two.load_state_dict(one.state_dict())
    torch.testing.assert_close(one.loss(x, labels), two.loss(x, labels))


# --- pytorch-metric-learning: an independent implementation -------------------------------------
# Its class vectors are W (d, C). Where the definitions differ, the test says so and stays where they agree:
# its ArcFace takes degrees and continues past π with cos θ − m·sin m, so targets are kept below π − m;
# its LargeMarginSoftmax and SphereFace multiply by a scale s (set to 1) and have no λ;
# its SphereFace normalises W as we do. All of them clamp the cosine at 1 − 1e-7 for the angle.


@pytest.mark.parametrize("name", ["CosFace", "ArcFace", "LSoftmax", "SphereFace"])
def test_agrees_with_pytorch_metric_learning(name):
    head, (x, labels) = make(name), batch(seed=3, n=64)
    peer = {
        "CosFace": lambda: pml.CosFaceLoss(C, D, margin=0.35, scale=30),
        "ArcFace": lambda: pml.ArcFaceLoss(C, D, margin=math.degrees(0.5), scale=64),
        "LSoftmax": lambda: pml.LargeMarginSoftmaxLoss(C, D, margin=4, scale=1),
        "SphereFace": lambda: pml.SphereFaceLoss(C, D, margin=3, scale=1),
    }[name]().double()
    theta = torch.arccos(F.cosine_similarity(x, head.weight[labels]))
    keep = theta < math.pi - 0.5 if name == "ArcFace" else torch.ones(len(x), dtype=torch.bool)
    assert keep.sum() > 40
    x, labels = x[keep], labels[keep]
    with torch.no_grad():
        peer.W.copy_(head.weight.T)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    loss, peer_loss = head.loss(ours, labels), peer(theirs, labels)
    torch.testing.assert_close(loss, peer_loss, rtol=1e-6, atol=1e-6)
    loss.backward(), peer_loss.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(head.weight.grad, peer.W.grad.T, rtol=1e-5, atol=1e-6)


def test_past_pi_pytorch_metric_learning_takes_another_branch():
    """Ours is continuous at θ = π − m, theirs drops by 1 − cos m − m·sin m; both keep falling."""
    head = heads.ArcFace(2, 2, scale=1, margin=0.5).double()
    peer = pml.ArcFaceLoss(2, 2, margin=math.degrees(0.5), scale=1).double()
    theta = torch.tensor([math.pi - 0.3], dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
        peer.W.copy_(torch.eye(2))
    x = torch.stack([theta.cos(), theta.sin()], dim=1)
    target = head(x, torch.tensor([0]))[0, 0].item()
    assert target == pytest.approx(-2 - math.cos(math.pi - 0.3 + 0.5))
    theirs = math.cos(math.pi - 0.3) - 0.5 * math.sin(0.5)
    assert peer(x, torch.tensor([0])).item() == pytest.approx(
        math.log1p(math.exp(math.sin(theta) - theirs)), rel=1e-6
    )
    assert target != pytest.approx(theirs, abs=0.05)


# --- finite for every finite input ---------------------------------------------------------------


def hard_embeddings(weight):
    """Parallel, opposite, orthogonal, zero, tiny, huge, denormal."""
    w = weight.detach()
    tiny = torch.full_like(w[:1], torch.finfo(w.dtype).tiny)
    return torch.cat([w, -w, torch.zeros_like(w[:1]), w[:1] * 1e-4, w[:1] * 1e3, tiny, tiny / 4])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MAKE)
def test_gradients_are_finite_at_the_edges(name, dtype):
    head = make(name).to(dtype)
    x = hard_embeddings(head.weight).requires_grad_()
    labels = torch.arange(len(x)) % C
    loss = head.loss(x, labels)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(x.grad).all() and torch.isfinite(head.weight.grad).all()
    assert head.weight.grad.abs().sum() > 0


@settings(max_examples=60)
@given(
    st.lists(
        st.floats(
            width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60
        ),
        min_size=D,
        max_size=D,
    ),
    st.sampled_from(sorted(MAKE)),
)
def test_gradients_are_finite_for_any_float32(entries, name):
    head = make(name, dtype=torch.float32)
    x = torch.tensor([entries], requires_grad=True)
    loss = head.loss(x, torch.tensor([2]))
    loss.backward()
    assert (
        torch.isfinite(loss)
        and torch.isfinite(x.grad).all()
        and torch.isfinite(head.weight.grad).all()
    )


@pytest.mark.parametrize("name", ["NormSoftmax", "CosFace", "ArcFace", "CombinedMargin"])
@pytest.mark.parametrize("size", [1e-38, 1e-25, 1e25, 3e38])
def test_directions_survive_extreme_lengths(name, size):
    head = make(name, dtype=torch.float32)
    x = batch()[0].float()
    x = x / x.abs().amax(dim=1, keepdim=True)
    if size > 1e-12:
        torch.testing.assert_close(head(x * size), head(x), rtol=1e-4, atol=1e-4)
    else:
        assert torch.isfinite(head(x * size)).all()


@pytest.mark.parametrize("name", MAKE)
def test_a_zero_embedding_is_pulled_nowhere(name):
    head = make(name)
    x = torch.zeros(1, D, dtype=torch.float64, requires_grad=True)
    head.loss(x, torch.tensor([0])).backward()
    if head.unit_embedding:
        assert torch.equal(x.grad, torch.zeros_like(x))
    else:
        assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MAKE)
def test_autocast_keeps_the_target_in_float32(name, dtype):
    head, (x, labels) = make(name, dtype=torch.float32), batch()
    x = x.float()
    exact = head(x, labels).gather(1, labels[:, None])
    with torch.autocast("cpu", dtype):
        logits = head(x, labels)
        loss = head.loss(x, labels)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(loss, head.loss(x, labels), rtol=0.1, atol=0.5)
    if name in MARGIN:
        torch.testing.assert_close(logits.gather(1, labels[:, None]), exact)
    loss.backward()
    assert torch.isfinite(head.weight.grad).all()


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MAKE)
def test_logits_of_half_precision_embeddings_are_float32_and_do_not_overflow(name, dtype, autocast):
    head, (x, labels) = make(name, dtype=torch.float32), batch()
    x = (x / x.abs().amax() * 60_000).to(dtype)
    with torch.autocast("cpu", dtype, enabled=autocast):
        logits = head(x, labels)
    assert logits.dtype == torch.float32 and torch.isfinite(logits).all()
    assert torch.isfinite(head.loss(x, labels))
    if not head.unit_embedding:
        torch.testing.assert_close(logits, head(x.float(), labels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_angle_of_half_precision_embeddings_is_not_a_half_precision_angle(dtype):
    """Half embeddings near their class vector: the loss equals float64's on the same numbers."""
    head = heads.ArcFace(64, 8, scale=64, margin=0.5)
    labels = torch.arange(8)
    x = (head.weight + 0.01 * torch.randn(8, 64)).detach().to(dtype)
    exact = copy.deepcopy(head).double()
    torch.testing.assert_close(
        head(x, labels).double(), exact(x.double(), labels), rtol=1e-3, atol=1e-2
    )


# --- annealing, names, presets -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LSoftmax", "SphereFace"])
def test_annealing_ends_at_the_pure_loss_or_at_the_floor(name):
    make_head = getattr(heads, name)
    head = make_head(D, C, margin=4)
    assert head.lam == 0  # before training: the loss itself
    lams = []
    for t in (0, 0.1, 0.3, head.anneal_until, 1):
        head.set_progress(t)
        lams.append(head.lam)
    assert (
        lams == sorted(lams, reverse=True) and lams[0] == head.lambda_start and lams[-2:] == [0, 0]
    )
    floored = make_head(D, C, margin=4, lambda_floor=1.5)
    floored.set_progress(1)
    assert floored.lam == 1.5


@pytest.mark.parametrize("name", MAKE)
def test_set_progress_is_there_for_all_and_checked(name):
    head, (x, labels) = make(name), batch()
    head.set_progress(1.0)
    assert head.loss(x, labels).item() == pytest.approx(by_loops(head, x, labels), rel=1e-9)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        head.set_progress(1.5)


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
    name, w_norm, x_norm, s, m1, m2, m3, kind = row
    head = heads.from_preset(name, embedding_dim=2, num_classes=10).double()
    assert type(head).__name__ == kind
    assert (head.unit_weight, head.unit_embedding) == (w_norm == "yes", x_norm == "yes")
    x, labels = batch(d=2, c=10)
    expected = oracle.loss(
        x.tolist(),
        labels.tolist(),
        head.weight.tolist(),
        lambda t: oracle.turned(t, float(m1), float(m2)) - float(m3),
        float(s),
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
    "wrong, near", [("arcface_v1", "ArcFace_v1"), ("Arcface", "ArcFace_v"), ("sofmax", "softmax")]
)
def test_unknown_preset_names_the_nearest(wrong, near):
    with pytest.raises(KeyError, match=f"did you mean .*{near}"):
        heads.from_preset(wrong, 2, 10)


def test_names_say_the_settings():
    assert heads.ArcFace(2, 10, scale=16, margin=0.3).name == "ArcFace(scale=16, margin=0.3)"
    assert heads.Softmax(2, 10).name == "Softmax"
    assert "embedding_dim=2, num_classes=10, scale=16, margin=0.3" in repr(
        heads.ArcFace(2, 10, 16, 0.3)
    )


# --- bad input -------------------------------------------------------------------------------------


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
@pytest.mark.parametrize("name", ["Softmax", "ArcFace"])
def test_bad_input_is_named(name, x, labels, error, says):
    with pytest.raises(error, match=says):
        make(name, dtype=torch.float32).loss(x, labels)


@pytest.mark.parametrize(
    "build, says",
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
def test_settings_outside_their_domain(build, says):
    with pytest.raises(ValueError, match=says):
        build()


def test_a_new_loss_is_one_margin_method():
    class Halfway(heads.MarginHead):
        unit_weight = unit_embedding = True

        def margin_of(self, cos):
            return (3 * cos - self.margin) / 3

    head, (x, labels) = Halfway(D, C, 16, margin=0.6).double(), batch()
    same = heads.CosFace(D, C, 16, 0.2).double()
    same.load_state_dict(head.state_dict())
    torch.testing.assert_close(head.loss(x, labels), same.loss(x, labels))


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


@pytest.mark.parametrize(
    "row, says",
    [
        ((False, False, 1, 1, 0.3, 0), "the margin m1 alone"),
        ((True, False, 1, 2, 0, 0.1), "the margin m1 alone"),
        ((False, False, 16, 1, 0, 0), "takes them for its scale"),
        ((False, True, 16, 1, 0, 0), "leaves the class vectors their lengths"),
    ],
)
def test_a_row_that_no_head_can_follow_is_refused(row, says):
    with pytest.raises(ValueError, match=says):
        heads.head_from_preset(heads.Preset(*row), 2, 10)


def test_unit_class_vectors_without_a_margin_are_spherefaces():
    assert (
        type(heads.head_from_preset(heads.Preset(True, False, 1, 1, 0, 0), 2, 10))
        is heads.SphereFace
    )


def test_whole_numbers_are_whole():
    assert heads.ArcFace(np.int64(2), np.int64(10)).weight.shape == (10, 2)
    with pytest.raises(ValueError, match="embedding_dim = True"):
        heads.ArcFace(True, 10)


def test_the_easy_margin_is_in_the_name():
    assert (
        heads.ArcFace(2, 10, easy_margin=True).name
        == "ArcFace(scale=64, margin=0.5, easy_margin=True)"
    )
    assert heads.ArcFace(2, 10).name == "ArcFace(scale=64, margin=0.5)"
