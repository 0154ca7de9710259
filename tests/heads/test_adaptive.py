"""The losses after ArcFace against their papers' formulas, sample by sample in float64 Python."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from lossbook import bounds, heads
from lossbook.heads.fused import one_pass

D, C, N = 5, 9, 14


def batch(seed=0):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(N, D, dtype=torch.float64, generator=random)
    lengths = torch.linspace(3, 130, N, dtype=torch.float64)
    x = F.normalize(x) * lengths[:, None]
    return x.requires_grad_(), torch.randint(0, C, (N,), generator=random)


def angles_of(head, x, labels):
    """For each sample: its length, its cosines to all classes, its label."""
    weight = head.weight.tolist()
    for row, y in zip(x.tolist(), labels.tolist()):
        length = math.hypot(*row)
        yield (
            length,
            [sum(a * b for a, b in zip(row, w)) / (length * math.hypot(*w)) for w in weight],
            y,
        )


def cross_entropy(logits, y):
    largest = max(logits)
    return largest + math.log(sum(math.exp(z - largest) for z in logits)) - logits[y]


def arc(cos, m):
    """cos(θ + m), with the library's falling branch past π."""
    u = math.acos(cos) + m
    return math.cos(u) if u <= math.pi else -2 - math.cos(u)


def mean_loss(head, x, labels, target, rival=lambda cos, margined: cos):
    total = 0.0
    for length, cosines, y in angles_of(head, x, labels):
        margined = target(cosines[y], length)
        logits = [head.scale * rival(cos, margined) for cos in cosines]
        logits[y] = head.scale * margined
        total += cross_entropy(logits, y)
    return total / len(labels)


def adaface(head, x, labels):
    lengths = x.detach().norm(dim=1).tolist()
    mean = sum(lengths) / N
    deviation = math.sqrt(sum((a - mean) ** 2 for a in lengths) / (N - 1))
    mu, sigma = 0.99 * mean + 0.01 * 20, 0.99 * deviation + 0.01 * 100

    def target(cos, length):
        quality = max(-1, min(1, (length - mu) / ((sigma + 1e-3) / 0.333)))
        return arc(cos, -0.4 * quality) - (0.4 + 0.4 * quality)

    return mean_loss(head, x, labels, target)


def magface(head, x, labels):
    clip = lambda a: max(10, min(110, a))  # noqa: E731
    target = lambda cos, a: arc(cos, 0.45 + 0.35 / 100 * (clip(a) - 10))  # noqa: E731
    penalties = [35 * (1 / clip(a) + clip(a) / 110**2) for a in x.detach().norm(dim=1).tolist()]
    return mean_loss(head, x, labels, target) + sum(penalties) / N


def curricular(head, x, labels):
    t = 0.01 * sum(cosines[y] for _, cosines, y in angles_of(head, x, labels)) / N
    rival = lambda cos, margined: cos * (t + cos) if cos > margined else cos  # noqa: E731
    return mean_loss(head, x, labels, lambda cos, _: arc(cos, 0.5), rival)


def mv(adaptive, angular):
    def formula(head, x, labels):
        total = 0.0
        for _, cosines, y in angles_of(head, x, labels):
            margined = arc(cosines[y], 0.35) if angular else cosines[y] - 0.35
            own = math.exp(head.scale * margined)
            rivals = 0.0
            for j, cos in enumerate(cosines):
                exponent = head.scale * 0.2 * ((cos + 1) if adaptive else 1)
                h = math.exp(exponent) if cos > margined else 1.0
                rivals += h * math.exp(head.scale * cos) if j != y else 0.0
            total -= math.log(own / (own + rivals))
        return total / len(labels)

    return formula


CASES = {
    "AdaFace": (lambda d, c: heads.AdaFace(d, c, 16), adaface),
    "MagFace": (lambda d, c: heads.MagFace(d, c, 16), magface),
    "CurricularFace": (lambda d, c: heads.CurricularFace(d, c, 16), curricular),
    "MV-AM, fixed": (lambda d, c: heads.MVSoftmax(d, c, 16, adaptive=False), mv(False, False)),
    "MV-AM, adaptive": (lambda d, c: heads.MVSoftmax(d, c, 16), mv(True, False)),
    "MV-Arc": (lambda d, c: heads.MVSoftmax(d, c, 16, angular=True), mv(True, True)),
}


def make(name):
    torch.manual_seed(0)
    return CASES[name][0](D, C).double()


@pytest.fixture
def fused(monkeypatch):
    monkeypatch.setattr(one_pass, "SMALL_PROBLEM", 0)
    monkeypatch.setattr(one_pass, "LOGITS_PER_BLOCK", 4 * N)


@pytest.mark.parametrize("name", CASES)
def test_loss_equals_the_paper_s_formula(name):
    head, (x, labels) = make(name), batch()
    expected = CASES[name][1](head, x, labels)
    assert head.loss(x, labels).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"reduction": "none"}, {"label_smoothing": 0.1}])
@pytest.mark.parametrize("chunk", [None, 2, 100])
@pytest.mark.parametrize("name", CASES)
def test_the_fused_pass_has_the_plain_one_s_gradients(name, chunk, options, fused, monkeypatch):
    plain, (x, labels) = make(name), batch()
    fast = copy.deepcopy(plain)
    results = []
    for head, size in ((fast, 0), (plain, 10**9)):
        monkeypatch.setattr(one_pass, "SMALL_PROBLEM", size)
        reduced = options.get("reduction") != "none"
        ways = {"chunk": chunk} if head is fast and reduced else {}
        loss = head.loss(x, labels, **ways, **options)
        gradients = torch.autograd.grad(loss.square().sum(), [x, head.weight])
        results.append([loss, *gradients, *head.buffers()])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("name", CASES)
def test_sampled_classes_are_the_loss_over_those(name):
    head, (x, labels) = make(name).eval(), batch()
    torch.manual_seed(0)
    classes = head.loss(x, labels, sample=1.0)
    torch.testing.assert_close(classes, head.loss(x, labels))
    assert head.loss(x, labels, sample=0.95) <= classes


@pytest.mark.parametrize("name", CASES)
def test_gradcheck_in_evaluation(name):
    head, (x, labels) = make(name).eval(), batch()
    if name == "AdaFace":  # no gradient flows through its lengths: leave them as they are
        x = F.normalize(x.detach()).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head.loss(x, labels), (x,), atol=1e-4)


@pytest.mark.parametrize("angular, margin", [(True, 0.5), (False, 0.35)])
def test_elastic_margins_are_drawn_around_the_margin(angular, margin):
    torch.manual_seed(0)
    head = heads.ElasticFace(D, C, 16, margin, angular=angular).double()
    x, labels = batch()
    base = heads.ArcFace(D, C, 16, 0.5) if angular else heads.CosFace(D, C, 16, 0.35)
    base = base.double()
    base.load_state_dict(head.state_dict())
    torch.testing.assert_close(head.eval().loss(x, labels), base.loss(x, labels))
    state = torch.random.get_rng_state()
    loss = head.train().loss(x, labels)
    torch.random.set_rng_state(state)
    drawn = iter((margin + 0.0125 * torch.randn(N, dtype=torch.float64)).tolist())
    target = lambda cos, _: arc(cos, next(drawn)) if angular else cos - next(drawn)  # noqa: E731
    assert loss.item() == pytest.approx(mean_loss(head, x, labels, target), rel=1e-9)


@pytest.mark.parametrize("name", [*CASES, "AdaCos"])
def test_under_torch_func_nothing_moves_and_gradients_are_those_of_evaluation(name):
    torch.manual_seed(0)
    head, (x, labels) = heads.AdaCos(D, C).double() if name == "AdaCos" else make(name), batch()
    expected = torch.autograd.grad(head.eval().loss(x, labels), x)[0]
    state = copy.deepcopy(head.train().state_dict())
    module, x = heads.WithLoss(None, head), x.detach()
    torch.testing.assert_close(torch.func.grad(lambda x: head.loss(x, labels))(x), expected)

    def loss(x, label):
        return module(x[None], label[None])

    per_sample = torch.func.vmap(torch.func.grad(loss))(x, labels)
    torch.testing.assert_close(per_sample / N, expected)
    torch.testing.assert_close(head.state_dict(), state, rtol=0, atol=0)


def test_adacos_follows_the_angles():
    torch.manual_seed(0)
    head, (x, labels) = heads.AdaCos(D, C).double(), batch()
    s = head.scale
    assert s == pytest.approx(bounds.adacos_scale(C))
    rows = list(angles_of(head, x, labels))
    B = sum(math.exp(s * c) for _, cos, y in rows for j, c in enumerate(cos) if j != y) / N
    target_angles = sorted(math.acos(cosines[y]) for _, cosines, y in rows)
    median = target_angles[(N - 1) // 2]
    loss = head.loss(x, labels)
    assert head.scale == pytest.approx(math.log(B) / math.cos(min(math.pi / 4, median)))
    assert loss.item() == pytest.approx(mean_loss(head, x, labels, lambda cos, _: cos))
    resumed = heads.AdaCos(D, C)
    resumed.load_state_dict(head.state_dict())
    assert resumed.scale == head.scale
    before = head.scale
    head.eval().loss(x, labels)
    assert head.scale == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", [*CASES, "ElasticFace"])
def test_gradients_are_finite_on_the_class_vectors_and_opposite(name, dtype):
    head = (heads.ElasticFace(D, C, 16) if name == "ElasticFace" else make(name)).to(dtype)
    x = torch.cat([head.weight, -head.weight]).detach().requires_grad_()
    loss = head.loss(x, torch.arange(2 * C) % C)
    loss.backward()
    assert loss.isfinite() and x.grad.isfinite().all() and head.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: heads.AdaFace(D, C, margin=-0.1),
        lambda: heads.AdaFace(D, C, rate=0),
        lambda: heads.MagFace(D, C, low_length=120.0),
        lambda: heads.MagFace(D, C, high_margin=4.0),
        lambda: heads.ElasticFace(D, C, deviation=-1.0),
        lambda: heads.CurricularFace(D, C, rate=2.0),
        lambda: heads.MVSoftmax(D, C, t=0.5),
        lambda: setattr(heads.MVSoftmax(D, C), "t", 0.5),
        lambda: heads.AdaCos(D, 2),
    ],
)
def test_settings_outside_their_domain(call):
    with pytest.raises(ValueError, match="expected|at least"):
        call()


def test_second_derivatives_name_the_way(fused):
    head, (x, labels) = make("AdaFace"), batch()
    with pytest.raises(NotImplementedError, match="F.cross_entropy"):
        torch.autograd.grad(head.loss(x, labels), x, create_graph=True)


def test_chunks_of_losses_that_are_not_reduced_are_refused():
    head, (x, labels) = make("AdaFace"), batch()
    with pytest.raises(ValueError, match="'mean' or 'sum' only"):
        head.loss(x, labels, chunk=2, reduction="none")
