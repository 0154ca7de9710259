// Two ways to look at 2-D embeddings, as in lossbook/figures/views.py: the circle of their
// directions, and the plane. A scene is { embeddings, labels, winners, weight, chosen, cursor,
// pulls, failure }: `pulls` has, for each chosen sample, minus the gradient of its own loss.
import { clearCanvas, disc, drawCrosses, drawLine }
  from "../../lossbook/interactive/web/canvas.js";
import { drawAxes, drawHistogram, drawVectors, strokeCircle }
  from "../../lossbook/interactive/web/embedding_view.js";
import { polar } from "./head.js";

const LONGEST_ARROW = 52;       // pixels

class Picture {
  /** `data` has what the page was built with, `look` the colours and font of the theme. */
  constructor(canvas, data, look) {
    Object.assign(this, { canvas, data, look });
  }

  /** Draw a scene, at the size and sharpness that the page gives the canvas. */
  draw(scene) {
    const { pen, size } = clearCanvas(this.canvas);
    Object.assign(this, { pen, size, half: size / 2 });
    this.drawBackground(scene);
    this.placeSamples(scene);
    this.drawSamples(scene);
    const vectors = directionsOf(scene.weight);
    drawVectors(pen, this.half, this.reach * this.unit, vectors, this.data, this.look, false);
    this.drawArrows(scene);
    if (scene.failure) this.drawFailure(scene.failure);
  }

  /** The sample drawn nearest to a pixel, or −1 if none is near. */
  nearest(x, y) {
    let best = -1, least = 24;
    this.px.forEach((px, i) => {
      const distance = Math.hypot(px - x, this.py[i] - y);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  /** Put each sample where `x` and `y`, coordinates of the drawing, place it in pixels. */
  setPixels(x, y) {
    this.px = x.map((value) => this.half + this.unit * value);
    this.py = y.map((value) => this.half - this.unit * value);
  }

  /** Points, and crosses in the colour of the true class where the logits prefer another one. */
  drawSamples({ labels, winners }) {
    const { pen, px, py, look } = this, mistakes = [];
    labels.forEach((label, i) => {
      if (winners[i] !== label) return mistakes.push(i);
      pen.fillStyle = look.classes[label];
      disc(pen, px[i], py[i], 2.4);
      pen.fill();
    });
    drawCrosses(pen, mistakes, px, py, labels, mistakes.length, look, false);
  }

  /** From each chosen sample, where gradient descent pulls it: the longest arrow is equally long in
   * every picture. */
  drawArrows(scene) {
    const { chosen, cursor } = scene, pulls = chosen.map((i) => this.pullOf(scene, i));
    const lengths = pulls.map(([x, y]) => Math.hypot(x, y)).filter(Number.isFinite);
    const scale = LONGEST_ARROW / Math.max(...lengths, 1e-30);
    chosen.forEach((i, row) => {
      const x = this.px[i], y = this.py[i], [dx, dy] = pulls[row].map((value) => value * scale);
      this.drawRing(x, y, 5.5, this.look.ink);
      if (!Number.isFinite(dx + dy)) this.drawOutlinedText("NaN", x, y - 15);
      else if (Math.hypot(dx, dy) >= 10) this.drawArrow(x, y, dx, dy);   // else no room for a head
    });
    if (cursor >= 0) this.drawRing(this.px[cursor], this.py[cursor], 9, this.look.focus);
  }

  drawArrow(x, y, dx, dy) {
    const tip = [x + dx, y - dy], turn = Math.atan2(-dy, dx);
    const barb = (side) => [tip[0] - 8 * Math.cos(turn + side), tip[1] - 8 * Math.sin(turn + side)];
    for (const [color, width] of [[this.look.surface, 5], [this.look.ink, 2.2]]) {
      Object.assign(this.pen, { strokeStyle: color, lineWidth: width });
      drawLine(this.pen, x, y, ...tip);
      drawLine(this.pen, ...barb(0.5), ...tip);
      drawLine(this.pen, ...barb(-0.5), ...tip);
    }
  }

  drawRing(x, y, radius, color) {
    for (const [stroke, width] of [[this.look.surface, 4], [color, 2]]) {
      Object.assign(this.pen, { strokeStyle: stroke, lineWidth: width });
      disc(this.pen, x, y, radius);
      this.pen.stroke();
    }
  }

  drawText(text, x, y, color, font = "12px") {
    Object.assign(this.pen, { fillStyle: color, font: `${font} ${this.look.family}`,
                              textAlign: "center", textBaseline: "middle" });
    this.pen.fillText(text, x, y);
  }

  drawOutlinedText(text, x, y) {
    Object.assign(this.pen, { strokeStyle: this.look.surface, lineWidth: 5,
                              font: `bold 13px ${this.look.family}`,
                              textAlign: "center", textBaseline: "middle" });
    this.pen.strokeText(text, x, y);
    this.drawText(text, x, y, this.look.alarm, "bold 13px");
  }

  /** The picture before the step that failed, pale, under its verdict. */
  drawFailure({ what, step }) {
    const { pen, size, half } = this;
    pen.globalAlpha = 0.72;
    pen.fillStyle = this.look.surface;
    pen.fillRect(0, 0, size, size);
    pen.globalAlpha = 1;
    this.drawText(what, half, half - 12, this.look.alarm, "bold 44px");
    this.drawText(`at step ${step}`, half, half + 24, this.look.ink, "16px");
  }
}

/** Directions: a ring of points, and a histogram that stands on it. Across the ring, the place of a
 * point means nothing. */
export class Circle extends Picture {
  drawBackground({ embeddings, labels }) {
    const { edge, reach } = this.data.circle;
    [this.unit, this.reach] = [this.half / edge, reach];
    this.directions = directionsOf(embeddings);
    drawHistogram(this.pen, this.half, this.unit, this.directions, labels, this.look.classes,
                  this.data.circle);
    strokeCircle(this.pen, this.half, this.unit, this.look.grey);
  }

  placeSamples() {
    const { ux, uy } = this.directions;
    const onRing = (value, i) => value * (0.86 + 0.12 * ((i * 0.618034) % 1));
    this.setPixels(ux.map(onRing), uy.map(onRing));
  }

  /** Only the part of the pull that turns the embedding, per radian. */
  pullOf({ pulls }, i) {
    const { ux, uy } = this.directions, [px, py] = pulls.get(i);
    const turning = ux[i] * py - uy[i] * px;
    return [-turning * uy[i], turning * ux[i]];
  }
}

/** The embeddings as they are, on a scale that follows them. */
export class Plane extends Picture {
  drawBackground({ embeddings }) {
    const farthest = Math.max(1e-6, ...polar(embeddings, embeddings.length / 2)[1]);
    // Grows at once, shrinks slowly: the picture should not breathe with every step.
    const slow = this.radius > 3 * farthest ? 0 : 0.97 * this.radius || 0;
    this.radius = Math.max(farthest, slow);
    [this.unit, this.reach] = [this.half / 1.27 / this.radius, 1.12 * this.radius];
    const length = roundDown(this.radius);
    for (const radius of [length, length / 2])
      strokeCircle(this.pen, this.half, radius * this.unit, this.look.line);
    drawAxes(this.pen, this.size, this.look.line);
    this.drawText(`‖x‖ = ${Number(length.toPrecision(1))}`, this.size - 40, this.size - 12,
                  this.look.grey);
  }

  placeSamples({ embeddings }) {
    this.setPixels(...columns(embeddings));
  }

  pullOf({ pulls }, i) {
    return pulls.get(i);
  }
}

/** The directions of the rows of `vectors` (n×2), as unit vectors. */
function directionsOf(vectors) {
  const [ux, uy] = columns(polar(vectors, vectors.length / 2)[0]);
  return { ux, uy };
}

/** The first and the second coordinates of `vectors` (n×2). */
function columns(vectors) {
  return [0, 1].map((column) => vectors.filter((_, k) => k % 2 === column));
}

/** The largest of 1, 2, 5 times a power of ten that is not above `value`. */
function roundDown(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [5, 2, 1].find((step) => step * power <= value);
}
