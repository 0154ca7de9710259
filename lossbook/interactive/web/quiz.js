// A quiz: questions to choose an answer or to enter a number, with a reply to each answer.

import {keepKeys, part} from "./common.js";

// What the reader answered, {question: value}; a browser may refuse to keep it.
function load(name) {
  try {
    return JSON.parse(localStorage.getItem(`lossbook-quiz-${name}`)) ?? {};
  } catch {
    return {};
  }
}

function save(name, given) {
  try {
    localStorage.setItem(`lossbook-quiz-${name}`, JSON.stringify(given));
  } catch {
    // The answers last as long as the page.
  }
}

// {right, reply} of what was typed. A number is one of the answers within their tolerance.
function judgeNumber({answers, tolerance}, typed) {
  const text = typed.trim();
  if (/^[-+−]?\d*,\d+$/.test(text))
    return {right: false, reply: `Write ${text.replace(",", ".")}, with a point.`};
  const number = Number(text.replace("−", "-"));
  if (text === "" || Number.isNaN(number))
    return {right: false, reply: "Enter a number, such as 0.25."};
  const isNear = ({value}) => Math.abs(number - value) <= tolerance * (Math.abs(value) || 1);
  return answers.find(isNear) ?? {right: false, reply: "Not this number. Try again."};
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function withHtml(made, html) {
  made.innerHTML = html;
  return made;
}

// A fieldset of one question; answer(value, right) is called when the reader has answered.
function build(question, number, group, answer) {
  const reply = element("div", {class: "lb-reply", "aria-live": "polite"});
  const show = ({right, reply: text}) => {
    const figure = right || !question.isNumber ? question.figure : "";
    reply.innerHTML = `<b>${right ? "✓ Right." : "✖ Not quite."}</b> ${text}${figure}`;
  };
  const controls = element("div", {class: question.isNumber ? "lb-number" : "lb-choice"});
  let set;
  if (question.isNumber) {
    const input = element("input", {type: "text", inputmode: "decimal", autocomplete: "off"});
    const check = element("button", {type: "button"}, "Check");
    const judge = () => {
      const judged = judgeNumber(question, input.value);
      show(judged);
      answer(input.value, judged.right);
    };
    check.addEventListener("click", judge);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") judge(); });
    const label = element("label", {}, "Your number ", input);
    controls.append(element("div", {class: "lb-row"}, label, check));
    set = (value) => {
      input.value = value;
      const judged = judgeNumber(question, value);
      show(judged);
      return judged.right;
    };
  } else {
    const inputs = question.answers.map((option, i) => {
      const input = element("input", {type: "radio", name: group, value: i});
      input.addEventListener("change", () => {
        show(option);
        answer(i, option.right);
      });
      controls.append(element("label", {}, input, withHtml(element("span"), option.value)));
      return input;
    });
    set = (value) => {
      if (!inputs[value]) return false;
      inputs[value].checked = true;
      show(question.answers[value]);
      return question.answers[value].right;
    };
  }
  const legend = withHtml(element("legend"), question.text);
  legend.firstChild.prepend(`${number}. `);
  return {fieldset: element("fieldset", {}, legend, controls, reply), set};
}

export function start(root, data) {
  const place = part(root, "questions");
  const score = part(root, "score");
  let given = load(data.name);
  let right = {};

  function tell() {
    const count = Object.values(right).filter(Boolean).length;
    score.textContent = Object.keys(given).length
      ? `${count} of ${data.questions.length} right. Your answers stay in this browser.`
      : "";
  }

  function fill() {
    place.replaceChildren();
    right = {};
    data.questions.forEach((question, i) => {
      const group = `${root.dataset.lossbook}-${i}-${Math.random().toString(36).slice(2)}`;
      const {fieldset, set} = build(question, i + 1, group, (value, isRight) => {
        given[i] = value;
        right[i] = isRight;
        save(data.name, given);
        tell();
      });
      place.append(fieldset);
      if (i in given) right[i] = set(given[i]);
    });
    keepKeys(root);
    tell();
  }

  part(root, "again").addEventListener("click", () => {
    given = {};
    save(data.name, given);
    fill();
    place.querySelector("input").focus();
  });
  fill();
}
