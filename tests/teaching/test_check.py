"""Each known mistake is recognised; each right answer passes, however it is written."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lossbook import heads, margins
from lossbook.teaching import check
from lossbook.teaching.check import mistakes


def acos(cos):
    return torch.arccos(cos.clamp(-1 + 1e-7, 1 - 1e-7))


def sine(cos):
    return torch.sqrt((1 - cos**2).clamp_min(1e-14))


def continued(cos, m):
    theta = acos(cos)
    return torch.where(theta + m <= math.pi, torch.cos(theta + m), -2 - torch.cos(theta + m))


def psi(cos, m):
    k = torch.floor(m * acos(cos) / math.pi)
    return (-1) ** k * torch.cos(m * acos(cos)) - 2 * k


@pytest.mark.parametrize(
    "attempt, loss, m",
    [
        (lambda c: c - 0.35, "cosface", {"m": 0.35}),
        (lambda c: margins.arcface(c, 0.3), "arcface", {"m": 0.3}),
        (lambda c: continued(c, 0.3), "arcface", {"m": 0.3}),
        (
            lambda c: margins.arcface(c, 0.3, easy_margin=True),
            "arcface",
            {"m": 0.3, "easy_margin": True},
        ),
        (lambda c: psi(c, 4), "sphereface", {"m": 4}),
        (lambda c: psi(c, 2), "lsoftmax", {"m": 2}),
        (
            lambda c: margins.combined(c, 1.2, 0.3, 0.2),
            "combined",
            {"m1": 1.2, "m2": 0.3, "m3": 0.2},
        ),
    ],
)
def test_right_margins(attempt, loss, m):
    verdict = check.margin(attempt, loss, **m)
    assert (
        verdict
        and verdict.attempted
        and verdict.message.startswith("Right.")
        and verdict.mistake is None
    )
    assert repr(verdict).startswith("✓") and "✓" in verdict._repr_markdown_()


MARGINS = [
    (lambda c: c, "cosface", "no margin"),
    (lambda c: c + 0.3, "cosface", "margin added to the cosine"),
    (lambda c: torch.cos(acos(c) - 0.3), "arcface", "margin subtracted from the angle"),
    (
        lambda c: c * math.cos(0.3) + sine(c) * math.sin(0.3),
        "arcface",
        "margin subtracted from the angle",
    ),
    (lambda c: torch.cos(acos(c) + 0.3 * math.pi / 180), "arcface", "margin read in degrees"),
    (
        lambda c: torch.cos(torch.deg2rad(torch.rad2deg(acos(c)) + 0.3)),
        "arcface",
        "margin read in degrees",
    ),
    (lambda c: torch.cos(acos(c) + math.degrees(0.3)), "arcface", "margin turned into degrees"),
    (lambda c: torch.cos(torch.rad2deg(torch.arccos(c)) + 0.3), "arcface", "angle in degrees"),
    (lambda c: continued(c, 0.3), "cosface", "cosine margin on the angle"),
    (lambda c: torch.cos(acos(c) + 0.3), "cosface", "cosine margin on the angle"),
    (lambda c: c + 0.3, "arcface", "angular margin added to the cosine"),
    (lambda c: c - 0.3, "arcface", "angular margin subtracted from the cosine"),
    (lambda c: 0.3 * 10 * c, "sphereface", "multiplier outside the cosine"),
    (lambda c: torch.cos(acos(c) + 3), "sphereface", "multiplier added to the angle"),
    (lambda c: torch.cos(3 * acos(c)), "sphereface", "raw cosine past π"),
    (lambda c: torch.cos(acos(c) + 0.3), "arcface", "raw cosine past π"),
    (lambda c: c * math.cos(0.3) - sine(c) * math.sin(0.3), "arcface", "raw cosine past π"),
    (
        lambda c: (-1) ** torch.floor(3 * acos(c) / math.pi) * torch.cos(3 * acos(c)),
        "sphereface",
        "ψ without its steps",
    ),
    (
        lambda c: torch.cos(3 * acos(c)) - 2 * torch.floor(3 * acos(c) / math.pi),
        "sphereface",
        "ψ without its sign",
    ),
    (
        lambda c: torch.where(
            c > math.cos(math.pi - 0.3), torch.cos(acos(c) + 0.3), c - 0.3 * math.sin(0.3)
        ),
        "arcface",
        "the common branch past π",
    ),
    (lambda c: torch.where(c > 0, torch.cos(acos(c) + 0.3), c), "arcface", "easy margin"),
    (lambda c: torch.cos(c + 0.3), "arcface", "arccos forgotten"),
    (lambda c: acos(c) + 0.3, "arcface", "angle returned"),
    (lambda c: c * math.cos(0.3), "arcface", "sine term forgotten"),
    (lambda c: c - 0.6, "cosface", "margin applied twice"),
    (lambda c: 0 * c, "cosface", "all zeros"),
    (lambda c: 64 * (c - 0.3), "cosface", "a constant factor"),
    (lambda c: c - 0.3 + 0.1, "cosface", "a constant too much"),
]


@pytest.mark.parametrize("attempt, loss, mistake", MARGINS)
def test_wrong_margins_are_named(attempt, loss, mistake):
    verdict = check.margin(attempt, loss, m=3 if loss == "sphereface" else 0.3)
    assert verdict.mistake == mistake, verdict
    assert not verdict and verdict.attempted and repr(verdict).startswith("✗")


def test_every_mistake_of_the_table_is_made_above_and_below():
    assert {m.name for m in mistakes.TARGET} == {name for *_, name in MARGINS} | {
        "multiplier on the margin too"
    }
    made = {name for _, name in HEADS + LENGTHS} - TARGETS - FOUND
    assert {m.name for m in mistakes.TRAINING + mistakes.PREDICTION} == made


@given(st.floats(0.05, 1.5))
def test_a_sign_is_seen_at_any_margin(m):
    assert check.margin(lambda c: c + m, "cosface", m=m).mistake == "margin added to the cosine"
    assert (
        check.margin(lambda c: torch.cos(acos(c) - m), "arcface", m=m).mistake
        == "margin subtracted from the angle"
    )
    assert (
        check.margin(lambda c: torch.cos(acos(c) + math.radians(m)), "arcface", m=m).mistake
        == "margin read in degrees"
    )


def changed_in_place(c):
    """Right values; the gradient needs a number that is gone by then."""
    a = c * 1
    b = a * a
    a.add_(1)
    return c - 0.3 + 0 * b


@pytest.mark.parametrize(
    "attempt, says",
    [
        (lambda c: torch.arccos(c).cos() - 0.3, "NaN at cos θ = ±1"),
        (lambda c: torch.where(c.abs() == 1, math.nan, c - 0.3), "NaN at cos θ = ±1"),
        (lambda c: torch.where(c > 0.5, math.nan, c - 0.3), "for example at cos θ = "),
        (lambda c: (c - 0.3).detach(), "cut off"),
        (lambda c: c.detach() - 0.3, "cut off"),
        (lambda c: 2 * c.detach() - c - 0.3, "the gradient is not theirs"),
        (lambda c: (c - 0.3).float(), "torch.float32"),
        (lambda c: (c - 0.3)[:, None], "(360, 1)"),
        (lambda c: (c - 0.3).mean(), "shape"),
        (lambda c: 0.3, "type float"),
        (lambda c: c.detach().numpy() - 0.3, "numpy array"),
        (lambda c: c.sub_(0.3), "changes the cosines"),
        (lambda: 0, "TypeError"),
        (lambda c: torch.sin(c), "At θ = "),
        (changed_in_place, "Your code stopped"),
        (0.3, "Expected a function, got an object of type float"),
    ],
)
def test_what_is_wrong_with_it(attempt, says):
    verdict = check.margin(attempt, "cosface", m=0.3)
    assert not verdict and verdict.attempted and says in verdict.message


def test_the_naive_slope_is_accepted_away_from_the_ends():
    def naive(c):
        return torch.where(
            torch.arccos(c) <= math.pi - 0.3,
            torch.cos(torch.arccos(c) + 0.3),
            -2 - torch.cos(torch.arccos(c) + 0.3),
        )

    assert check.margin(naive, "arcface", m=0.3).mistake == "NaN or infinity"
    assert check.margin(naive, "arcface", m=0.3, ends=False)


def blank(*_): ...


def unwritten(*_):
    raise NotImplementedError


@pytest.mark.parametrize("attempt", [..., None, blank, unwritten, lambda *_: ...])
def test_a_blank_is_not_attempted(attempt):
    for verdict in (
        check.margin(attempt, "cosface", m=0.3),
        check.head(attempt, heads.CosFace(3, 5)),
    ):
        assert not verdict and not verdict.attempted and "Not attempted yet" in repr(verdict)
    assert not check.value(None, 3.0).attempted and not check.value(..., 3.0).attempted


def test_an_exception_is_told_with_its_line():
    def attempt(cos):
        wide = cos + 1
        return wide / missing  # noqa: F821

    said = check.margin(attempt, "cosface", m=0.3).message
    assert "in `attempt`, line 3, `return wide / missing" in said and "NameError" in said

    def calls_the_library(cos):
        return margins.cosface(cos, -1)

    assert (
        "in `calls_the_library`, line 2"
        in check.margin(calls_the_library, "cosface", m=0.3).message
    )

    def leaves(cos):
        raise SystemExit(3)

    assert "SystemExit" in check.margin(leaves, "cosface", m=0.3).message


def test_no_such_loss():
    with pytest.raises(ValueError, match="expected one of"):
        check.margin(lambda c: c, "cosine", m=0.3)


@pytest.mark.parametrize(
    "attempt",
    [36, 36.0, np.float32(36), np.array([36.0]), torch.tensor(36), torch.tensor([[36.1]])],
)
def test_right_numbers(attempt):
    assert check.value(attempt, 36.0, "degrees")


@pytest.mark.parametrize(
    "attempt, expected, unit, says",
    [
        (-36, 36, "degrees", "sign"),
        (0.6283, 36, "degrees", "in radians; expected degrees"),
        (36, math.radians(36), "radians", "in degrees; expected radians"),
        (math.cos(0.5), 0.5, "radians", "cosine of the angle"),
        (math.acos(0.19), 0.19, "", "expected its cosine"),
        (math.acos(0.19), 0.19, "%", "too large"),
        (91.4, 0.914, "", "percent"),
        (0.914, 91.4, "%", "fraction"),
        (8, 4, "", "twice"),
        (2, 4, "", "half"),
        (4.1, 4, "", "close"),
        (40, 4, "", "too large"),
        (-40, 4, "s", "-40 s is too small"),
        (math.nan, 4, "", "finite"),
        (True, 4, "", "bool"),
        ("4", 4, "", "str"),
        (torch.ones(3), 4, "", "(3,)"),
        (4j, 4, "", "complex"),
    ],
)
def test_wrong_numbers(attempt, expected, unit, says):
    verdict = check.value(attempt, expected, unit)
    assert not verdict and verdict.attempted and says in verdict.message


def test_a_number_beyond_all_floats_is_not_finite():
    assert "Expected a finite number, got inf" in check.value(10**400, 3.0).message


def test_a_number_that_a_function_returns():
    def rate(share):
        return share / 0

    assert check.value(lambda: torch.tensor([36.1]), 36.0)
    assert check.value(lambda: 8, 4, wrong={"You forgot the C.": 8}).message == "You forgot the C."
    assert "(3,)" in check.value(lambda: torch.ones(3), 4).message
    assert not check.value(blank, 4).attempted and not check.value(unwritten, 4).attempted
    assert (
        "in `rate`, line 2, `return share / 0`, with ZeroDivisionError"
        in check.value(lambda: rate(3), 4).message
    )


@pytest.mark.parametrize("attempt, written", [((0, 25), "0.25"), ((-1, 5), "-1.5")])
def test_a_decimal_comma_is_named(attempt, written):
    verdict = check.value(attempt, 0.25)
    assert verdict.mistake == "decimal comma" and f"Write {written}." in verdict.message
    assert check.value((1.0, 2.0), 0.25).mistake == "not a number"


def test_only_a_small_error_is_one_of_rounding():
    assert "close" in check.value(0.52, 0.5).message
    assert "round" not in check.value(0.7, 0.5, tolerance=0.2).message


def test_a_wrong_number_of_the_questions_own_comes_first_and_the_nearest_is_named():
    assert check.value(8, 4, wrong={"You forgot the C.": 8}).message == "You forgot the C."
    near = check.value(8, 4, wrong={"You forgot the C.": 8.01, "You forgot the D.": 7.999})
    assert near.message == "You forgot the D."
    assert check.value(0, 0) and not check.value(0.1, 0)


class Written(nn.Module):
    """A CosFace or ArcFace head with its parts exchangeable."""

    def __init__(self, target=lambda c: c - 0.3, train=None, predict=None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 3))
        self.target, self.train_with, self.predict = target, train, predict

    def cos(self, x):
        return (F.normalize(x) @ F.normalize(self.weight).T).clamp(-1, 1)

    def forward(self, x, labels=None):
        cos = self.cos(x)
        if labels is None:
            return 16 * cos if self.predict is None else self.predict(cos, x, self.weight)
        own = F.one_hot(labels, 5).bool()
        if self.train_with is not None:
            return self.train_with(cos, own, labels)
        return 16 * torch.where(own, self.target(cos), cos)


def right(cos, own):
    return 16 * (cos - 0.3 * own)


HEADS = [
    (dict(train=lambda c, own, y: 16 * c), "margin missing in training"),
    (dict(train=lambda c, own, y: 16 * (c - 0.3)), "margin on all classes"),
    (dict(train=lambda c, own, y: 16 * (c - 0.3 * ~own)), "margin on the wrong classes"),
    (dict(train=lambda c, own, y: right(c, F.one_hot((y + 1) % 5, 5))), "labels off by one"),
    (dict(train=lambda c, own, y: right(c, F.one_hot((y - 1) % 5, 5))), "labels off by one"),
    (dict(train=lambda c, own, y: 16 * c - 0.3 * own), "margin outside the scale"),
    (dict(train=lambda c, own, y: torch.where(own, 16 * (c - 0.3), c)), "scale on the target only"),
    (
        dict(train=lambda c, own, y: torch.where(own, c - 0.3, 16 * c)),
        "scale on the other classes only",
    ),
    (dict(train=lambda c, own, y: right(c, own).softmax(dim=1)), "probabilities returned"),
    (dict(train=lambda c, own, y: right(c, own).log_softmax(dim=1)), "log-probabilities returned"),
    (dict(train=lambda c, own, y: right(c, own) / 16), "scale forgotten"),
    (dict(train=lambda c, own, y: right(c, own) * 16), "scale applied twice"),
    (dict(target=lambda c: c + 0.3), "margin added to the cosine"),
    (dict(target=lambda c: continued(c, 0.3)), "cosine margin on the angle"),
    (dict(predict=lambda c, x, w: 16 * (c - 0.3)), "margin kept at prediction"),
    (
        dict(predict=lambda c, x, w: right(c, F.one_hot(c.argmax(dim=1), 5))),
        "margin kept at prediction",
    ),
    (dict(predict=lambda c, x, w: c), "scale forgotten"),
    (dict(predict=lambda c, x, w: 256 * c), "scale applied twice"),
    (dict(predict=lambda c, x, w: 16 * x @ w.T), "nothing normalised"),
    (dict(predict=lambda c, x, w: 16 * x @ F.normalize(w).T), "embeddings not normalised"),
    (dict(predict=lambda c, x, w: 16 * F.normalize(x) @ w.T), "class vectors not normalised"),
    (
        dict(predict=lambda c, x, w: 16 * F.normalize(x, dim=0) @ F.normalize(w, dim=0).T),
        "normalised along the wrong dimension",
    ),
    (dict(predict=lambda c, x, w: (16 * c).softmax(dim=1)), "probabilities returned"),
    (dict(train=lambda c, own, y: right(c, own).detach()), "gradient cut off"),
    (dict(predict=lambda c, x, w: 16 * c.T), "wrong shape"),
    (dict(train=lambda c, own, y: F.cross_entropy(right(c, own), y)), "wrong shape"),
]


TARGETS = {mistake.name for mistake in mistakes.TARGET}
FOUND = {"gradient cut off", "wrong shape"}


@pytest.mark.parametrize("parts, mistake", HEADS)
def test_wrong_heads_are_named(parts, mistake):
    attempt = Written(**parts)
    before = attempt.weight.detach().clone()
    verdict = check.head(attempt, heads.CosFace(3, 5, scale=16, margin=0.3))
    assert verdict.mistake == mistake, verdict
    assert not verdict and torch.equal(attempt.weight, before)


@pytest.mark.parametrize(
    "attempt, reference",
    [
        (Written(), heads.CosFace(3, 5, scale=16, margin=0.3)),
        (Written(target=lambda c: continued(c, 0.3)), heads.ArcFace(3, 5, scale=16, margin=0.3)),
        (heads.ArcFace(3, 5, scale=16, margin=0.3), heads.ArcFace(3, 5, scale=16, margin=0.3)),
        (heads.SphereFace(3, 5), heads.SphereFace(3, 5)),
        (heads.LSoftmax(2, 4), heads.LSoftmax(2, 4)),
        (heads.NormSoftmax(3, 5, scale=16), heads.NormSoftmax(3, 5, scale=16)),
        (heads.Softmax(3, 5), heads.Softmax(3, 5)),
        (
            heads.CombinedMargin(2, 5, 16, 1.1, 0.2, 0.1),
            heads.CombinedMargin(2, 5, 16, 1.1, 0.2, 0.1),
        ),
        (
            lambda x, w, y: (
                16
                * (F.normalize(x) @ F.normalize(w).T - (0 if y is None else 0.3 * F.one_hot(y, 5)))
            ),
            heads.CosFace(3, 5, scale=16, margin=0.3),
        ),
    ],
)
def test_right_heads(attempt, reference):
    assert check.head(attempt, reference)


def psi_logits(target, others):
    """A head of L-softmax, m = 2, its target and other logits made from lengths and cosines."""

    def logits(x, weight, labels=None):
        length = x.norm(dim=1, keepdim=True) * weight.norm(dim=1)
        cos = (x @ weight.T / length).clamp(-1 + 1e-9, 1 - 1e-9)
        return (
            length * cos
            if labels is None
            else torch.where(
                F.one_hot(labels, len(weight)).bool(),
                target(length, margins.lsoftmax(cos, 2)),
                others(length, cos),
            )
        )

    return logits


LENGTHS = [
    (lambda x, w, y: x @ F.normalize(w).T, "class vectors normalised where their length counts"),
    (lambda x, w, y: F.normalize(x) @ w.T, "embeddings normalised where their length counts"),
    (
        lambda x, w, y: F.normalize(x) @ F.normalize(w).T,
        "everything normalised where lengths count",
    ),
    (
        psi_logits(lambda length, psi: psi, lambda length, cos: length * cos),
        "lengths missing on the target",
    ),
    (
        psi_logits(lambda length, psi: length * psi, lambda length, cos: cos),
        "lengths missing on the other classes",
    ),
]


@pytest.mark.parametrize("attempt, mistake", LENGTHS)
def test_wrong_lengths_are_named(attempt, mistake):
    assert check.head(attempt, heads.LSoftmax(3, 5, margin=2)).mistake == mistake
    right = psi_logits(lambda length, psi: length * psi, lambda length, cos: length * cos)
    assert check.head(right, heads.LSoftmax(3, 5, margin=2))


def test_lengths_normalised_where_they_count():
    assert (
        check.head(heads.NormSoftmax(3, 5, scale=1), heads.SphereFace(3, 5)).mistake
        == "embeddings normalised where their length counts"
    )


def test_a_margins_mistake_is_seen_in_a_head_of_free_lengths():
    class Raw(heads.SphereFace):
        def margin_of(self, cos):
            return torch.cos(4 * acos(cos))

    assert check.head(Raw(3, 5), heads.SphereFace(3, 5)).mistake == "raw cosine past π"


def test_arccos_kills_a_heads_gradient():
    def target(c):
        theta = torch.arccos(c)
        return torch.where(
            theta + 0.3 <= math.pi, torch.cos(theta + 0.3), -2 - torch.cos(theta + 0.3)
        )

    verdict = check.head(Written(target), heads.ArcFace(3, 5, scale=16, margin=0.3))
    assert verdict.mistake == "NaN or infinity" and "cos θ = ±1" in verdict.message


def test_class_vectors_cut_off_or_missing():
    assert (
        "class vectors get no gradient"
        in check.head(
            lambda x, w, y: (
                16
                * (
                    F.normalize(x) @ F.normalize(w.detach()).T
                    - (0 if y is None else 0.3 * F.one_hot(y, 5))
                )
            ),
            heads.CosFace(3, 5, scale=16, margin=0.3),
        ).message
    )
    assert "(5, 3)" in check.head(nn.Linear(4, 5), heads.CosFace(3, 5)).message


def test_all_mistakes_lists_each_mistake_once():
    rows = mistakes.all_mistakes()
    assert len(set(rows)) == len(rows)
    assert {where for where, *_ in rows} == {"target", "training", "prediction", "loss", "number"}
    assert all(name and says.endswith((".", "?", ")")) for _, name, says in rows)


def test_prediction_and_training_are_judged_apart():
    kept, added = Written(predict=lambda c, x, w: 16 * (c - 0.3)), Written(target=lambda c: c + 0.3)
    reference = heads.CosFace(3, 5, scale=16, margin=0.3)
    assert not check.head(kept, reference, only="prediction") and check.head(
        kept, reference, only="training"
    )
    assert check.head(added, reference, only="prediction") and not check.head(
        added, reference, only="training"
    )
    with pytest.raises(ValueError, match="only = 'both'"):
        check.head(kept, reference, only="both")


def test_only_the_angles_that_count():
    def raw(c):
        return torch.cos(acos(c) + 0.3)

    assert check.margin(raw, "arcface", m=0.3, up_to=math.pi - 0.3)
    assert check.margin(raw, "arcface", m=0.3).mistake == "raw cosine past π"


def test_a_multiplier_on_the_margin_too():
    for attempt in (
        lambda c: margins.combined(c, 1.2, 1.2 * 0.3, 0.1),
        lambda c: torch.cos(1.2 * (acos(c) + 0.3)) - 0.1,
    ):
        verdict = check.margin(attempt, "combined", m1=1.2, m2=0.3, m3=0.1, up_to=2)
        assert verdict.mistake == "multiplier on the margin too"


def test_two_errors_at_once_show_the_first_entry_that_differs():
    head = heads.CosFace(3, 5, scale=16, margin=0.3)

    def logits(x, weight, labels=None):
        cos = F.normalize(x) @ F.normalize(weight).T
        return 16 * cos if labels is None else 15 * (cos + 0.2 * F.one_hot(labels, len(weight)))

    # Row 0 lies along the vector of its class 0: yours 15 (1 + 0.2), expected 16 (1 - 0.3).
    assert check.head(logits, head).message == (
        "Your logits with labels differ from the right ones, first in row 0, column 0 "
        "(the target): 18, expected 11.2."
    )
