// What the page says in words: what a loss does, how a training fares, and why one failed.

export const ABOUT_COMPARING = "A second loss trains beside yours, on the same batches and from " +
                               "the same first weights of the network.";

/** The usual name of a loss with this setting. */
function nameOf({ unit_weight, unit_embedding, m1, m2, m3 }) {
  const margins = [m1 !== 1 && "m1", m2 !== 0 && "m2", m3 !== 0 && "m3"].filter(Boolean).join();
  const names = unit_embedding && unit_weight
    ? { "": "norm-softmax", m2: "ArcFace", m3: "CosFace" }
    : { "": "softmax", m1: unit_embedding ? undefined : unit_weight ? "SphereFace" : "L-softmax" };
  return names[margins] ?? "combined margin";
}

/** The name with the numbers of the setting that matter. */
export function titleOf(setting) {
  const { unit_embedding, s, m1, m2, m3 } = setting;
  return [nameOf(setting), (unit_embedding || s !== 1) && `s = ${s}`, m1 !== 1 && `m₁ = ${m1}`,
          m2 !== 0 && `m₂ = ${m2}`, m3 !== 0 && `m₃ = ${m3}`].filter(Boolean).join(", ");
}

/** What the loss does, in one sentence. */
export function describeLoss(setting) {
  const { unit_weight, unit_embedding, s, m1, m2, m3 } = setting, name = nameOf(setting);
  const angle = "the angle θ between an embedding and the vector of its class";
  const kept = [!unit_embedding && "the embedding", !unit_weight && "the class vectors"]
    .filter(Boolean).join(" and of ");
  const degrees = (m2 * 180 / Math.PI).toFixed(1);
  const text = {
    softmax: "Softmax has no margin: the class with the largest logit wins, and the length of " +
             `${kept} counts as well as the angle.`,
    "norm-softmax": "Norm-softmax has no margin: it compares nothing but the cosines of the " +
                    `angles between an embedding and the class vectors, each times ${s}.`,
    ArcFace: `ArcFace adds ${m2} rad (${degrees}°) to ${angle}: to win in training, that vector ` +
             `must be more than ${degrees}° nearer than any other.`,
    CosFace: `CosFace takes ${m3} off the cosine of ${angle}: to win in training, that cosine ` +
             `must be more than ${m3} above any other.`,
    SphereFace: `SphereFace multiplies ${angle} by ${m1}: to win in training, that angle must be ` +
                `less than 1/${m1} of the angle to any other vector.`,
  };
  const lengths = kept ? `, and the length of ${kept} counts too` : "";
  return text[name] ?? `This loss puts ${formulaOf(setting)} in the place of cos θ, with ${angle}` +
                       `${lengths}.`;
}

/** cos(m₁θ + m₂) − m₃, without the margins that do nothing. */
function formulaOf({ m1, m2, m3 }) {
  return `cos(${m1 === 1 ? "" : m1}θ${m2 ? ` + ${m2}` : ""})${m3 ? ` − ${m3}` : ""}`;
}

/** How a training fares. */
export function describeResult({ loss, train, held }) {
  return `loss ${formatLoss(loss)}, ${percent(train)} of the training and ${percent(held)} of ` +
         "the held-out digits right";
}

export function describeAngle({ angle }) {
  return `The mean angle of a held-out digit to its class vector is ${angle.toFixed(1)}°.`;
}

/** Why a training failed. */
export function describeFailure({ what, step, loss, label, cause }) {
  const ordinary = `the loss is an ordinary ${loss.toFixed(3)}, but a gradient is not finite. `;
  const reason = {
    arccos: `A ${label} lies exactly along its class vector, cos θ = ±1, where arccos has an ` +
            "infinite slope, and ∞ · 0 is not a number.",
    exp: "In single precision the exp of a logit above 88 is infinite, and that of one below " +
         "−103 is 0.",
    runaway: "The weights have run away: try a lower learning rate.",
  }[cause];
  return `${what} at step ${step}: ` +
         `${Number.isFinite(loss) ? ordinary : "the loss is not finite. "}${reason}`;
}

/** A loss that no batch has had yet is a dash. */
export function formatLoss(loss) {
  return loss === null ? "–" : loss.toFixed(3);
}

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
