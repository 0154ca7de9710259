// The page: the buttons, the form, and the loop that trains and draws. tools/web/playground.py
// writes the constant `data` before this script.
import { part } from "../../lossbook/interactive/web/common.js";
import { ChosenSamples } from "./chosen_samples.js";
import { Circle, Plane } from "./embedding_pictures.js";
import { addressOf, complaintsOf, moveSliders, readAddress, setFields, settingOf, sliderValue }
  from "./form.js";
import { addRow, LossCurves } from "./loss_curves.js";
import { BATCH, split, STEPS, Training } from "./training.js";

// Milliseconds: a picture and the training before it should fit into FRAME, of which the training
// takes SHORTEST to LONGEST.
const FRAME = 40, SHORTEST = 4, LONGEST = 25;
const ACCURACIES = [{ key: "train", name: "training", dash: [] },
                    { key: "held", name: "held out", dash: [6, 4] }];

const app = document.getElementById("playground-app"), form = app.querySelector("form");
const look = { classes: data.colors };
const pictures = [new Circle(part(app, "circle"), data, look),
                  new Plane(part(app, "plane"), data, look)];
const curves = [new LossCurves(part(app, "loss"), [{ key: "loss", name: "batch", dash: [] }], true,
                               look),
                new LossCurves(part(app, "accuracy"), ACCURACIES, false, look)];
const sets = split(data), chosen = new ChosenSamples(part(app, "chosen"));
let training, history, playing = false, pictureCount = 0, frameStart = 0, trainingTime = 0;

// Training

function reset() {
  training = new Training(sets.train, settingOf(form), data.annealing);
  history = [];
  if (!playing) app.dataset.state = "paused";
  show();
  setStatus("Ready: new weights, nothing learned yet.");
}

function play(on) {
  if (on && training.failure) reset();
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
  const last = training.step + Number(training.setting.pace);
  do advance(); while (playing && training.step < last && performance.now() < until);
  [frameStart, trainingTime] = [now, performance.now() - now];
  show();
  requestAnimationFrame(nextPicture);
}

/** One step; it ends the training if it fails, or if it is the last that was planned. */
function advance() {
  training.advance();
  if (training.failure) {
    if (playing) play(false);
    app.dataset.state = "failed";
    const { what } = training.failure, { step: at } = training;
    setStatus(`${what} at step ${at}: ${reason(training.failure)} The step was not taken.`);
  } else if (training.step === STEPS) {
    play(false);
    setStatus("That was all that was planned. Play goes on.");
  }
}

function step() {
  if (playing) play(false);
  if (training.failure) reset();
  advance();
  show();
  if (!training.failure) setStatus(`At ${summary()}.`);
}

function reason({ loss, label, cause }) {
  const ordinary = `the loss is an ordinary ${loss.toFixed(3)}, but a gradient is not finite. `;
  return (Number.isFinite(loss) ? ordinary : "the loss is not finite. ") + {
    arccos: `A ${label} lies exactly along its class vector, cos θ = ±1, where arccos has an ` +
            "infinite slope, and ∞ · 0 is not a number.",
    exp: "In single precision the exp of a logit above 88 is infinite, and that of one below " +
         "−103 is 0.",
    runaway: "The weights have run away: try a lower learning rate.",
  }[cause];
}

function summary() {
  if (!history.length) return "step 0";
  const { step: at, loss, train, held } = history.at(-1);
  return `step ${at}: loss ${loss.toFixed(3)}, ${percent(train)} of the training and ` +
         `${percent(held)} of the held-out digits right`;
}

// Showing

function shownSet() {
  return training.setting.show === "held" ? sets.held : sets.sample;
}

function show() {
  const shown = shownSet(), { labels } = shown, { failure, step: now, weight } = training;
  const train = training.evaluate(sets.sample), held = training.evaluate(sets.held);
  const { embeddings, winners } = shown === sets.held ? held : train;
  if (now > (history.at(-1)?.step ?? 0)) {
    history = addRow(history, { step: now, loss: training.loss, failure, train: train.accuracy,
                                held: held.accuracy });
  }
  const { rows, cursor } = chosen, pulls = training.pulls(embeddings, labels, rows);
  const scene = { embeddings, winners, labels, weight: weight.value, chosen: rows, cursor, pulls,
                  failure };
  for (const picture of pictures) picture.draw(scene);
  for (const curve of curves) curve.draw(history);
  chosen.show(shown, scene);
  part(app, "clear").disabled = rows.length === 0;
  const numbers = { "step-count": now, epoch: (now * BATCH / sets.train.n).toFixed(1),
                    "loss-now": now ? training.loss.toFixed(3) : "–",
                    gradient: failure?.what ?? (now ? "finite" : "–"),
                    train: percent(train.accuracy), held: percent(held.accuracy),
                    lambda: training.lambda.toFixed(2) };
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

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Read the colours of the style sheet; they change between light and dark. */
function readColors() {
  const style = getComputedStyle(app), color = (name) => style.getPropertyValue(`--${name}`).trim();
  Object.assign(look, { ink: color("ink"), surface: color("paper"), grey: color("muted"),
                        line: color("faint"), alarm: color("alarm"), focus: color("focus") });
  Object.assign(look, { lines: [color("first"), color("second")], family: style.fontFamily });
}

// The reader

/** The form has changed: training goes on under the new setting, if it is one. */
function onInput() {
  const complaints = complaintsOf(form);
  complain(complaints.map((sentence) => `${sentence} Until then the last sound setting holds.`));
  if (complaints.length) return;
  const before = training.setting;
  training.setting = settingOf(form);
  if (training.failure) {
    [training.failure, app.dataset.state] = [null, "paused"];
    setStatus(`The setting has changed. Play goes on from step ${training.step}.`);
  }
  if (training.setting.show !== before.show) chosen.clear();
  updateControls();
  if (training.setting.seed !== before.seed) reset();
  else show();
}

/** Set the sliders and the menu of presets to the values of the fields. */
function updateControls() {
  moveSliders(form);
  const setting = settingOf(form);
  const same = (preset) => Object.entries(preset).every(([name, value]) => setting[name] === value);
  const names = Object.keys(data.presets);
  part(app, "preset").value = names.find((name) => same(data.presets[name])) ?? "";
}

function choose(i) {
  if (i < 0) return;
  chosen.toggle(i);
  show();
  const change = chosen.rows.includes(i) ? "Chosen" : "No longer chosen";
  setStatus(`${change}: a ${shownSet().labels[i]}. ${chosen.rows.length} chosen.`);
}

function walk(step) {
  const shown = shownSet(), { embeddings } = training.evaluate(shown);
  chosen.walk(embeddings, step);
  show();
  setStatus(`At a ${shown.labels[chosen.cursor]}.`);
}

function onKey(event) {
  const way = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 }[event.key];
  if (way) walk(way);
  else if (event.key === "Enter" || event.key === " ") choose(chosen.cursor);
  else return;
  event.preventDefault();
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
    setFields(form, data.presets[part(app, "preset").value] ?? {});
    onInput();
    reset();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    if (target.dataset.for) setFields(form, { [target.dataset.for]: sliderValue(target) });
    onInput();
  });
  form.addEventListener("change", () => {
    if (complaintsOf(form).length) return;
    window.history.replaceState(null, "", addressOf(form) + window.location.hash);
  });
  for (const picture of pictures) {
    picture.canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      choose(picture.nearest(offsetX, offsetY));
    });
    picture.canvas.addEventListener("keydown", onKey);
  }
  const recolored = new MutationObserver(() => { readColors(); show(); });
  recolored.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  new ResizeObserver(show).observe(app);
}

part(app, "preset").append(...Object.keys(data.presets).map((name) => new Option(name, name)));
complain(readAddress(form, window.location.search, data.presets));
updateControls();
document.documentElement.classList.add("playground-runs");
app.hidden = false;
readColors();
reset();
listen();
play(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
