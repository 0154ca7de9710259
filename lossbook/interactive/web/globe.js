// One sphere: the directions of a run's samples, class vectors and caps, as a camera sees them.
import {angleOf, blend, clearCanvas, countMistakes, decodeBytes, decodeUint16, disc, drawBadge,
        drawCrosses, drawLine, mixedOrder} from "./canvas.js";

export function makeGlobe(view, data) {
  const epochs = data.epochs.length;
  const [panel, canvas, title, score, share] = ["div", "canvas", "b", "span", "span"]
    .map(name => document.createElement(name));
  title.textContent = view.title;
  score.className = share.className = "lb-grey";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  panel.append(title, score, share, canvas);
  const globe = {title: view.title, panel, canvas, scoreLine: score, shareLine: share,
                 share: view.share, around: view.around,
                 vectors: directions(view.vectors, epochs),
                 rims: view.rims && directions(view.rims, epochs)};
  for (const half of ["train", "test"]) {
    const labels = decodeBytes(view[half].labels), predicted = decodeBytes(view[half].predicted);
    const n = labels.length;
    globe[half] = {labels, predicted, n, wrong: countMistakes(predicted, labels, epochs),
                   order: mixedOrder(n).order, points: directions(view[half].directions, epochs),
                   px: new Float32Array(n), py: new Float32Array(n)};
  }
  return globe;
}

// Unit vectors of every epoch, and room for where they are seen.
function directions(text, epochs) {
  const k = decodeUint16(text), all = k.length / 2, n = all / epochs;
  const polar = i => k[i] * Math.PI / 65535, azimuth = i => angleOf(k[all + i]);
  const arrayOf = f => Float32Array.from({length: all}, (_, i) => f(i));
  return {n, x: arrayOf(i => Math.cos(polar(i))),
          y: arrayOf(i => Math.sin(polar(i)) * Math.cos(azimuth(i))),
          z: arrayOf(i => Math.sin(polar(i)) * Math.sin(azimuth(i))), seen: emptySeen(n)};
}

const emptySeen = n => ({
  x: new Float32Array(n), y: new Float32Array(n), z: new Float32Array(n)});

// Three great circles that turn along, so that the eye sees an empty sphere turn.
const GRID_STEPS = 72;
export function gridLines() {
  const n = 3 * GRID_STEPS, grid = {n, ...emptySeen(n), seen: emptySeen(n)};
  for (let i = 0; i < n; i++) {
    const angle = i * 2 * Math.PI / GRID_STEPS, [a, b] = [Math.cos(angle), Math.sin(angle)];
    const circles = [[a, 0, b], [a, b, 0], [0, a, b]];
    [grid.x[i], grid.y[i], grid.z[i]] = circles[Math.floor(i / GRID_STEPS)];
  }
  return grid;
}

// Between two epochs along the straight way, back onto the sphere, and turned: x right, y up, z
// towards the reader.
export function look({n, x, y, z, seen}, camera, epoch = 0, next = 0, t = 0) {
  const ce = Math.cos(camera.east), se = Math.sin(camera.east);
  const cd = Math.cos(camera.down), sd = Math.sin(camera.down);
  for (let i = 0; i < n; i++) {
    const a = epoch * n + i, b = next * n + i;
    const u = blend(x[a], x[b], t), v = blend(y[a], y[b], t), w = blend(z[a], z[b], t);
    const length = Math.hypot(u, v, w) || 1, deep = ce * w - se * u;
    seen.x[i] = (ce * u + se * w) / length;
    seen.y[i] = (cd * v - sd * deep) / length;
    seen.z[i] = (sd * v + cd * deep) / length;
  }
}

export function drawGlobe(globe, grid, state, data) {
  const {pen, size} = clearCanvas(globe.canvas), small = size < 240;
  const half = size / 2, radius = half / data.edge, {colors, split, caps, epoch} = state;
  const {labels, predicted, n, points, order, px, py, wrong} = globe[split];
  const place = {half, radius}, C = data.classes.length, pins = globe.vectors.seen;
  for (let i = 0; i < n; i++) {
    px[i] = half + radius * points.seen.x[i];
    py[i] = half - radius * points.seen.y[i];
  }
  for (const front of [false, true]) {
    const here = z => (z >= 0) === front;
    if (front) veil(pen, place, colors);
    pen.lineWidth = 1;
    pen.strokeStyle = colors.line;
    pen.globalAlpha = front ? 1 : 0.5;
    for (let k = 0; k < 3; k++) rim(pen, grid.seen, k * GRID_STEPS, GRID_STEPS, front, place);
    for (let j = 0; caps && globe.rims && j < C; j++) {
      pen.fillStyle = pen.strokeStyle = colors.classes[j];
      pen.globalAlpha = front ? 0.24 : 0.1;
      fillCap(pen, globe.rims.seen, j * globe.around, globe.around, front, place);
      pen.lineWidth = small ? 1.2 : 1.8;
      pen.globalAlpha = front ? 0.95 : 0.3;
      rim(pen, globe.rims.seen, j * globe.around, globe.around, front, place);
    }
    pen.globalAlpha = front ? 0.9 : 0.3;
    for (const i of order) {
      if (!here(points.seen.z[i])) continue;
      pen.fillStyle = colors.classes[labels[i]];
      disc(pen, px[i], py[i], small ? 1.5 : 2.2);
      pen.fill();
    }
    pen.globalAlpha = front ? 1 : 0.35;
    for (let j = 0; j < C; j++) {
      if (!here(pins.z[j])) continue;
      const [x, y] = [radius * pins.x[j], radius * pins.y[j]];
      pen.lineWidth = small ? 1 : 1.4;
      pen.strokeStyle = colors.ink;
      drawLine(pen, half + x, half - y, half + data.reach * x, half - data.reach * y);
      pen.lineWidth = 1;
      drawBadge(pen, half + data.reach * x, half - data.reach * y, j, data, colors, small);
    }
    const missed = [...labels.keys()]
      .filter(i => predicted[epoch * n + i] !== labels[i] && here(points.seen.z[i]));
    pen.globalAlpha = front ? 1 : 0.3;
    drawCrosses(pen, missed, px, py, labels, wrong[epoch], colors, small);
  }
  pen.globalAlpha = 1;
  return small;
}

// Between behind and in front: the sphere's own body, a little lighter where light falls on it.
function veil(pen, {half, radius}, colors) {
  const [x, y] = [half - 0.35 * radius, half - 0.4 * radius];       // where the light falls
  const shade = pen.createRadialGradient(x, y, 0, half, half, radius);
  const shades = [colors.surface, colors.raised, colors.line];
  if (colors.dark) shades.reverse();
  shades.forEach((color, i) => shade.addColorStop([0, 0.75, 1][i], color));
  pen.globalAlpha = 0.55;
  pen.fillStyle = shade;
  disc(pen, half, half, radius);
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1;
  pen.strokeStyle = colors.grey;
  pen.stroke();
}

// The part of a closed line that lies on one side.
function rim(pen, {x, y, z}, from, count, front, {half, radius}) {
  let drawing = false;
  pen.lineCap = "butt";             // a cap that has shrunk to a point leaves no dot
  pen.beginPath();
  for (let k = 0; k <= count; k++) {
    const i = from + k % count;
    if ((z[i] >= 0) !== front) { drawing = false; continue; }
    pen[drawing ? "lineTo" : "moveTo"](half + radius * x[i], half - radius * y[i]);
    drawing = true;
  }
  pen.stroke();
  pen.lineCap = "round";
}

// The part on one side of a region that is smaller than half of the sphere: its rim, and the limb
// the short way back.
function fillCap(pen, {x, y, z}, from, count, front, {half, radius}) {
  const at = k => from + (k + count) % count, inside = k => (z[at(k)] >= 0) === front;
  const limb = (k, l) => {
    const [a, b] = [at(k), at(l)], t = z[a] / (z[a] - z[b]);
    return Math.atan2(blend(y[a], y[b], t), blend(x[a], x[b], t));
  };
  let first = 0, enter = 0;
  while (first < count && !(inside(first) && !inside(first - 1))) first++;
  if (first === count && !inside(0)) return;
  pen.beginPath();
  for (let k = first % count; k < first % count + count; k++) {
    if (!inside(k)) continue;
    if (!inside(k - 1)) {
      enter = limb(k - 1, k);
      pen.moveTo(half + radius * Math.cos(enter), half - radius * Math.sin(enter));
    }
    pen.lineTo(half + radius * x[at(k)], half - radius * y[at(k)]);
    if (!inside(k + 1)) {
      const leave = limb(k, k + 1);
      const turn = Math.atan2(Math.sin(enter - leave), Math.cos(enter - leave));
      pen.arc(half, half, radius, -leave, -enter, turn > 0);
    }
  }
  pen.fill();
}
