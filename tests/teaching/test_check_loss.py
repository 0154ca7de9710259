"""check.loss: right losses pass however they are written; the mistake in a wrong one is named."""

import math

import pytest
import torch
import torch.nn.functional as F

from lossbook import euclidean_losses
from lossbook.teaching import check
from lossbook.teaching.check import mistakes


def typed_in(z, y):
    P = z.exp() / z.exp().sum(dim=1, keepdim=True)
    return -P.gather(1, y[:, None]).log().mean()


def one_by_one(z, y):
    return sum(row.logsumexp(0) - row[label] for row, label in zip(z, y)) / len(y)


def contrastive(x, y, root=torch.sqrt):
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    D, equal = root((x[i] - x[j]).square().sum(dim=1)), y[i] == y[j]
    return D[equal].square().mean() / 2 + (1 - D[~equal]).clamp_min(0).square().mean() / 2


def right_contrastive(x, y):
    return euclidean_losses.contrastive(x, y, 1.0)


def by_log_softmax(z, y):
    return -z.log_softmax(1)[range(len(y)), y].mean()


@pytest.mark.parametrize("attempt", [F.cross_entropy, one_by_one, typed_in, by_log_softmax])
def test_right_losses(attempt):
    verdict = check.loss(attempt, F.cross_entropy, 3, 3)
    assert verdict and verdict.message == "Right."


LOSSES = [
    (lambda z, y: F.cross_entropy(z, y, reduction="sum"), "sum for mean"),
    (lambda z, y: -F.cross_entropy(z, y), "wrong sign"),
    (lambda z, y: 2 * F.cross_entropy(z, y), "factor of two"),
    (lambda z, y: F.cross_entropy(z, y) / 2, "half"),
    (lambda z, y: F.cross_entropy(z, y) / math.log(2), "In bits."),
    (lambda z, y: F.cross_entropy(z, y, reduction="none"), "wrong shape"),
    (lambda z, y: F.cross_entropy(z, y).float(), "wrong dtype"),
    (lambda z, y: F.cross_entropy(z, y).item(), "wrong type"),
    (lambda z, y: F.cross_entropy(z.detach(), y), "gradient cut off"),
    (lambda z, y: F.cross_entropy(z, y) + (z - z.detach()).sum(), "gradient cut off"),
    (lambda z, y: F.cross_entropy(z, y) + math.nan, "NaN or infinity"),
    (lambda z, y: F.cross_entropy(z, y) + 0 * (z - z).sqrt().sum(), "NaN or infinity"),
    (lambda z, y: F.cross_entropy(z, y) + 0 * z.detach().zero_().sum(), "changes its input"),
    (lambda z, y: z.missing, "stopped"),
    (3.0, "not a function"),
]


@pytest.mark.parametrize("attempt, mistake", LOSSES)
def test_wrong_losses_are_named(attempt, mistake):
    bits = {"In bits.": lambda z, y: F.cross_entropy(z, y) / math.log(2)}
    verdict = check.loss(attempt, F.cross_entropy, 3, 3, wrong=bits)
    assert not verdict and verdict.attempted and verdict.mistake == mistake, verdict


def test_every_common_mistake_is_made_above():
    assert {mistake.name for mistake in mistakes.LOSS} <= {name for _, name in LOSSES}


def test_a_loss_like_no_known_one_is_told_both_values():
    verdict = check.loss(lambda z, y: F.cross_entropy(z, y) + 1, F.cross_entropy, 3, 3)
    assert verdict.mistake is None and "Your loss of a batch is" in verdict.message


def test_large_logits():
    assert check.loss(F.cross_entropy, F.cross_entropy, 3, 3, size=1000)
    verdict = check.loss(typed_in, F.cross_entropy, 3, 3, size=1000)
    assert verdict.mistake == "NaN or infinity" and "about 1000 in size" in verdict.message


def test_two_rows_on_one_spot():
    verdict = check.loss(contrastive, right_contrastive)
    assert verdict.mistake == "NaN or infinity" and "lie on one spot" in verdict.message
    assert check.loss(contrastive, right_contrastive, on_one_spot=False)
    assert check.loss(
        lambda x, y: contrastive(x, y, lambda squared: (squared + 1e-14).sqrt()), right_contrastive
    )
    assert check.loss(lambda x, y: euclidean_losses.contrastive(x, y, 1.0), right_contrastive)
    assert (
        check.loss(lambda x, y: euclidean_losses.contrastive(x, y, 1.1), right_contrastive).mistake
        is None
    )


@pytest.mark.parametrize("attempt", [..., None, lambda x, y: ..., lambda x, y: None])
def test_a_blank_is_not_attempted(attempt):
    assert not check.loss(attempt, F.cross_entropy, 3, 3).attempted


def test_size():
    with pytest.raises(ValueError, match="size = -1"):
        check.loss(F.cross_entropy, F.cross_entropy, size=-1)
