"""Euclidean heads: what they predict with, what moves their centers, and how they train."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lossbook import data, euclidean_losses, heads, interactive, training
from lossbook.heads import euclidean

D, C, N = 3, 5, 24
MEANS = {
    "Contrastive": lambda d=D, c=C: euclidean.Contrastive(d, c, margin=1.3),
    "Triplet random": lambda d=D, c=C: euclidean.Triplet(d, c, margin=1.3, mining="random"),
    "Triplet semi-hard": lambda d=D, c=C: euclidean.Triplet(d, c, margin=1.3),
    "Triplet batch-all": lambda d=D, c=C: euclidean.Triplet(d, c, 1.3, mining="batch-all"),
    "Triplet batch-hard": lambda d=D, c=C: euclidean.Triplet(d, c, 1.3, mining="batch-hard"),
    "CenterAlone": lambda d=D, c=C: euclidean.CenterAlone(d, c),
}
JOINT = {
    "Center": lambda d=D, c=C: euclidean.Center(d, c, balance=0.2),
    "Center gradient": lambda d=D, c=C: euclidean.Center(d, c, balance=0.2, update="gradient"),
    "Range": lambda d=D, c=C: euclidean.Range(d, c, balance=0.2, intra=0.3, inter=0.7, margin=9.0),
    "Marginal": lambda d=D, c=C: euclidean.Marginal(d, c, balance=0.2),
}
MAKE = {**MEANS, **JOINT}


def batch(seed=0, n=N, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, D, generator=generator, dtype=dtype), torch.randint(
        0, C, (n,), generator=generator
    )


def make(name, dtype=torch.float64):
    torch.manual_seed(0)
    return MAKE[name]().to(dtype)


# --- what a loss is made of ----------------------------------------------------------------------


def distance_part(head, x, y):
    """The part that compares distances, from the functions that test_euclidean_losses checks."""
    draw = torch.Generator().manual_seed(int(head.draw)) if hasattr(head, "draw") else None
    kind = type(head).__name__
    if kind == "Range":
        intra, inter = euclidean_losses.range_loss(x, y, 9.0)
        return 0.3 * intra + 0.7 * inter
    return {
        "Contrastive": lambda: euclidean_losses.contrastive(x, y, 1.3),
        "Triplet": lambda: euclidean_losses.triplet(x, y, 1.3, head.mining, draw),
        "CenterAlone": lambda: euclidean_losses.center(x, y, head.weight),
        "Center": lambda: euclidean_losses.center(x, y, head.centers),
        "Marginal": lambda: euclidean_losses.marginal(x, y),
    }[kind]()


@pytest.mark.parametrize("name", MAKE)
def test_the_loss_is_its_formula(name):
    head, (x, y) = make(name).eval(), batch()
    expected = distance_part(head, x, y)
    if name in JOINT:
        expected = F.cross_entropy(x @ head.weight.T + head.bias, y) + 0.2 * expected
    torch.testing.assert_close(head.loss(x, y), expected)
    assert expected > 0.01


@pytest.mark.parametrize("name", MAKE)
def test_gradcheck_of_embeddings_and_parameters(name):
    head, (x, y) = make(name).eval(), batch(n=8)
    if name == "Center gradient":
        nn.init.normal_(head.centers)
    names, values = zip(("x", x), *head.named_parameters())

    def loss(*values):
        return torch.func.functional_call(
            Loss(head), dict(zip((f"head.{key}" for key in names[1:]), values[1:])), (values[0], y)
        )

    assert torch.autograd.gradcheck(
        loss, tuple(value.detach().clone().requires_grad_() for value in values)
    )
    assert {"Center gradient": "centers" in names}.get(name, "centers" not in names)


class Loss(nn.Module):
    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, x, y):
        return self.head.loss(x, y)


@pytest.mark.parametrize("name", JOINT)
def test_without_the_second_loss_a_joint_head_is_softmax(name):
    torch.manual_seed(0)
    head, plain, (x, y) = make(name), heads.Softmax(D, C).double(), batch()
    head.balance = 0.0
    plain.load_state_dict({key: head.state_dict()[key] for key in ("weight", "bias")})
    torch.testing.assert_close(head.loss(x, y), plain.loss(x, y))
    torch.testing.assert_close(head(x), plain(x))


@pytest.mark.parametrize("name", MAKE)
def test_cross_entropy_of_the_logits_is_refused_as_another_loss(name):
    head, (x, y) = make(name), batch()
    kind = type(head).__name__
    message = rf"{kind} compares distances.* train with head\.loss\(x, labels\), and predict with"
    with pytest.raises(TypeError, match=message):
        F.cross_entropy(head(x, y), y)
    assert abs(F.cross_entropy(head(x), y) - head.loss(x, y)) > 0.01


@pytest.mark.parametrize(
    "name", ["Contrastive", *(f"Triplet {m}" for m in euclidean_losses.MINING)]
)
def test_without_num_classes_a_head_trains_on_any_labels_but_does_not_predict(name):
    head, (x, y) = make(name), batch()
    without = type(head)(D, **head.hyperparameters)
    if "draw" in head.state_dict():
        without.draw.copy_(head.draw)
    x.requires_grad_()
    loss, expected = without.loss(x, 1000 + y), head.loss(x, y)
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, x)
    assert gradient.any()
    assert without.weight.shape == (0, D) and without.name == head.name
    message = rf"num_classes = None: .*make it with {type(head).__name__}\({D}, num_classes\)"
    with pytest.raises(ValueError, match=message):
        without(x)
    with pytest.raises(ValueError, match=r"is outside \[0, inf\)"):
        without.loss(x, y - C)
    with pytest.raises(ValueError, match="keeps no class means to predict with"):
        training.fit(Flat(), type(head)(2), blobs(), **RECIPE)


# --- prediction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEANS)
def test_nearest_mean_heads_predict_the_nearest_mean(name):
    head, (x, _) = make(name), batch()
    expected = [
        [-sum((p - q) ** 2 for p, q in zip(row, mean)) for mean in head.weight.tolist()]
        for row in x.tolist()
    ]
    torch.testing.assert_close(head(x), torch.tensor(expected, dtype=torch.float64))
    assert list(head.parameters()) == []


def test_small_distances_far_from_the_origin_are_told_apart():
    """A collapsed class set: means 0.01 apart, 1000 from the origin, in single precision."""
    head = euclidean.Contrastive(2, 3)
    head.weight.copy_(torch.tensor([[1000.0, 0.0], [1000.0, 0.01], [1000.0, 0.02]]))
    assert head(head.weight).argmax(dim=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", MEANS)
def test_class_means_are_followed_in_training_and_left_alone_in_evaluation(name):
    head, (x, y) = make(name), batch()
    x = x + torch.arange(C, dtype=torch.float64)[y, None]
    before = head.weight.clone()
    head.eval().loss(x, y)
    assert torch.equal(head.weight, before)
    head.train().loss(x, y)
    torch.testing.assert_close(
        head.weight, euclidean_losses.updated_centers(before, x, y, head.mean_rate)
    )
    for _ in range(300):
        head.loss(x, y)
    means = torch.stack([x[y == j].mean(dim=0) for j in range(C)])
    torch.testing.assert_close(head.weight, means)


# --- centers -------------------------------------------------------------------------------------


def test_the_papers_centers_move_after_the_loss_is_taken_and_take_no_gradient():
    head, (x, y) = make("Center"), batch()
    x.requires_grad_()
    loss = head.loss(x, y)
    loss.backward()  # the centers have moved: the gradient is that of before
    torch.testing.assert_close(
        head.centers, euclidean_losses.updated_centers(torch.zeros(C, D).double(), x, y, 0.5)
    )
    expected = copy.deepcopy(head)
    expected.centers.zero_()
    again = x.detach().clone().requires_grad_()
    (
        F.cross_entropy(again @ expected.weight.T + expected.bias, y)
        + 0.2 * euclidean_losses.center(again, y, expected.centers)
    ).backward()
    torch.testing.assert_close(x.grad, again.grad)
    assert "centers" not in dict(head.named_parameters()) and "centers" in head.state_dict()


def test_the_gradient_form_is_left_to_the_optimizer():
    head, (x, y) = make("Center gradient"), batch()
    head.loss(x, y).backward()
    expected = torch.zeros(C, D, dtype=torch.float64)
    for row, label in zip(x, y):
        expected[label] += 0.2 * (head.centers[label] - row).detach() / N
    torch.testing.assert_close(head.centers.grad, expected)
    assert not head.centers.any(), "loss() itself moves nothing"


def test_with_rate_alpha_over_count_the_gradient_form_takes_the_papers_step():
    """One class, n samples: SGD with rate α·N/(λ(1 + n)) is the paper's update."""
    x, y = batch()[0], torch.zeros(N, dtype=torch.int64)
    paper, gradient = make("Center"), make("Center gradient")
    paper.loss(x, y)
    gradient.loss(x, y).backward()
    torch.optim.SGD([gradient.centers], lr=0.5 * N / (0.2 * (1 + N))).step()
    torch.testing.assert_close(gradient.centers.detach(), paper.centers)


# --- random triplets repeat ----------------------------------------------------------------------


def test_random_mining_draws_anew_each_batch_and_the_same_again_from_a_saved_state():
    head, (x, y) = make("Triplet random"), batch()
    state = copy.deepcopy(head.state_dict())
    first = [head.loss(x, y).item() for _ in range(3)]
    assert len(set(first)) == 3
    head.load_state_dict(state)
    assert [head.loss(x, y).item() for _ in range(3)] == first
    head.eval()
    assert head.loss(x, y) == head.loss(x, y)


def test_the_seed_decides_the_draw():
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        head = euclidean.Triplet(D, C)
        head.reset_parameters()
        draws.append(int(head.draw))
    assert draws[0] == draws[1] != draws[2]


# --- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MAKE)
def test_gradients_are_finite_at_the_edges(name, dtype):
    """On the class mean, on one spot, at zero, tiny and large."""
    head = make(name).to(dtype)
    tiny = torch.full((1, D), torch.finfo(dtype).tiny, dtype=dtype)
    x = torch.cat(
        [
            head.weight.detach(),
            torch.zeros(3, D, dtype=dtype),
            tiny,
            tiny * 100,
            torch.ones(2, D, dtype=dtype) * 99,
        ]
    )
    x.requires_grad_()
    loss = head.loss(x, torch.arange(len(x)) % C)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(x.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters())
    assert torch.isfinite(head.weight).all() and torch.isfinite(head(x)).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MAKE)
def test_under_autocast_distances_stay_in_single_precision(name, dtype):
    (x, y), head = batch(dtype=torch.float32), make(name, torch.float32).eval()
    with torch.autocast("cpu", dtype):
        loss, logits = head.loss(x, y), head(x)
    if name in MEANS:
        torch.testing.assert_close(loss, head.loss(x, y))
        torch.testing.assert_close(logits, head(x))
    torch.testing.assert_close(loss, head.loss(x, y), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize(
    "x, labels, error, says",
    [
        (
            torch.zeros(4, D),
            torch.tensor([0, 1, 2, C]),
            ValueError,
            rf"label {C} is outside \[0, {C}\)",
        ),
        (torch.zeros(4, D), torch.zeros(4), TypeError, "int64 tensor, got torch.float32"),
        (
            torch.zeros(4, D),
            torch.zeros(3, dtype=torch.int64),
            ValueError,
            r"shape \(3,\), expected \(4,\)",
        ),
        (
            torch.zeros(4, D + 1),
            torch.zeros(4, dtype=torch.int64),
            ValueError,
            rf"expected \(N, {D}\)",
        ),
        (
            torch.zeros(4, D, dtype=torch.int64),
            torch.zeros(4, dtype=torch.int64),
            TypeError,
            "floating-point",
        ),
        (
            torch.full((2, D), math.nan),
            torch.tensor([0, 1]),
            heads.NonFiniteEmbedding,
            "embedding 0 of 2 holds nan",
        ),
    ],
)
def test_bad_input_is_named_and_moves_nothing(name, x, labels, error, says):
    head = make(name, torch.float32)
    before = copy.deepcopy(head.state_dict())
    with pytest.raises(error, match=says):
        head.loss(x, labels)
    assert all(
        torch.equal(before[key], value) for key, value in head.state_dict().items() if key != "draw"
    )


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: euclidean.Contrastive(D, C, margin=0), "margin = 0: expected a number above 0"),
        (lambda: euclidean.Triplet(D, C, margin=math.inf), "margin = inf"),
        (
            lambda: euclidean.Triplet(D, C, mining="semihard"),
            "mining = 'semihard': expected one of 'batch-all', 'batch-hard', 'semi-hard', 'random'",
        ),
        (
            lambda: euclidean.CenterAlone(D, C, alpha=0),
            r"alpha = 0: the rate of the centers must be in \(0, 1\]",
        ),
        (lambda: euclidean.Center(D, C, alpha=1.5), "alpha = 1.5"),
        (lambda: euclidean.Center(D, C, balance=-1), "balance = -1: expected a number"),
        (
            lambda: euclidean.Center(D, C, update="sgd"),
            "update = 'sgd': expected 'paper' or 'gradient'",
        ),
        (lambda: euclidean.Range(D, C, intra=-1), "intra = -1"),
        (lambda: euclidean.Range(D, C, margin=-2), "margin = -2"),
        (
            lambda: euclidean.Marginal(D, C, threshold=4),
            r"threshold = 4: squared distances on the unit sphere lie in \(0, 4\)",
        ),
        (lambda: euclidean.Marginal(D, C, error=-0.1), "error = -0.1"),
        (lambda: euclidean.Center(D, 1), "num_classes"),
        (lambda: euclidean.CenterAlone(D, None), "num_classes = None"),
        (lambda: euclidean.Contrastive(D, 1), "num_classes = 1"),
    ],
)
def test_settings_outside_their_domain(build, says):
    with pytest.raises(ValueError, match=says):
        build()


# --- fit takes them as it takes any head ---------------------------------------------------------


class Flat(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(8 * 8, 2))


def blobs():
    """Five kinds of 8 × 8 images, one bright spot each, with noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(100) % C
    images = 0.2 * torch.rand(100, 1, 8, 8, generator=generator)
    images[torch.arange(100), 0, labels + 1, labels + 1] = 1.0
    split = data.Split(images, labels, tuple("abcde"))
    return data.Dataset("blobs", split, split)


RECIPE = {"epochs": 3, "batch_size": 20, "max_shift": 0, "learning_rate": 0.05, "progress": False}


@pytest.mark.parametrize("name", MAKE)
def test_fit_records_a_run_that_can_be_scrubbed(name):
    head, dataset = MAKE[name](2), blobs()
    run = training.fit(Flat(), head, dataset, **RECIPE)
    assert run.name == head.name and run.name.startswith(type(head).__name__)
    last = run.snapshots[-1]
    assert last.weight.shape == (C, 2) and not np.array_equal(last.weight, run.snapshots[0].weight)
    if name in MEANS and name != "CenterAlone":
        means = np.stack([last.train[run.train_labels == j].mean(axis=0) for j in range(C)])
        nearest = ((last.test[:, None] - last.weight) ** 2).sum(axis=2).argmin(axis=1)
        assert (nearest == last.test_pred).all() and np.abs(means - last.weight).max() < np.abs(
            means
        ).max()
    assert interactive.scrub(run, dataset)._repr_html_()


def test_the_same_seed_gives_the_same_run_and_a_resumed_one_too(tmp_path):
    def history(**more):
        return (
            training.fit(Flat(), MAKE["Triplet random"](2), blobs(), **RECIPE, **more)
            .history["train_loss"]
            .tolist()
        )

    whole = history()
    assert history() == whole
    history(checkpoint=tmp_path / "c", on_epoch=lambda run: len(run.snapshots) == 1)
    assert history(checkpoint=tmp_path / "c") == whole


def test_center_loss_alone_draws_all_classes_towards_each_other():
    run = training.fit(Flat(), MAKE["CenterAlone"](2), blobs(), **{**RECIPE, "epochs": 20})
    width = [np.ptp(snapshot.train, axis=0).max() for snapshot in run.snapshots]
    assert width[-1] < 0.75 * width[0]
