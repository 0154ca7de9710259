// Who wins where in the plane of the angles to two class vectors, for the margin of some sliders.
import {keptAngle, marginWidth} from "./bounds.js";
import {degrees, part, press} from "./common.js";
import {drawAngles, reachOf} from "./margin_charts.js";
import {MARGIN_SLIDERS, makeSlider, signed} from "./margin_sliders.js";
import {NO_MARGIN} from "./margins.js";

const APART = ["apart", "Δ", "apart", 10, 180, 1, value => `${value}°`];

export function start(root, data) {
  const plane = part(root, "plane");
  let pressed = null;               // the name of the setting that the sliders have
  const sliders = [...MARGIN_SLIDERS, APART].map(row => makeSlider(row, name => {
    if (name in NO_MARGIN) pressed = null;
    show();
  }));
  const apart = sliders.at(-1).input;
  const buttons = Object.keys(data.settings).map(name => {
    const button = document.createElement("button");
    Object.assign(button, {type: "button", textContent: name});
    button.addEventListener("click", () => pick(name));
    return button;
  });

  // Set a setting, and show the sliders of those numbers that make a margin in it.
  function pick(name) {
    pressed = name;
    for (const {name, label, input} of sliders) {
      if (!(name in NO_MARGIN)) continue;
      input.value = data.settings[pressed][name];
      label.hidden = +input.value === NO_MARGIN[name];
    }
    show();
  }

  function show() {
    const values = Object.fromEntries(sliders.map(({name, input}) => [name, +input.value]));
    const gap = values.apart * Math.PI / 180;
    for (const {name, showValue} of sliders) showValue(values[name]);
    press(buttons, button => button.textContent === pressed);
    const width = `${signed(degrees(marginWidth(values, gap)), 1)}°`.replace("−0.0", "0.0");
    part(root, "width").textContent = width;
    part(root, "about").textContent = describe(values, gap);
    if (!plane.clientWidth) return;       // not on the page yet: there is no width to draw to
    drawAngles(plane, values, gap, reachOf, at => openPart(values, gap, width, at));
    plane.setAttribute("aria-label", `The plane of the angles to class vector 1 and 2: ${width} `
      + describe(values, gap));
  }

  data.colors.forEach((color, j) => root.style.setProperty(`--lb-class-${j + 1}`, color));
  part(root, "sliders").append(...sliders.map(({label}) => label));
  part(root, "settings").append(...buttons);
  apart.setAttribute("aria-label", "Δ, the angle between the class vectors");
  apart.value = data.apart;
  pick(data.start);
  new ResizeObserver(show).observe(part(root, "sliders"));
}

// The rest of a sentence that begins with the width of the margin.
function describe(margin, gap) {
  const kept = keptAngle(margin, gap), way = `class vectors ${degrees(gap).toFixed(0)}° apart`;
  if (kept < 0)
    return `of margin between ${way}. ✖ The margin is too large: no class wins anything there, not `
      + "even at its own class vector.";
  const won = `${degrees(kept).toFixed(1)}° from its own class vector`;
  return marginWidth(margin, gap) < -1e-9
    ? `of margin between ${way}: each class wins ${won}, so both claim the middle.`
    : `of margin between ${way}. Each class wins ${won}.`;
}

// The margin on the way from class vector 1 to 2, with its width.
function openPart(margin, gap, width, at) {
  const kept = Math.max(0, keptAngle(margin, gap));
  if (gap - 2 * kept <= 1e-9) return "";
  const [x1, y1] = at(kept, gap - kept), [x2, y2] = at(gap - kept, kept);
  return `<path class="lb-open" d="M${x1} ${y1}L${x2} ${y2}"/>`
    + `<text class="lb-open" x="${(x1 + x2) / 2 + 8}" y="${(y1 + y2) / 2 - 8}">${width}</text>`;
}
