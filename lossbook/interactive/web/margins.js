// The margins of lossbook/margins.py once more, for the browser; tests compare the two.

// Φ(u) = (−1)^k cos u − 2k with k = ⌊u/π⌋: the cosine, continued past π so that it keeps falling.
export function phi(u) {
  const k = Math.max(0, Math.floor(u / Math.PI));
  return (k % 2 === 0 ? 1 : -1) * Math.cos(u) - 2 * k;
}

// The three numbers without a margin.
export const NO_MARGIN = {m1: 1, m2: 0, m3: 0};

// The margined target of an angle, Φ(m₁θ + m₂) − m₃ in units of s, and its slope per radian.
export const targetAtAngle = (theta, {m1, m2, m3}) => phi(m1 * theta + m2) - m3;
export function slopeInAngle(theta, {m1, m2}) {
  const u = m1 * theta + m2;
  return -m1 * (u < 0 ? Math.sin(u) : Math.abs(Math.sin(u)));
}

// The margins of lossbook/heads/adaptive.py: which m₁, m₂ and m₃ an embedding gets for its length,
// in AdaFace for v in [−1, 1], and in MagFace for a from the low to the high length.
export const MARGINS_OF_LENGTH = {
  v: ({margin}, v) => ({m1: 1, m2: -margin * v, m3: margin + margin * v}),
  a({low_length, high_length, low_margin, high_margin}, a) {
    const slope = (high_margin - low_margin) / (high_length - low_length);
    return {m1: 1, m2: low_margin + slope * (a - low_length), m3: 0};
  },
};

// The margined target of a cosine. A cosine that rounding has put past ±1 counts as ±1.
export function targetAtCosine(cos, {m1, m2, m3}) {
  if (m1 === 1 && m2 === 0) return cos - m3;
  return targetAtAngle(Math.acos(clamp(cos, 1)), {m1, m2, m3});
}

// Its slope in cos θ. The slope of arccos is infinite at ±1, so this stays `eps`, one rounding step
// of the arithmetic, inside.
export function slopeInCosine(cos, {m1, m2}, eps) {
  if (m1 === 1 && m2 === 0) return 1;
  const inside = clamp(cos, 1 - eps);
  const sine = Math.sqrt((1 - inside) * (1 + inside));
  return -slopeInAngle(Math.acos(inside), {m1, m2}) / sine;
}

export function clamp(value, limit) {
  return Math.min(limit, Math.max(-limit, value));
}
