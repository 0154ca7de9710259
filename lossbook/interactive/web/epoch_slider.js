// Embeddings over the epochs: two canvases that share one moment of training and one view.
import {approach, badgeElement, colorsOf, crossMark, decodeUint16, fillKey, ticker}
  from "./canvas.js";
import {makeClock} from "./clock.js";
import {onTheme, part, press} from "./common.js";
import {angleToVector, drawPanel, listenForPoints, makePanel, move, predictionOf, track}
  from "./embedding_view.js";

const HINT = "Point at a point, or tap it: which image is it, and how far from its class vector?";

export function start(root, data) {
  const last = data.epochs.length - 1, C = data.classes.length;
  const filter = part(root, "filter");
  const views = [...root.querySelectorAll("[data-view]")];
  const first = Number(data.view === "circle");
  const state = {circle: first, circleGoal: first, filter: "all", chosen: null, colors: null};
  const vectors = track(decodeUint16(data.vectors), null, last + 1, C);
  let sampleCount = 0;
  const panels = ["train", "test"].map(name => {
    const box = root.querySelector(`[data-split="${name}"]`);
    const panel = makePanel(box, name, data, sampleCount);
    sampleCount += panel.n;
    return panel;
  });

  // One frame: move time and view towards their goals, draw, and request the next if needed.
  const wake = ticker(frame), clock = makeClock(root, data.epochs, wake);
  function frame(step) {
    const moving = clock.advance(step);
    state.circle = approach(state.circle, state.circleGoal, step);
    show();
    if (moving || state.circle !== state.circleGoal) wake();
  }

  function show() {
    const {epoch, next, t, title} = clock.moment(), arrows = move(vectors, epoch, next, t);
    for (const panel of panels) {
      panel.at = move(panel.track, epoch, next, t);
      panel.epoch = epoch;
      drawPanel(panel, arrows, state, data, title);
    }
    describe(arrows);
  }

  function describe(arrows) {
    const box = part(root, "about"), picture = part(root, "picture");
    picture.classList.toggle("lb-shown", Boolean(state.chosen && data.sheet));
    if (!state.chosen) {
      if (box.textContent !== HINT) box.textContent = HINT;
      return;
    }
    const {panel, i} = state.chosen, y = panel.labels[i], prediction = predictionOf(panel, i);
    const right = prediction === y;
    box.replaceChildren(`A ${panel.name} image of `, badgeElement(y, data),
      right ? ", predicted " : ", taken for ", badgeElement(prediction, data),
      right ? " ✓" : crossMark(), document.createElement("br"),
      `${angleToVector(panel, arrows, i).toFixed(1)}° from its class vector`);
    if (data.sheet) {
      showThumbnail(picture, data.sheet, panel.first + i);
      picture.setAttribute("aria-label", `The chosen image, of class ${data.classes[y]}`);
    }
  }

  function choose(panel, i, held) {
    state.chosen = i < 0 ? null : {panel, i, held};
    wake();
  }

  part(root, "name").textContent = data.name;
  fillKey(part(root, "key"), data);
  data.classes.forEach((name, j) => filter.append(new Option(`only ${name}`, j)));
  filter.addEventListener("change", () => {
    state.filter = filter.value;
    state.chosen = null;
    wake();
  });
  for (const button of views) button.addEventListener("click", () => {
    state.circleGoal = button.dataset.view === "circle" ? 1 : 0;
    press(views, each => each === button);
    wake();
  });
  press(views, each => each.dataset.view === data.view);
  for (const panel of panels) listenForPoints(panel, choose, () => state.chosen);
  onTheme(root, () => { state.colors = colorsOf(root, data); wake(); });
  const sizes = new ResizeObserver(() => { state.colors = colorsOf(root, data); wake(); });
  for (const panel of panels) sizes.observe(panel.canvas);
}

// Show thumbnail k of the sheet in `box`.
function showThumbnail(box, {columns, rows, width, height, src}, k) {
  const zoom = 64 / Math.max(width, height), row = Math.floor(k / columns);
  Object.assign(box.style, {
    width: `${width * zoom}px`, height: `${height * zoom}px`,
    backgroundSize: `${columns * width * zoom}px ${rows * height * zoom}px`,
    backgroundPosition: `${-(k % columns) * width * zoom}px ${-row * height * zoom}px`});
  if (!box.style.backgroundImage) box.style.backgroundImage = `url(${src})`;
}
