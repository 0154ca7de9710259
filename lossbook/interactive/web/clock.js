// The moment of training that a picture shows: the slider over its epochs, and the button that
// plays them.
import {approach, reducedMotion} from "./canvas.js";
import {part} from "./common.js";

const SECONDS = 0.6;        // that an epoch takes while playing

// `wake` asks for the next frame, in which the picture calls `advance`.
export function makeClock(root, epochs, wake) {
  const slider = part(root, "slider"), play = part(root, "play"), last = epochs.length - 1;
  let time = last, playing = false;

  // Move on by these seconds; returns whether there is more to come.
  function advance(seconds) {
    if (playing) {
      time = Math.min(last, time + seconds / SECONDS);
      slider.value = Math.floor(time);
      if (time === last) setPlaying(false);
    } else {
      time = approach(time, +slider.value, seconds);
    }
    return playing || time !== +slider.value;
  }

  // The epoch that is shown, or the two that it lies between, and how far from one to the other.
  function moment() {
    const shown = reducedMotion.matches && playing ? Math.floor(time) : time;
    const epoch = Math.floor(shown), t = shown - epoch, next = Math.min(epoch + 1, last);
    const title = `epoch ${epochs[epoch]}` + (t ? ` → ${epochs[next]}` : "");
    part(root, "epoch").textContent = title;
    slider.setAttribute("aria-valuetext", title);
    return {epoch, next, t, title};
  }

  function setPlaying(on) {
    playing = on;
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  slider.max = slider.value = last;
  slider.disabled = play.disabled = last === 0;
  slider.addEventListener("input", () => { setPlaying(false); wake(); });
  play.addEventListener("click", () => {
    if (!playing && time === last) time = 0;
    if (playing) slider.value = Math.round(time);
    setPlaying(!playing);
    wake();
  });
  setPlaying(false);
  return {advance, moment};
}
