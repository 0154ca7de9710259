"""The heads of the margin losses against explicit float64 loops and pytorch-metric-learning."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as pml
from torch.nn import functional as F

from lossbook import heads
from tests.helpers import batches, oracle

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


def batch(seed=0, n=N):
    return batches.batch(n, D, C, seed)


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
        copied = copy.copy(head)
        copied._parameters = {**head._parameters, "weight": weight}
        return copied.loss(x, labels)

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
    margined, plain, (x, labels) = margined().double(), plain().double(), batch()
    plain.load_state_dict(margined.state_dict())
    torch.testing.assert_close(margined.loss(x, labels), plain.loss(x, labels))


# --- pytorch-metric-learning: an independent implementation -------------------------------------
# Its class vectors are W (d, C). Where the definitions differ, the test stays where they agree:
# its ArcFace takes degrees and continues past π with cos θ − m·sin m, so targets are kept below
# π − m; its LargeMarginSoftmax and SphereFace multiply by a scale s (set to 1) and have no λ;
# its SphereFace normalises W as we do. All of them clamp the cosine at ±1 for the angle, so their
# gradient is not finite there.


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


def test_on_the_class_vector_pytorch_metric_learning_has_no_gradient():
    """It takes the arc cosine of a cosine clamped at ±1; ours has a finite gradient there."""
    head = heads.ArcFace(2, 2, scale=1, margin=0.5).double()
    peer = pml.ArcFaceLoss(2, 2, margin=math.degrees(0.5), scale=1).double()
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
        peer.W.copy_(torch.eye(2))
    ours = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    loss, peer_loss = head.loss(ours, torch.tensor([0])), peer(theirs, torch.tensor([0]))
    torch.testing.assert_close(loss, peer_loss)
    loss.backward(), peer_loss.backward()
    assert torch.isfinite(ours.grad).all() and theirs.grad.isnan().any()


# --- finite for every finite input ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MAKE)
def test_gradients_are_finite_at_the_edges(name, dtype):
    head = make(name).to(dtype)
    x = batches.hard_embeddings(head.weight).requires_grad_()
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


# --- annealing -----------------------------------------------------------------------------------


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
