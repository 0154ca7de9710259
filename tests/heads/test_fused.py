"""The fused pass against the definition, ``F.cross_entropy(head(x, labels), labels)``."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call, grad
from torch.nn import functional as F

from lossbook import heads
from lossbook.benchmarks.timing import peak_bytes
from lossbook.heads.fused import one_pass
from tests.helpers.batches import hard_embeddings

D, C, N = 5, 23, 12
MAKE = {
    "Softmax": heads.Softmax,
    "Softmax without bias": lambda d, c: heads.Softmax(d, c, bias=False),
    "NormSoftmax": lambda d, c: heads.NormSoftmax(d, c, scale=16),
    "LSoftmax": heads.LSoftmax,
    "SphereFace": heads.SphereFace,
    "SphereFace, annealing": lambda d, c: heads.SphereFace(d, c, lambda_floor=2.0),
    "CosFace": lambda d, c: heads.CosFace(d, c, scale=30, margin=0.35),
    "ArcFace": heads.ArcFace,
    "ArcFace, easy margin": lambda d, c: heads.ArcFace(d, c, easy_margin=True),
    "CombinedMargin": lambda d, c: heads.CombinedMargin(d, c, scale=16, m1=1.2, m2=0.3, m3=0.1),
}
ROUNDING = {torch.float64: 1e-11, torch.float32: 3e-4, torch.bfloat16: 0.1, torch.float16: 0.02}


@pytest.fixture(autouse=True)
def every_size_is_fused_and_takes_many_blocks(monkeypatch):
    monkeypatch.setattr(one_pass, "SMALL_PROBLEM", 0)
    monkeypatch.setattr(one_pass, "LOGITS_PER_BLOCK", 4 * N)


@pytest.fixture
def passes(monkeypatch):
    """One entry per run of the fused pass: which gradients it computed."""
    calls, original = [], one_pass._one_pass

    def recorded(*arguments):
        calls.append(arguments[-1])
        return original(*arguments)

    monkeypatch.setattr(one_pass, "_one_pass", recorded)
    return calls


def problem(name, dtype=torch.float64, seed=0, d=D, c=C, n=N):
    torch.manual_seed(seed)
    head = MAKE[name](d, c)
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    return head.to(dtype), torch.randn(n, d).to(dtype) * 2, torch.randint(0, c, (n,))


def with_gradients(loss, head, x):
    return [loss, *torch.autograd.grad(loss, [x, *head.parameters()])]


def assert_equals_the_plain_way(head, x, labels, **ways):
    """Loss and gradients, each to rounding of its largest entry."""
    x = x.detach().requires_grad_()
    expected = with_gradients(F.cross_entropy(head(x, labels), labels), head, x)
    fused = with_gradients(head.loss(x, labels, **ways), head, x)
    for i, (value, reference) in enumerate(zip(fused, expected)):
        is_loss = i == 0
        assert value.dtype == reference.dtype or is_loss
        size = max(1.0 if is_loss else 1e-9, reference.abs().max().item())
        difference = (value.double() - reference.double()).abs().max().item()
        assert difference <= ROUNDING[x.dtype] * size


@pytest.mark.parametrize("chunk", [None, 1, 7, 1000])
@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", MAKE)
def test_value_and_gradients_equal_the_plain_way(name, dtype, chunk):
    assert_equals_the_plain_way(*problem(name, dtype), chunk=chunk)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(MAKE)),
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.integers(2, 40),
    st.integers(2, 9),
    st.one_of(st.none(), st.integers(1, 50)),
    st.integers(-3, 3),
)
def test_any_shape_and_length_equals_the_plain_way(name, seed, n, c, d, chunk, power):
    head, x, labels = problem(name, seed=seed, d=d, c=c, n=n)
    with torch.no_grad():
        head.weight.mul_(10.0 ** (power * torch.randn(c, 1, dtype=torch.float64)).clamp(-3, 3))
    assert_equals_the_plain_way(head, x, labels, chunk=chunk)


@pytest.mark.parametrize("name", MAKE)
def test_gradcheck_and_second_derivatives(name):
    head, x, labels = problem(name, n=4)
    parameters = {
        name: value.detach().clone().requires_grad_() for name, value in head.named_parameters()
    }

    def loss(x, *values):
        copied = copy.copy(head)
        copied._parameters = {**head._parameters, **dict(zip(parameters, values))}
        return copied.loss(x, labels)

    inputs = (x.requires_grad_(), *parameters.values())
    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)


def test_a_penalty_on_the_gradient_has_the_plain_way_s_gradient():
    head, x, labels = problem("ArcFace")
    x.requires_grad_()
    fused, plain = (
        with_gradients(torch.autograd.grad(loss, x, create_graph=True)[0].square().sum(), head, x)
        for loss in (head.loss(x, labels), F.cross_entropy(head(x, labels), labels))
    )
    torch.testing.assert_close(fused, plain)


@pytest.mark.parametrize("chunk", [None, 4])
def test_a_retained_graph_goes_backward_twice_and_any_gradient_comes_in(chunk):
    head, x, labels = problem("ArcFace")
    x.requires_grad_()
    loss = head.loss(x, labels, chunk=chunk)
    (3 * loss).backward(retain_graph=True)
    once = x.grad.clone(), head.weight.grad.clone()
    loss.backward()
    torch.testing.assert_close(
        (x.grad, head.weight.grad), tuple(gradient * 4 / 3 for gradient in once)
    )


# --- the edges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", MAKE)
def test_parallel_opposite_zero_tiny_and_huge_embeddings(name, dtype):
    head, _, _ = problem(name, dtype)
    x = hard_embeddings(head.weight)
    labels = torch.arange(len(x)) % C
    plain_x, fused_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    F.cross_entropy(head(plain_x, labels), labels).backward()
    plain_weight_grad, head.weight.grad = head.weight.grad, None
    loss = head.loss(fused_x, labels)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(fused_x.grad).all() and torch.isfinite(head.weight.grad).all()
    # On the class vector itself an angle's slope is up to 1/sqrt(eps), and multiplies rounding.
    loose = torch.finfo(dtype).eps ** 0.5
    torch.testing.assert_close(
        loss, F.cross_entropy(head(x, labels), labels), rtol=loose, atol=loose
    )
    rows = [*zip(fused_x.grad, plain_x.grad), *zip(head.weight.grad, plain_weight_grad)]
    for fused, plain in rows:
        largest = max(plain.abs().max(), head.scale / len(x))
        assert (fused - plain).abs().max() <= 30 * loose * largest


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("size", [0.0, 1e-40, 1e-30, 1e-13, 1e13, 1e18, 1e30, 3e37])
@pytest.mark.parametrize("name", ["NormSoftmax", "SphereFace", "ArcFace"])
def test_class_vectors_of_any_length(name, size, chunk):
    head, x, labels = problem(name, torch.float32)
    with torch.no_grad():
        head.weight[::5] *= size / head.weight[::5].abs().amax(dim=1, keepdim=True)
    labels[:3] = torch.tensor([0, 5, 6])
    assert_equals_the_plain_way(head, x, labels, chunk=chunk)


@pytest.mark.parametrize("name", ["Softmax", "LSoftmax"])
def test_zero_class_vectors_of_free_length(name):
    head, x, labels = problem(name, torch.float32)
    with torch.no_grad():
        head.weight[::3] = 0
    assert_equals_the_plain_way(head, x, labels)


@pytest.mark.parametrize("name", MAKE)
def test_one_sample_two_classes_and_repeated_labels(name):
    assert_equals_the_plain_way(*problem(name, n=1))
    assert_equals_the_plain_way(*problem(name, c=2, n=1))
    head, x, labels = problem(name)
    assert_equals_the_plain_way(head, x, torch.full_like(labels, 3))


@pytest.mark.parametrize("name", ["CosFace", "Softmax"])
def test_logits_that_overflow_a_sum_written_by_hand(name):
    head, x, labels = problem(name, torch.float32)
    head.scale = 500.0
    assert_equals_the_plain_way(head, x, labels)


# --- what is computed, and what is not -----------------------------------------------------------


def test_only_the_gradients_that_are_needed_are_computed(passes):
    head, x, labels = problem("ArcFace")
    with torch.no_grad():
        value = head.loss(x.requires_grad_(), labels)
    assert not value.requires_grad and passes.pop() == (False, False, False)
    head.loss(x.detach(), labels).backward()
    assert passes.pop() == (False, True, False) and head.weight.grad is not None
    weight_gradient = head.weight.grad
    head.weight.requires_grad_(False)
    assert not head.loss(x.detach(), labels).requires_grad and passes.pop() == (False, False, False)
    head.loss(x, labels).backward()
    assert passes.pop() == (True, False, False)
    expected = torch.autograd.grad(F.cross_entropy(head(x, labels), labels), x)[0]
    torch.testing.assert_close(x.grad, expected)
    head.weight.requires_grad_()
    torch.testing.assert_close(
        weight_gradient,
        torch.autograd.grad(F.cross_entropy(head(x, labels), labels), head.weight)[0],
    )


def test_inputs_and_parameters_are_left_alone():
    head, x, labels = problem("ArcFace")
    before = x.clone(), head.weight.detach().clone(), labels.clone()
    head.loss(x, labels).backward()
    assert torch.equal(x, before[0])
    assert torch.equal(head.weight, before[1])
    assert torch.equal(labels, before[2])


# --- heads of a reader's own ---------------------------------------------------------------------


class OwnForward(heads.ArcFace):
    def forward(self, x, labels=None):
        return F.linear(x, self.weight) * 3


class OwnLogits(heads.ArcFace):
    def plain_logits(self, x):
        return super().plain_logits(x) ** 2


class OwnTargets(heads.CosFace):
    def apply_margin(self, logits, x, labels):
        return logits - F.one_hot(labels, self.num_classes)


class LearntMargin(heads.CosFace):
    def __init__(self, embedding_dim, num_classes):
        super().__init__(embedding_dim, num_classes)
        self.extra = torch.nn.Parameter(torch.tensor(0.2))

    def margin_of(self, cos):
        return cos - (self.extra if hasattr(self, "extra") else 0)


@pytest.mark.parametrize("kind", [OwnForward, OwnLogits, OwnTargets, LearntMargin])
def test_a_head_that_defines_its_logits_is_followed(kind, passes):
    torch.manual_seed(0)
    head = kind(D, C).double()
    _, x, labels = problem("ArcFace")
    torch.testing.assert_close(head.loss(x, labels), F.cross_entropy(head(x, labels), labels))
    head.loss(x, labels).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in head.parameters())
    assert passes == []
    with pytest.raises(ValueError, match=f"{kind.__name__} defines logits of its own"):
        head.loss(x, labels, chunk=4)
    with pytest.raises(ValueError, match="by margin_of alone"):
        head.loss(x, labels, sample=0.5)


def test_a_margin_of_a_reader_s_own_is_fused(passes):
    class Bent(heads.ArcFace):
        def margin_of(self, cos):
            return cos**3 - 0.1 * cos.mean()  # even one that looks at its neighbours

    head, (_, x, labels) = Bent(D, C).double(), problem("ArcFace")
    assert_equals_the_plain_way(head, x, labels)
    assert len(passes) == 1


def test_a_margin_with_a_hidden_tensor_that_learns_is_followed(passes):
    learning = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)

    class Hidden(heads.CosFace):
        def margin_of(self, cos):
            return cos - learning

    head, (_, x, labels) = Hidden(D, C).double(), problem("ArcFace")
    head.loss(x, labels).backward()
    assert learning.grad.item() != 0 and passes == []


def test_hooks_and_a_forward_put_on_one_head_are_followed(passes):
    head, x, labels = problem("ArcFace")
    calls = []
    handle = head.register_forward_hook(lambda *_: calls.append(1))
    head.loss(x, labels)
    assert calls == [1] and passes == []
    handle.remove()
    head.loss(x, labels)
    assert len(passes) == 1
    head.forward = lambda x, labels=None: F.linear(x, head.weight)
    torch.testing.assert_close(
        head.loss(x, labels), F.cross_entropy(F.linear(x, head.weight), labels)
    )
    assert len(passes) == 1


# --- transforms, autocast, sizes, memory ---------------------------------------------------------


def test_function_transforms_and_compilation_take_the_plain_way(passes):
    head, x, labels = problem("CosFace")
    weight_gradient = grad(
        lambda weight: functional_call(head, {"weight": weight}, (x, labels)).logsumexp(1).mean()
    )(head.weight)
    assert weight_gradient.shape == head.weight.shape
    by_transform = grad(lambda embeddings: head.loss(embeddings, labels))(x)
    assert passes == []
    torch.testing.assert_close(
        by_transform, torch.autograd.grad(head.loss(x.requires_grad_(), labels), x)[0]
    )
    compiled = torch.compile(head.loss, backend="eager")
    torch.testing.assert_close(compiled(x, labels), F.cross_entropy(head(x, labels), labels))


@pytest.mark.parametrize("ways", [{}, {"chunk": 3}])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MAKE)
def test_under_autocast(name, dtype, ways):
    head, x, labels = problem(name, torch.float32)
    x.requires_grad_()
    with torch.autocast("cpu", dtype):
        loss, expected = head.loss(x, labels, **ways), F.cross_entropy(head(x, labels), labels)
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0.3)
    loss.backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(head.weight.grad).all()


def test_small_problems_stay_with_the_plain_way(monkeypatch, passes):
    monkeypatch.undo()
    calls = []
    monkeypatch.setattr(one_pass, "_one_pass", lambda *arguments: calls.append(arguments))
    head, x, labels = problem("ArcFace")
    head.loss(x, labels)
    assert calls == []


@pytest.mark.parametrize("chunk", [0, -1, 2.5, "all"])
def test_a_chunk_outside_its_domain(chunk):
    head, x, labels = problem("ArcFace")
    with pytest.raises(ValueError, match="chunk = .*whole number of at least 1"):
        head.loss(x, labels, chunk=chunk)


def test_chunks_never_hold_the_logits(monkeypatch):
    """Peak memory in units of the (N, C) matrix; the class vectors' gradient is an eighth of it."""
    monkeypatch.undo()  # blocks of their true size
    n, d, classes = 64, 8, 200_000
    head, x = heads.ArcFace(d, classes), torch.randn(n, d)
    labels = torch.randint(0, classes, (n,))

    def peak(chunk):
        head.weight.grad = None
        measured = peak_bytes(lambda: head.loss(x, labels, chunk=chunk).backward())
        return measured / (4 * n * classes)

    assert peak(4096) - 1 / 8 < 0.25 < 0.9 < peak(None)
