// The bounds of lossbook/bounds.py once more, for the browser; tests compare the two.
import {targetAtAngle} from "./margins.js";

// The best cosine between neighbouring class vectors: on a simplex if C ≤ d + 1, on the circle if
// d = 2, at right angles if C ≤ 2d (Rankin); beyond that no formula is known, and this is NaN.
export function neighbourCosine(C, d) {
  if (C <= d + 1) return -1 / (C - 1);
  if (d === 2) return Math.cos(2 * Math.PI / C);
  return C <= 2 * d ? 0 : NaN;
}

export const greatestCosineMargin = (C, d) => 1 - neighbourCosine(C, d);

// The cosines from one class vector to the C − 1 others, at best; where no formula is known, those
// of a simplex.
export function otherCosines(C, d) {
  const onCircle = d === 2 && C > 3;
  return Array.from({length: C - 1},
                    (_, j) => onCircle ? Math.cos(2 * Math.PI * (j + 1) / C) : -1 / (C - 1));
}

// e^(s·target) / (e^(s·target) + Σ e^(s·cos)): the posterior of a class with this target, against
// the classes with these cosines.
export function posterior(s, target, cosines) {
  return 1 / (1 + cosines.reduce((sum, cos) => sum + Math.exp(s * (cos - target)), 0));
}

export const centrePosterior = (s, C, d) => posterior(s, 1, otherCosines(C, d));

// The least s for which the posterior at a class centre reaches P: the simplex has a formula
// (CosFace, eq. 6).
export function leastScale(P, C, d) {
  if (!(d === 2 && C > 3)) return (C - 1) / C * Math.log((C - 1) * P / (1 - P));
  return findRoot(s => centrePosterior(s, C, d) - P, 0, 1e6);
}

// How far from its own class vector a sample may lie, towards a neighbour at angle `gap`, and still
// win with its margin: target(α) = cos(gap − α). Negative where not even α = 0 wins.
export function keptAngle(margin, gap) {
  const lead = alpha => targetAtAngle(alpha, margin) - Math.cos(gap - alpha);
  if (lead(0) < 0) return -1;
  return lead(gap) > 0 ? gap : findRoot(alpha => -lead(alpha), 0, gap);
}

// How wide the margin between two class vectors is, in radians, on the way from one to the other:
// `gap`, all of it, where neither wins anything; negative where both win the middle.
export const marginWidth = (margin, gap) => gap - 2 * Math.max(0, keptAngle(margin, gap));

// The value from `low` to `high` with which a class keeps the angle alpha, or the one that comes
// nearest. `marginOf` makes a margin of a value; the larger the value, the larger the margin.
export function valueKeeping(alpha, gap, marginOf, low, high) {
  const cost = value => Math.cos(gap - alpha) - targetAtAngle(alpha, marginOf(value));
  return findRoot(cost, low, high);
}

// Where a rising function crosses zero, by bisection.
function findRoot(rising, low, high) {
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) < 0) low = middle; else high = middle;
  }
  return high;
}
