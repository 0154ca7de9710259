"""SphereFace2 against its formula, sample by sample in float64 Python."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from lossbook import heads
from tests.helpers import toys

D, C, N = 5, 9, 14
SETTINGS = [(40.0, 0.4, 0.7, 3.0), (16.0, 0.0, 0.2, 1.0), (5.0, 0.9, 0.95, 2.5)]


def make(scale=40.0, margin=0.4, balance=0.7, power=3.0):
    torch.manual_seed(0)
    return heads.SphereFace2(D, C, scale, margin, balance, power).double()


def batch():
    random = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(N, D, dtype=torch.float64, generator=random)
    return x, torch.randint(0, C, (N,), generator=random)


def similarities(head, x, t):
    """For each sample g(cos θ_j) of all classes."""
    for row in x.tolist():
        cosines = [
            sum(a * b for a, b in zip(row, w)) / (math.hypot(*row) * math.hypot(*w))
            for w in head.weight.tolist()
        ]
        yield [2 * ((z + 1) / 2) ** t - 1 for z in cosines]


def losses(head, x, labels, r, m, lam, t):
    b = head.bias.item()
    for g, y in zip(similarities(head, x, t), labels.tolist()):
        loss = lam / r * math.log(1 + math.exp(-r * (g[y] - m) - b))
        for j in range(C):
            if j != y:
                loss += (1 - lam) / r * math.log(1 + math.exp(r * (g[j] + m) + b))
        yield loss


@pytest.mark.parametrize("bias", [None, -3.0])
@pytest.mark.parametrize("settings", SETTINGS)
def test_loss_equals_the_formula(settings, bias):
    head, (x, labels) = make(*settings), batch()
    if bias is not None:
        head.bias.data.fill_(bias)
    expected = list(losses(head, x, labels, *settings))
    assert head.loss(x, labels).item() == pytest.approx(sum(expected) / N, rel=1e-12)
    assert head.loss(x, labels, reduction="sum").item() == pytest.approx(sum(expected), rel=1e-12)
    assert head.loss(x, labels, reduction="none").tolist() == pytest.approx(expected, rel=1e-12)


def test_logits_are_the_similarities_scaled_and_shifted():
    head, (x, _) = make(), batch()
    expected = [[40 * g + head.bias.item() for g in row] for row in similarities(head, x, 3)]
    torch.testing.assert_close(head(x), torch.tensor(expected, dtype=torch.float64))
    nearest = F.cosine_similarity(x[:, None], head.weight[None], dim=2).argmax(dim=1)
    assert torch.equal(head(x).argmax(dim=1), nearest)


@pytest.mark.parametrize("settings", SETTINGS)
def test_gradcheck_of_embeddings_class_vectors_and_bias(settings):
    head, (x, labels) = make(*settings), batch()

    def loss(x, weight, bias):
        module = heads.WithLoss(None, head)
        return torch.func.functional_call(
            module, {"head.weight": weight, "head.bias": bias}, (x, labels)
        )

    inputs = [x[:4], *(parameter.detach() for parameter in head.parameters())]
    labels = labels[:4]
    assert torch.autograd.gradcheck(loss, [value.clone().requires_grad_() for value in inputs])


@pytest.mark.parametrize("C", [2, 3, 10, 100_000])
@pytest.mark.parametrize("scale, margin, balance, power", [*SETTINGS, (64.0, 0.9, 0.7, 3.0)])
def test_at_first_the_target_and_the_other_classes_pull_the_bias_equally(
    C, scale, margin, balance, power
):
    """The root of the loss's derivative by b, at right angles, found by bisection."""
    g = 2 * 0.5**power - 1

    def sigmoid(z):
        return math.exp(min(z, 0)) / (1 + math.exp(-abs(z)))

    def slope(b):
        pull_up = balance * sigmoid(-scale * (g - margin) - b)
        return (1 - balance) * (C - 1) * sigmoid(scale * (g + margin) + b) - pull_up

    low, high = -500.0, 500.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    head = heads.SphereFace2(1, C, scale, margin, balance, power)
    assert head.bias.item() == pytest.approx(low, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_on_the_class_vectors_and_opposite_all_is_finite(dtype):
    head = make().to(dtype)
    x = torch.cat([head.weight, -head.weight, 1e-4 * head.weight]).detach().requires_grad_()
    loss = head.loss(x, torch.arange(3 * C) % C)
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite()
    for gradient in (x.grad, head.weight.grad, head.bias.grad):
        assert gradient.isfinite().all()


def test_cross_entropy_of_the_logits_is_refused_as_another_loss():
    head, (x, labels) = make(), batch()
    with pytest.raises(TypeError, match=r"SphereFace2 solves a binary problem .*head\.loss\(x, l"):
        F.cross_entropy(head(x, labels), labels)
    assert not head.uses_library_logits()


@pytest.mark.parametrize(
    "settings, error",
    [
        ({"margin": -0.1}, "expected m in"),
        ({"margin": 1.0}, "expected m in"),
        ({"margin": math.nan}, "expected m in|a finite number"),
        ({"balance": 0.0}, "expected λ in"),
        ({"balance": 1.0}, "expected λ in"),
        ({"power": 0.5}, "expected t of at least 1"),
        ({"power": math.inf}, "expected t of at least 1|a finite number"),
        ({"scale": 0.0}, "must be above 0"),
    ],
)
def test_settings_outside_their_domain(settings, error):
    with pytest.raises(ValueError, match=error):
        heads.SphereFace2(D, C, **settings)
    head = make()
    for name, value in settings.items():
        with pytest.raises(ValueError, match=error):
            setattr(head, name, value)
    with pytest.raises(TypeError, match="it is called scale"):
        heads.SphereFace2(D, C, s=40)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((torch.zeros(N, D + 1), torch.zeros(N).long()), ValueError, "embeddings have shape"),
        ((torch.zeros(N, D), torch.full((N,), C)), ValueError, f"label {C} is outside"),
        ((torch.zeros(N, D), torch.zeros(N)), TypeError, "class indices"),
    ],
)
def test_bad_batches(arguments, error, message):
    with pytest.raises(error, match=message):
        make().loss(*arguments)
    with pytest.raises(ValueError, match="reduction = 'median'"):
        make().loss(*batch(), reduction="median")


def test_it_trains_and_its_run_gives_the_head_again():
    run = toys.train(heads.head_from_name("SphereFace2_s16_m0.2", 2, 4))
    again = heads.head_from_run(run)
    assert again.name == run.name == "SphereFace2(scale=16, margin=0.2, balance=0.7, power=3)"
    assert run.history["train_loss"].iloc[-1] < run.history["train_loss"].iloc[0]


def test_reset_draws_vectors_and_sets_the_bias_back():
    head = make()
    bias, fresh = head.bias.item(), copy.deepcopy(head)
    head.bias.data.fill_(0.0)
    head.reset_parameters()
    assert head.bias.item() == pytest.approx(bias) and not torch.equal(head.weight, fresh.weight)
