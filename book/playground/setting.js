// The setting: what the form says, and the page's address with it. The form is the one place that knows
// which settings there are and what values they take.

/** Every named field of the form as { name: number | boolean | string }. */
export function settingOf(form) {
  return Object.fromEntries(fields(form).map((field) => [field.name, field.type === "checkbox" ? field.checked :
                                                         field.type === "number" ? Number(field.value) : field.value]));
}

/** The query that says all settings of the form. */
export function addressOf(form) {
  return "?" + new URLSearchParams(fields(form).map((field) => [field.name, textOf(field)]));
}

/** Put the settings of an address's query into the form; returns one sentence for each that it cannot take. */
export function readAddress(form, query, presets) {
  const complaints = [], names = fields(form).map((field) => field.name).join(", ");
  for (const [name, text] of new URLSearchParams(query)) {
    const field = fields(form).find((one) => one.name === name);
    if (name === "preset" && Object.hasOwn(presets, text)) fill(form, presets[text]);
    else if (name === "preset") complaints.push(`preset = ${text}: expected ${Object.keys(presets).join(", ")}.`);
    else if (!field) complaints.push(`${name} = ${text}: expected one of preset, ${names}.`);
    else if (complaint(field, text)) complaints.push(`${complaint(field, text)} It stays at ${textOf(field)}.`);
    else put(field, text);
  }
  return complaints;
}

/** One sentence for each field that does not hold what it should. */
export function complaintsOf(form) {
  return fields(form).map((field) => complaint(field, textOf(field))).filter(Boolean);
}

/** Set the fields that are named in `values`. */
export function fill(form, values) {
  for (const [name, value] of Object.entries(values)) {
    put(form.elements[name], typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
  }
}

/** The number that a slider stands at, for its field. */
export function slid({ value, dataset }) {
  return dataset.scale === "log" ? Number((10 ** value).toPrecision(2)) : Number(value);
}

/** Move every slider to where its field is. */
export function followFields(form) {
  for (const slider of form.querySelectorAll("[data-for]")) {
    const value = Number(form.elements[slider.dataset.for].value);
    slider.value = slider.dataset.scale === "log" ? Math.log10(value) : value;
  }
}

function fields(form) {
  return [...form.elements].filter((field) => field.name);
}

function textOf(field) {
  return field.type === "checkbox" ? (field.checked ? "yes" : "no") : field.value;
}

function put(field, text) {
  if (field.type === "checkbox") field.checked = text === "yes";
  else field.value = field.type === "number" ? String(Number(text)) : text;
}

/** What is wrong with a text as the value of a field; nothing if it is fine. */
function complaint(field, text) {
  const given = `${field.name} = ${text.trim() || "nothing"}: expected`;
  if (field.type === "number") {
    const { min, max } = field, value = Number(text);
    const fits = text.trim() && value >= Number(min) && value <= Number(max);
    const whole = field.step === "1";
    if (fits && (!whole || Number.isInteger(value))) return "";
    return `${given} a ${whole ? "whole " : ""}number from ${min} to ${max}.`;
  }
  const allowed = field.type === "checkbox" ? ["yes", "no"] : [...field.options].map((option) => option.value);
  return allowed.includes(text) ? "" : `${given} ${allowed.join(" or ")}.`;
}
