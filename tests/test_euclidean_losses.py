"""Losses on distances against explicit loops, pytorch-metric-learning and autograd's check."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as pml
from pytorch_metric_learning import miners
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.reducers import DoNothingReducer, MeanReducer

from lossbook import euclidean_losses

N, D, C, M = 24, 3, 5, 1.3
PLAIN = LpDistance(normalize_embeddings=False)
LOSSES = {
    "contrastive": lambda x, y: euclidean_losses.contrastive(x, y, M),
    "random": lambda x, y: euclidean_losses.triplet(
        x, y, M, "random", torch.Generator().manual_seed(0)
    ),
    "semi-hard": lambda x, y: euclidean_losses.triplet(x, y, M, "semi-hard"),
    "batch-hard": lambda x, y: euclidean_losses.triplet(x, y, M, "batch-hard"),
    "batch-all": lambda x, y: euclidean_losses.triplet(x, y, M, "batch-all"),
    "center": lambda x, y: euclidean_losses.center(x, y, torch.zeros(C, x.shape[1], dtype=x.dtype)),
    "range intra": lambda x, y: euclidean_losses.range_loss(x, y, 9.0)[0],
    "range inter": lambda x, y: euclidean_losses.range_loss(x, y, 9.0)[1],
    "marginal": lambda x, y: euclidean_losses.marginal(x, y, 1.2, 0.3),
}
OF_PAIRS = [name for name in LOSSES if name != "center"]
MOVABLE = [name for name in OF_PAIRS if name != "marginal"]


def batch(seed=0, n=N, d=D, c=C):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, c, (n,), generator=generator)


# --- the losses, one pair or triplet at a time ---------------------------------------------------


def apart(a, b):
    return math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b)))


def mean(values):
    return sum(values) / len(values) if values else 0.0


def contrastive(x, y):
    equal, unequal = [], []
    for i, j in itertools.combinations(range(len(x)), 2):
        distance = apart(x[i], x[j])
        if y[i] == y[j]:
            equal.append(distance**2 / 2)
        else:
            unequal.append(max(0.0, M - distance) ** 2 / 2)
    return mean(equal) + mean(unequal)


def positives(x, y, a):
    return [p for p in range(len(x)) if y[p] == y[a] and p != a]


def negatives(x, y, a):
    return [n for n in range(len(x)) if y[n] != y[a]]


def batch_all(x, y):
    return {
        (a, p, n) for a in range(len(x)) for p in positives(x, y, a) for n in negatives(x, y, a)
    }


def batch_hard(x, y):
    chosen = set()
    for a in range(len(x)):
        if positives(x, y, a) and negatives(x, y, a):
            chosen.add(
                (
                    a,
                    max(positives(x, y, a), key=lambda p: apart(x[a], x[p])),
                    min(negatives(x, y, a), key=lambda n: apart(x[a], x[n])),
                )
            )
    return chosen


def semi_hard(x, y):
    chosen = set()
    for a in range(len(x)):
        for p in positives(x, y, a):
            farther = [n for n in negatives(x, y, a) if apart(x[a], x[n]) > apart(x[a], x[p])]
            if farther:
                chosen.add((a, p, min(farther, key=lambda n: apart(x[a], x[n]))))
    return chosen


def of_triplets(chosen):
    return lambda x, y: mean(
        [max(0.0, apart(x[a], x[p]) - apart(x[a], x[n]) + M) for a, p, n in chosen(x, y)]
    )


def center(x, y):
    return mean([sum(p**2 for p in row) / 2 for row in x])


def range_intra(x, y, k=2):
    total = 0.0
    for j in set(y):
        members = [row for row, label in zip(x, y) if label == j]
        widest = sorted(
            (apart(a, b) ** 2 for a, b in itertools.combinations(members, 2)), reverse=True
        )[:k]
        if widest:
            total += len(widest) / sum(1 / value for value in widest)
    return total


def range_inter(x, y):
    means = []
    for j in set(y):
        members = [row for row, label in zip(x, y) if label == j]
        means.append([mean(column) for column in zip(*members)])
    return max(0.0, 9.0 - min(apart(a, b) ** 2 for a, b in itertools.combinations(means, 2)))


def marginal(x, y):
    unit = [[p / apart(row, [0] * len(row)) for p in row] for row in x]
    return mean(
        [
            max(0.0, 0.3 - (1 if y[i] == y[j] else -1) * (1.2 - apart(unit[i], unit[j]) ** 2))
            for i, j in itertools.permutations(range(len(x)), 2)
        ]
    )


LOOPS = {
    "contrastive": contrastive,
    "semi-hard": of_triplets(semi_hard),
    "batch-all": of_triplets(batch_all),
    "batch-hard": of_triplets(batch_hard),
    "center": center,
    "range intra": range_intra,
    "range inter": range_inter,
    "marginal": marginal,
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", LOOPS)
def test_loss_equals_the_loops(name, seed):
    x, y = batch(seed)
    expected = LOOPS[name](x.tolist(), y.tolist())
    assert expected > 0.01
    assert LOSSES[name](x, y).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "name, loop",
    [
        ("batch-all", batch_all),
        ("batch-hard", batch_hard),
        ("hard", batch_hard),
        ("semi-hard", semi_hard),
    ],
)
def test_mined_triplets_are_the_loops(name, loop):
    x, y = batch()
    triplets = list(zip(*map(torch.Tensor.tolist, euclidean_losses.select_triplets(x, y, name))))
    assert sorted(triplets) == sorted(loop(x.tolist(), y.tolist())), "each triplet once"


@given(st.integers(1, 5), st.integers(1, 5))
def test_a_batch_of_p_classes_with_k_images_has_the_papers_number_of_triplets(P, K):
    x, y = batch(n=P * K)[0], torch.arange(P).repeat(K)
    anchors, _, _ = euclidean_losses.select_triplets(x, y, "batch-all")
    assert len(anchors) == P * K * (K - 1) * (P * K - K)


def test_random_triplets_are_valid_cover_all_pairs_and_follow_their_generator():
    x, y = batch()
    drawn = [
        euclidean_losses.select_triplets(x, y, "random", torch.Generator().manual_seed(seed))
        for seed in (7, 7, 8)
    ]
    assert all(torch.equal(one, same) for one, same in zip(drawn[0], drawn[1]))
    assert not torch.equal(drawn[0][2], drawn[2][2])
    anchor, positive, negative = drawn[0]
    assert (
        (y[anchor] == y[positive]).all()
        and (anchor != positive).all()
        and (y[anchor] != y[negative]).all()
    )
    assert set(zip(anchor.tolist(), positive.tolist())) == {
        (a, p) for a in range(N) for p in positives(x, y, a)
    }
    many = torch.cat(
        [
            euclidean_losses.select_triplets(x, y, "random", torch.Generator().manual_seed(s))[2]
            for s in range(40)
        ]
    )
    share = torch.bincount(many, minlength=N) / len(many)
    assert share.min() > 0.5 / N and share.max() < 2 / N


@pytest.mark.parametrize("name", LOSSES)
def test_gradcheck(name):
    x, y = batch(n=10)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, y), x.requires_grad_())


# --- what may be done to a batch without changing its loss ---------------------------------------

SEEDS = st.integers(0, 10_000)


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(OF_PAIRS))
def test_turning_and_reflecting_changes_nothing(seed, name):
    x, y = batch(seed)
    turn, _ = torch.linalg.qr(
        torch.randn(D, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    )
    torch.testing.assert_close(LOSSES[name](x @ turn, y), LOSSES[name](x, y), rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(MOVABLE))
def test_moving_everything_changes_nothing(seed, name):
    x, y = batch(seed)
    torch.testing.assert_close(
        LOSSES[name](x + torch.tensor([5.0, -3.0, 40.0]), y),
        LOSSES[name](x, y),
        rtol=1e-9,
        atol=1e-9,
    )


@settings(max_examples=40)
@given(SEEDS, st.sampled_from([name for name in LOSSES if name != "random"]))
def test_the_order_of_the_batch_does_not_matter(seed, name):
    x, y = batch(seed)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(LOSSES[name](x[order], y[order]), LOSSES[name](x, y))


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(OF_PAIRS))
def test_nor_do_the_names_of_the_classes(seed, name):
    x, y = batch(seed)
    torch.testing.assert_close(LOSSES[name](x, (y + 2) % C), LOSSES[name](x, y))


def test_the_losses_are_zero_for_well_separated_classes_alone():
    """Zero for tight classes far enough apart, above zero for classes on one spot."""
    y = torch.arange(C).repeat_interleave(3)
    good = 10 * torch.eye(C, dtype=torch.float64)[y]
    for name in OF_PAIRS:
        assert LOSSES[name](good, y).item() == pytest.approx(0, abs=1e-9), name
        if name != "range intra":
            assert LOSSES[name](torch.ones_like(good), y) > 0 or name == "semi-hard", name


# --- pytorch-metric-learning ---------------------------------------------------------------------
# Its contrastive loss takes distances without square and half: both are applied to its pairs here.
# Its "semihard" miner keeps every negative inside the margin, ours the nearest: ours are a part.


def test_contrastive_agrees_with_pytorch_metric_learning():
    x, y = batch()
    peer = pml.ContrastiveLoss(
        pos_margin=0, neg_margin=M, distance=PLAIN, reducer=DoNothingReducer()
    )(x, y)
    expected = sum((peer[part]["losses"] ** 2 / 2).mean() for part in ("pos_loss", "neg_loss"))
    torch.testing.assert_close(euclidean_losses.contrastive(x, y, M), expected)


@pytest.mark.parametrize("mining", ["batch-hard", "batch-all"])
def test_triplet_loss_agrees_with_pytorch_metric_learning(mining):
    x, y = batch()
    chosen = miners.BatchHardMiner(distance=PLAIN)(x, y) if mining == "batch-hard" else None
    peer = pml.TripletMarginLoss(margin=M, distance=PLAIN, reducer=MeanReducer())
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    loss, expected = euclidean_losses.triplet(ours, y, M, mining), peer(theirs, y, chosen)
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_semi_hard_triplets_inside_the_margin_are_among_pytorch_metric_learnings():
    x, y = batch()
    theirs = set(
        zip(
            *(
                rows.tolist()
                for rows in miners.TripletMarginMiner(M, "semihard", distance=PLAIN)(x, y)
            )
        )
    )
    chosen = euclidean_losses.select_triplets(x, y, "semi-hard")
    inside = euclidean_losses.triplet_losses(x, chosen, M) > 0
    ours = set(zip(*(rows[inside].tolist() for rows in chosen)))
    assert ours and ours <= theirs
    assert {(a, p) for a, p, _ in ours} == {(a, p) for a, p, _ in theirs}


# --- zero distances, nothing to compare, half precision, extremes --------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("spot", [0.0, 1.0])
def test_embeddings_on_one_spot_have_a_finite_gradient(name, dtype, spot):
    x = torch.full((8, D), spot, dtype=dtype, requires_grad=True)
    loss = LOSSES[name](x, torch.arange(8) % 3)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(x.grad).all()


def test_a_root_without_the_guard_would_not_do():
    x = torch.ones(2, D, requires_grad=True)
    (x[0] - x[1]).square().sum().sqrt().backward()
    assert x.grad.isnan().any()
    x.grad = None
    euclidean_losses.pairwise_distances(x).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_distances_are_the_distances_far_from_the_origin_too():
    x, _ = batch()
    expected = [[apart(a, b) for b in x.tolist()] for a in x.tolist()]
    torch.testing.assert_close(
        euclidean_losses.pairwise_distances(x), torch.tensor(expected, dtype=torch.float64)
    )
    near = torch.tensor([[4096.0, 0.0], [4096.0, 0.25]])
    assert euclidean_losses.pairwise_distances(near)[0, 1] == 0.25


@pytest.mark.parametrize("name", [name for name in OF_PAIRS if name != "range intra"])
@pytest.mark.parametrize("n", [1, 2])
def test_nothing_to_compare_costs_nothing(name, n):
    """One sample, and two far apart of different classes: no positive pair, no triplet."""
    x = torch.tensor([[50.0, 0.0], [0.0, 50.0]])[:n].requires_grad_()
    loss = LOSSES[name](x, torch.arange(n))
    loss.backward()
    assert loss == 0 and torch.equal(x.grad, torch.zeros_like(x))


@pytest.mark.parametrize("name", ["random", "semi-hard", "batch-hard", "batch-all", "range inter"])
def test_one_class_alone_has_no_negative(name):
    x = batch()[0].requires_grad_()
    loss = LOSSES[name](x, torch.zeros(N, dtype=torch.int64))
    loss.backward()
    assert loss == 0 and torch.equal(x.grad, torch.zeros_like(x))


def test_range_loss_without_a_pair_in_any_class():
    x = batch(n=4)[0].requires_grad_()
    intra, inter = euclidean_losses.range_loss(x, torch.arange(4), 100.0)
    (intra + inter).backward()
    assert intra == 0 and inter > 0 and torch.isfinite(x.grad).all()


@settings(max_examples=60)
@given(
    st.lists(
        st.floats(
            width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60
        ),
        min_size=4 * D,
        max_size=4 * D,
    ),
    st.sampled_from(sorted(LOSSES)),
)
def test_gradients_are_finite_for_any_float32(entries, name):
    x = torch.tensor(entries).reshape(4, D).requires_grad_()
    loss = LOSSES[name](x, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_embeddings_are_compared_in_single_precision(name, dtype):
    x, y = batch()
    x = (x * 300).to(dtype)  # squares of these leave float16
    loss = LOSSES[name](x, y)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), LOSSES[name](x.double(), y), rtol=1e-4, atol=1e-4)


def test_unknown_mining_is_named():
    message = (
        "mining = 'semihard': expected one of 'batch-all', 'batch-hard', 'semi-hard', 'random'"
    )
    with pytest.raises(ValueError, match=message):
        euclidean_losses.select_triplets(*batch(), "semihard")


# --- centers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_updated_centers_are_the_papers_step(alpha):
    x, y = batch()
    y[y == 2] = 3  # a class that is not in the batch
    centers = torch.randn(C, D, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    expected = centers.tolist()
    for j in range(C):
        members = [row for row, label in zip(x.tolist(), y.tolist()) if label == j]
        for k in range(D):
            step = sum(expected[j][k] - row[k] for row in members) / (1 + len(members))
            expected[j][k] -= alpha * step
    moved = euclidean_losses.updated_centers(centers, x, y, alpha)
    torch.testing.assert_close(moved, torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(moved[2], centers[2])


def test_the_papers_step_is_the_gradient_with_a_rate_of_each_class():
    """−α/(1 + n_j) times the gradient of the batch's sum, which is N times that of the mean."""
    x, y = batch()
    centers = torch.randn(C, D, dtype=torch.float64, requires_grad=True)
    (len(x) * euclidean_losses.center(x, y, centers)).backward()
    rate = 0.5 / (1 + torch.bincount(y, minlength=C))[:, None]
    torch.testing.assert_close(
        euclidean_losses.updated_centers(centers, x, y, 0.5),
        (centers - rate * centers.grad).detach(),
    )


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 500), st.floats(0.01, 1))
def test_no_batch_makes_a_center_overshoot(seed, count, alpha):
    x = torch.randn(count, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    centers = torch.full((1, D), 3.0, dtype=torch.float64)
    labels = torch.zeros(count, dtype=torch.int64)
    moved = euclidean_losses.updated_centers(centers, x, labels, alpha)
    before, after = centers - x.mean(dim=0), moved - x.mean(dim=0)
    assert after.norm() < before.norm() and (after * before >= 0).all()
