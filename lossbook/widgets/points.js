// One split of a run: its samples at any moment between two epochs, and how they are drawn.

const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const words = text => new Uint16Array(bytes(text).buffer);
const blend = (a, b, t) => a + (b - a) * t;
const angleOf = k => k * 2 * Math.PI / 65536;

function makePanel(box, name, data, first) {
  const split = data[name], labels = bytes(split.labels), n = labels.length, epochs = data.epochs.length;
  const predicted = bytes(split.predicted), wrong = new Uint16Array(epochs);
  predicted.forEach((said, k) => { wrong[Math.floor(k / n)] += said !== labels[k % n]; });
  // Drawn in a mixed order, else the last class would hide the others; 40503 / 65536 is near the golden ratio.
  const mixed = Uint16Array.from(labels, (_, i) => i * 40503 % 65536);
  const order = Array.from(labels, (_, i) => i).sort((a, b) => mixed[a] - mixed[b]);
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

function colorsOf(root, data) {
  const probe = root.appendChild(document.createElement("span")), found = {};
  for (const name of ["ink", "grey", "line", "surface"]) {
    probe.style.color = `var(--lb-${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  const dark = +found.surface.match(/\d+/)[0] < 128;
  found.classes = data.colors.map(hex => "rgb(" + [1, 3, 5].map(at => {
    const value = parseInt(hex.slice(at, at + 2), 16);
    return dark ? Math.round(blend(value, 255, 0.25)) : value;
  }).join() + ")");
  return found;
}

function draw(panel, arrows, {circle, chosen, colors}, data, title) {
  const {canvas, at, labels, predicted, epoch, n, px, py} = panel, pen = canvas.getContext("2d");
  const size = canvas.clientWidth, sharp = window.devicePixelRatio || 1, half = size / 2;
  if (canvas.width !== Math.round(size * sharp)) canvas.width = canvas.height = Math.round(size * sharp);
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, size, size);
  const plane = half / 1.27, unit = half / data.circle.edge, small = size < 240;
  for (let i = 0; i < n; i++) {
    px[i] = half + blend(plane * at.x[i], unit * panel.ring[i] * at.ux[i], circle);
    py[i] = half - blend(plane * at.y[i], unit * panel.ring[i] * at.uy[i], circle);
  }
  pen.lineWidth = 1;
  pen.lineCap = "round";
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
  const reach = blend(1.12 * plane, data.circle.reach * unit, circle), badge = small ? 8 : 11;
  pen.font = `bold ${small ? 10 : 13}px system-ui, "DejaVu Sans", sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.strokeStyle = colors.ink;
  for (let j = 0; j < arrows.ux.length; j++)
    line(pen, half, half, half + reach * arrows.ux[j], half - reach * arrows.uy[j]);
  for (let j = 0; j < arrows.ux.length; j++) {
    const x = half + reach * arrows.ux[j], y = half - reach * arrows.uy[j];
    pen.fillStyle = data.colors[j];
    pen.strokeStyle = colors.surface;
    disc(pen, x, y, badge);
    pen.fill();
    pen.stroke();
    pen.fillStyle = data.inks[j];
    pen.fillText(data.badges[j], x, y + 0.5);
  }
  const crowd = Math.max(1, panel.wrong[epoch] / 60);      // many crosses: smaller ones
  const arm = (small ? 2.2 : 3.6) / Math.sqrt(crowd);
  for (const [width, color] of [[3.4, () => colors.ink], [1.6, i => colors.classes[labels[i]]]]) {
    pen.lineWidth = small ? 0.8 * width : width;
    for (let i = 0; i < n; i++) {
      if (predicted[epoch * n + i] === labels[i]) continue;
      pen.strokeStyle = color(i);
      line(pen, px[i] - arm, py[i] - arm, px[i] + arm, py[i] + arm);
      line(pen, px[i] - arm, py[i] + arm, px[i] + arm, py[i] - arm);
    }
  }
  if (chosen?.panel === panel) {
    pen.lineWidth = 2.5;
    pen.strokeStyle = colors.ink;
    disc(pen, px[chosen.i], py[chosen.i], small ? 6 : 8);
    pen.stroke();
  }
  const wrong = panel.wrong[epoch], right = (100 * (1 - wrong / n)).toFixed(1);
  const score = `${right} % right, ✖ ${wrong} of ${n}`;
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

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
