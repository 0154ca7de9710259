// Maps of s and m: how accurate each pair was in a saved experiment. A cell is a button.
import { part } from "../../lossbook/interactive/web/common.js";

/** Fill the table of each map; `choose` is called with the setting of a cell. */
export function fillMaps(app, { maps, losses }, choose) {
  for (const [name, map] of Object.entries(maps)) {
    const { chosen: _, ...loss } = losses[name];
    fillMap(part(app, `map-${name}`), name, map,
            (s, m) => choose({ ...loss, s, [map.field]: m }));
  }
}

function fillMap(table, name, { scales, margins, accuracies }, choose) {
  const row = table.createTHead().insertRow();
  row.append(headOf("m \\ s", "col"), ...scales.map((s) => headOf(s, "col")));
  const body = table.createTBody();
  margins.forEach((m, i) => {
    const row = body.insertRow();
    row.append(headOf(m, "row"));
    scales.forEach((s, j) => row.insertCell().append(cellOf(name, s, m, accuracies[i][j], choose)));
  });
}

function headOf(textContent, scope) {
  return Object.assign(document.createElement("th"), { textContent, scope });
}

function cellOf(name, s, m, accuracy, choose) {
  const percent = Math.round(100 * accuracy);
  const button = Object.assign(document.createElement("button"), {
    type: "button", textContent: percent, ariaLabel: `${name}, s = ${s}, m = ${m}: ${percent} %` });
  // From half right to all right, up to a quarter of the colour.
  button.style.setProperty("--share", `${Math.round(50 * Math.max(0, accuracy - 0.5))}%`);
  button.addEventListener("click", () => choose(s, m));
  return button;
}
