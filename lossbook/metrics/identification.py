"""Open-set identification: who of those enrolled is it, or nobody? And a template per identity.

A *gallery* holds embeddings of enrolled identities. Each *probe* is searched in it: the candidates
are the identities, an identity's score is the highest similarity of its embeddings to the probe,
and those whose score reaches a threshold are returned. A probe is *mated* if its identity is
enrolled. Rates are fractions:

* FPIR (false positive identification rate): of the probes that are not mated, the share for which
  any candidate is returned. 1 − FPIR of the strangers are rejected as unknown.
* FNIR (false negative identification rate) at rank R: of the mated probes, the share whose own
  identity is not returned among the R highest candidates.
* DIR (detection and identification rate) at rank R: 1 − FNIR.

Source: ISO/IEC 19795-1:2021; NIST FRTE 1:N. DIR: Phillips, Grother and Micheals, "Evaluation
methods in face recognition", Handbook of Face Recognition, 2011.
"""

from typing import NamedTuple

import numpy as np

from lossbook.metrics.protocols import scores_by_identity
from lossbook.utils.validation import check_int, check_labels, check_matrix, require, unit_rows

__all__ = [
    "Templates",
    "make_templates",
    "template_scores",
    "Searches",
    "search",
    "IdentificationRates",
    "identification_rates",
    "threshold_at_fpir",
]


class Templates(NamedTuple):
    """One unit vector ``(I, d)`` for each identity, with its label ``(I,)``, in rising order."""

    vectors: np.ndarray
    labels: np.ndarray


def make_templates(x, labels):
    """The mean of each identity's unit embeddings, as a unit vector: :class:`Templates`.

    A template is used like an embedding: as the gallery of :func:`search`, or with a second label
    of your own, such as the number of a session, for several templates of one identity.

    ``x`` is ``(N, d)``, ``labels`` ``(N,)`` integers. Raises ``ValueError`` for an embedding, or a
    mean of embeddings, that is zero: it has no direction.
    """
    unit = unit_rows("x", check_matrix("x", x))
    labels = check_labels(labels, len(unit))
    identities, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.zeros((len(identities), unit.shape[1]))
    np.add.at(means, index, unit)
    means /= counts[:, None]
    return Templates(unit_rows("the templates", means), identities)


def template_scores(templates, probe, probe_labels):
    """The cosine of every probe with every template, as ``(scores, same)`` for verification.

    ``templates`` are :class:`Templates`, ``probe`` is ``(M, d)``, ``probe_labels`` ``(M,)``. Both
    arrays are ``(M·I,)``, probe by probe: pass them to
    :func:`lossbook.metrics.verification.equal_error_rate` and its like. Make the templates from
    images that are not among the probes.

    Examples
    --------
    >>> import numpy as np
    >>> from lossbook.metrics import identification
    >>> templates = identification.make_templates(np.eye(2)[[0, 0, 1]], np.array([0, 0, 1]))
    >>> identification.template_scores(templates, np.array([[2.0, 0.0]]), np.array([0]))
    (array([1., 0.]), array([ True, False]))
    """
    probe_labels = check_labels(probe_labels, len(probe))
    blocks = scores_by_identity(templates.vectors, templates.labels, probe)
    scores = np.concatenate([block for _, block in blocks])
    same = probe_labels[:, None] == np.unique(templates.labels)
    return np.clip(scores, -1, 1).ravel(), same.ravel()


class Searches(NamedTuple):
    """The result of M searches.

    top : ``(M,)`` the highest score of any identity
    mate : ``(M,)`` the score of the probe's own identity, −∞ if it is not enrolled
    rank : ``(M,)`` integers, the rank of the own identity, from 1; 0 if it is not enrolled
    """

    top: np.ndarray
    mate: np.ndarray
    rank: np.ndarray

    @property
    def mated(self):
        """(M,) bool: whether the probe's identity is enrolled."""
        return self.rank > 0


def search(gallery, gallery_labels, probe, probe_labels, metric="cosine"):
    """Search each probe in the gallery: :class:`Searches`.

    A tie counts against the probe, as in
    :func:`lossbook.metrics.protocols.identification_ranks`. Memory grows with the probes, not with
    probes times gallery.

    Parameters
    ----------
    gallery : (G, d) floats; one or several embeddings, or a template, of each identity
    gallery_labels : (G,) integers
    probe : (M, d) floats
    probe_labels : (M,) integers; identities that are not in the gallery are strangers
    metric : "cosine" or "distance"
        As in :func:`lossbook.metrics.verification.similarity`.

    Examples
    --------
    >>> import numpy as np
    >>> from lossbook.metrics import identification
    >>> probe = np.array([[1.0, 0.1], [0.2, 1.0], [1.0, 1.0]])
    >>> searches = identification.search(np.eye(2), [0, 1], probe, [0, 1, 7])
    >>> identification.identification_rates(searches, threshold=0.8)
    IdentificationRates(fpir=0.0, fnir=0.0)
    """
    identities = np.unique(check_labels(gallery_labels, len(gallery)))
    probe_labels = check_labels(probe_labels, len(probe))
    mated = np.isin(probe_labels, identities)
    column = np.where(mated, np.searchsorted(identities, probe_labels), 0)
    top, mate = np.empty(len(probe)), np.empty(len(probe))
    rank = np.empty(len(probe), dtype=np.int64)
    for rows, scores in scores_by_identity(gallery, gallery_labels, probe, metric):
        top[rows] = scores.max(axis=1)
        own_score = np.take_along_axis(scores, column[rows, None], axis=1)
        mate[rows] = own_score[:, 0]
        rank[rows] = (scores >= own_score).sum(axis=1)
    return Searches(top, np.where(mated, mate, -np.inf), np.where(mated, rank, 0))


class IdentificationRates(NamedTuple):
    """FPIR and FNIR at a threshold."""

    fpir: float
    fnir: float

    @property
    def dir(self):
        """The detection and identification rate, 1 − FNIR."""
        return 1 - self.fnir


def identification_rates(searches, threshold, rank=1):
    """FPIR and FNIR of :class:`Searches` at a threshold: :class:`IdentificationRates`.

    A candidate is returned if its score is at or above ``threshold``, and found if it is then among
    the ``rank`` highest. With a threshold of −∞ nobody is rejected, and DIR is the identification
    rate of a closed set.

    Raises ``ValueError`` if the threshold is NaN, or there are no mated or no other probes.
    """
    rank = check_int("rank", rank)
    require(not np.isnan(threshold), f"threshold = {threshold}: expected a score, or ±∞")
    mated = _check_both_kinds(searches)
    returned = (searches.mate >= threshold) & (searches.rank <= rank)
    return IdentificationRates(
        fpir=float(np.mean(searches.top[~mated] >= threshold)),
        fnir=float(np.mean(~returned[mated])),
    )


def threshold_at_fpir(searches, fpir):
    """The threshold with the least FNIR whose FPIR is at most ``fpir``.

    It is a score of the searches, and ∞ if even the highest is a stranger's too often. Choose it
    on one set of probes, and measure with :func:`identification_rates` what it does on another.

    Raises ``ValueError`` unless 0 < ``fpir`` < 1, with fewer than 1/``fpir`` probes of strangers,
    for which a single false positive is a greater rate, and if there are no mated probes.
    """
    require(0 < fpir < 1, f"fpir = {fpir!r}: expected a fraction above 0 and below 1, e.g. 1e-2")
    mated = _check_both_kinds(searches)
    strangers = np.sort(searches.top[~mated])[::-1]
    allowed = int(np.floor(fpir * len(strangers) * (1 + 1e-9)))
    require(
        allowed >= 1,
        f"a FPIR of {fpir:g} needs at least {np.ceil(1 / fpir):,.0f} probes that are not in the "
        f"gallery, and there are {len(strangers):,}: give more, or choose a higher FPIR",
    )
    scores = np.concatenate([strangers, searches.mate[mated]])
    return float(np.min(scores[scores > strangers[allowed]], initial=np.inf))


def _check_both_kinds(searches):
    mated = searches.mated
    for kind, count in (("in", mated.sum()), ("not in", (~mated).sum())):
        require(
            count > 0,
            f"none of the {len(mated)} probes is {kind} the gallery: identification of an open set "
            "needs probes of enrolled identities and of strangers",
        )
    return mated
