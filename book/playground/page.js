// The page: the buttons, the form, and the loop that trains and draws. `data` is written by tools/playground.py.
import { Chosen } from "./chosen.js";
import { Curves, record } from "./curves.js";
import { data } from "./data.js";
import { Circle, Plane } from "./pictures.js";
import { addressOf, complaintsOf, fill, followFields, readAddress, settingOf, slid } from "./setting.js";
import { BATCH, split, STEPS, Training } from "./training.js";

// Milliseconds: a picture and the training before it should fit FRAME; the training gets SHORTEST to LONGEST of them.
const FRAME = 40, SHORTEST = 4, LONGEST = 25;

const app = document.getElementById("playground-app"), form = app.querySelector("form");
const part = (name) => app.querySelector(`[data-part="${name}"]`);
const look = { colors: data.colors, onColors: data.onColors };
const pictures = [new Circle(part("circle"), look), new Plane(part("plane"), look)];
const curves = [new Curves(part("loss"), [{ key: "loss", name: "batch", dash: [] }], true, look),
                new Curves(part("accuracy"), [{ key: "train", name: "training", dash: [] },
                                              { key: "held", name: "held out", dash: [6, 4] }], false, look)];
const sets = split(data), chosen = new Chosen(part("chosen"));
let training, history, playing = false, drawn = 0, began = 0, trained = 0;

// Training

function reset() {
  training = new Training(sets.train, settingOf(form), data.annealing);
  history = [];
  if (!playing) app.dataset.state = "paused";
  show();
  say("Ready: new weights, nothing learned yet.");
}

function play(on) {
  if (on && training.failure) reset();
  playing = on;
  part("play").textContent = on ? "Pause" : "Play";
  app.dataset.state = on ? "playing" : "paused";
  if (on) requestAnimationFrame(nextPicture);
  say(on ? "Training." : `Paused at ${summary()}.`);
}

function nextPicture() {
  if (!playing) return;
  const now = performance.now(), rest = now - began - trained;      // what the last picture took besides training
  const until = now + Math.max(SHORTEST, Math.min(LONGEST, FRAME - rest));
  const last = training.step + Number(training.setting.pace);
  do advance(); while (playing && training.step < last && performance.now() < until);
  [began, trained] = [now, performance.now() - now];
  show();
  requestAnimationFrame(nextPicture);
}

/** One step; it ends the training if it fails, or if it is the last that was planned. */
function advance() {
  training.advance();
  if (training.failure) {
    if (playing) play(false);
    app.dataset.state = "failed";
    say(`${training.failure.what} at step ${training.step}: ${reason(training.failure)} The step was not taken.`);
  } else if (training.step === STEPS) {
    play(false);
    say("That was all that was planned. Play goes on.");
  }
}

function step() {
  if (playing) play(false);
  if (training.failure) reset();
  advance();
  show();
  if (!training.failure) say(`At ${summary()}.`);
}

function reason({ loss, label, cause }) {
  const ordinary = `the loss is an ordinary ${loss.toFixed(3)}, but a gradient is not finite. `;
  return (Number.isFinite(loss) ? ordinary : "the loss is not finite. ") + {
    arccos: `A ${label} lies exactly along its class vector, cos θ = ±1, where arccos has an infinite slope, ` +
            "and ∞ · 0 is not a number.",
    exp: "In single precision the exp of a logit above 88 is infinite, and that of one below −103 is 0.",
    runaway: "The weights have run away: try a lower learning rate.",
  }[cause];
}

function summary() {
  if (!history.length) return "step 0";
  const { step: at, loss, train, held } = history.at(-1);
  return `step ${at}: loss ${loss.toFixed(3)}, ${percent(train)} of the training and ${percent(held)} of the ` +
         "held-out digits right";
}

// Showing

function shownSet() {
  return training.setting.show === "held" ? sets.held : sets.sample;
}

function show() {
  const shown = shownSet(), { labels } = shown, { failure, step: now, weight } = training;
  const train = training.look(sets.sample), held = training.look(sets.held);
  const { embeddings, winners } = shown === sets.held ? held : train;
  if (now > (history.at(-1)?.step ?? 0)) {
    history = record(history, { step: now, loss: training.loss, failure, train: train.accuracy, held: held.accuracy });
  }
  const { rows, cursor } = chosen, pulls = training.pulls(embeddings, labels, rows);
  const scene = { embeddings, winners, labels, weight: weight.value, chosen: rows, cursor, pulls, failure };
  for (const picture of pictures) picture.draw(scene);
  for (const curve of curves) curve.draw(history);
  chosen.show(shown, scene);
  part("clear").disabled = rows.length === 0;
  const numbers = { "step-count": now, epoch: (now * BATCH / sets.train.n).toFixed(1),
                    "loss-now": now ? training.loss.toFixed(3) : "–",
                    gradient: failure?.what ?? (now ? "finite" : "–"), train: percent(train.accuracy),
                    held: percent(held.accuracy), lambda: training.lambda.toFixed(2) };
  for (const [name, value] of Object.entries(numbers)) part(name).textContent = value;
  app.dataset.pictures = ++drawn;
}

function say(text) {
  part("status").textContent = text;
}

function complain(sentences) {
  const paragraph = (text) => Object.assign(document.createElement("p"), { textContent: text });
  part("complaints").replaceChildren(...sentences.map(paragraph));
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Take the colours of the style sheet; they change when the reader changes between light and dark. */
function takeColors() {
  const style = getComputedStyle(app), color = (name) => style.getPropertyValue(`--${name}`).trim();
  for (const name of ["ink", "paper", "muted", "faint", "alarm", "focus"]) look[name] = color(name);
  Object.assign(look, { lines: [color("first"), color("second")], family: style.fontFamily });
}

// The reader

/** The form has changed: training goes on under the new setting, if it is one. */
function changed() {
  const complaints = complaintsOf(form);
  complain(complaints.map((sentence) => `${sentence} Until then the last sound setting holds.`));
  if (complaints.length) return;
  const before = training.setting;
  training.setting = settingOf(form);
  if (training.failure) [training.failure, app.dataset.state] = [null, "paused"];
  if (training.setting.show !== before.show) chosen.clear();
  followForm();
  if (training.setting.seed !== before.seed) reset();
  else show();
}

/** Sliders and the menu of presets follow the fields. */
function followForm() {
  followFields(form);
  const setting = settingOf(form);
  const same = (preset) => Object.entries(preset).every(([name, value]) => setting[name] === value);
  part("preset").value = Object.keys(data.presets).find((name) => same(data.presets[name])) ?? "";
}

function choose(i) {
  if (i < 0) return;
  chosen.toggle(i);
  show();
  const what = chosen.rows.includes(i) ? "Chosen" : "No longer chosen";
  say(`${what}: a ${shownSet().labels[i]}. ${chosen.rows.length} chosen.`);
}

function walk(way) {
  const shown = shownSet(), { embeddings } = training.look(shown);
  chosen.walk(embeddings, way);
  show();
  say(`At a ${shown.labels[chosen.cursor]}.`);
}

function pressed(event) {
  const way = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 }[event.key];
  if (way) walk(way);
  else if (event.key === "Enter" || event.key === " ") choose(chosen.cursor);
  else return;
  event.preventDefault();
}

function listen() {
  part("play").addEventListener("click", () => play(!playing));
  part("step").addEventListener("click", step);
  part("reset").addEventListener("click", reset);
  part("clear").addEventListener("click", () => { chosen.clear(); show(); });
  part("each").addEventListener("click", () => { chosen.oneOfEach(shownSet().labels); show(); });
  part("preset").addEventListener("input", (event) => {
    event.stopPropagation();
    fill(form, data.presets[part("preset").value] ?? {});
    changed();
    reset();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    if (target.dataset.for) fill(form, { [target.dataset.for]: slid(target) });
    changed();
  });
  form.addEventListener("change", () => {
    if (!complaintsOf(form).length) window.history.replaceState(null, "", addressOf(form) + window.location.hash);
  });
  for (const picture of pictures) {
    picture.canvas.addEventListener("click", ({ offsetX, offsetY }) => choose(picture.nearest(offsetX, offsetY)));
    picture.canvas.addEventListener("keydown", pressed);
  }
  const recolored = new MutationObserver(() => { takeColors(); show(); });
  recolored.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  new ResizeObserver(show).observe(app);
}

part("preset").append(...Object.keys(data.presets).map((name) => new Option(name, name)));
complain(readAddress(form, window.location.search, data.presets));
followForm();
document.documentElement.classList.add("playground-runs");
app.hidden = false;
takeColors();
reset();
listen();
play(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
