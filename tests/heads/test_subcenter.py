"""Sub-centres against explicit loops, pytorch-metric-learning, and the ArcFace they contain."""

import copy
import math

import pytest
import torch
from pytorch_metric_learning import losses as pml

from lossbook import heads
from lossbook.heads import SubCenterArcFace
from tests.helpers import batches, oracle

D, C = 5, 7


def batch(n=24):
    return batches.batch(n, D, C)


def made(centers=3, dtype=torch.float64, **options):
    torch.manual_seed(0)
    return SubCenterArcFace(D, C, **{"scale": 16, "margin": 0.3, **options}, centers=centers).to(
        dtype
    )


def by_loops(head, x, labels):
    """Mean cross-entropy by loops; a class's cosine is that of its nearest sub-centre."""
    total = 0.0
    centres = [head.weight.tolist(), *head.others.tolist()]
    for row, y in zip(x.tolist(), labels.tolist()):
        cosines = [
            max(
                sum(a * b for a, b in zip(row, k[j])) / oracle.norm(row) / oracle.norm(k[j])
                for k in centres
            )
            for j in range(C)
        ]
        logits = [head.scale * c for c in cosines]
        logits[y] = head.scale * oracle.turned(
            math.acos(max(-1, min(1, cosines[y]))), 1, head.margin
        )
        largest = max(logits)
        total += largest + math.log(sum(math.exp(z - largest) for z in logits)) - logits[y]
    return total / len(labels)


@pytest.mark.parametrize("centers", [1, 2, 4])
def test_loss_equals_the_loops(centers):
    head, (x, labels) = made(centers), batch()
    assert head.loss(x, labels).item() == pytest.approx(by_loops(head, x, labels), rel=1e-9)


def test_agrees_with_pytorch_metric_learning():
    head, (x, labels) = made(), batch(n=64)
    peer = pml.SubCenterArcFaceLoss(
        num_classes=C, embedding_size=D, margin=math.degrees(0.3), scale=16, sub_centers=3
    ).double()
    every = torch.cat(
        [head.weight[None], head.others]
    )  # its columns: K sub-centres of a class together
    with torch.no_grad():
        peer.W.copy_(every.transpose(0, 1).reshape(3 * C, D).T)
    keep = head(x).gather(1, labels[:, None])[:, 0] / 16 > math.cos(
        math.pi - 0.31
    )  # past it the definitions differ
    torch.testing.assert_close(head.loss(x[keep], labels[keep]), peer(x[keep], labels[keep]))


def test_one_centre_is_arcface():
    head, plain, (x, labels) = made(1), heads.ArcFace(D, C, 16, 0.3).double(), batch()
    plain.weight.data = head.weight.data
    torch.testing.assert_close(head.loss(x, labels), plain.loss(x, labels))
    torch.testing.assert_close(head(x), plain(x))


def test_gradcheck_of_embeddings_and_centres():
    head, (x, labels) = made(), batch(n=6)

    def loss(x, weight, others):
        copied = copy.copy(head)
        copied._parameters = {"weight": weight, "others": others}
        return copied.loss(x, labels)

    assert torch.autograd.gradcheck(
        loss,
        (
            x.requires_grad_(),
            head.weight.detach().clone().requires_grad_(),
            head.others.detach().clone().requires_grad_(),
        ),
    )


def test_half_precision_and_a_zero_embedding_give_finite_gradients():
    head, (x, labels) = made(dtype=torch.float32, scale=64), batch()
    for dtype in (torch.float16, torch.bfloat16):
        given = x.to(dtype)
        given[0] = 0
        given[1] = head.weight[labels[1]].detach().to(dtype)  # exactly on its centre
        given.requires_grad_()
        head.loss(given, labels).backward()
        assert given.grad.isfinite().all() and all(
            p.grad.isfinite().all() for p in head.parameters()
        )


def test_the_dominant_sub_centre_is_the_one_most_images_choose():
    head = made(2)
    with torch.no_grad():
        head.weight.copy_(torch.eye(C, D, dtype=torch.float64) + 0.1)
        head.others[0] = -head.weight
    x = torch.cat([head.weight, head.others[0].repeat(2, 1)]).detach()  # one image there, two here
    labels = torch.arange(C).repeat(3)
    assert head.nearest_center(x, labels).tolist() == [0] * C + [1] * 2 * C
    assert (
        head.dominant_centers(x, labels).tolist() == [1] * C
        and head.dominant_centers(x[:C], labels[:C]).tolist() == [0] * C
    )
    kept = head.keep_dominant(x, labels)
    assert type(kept) is heads.ArcFace and torch.equal(kept.weight, head.others[0])
    assert (kept.scale, kept.margin) == (16, 0.3)


def test_drawn_weights_are_all_different_and_come_from_the_seed():
    torch.manual_seed(3)
    head = made()
    every = [head.weight, *head.others]
    assert all(not torch.equal(a, b) for i, a in enumerate(every) for b in every[:i])
    assert all(torch.equal(a, b) for a, b in zip(made().parameters(), head.parameters()))
    assert head.name == "SubCenterArcFace(scale=16, margin=0.3, centers=3)"


@pytest.mark.parametrize("centers", [0, 1.5])
def test_bad_input_is_named(centers):
    with pytest.raises(ValueError, match=f"centers = {centers}"):
        made(centers)
    with pytest.raises(ValueError, match="label 7 is outside"):
        made().nearest_center(batch()[0], torch.full((24,), 7))
