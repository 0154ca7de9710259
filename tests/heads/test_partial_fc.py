"""Partial FC: which classes are kept, and how their loss compares with that of all."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lossbook import heads
from lossbook.heads import partial_fc


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.integers(2, 60), st.integers(1, 30), st.floats(0.01, 1), st.integers(0, 1000))
def test_own_classes_are_kept_and_the_rest_fills_the_share(num_classes, n, share, seed):
    labels = torch.randint(0, num_classes, (n,), generator=draw(seed))
    kept, among = partial_fc.sample_classes(labels, num_classes, share, draw(seed + 1))
    assert torch.equal(kept[among], labels)
    assert torch.equal(kept, kept.unique())
    assert len(kept) == max(len(labels.unique()), -int(-share * num_classes // 1))


def test_every_other_class_has_the_same_chance():
    labels, generator = torch.tensor([3, 3, 7]), draw()
    counts = torch.zeros(20)
    for _ in range(2000):
        counts[partial_fc.sample_classes(labels, 20, 0.25, generator)[0]] += 1
    others = torch.ones(20, dtype=torch.bool)
    others[labels] = False
    assert (counts[~others] == 2000).all()
    expected = 2000 * 3 / 18
    assert ((counts[others] - expected).abs() < 5 * expected**0.5).all()


@pytest.mark.parametrize("share", [0, -0.1, 1.5, "half"])
def test_a_share_outside_its_domain(share):
    with pytest.raises(ValueError, match=r"sample = .*\(0, 1\]"):
        heads.ArcFace(5, 20).loss(torch.randn(3, 5), torch.tensor([0, 1, 2]), sample=share)


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("make", [heads.Softmax, heads.ArcFace, heads.SphereFace, heads.MVSoftmax])
def test_the_sampled_loss_is_the_loss_over_the_kept_classes(make, corrected, chunk):
    torch.manual_seed(0)
    head, x, labels = (
        make(5, 20).double(),
        torch.randn(6, 5).double().requires_grad_(),
        torch.randint(0, 20, (6,)),
    )
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    kept, among = partial_fc.sample_classes(labels, 20, 0.5, draw(4))
    logits = head(x, labels)[:, kept]
    if corrected:
        is_drawn = ~torch.isin(kept, labels)
        share = is_drawn.sum() / (20 - len(labels.unique()))
        logits = logits - share.log() * is_drawn
    expected = F.cross_entropy(logits, among)
    ways = {"sample": 0.5, "chunk": chunk, "correct_sample": corrected}
    loss = head.loss(x, labels, generator=draw(4), **ways)
    torch.testing.assert_close(loss, expected)
    inputs = [x, *head.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs)
    )
    rest = torch.ones(20, dtype=torch.bool)
    rest[kept] = False
    assert not torch.autograd.grad(
        head.loss(x, labels, sample=0.5, generator=draw(4)), head.weight
    )[0][rest].any()


def test_all_classes_are_the_full_loss_and_fewer_never_cost_more():
    torch.manual_seed(0)
    head, x, labels = (
        heads.ArcFace(5, 50).double(),
        torch.randn(6, 5).double(),
        torch.randint(0, 50, (6,)),
    )
    full = head.loss(x, labels)
    torch.testing.assert_close(head.loss(x, labels, sample=1.0), full)
    assert all(head.loss(x, labels, sample=0.3, generator=draw(seed)) <= full for seed in range(50))


def test_the_generator_decides():
    head, x, labels = heads.ArcFace(5, 50), torch.randn(6, 5), torch.randint(0, 50, (6,))
    first, same_seed, new_seed = (
        head.loss(x, labels, sample=0.3, generator=draw(seed)) for seed in (1, 1, 2)
    )
    assert first == same_seed != new_seed
