// The front page's moving picture: the same digits under two losses, epoch after epoch, on a loop.
// It stands on the scripts of the widgets (see tools/hero.py), and takes the place of the still one.

const SECONDS = 0.6, REST = 4;          // an epoch takes; the end stays
const root = document.getElementById("hero"), figure = document.querySelector("figure.hero");
const slider = part(root, "slider"), play = part(root, "play");
const epochs = runs[0].epochs, last = epochs.length - 1;
const panels = [...root.querySelectorAll("[data-panel]")].map((box, i) => {
  part(box, "code").textContent = runs[i].code;
  return {...makePanel(box, "test", runs[i], 0), data: runs[i],
          vectors: track(words(runs[i].vectors), null, last + 1, runs[i].classes.length)};
});
let time = last, playing = false, visible = false, asked = 0, before = 0, colors;

const wake = () => { asked ||= requestAnimationFrame(frame); };
function frame(now) {
  asked = 0;
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
    draw(panel, move(panel.vectors, epoch, next, t), {circle: 0, chosen: null, colors}, panel.data, "");
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
new IntersectionObserver(([seen]) => { visible = seen.isIntersecting; wake(); }).observe(root);
if (!still.matches) time = 0;
setPlaying(!still.matches);
