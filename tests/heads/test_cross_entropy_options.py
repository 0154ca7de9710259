"""The options of F.cross_entropy in head.loss: plain and fused, values and gradients."""

import math

import pytest
import torch
from torch.nn import functional as F

from lossbook import heads
from lossbook.heads import partial_fc
from lossbook.heads.fused import one_pass

D, C, N = 5, 23, 12
MAKE = {
    "Softmax": heads.Softmax,
    "SphereFace": heads.SphereFace,
    "CosFace": lambda d, c: heads.CosFace(d, c, scale=16),
    "ArcFace": lambda d, c: heads.ArcFace(d, c, scale=16),
}
OPTIONS = [
    {"reduction": "sum"},
    {"reduction": "none"},
    {"label_smoothing": 0.1},
    {"weight": True},
    {"weight": True, "label_smoothing": 0.3},
    {"weight": True, "label_smoothing": 0.3, "reduction": "sum"},
    {"weight": True, "label_smoothing": 1.0, "reduction": "none"},
    {"ignore_index": 3},
    {"ignore_index": -100, "weight": True, "label_smoothing": 0.2},
    {"ignore_index": -100, "reduction": "none"},
]


def problem(name, options, seed=0):
    torch.manual_seed(seed)
    head = MAKE[name](D, C).double()
    x = 2 * torch.randn(N, D, dtype=torch.float64)
    labels = torch.randint(0, C, (N,))
    if "ignore_index" in options:
        labels[1] = labels[7] = options["ignore_index"]
    if "weight" in options:
        options = {**options, "weight": torch.rand(C, dtype=torch.float64) + 0.1}
    return head, x.requires_grad_(), labels, options


def with_gradients(loss, head, x):
    """The loss and its gradients; each of several losses counts differently."""
    upstream = torch.linspace(-1, 2, loss.numel(), dtype=loss.dtype).view_as(loss)
    return [loss, *torch.autograd.grad(loss, [x, *head.parameters()], upstream)]


@pytest.mark.parametrize("chunk", [None, 7])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
@pytest.mark.parametrize("name", MAKE)
def test_value_and_gradients_equal_pytorch_s(name, options, fused, chunk, monkeypatch):
    if fused:
        monkeypatch.setattr(one_pass, "SMALL_PROBLEM", 0)
        monkeypatch.setattr(one_pass, "LOGITS_PER_BLOCK", 4 * N)
    head, x, labels, options = problem(name, options)
    margined = head(x, labels.clamp_min(0))
    expected = with_gradients(F.cross_entropy(margined, labels, **options), head, x)
    torch.testing.assert_close(
        with_gradients(head.loss(x, labels, chunk=chunk, **options), head, x), expected
    )


def test_second_derivatives_have_the_options(monkeypatch):
    monkeypatch.setattr(one_pass, "SMALL_PROBLEM", 0)
    head, x, labels, options = problem("ArcFace", {"weight": True, "label_smoothing": 0.2})

    def penalty(loss):
        gradient = torch.autograd.grad(loss, x, create_graph=True)[0]
        return torch.autograd.grad(gradient.square().sum(), [x, head.weight])

    torch.testing.assert_close(
        penalty(head.loss(x, labels, **options)),
        penalty(F.cross_entropy(head(x, labels), labels, **options)),
    )


@pytest.mark.parametrize("correct", [False, True])
def test_with_sampled_classes_the_options_refer_to_those(correct):
    head, x, labels, options = problem("ArcFace", {"weight": True, "label_smoothing": 0.2})
    draw = lambda: torch.Generator().manual_seed(4)  # noqa: E731
    kept, among = partial_fc.sample_classes(labels, C, 0.7, draw())
    logits = head(x, labels)[:, kept]
    if correct:
        batch = set(labels.tolist())
        rivals = [i for i, k in enumerate(kept.tolist()) if k not in batch]
        added = torch.zeros(len(kept), dtype=torch.float64)
        added[rivals] = math.log((C - len(batch)) / len(rivals))
        logits = logits + added
    weight = options.pop("weight")
    expected = F.cross_entropy(logits, among, weight=weight[kept], **options)
    loss = head.loss(
        x, labels, sample=0.7, generator=draw(), correct_sample=correct, weight=weight, **options
    )
    torch.testing.assert_close(with_gradients(loss, head, x), with_gradients(expected, head, x))


def test_the_correction_of_the_share_brings_loss_and_gradient_nearer():
    """Mean of 200 draws, a head whose rivals all matter, a tenth of the classes."""
    torch.manual_seed(0)
    head, x = heads.CosFace(16, 500, scale=16).double(), torch.randn(8, 16).double()
    labels = torch.arange(8)
    x.requires_grad_()
    full, exact = with_gradients(head.loss(x, labels), head, x)[:2]
    errors = {}
    for correct in (False, True):
        losses, gradients = zip(
            *(
                with_gradients(
                    head.loss(
                        x, labels, sample=0.1, correct_sample=correct,
                        generator=torch.Generator().manual_seed(seed),
                    ), head, x,
                )[:2]
                for seed in range(200)
            )
        )  # fmt: skip
        errors[correct] = (
            abs(torch.stack(losses).mean() - full).item(),
            (torch.stack(gradients).mean(dim=0) - exact).norm().item(),
        )
    assert errors[True][0] < 0.3 * errors[False][0]
    assert errors[True][1] < 0.85 * errors[False][1]


def test_nothing_left_is_as_in_pytorch():
    head, x, _, _ = problem("ArcFace", {})
    labels = torch.full((N,), -100)
    assert head.loss(x, labels, ignore_index=-100).isnan()
    assert head.loss(x, labels, ignore_index=-100, reduction="sum") == 0
    assert not head.loss(x, labels, ignore_index=-100, reduction="none").any()


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"reduction": "avg"}, ValueError, "'mean', 'sum', 'none'"),
        ({"label_smoothing": 1.5}, ValueError, "label_smoothing = 1.5"),
        ({"label_smoothing": math.nan}, ValueError, "label_smoothing = nan"),
        ({"weight": torch.ones(C + 1)}, ValueError, rf"expected \({C},\)"),
        ({"weight": torch.ones(C, dtype=torch.int64)}, TypeError, "got torch.int64"),
        ({"weight": [1.0] * C}, TypeError, "got list"),
    ],
)
def test_an_option_outside_its_domain(options, error, message):
    head, x, labels, _ = problem("ArcFace", {})
    with pytest.raises(error, match=message):
        head.loss(x, labels, **options)


def test_soft_labels_are_refused_with_the_way_to_mix():
    head, x, labels, _ = problem("ArcFace", {})
    one_hot = F.one_hot(labels, C)
    with pytest.raises(TypeError, match=r"mixup, mix two losses.*label_smoothing.*argmax"):
        head.loss(x, one_hot.double())
    with pytest.raises(ValueError, match=r"argmax\(dim=1\)"):
        head.loss(x, one_hot)
    labels[0] = -100
    with pytest.raises(ValueError, match="pass ignore_index=-100"):
        head.loss(x, labels)
