// The front page's moving picture: the same digits under two losses, epoch after epoch, on a loop.
// It takes the place of the still one. tools/web/hero.py writes the constant `runs` before this
// script.
import { colorsOf, decodeUint16, reducedMotion }
  from "../../lossbook/interactive/web/canvas.js";
import { onTheme, part } from "../../lossbook/interactive/web/common.js";
import { drawPanel, makePanel, move, track }
  from "../../lossbook/interactive/web/embedding_view.js";

const SECONDS = 0.6, REST = 4;          // that an epoch takes, and that the last one stays
const root = document.getElementById("hero"), figure = document.querySelector("figure.hero");
const slider = part(root, "slider"), play = part(root, "play");
const epochs = runs[0].epochs, last = epochs.length - 1;
const panels = [...root.querySelectorAll("[data-panel]")].map((box, i) => {
  part(box, "code").textContent = runs[i].code;
  return {...makePanel(box, "test", runs[i], 0), data: runs[i],
          vectors: track(decodeUint16(runs[i].vectors), null, last + 1, runs[i].classes.length)};
});
let time = last, playing = false, visible = false, request = 0, before = 0, colors;

const wake = () => { request ||= requestAnimationFrame(frame); };
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
  part(root, "epoch").textContent = `epoch ${epochs[epoch]} of ${epochs[last]}`;
  for (const panel of panels) {
    panel.at = move(panel.track, epoch, next, t);
    panel.epoch = epoch;
    const vectors = move(panel.vectors, epoch, next, t);
    drawPanel(panel, vectors, {circle: 0, chosen: null, colors}, panel.data, "");
  }
}

function setPlaying(on) {
  playing = on;
  play.textContent = playing ? "❚❚" : "▶";
  play.setAttribute("aria-label", playing ? "Pause" : "Play");
  wake();
}

slider.max = slider.value = last;
slider.addEventListener("input", () => { time = +slider.value; setPlaying(false); });
play.addEventListener("click", () => {
  if (!playing && time >= last) time = 0;
  setPlaying(!playing);
});
root.setAttribute("aria-label", figure.querySelector("img").alt);
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
