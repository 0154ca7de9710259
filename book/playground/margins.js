// What each loss does to the cosine of the target angle. The same definitions as lossbook/margins.py,
// against which they are tested.

/** Φ(m1·θ + m2) and its slope in cos θ; `eps` is the rounding step of the arithmetic, as there. */
export function continued(cos, m1, m2, eps) {
  if (m1 === 1 && m2 === 0) return [cos, 1];
  const u = m1 * Math.acos(clamp(cos, 1)) + m2;
  const k = Math.floor(u / Math.PI);
  const sign = k % 2 === 0 ? 1 : -1;
  const inside = clamp(cos, 1 - eps);         // the slope of arccos is infinite at ±1: stay one step inside
  const sine = Math.sqrt((1 - inside) * (1 + inside));
  return [sign * Math.cos(u) - 2 * k, m1 * Math.abs(Math.sin(m1 * Math.acos(inside) + m2)) / sine];
}

/** cos(m1·arccos(cos θ) + m2) and its slope, typed in as the formula stands: the naive version. */
export function typedIn(cos, m1, m2) {
  const u = m1 * Math.acos(clamp(cos, 1)) + m2;
  const arccosSlope = Math.abs(cos) > 1 ? 0 : -1 / Math.sqrt(1 - cos * cos);     // a clamp passes no gradient
  return [Math.cos(u), -Math.sin(u) * m1 * arccosSlope];
}

/** The target that replaces cos θ_y, and its slope. λ > 0 mixes the plain cosine in. */
export function target(cos, { m1, m2, m3, compute }, lambda, eps) {
  const [turned, slope] = compute === "arccos" ? typedIn(cos, m1, m2) : continued(cos, m1, m2, eps);
  return [(lambda * cos + turned - m3) / (1 + lambda), (lambda + slope) / (1 + lambda)];
}

/** λ after this share of training, in [0, 1]: from `start` down to 0 at `until`, as the library's heads do. */
export function lambdaAt(progress, { start, until }) {
  return start * Math.max(0, 1 - progress / until);
}

function clamp(value, limit) {
  return Math.min(limit, Math.max(-limit, value));
}
