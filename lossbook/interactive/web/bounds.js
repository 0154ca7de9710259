// The formulas of lossbook/margins.py and lossbook/bounds.py once more, for the browser; tests compare the two.

// Φ(u) = (−1)^k cos u − 2k with k = ⌊u/π⌋: the cosine, continued so that it keeps falling.
function continued(u) {
  const k = Math.floor(u / Math.PI);
  return (k % 2 ? -1 : 1) * Math.cos(u) - 2 * k;
}

// The margined target of an angle, in units of s, and its derivative per radian.
const target = (theta, {m1, m2, m3}) => continued(m1 * theta + m2) - m3;
const slope = (theta, {m1, m2}) => -m1 * Math.abs(Math.sin(m1 * theta + m2));

// The best cosine between neighbouring class vectors: on a simplex if C ≤ d + 1, on the circle if
// d = 2, at right angles if C ≤ 2d (Rankin); beyond no formula is known, and this is NaN.
function neighbourCosine(C, d) {
  if (C <= d + 1) return -1 / (C - 1);
  if (d === 2) return Math.cos(2 * Math.PI / C);
  return C <= 2 * d ? 0 : NaN;
}

const greatestCosineMargin = (C, d) => 1 - neighbourCosine(C, d);

// The cosines from one class vector to the C − 1 others, at best; where no formula is known, the simplex's.
function otherCosines(C, d) {
  const circle = d === 2 && C > 3;
  return Array.from({length: C - 1}, (_, j) => circle ? Math.cos(2 * Math.PI * (j + 1) / C) : -1 / (C - 1));
}

// e^(s·own) / (e^(s·own) + Σ e^(s·other)): the posterior of a class whose target is `own`.
const posterior = (s, own, others) => 1 / (1 + others.reduce((sum, other) => sum + Math.exp(s * (other - own)), 0));
const centrePosterior = (s, C, d) => posterior(s, 1, otherCosines(C, d));

// The least s for which the posterior at a class centre reaches P: the simplex has a formula (CosFace, eq. 6).
function leastScale(P, C, d) {
  if (!(d === 2 && C > 3)) return (C - 1) / C * Math.log((C - 1) * P / (1 - P));
  return crossing(s => centrePosterior(s, C, d) - P, 0, 1e6);
}

// How far from its own class vector a sample may lie, towards a neighbour at angle `gap`, and still win with
// its margin: target(α) = cos(gap − α). Negative where not even α = 0 wins.
function keptAngle(setting, gap) {
  const lead = alpha => target(alpha, setting) - Math.cos(gap - alpha);
  if (lead(0) < 0) return -1;
  return lead(gap) > 0 ? gap : crossing(alpha => -lead(alpha), 0, gap);
}

// Where a rising function crosses zero, by halving.
function crossing(rising, low, high) {
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) < 0) low = middle; else high = middle;
  }
  return high;
}
