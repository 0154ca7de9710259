// The page: the buttons, the form, and the loop that trains and draws. tools/web/playground.py
// writes the constant `data` before this script.
import { copyLinkWith, part } from "../../lossbook/interactive/web/common.js";
import { ChosenSamples } from "./chosen_samples.js";
import { addressOf, complaintsOf, moveSliders, readAddress, setFields, settingOf, settingsOf,
         sliderValue, useCompared } from "./form.js";
import { readColors } from "./look.js";
import { addRow, LINES, LossCurves } from "./loss_curves.js";
import { fillMaps } from "./map.js";
import { rowOf, Side } from "./side.js";
import { BATCH, split, STEPS } from "./training.js";
import { ABOUT_COMPARING, describeFailure, describeLoss, describeResult, formatLoss, percent }
  from "./words.js";

// Milliseconds: a picture and the training before it should fit into FRAME, of which the training
// takes SHORTEST to LONGEST.
const FRAME = 40, SHORTEST = 4, LONGEST = 25;

const app = document.getElementById("playground-app"), form = app.querySelector("form");
const look = { classes: data.colors };
const sides = [new Side(app, "A", "", data, look), new Side(app, "B", "-b", data, look)];
const curves = [new LossCurves(part(app, "loss"), true, look),
                new LossCurves(part(app, "accuracy"), false, look)];
const sets = split(data), chosen = new ChosenSamples(part(app, "chosen"));
// `running` are the sides that train, in step with each other.
let running, history, playing = false, pictureCount = 0, frameStart = 0, trainingTime = 0;

// Training

function reset() {
  const settings = settingsOf(form, data.losses);
  running = sides.slice(0, settings.length);
  running.forEach((side, k) => side.begin(sets.train, settings[k], data.annealing));
  app.toggleAttribute("data-compares", running.length > 1);
  curves.forEach((curve, k) => { curve.lines = LINES[running.length - 1][k]; });
  history = [];
  if (!playing) app.dataset.state = "paused";
  show();
  setStatus("Ready: new weights, nothing learned yet.");
}

/** The first training; what does not depend on the loss, all have in common. */
function first() {
  return running[0].training;
}

function failedSide() {
  return running.find(({ training }) => training.failure);
}

function play(on) {
  if (on && failedSide()) reset();
  playing = on;
  part(app, "play").textContent = on ? "Pause" : "Play";
  app.dataset.state = on ? "playing" : "paused";
  if (on) requestAnimationFrame(nextPicture);
  setStatus(on ? "Training." : `Paused at ${summary()}.`);
}

function nextPicture() {
  if (!playing) return;
  const now = performance.now();
  const rest = now - frameStart - trainingTime;     // what the last picture took besides training
  const until = now + Math.max(SHORTEST, Math.min(LONGEST, FRAME - rest));
  const last = first().step + Number(first().setting.pace);
  do advance(); while (playing && first().step < last && performance.now() < until);
  [frameStart, trainingTime] = [now, performance.now() - now];
  show();
  requestAnimationFrame(nextPicture);
}

/** One step of each side; it ends the training if it fails, or if it is the last planned. */
function advance() {
  for (const { training } of running) training.advance();
  const side = failedSide();
  if (side) {
    if (playing) play(false);
    app.dataset.state = "failed";
    setStatus(`${letterOf(side)}${describeFailure(side.training.failure)} The step was not taken.`);
  } else if (first().step === STEPS) {
    play(false);
    setStatus("That was all that was planned. Play goes on.");
  }
}

function step() {
  if (playing) play(false);
  if (failedSide()) reset();
  advance();
  show();
  if (!failedSide()) setStatus(`At ${summary()}.`);
}

function summary() {
  const { step: at } = running[0].result;
  if (!at) return "step 0";
  const results = running.map((side) => letterOf(side) + describeResult(side.result));
  return `step ${at}: ${results.join("; ")}`;
}

/** In a comparison, what precedes a sentence about one side. */
function letterOf({ name }) {
  return running.length > 1 ? `${name}: ` : "";
}

// Showing

function shownSet() {
  return first().setting.show === "held" ? sets.held : sets.sample;
}

function show() {
  const shown = shownSet(), now = first().step, failure = failedSide()?.training.failure;
  for (const side of running) side.evaluate(sets, shown, chosen);
  if (now > (history.at(-1)?.step ?? 0)) {
    history = addRow(history, { step: now, failure, ...rowOf(running) });
  }
  for (const side of running) side.draw();
  for (const curve of curves) curve.draw(history);
  chosen.show(shown, running);
  part(app, "clear").disabled = chosen.rows.length === 0;
  const { loss, train, held, angle } = running[0].result;
  const numbers = { "step-count": now, epoch: (now * BATCH / sets.train.n).toFixed(1),
                    "loss-now": formatLoss(loss), gradient: failure?.what ?? (now ? "finite" : "–"),
                    train: percent(train), held: percent(held), angle: `${angle.toFixed(1)}°`,
                    lambda: first().lambda.toFixed(2) };
  for (const [name, value] of Object.entries(numbers)) part(app, name).textContent = value;
  app.dataset.pictures = ++pictureCount;
}

function setStatus(text) {
  part(app, "status").textContent = text;
}

function complain(sentences) {
  const paragraph = (text) => Object.assign(document.createElement("p"), { textContent: text });
  part(app, "complaints").replaceChildren(...sentences.map(paragraph));
}

// The reader

/** The form has changed: training goes on under the new setting, if it is one. */
function onInput() {
  const complaints = complaintsOf(form);
  complain(complaints.map((sentence) => `${sentence} Until then the last sound setting holds.`));
  if (complaints.length) return;
  updateControls();
  const settings = settingsOf(form, data.losses), { show: set, seed, compare } = first().setting;
  if (settings[0].show !== set) chosen.clear();
  if (settings[0].seed !== seed || settings[0].compare !== compare) return reset();
  if (failedSide()) {
    app.dataset.state = "paused";
    setStatus(`The setting has changed. Play goes on from step ${first().step}.`);
  }
  running.forEach(({ training }, k) => {
    Object.assign(training, { setting: settings[k], failure: null });
  });
  show();
}

/** Set what follows the fields: sliders, the menu of presets, and what the losses do. */
function updateControls() {
  useCompared(form, data.losses);
  moveSliders(form);
  const [setting, compared] = settingsOf(form, data.losses);
  part(app, "about").textContent = describeLoss(setting);
  part(app, "about-b").textContent = compared ? describeLoss(compared) : ABOUT_COMPARING;
  const same = (preset) => Object.entries(preset).every(([name, value]) => setting[name] === value);
  const names = Object.keys(data.presets);
  part(app, "preset").value = names.find((name) => same(data.presets[name])) ?? "";
}

function startAnew(values) {
  setFields(form, values);
  onInput();
  reset();
}

function choose(i) {
  if (i < 0) return;
  chosen.toggle(i);
  show();
  const change = chosen.rows.includes(i) ? "Chosen" : "No longer chosen";
  setStatus(`${change}: a ${shownSet().labels[i]}. ${chosen.rows.length} chosen.`);
}

function walk({ scene: { embeddings, labels } }, step) {
  chosen.walk(embeddings, step);
  show();
  setStatus(`At a ${labels[chosen.cursor]}.`);
}

function onKey(event, side) {
  const way = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 }[event.key];
  if (way) walk(side, way);
  else if (event.key === "Enter" || event.key === " ") choose(chosen.cursor);
  else return;
  event.preventDefault();
}

function keepInAddress() {
  if (complaintsOf(form).length) return;
  window.history.replaceState(null, "", addressOf(form) + window.location.hash);
}

function listen() {
  part(app, "play").addEventListener("click", () => play(!playing));
  part(app, "step").addEventListener("click", step);
  part(app, "reset").addEventListener("click", reset);
  part(app, "clear").addEventListener("click", () => { chosen.clear(); show(); });
  part(app, "each").addEventListener("click", () => {
    chosen.chooseOneOfEach(shownSet().labels);
    show();
  });
  part(app, "preset").addEventListener("input", (event) => {
    event.stopPropagation();
    startAnew(data.presets[part(app, "preset").value] ?? {});
  });
  fillMaps(app, data, (setting) => { startAnew(setting); keepInAddress(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    if (target.dataset.for) setFields(form, { [target.dataset.for]: sliderValue(target) });
    onInput();
  });
  form.addEventListener("change", keepInAddress);
  part(app, "copy").addEventListener("click", keepInAddress);      // before it is copied
  copyLinkWith(part(app, "copy"), part(app, "copied"));
  for (const side of sides) for (const picture of side.pictures) {
    picture.canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      choose(picture.nearest(offsetX, offsetY));
    });
    picture.canvas.addEventListener("keydown", (event) => onKey(event, side));
  }
  const recolored = new MutationObserver(() => { readColors(app, look); show(); });
  recolored.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  new ResizeObserver(show).observe(app);
}

const options = (choices) => Object.keys(choices).map((name) => new Option(name, name));
part(app, "preset").append(...options(data.presets));
form.elements.compare.append(...options(data.losses));
complain(readAddress(form, window.location.search, data));
updateControls();
document.documentElement.classList.add("playground-runs");
app.hidden = false;
readColors(app, look);
reset();
listen();
play(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
