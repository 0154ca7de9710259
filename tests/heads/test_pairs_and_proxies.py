"""SupCon, Circle loss and Proxy-Anchor against loops and pytorch-metric-learning."""

import doctest
import math

import pytest
import torch
from pytorch_metric_learning import losses

from lossbook import backbones, data, training
from lossbook.heads import pairs_and_proxies
from lossbook.heads.pairs_and_proxies import Circle, ProxyAnchor, SupCon

D, C, N = 3, 5, 24
MAKE = {
    "SupCon": lambda: SupCon(D, C, temperature=0.2),
    "Circle": lambda: Circle(D, C, scale=20, margin=0.25),
    "ProxyAnchor": lambda: ProxyAnchor(D, C, scale=8, margin=0.1),
}


def batch(seed=0, n=N, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, D, generator=generator, dtype=dtype)
    return x, torch.randint(0, C, (n,), generator=generator)


def make(name):
    torch.manual_seed(0)
    return MAKE[name]().double().eval()


def cosine(u, v):
    return sum(a * b for a, b in zip(u, v)) / math.hypot(*u) / math.hypot(*v)


def supcon_by_loop(x, labels, tau):
    anchors = []
    for i, label in enumerate(labels):
        others = [k for k in range(len(x)) if k != i]
        total = sum(math.exp(cosine(x[i], x[k]) / tau) for k in others)
        shares = [math.exp(cosine(x[i], x[k]) / tau) / total for k in others if labels[k] == label]
        if shares:
            anchors.append(-sum(map(math.log, shares)) / len(shares))
    return sum(anchors) / len(anchors)


def circle_by_loop(x, labels, gamma, m):
    anchors = []
    for i, label in enumerate(labels):
        near = [cosine(x[i], x[k]) for k in range(len(x)) if k != i and labels[k] == label]
        far = [cosine(x[i], x[k]) for k in range(len(x)) if labels[k] != label]
        pull = sum(math.exp(-gamma * max(0, 1 + m - s) * (s - (1 - m))) for s in near)
        push = sum(math.exp(gamma * max(0, s + m) * (s - m)) for s in far)
        if near and far:
            anchors.append(math.log(1 + pull * push))
    return sum(anchors) / len(anchors)


def proxy_anchor_by_loop(x, labels, weight, alpha, delta):
    pull, push = [], 0.0
    for j, w in enumerate(weight):
        near = [cosine(v, w) for v, label in zip(x, labels) if label == j]
        far = [cosine(v, w) for v, label in zip(x, labels) if label != j]
        if near:
            pull.append(math.log(1 + sum(math.exp(-alpha * (s - delta)) for s in near)))
        push += math.log(1 + sum(math.exp(alpha * (s + delta)) for s in far))
    return sum(pull) / len(pull) + push / len(weight)


def by_loop(name, head, x, labels):
    x, labels = x.tolist(), labels.tolist()
    if name == "SupCon":
        return supcon_by_loop(x, labels, 0.2)
    if name == "Circle":
        return circle_by_loop(x, labels, 20, 0.25)
    return proxy_anchor_by_loop(x, labels, head.weight.tolist(), 8, 0.1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", MAKE)
def test_loss_equals_the_loop(name, seed):
    head = make(name)
    for n in (N, 6):  # in the small batch classes are missing, and some images are alone
        x, labels = batch(seed, n)
        assert head.loss(x, labels).item() == pytest.approx(by_loop(name, head, x, labels))


def test_losses_equal_those_of_pytorch_metric_learning():
    x, labels = batch(n=60)
    head = make("SupCon")
    torch.testing.assert_close(head.loss(x, labels), losses.SupConLoss(temperature=0.2)(x, labels))
    circle = losses.CircleLoss(m=0.25, gamma=20)
    torch.testing.assert_close(make("Circle").loss(x, labels), circle(x, labels))
    head, anchor = make("ProxyAnchor"), losses.ProxyAnchorLoss(C, D, margin=0.1, alpha=8).double()
    anchor.proxies.data = head.weight.data
    torch.testing.assert_close(head.loss(x, labels), anchor(x, labels))


def test_of_one_class_alone_pytorch_metric_learning_makes_no_supcon_loss():
    x, labels = batch(n=6)[0], torch.zeros(6, dtype=torch.long)
    cos = torch.nn.functional.cosine_similarity(x[:, None], x[None], dim=2) / 0.2
    expected = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        expected += (cos[i, others].logsumexp(dim=0) - cos[i, others].mean()) / 6
    torch.testing.assert_close(make("SupCon").loss(x, labels), expected)
    assert losses.SupConLoss(temperature=0.2)(x, labels) == 0 < expected


@pytest.mark.parametrize("name", ["SupCon", "ProxyAnchor"])
def test_gradient_is_that_of_finite_differences(name):
    x, labels = batch(n=9)
    head = make(name)
    assert torch.autograd.gradcheck(lambda x: head.loss(x, labels), x.requires_grad_())


def test_the_weights_of_circle_loss_pass_no_gradient():
    x, labels = batch(n=9)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(make("Circle").loss(x, labels), x)
    other = losses.CircleLoss(m=0.25, gamma=20)(x, labels)
    torch.testing.assert_close(gradient, torch.autograd.grad(other, x)[0])


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("labels", [[0], [0, 1, 2], [3, 3, 3]])
def test_a_batch_without_pairs_has_finite_loss_and_gradient(name, labels):
    x = batch(n=len(labels))[0].requires_grad_()
    loss = make(name).loss(x, torch.tensor(labels))
    (gradient,) = torch.autograd.grad(loss, x)
    assert loss.isfinite() and gradient.isfinite().all()


@pytest.mark.parametrize("name", MAKE)
def test_equal_and_zero_embeddings_have_finite_gradients(name):
    x, labels = batch()
    x[1], x[2] = x[0], 0
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(make(name).loss(x, labels), x)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", MAKE)
def test_lengths_do_not_count(name):
    x, labels = batch()
    lengths = torch.linspace(0.1, 50, N, dtype=torch.float64)[:, None]
    head = make(name)
    torch.testing.assert_close(head.loss(lengths * x, labels), head.loss(x, labels))
    torch.testing.assert_close(head(lengths * x), head(x))


@pytest.mark.parametrize("name", ["SupCon", "Circle"])
def test_pair_heads_predict_the_nearest_mean_direction(name):
    x, labels = batch()
    head = make(name).train()
    for _ in range(200):
        head.loss(x, labels)
    means = torch.stack([torch.nn.functional.normalize(x)[labels == j].mean(0) for j in range(C)])
    torch.testing.assert_close(head.weight, means, atol=1e-3, rtol=0)
    nearest = torch.cdist(torch.nn.functional.normalize(x), means).argmin(dim=1)
    assert torch.equal(head(x).argmax(dim=1), nearest)


@pytest.mark.parametrize("name", MAKE)
def test_they_train(name):
    digits = data.load("mnist5k").first_classes(3)
    head = {"SupCon": SupCon, "Circle": Circle, "ProxyAnchor": ProxyAnchor}[name](8, 3)
    run = training.fit(
        backbones.Dense(8), head, digits, epochs=4, batch_size=60, per_class=20, progress=False
    )
    assert run.history.test_acc.iloc[-1] > 0.9


@pytest.mark.parametrize("name", MAKE)
def test_labels_are_refused_where_their_logits_would_train_another_loss(name):
    x, labels = batch()
    with pytest.raises(TypeError, match=r"head.loss\(x, labels\)"):
        make(name)(x, labels)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: SupCon(2, temperature=0), "temperature = 0: expected a number above 0"),
        (lambda: Circle(2, margin=1.5), "margin = 1.5"),
        (lambda: Circle(2, scale=-1), "scale = -1"),
        (lambda: ProxyAnchor(2, 3, margin=-1), "margin = -1"),
        (lambda: ProxyAnchor(2, 3, scale=0), "scale"),
    ],
)
def test_settings_outside_their_domain_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_examples():
    assert doctest.testmod(pairs_and_proxies).failed == 0
