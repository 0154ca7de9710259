// One margin setting in four drawings and a verdict; every change draws them anew.
import {centrePosterior, greatestCosineMargin, keptAngle, leastScale, otherCosines, posterior,
        valueKeeping} from "./bounds.js";
import {copyLinkWith, degrees, part, press} from "./common.js";
import {makeHandle, placeHandle} from "./drag_handle.js";
import {circleIn, drawCharts, gapOf, otherAngle} from "./margin_charts.js";
import {MARGIN_SLIDERS, makeSlider, signed} from "./margin_sliders.js";
import {MARGINS_OF_LENGTH, NO_MARGIN, targetAtAngle} from "./margins.js";

const SLIDERS = [
  ...MARGIN_SLIDERS,
  ["scale", "s", "scale", 1, 64, 0.5, value => value.toFixed(1)],
  ["C", "C", "classes", 2, 30, 1, value => String(value)],
  ["d", "d", "dimensions", 2, 30, 1, value => String(value)],
  ["theta", "θ", "embedding", 0, 180, 0.5, value => `${value.toFixed(1)}°`],
  ["v", "v", "length", -1, 1, 0.05, value => signed(value, 2)],
  ["a", "a", "length", 10, 110, 1, value => String(value)],
];
const LENGTHS = ["v", "a"];
const CONFIDENT = 0.9;      // the posterior that should be possible at a class centre

function percent(p) {
  if (p > 0.9995) return "over 99.9 %";
  return p < 0.0005 ? "under 0.1 %" : `${(100 * p).toFixed(1)} %`;
}

export function start(root, data) {
  // `adaptive`: the preset whose margins follow the embedding's length; `dragged`: the setting that
  // the boundary moves.
  const state = {pressed: data.preset, adaptive: null, dragged: "m2", setting: {}};
  const controls = SLIDERS.map(slider => makeSlider(slider, name => {
    if (name in NO_MARGIN) state.dragged = name;
    if (name in NO_MARGIN || name === "scale") state.pressed = state.adaptive;
    show();
  }));
  part(root, "sliders").append(...controls.map(({label}) => label));
  const buttons = Object.entries(data.presets).map(([name, preset]) => {
    const button = document.createElement("button");
    Object.assign(button, {type: "button", textContent: name});
    button.addEventListener("click", () => {
      state.pressed = name;
      set({...preset, ...data.adaptive[name]?.start});
    });
    part(root, "presets").append(button);
    return button;
  });
  const placeHandles = addHandles(part(root, "circle"), state, controls, settingWith);

  // Set what `values` names. Where it names a length, the margins follow that length.
  function set(values) {
    const {adaptive} = data, setting = name => controlOf(controls, name).input;
    state.adaptive = Object.keys(adaptive).find(name => adaptive[name].slider in values) ?? null;
    for (const {name, input} of controls) if (name in values) input.value = values[name];
    state.dragged = adaptive[state.adaptive]?.slider
      ?? ["m2", "m3", "m1"].find(name => +setting(name).value !== NO_MARGIN[name]) ?? "m2";
    show();
  }

  // What the sliders say, but for these values.
  function settingWith(values) {
    const read = controls.map(({name, input}) => [name, +input.value]);
    const setting = {...Object.fromEntries(read), ...values};
    if (!state.adaptive) return setting;
    const {slider, ...constants} = data.adaptive[state.adaptive];
    return {...setting, ...MARGINS_OF_LENGTH[slider](constants, setting[slider])};
  }

  function show() {
    const setting = state.setting = settingWith({}), {pressed, adaptive} = state;
    for (const {name, label, input, showValue} of controls) {
      input.disabled = adaptive !== null && name in NO_MARGIN;
      if (input.disabled) input.value = setting[name];
      label.hidden = LENGTHS.includes(name) && data.adaptive[adaptive]?.slider !== name;
      showValue(setting[name]);
    }
    press(buttons, button => button.textContent === pressed);
    judge(part(root, "verdict"), setting, data.presets[pressed]);
    part(root, "point").textContent = describePoint(setting);
    part(root, "where").textContent = setting.d === 2 ? "On the circle" : "Between two classes";
    drawCharts(name => part(root, name), setting);
    placeHandles();
  }

  data.colors.forEach((color, j) => root.style.setProperty(`--lb-class-${j + 1}`, color));
  set({...data.presets[data.preset], ...data.adaptive[data.preset]?.start, theta: 14,
       C: data.C, d: data.d});
  if (inBook()) {
    const query = [...new URLSearchParams(location.search)], given = addressed(query);
    if (Object.keys(given).length) {
      set(given);
      state.pressed = state.adaptive;
      show();
    }
    part(root, "share").hidden = false;
    part(root, "status").textContent = complaintsAbout(query, controls).join(" ");
    root.addEventListener("change", () => keepInAddress(controls));
    for (const name of ["presets", "copy"])
      part(root, name).addEventListener("click", () => keepInAddress(controls));
    copyLinkWith(part(root, "copy"), part(root, "status"));
  }
  new ResizeObserver(show).observe(part(root, "sliders"));
}

// The embedding and the boundary of class 1 as handles on the circle; returns a function that puts
// them where the setting has them.
function addHandles(svg, state, controls, settingWith) {
  const gap = () => gapOf(state.setting), theta = () => state.setting.theta * Math.PI / 180;
  const kept = () => keptAngle(state.setting, gap());
  const angleAt = event => {
    const box = svg.getBoundingClientRect();
    return circleIn(svg, gap()).angleAt(event.clientX - box.left, event.clientY - box.top);
  };
  const point = makeHandle("point", "Embedding: angle from class vector 1", {
    angle: theta,
    angleAt,
    moveTo: angle => controlOf(controls, "theta").change(degrees(angle)),
    step: count => controlOf(controls, "theta").step(count),
  });
  const edge = makeHandle("edge", "Boundary of class 1: angle from class vector 1", {
    angle: () => Math.max(0, kept()),
    angleAt,
    moveTo(angle) {
      const {name, input, change} = controlOf(controls, state.dragged);
      const alpha = Math.min(gap(), Math.max(0, angle));
      const marginOf = value => settingWith({[name]: value});
      change(valueKeeping(alpha, gap(), marginOf, +input.min, +input.max));
    },
    step: count => controlOf(controls, state.dragged).step(-count),   // a larger margin keeps less
  });
  svg.after(edge, point);

  return () => {
    const {setting, dragged} = state, {at, radius} = circleIn(svg, gap());
    const {symbol, format} = controlOf(controls, dragged), boundary = Math.max(0, kept());
    const effect = kept() < 0 ? "no class can win" : `a class keeps ${degrees(kept()).toFixed(1)}°`;
    placeHandle(point, at(theta(), radius), setting.theta, 180,
                `${setting.theta.toFixed(1)}°: ${outcome(setting)}`);
    placeHandle(edge, at(boundary, radius + 18), degrees(boundary), degrees(gap()),
                `${symbol} = ${format(setting[dragged])}: ${effect}`);
  };
}

const controlOf = (controls, name) => controls.find(control => control.name === name);

// On a page of the book the address holds the setting. In a notebook it belongs to Jupyter.
const inBook = () => "content_root" in document.documentElement.dataset;

function addressed(query) {
  const given = query.filter(([name, value]) =>
    SLIDERS.some(([known]) => known === name) && value !== "" && Number.isFinite(+value));
  return Object.fromEntries(given.map(([name, value]) => [name, +value]));
}

// A sentence for each value of the address that its slider does not have.
function complaintsAbout(query, controls) {
  return query.flatMap(([name, text]) => {
    const input = controlOf(controls, name)?.input;
    if (!input || (text !== "" && +text === +input.value)) return [];
    return `${name} = ${text || "nothing"} in the address: expected a number from ${input.min} to `
      + `${input.max} in steps of ${input.step}. It is ${input.value} here.`;
  });
}

// Margins that follow a length are left out: the length says it all.
function keepInAddress(controls) {
  const free = controls.filter(({label, input}) => !label.hidden && !input.disabled);
  const setting = new URLSearchParams(free.map(({name, input}) => [name, input.value]));
  history.replaceState(null, "", `?${setting}${location.hash}`);
}

// What becomes of an embedding between class vector 1 and 2.
function outcome(setting) {
  const theta = setting.theta * Math.PI / 180, other = otherAngle(setting);
  if (targetAtAngle(theta, setting) > Math.cos(other)) return "class 1 wins with its margin";
  if (Math.abs(theta - other) < 1e-9) return "neither is nearer";
  return theta < other ? "class 1 is nearer, but not by its margin" : "class 2 is nearer";
}

function describePoint(setting) {
  const theta = setting.theta * Math.PI / 180, other = otherAngle(setting);
  const target = targetAtAngle(theta, setting);
  return `The embedding x is ${setting.theta.toFixed(1)}° from class vector 1 and `
    + `${degrees(other).toFixed(1)}° from 2. Divided by s, its logits are ${signed(target, 3)} for `
    + `class 1, margin included, and ${signed(Math.cos(other), 3)} for class 2: `
    + `${outcome(setting)}.`;
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
