// One training: the network, the class vectors, the shuffled digits, and how far it has come.
import { angleBetween, crossEntropy, predict } from "./head.js";
import { adam, generator, Network, Parameter } from "./network.js";

export const SIZES = [64, 64, 32, 2], BATCH = 64, STEPS = 2500;

/** The digits as sets of { images: Float32Array n×64 in [0, 1], labels, n }; every fifth is held
 * out. */
export function split({ pixels, labels }) {
  const values = Float32Array.from(pixels, (digit) => parseInt(digit, 17) / 16);
  const pick = (isInSet) => {
    const rows = [...labels].flatMap((_, i) => (isInSet(i) ? [i] : []));
    const images = new Float32Array(64 * rows.length);
    rows.forEach((row, i) => images.set(values.subarray(64 * row, 64 * row + 64), 64 * i));
    return { images, labels: rows.map((row) => Number(labels[row])), n: rows.length };
  };
  return { train: pick((i) => i % 5 !== 4), held: pick((i) => i % 5 === 4),
           sample: pick((i) => i % 5 === 2) };
}

/** λ after this share of training, in [0, 1]: from `start` down to 0 at `until`, as the library's
 * heads do. */
function lambdaAt(progress, { start, until }) {
  return start * Math.max(0, 1 - progress / until);
}

export class Training {
  constructor(train, setting, annealing) {
    Object.assign(this, { train, setting, annealing, step: 0, loss: NaN, failure: null });
    const random = this.random = generator(setting.seed);
    this.network = new Network(SIZES, random);
    this.weight = new Parameter(20, 1 / Math.sqrt(2), random, Float32Array);
    const turn = random();    // drawn by every loss: all see the same batches afterwards
    if (setting.unit_weight) this.spaceEvenly(turn);
    this.parameters = [...this.network.parameters, this.weight];
    this.order = Uint16Array.from({ length: train.n }, (_, i) => i);
    this.next = train.n;
  }

  /** Unit class vectors start evenly spaced, turned by one random angle, as in
   * lossbook/heads/base.py. */
  spaceEvenly(turn) {
    for (let j = 0; j < 10; j++) {
      const angle = 2 * Math.PI / 10 * (j + turn);
      this.weight.value.set([Math.cos(angle), Math.sin(angle)], 2 * j);
    }
  }

  get progress() {
    return Math.min(1, this.step / STEPS);
  }

  get lambda() {
    const { anneal, unit_weight } = this.setting;
    return anneal ? lambdaAt(this.progress, this.annealing[unit_weight ? "unit" : "free"]) : 0;
  }

  /** Train on one batch. If a gradient is not finite, change no weight and set `failure`. */
  advance() {
    const batch = this.draw(), { images, labels } = batch;
    const embeddings = this.network.forward(images, BATCH);
    const { losses, dEmbeddings, dWeight } = this.lossOf(embeddings, labels);
    this.step++;
    this.loss = losses.reduce((a, b) => a + b) / BATCH;
    const bad = dEmbeddings.findIndex((g) => !Number.isFinite(g));
    if (bad >= 0 || !Number.isFinite(this.loss)) {
      const row = Math.floor(Math.max(0, bad) / 2), { compute } = this.setting;
      const runaway = !embeddings.every(Number.isFinite) || compute === "sound";
      const what = Number.isNaN(dEmbeddings[bad] ?? this.loss) ? "NaN" : "∞";
      this.failure = { what, step: this.step, loss: this.loss, label: labels[row],
                       cause: runaway ? "runaway" : compute };
      return;
    }
    this.network.backward(dEmbeddings.map((g) => g / BATCH), BATCH);
    this.weight.gradient = dWeight.map((g) => g / BATCH);
    clip(this.parameters, 5);
    adam(this.parameters, this.setting.lr, this.step);
  }

  lossOf(embeddings, labels) {
    return crossEntropy(embeddings, this.weight.value, labels, this.setting, this.lambda);
  }

  /** The next batch; the digits are shuffled anew whenever they have all been seen. */
  draw() {
    if (this.next + BATCH > this.order.length) {
      for (let i = this.order.length - 1; i > 0; i--) {
        const j = Math.floor(this.random() * (i + 1));
        [this.order[i], this.order[j]] = [this.order[j], this.order[i]];
      }
      this.next = 0;
    }
    const rows = this.order.subarray(this.next, this.next + BATCH), { train } = this;
    this.next += BATCH;
    const images = new Float32Array(64 * BATCH);
    rows.forEach((row, i) => images.set(train.images.subarray(64 * row, 64 * row + 64), 64 * i));
    return { rows, images, labels: Uint8Array.from(rows, (row) => train.labels[row]) };
  }

  /** For each of these rows, minus the gradient of its own loss: where gradient descent pulls the
   * embedding. */
  pulls(embeddings, labels, rows) {
    return new Map(rows.map((i) => {
      const { dEmbeddings } = this.lossOf(embeddings.slice(2 * i, 2 * i + 2), [labels[i]]);
      return [i, dEmbeddings.map((g) => -g)];
    }));
  }

  /** Embeddings and predictions of one set, the share that is right without margin, and the mean
   * angle to the vector of the class, in degrees. */
  evaluate({ images, labels, n }) {
    const embeddings = this.network.forward(images, n);
    const winners = predict(embeddings, this.weight.value, this.setting);
    const right = labels.filter((label, i) => label === winners[i]).length;
    const sum = labels.reduce((before, label, i) =>
      before + angleBetween(embeddings, i, this.weight.value, label), 0);
    return { embeddings, winners, accuracy: right / n, angle: sum / n };
  }
}

/** Scale all gradients down together if their length is above `limit`. */
function clip(parameters, limit) {
  let square = 0;
  for (const { gradient } of parameters) for (const g of gradient) square += g * g;
  const factor = limit / Math.sqrt(square);
  if (factor >= 1) return;
  for (const { gradient } of parameters) gradient.forEach((g, i) => { gradient[i] = g * factor; });
}
