// The form and its settings, which the page's address repeats. Which settings there are and what
// values they take is defined by the form alone.

// Addresses from before these settings had the names of the library.
const OLD_NAMES = { w_norm: "unit_weight", x_norm: "unit_embedding" };

/** Every field in use as { name: number | boolean | string }. */
export function settingOf(form) {
  return Object.fromEntries(usedFields(form).map((field) => [field.name, valueOf(field)]));
}

/** The setting of each training: the form's, and that of the loss to compare with, if there is one.
 * `losses` has the setting of each such loss, and the names of those that the reader chooses. */
export function settingsOf(form, losses) {
  const first = settingOf(form);
  if (first.compare === "none") return [first];
  const { chosen, ...second } = losses[first.compare];
  for (const name of chosen) second[name] = first[`compare_${name}`];
  return [first, { ...first, ...second }];
}

/** Use the fields that the loss to compare with has, and hide the others. */
export function useCompared(form, losses) {
  const { chosen } = losses[form.elements.compare.value] ?? { chosen: [] };
  for (const box of form.querySelectorAll("[data-compared]")) {
    box.hidden = !chosen.includes(box.dataset.compared);
    for (const input of box.querySelectorAll("input")) input.disabled = box.hidden;
  }
}

/** The query of an address with all settings in use. */
export function addressOf(form) {
  return "?" + new URLSearchParams(usedFields(form).map((field) => [field.name, textOf(field)]));
}

/** Put the settings of an address's query into the form; returns a sentence for each bad one. */
export function readAddress(form, query, { presets, losses }) {
  const complaints = [], names = fields(form).map((field) => field.name).join(", ");
  for (const [given, text] of new URLSearchParams(query)) {
    const name = Object.hasOwn(OLD_NAMES, given) ? OLD_NAMES[given] : given;
    if (name === "preset") {
      if (Object.hasOwn(presets, text)) setFields(form, presets[text]);
      else complaints.push(`preset = ${text}: expected ${Object.keys(presets).join(", ")}.`);
      continue;
    }
    const field = fields(form).find((candidate) => candidate.name === name);
    const complaint = field ? complaintOf(field, text)
      : `${name} = ${text}: expected one of preset, ${names}.`;
    if (!complaint) setText(field, text);
    else complaints.push(field ? `${complaint} It stays at ${textOf(field)}.` : complaint);
  }
  useCompared(form, losses);
  const { compare } = form.elements, given = new URLSearchParams(query);
  for (const { name } of fields(form).filter((field) => field.disabled && given.has(field.name)))
    complaints.push(`${name} = ${given.get(name)}: has no effect with compare = ${compare.value}.`);
  return complaints;
}

/** One sentence for each field whose value is not allowed. */
export function complaintsOf(form) {
  return usedFields(form).map((field) => complaintOf(field, textOf(field))).filter(Boolean);
}

/** Set the fields that are named in `values`. */
export function setFields(form, values) {
  for (const [name, value] of Object.entries(values)) {
    const text = typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
    setText(form.elements[name], text);
  }
}

/** The value of a slider, as a number for its field. */
export function sliderValue({ value, dataset }) {
  return dataset.scale === "log" ? Number((10 ** value).toPrecision(2)) : Number(value);
}

/** Move every slider to the value of its field. */
export function moveSliders(form) {
  for (const slider of form.querySelectorAll("[data-for]")) {
    const value = Number(form.elements[slider.dataset.for].value);
    slider.value = slider.dataset.scale === "log" ? Math.log10(value) : value;
  }
}

function fields(form) {
  return [...form.elements].filter((field) => field.name);
}

function usedFields(form) {
  return fields(form).filter((field) => !field.disabled);
}

function valueOf(field) {
  if (field.type === "checkbox") return field.checked;
  return field.type === "number" ? Number(field.value) : field.value;
}

function textOf(field) {
  return field.type === "checkbox" ? (field.checked ? "yes" : "no") : field.value;
}

function setText(field, text) {
  if (field.type === "checkbox") field.checked = text === "yes";
  else field.value = field.type === "number" ? String(Number(text)) : text;
}

/** What is wrong with a text as the value of a field; "" if nothing is. */
function complaintOf(field, text) {
  const given = `${field.name} = ${text.trim() || "nothing"}: expected`;
  if (field.type === "number") {
    const { min, max } = field, value = Number(text);
    const fits = text.trim() && value >= Number(min) && value <= Number(max);
    const whole = field.step === "1";
    if (fits && (!whole || Number.isInteger(value))) return "";
    return `${given} a ${whole ? "whole " : ""}number from ${min} to ${max}.`;
  }
  const allowed = field.type === "checkbox" ? ["yes", "no"]
    : [...field.options].map((option) => option.value);
  return allowed.includes(text) ? "" : `${given} ${allowed.join(" or ")}.`;
}
