// What moving pictures of samples share: arrays from base64, colours of the theme, marks on a
// canvas, easing.

export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
export const decodeBytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
export const decodeUint16 = text => new Uint16Array(decodeBytes(text).buffer);
export const blend = (a, b, t) => a + (b - a) * t;
export const angleOf = k => k * 2 * Math.PI / 65536;

// Move a value towards its goal for this many seconds, until it is there; at once for readers who
// want no motion.
export function approach(value, goal, seconds) {
  const moved = blend(value, goal, 1 - Math.exp(-seconds / 0.09));
  return reducedMotion.matches || Math.abs(goal - moved) < 0.004 ? goal : moved;
}

// A function that requests one frame, however often it is called: `frame` is then called with the
// seconds since the frame before.
export function ticker(frame) {
  let request = 0, before = 0;
  return () => {
    request ||= requestAnimationFrame(now => {
      const step = Math.min(now - before, 100) / 1000;
      [request, before] = [0, now];
      frame(step);
    });
  };
}

// The order to draw samples in: mixed, else the last class would hide the others; 40503 / 65536 is
// near the golden ratio.
export function mixedOrder(n) {
  const mixed = Uint16Array.from({length: n}, (_, i) => i * 40503 % 65536);
  return {mixed, order: [...mixed.keys()].sort((a, b) => mixed[a] - mixed[b])};
}

// How many of n samples are mistakes, in each epoch.
export function countMistakes(predicted, labels, epochs) {
  const n = labels.length, wrong = new Uint16Array(epochs);
  predicted.forEach((prediction, k) => {
    wrong[Math.floor(k / n)] += prediction !== labels[k % n];
  });
  return wrong;
}

export const scoreOf = (wrong, n) =>
  `${(100 * (1 - wrong / n)).toFixed(1)} % right, ✖ ${wrong} of ${n}`;

// The colours of the theme, and those of the classes, lighter on a dark page.
export function colorsOf(root, data) {
  const probe = root.appendChild(document.createElement("span")), colors = {};
  for (const name of ["ink", "grey", "line", "surface", "raised"]) {
    probe.style.color = `var(--lb-${name})`;
    colors[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  const dark = colors.dark = +colors.surface.match(/\d+/)[0] < 128;
  colors.classes = data.colors.map(hex => "rgb(" + [1, 3, 5].map(at => {
    const value = parseInt(hex.slice(at, at + 2), 16);
    return dark ? Math.round(blend(value, 255, 0.25)) : value;
  }).join() + ")");
  return colors;
}

// Clear a square canvas; returns its pen, which draws in CSS pixels, and its size. JupyterLab gives
// a canvas that is out of sight no size: then it keeps the one that it had.
export function clearCanvas(canvas) {
  const pen = canvas.getContext("2d"), sharp = window.devicePixelRatio || 1;
  const size = canvas.clientWidth || canvas.width / sharp;
  const pixels = Math.round(size * sharp);
  if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, size, size);
  pen.lineWidth = 1;
  pen.lineCap = "round";
  return {pen, size};
}

// A round path, to fill or to stroke.
export function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}

export function drawLine(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

// The badge of class j, at the end of its vector.
export function drawBadge(pen, x, y, j, data, colors, small) {
  pen.font = `bold ${small ? 11 : 13}px system-ui, "DejaVu Sans", sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = data.colors[j];
  pen.strokeStyle = colors.surface;
  disc(pen, x, y, small ? 8 : 11);
  pen.fill();
  pen.stroke();
  pen.fillStyle = data.inks[j];
  pen.fillText(data.badges[j], x, y + 0.5);
}

// Crosses over `samples`, in the colour of their true class, with an edge; smaller ones if `count`,
// the number of mistakes in the picture, is large.
export function drawCrosses(pen, samples, px, py, labels, count, colors, small) {
  const arm = (small ? 2.2 : 3.6) / Math.sqrt(Math.max(1, count / 60));
  for (const [width, color] of [[3.4, () => colors.ink], [1.6, i => colors.classes[labels[i]]]]) {
    pen.lineWidth = small ? 0.8 * width : width;
    for (const i of samples) {
      pen.strokeStyle = color(i);
      drawLine(pen, px[i] - arm, py[i] - arm, px[i] + arm, py[i] + arm);
      drawLine(pen, px[i] - arm, py[i] + arm, px[i] + arm, py[i] - arm);
    }
  }
}

export function drawRing(pen, x, y, colors, small) {
  pen.lineWidth = 2.5;
  pen.strokeStyle = colors.ink;
  disc(pen, x, y, small ? 6 : 8);
  pen.stroke();
}

// The badge of class j in running text.
export function badgeElement(j, data, texts = data.classes) {
  const element = document.createElement("span");
  element.className = "lb-badge";
  element.textContent = texts[j];
  Object.assign(element.style, {background: data.colors[j], color: data.inks[j]});
  return element;
}

// The line about a chosen sample of class y under one of several losses: its angle to its class
// vector, in degrees, and what it is taken for.
export function angleLine(title, angle, y, prediction, data) {
  return [document.createElement("br"), `${title}: ${angle.toFixed(1)}°`,
    ...(prediction === y ? [" ✓"]
      : [", taken for ", badgeElement(prediction, data), crossMark()])];
}

// Under a picture, a key to badges that are numbers.
export function fillKey(box, data) {
  if (data.badges.every((text, j) => text === data.classes[j])) return;
  data.classes.forEach((name, j) => {
    const item = document.createElement("span");
    item.append(badgeElement(j, data, data.badges), ` ${name}`);
    box.append(item);
  });
}

export function crossMark() {
  const properties = {className: "lb-wrong", textContent: " ✖ mistake"};
  return Object.assign(document.createElement("span"), properties);
}
