// The last layer: from embeddings in the plane to logits, loss and gradients, written out by hand.
// Every logit is s·L·f(cos θ_j), where L is the product of the lengths that are kept, and f is the
// margin for the target and nothing for the others.
import { clamp, slopeInCosine, targetAtCosine } from "../../lossbook/interactive/web/margins.js";

/** Directions (n×2) and lengths (n) of the rows of `vectors`; a zero row has direction zero, and
 * its gradient is zero. */
export function polar(vectors, n) {
  const Real = vectors.constructor, directions = new Real(2 * n), lengths = new Real(n);
  for (let i = 0; i < n; i++) {
    lengths[i] = Math.hypot(vectors[2 * i], vectors[2 * i + 1]);
    if (lengths[i] === 0) continue;
    directions[2 * i] = vectors[2 * i] / lengths[i];
    directions[2 * i + 1] = vectors[2 * i + 1] / lengths[i];
  }
  return [directions, lengths];
}

/** The class that each embedding is nearest to by its logit, without any margin. */
export function predict(embeddings, weight, { unit_weight }) {
  const n = embeddings.length / 2, classes = weight.length / 2;
  const vectors = unit_weight ? polar(weight, classes)[0] : weight;
  const winners = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    let best = -Infinity;
    for (let j = 0; j < classes; j++) {
      const logit = embeddings[2 * i] * vectors[2 * j] + embeddings[2 * i + 1] * vectors[2 * j + 1];
      if (logit > best) [best, winners[i]] = [logit, j];
    }
  }
  return winners;
}

/** The angle between row i of `vectors` and row j of `others`, in degrees. */
export function angleBetween(vectors, i, others, j) {
  const [a, b] = [directionOf(vectors, i), directionOf(others, j)];
  const turn = Math.abs(a - b) * 180 / Math.PI;
  return Math.min(turn, 360 - turn);
}

/** The angle from the first axis to row i of `vectors`, in radians from −π to π. */
export function directionOf(vectors, i) {
  return Math.atan2(vectors[2 * i + 1], vectors[2 * i]);
}

/**
 * The cross-entropy of each sample, and the gradients of their sum.
 * `embeddings` n×2, `weight` classes×2, `labels` n. Arithmetic is rounded to the arrays' own type,
 * Float32Array in the page, Float64Array where it is compared with PyTorch.
 */
export function crossEntropy(embeddings, weight, labels, setting, lambda = 0) {
  const Real = embeddings.constructor, eps = Real === Float32Array ? 2 ** -23 : 2 ** -52;
  const n = embeddings.length / 2, classes = weight.length / 2;
  const { s, unit_weight, unit_embedding, compute } = setting;
  const [u, r] = polar(embeddings, n), [v, q] = polar(weight, classes);
  const losses = new Real(n), du = new Real(2), dv = new Real(2 * classes), dq = new Real(classes);
  const dEmbeddings = new Real(2 * n), dWeight = new Real(2 * classes);
  const cos = new Real(classes), logits = new Real(classes), slopes = new Real(classes);
  const softmax = compute === "exp" ? naiveSoftmax : stableSoftmax;

  for (let i = 0; i < n; i++) {
    const x = u[2 * i], y = u[2 * i + 1], label = labels[i];
    const scale = s * (unit_embedding ? 1 : r[i]);
    for (let j = 0; j < classes; j++) {
      cos[j] = x * v[2 * j] + y * v[2 * j + 1];
      let f = cos[j];
      slopes[j] = 1;
      if (j === label) [f, slopes[j]] = targetAndSlope(cos[j], setting, lambda, eps);
      logits[j] = scale * (unit_weight ? 1 : q[j]) * f;
    }
    const [loss, dLogits] = softmax(logits, label);
    losses[i] = loss;
    let dr = 0;
    du.fill(0);
    for (let j = 0; j < classes; j++) {
      const perCos = scale * (unit_weight ? 1 : q[j]);
      const dCos = dLogits[j] * perCos * slopes[j];
      du[0] += dCos * v[2 * j];
      du[1] += dCos * v[2 * j + 1];
      dv[2 * j] += dCos * x;
      dv[2 * j + 1] += dCos * y;
      // A logit is proportional to the lengths it keeps: its slope in a length is logit / length.
      if (!unit_embedding && r[i] !== 0) dr += dLogits[j] * logits[j] / r[i];
      if (!unit_weight && q[j] !== 0) dq[j] += dLogits[j] * logits[j] / q[j];
    }
    fromPolar(dEmbeddings, i, u, r[i], du[0], du[1], dr);
  }
  for (let j = 0; j < classes; j++) fromPolar(dWeight, j, v, q[j], dv[2 * j], dv[2 * j + 1], dq[j]);
  return { losses, dEmbeddings, dWeight };
}

/** The target that replaces cos θ_y, and its slope in cos θ_y. λ > 0 mixes the plain cosine in. */
function targetAndSlope(cos, setting, lambda, eps) {
  const [target, slope] = setting.compute === "arccos" ? naiveTargetAndSlope(cos, setting)
    : [targetAtCosine(cos, setting), slopeInCosine(cos, setting, eps)];
  return [(lambda * cos + target) / (1 + lambda), (lambda + slope) / (1 + lambda)];
}

/** cos(m₁·arccos(cos θ) + m₂) − m₃ and its slope, computed as the formula is written. */
function naiveTargetAndSlope(cos, { m1, m2, m3 }) {
  const u = m1 * Math.acos(clamp(cos, 1)) + m2;
  // A clamp passes no gradient where it changes the value.
  const arccosSlope = Math.abs(cos) > 1 ? 0 : -1 / Math.sqrt(1 - cos * cos);
  return [Math.cos(u) - m3, -Math.sin(u) * m1 * arccosSlope];
}

/** Row i of `out`: the gradient of a vector, from those of its direction (gx, gy) and length. */
function fromPolar(out, i, directions, length, gx, gy, gLength) {
  if (length === 0) return;
  const x = directions[2 * i], y = directions[2 * i + 1], along = x * gx + y * gy;
  out[2 * i] = (gx - along * x) / length + gLength * x;
  out[2 * i + 1] = (gy - along * y) / length + gLength * y;
}

/** −log softmax at `label` and its gradient in the logits; the largest logit is subtracted before
 * exp. */
function stableSoftmax(logits, label) {
  const largest = Math.max(...logits);
  const posterior = logits.map((z) => Math.exp(z - largest));
  const sum = posterior.reduce((a, b) => a + b);
  const loss = Math.log(sum) - (logits[label] - largest);
  for (let j = 0; j < posterior.length; j++) posterior[j] /= sum;
  posterior[label] -= 1;
  return [loss, posterior];
}

/** The same as the formula is written: exp, sum, divide, log. In single precision it overflows once
 * a logit passes 88. */
function naiveSoftmax(logits, label) {
  const powers = logits.map(Math.exp), gradient = new logits.constructor(powers.length);
  const sum = powers.reduce((a, b) => a + b), posterior = powers[label] / sum;
  for (let j = 0; j < powers.length; j++) {
    const slope = (j === label ? 1 / sum : 0) - powers[label] / sum / sum;
    gradient[j] = -1 / posterior * slope * powers[j];
  }
  return [-Math.log(posterior), gradient];
}
