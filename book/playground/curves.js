// Loss and accuracy over the steps. Long histories are thinned, so that a curve never has many points.

const MOST = 600, LEFT = 48, RIGHT = 74, TOP = 10, BOTTOM = 22;

export class Curves {
  /** `lines`: [{ key, name, dash }]; `log` for a logarithmic scale, else shares from 0 to 1 in percent. */
  constructor(canvas, lines, log, look) {
    Object.assign(this, { canvas, lines, log, look, context: canvas.getContext("2d") });
  }

  draw(history) {
    const { context, look } = this, width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    const sharpness = window.devicePixelRatio;
    if (this.canvas.width !== Math.round(width * sharpness) || this.canvas.height !== Math.round(height * sharpness)) {
      [this.canvas.width, this.canvas.height] = [width * sharpness, height * sharpness].map(Math.round);
    }
    context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    context.clearRect(0, 0, width, height);
    const [low, high] = this.log ? decades(this.lines.flatMap(({ key }) => history.map((row) => row[key]))) : [0, 1];
    const last = Math.max(100, history.at(-1)?.step ?? 0);
    const x = (step) => LEFT + (width - LEFT - RIGHT) * step / last;
    const scaled = (v) => (this.log ? (Math.log10(Math.max(v, 10 ** low)) - low) / (high - low) : v);
    const y = (v) => height - BOTTOM - (height - TOP - BOTTOM) * scaled(v);

    Object.assign(context, { font: `12px ${look.family}`, textBaseline: "middle" });
    Object.assign(context, { lineWidth: 1, strokeStyle: look.faint });
    context.setLineDash([]);
    const ticks = this.log ? Array.from({ length: high - low + 1 }, (_, k) => 10 ** (low + k)) : [0, 0.5, 1];
    for (const tick of ticks) {
      this.path([[LEFT, y(tick)], [width - RIGHT, y(tick)]]);
      const text = this.log ? String(Number(tick.toPrecision(1))) : `${100 * tick} %`;
      this.write(text, LEFT - 6, y(tick), "right", look.muted);
    }
    this.write("0", LEFT, height - 9, "center", look.muted);
    this.write(`step ${last}`, width - RIGHT, height - 9, "center", look.muted);

    const ends = [];
    this.lines.forEach(({ key, name, dash }, row) => {
      const points = history.filter((one) => Number.isFinite(one[key])).map((one) => [x(one.step), y(one[key])]);
      Object.assign(context, { strokeStyle: look.lines[row], lineWidth: 2, lineJoin: "round" });
      context.setLineDash(dash);
      this.path(points);
      if (points.length) ends.push({ name, at: points.at(-1)[1], color: look.lines[row] });
    });
    // Names stand beside the ends of their lines, at least a line of text apart.
    ends.sort((a, b) => a.at - b.at).forEach((end, k) => {
      if (k > 0) end.at = Math.max(end.at, ends[k - 1].at + 14);
      const lowest = height - BOTTOM - 14 * (ends.length - 1 - k);
      this.write(end.name, width - RIGHT + 6, Math.min(end.at, lowest), "left", look.ink);
    });
    const broken = history.findLast((row) => row.failure);
    if (broken) this.write(broken.failure.what, x(broken.step), TOP + 6, "center", look.alarm);
  }

  path(points) {
    this.context.beginPath();
    points.forEach((point) => this.context.lineTo(...point));
    this.context.stroke();
  }

  write(text, x, y, align, color) {
    Object.assign(this.context, { fillStyle: color, textAlign: align });
    this.context.fillText(text, x, y);
  }
}

/** Add a row to a history; when it gets long, every second row goes. */
export function record(history, row) {
  history.push(row);
  return history.length > MOST ? history.filter((_, i) => i % 2 === 0 || i === history.length - 1) : history;
}

/** Powers of ten, as exponents, that hold all values that have a logarithm; six decades at most. */
function decades(all) {
  const values = all.filter((value) => value > 0 && value < Infinity);
  const low = Math.floor(Math.log10(Math.min(1, ...values))), high = Math.ceil(Math.log10(Math.max(1, ...values)));
  return [Math.max(low, high - 6), Math.max(high, low + 1)];
}
