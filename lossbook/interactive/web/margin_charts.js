// Drawings of a margin, as SVG made to the width of its box.
import {keptAngle, neighbourCosine} from "./bounds.js";
import {degrees} from "./common.js";
import {slopeInAngle, targetAtAngle} from "./margins.js";

const STEPS = 240;
const range = (from, to) =>
  Array.from({length: STEPS + 1}, (_, k) => from + (to - from) * k / STEPS);
const path = points => "M" + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

export function drawCharts(svg, setting) {
  if (!svg("curve").clientWidth) return;       // not on the page yet: there is no width to draw to
  const theta = setting.theta * Math.PI / 180;
  drawCurve(svg("curve"), angle => targetAtAngle(angle, setting), Math.cos, theta,
            "Target logit in units of s");
  drawCurve(svg("slope"), angle => slopeInAngle(angle, setting), angle => -Math.sin(angle), theta,
            "Derivative of the target logit");
  const gap = gapOf(setting);
  drawAngles(svg("angles"), setting, gap, wayBetween,
             at => dot(...at(theta, otherAngle(setting))));
  drawCircle(svg("circle"), setting);
}

// Fill a picture with this content; `label` describes it to a screen reader.
function fill(svg, height, label, content) {
  const width = svg.clientWidth;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.setAttribute("aria-label", label);
  svg.innerHTML = content;
}

// A frame for two quantities: scales from values to pixels, and its grid with numbers.
function frame(svg, height, [x0, x1, xTicks], [y0, y1, yTicks], xLabel) {
  const left = 34, right = 16, top = 8, bottom = 34, width = svg.clientWidth;
  const X = x => left + (x - x0) / (x1 - x0) * (width - left - right);
  const Y = y => top + (y1 - y) / (y1 - y0) * (height - top - bottom);
  const gridLine = (from, to) => `<path class="lb-grid" d="${path([from, to])}"/>`;
  const vertical = xTicks.map(x => gridLine([X(x), Y(y0)], [X(x), Y(y1)])
    + `<text x="${X(x)}" y="${height - 20}" text-anchor="middle">${x}</text>`);
  const horizontal = yTicks.map(y => gridLine([X(x0), Y(y)], [X(x1), Y(y)])
    + `<text x="${left - 5}" y="${Y(y) + 4}" text-anchor="end">${`${y}`.replace("-", "−")}</text>`);
  const middle = (X(x0) + X(x1)) / 2;
  const name = `<text x="${middle}" y="${height - 4}" text-anchor="middle">${xLabel}</text>`;
  return {X, Y, grid: [...vertical, ...horizontal, name].join("")};
}

// f as a solid line with a dot at the embedding's angle, and what f would be without a margin as a
// broken line.
function drawCurve(svg, f, withoutMargin, theta, label) {
  const thetas = range(0, Math.PI), height = Math.max(150, Math.min(220, 0.6 * svg.clientWidth));
  const values = [...thetas.map(f), ...thetas.map(withoutMargin)];
  const least = Math.min(...values), most = Math.max(...values);
  const step = [0.5, 1, 2, 4].find(size => (most - least) / size <= 5.2) ?? 5;
  const low = Math.floor(least / step + 1e-9) * step, high = Math.ceil(most / step - 1e-9) * step;
  const ticks = Array.from({length: Math.round((high - low) / step) + 1}, (_, k) => low + k * step);
  const {X, Y, grid} = frame(svg, height, [0, 180, [0, 60, 120, 180]], [low, high, ticks],
                             "angle θ (degrees)");
  const curve = g => path(thetas.map(angle => [X(degrees(angle)), Y(g(angle))]));
  fill(svg, height,
    `${label} against the angle: ${f(0).toFixed(2)} at 0°, ${f(Math.PI / 2).toFixed(2)} at 90°, `
    + `${f(Math.PI).toFixed(2)} at 180°, ${f(theta).toFixed(2)} for the embedding; broken line `
    + "without margin",
    `${grid}<path class="lb-cut" d="${curve(withoutMargin)}"/>`
    + `<path class="lb-line" d="${curve(f)}"/>` + dot(X(degrees(theta)), Y(f(theta))));
}

// Who wins where, by the angles to two class vectors that are `gap` apart: class 1 where
// target(θ₁) > cos θ₂, class 2 the other way round. `reach(gap)` has the corners of a dotted line,
// as pairs of angles, and `above(at)` what is drawn on top, given the place of two angles.
export function drawAngles(svg, margin, gap, reach, above) {
  const height = svg.clientWidth, ticks = [0, 60, 120, 180];
  const {X, Y, grid} = frame(svg, height, [0, 180, ticks], [0, 180, ticks], "θ₁ (degrees)");
  const at = (first, second) => [X(degrees(first)), Y(degrees(second))];
  const boundary = range(0, Math.PI)
    .map(theta => [theta, targetAtAngle(theta, margin)])
    .filter(([, target]) => target >= -1)
    .map(([theta, target]) => [theta, Math.acos(Math.min(1, target))]);
  const draw = (points, order) => path(points.map(point => at(...order(point))));
  const region = (name, order) => {
    if (boundary.length < 2) return "";
    const corners = [...boundary, [boundary.at(-1)[0], Math.PI], [0, Math.PI]];
    return `<g class="${name}"><path class="lb-edge" d="${draw(boundary, order)}"/>`
      + `<path class="lb-field" d="${draw(corners, order)}Z"/></g>`;
  };
  const [x1, y1] = at(0, gap), [x2, y2] = at(gap, 0);
  fill(svg, height,
    "Regions won by class 1 and class 2 in the plane of the two angles, with the margin between "
    + "them",
    grid + region("lb-one", ([a, b]) => [a, b]) + region("lb-two", ([a, b]) => [b, a])
    + `<path class="lb-cut" d="${path([at(0, 0), at(Math.PI, Math.PI)])}"/>`
    + `<path class="lb-path" d="${path(reach(gap).map(angles => at(...angles)))}"/>`
    + classMark(x1 + 1, y1, 1) + classMark(x2, y2 - 1, 2) + above(at)
    + `<text x="2" y="${Y(90) + 4}">θ₂</text>`);
}

// The shortest way from class vector 1 to 2, and all angles that an embedding can have to both.
const wayBetween = gap => [[0, gap], [gap, 0]];
export const reachOf = gap =>
  [[0, gap], [gap, 0], [Math.PI, Math.PI - gap], [Math.PI - gap, Math.PI], [0, gap]];

// The angle between neighbouring class vectors; 90° where no formula is known.
export const gapOf = ({C, d}) => Math.acos(neighbourCosine(C, d) || 0);

// The embedding's angle to class vector 2: it moves from class vector 1 to 2, and on.
export const otherAngle = setting => Math.abs(gapOf(setting) - setting.theta * Math.PI / 180);

const dot = (x, y) => `<circle class="lb-dot" cx="${x}" cy="${y}" r="4.5"/>`;

function classMark(x, y, number) {
  return `<g class="lb-${number === 1 ? "one" : "two"}">`
    + `<circle class="lb-badge" cx="${x}" cy="${y}" r="10"/></g>`
    + `<text class="lb-name" x="${x}" y="${y + 4.5}" text-anchor="middle">${number}</text>`;
}

// Where the circle lies in its picture. `at` is the place at an angle from class vector 1, which
// grows towards class vector 2, and a distance from the centre; `angleAt` is the angle of a place,
// from −π/2 to 3π/2.
export function circleIn(svg, gap) {
  const half = svg.clientWidth / 2, radius = half - 34, up = gap / 2;
  const at = (angle, r) => [half + r * Math.sin(angle - up), half - 6 - r * Math.cos(angle - up)];
  const angleAt = (x, y) => {
    const turned = Math.atan2(x - half, half - 6 - y) + up;
    return turned > 1.5 * Math.PI ? turned - 2 * Math.PI
      : turned < -Math.PI / 2 ? turned + 2 * Math.PI : turned;
  };
  return {half, radius, at, angleAt};
}

// The directions each class keeps. On the circle all classes are there; in more dimensions the
// plane of two is shown.
function drawCircle(svg, setting) {
  const height = svg.clientWidth, gap = gapOf(setting), count = setting.d === 2 ? setting.C : 2;
  const {half, radius, at} = circleIn(svg, gap);
  const kept = Math.min(keptAngle(setting, gap), Math.PI);
  const classes = Array.from({length: count}, (_, j) => {
    const middle = j * gap, large = Number(kept > Math.PI / 2);
    const [x1, y1] = at(middle - kept, radius), [x2, y2] = at(middle + kept, radius);
    const arc = `M${x1} ${y1}A${radius} ${radius} 0 ${large} 1 ${x2} ${y2}`;
    return `<g class="${["lb-one", "lb-two"][j] ?? "lb-other"}">`
      + (kept > 0 ? `<path class="lb-arc" d="${arc}"/>` : "")
      + `</g><path class="lb-ray" d="${path([at(0, 0), at(middle, radius - 8)])}"/>`;
  });
  const caption = kept < 0 ? "no class can win"
    : `${degrees(kept).toFixed(1)}° kept of ${degrees(gap / 2).toFixed(1)}°`;
  const edge = [at(Math.max(kept, 0), 0.6 * radius), at(Math.max(kept, 0), radius + 10)];
  fill(svg, height,
    `Class vectors ${degrees(gap).toFixed(1)} degrees apart; ${caption} on each side of a class `
    + "vector",
    `<circle class="lb-ring" cx="${half}" cy="${half - 6}" r="${radius}"/>` + classes.join("")
    + `<path class="lb-cut" d="${path([at(gap / 2, 0.6 * radius), at(gap / 2, radius + 14)])}"/>`
    + `<g class="lb-one"><path class="lb-edge" d="${path(edge)}"/></g>`
    + classMark(...at(0, radius - 20), 1) + classMark(...at(gap, radius - 20), 2)
    + `<text class="lb-word" x="${half}" y="${height - 4}" text-anchor="middle">${caption}</text>`);
}
