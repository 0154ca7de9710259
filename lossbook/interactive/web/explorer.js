// One margin setting in four drawings and a verdict; every change draws them anew.
import {centrePosterior, greatestCosineMargin, keptAngle, leastScale, otherCosines, posterior}
  from "./bounds.js";
import {part, press} from "./common.js";
import {degrees, drawCharts, gapOf} from "./margin_charts.js";
import {targetAtAngle} from "./margins.js";

const SLIDERS = [      // name, symbol, meaning, from, to, step, how its value reads
  ["m1", "m₁", "× angle", 0.5, 4, 0.05, value => value.toFixed(2)],
  ["m2", "m₂", "+ angle", 0, 1.5, 0.01, value => `${value.toFixed(2)} rad`],
  ["m3", "m₃", "− cosine", 0, 1, 0.01, value => value.toFixed(2)],
  ["scale", "s", "scale", 1, 64, 0.5, value => value.toFixed(1)],
  ["C", "C", "classes", 2, 30, 1, value => String(value)],
  ["d", "d", "dimensions", 2, 30, 1, value => String(value)],
];
const CONFIDENT = 0.9;      // the posterior that should be possible at a class centre

function percent(p) {
  if (p > 0.9995) return "over 99.9 %";
  return p < 0.0005 ? "under 0.1 %" : `${(100 * p).toFixed(1)} %`;
}

export function start(root, data) {
  let pressed = data.preset;
  const controls = SLIDERS.map(slider => makeSlider(slider, name => {
    if (!["C", "d"].includes(name)) pressed = null;
    show();
  }));
  part(root, "sliders").append(...controls.map(({label}) => label));
  const buttons = Object.entries(data.presets).map(([name, preset]) => {
    const button = document.createElement("button");
    Object.assign(button, {type: "button", textContent: name});
    button.addEventListener("click", () => { pressed = name; set(preset); });
    part(root, "presets").append(button);
    return button;
  });

  function set(values) {
    for (const {name, input} of controls) if (name in values) input.value = values[name];
    show();
  }

  function show() {
    const setting = {};
    for (const {name, input, showValue} of controls) {
      setting[name] = +input.value;
      showValue();
    }
    press(buttons, button => button.textContent === pressed);
    judge(part(root, "verdict"), setting, data.presets[pressed]);
    part(root, "where").textContent = setting.d === 2 ? "On the circle" : "Between two classes";
    drawCharts(name => part(root, name), setting);
  }

  data.colors.forEach((color, j) => root.style.setProperty(`--lb-class-${j + 1}`, color));
  set({...data.presets[data.preset], C: data.C, d: data.d});
  if (inBook()) {
    const given = addressed();
    if (Object.keys(given).length) {
      pressed = null;
      set(given);
    }
    root.addEventListener("change", () => keepInAddress(controls));
    part(root, "presets").addEventListener("click", () => keepInAddress(controls));
  }
  new ResizeObserver(show).observe(part(root, "sliders"));
}

// On a page of the book the address holds the setting. In a notebook it belongs to Jupyter.
const inBook = () => "content_root" in document.documentElement.dataset;

function addressed() {
  const given = [...new URLSearchParams(location.search)].filter(([name, value]) =>
    SLIDERS.some(([known]) => known === name) && value !== "" && Number.isFinite(+value));
  return Object.fromEntries(given.map(([name, value]) => [name, +value]));
}

function keepInAddress(controls) {
  const setting = controls.map(({name, input}) => [name, input.value]);
  history.replaceState(null, "", `?${new URLSearchParams(setting)}${location.hash}`);
}

// A slider with its label and value; `onInput` is called with its name when the reader moves it.
function makeSlider([name, symbol, meaning, min, max, step, format], onInput) {
  const label = document.createElement("label"), input = document.createElement("input");
  const text = document.createElement("span"), bold = document.createElement("b");
  const output = document.createElement("output");
  Object.assign(input, {type: "range", min, max, step});
  input.dataset.setting = name;
  input.setAttribute("aria-label", `${symbol} ${meaning}`);
  input.addEventListener("input", () => onInput(name));
  bold.textContent = symbol;
  text.append(bold, ` ${meaning}`);
  label.append(text, input, output);
  const showValue = () => {
    output.textContent = format(+input.value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  return {name, label, input, showValue};
}

// Can C classes in d dimensions meet this margin at their centres, and is the scale large enough
// for a confident prediction there?
function judge(box, setting, preset) {
  const {scale, C, d} = setting, room = greatestCosineMargin(C, d), gap = gapOf(setting);
  const cost = 1 - targetAtAngle(0, setting), fits = cost <= 1 - Math.cos(gap) + 1e-9;
  const enough = leastScale(CONFIDENT, C, d), exact = C <= d + 1 || d === 2;
  const lines = [describeRoom(C, d, room, gap), describeMargin(setting, room, gap, cost, fits)];
  if (setting.m1 < 1)
    lines.push("With m₁ below 1 the target can lie above the cosine: both classes claim part of "
               + "the arc.");
  const free = preset && !(preset.unit_weight && preset.unit_embedding);
  lines.push(free ? describeLengths(preset, scale, enough) : describeScale(setting, enough, exact));
  box.replaceChildren(
    ...lines.map(text => Object.assign(document.createElement("p"), {textContent: text})));
  const large = free || scale >= enough;
  box.classList.toggle("lb-fits", exact && fits && large && !free);
  box.classList.toggle("lb-fails", !fits || !large);
}

function describeRoom(C, d, room, gap) {
  if (Number.isNaN(room))
    return `For ${C} classes in ${d} dimensions no formula for the room is known. Neighbours are `
      + "less than 90° apart, and the room is less than 1; the drawings use 90°.";
  const place = C <= d + 1 ? "stand as a simplex, every pair"
    : `share the ${d === 2 ? "circle" : "sphere"}, neighbours`;
  return `${C} class vectors in ${d} dimensions at best ${place} ${degrees(gap).toFixed(1)}° `
    + `apart. A sample exactly on its class vector can give up at most ${room.toFixed(3)} of `
    + "cosine before a neighbour beats it.";
}

function describeMargin(setting, room, gap, cost, fits) {
  if (!fits)
    return `✖ The margin is too large: at the centre it costs ${cost.toFixed(3)}, so even a `
      + "perfect sample counts as lost.";
  const kept = degrees(Math.min(keptAngle(setting, gap), gap)).toFixed(1);
  return `${Number.isNaN(room) ? "? The margin may fit" : "✓ The margin fits"}: at the centre it `
    + `costs ${cost.toFixed(3)}, and a class keeps ${kept}° to each side.`;
}

// A scale that no setting fixes is neither too small nor enough.
function describeLengths(preset, scale, enough) {
  const free = preset.unit_weight ? "the length of x" : "the lengths of W and x";
  return `This preset leaves ${free} free: training finds the scale, and s = ${scale} only stands `
    + `for it. ${100 * CONFIDENT} % at a class centre needs a scale of ${enough.toFixed(1)}.`;
}

// `exact`: there is a formula for the scale, on the simplex and on the circle.
function describeScale(setting, enough, exact) {
  const {scale, C, d} = setting;
  const without = centrePosterior(scale, C, d);
  const withMargin = posterior(scale, targetAtAngle(0, setting), otherCosines(C, d));
  const grade = scale < enough ? "✖ The scale is too small"
    : exact ? "✓ The scale is enough" : "? The scale may be enough";
  return `${grade}: at a class centre the posterior is ${exact ? "" : "at most "}`
    + `${percent(without)} without the margin and ${percent(withMargin)} with it; `
    + `${100 * CONFIDENT} % needs s ≥ ${enough.toFixed(1)}.`;
}
