// One margin setting in four drawings and a verdict; every change draws them anew.

const SLIDERS = [      // name, symbol, meaning, from, to, step, how its value reads
  ["m1", "m₁", "× angle", 0.5, 4, 0.05, value => value.toFixed(2)],
  ["m2", "m₂", "+ angle", 0, 1.5, 0.01, value => `${value.toFixed(2)} rad`],
  ["m3", "m₃", "− cosine", 0, 1, 0.01, value => value.toFixed(2)],
  ["scale", "s", "scale", 1, 64, 0.5, value => value.toFixed(1)],
  ["C", "C", "classes", 2, 30, 1, value => String(value)],
  ["d", "d", "dimensions", 2, 30, 1, value => String(value)],
];
const CONFIDENT = 0.9;      // the posterior that should be possible at a class centre
const percent = p => p > 0.9995 ? "over 99.9 %" : p < 0.0005 ? "under 0.1 %" : `${(100 * p).toFixed(1)} %`;

function start(root, data) {
  const inputs = {};
  let pressed = data.preset;
  for (const [name, symbol, meaning, min, max, step, read] of SLIDERS) {
    const label = document.createElement("label"), input = document.createElement("input");
    const text = document.createElement("span"), mark = document.createElement("b");
    const output = document.createElement("output");
    Object.assign(input, {type: "range", min, max, step});
    input.dataset.setting = name;
    input.setAttribute("aria-label", `${symbol} ${meaning}`);
    input.addEventListener("input", () => { if (!["C", "d"].includes(name)) pressed = null; show(); });
    mark.textContent = symbol;
    text.append(mark, ` ${meaning}`);
    label.append(text, input, output);
    part(root, "sliders").append(label);
    inputs[name] = {input, tell: () => {
      output.textContent = read(+input.value);
      input.setAttribute("aria-valuetext", output.textContent);
    }};
  }
  const buttons = Object.entries(data.presets).map(([name, preset]) => {
    const button = document.createElement("button");
    Object.assign(button, {type: "button", textContent: name});
    button.addEventListener("click", () => { pressed = name; set(preset); });
    part(root, "presets").append(button);
    return button;
  });

  function set(values) {
    for (const [name, {input}] of Object.entries(inputs)) if (name in values) input.value = values[name];
    show();
  }

  function show() {
    const setting = {};
    for (const [name, {input, tell}] of Object.entries(inputs)) {
      setting[name] = +input.value;
      tell();
    }
    press(buttons, button => button.textContent === pressed);
    judge(part(root, "verdict"), setting, data.presets[pressed]);
    part(root, "where").textContent = setting.d === 2 ? "On the circle" : "Between two classes";
    drawCharts(name => part(root, name), setting);
  }

  data.colors.forEach((color, j) => root.style.setProperty(`--lb-class-${j + 1}`, color));
  set({...data.presets[data.preset], C: data.C, d: data.d});
  new ResizeObserver(show).observe(part(root, "sliders"));
}

// Can C classes in d dimensions meet this margin at their centres, and is the scale enough to be sure of one?
function judge(box, setting, preset) {
  const {scale: s, C, d} = setting, room = greatestCosineMargin(C, d), asked = 1 - target(0, setting);
  const others = otherCosines(C, d), sure = centrePosterior(s, C, d), enough = leastScale(CONFIDENT, C, d);
  const known = !Number.isNaN(room), gap = gapOf(setting);
  const fits = asked <= 1 - Math.cos(gap) + 1e-9, kept = keptAngle(setting, gap);
  const simplex = C <= d + 1, exact = simplex || d === 2;          // then the scale has a formula too
  const place = simplex ? "stand as a simplex, every pair" : `share the ${d === 2 ? "circle" : "sphere"}, neighbours`;
  const sides = degrees(Math.min(kept, gap)).toFixed(1), trained = posterior(s, target(0, setting), others);
  const lines = [];
  if (known)
    lines.push(`${C} class vectors in ${d} dimensions at best ${place} ${degrees(gap).toFixed(1)}° apart. A sample exactly `
               + `on its class vector can give up at most ${room.toFixed(3)} of cosine before a neighbour beats it.`);
  else
    lines.push(`For ${C} classes in ${d} dimensions no formula for the room is known. Neighbours are less than 90° apart, `
               + "and the room is less than 1; the drawings use 90°.");
  if (fits)
    lines.push(`${known ? "✓ The margin fits" : "? The margin may fit"}: at the centre it costs ${asked.toFixed(3)}, `
               + `and a class keeps ${sides}° to each side.`);
  else
    lines.push(`✖ The margin is too large: at the centre it costs ${asked.toFixed(3)}, so even a perfect sample counts `
               + "as lost.");
  if (setting.m1 < 1)
    lines.push("With m₁ below 1 the target can lie above the cosine: both classes claim part of the arc.");
  const grade = s < enough ? "✖ The scale is too small" : exact ? "✓ The scale is enough" : "? The scale may be enough";
  lines.push(`${grade}: at a class centre the posterior is ${exact ? "" : "at most "}${percent(sure)} without the margin `
             + `and ${percent(trained)} with it; ${100 * CONFIDENT} % needs s ≥ ${enough.toFixed(1)}.`);
  if (preset && !(preset.w_norm && preset.x_norm))
    lines.push(`This preset leaves ${preset.w_norm ? "the length of x" : "the lengths of W and x"} free: training `
               + "finds it, and s here only stands for it.");
  box.replaceChildren(...lines.map(text => Object.assign(document.createElement("p"), {textContent: text})));
  box.classList.toggle("lb-fits", exact && fits && s >= enough);
  box.classList.toggle("lb-fails", !fits || s < enough);
}
