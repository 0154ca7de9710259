"""The place that is kept for a formula, against what Chromium measured of it, in em."""

import pytest

from tools.book.math_widths import reserve_all, width

MEASURED = {
    "b": 0.55,
    "m": 1.12,
    r"\cos u": 2.64,
    r"\lVert x\rVert": 2.0,
    "w_j": 1.39,
    "N = 4096": 5.37,
    r"u < \theta": 3.02,
    r"-s \sin(\theta_y + m(a))\, m'(a)": 13.17,
    r"\ln(1 + \sum_{k \ne y} e^{s(\cos(u_y, u_k) - 1)})": 14.45,
}


@pytest.mark.parametrize("tex", MEASURED)
def test_the_width_is_near_what_was_measured(tex):
    assert width(tex) == pytest.approx(MEASURED[tex], rel=0.12, abs=0.15)


def test_a_formula_in_the_text_has_its_width_beside_it():
    formula = '<span class="math notranslate nohighlight">\\(u &lt; \\theta\\)</span>'
    page = f"angle {formula}, <p>\\(u\\)</p>"
    kept = reserve_all(page)
    assert 'style="--width: 3.0em">\\(u &lt; \\theta\\)</span>' in kept
    assert kept.endswith("</span>,</span> <p>\\(u\\)</p>")
    assert kept.count('<span class="unbroken">') == 1
    assert "unbroken" not in reserve_all(formula + " and")
