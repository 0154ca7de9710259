// Embeddings over the epochs: two canvases that share one moment of training and one view.
import {approach, badgeElement, colorsOf, crossMark, decodeUint16, fillKey, reducedMotion, ticker}
  from "./canvas.js";
import {onTheme, part, press} from "./common.js";
import {drawPanel, makePanel, move, track} from "./embedding_view.js";

const SECONDS = 0.6;        // that an epoch takes while playing
const HINT = "Point at a point, or tap it: which image is it, and how far from its class vector?";

export function start(root, data) {
  const last = data.epochs.length - 1, C = data.classes.length;
  const slider = part(root, "slider"), play = part(root, "play");
  const views = [...root.querySelectorAll("[data-view]")];
  const first = Number(data.view === "circle");
  const state = {time: last, circle: first, circleGoal: first, playing: false, chosen: null,
                 colors: null};
  const vectors = track(decodeUint16(data.vectors), null, last + 1, C);
  let sampleCount = 0;
  const panels = ["train", "test"].map(name => {
    const box = root.querySelector(`[data-split="${name}"]`);
    const panel = makePanel(box, name, data, sampleCount);
    sampleCount += panel.n;
    return panel;
  });

  // One frame: move time and view towards their goals, draw, and request the next if needed.
  const wake = ticker(frame);
  function frame(step) {
    if (state.playing) {
      state.time = Math.min(last, state.time + step / SECONDS);
      slider.value = Math.floor(state.time);
      if (state.time === last) setPlaying(false);
    } else {
      state.time = approach(state.time, +slider.value, step);
    }
    state.circle = approach(state.circle, state.circleGoal, step);
    show();
    const settled = state.time === +slider.value && state.circle === state.circleGoal;
    if (state.playing || !settled) wake();
  }

  function show() {
    const time = reducedMotion.matches && state.playing ? Math.floor(state.time) : state.time;
    const epoch = Math.floor(time), t = time - epoch, next = Math.min(epoch + 1, last);
    const arrows = move(vectors, epoch, next, t);
    const title = `epoch ${data.epochs[epoch]}` + (t ? ` → ${data.epochs[next]}` : "");
    part(root, "epoch").textContent = title;
    slider.setAttribute("aria-valuetext", title);
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
    const {panel, i} = state.chosen, y = panel.labels[i];
    const prediction = panel.predicted[panel.epoch * panel.n + i];
    const cos = panel.at.ux[i] * arrows.ux[y] + panel.at.uy[i] * arrows.uy[y];
    const sin = panel.at.ux[i] * arrows.uy[y] - panel.at.uy[i] * arrows.ux[y];
    const degrees = Math.abs(Math.atan2(sin, cos)) * 180 / Math.PI;
    const right = prediction === y;
    box.replaceChildren(`A ${panel.name} image of `, badgeElement(y, data),
      right ? ", predicted " : ", taken for ", badgeElement(prediction, data),
      right ? " ✓" : crossMark(), document.createElement("br"),
      `${degrees.toFixed(1)}° from its class vector`);
    if (data.sheet) {
      showThumbnail(picture, data.sheet, panel.first + i);
      picture.setAttribute("aria-label", `The chosen image, of class ${data.classes[y]}`);
    }
  }

  function setPlaying(playing) {
    state.playing = playing;
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  function choose(panel, i, held) {
    state.chosen = i < 0 ? null : {panel, i, held};
    wake();
  }

  part(root, "name").textContent = data.name;
  fillKey(part(root, "key"), data);
  slider.max = slider.value = last;
  slider.addEventListener("input", () => { setPlaying(false); wake(); });
  play.disabled = last === 0;
  play.addEventListener("click", () => {
    if (!state.playing && state.time === last) state.time = 0;
    if (state.playing) slider.value = Math.round(state.time);
    setPlaying(!state.playing);
    wake();
  });
  for (const button of views) button.addEventListener("click", () => {
    state.circleGoal = button.dataset.view === "circle" ? 1 : 0;
    press(views, each => each === button);
    wake();
  });
  press(views, each => each.dataset.view === data.view);
  for (const panel of panels) listen(panel, choose, () => state.chosen);
  onTheme(root, () => { state.colors = colorsOf(root, data); wake(); });
  const sizes = new ResizeObserver(() => { state.colors = colorsOf(root, data); wake(); });
  for (const panel of panels) sizes.observe(panel.canvas);
  setPlaying(false);
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

// Mouse, finger and keys on a panel's canvas.
function listen(panel, choose, chosen) {
  const {canvas, px, py, labels, predicted, n} = panel;
  const nearest = (event, within) => {
    let best = -1, least = within;
    for (let i = 0; i < n; i++) {
      const distance = Math.hypot(px[i] - event.offsetX, py[i] - event.offsetY);
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
    const isWrong = i => predicted[panel.epoch * n + i] !== labels[i];
    const around = i => Math.atan2(panel.at.uy[i], panel.at.ux[i]);
    const all = event.key === "ArrowRight" || event.key === "ArrowLeft";
    const ordered = [...labels.keys()].filter(i => all || isWrong(i))
      .sort((a, b) => around(a) - around(b));
    const from = chosen()?.panel === panel ? ordered.indexOf(chosen().i) : -1;
    if (!ordered.length) return;
    if (from < 0) choose(panel, ordered.at(step > 0 ? 0 : -1), true);
    else choose(panel, ordered[(from + step + ordered.length) % ordered.length], true);
  });
}
