// The front page's moving picture: the same digits under two losses, epoch after epoch, on a loop.
// It takes the place of the still one. A reader chooses the losses, and a digit to follow in both
// halves. tools/web/hero.py writes the constant `runs` before this script.
import { angleLine, badgeElement, colorsOf, decodeUint16, reducedMotion }
  from "../../lossbook/interactive/web/canvas.js";
import { onTheme, part } from "../../lossbook/interactive/web/common.js";
import { angleToVector, drawPanel, listenForPoints, makePanel, move, predictionOf, track }
  from "../../lossbook/interactive/web/embedding_view.js";

const SECONDS = 0.6, REST = 4;          // that an epoch takes, and that the last one stays
const HINT = "Choose two losses. Point at a point, or tap it: which digit is it, and how far is it "
  + "from its class vector?";
const root = document.getElementById("hero"), figure = document.querySelector("figure.hero");
const slider = part(root, "slider"), play = part(root, "play"), about = part(root, "about");
const epochs = runs[0].epochs, last = epochs.length - 1;
let time = last, playing = false, visible = false, request = 0, before = 0, colors, chosen = null;
const panels = [...root.querySelectorAll("[data-panel]")].map((box, side) => {
  const panel = {}, loss = part(box, "loss");
  const load = () => {
    const data = runs[loss.value];
    const vectors = track(decodeUint16(data.vectors), null, last + 1, data.classes.length);
    Object.assign(panel, makePanel(box, "test", data, 0), {data, vectors});
    part(box, "code").textContent = data.code;
    wake();
  };
  runs.forEach((run, k) => loss.append(new Option(run.title, k)));
  loss.value = side;
  loss.addEventListener("change", load);
  load();
  listenForPoints(panel, (chosenIn, i, held) => {
    chosen = i < 0 ? null : {panel: chosenIn, i, held};
    wake();
  }, () => chosen);
  return panel;
});

function wake() { request ||= requestAnimationFrame(frame); }
function frame(now) {
  request = 0;
  if (playing) {
    time += Math.min(now - before, 100) / 1000 / SECONDS;
    if (time > last + REST / SECONDS) time = 0;
    slider.value = Math.floor(Math.min(time, last));
  }
  before = now;
  show(Math.min(time, last));
  if (playing && visible) wake();
}

function show(time) {
  const epoch = Math.floor(time), next = Math.min(epoch + 1, last), t = time - epoch;
  const title = `epoch ${epochs[epoch]} of ${epochs[last]}`;
  part(root, "epoch").textContent = title;
  for (const panel of panels) {
    const vectors = move(panel.vectors, epoch, next, t);
    panel.at = move(panel.track, epoch, next, t);
    panel.epoch = epoch;
    drawPanel(panel, vectors, {circle: 0, chosen: chosen && {panel, i: chosen.i}, colors},
              panel.data, `${panel.data.title}, ${title}`);
  }
  describe();
}

// The chosen digit is the same image in both halves: all runs show the same ones.
function describe() {
  const key = chosen
    ? panels.map(panel => `${panel.data.title} ${angleOfChosen(panel).toFixed(1)}`).join() + chosen.i : HINT;
  if (about.dataset.shown === key) return;
  about.dataset.shown = key;
  if (!chosen) return about.replaceChildren(HINT);
  const {data, labels} = panels[0];
  about.replaceChildren("A ", badgeElement(labels[chosen.i], data),
    " and its angle to its class vector");
  for (const panel of panels)
    about.append(...angleLine(panel.data.title, angleOfChosen(panel), labels[chosen.i],
                              predictionOf(panel, chosen.i), data));
}

const angleOfChosen = panel => angleToVector(panel, panel.vectors.at, chosen.i);

function setPlaying(on) {
  playing = on;
  play.textContent = playing ? "❚❚" : "▶";
  play.setAttribute("aria-label", playing ? "Pause" : "Play");
  about.setAttribute("aria-live", playing ? "off" : "polite");  // angles that move are not read out
  wake();
}

slider.max = slider.value = last;
slider.addEventListener("input", () => { time = +slider.value; setPlaying(false); });
play.addEventListener("click", () => {
  if (!playing && time >= last) time = 0;
  setPlaying(!playing);
});
root.setAttribute("aria-label", "The same digits under two losses, epoch after epoch");
figure.querySelector("img").after(root);
figure.classList.add("hero-moves");
root.hidden = false;
const repaint = () => { colors = colorsOf(root, runs[0]); wake(); };
onTheme(root, repaint);
for (const panel of panels) new ResizeObserver(repaint).observe(panel.canvas);
repaint();
new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; wake(); }).observe(root);
if (!reducedMotion.matches) time = 0;
setPlaying(!reducedMotion.matches);
