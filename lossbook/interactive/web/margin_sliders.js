// Sliders with their label and value, for the three numbers of a margin and what else is set.

export const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
export const MARGIN_SLIDERS = [    // name, symbol, meaning, from, to, step, how its value reads
  ["m1", "m₁", "× angle", 0.5, 4, 0.05, value => value.toFixed(2)],
  ["m2", "m₂", "+ angle", 0, 1.5, 0.01, value => `${signed(value, 2)} rad`],
  ["m3", "m₃", "− cosine", 0, 1, 0.01, value => value.toFixed(2)],
];

// A slider with its label and value; `onInput` is called with its name when its value changes.
export function makeSlider([name, symbol, meaning, min, max, step, format], onInput) {
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
  const showValue = value => {
    output.textContent = format(value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const change = value => {
    input.value = value;
    onInput(name);
  };
  return {name, symbol, format, label, input, showValue, change,
          step: count => change(+input.value + count * step)};
}
