// Spheres side by side, one per run, turned by one camera.
import {angleLine, approach, badgeElement, colorsOf, drawRing, fillKey, reducedMotion, scoreOf,
        ticker} from "./canvas.js";
import {makeClock} from "./clock.js";
import {degrees, onTheme, part, press} from "./common.js";
import {drawGlobe, gridLines, look, makeGlobe} from "./globe.js";

const SPEED = 10 * Math.PI / 180;       // per second, while they turn by themselves
const NUDGE = 10 * Math.PI / 180;       // per press of an arrow key
const HINT = "Drag a sphere, or use the arrow keys: all turn together. Point at an image, or tap "
  + "it, to find it everywhere.";

export function start(root, data) {
  const last = data.epochs.length - 1, turn = part(root, "turn");
  const [east, down] = data.home, camera = {east, down}, goal = {east, down}, grid = gridLines();
  const state = {epoch: last, split: data.split, turning: !reducedMotion.matches,
                 caps: data.views.some(view => view.rims), inSight: false, chosen: null,
                 colors: colorsOf(root, data)};
  const globes = data.views.map(view => makeGlobe(view, data));
  root.spheres = {camera, state, globes};           // what is shown, for tests
  part(root, "views").append(...globes.map(globe => globe.panel));
  part(root, "views").style.setProperty("--lb-columns", [1, 2, 3, 2][globes.length - 1]);
  fillKey(part(root, "key"), data);

  const wake = ticker(frame), clock = makeClock(root, data.epochs, wake);
  function frame(step) {
    if (state.turning) goal.east = camera.east += SPEED * step;
    for (const axis of ["east", "down"]) camera[axis] = approach(camera[axis], goal[axis], step);
    const moving = clock.advance(step);
    show();
    const settled = camera.east === goal.east && camera.down === goal.down && !moving;
    if (state.inSight && (state.turning || !settled)) wake();
  }

  function show() {
    const {epoch, next, t, title} = clock.moment();
    state.epoch = epoch;
    look(grid, camera);
    for (const globe of globes) {
      for (const path of [globe.vectors, globe[state.split].points, state.caps && globe.rims])
        if (path) look(path, camera, epoch, next, t);
      const small = drawGlobe(globe, grid, state, data), {px, py, wrong, n} = globe[state.split];
      if (showsChosen(globe)) {
        const pen = globe.canvas.getContext("2d"), {i} = state.chosen;
        drawRing(pen, px[i], py[i], state.colors, small);
      }
      updateText(globe, title, scoreOf(wrong[epoch], n), state.caps && globe.share
        ? `${(100 * globe.share[epoch]).toFixed(0)} % of the sphere won` : "");
    }
    describe();
  }

  function updateText({canvas, scoreLine, shareLine, title}, when, score, share) {
    if (scoreLine.textContent === score && shareLine.textContent === share) return;
    scoreLine.textContent = score;
    shareLine.textContent = share;
    canvas.setAttribute("aria-label", `${title}: ${state.split} embeddings on the sphere, ${when}: `
      + `${score} wrong. ${share}. The arrow keys turn all spheres, Home turns them back.`);
  }

  // A chosen image is shown on every sphere whose samples are the same ones.
  function showsChosen(globe) {
    const {chosen, split} = state;
    if (!chosen) return false;
    const labels = chosen.globe[split].labels;
    return globe === chosen.globe || globe[split].labels.every((y, i) => y === labels[i]);
  }

  function describe() {
    const box = part(root, "about"), {chosen, split, epoch} = state;
    const key = chosen ? `${split} ${epoch} ${chosen.i}` : HINT;
    if (box.dataset.shown === key) return;
    box.dataset.shown = key;
    if (!chosen) return box.replaceChildren(HINT);
    const y = chosen.globe[split].labels[chosen.i];
    box.replaceChildren(`A ${split} image of `, badgeElement(y, data),
      " and its angle to its class vector");
    for (const globe of globes.filter(showsChosen)) {
      const {points, predicted, n} = globe[split], prediction = predicted[epoch * n + chosen.i];
      const products = ["x", "y", "z"]
        .map(axis => points.seen[axis][chosen.i] * globe.vectors.seen[axis][y]);
      const cos = products.reduce((sum, product) => sum + product);
      const angle = degrees(Math.acos(Math.max(-1, Math.min(1, cos))));
      box.append(...angleLine(globe.title, angle, y, prediction, data));
    }
  }

  function setTurning(turning) {
    state.turning = turning;
    turn.textContent = turning ? "❚❚ stop" : "▶ turn";
    turn.setAttribute("aria-label", turning ? "Stop turning" : "Turn slowly");
    wake();
  }

  // Turn by these angles: at once under a finger or a mouse, else softly.
  function rotate(byEast, byDown, atOnce) {
    if (state.turning) setTurning(false);
    goal.east += byEast;
    goal.down = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, goal.down + byDown));
    if (atOnce) Object.assign(camera, goal);
    wake();
  }

  function reset() {
    setTurning(false);
    camera.east -= 2 * Math.PI * Math.round((camera.east - east) / (2 * Math.PI));
    Object.assign(goal, {east, down});
    wake();
  }

  function choose(globe, i, held) {
    state.chosen = i < 0 ? null : {globe, i, held};
    wake();
  }

  const halves = [...root.querySelectorAll("[data-half]")], caps = part(root, "caps");
  const setSplit = split => {
    state.split = split;
    state.chosen = null;
    press(halves, each => each.dataset.half === split);
    wake();
  };
  for (const button of halves)
    button.addEventListener("click", () => setSplit(button.dataset.half));
  caps.hidden = !state.caps;
  caps.addEventListener("click", () => {
    state.caps = !state.caps;
    press([caps], () => state.caps);
    wake();
  });
  turn.addEventListener("click", () => setTurning(!state.turning));
  part(root, "reset").addEventListener("click", reset);
  for (const globe of globes) listen(globe, data, state, rotate, reset, choose);
  setSplit(data.split);
  setTurning(state.turning);
  const repaint = () => { state.colors = colorsOf(root, data); wake(); };
  onTheme(root, repaint);
  new ResizeObserver(repaint).observe(part(root, "views"));
  new IntersectionObserver(([entry]) => {
    state.inSight = entry.isIntersecting;
    wake();
  }).observe(root);
}

// Mouse, finger and keys on a sphere.
function listen(globe, data, state, rotate, reset, choose) {
  const {canvas} = globe;
  const nearest = (event, within) => {
    const {points, px, py, n} = globe[state.split];
    let best = -1, least = within;
    for (let i = 0; i < n; i++) {
      const distance = Math.hypot(px[i] - event.offsetX, py[i] - event.offsetY);
      if (points.seen.z[i] >= 0 && distance < least) [best, least] = [i, distance];
    }
    return best;
  };
  let drag = null;
  canvas.addEventListener("pointerdown", event => {
    drag = {x: event.offsetX, y: event.offsetY, moved: false};
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    const mouse = event.pointerType === "mouse";
    if (drag) {
      const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
      // A finger may be about to scroll the page: only a sideways move turns the sphere.
      if (!drag.moved && (mouse ? Math.hypot(dx, dy) : Math.abs(dx)) < 5) return;
      const radius = canvas.clientWidth / 2 / data.edge;
      drag = {x: event.offsetX, y: event.offsetY, moved: true};
      rotate(dx / radius, dy / radius, true);
    } else if (mouse && !state.chosen?.held) {
      choose(globe, nearest(event, 14), false);
    }
  });
  canvas.addEventListener("pointerup", event => {
    const within = event.pointerType === "mouse" ? 14 : 30;
    if (drag && !drag.moved) choose(globe, nearest(event, within), true);
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("keydown", event => {
    const ways = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]};
    const way = ways[event.key];
    if (event.key === "Escape") choose(globe, -1);
    if (event.key === "Home") reset();
    if (way) rotate(NUDGE * way[0], NUDGE * way[1]);
    if (way || event.key === "Home") event.preventDefault();
  });
}
