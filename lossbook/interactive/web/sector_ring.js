// The directions that evenly spaced classes win on the circle, for the margin of a slider.
import {keptAngle} from "./bounds.js";
import {degrees, part} from "./common.js";
import {NO_MARGIN} from "./margins.js";

const RADIUS = 107, RAY = 90, BADGE = 141;        // of the ring's middle, a class vector, a badge
const point = (angle, radius) =>
  [radius * Math.cos(angle), -radius * Math.sin(angle)].map(value => value.toFixed(2)).join(" ");

// How far each class wins to either side of its class vector, in radians; −1 if nowhere.
export const wonAngle = (margin, gap) => Math.min(keptAngle(margin, gap), gap / 2);

export function start(root, data) {
  const slider = part(root, "slider"), value = part(root, "value"), ring = part(root, "ring");
  const gap = 2 * Math.PI / data.classes.length;

  function show() {
    const m = +slider.value, won = wonAngle({...NO_MARGIN, [data.name]: m}, gap);
    value.textContent = `${m.toFixed(2)}${data.unit}`;
    slider.setAttribute("aria-valuetext", value.textContent);
    const text = describe(m, won);
    part(root, "about").textContent = text;
    ring.setAttribute("aria-label", text);
    ring.innerHTML = `<circle class="lb-open" r="${RADIUS}"/>`
      + data.classes.map((_, j) => sector(j, won)).join("");
  }

  function sector(j, won) {
    const middle = j * gap, [x, y] = point(middle, BADGE).split(" ");
    const arc = `M${point(middle + won, RADIUS)}A${RADIUS} ${RADIUS} 0 0 1 `
      + point(middle - won, RADIUS);
    return (won > 0 ? `<path class="lb-won" stroke="${data.colors[j]}" d="${arc}"/>` : "")
      + `<path class="lb-ray" d="M0 0L${point(middle, RAY)}"/>`
      + `<circle cx="${x}" cy="${y}" r="12" fill="${data.colors[j]}"/>`
      + `<text x="${x}" y="${y}" fill="${data.inks[j]}">${data.badges[j]}</text>`;
  }

  function describe(m, won) {
    if (won < 0)
      return `✖ No class wins any direction: m is larger than ${data.formula} = `
        + `${data.limit.toFixed(3)}${data.unit}.`;
    const open = degrees(gap - 2 * won);
    return `${(200 * won / gap).toFixed(0)} % of the circle is won. Each class wins `
      + `${degrees(won).toFixed(1)}° to either side of its class vector`
      + (open < 0.05 ? "." : `; no class wins the ${open.toFixed(1)}° between two neighbours.`);
  }

  part(root, "title").textContent = `${data.loss}, C = ${data.classes.length} classes`;
  Object.assign(slider, {min: data.least, max: data.most, step: 0.01, value: data.margin});
  slider.addEventListener("input", show);
  show();
}
