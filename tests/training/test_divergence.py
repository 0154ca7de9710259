"""A training that diverges stops at once, with the likely cause."""

import math

import pytest
import torch
from torch import nn

from lossbook import heads, training
from tests.helpers.toys import train


class Naive(heads.ArcFace):
    """ArcFace as it is often copied: arccos of a cosine that reaches 1."""

    def forward(self, x, labels=None):
        cos = nn.functional.linear(
            nn.functional.normalize(x), nn.functional.normalize(self.weight)
        ).clamp(-1, 1)
        if labels is None:
            return self.scale * cos
        turned = torch.cos(torch.arccos(cos) + self.margin)
        return self.scale * torch.where(
            nn.functional.one_hot(labels, self.num_classes).bool(), turned, cos
        )


class OnTheVector(nn.Module):
    """Embeddings that lie exactly on class vector 0."""

    def __init__(self):
        super().__init__()
        self.length = nn.Linear(1, 2)

    def forward(self, images):
        return (
            (self.length.weight.sum() ** 2 + 1)
            * torch.ones(len(images), 1)
            * torch.tensor([[1.0, 0.0]])
        )


class Aligned(Naive):
    def reset_parameters(self):
        with torch.no_grad():
            self.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]))


def test_a_gradient_that_is_not_finite_stops_the_run_and_names_the_cause():
    with pytest.raises(
        training.TrainingDiverged, match=r"epoch 1, step 1 of 4.*gradient is not finite.*arccos"
    ):
        train(backbone=OnTheVector(), head=Aligned(2, 4, scale=8, margin=0.2))


def test_in_float16_too_once_a_smaller_scale_does_not_help():
    with pytest.raises(
        training.TrainingDiverged, match=r"epoch 5, step 1 of 4.*gradient is not finite.*arccos"
    ):
        train(
            backbone=OnTheVector(),
            head=Aligned(2, 4, scale=8, margin=0.2),
            precision="float16",
            epochs=20,
        )


def test_gradients_too_long_together_are_told_from_broken_ones():
    with pytest.raises(
        training.TrainingDiverged, match=r"every gradient is finite.*NormSoftmax\(.*scale=1e\+30"
    ):
        train(head=heads.NormSoftmax(2, 4, scale=1e30))


def test_a_loss_that_is_not_finite_stops_the_run():
    class ByHand(heads.NormSoftmax):
        def loss(self, x, labels):
            powers = torch.exp(200 * self(x))  # exp by hand: overflows
            return -torch.log(powers[torch.arange(len(x)), labels] / powers.sum(dim=1)).mean()

    with pytest.raises(
        training.TrainingDiverged,
        match=r"epoch 1, step 1 of 4: the loss is (nan|inf).*the head made it",
    ):
        train(head=ByHand(2, 4, scale=8))


def test_an_embedding_that_is_not_finite_stops_the_run():
    class Broken(nn.Linear):
        def forward(self, images):
            return super().forward(images.flatten(1)) * math.nan

    with pytest.raises(
        training.TrainingDiverged, match="epoch 1, step 1 of 4: embedding 0 of 32 holds nan"
    ):
        train(backbone=Broken(784, 2))
