// Two ways to look at 2-D embeddings, as in lossbook/views.py: the circle of their directions, and the plane.
// A scene is { embeddings, labels, winners, weight, chosen, cursor, pulls, failure }: `pulls` has, for each
// chosen sample, minus the gradient of its own loss.
import { polar } from "./head.js";

const REACH = 0.72, BINS = 180, TALLEST = 0.5, ARROW = 52;

class Picture {
  constructor(canvas, look) {
    Object.assign(this, { canvas, look, context: canvas.getContext("2d") });
  }

  /** Draw a scene, at the size and sharpness that the page gives the canvas. */
  draw(scene) {
    const { context } = this, size = this.canvas.clientWidth, sharpness = window.devicePixelRatio;
    if (this.canvas.width !== Math.round(size * sharpness)) {
      this.canvas.width = this.canvas.height = Math.round(size * sharpness);
    }
    context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    context.clearRect(0, 0, size, size);
    this.size = size;
    this.frame(scene);
    this.places = this.place(scene);
    this.dots(scene);
    this.vectors(scene);
    this.mistakes(scene);
    this.arrows(scene);
    if (scene.failure) this.failed(scene);
  }

  /** A point of the drawing, in pixels. */
  at(x, y) {
    return [this.size / 2 + x * this.unit, this.size / 2 - y * this.unit];
  }

  /** The sample drawn nearest to a pixel, if one is near enough. */
  nearest(x, y) {
    let best = -1, least = 24 ** 2;
    for (let i = 0; i < this.places.length; i += 2) {
      const distance = (this.places[i] - x) ** 2 + (this.places[i + 1] - y) ** 2;
      if (distance < least) [best, least] = [i / 2, distance];
    }
    return best;
  }

  dots({ labels, winners }) {
    const { context, places } = this;
    labels.forEach((label, i) => {
      if (winners[i] === label) this.disc(places[2 * i], places[2 * i + 1], 2.4, this.look.colors[label]);
    });
  }

  disc(x, y, radius, fill) {
    this.context.fillStyle = fill;
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fill();
  }

  line(color, width, ...points) {
    const { context } = this;
    Object.assign(context, { strokeStyle: color, lineWidth: width, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    points.forEach(([x, y]) => context.lineTo(x, y));
    context.stroke();
  }

  text(text, x, y, color, font = "12px") {
    Object.assign(this.context, { fillStyle: color, font: `${font} ${this.look.family}`,
                                  textAlign: "center", textBaseline: "middle" });
    this.context.fillText(text, x, y);
  }

  /** Each class vector is a line from the centre to a badge; all of one length: only directions compare. */
  vectors({ weight }) {
    const directions = polar(weight, 10)[0], tips = this.look.colors.map((_, j) =>
      this.at(this.reach * directions[2 * j], this.reach * directions[2 * j + 1]));
    tips.forEach((tip) => this.line(this.look.ink, 1.2, this.at(0, 0), tip));
    tips.forEach(([x, y], j) => {
      this.disc(x, y, 10.5, this.look.paper);
      this.disc(x, y, 9.5, this.look.colors[j]);
      this.text(j, x, y + 0.5, this.look.onColors[j], "bold 12px");
    });
  }

  /** Samples that belong to another class by their logits: crosses in the colour of their true class. */
  mistakes({ labels, winners }) {
    const { places } = this, wrong = labels.flatMap((label, i) => (winners[i] === label ? [] : [i]));
    const half = Math.max(2.2, Math.min(4, 60 / Math.sqrt(wrong.length + 1)));
    for (const [edge, colorOf] of [[1.6, () => this.look.ink], [0, (i) => this.look.colors[labels[i]]]]) {
      for (const i of wrong) {
        const x = places[2 * i], y = places[2 * i + 1];
        this.line(colorOf(i), half / 2 + edge, [x - half, y - half], [x + half, y + half]);
        this.line(colorOf(i), half / 2 + edge, [x - half, y + half], [x + half, y - half]);
      }
    }
  }

  /** From each chosen sample, where gradient descent pulls it. The longest arrow is `ARROW` pixels long. */
  arrows(scene) {
    const { chosen, cursor } = scene, pulls = chosen.map((i) => this.pull(scene, i));
    const longest = Math.max(...pulls.map(([x, y]) => Math.hypot(x, y)).filter(Number.isFinite), 1e-30);
    chosen.forEach((i, row) => {
      const [x, y] = this.places.slice(2 * i, 2 * i + 2), [dx, dy] = pulls[row].map((g) => ARROW * g / longest);
      this.ring(x, y, 5.5, this.look.ink);
      if (!Number.isFinite(dx + dy)) return this.label("NaN", x, y - 15);
      if (Math.hypot(dx, dy) < 10) return;      // too short for a head: the ring alone
      const tip = [x + dx, y - dy], turn = Math.atan2(-dy, dx);
      const barb = (side) => [tip[0] - 8 * Math.cos(turn + side), tip[1] - 8 * Math.sin(turn + side)];
      for (const [color, width] of [[this.look.paper, 5], [this.look.ink, 2.2]]) {
        this.line(color, width, [x, y], tip);
        this.line(color, width, barb(0.5), tip, barb(-0.5));
      }
    });
    if (cursor >= 0) this.ring(this.places[2 * cursor], this.places[2 * cursor + 1], 9, this.look.focus);
  }

  ring(x, y, radius, color) {
    for (const [stroke, width] of [[this.look.paper, 4], [color, 2]]) {
      Object.assign(this.context, { strokeStyle: stroke, lineWidth: width });
      this.context.beginPath();
      this.context.arc(x, y, radius, 0, 2 * Math.PI);
      this.context.stroke();
    }
  }

  label(text, x, y) {
    Object.assign(this.context, { strokeStyle: this.look.paper, lineWidth: 5, font: `bold 13px ${this.look.family}`,
                                  textAlign: "center", textBaseline: "middle" });
    this.context.strokeText(text, x, y);
    this.text(text, x, y, this.look.alarm, "bold 13px");
  }

  /** The picture before the step that failed, pale, under its verdict. */
  failed({ failure }) {
    const { context, size } = this;
    context.globalAlpha = 0.72;
    context.fillStyle = this.look.paper;
    context.fillRect(0, 0, size, size);
    context.globalAlpha = 1;
    this.text(failure.what, size / 2, size / 2 - 12, this.look.alarm, "bold 44px");
    this.text(`at step ${failure.step}`, size / 2, size / 2 + 24, this.look.ink, "16px");
  }
}

/** Directions: a ring of points, and a histogram that stands on it. Across the ring, place means nothing. */
export class Circle extends Picture {
  frame({ embeddings, labels }) {
    [this.unit, this.reach] = [this.size / 2.84, REACH];
    const counts = Array.from({ length: BINS }, () => new Uint16Array(10)), n = labels.length;
    for (let i = 0; i < n; i++) {
      const turn = Math.atan2(embeddings[2 * i + 1], embeddings[2 * i]) / (2 * Math.PI) + 0.5;
      counts[Math.floor(turn * BINS) % BINS][labels[i]]++;
    }
    counts.forEach((ofClass, bin) => {
      const total = ofClass.reduce((a, b) => a + b), height = Math.min(0.4, TALLEST * Math.sqrt(total * 10 / n));
      let from = 1.015;
      ofClass.forEach((count, j) => {
        if (count) this.bar(bin, from, from += height * count / total, this.look.colors[j]);
      });
    });
    this.context.beginPath();
    this.context.arc(...this.at(0, 0), this.unit, 0, 2 * Math.PI);
    Object.assign(this.context, { strokeStyle: this.look.muted, lineWidth: 0.8 });
    this.context.stroke();
  }

  bar(bin, inner, outer, color) {
    const width = 2 * Math.PI / BINS, from = Math.PI - bin * width, { context } = this;     // canvas: clockwise
    context.fillStyle = color;
    context.beginPath();
    context.arc(...this.at(0, 0), outer * this.unit, from, from - width, true);
    context.arc(...this.at(0, 0), inner * this.unit, from - width, from);
    context.fill();
  }

  place({ embeddings, labels }) {
    const directions = polar(embeddings, labels.length)[0];
    return Float32Array.from(directions, (_, k) => {
      const i = k >> 1, radius = 0.86 + 0.12 * ((i * 0.618034) % 1);
      return this.at(radius * directions[2 * i], radius * directions[2 * i + 1])[k & 1];
    });
  }

  /** Only the part of the pull that turns the embedding, per radian. */
  pull({ embeddings, pulls }, i) {
    const [x, y] = embeddings.slice(2 * i, 2 * i + 2), [px, py] = pulls.get(i), length = Math.hypot(x, y);
    const turning = x * py - y * px;
    return [-turning * y / length, turning * x / length];
  }
}

/** The embeddings as they are, on a scale that follows them. */
export class Plane extends Picture {
  frame({ embeddings }) {
    const farthest = Math.max(1e-6, ...polar(embeddings, embeddings.length / 2)[1]);
    // Grows at once, shrinks slowly: the picture should not breathe with every step.
    this.radius = Math.max(farthest, this.radius > 3 * farthest ? 0 : 0.97 * this.radius || 0);
    [this.unit, this.reach] = [this.size / 2.84 / this.radius * 1.12, 1.1 * this.radius];
    const nice = niceBelow(this.radius);
    for (const radius of [nice, nice / 2]) {
      this.context.beginPath();
      this.context.arc(...this.at(0, 0), radius * this.unit, 0, 2 * Math.PI);
      Object.assign(this.context, { strokeStyle: this.look.faint, lineWidth: 1 });
      this.context.stroke();
    }
    this.line(this.look.faint, 1, [0, this.size / 2], [this.size, this.size / 2]);
    this.line(this.look.faint, 1, [this.size / 2, 0], [this.size / 2, this.size]);
    this.text(`‖x‖ = ${Number(nice.toPrecision(1))}`, this.size - 40, this.size - 12, this.look.muted);
  }

  place({ embeddings }) {
    return Float32Array.from(embeddings, (_, k) => this.at(embeddings[k & ~1], embeddings[k | 1])[k & 1]);
  }

  pull({ pulls }, i) {
    return pulls.get(i);
  }
}

/** The largest of 1, 2, 5 times a power of ten that is not above `value`. */
function niceBelow(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [5, 2, 1].find((step) => step * power <= value);
}
