// A small network, its backward pass and its optimiser, without a library.

/** Random numbers in [0, 1) that are the same for the same seed in every browser (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Weights with their gradient and Adam's two running means, drawn uniformly from ±`bound`. */
export class Parameter {
  constructor(length, bound, random, Real) {
    this.value = Real.from({ length }, () => bound * (2 * random() - 1));
    [this.gradient, this.mean, this.square] = [0, 0, 0].map(() => new Real(length));
  }
}

/** Dense layers of these `sizes`, a leaky ReLU between them; the last gives the embedding. */
export class Network {
  constructor(sizes, random, Real = Float32Array) {
    this.Real = Real;
    this.layers = sizes.slice(1).map((outputs, i) => {
      const inputs = sizes[i], bound = 1 / Math.sqrt(inputs);
      // The weights of one input follow one another.
      return { inputs, outputs, weight: new Parameter(inputs * outputs, bound, random, Real),
               bias: new Parameter(outputs, bound, random, Real) };
    });
    this.parameters = this.layers.flatMap(({ weight, bias }) => [weight, bias]);
  }

  /** Embeddings (n×2) of `images` (n×64); keeps what `backward` needs. */
  forward(images, n) {
    this.kept = [images];
    const used = new Uint16Array(Math.max(...this.layers.map(({ inputs }) => inputs)));
    for (const [l, { inputs, outputs, weight, bias }] of this.layers.entries()) {
      const a = this.kept[l], out = new this.Real(n * outputs);
      for (let i = 0; i < n; i++) {
        // Half of the pixels are 0: it pays to leave them out, here and below.
        const count = findNonZero(a, i * inputs, inputs, used);
        let o = 0;
        for (; o + 3 < outputs; o += 4) {
          fourSums(out, i * outputs, a, i * inputs, used, count, this.layers[l], o);
        }
        for (; o < outputs; o++) {
          let sum = bias.value[o];
          for (let c = 0; c < count; c++) {
            sum += a[i * inputs + used[c]] * weight.value[used[c] * outputs + o];
          }
          out[i * outputs + o] = sum;
        }
      }
      if (l < this.layers.length - 1) {
        for (let i = 0; i < out.length; i++) if (out[i] < 0) out[i] *= LEAK;
      }
      this.kept.push(out);
    }
    return this.kept.at(-1);
  }

  /** Fill every parameter's gradient, given that of the embeddings of the last `forward`. */
  backward(dEmbeddings, n) {
    let dOut = dEmbeddings;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, weight, bias } = this.layers[l], a = this.kept[l];
      const dIn = new this.Real(l > 0 ? n * inputs : 0);      // the images need no gradient
      weight.gradient.fill(0);
      bias.gradient.fill(0);
      for (let i = 0; i < n; i++) {
        addTo(bias.gradient, 0, 1, dOut, i * outputs, outputs);
        for (let k = 0; k < inputs; k++) {
          const value = a[i * inputs + k];
          if (value !== 0) addTo(weight.gradient, k * outputs, value, dOut, i * outputs, outputs);
          if (l === 0) continue;
          // A hidden layer's output is negative exactly where its sum was: there the slope is LEAK.
          const slope = value < 0 ? LEAK : 1;
          dIn[i * inputs + k] = slope * dot(dOut, i * outputs, weight.value, k * outputs, outputs);
        }
      }
      dOut = dIn;
    }
  }
}

const LEAK = 0.1;

/** List in `used` which of a[i], …, a[i + n − 1] are not 0; returns how many these are. */
function findNonZero(a, i, n, used) {
  let count = 0;
  for (let k = 0; k < n; k++) if (a[i + k] !== 0) used[count++] = k;
  return count;
}

/** Outputs o to o + 3 of one sample: as four numbers they stay in registers, which makes this twice
 * as fast. */
function fourSums(out, i, a, j, used, count, { outputs, weight, bias }, o) {
  const w = weight.value, b = bias.value;
  let s0 = b[o], s1 = b[o + 1], s2 = b[o + 2], s3 = b[o + 3];
  for (let c = 0; c < count; c++) {
    const k = used[c], x = a[j + k], at = k * outputs + o;
    s0 += x * w[at];
    s1 += x * w[at + 1];
    s2 += x * w[at + 2];
    s3 += x * w[at + 3];
  }
  [out[i + o], out[i + o + 1], out[i + o + 2], out[i + o + 3]] = [s0, s1, s2, s3];
}

/** out[i + k] += factor·b[j + k] for k < n. */
function addTo(out, i, factor, b, j, n) {
  for (let k = 0; k < n; k++) out[i + k] += factor * b[j + k];
}

/** Σ_k a[i + k]·b[j + k] for k < n. */
function dot(a, i, b, j, n) {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a[i + k] * b[j + k];
  return sum;
}

/** One step of Adam (Kingma and Ba, 2015) on `parameters`; `t` counts steps from 1. */
export function adam(parameters, rate, t, beta1 = 0.9, beta2 = 0.999, eps = 1e-8) {
  const size = rate / (1 - beta1 ** t), unbias = 1 / Math.sqrt(1 - beta2 ** t);
  for (const { value, gradient, mean, square } of parameters) {
    for (let i = 0; i < value.length; i++) {
      mean[i] = beta1 * mean[i] + (1 - beta1) * gradient[i];
      square[i] = beta2 * square[i] + (1 - beta2) * gradient[i] ** 2;
      value[i] -= size * mean[i] / (Math.sqrt(square[i]) * unbias + eps);
    }
  }
}
