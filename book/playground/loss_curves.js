// Loss and accuracy over the steps. Long histories are thinned, so that a curve never has many
// points.

const MOST_ROWS = 600, LEFT = 48, RIGHT = 74, TOP = 10, BOTTOM = 22;

// What `lines` are for the loss and for the accuracy, with one loss and for two.
const DASHED = [6, 4];
export const LINES = [
  [[{ key: "lossA", name: "batch", dash: [] }],
   [{ key: "trainA", name: "training", dash: [] },
    { key: "heldA", name: "held out", dash: DASHED }]],
  [[{ key: "lossA", name: "A", dash: [] }, { key: "lossB", name: "B", dash: DASHED }],
   [{ key: "heldA", name: "A", dash: [] }, { key: "heldB", name: "B", dash: DASHED }]],
];

export class LossCurves {
  /** `log` for a logarithmic scale, else shares from 0 to 1, shown in percent. Set `lines`,
   * [{ key, name, dash }], before drawing. */
  constructor(canvas, log, look) {
    Object.assign(this, { canvas, log, look, context: canvas.getContext("2d") });
  }

  draw(history) {
    const { canvas, context, look } = this, sharpness = window.devicePixelRatio;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    const [pixelWidth, pixelHeight] = [width, height].map((side) => Math.round(side * sharpness));
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
      [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
    }
    context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    context.clearRect(0, 0, width, height);
    const values = this.lines.flatMap(({ key }) => history.map((row) => row[key]));
    const [low, high] = this.log ? decades(values) : [0, 1];
    const last = Math.max(100, history.at(-1)?.step ?? 0);
    const x = (step) => LEFT + (width - LEFT - RIGHT) * step / last;
    const scaled = (value) => {
      if (!this.log) return value;
      return (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
    };
    const y = (value) => height - BOTTOM - (height - TOP - BOTTOM) * scaled(value);

    Object.assign(context, { font: `12px ${look.family}`, textBaseline: "middle" });
    Object.assign(context, { lineWidth: 1, strokeStyle: look.line });
    context.setLineDash([]);
    const ticks = this.log ? Array.from({ length: high - low + 1 }, (_, k) => 10 ** (low + k))
      : [0, 0.5, 1];
    for (const tick of ticks) {
      this.drawPath([[LEFT, y(tick)], [width - RIGHT, y(tick)]]);
      const text = this.log ? String(Number(tick.toPrecision(1))) : `${100 * tick} %`;
      this.drawText(text, LEFT - 6, y(tick), "right", look.grey);
    }
    this.drawText("0", LEFT, height - 9, "center", look.grey);
    this.drawText(`step ${last}`, width - RIGHT, height - 9, "center", look.grey);

    const ends = [];
    this.lines.forEach(({ key, name, dash }, k) => {
      const points = history.filter((row) => Number.isFinite(row[key]))
        .map((row) => [x(row.step), y(row[key])]);
      Object.assign(context, { strokeStyle: look.lines[k], lineWidth: 2, lineJoin: "round" });
      context.setLineDash(dash);
      this.drawPath(points);
      if (points.length) ends.push({ name, at: points.at(-1)[1], color: look.lines[k] });
    });
    // Names stand beside the ends of their lines, at least a line of text apart.
    ends.sort((a, b) => a.at - b.at).forEach((end, k) => {
      if (k > 0) end.at = Math.max(end.at, ends[k - 1].at + 14);
      const lowest = height - BOTTOM - 14 * (ends.length - 1 - k);
      this.drawText(end.name, width - RIGHT + 6, Math.min(end.at, lowest), "left", look.ink);
    });
    const failed = history.findLast((row) => row.failure);
    if (failed) this.drawText(failed.failure.what, x(failed.step), TOP + 6, "center", look.alarm);
  }

  drawPath(points) {
    this.context.beginPath();
    points.forEach((point) => this.context.lineTo(...point));
    this.context.stroke();
  }

  drawText(text, x, y, align, color) {
    Object.assign(this.context, { fillStyle: color, textAlign: align });
    this.context.fillText(text, x, y);
  }
}

/** Add a row to a history; when it gets long, every second row goes. */
export function addRow(history, row) {
  history.push(row);
  if (history.length <= MOST_ROWS) return history;
  return history.filter((_, i) => i % 2 === 0 || i === history.length - 1);
}

/** Exponents of the powers of ten around all values that have a logarithm; six decades at most. */
function decades(values) {
  const positive = values.filter((value) => value > 0 && value < Infinity);
  const low = Math.floor(Math.log10(Math.min(1, ...positive)));
  const high = Math.ceil(Math.log10(Math.max(1, ...positive)));
  return [Math.max(low, high - 6), Math.max(high, low + 1)];
}
