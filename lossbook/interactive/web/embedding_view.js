// One split of a run: its samples at any moment between two epochs, and how they are drawn.

function makePanel(box, name, data, first) {
  const split = data[name], labels = bytes(split.labels), n = labels.length, epochs = data.epochs.length;
  const predicted = bytes(split.predicted), wrong = mistakes(predicted, labels, epochs);
  const {mixed, order} = mixedOrder(n);
  return {name, labels, predicted, wrong, n, first, order,
          canvas: box.querySelector("canvas"), score: part(box, "score"),
          track: track(words(split.directions), words(split.lengths), epochs, n),
          ring: Float32Array.from(mixed, value => 0.86 + 0.12 * value / 65536),
          px: new Float32Array(n), py: new Float32Array(n)};
}

// Cartesian coordinates of every epoch, in units of the radius.
function track(directions, lengths, epochs, n) {
  const x = Float32Array.from(directions, (k, i) => Math.cos(angleOf(k)) * (lengths ? lengths[i] / 65535 : 1));
  const y = Float32Array.from(directions, (k, i) => Math.sin(angleOf(k)) * (lengths ? lengths[i] / 65535 : 1));
  const [atX, atY, ux, uy] = Array.from({length: 4}, () => new Float32Array(n));
  return {x, y, n, at: {x: atX, y: atY, ux, uy}};
}

// Where everything is between two epochs, with its direction as a unit vector.
function move({x, y, n, at}, epoch, next, t) {
  for (let i = 0; i < n; i++) {
    at.x[i] = blend(x[epoch * n + i], x[next * n + i], t);
    at.y[i] = blend(y[epoch * n + i], y[next * n + i], t);
    const length = Math.hypot(at.x[i], at.y[i]) || 1;
    at.ux[i] = at.x[i] / length;
    at.uy[i] = at.y[i] / length;
  }
  return at;
}

function draw(panel, arrows, {circle, chosen, colors}, data, title) {
  const {canvas, at, labels, predicted, epoch, n, px, py} = panel;
  const {pen, size} = cleared(canvas), half = size / 2;
  const plane = half / 1.27, unit = half / data.circle.edge, small = size < 240;
  for (let i = 0; i < n; i++) {
    px[i] = half + blend(plane * at.x[i], unit * panel.ring[i] * at.ux[i], circle);
    py[i] = half - blend(plane * at.y[i], unit * panel.ring[i] * at.uy[i], circle);
  }
  pen.strokeStyle = colors.line;
  pen.globalAlpha = 1 - circle;
  line(pen, 0, half, size, half);
  line(pen, half, 0, half, size);
  if (circle) {
    pen.globalAlpha = circle;
    pen.strokeStyle = colors.grey;
    disc(pen, half, half, unit);
    pen.stroke();
    histogram(panel, pen, half, unit, colors.classes, data.circle);
  }
  pen.globalAlpha = 0.85;
  for (const i of panel.order) {
    pen.fillStyle = colors.classes[labels[i]];
    disc(pen, px[i], py[i], small ? 1.6 : 2.4);
    pen.fill();
  }
  pen.globalAlpha = 1;
  const reach = blend(1.12 * plane, data.circle.reach * unit, circle);
  pen.strokeStyle = colors.ink;
  for (let j = 0; j < arrows.ux.length; j++)
    line(pen, half, half, half + reach * arrows.ux[j], half - reach * arrows.uy[j]);
  for (let j = 0; j < arrows.ux.length; j++)
    label(pen, half + reach * arrows.ux[j], half - reach * arrows.uy[j], j, data, colors, small);
  const missed = [...labels.keys()].filter(i => predicted[epoch * n + i] !== labels[i]);
  crosses(pen, missed, px, py, labels, missed.length, colors, small);
  if (chosen?.panel === panel) ring(pen, px[chosen.i], py[chosen.i], colors, small);
  const score = scoreOf(panel.wrong[epoch], n);
  if (panel.score.textContent !== score) {
    panel.score.textContent = score;
    canvas.setAttribute("aria-label", `${panel.name} embeddings, ${title}: ${score} wrong. Left and right arrows step `
      + "through the points around the origin, up and down through the mistakes.");
  }
}

// How many samples point each way, stacked by class; as high as the square root of the count.
function histogram({at, labels, n}, pen, half, unit, colors, {bins, tallest, rim}) {
  const counts = Array.from({length: bins}, () => new Uint16Array(colors.length)), width = 2 * Math.PI / bins;
  for (let i = 0; i < n; i++)
    counts[Math.floor((Math.atan2(at.uy[i], at.ux[i]) / Math.PI + 1) / 2 * bins) % bins][labels[i]]++;
  counts.forEach((count, bin) => {
    const total = count.reduce((sum, one) => sum + one), height = tallest * Math.sqrt(total * colors.length / n);
    const from = Math.PI - bin * width;
    let inner = rim;
    count.forEach((one, j) => {
      if (!one) return;
      const outer = inner + height * one / total;
      pen.fillStyle = colors[j];
      pen.beginPath();
      pen.arc(half, half, unit * outer, from, from - width, true);
      pen.arc(half, half, unit * inner, from - width, from);
      pen.fill();
      inner = outer;
    });
  });
}
