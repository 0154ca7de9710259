"""Quality: does a number that an image gets tell whether the answer to it will be right?"""

import numpy as np

from lossbook.utils.validation import require

__all__ = ["error_versus_discard", "discard_area"]


def error_versus_discard(quality, right, discarded):
    """The error rate of what is kept, when the images of the lowest quality are discarded.

    This is the error versus discard characteristic: Grother & Tabassi, "Performance of biometric
    quality measures", 2007.

    Parameters
    ----------
    quality : (N,) floats
        The higher, the better. Among equals, the first are discarded first.
    right : (N,) bool
        Whether the answer is right.
    discarded : (K,) floats
        Shares of the images, in [0, 1).

    Returns
    -------
    (K,) float64
        The share of wrong answers among the N − round(N · discarded) images kept, at least one.

    Raises
    ------
    ValueError
        For shapes that do not fit, NaN, or a share outside [0, 1).

    Examples
    --------
    >>> error_versus_discard([3.0, 1.0, 2.0, 4.0], [True, False, True, True], [0.0, 0.25])
    array([0.25, 0.  ])
    """
    quality, right = np.asarray(quality, dtype=np.float64), np.asarray(right, dtype=bool)
    discarded = np.asarray(discarded, dtype=np.float64)
    require(
        quality.ndim == 1 and quality.shape == right.shape and len(quality) > 0,
        f"quality {quality.shape} and right {right.shape}: expected (N,) both, one for each image",
    )
    require(not np.isnan(quality).any(), "quality: NaN has no place in an order")
    require(
        ((discarded >= 0) & (discarded < 1)).all(),
        f"discarded = {discarded}: expected shares in [0, 1)",
    )
    wrong = ~right[np.argsort(quality, kind="stable")]
    left_out = np.minimum(np.round(len(wrong) * discarded).astype(int), len(wrong) - 1)
    errors_from = np.cumsum(wrong[::-1])[::-1]  # in the images from this place on
    return errors_from[left_out] / (len(wrong) - left_out)


def discard_area(quality, right, largest=0.5, points=101):
    """The mean of :func:`error_versus_discard` from nothing discarded to the share ``largest``.

    The lower, the better the quality tells errors. Raises as it does.
    """
    shares = np.linspace(0, largest, points)
    return float(error_versus_discard(quality, right, shares).mean())
