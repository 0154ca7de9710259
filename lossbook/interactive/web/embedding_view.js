// One split of a run: its samples at any moment between two epochs, how they are drawn, and how a
// reader chooses one.
import {angleOf, blend, clearCanvas, decodeBytes, decodeUint16, disc, drawBadge, drawCrosses,
        drawLine, drawRing, mixedOrder, scoreOf} from "./canvas.js";
import {degrees, part} from "./common.js";

export function makePanel(box, name, data, first) {
  const split = data[name], epochs = data.epochs.length;
  const labels = decodeBytes(split.labels), n = labels.length;
  const {mixed, order} = mixedOrder(n);
  return {name, labels, predicted: decodeBytes(split.predicted), n, first, order, shown: order,
          canvas: box.querySelector("canvas"), score: part(box, "score"),
          track: track(decodeUint16(split.directions), decodeUint16(split.lengths), epochs, n),
          ring: Float32Array.from(mixed, value => 0.86 + 0.12 * value / 65536),
          px: new Float32Array(n), py: new Float32Array(n)};
}

// Cartesian coordinates of every epoch, in units of the radius; without lengths, unit vectors.
export function track(directions, lengths, epochs, n) {
  const lengthOf = i => lengths ? lengths[i] / 65535 : 1;
  const x = Float32Array.from(directions, (k, i) => Math.cos(angleOf(k)) * lengthOf(i));
  const y = Float32Array.from(directions, (k, i) => Math.sin(angleOf(k)) * lengthOf(i));
  const [atX, atY, ux, uy] = Array.from({length: 4}, () => new Float32Array(n));
  return {x, y, n, at: {x: atX, y: atY, ux, uy}};
}

// Where everything is between two epochs, with its direction as a unit vector.
export function move({x, y, n, at}, epoch, next, t) {
  for (let i = 0; i < n; i++) {
    at.x[i] = blend(x[epoch * n + i], x[next * n + i], t);
    at.y[i] = blend(y[epoch * n + i], y[next * n + i], t);
    const length = Math.hypot(at.x[i], at.y[i]) || 1;
    at.ux[i] = at.x[i] / length;
    at.uy[i] = at.y[i] / length;
  }
  return at;
}

// `filter`: show "all" samples, only the "mistakes" of this epoch, or only those of class j, "0"
// and so on. The score counts what is shown, or all where only mistakes are.
export function drawPanel(panel, vectors, {circle, chosen, colors, filter = "all"}, data, title) {
  const {canvas, at, labels, n, px, py} = panel;
  const {pen, size} = clearCanvas(canvas), half = size / 2;
  const plane = half / 1.27, unit = half / data.circle.edge, small = size < 240;
  for (let i = 0; i < n; i++) {
    px[i] = half + blend(plane * at.x[i], unit * panel.ring[i] * at.ux[i], circle);
    py[i] = half - blend(plane * at.y[i], unit * panel.ring[i] * at.uy[i], circle);
  }
  const everyClass = filter === "all" || filter === "mistakes";
  const asked = everyClass ? panel.order : panel.order.filter(i => labels[i] === +filter);
  const missed = asked.filter(i => isMistake(panel, i));
  panel.shown = filter === "mistakes" ? missed : asked;
  pen.globalAlpha = 1 - circle;
  drawAxes(pen, size, colors.line);
  if (circle) {
    pen.globalAlpha = circle;
    strokeCircle(pen, half, unit, colors.grey);
    drawHistogram(pen, half, unit, at, labels, colors.classes, data.circle, panel.shown);
  }
  pen.globalAlpha = 0.85;
  for (const i of panel.shown) {
    pen.fillStyle = colors.classes[labels[i]];
    disc(pen, px[i], py[i], small ? 1.6 : 2.4);
    pen.fill();
  }
  pen.globalAlpha = 1;
  const reach = blend(1.12 * plane, data.circle.reach * unit, circle);
  drawVectors(pen, half, reach, vectors, data, colors, small);
  drawCrosses(pen, missed, px, py, labels, missed.length, colors, small);
  if (chosen?.panel === panel) drawRing(pen, px[chosen.i], py[chosen.i], colors, small);
  const score = scoreOf(missed.length, asked.length);
  if (panel.score.textContent !== score) panel.score.textContent = score;
  const label = `${panel.name} embeddings, ${title}: ${score} wrong. Left and right arrows step `
    + "through the points around the origin, up and down through the mistakes.";
  if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
}

export const predictionOf = ({predicted, epoch, n}, i) => predicted[epoch * n + i];
const isMistake = (panel, i) => predictionOf(panel, i) !== panel.labels[i];

// Degrees from sample i to its class vector.
export function angleToVector({at, labels}, vectors, i) {
  const y = labels[i];
  const cos = at.ux[i] * vectors.ux[y] + at.uy[i] * vectors.uy[y];
  const sin = at.ux[i] * vectors.uy[y] - at.uy[i] * vectors.ux[y];
  return degrees(Math.abs(Math.atan2(sin, cos)));
}

export function drawAxes(pen, size, color) {
  pen.strokeStyle = color;
  drawLine(pen, 0, size / 2, size, size / 2);
  drawLine(pen, size / 2, 0, size / 2, size);
}

export function strokeCircle(pen, half, radius, color) {
  pen.strokeStyle = color;
  disc(pen, half, half, radius);
  pen.stroke();
}

// Each class vector is a line from the centre to a badge, all of one length: only directions
// compare.
export function drawVectors(pen, half, reach, {ux, uy}, data, colors, small) {
  const tips = data.badges.map((_, j) => [half + reach * ux[j], half - reach * uy[j]]);
  pen.strokeStyle = colors.ink;
  for (const tip of tips) drawLine(pen, half, half, ...tip);
  tips.forEach(([x, y], j) => drawBadge(pen, x, y, j, data, colors, small));
}

// How many samples point each way, stacked by class; as high as the square root of the count.
export function drawHistogram(pen, half, unit, {ux, uy}, labels, colors, {bins, tallest, rim},
                              samples = labels.keys()) {
  const counts = Array.from({length: bins}, () => new Uint16Array(colors.length));
  const width = 2 * Math.PI / bins, n = labels.length;
  for (const i of samples)
    counts[Math.floor((Math.atan2(uy[i], ux[i]) / Math.PI + 1) / 2 * bins) % bins][labels[i]]++;
  counts.forEach((classCounts, bin) => {
    const total = classCounts.reduce((sum, count) => sum + count);
    const height = tallest * Math.sqrt(total * colors.length / n);
    const from = Math.PI - bin * width;         // an angle on a canvas runs clockwise
    let inner = rim;
    classCounts.forEach((count, j) => {
      if (!count) return;
      const outer = inner + height * count / total;
      pen.fillStyle = colors[j];
      pen.beginPath();
      pen.arc(half, half, unit * outer, from, from - width, true);
      pen.arc(half, half, unit * inner, from - width, from);
      pen.fill();
      inner = outer;
    });
  });
}

// Mouse, finger and keys choose among the points that a panel shows: `choose(panel, i, held)` is
// called with the number of one, or with −1; `chosen()` is what was chosen last, or null.
export function listenForPoints(panel, choose, chosen) {
  const {canvas} = panel;
  const nearest = (event, within) => {
    let best = -1, least = within;
    for (const i of panel.shown) {
      const distance = Math.hypot(panel.px[i] - event.offsetX, panel.py[i] - event.offsetY);
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  };
  // A mouse shows what it passes over, and holds what it clicks; a finger holds at once.
  canvas.addEventListener("pointermove", event => {
    const mouse = event.pointerType === "mouse", i = nearest(event, mouse ? 14 : 30);
    if (i >= 0 && !(mouse && chosen()?.held)) choose(panel, i, !mouse);
  });
  canvas.addEventListener("pointerdown", event => {
    choose(panel, nearest(event, event.pointerType === "mouse" ? 14 : 30), true);
  });
  canvas.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (event.key === "Escape") choose(panel, -1);
    if (!step) return;
    event.preventDefault();
    const around = i => Math.atan2(panel.at.uy[i], panel.at.ux[i]);
    const all = event.key === "ArrowRight" || event.key === "ArrowLeft";
    const ordered = panel.shown.filter(i => all || isMistake(panel, i))
      .sort((a, b) => around(a) - around(b));
    const from = chosen()?.panel === panel ? ordered.indexOf(chosen().i) : -1;
    if (!ordered.length) return;
    if (from < 0) choose(panel, ordered.at(step > 0 ? 0 : -1), true);
    else choose(panel, ordered[(from + step + ordered.length) % ordered.length], true);
  });
}
