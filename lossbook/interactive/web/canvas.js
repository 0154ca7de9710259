// What moving pictures of samples share: numbers from text, colours of the theme, marks on a canvas, easing.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const words = text => new Uint16Array(bytes(text).buffer);
const blend = (a, b, t) => a + (b - a) * t;
const angleOf = k => k * 2 * Math.PI / 65536;

// Nearer to the goal by this much time, and there in the end; at once for readers who want no motion.
function approach(value, goal, seconds) {
  const moved = blend(value, goal, 1 - Math.exp(-seconds / 0.09));
  return still.matches || Math.abs(goal - moved) < 0.004 ? goal : moved;
}

// A function that asks for one frame, however often it is called: ``frame`` then gets the seconds since the one before.
function ticker(frame) {
  let asked = 0, before = 0;
  return () => {
    asked ||= requestAnimationFrame(now => {
      const step = Math.min(now - before, 100) / 1000;
      [asked, before] = [0, now];
      frame(step);
    });
  };
}

// The order to draw samples in: mixed, else the last class would hide the others; 40503 / 65536 is near the golden ratio.
function mixedOrder(n) {
  const mixed = Uint16Array.from({length: n}, (_, i) => i * 40503 % 65536);
  return {mixed, order: [...mixed.keys()].sort((a, b) => mixed[a] - mixed[b])};
}

// How many of n samples are mistakes, in each epoch.
function mistakes(predicted, labels, epochs) {
  const n = labels.length, wrong = new Uint16Array(epochs);
  predicted.forEach((said, k) => { wrong[Math.floor(k / n)] += said !== labels[k % n]; });
  return wrong;
}

const scoreOf = (wrong, n) => `${(100 * (1 - wrong / n)).toFixed(1)} % right, ✖ ${wrong} of ${n}`;

function colorsOf(root, data) {
  const probe = root.appendChild(document.createElement("span")), found = {};
  for (const name of ["ink", "grey", "line", "surface", "raised"]) {
    probe.style.color = `var(--lb-${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  const dark = found.dark = +found.surface.match(/\d+/)[0] < 128;
  found.classes = data.colors.map(hex => "rgb(" + [1, 3, 5].map(at => {
    const value = parseInt(hex.slice(at, at + 2), 16);
    return dark ? Math.round(blend(value, 255, 0.25)) : value;
  }).join() + ")");
  return found;
}

// A pen on a cleared square canvas, in CSS pixels, and the canvas's size; out of sight in JupyterLab, which gives
// it none there, the one that it had.
function cleared(canvas) {
  const pen = canvas.getContext("2d"), sharp = window.devicePixelRatio || 1;
  const size = canvas.clientWidth || canvas.width / sharp;
  if (canvas.width !== Math.round(size * sharp)) canvas.width = canvas.height = Math.round(size * sharp);
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, size, size);
  pen.lineWidth = 1;
  pen.lineCap = "round";
  return {pen, size};
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

// The badge of class j, at the end of its vector.
function label(pen, x, y, j, data, colors, small) {
  pen.font = `bold ${small ? 10 : 13}px system-ui, "DejaVu Sans", sans-serif`;
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

// Crosses over the samples listed, in the colour of their true class, with an edge; many of them: smaller ones.
function crosses(pen, chosen, px, py, labels, wrong, colors, small) {
  const arm = (small ? 2.2 : 3.6) / Math.sqrt(Math.max(1, wrong / 60));
  for (const [width, color] of [[3.4, () => colors.ink], [1.6, i => colors.classes[labels[i]]]]) {
    pen.lineWidth = small ? 0.8 * width : width;
    for (const i of chosen) {
      pen.strokeStyle = color(i);
      line(pen, px[i] - arm, py[i] - arm, px[i] + arm, py[i] + arm);
      line(pen, px[i] - arm, py[i] + arm, px[i] + arm, py[i] - arm);
    }
  }
}

function ring(pen, x, y, colors, small) {
  pen.lineWidth = 2.5;
  pen.strokeStyle = colors.ink;
  disc(pen, x, y, small ? 6 : 8);
  pen.stroke();
}

// A class's badge in running text, and under a picture a key to badges that are numbers.
function badge(j, data, texts = data.classes) {
  const made = document.createElement("span");
  made.className = "lb-badge";
  made.textContent = texts[j];
  Object.assign(made.style, {background: data.colors[j], color: data.inks[j]});
  return made;
}

function fillKey(box, data) {
  if (data.badges.every((text, j) => text === data.classes[j])) return;
  data.classes.forEach((name, j) => {
    const item = document.createElement("span");
    item.append(badge(j, data, data.badges), ` ${name}`);
    box.append(item);
  });
}

function crossMark() {
  return Object.assign(document.createElement("span"), {className: "lb-wrong", textContent: " ✖ mistake"});
}
