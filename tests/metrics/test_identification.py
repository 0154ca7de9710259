"""Open-set identification and templates against loops over probes and identities."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import identification, protocols, verification


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def distance(a, b):
    return -math.dist(a, b)


def embedding(seed=0, identities=12, images=6):
    """(gallery, its labels, probe, its labels): the last four identities are not enrolled."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(identities), images)
    x = random.normal(size=(identities, 3))[labels] + 0.6 * random.normal(size=(len(labels), 3))
    is_gallery = (np.arange(len(labels)) % images < 2) & (labels < identities - 4)
    return x[is_gallery], labels[is_gallery], x[~is_gallery], labels[~is_gallery]


def candidates_of(probe, gallery, gallery_labels, similarity):
    """[(score, identity)] of one probe, the best first."""
    best = {}
    for image, label in zip(gallery, gallery_labels):
        score = similarity(probe, image)
        best[label] = max(best.get(label, -math.inf), score)
    return sorted(((score, label) for label, score in best.items()), reverse=True)


def rates_by_loop(inputs, similarity, threshold, rank):
    gallery, gallery_labels, probe, probe_labels = inputs
    false_positives, misses, strangers, mated = 0, 0, 0, 0
    for image, label in zip(probe, probe_labels):
        candidates = candidates_of(image, gallery, gallery_labels, similarity)
        returned = [identity for score, identity in candidates if score >= threshold]
        if label in gallery_labels:
            mated += 1
            misses += label not in returned[:rank]
        else:
            strangers += 1
            false_positives += len(returned) > 0
    return false_positives / strangers, misses / mated


@pytest.mark.parametrize("metric, similarity", [("cosine", cosine), ("distance", distance)])
@pytest.mark.parametrize("rank", [1, 3])
def test_rates_are_those_of_the_loop(metric, similarity, rank):
    inputs = embedding()
    searches = identification.search(*inputs, metric)
    for threshold in [-np.inf, *np.quantile(searches.top, [0.1, 0.4, 0.7, 0.95]) + 1e-6, np.inf]:
        rates = identification.identification_rates(searches, threshold, rank)
        expected = rates_by_loop(inputs, similarity, threshold, rank)
        assert (rates.fpir, rates.fnir) == pytest.approx(expected)
        assert rates.dir == pytest.approx(1 - expected[1])


def test_searches_are_those_of_the_loop_in_blocks_too(monkeypatch):
    inputs = gallery, gallery_labels, probe, probe_labels = embedding()
    monkeypatch.setattr(protocols, "BLOCK", 100)
    searches = identification.search(*inputs)
    for i in range(len(probe)):
        candidates = candidates_of(probe[i], gallery, gallery_labels, cosine)
        assert searches.top[i] == pytest.approx(candidates[0][0])
        order = [label for _, label in candidates]
        if probe_labels[i] in order:
            assert searches.rank[i] == 1 + order.index(probe_labels[i]) and searches.mated[i]
            assert searches.mate[i] == pytest.approx(candidates[searches.rank[i] - 1][0])
        else:
            assert (searches.rank[i], searches.mate[i]) == (0, -np.inf) and not searches.mated[i]


def test_without_a_threshold_dir_is_the_closed_sets_rate():
    gallery, gallery_labels, probe, probe_labels = embedding()
    searches = identification.search(gallery, gallery_labels, probe, probe_labels)
    mated = np.isin(probe_labels, gallery_labels)
    ranks = protocols.identification_ranks(
        gallery, gallery_labels, probe[mated], probe_labels[mated]
    )
    rates = identification.identification_rates(searches, -np.inf, rank=2)
    assert rates.dir == pytest.approx(np.mean(ranks <= 2)) and rates.fpir == 1


def test_a_tie_counts_against_the_probe():
    searches = identification.search(np.ones((3, 2)), [0, 1, 2], np.ones((1, 2)), [1])
    assert searches.rank.tolist() == [3]


SEARCHES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30).filter(
    lambda probes: len({mated for _, mated in probes}) == 2
)


@given(SEARCHES, st.sampled_from([0.5, 0.25, 0.1]))
def test_the_threshold_is_the_best_of_all_that_keep_to_the_rate(probes, fpir):
    top = np.array([score / 6 for score, _ in probes])
    mated = np.array([kind for _, kind in probes])
    searches = identification.Searches(top, np.where(mated, top, -np.inf), mated.astype(int))
    if (~mated).sum() * fpir < 1:
        with pytest.raises(ValueError, match="probes that are not in the gallery"):
            identification.threshold_at_fpir(searches, fpir)
        return
    threshold = identification.threshold_at_fpir(searches, fpir)
    rates = {t: identification.identification_rates(searches, t) for t in [*np.unique(top), np.inf]}
    allowed = [rate.fnir for rate in rates.values() if rate.fpir <= fpir]
    assert rates[threshold].fpir <= fpir and rates[threshold].fnir == min(allowed)


def test_a_template_is_the_mean_of_unit_embeddings():
    x, labels, _, _ = embedding()
    order = np.random.default_rng(0).permutation(len(labels))
    templates = identification.make_templates(x[order], labels[order])
    assert templates.labels.tolist() == sorted(set(labels.tolist()))
    for vector, label in zip(*templates):
        rows = [row / np.linalg.norm(row) for row in x[labels == label]]
        mean = sum(rows) / len(rows)
        assert vector == pytest.approx(mean / np.linalg.norm(mean))


def test_template_scores_are_those_of_the_loop_and_go_into_verification():
    gallery, gallery_labels, probe, probe_labels = embedding()
    templates = identification.make_templates(gallery, gallery_labels)
    scores, same = identification.template_scores(templates, probe, probe_labels)
    expected = [
        (cosine(image, vector), label == identity)
        for image, label in zip(probe, probe_labels)
        for vector, identity in zip(*templates)
    ]
    assert scores == pytest.approx([score for score, _ in expected])
    assert same.tolist() == [kind for _, kind in expected]
    assert 0 < verification.equal_error_rate(scores, same) < 0.5


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda s: identification.identification_rates(s, np.nan),
            "threshold = nan",
        ),
        (lambda s: identification.identification_rates(s, 0.5, rank=0), "rank = 0"),
        (lambda s: identification.threshold_at_fpir(s, 0), "fpir = 0"),
        (lambda s: identification.threshold_at_fpir(s, 1e-3), "at least 1,000 probes"),
        (
            lambda s: identification.identification_rates(
                s._replace(rank=np.ones(len(s.top), int)), 0.5
            ),
            "none of the 56 probes is not in the gallery",
        ),
        (
            lambda s: identification.identification_rates(
                s._replace(rank=np.zeros(len(s.top), int)), 0.5
            ),
            "none of the 56 probes is in the gallery",
        ),
        (
            lambda s: identification.make_templates(np.array([[1.0, 0], [-1, 0]]), [0, 0]),
            "row 0 of the templates is the zero vector",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    searches = identification.search(*embedding())
    with pytest.raises(ValueError, match=message):
        call(searches)


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(identification)
    assert result.attempted and not result.failed
