// What every widget's script builds on.

const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

// Call back when the reader's page turns light or dark (see common.css).
function onTheme(root, callback) {
  root.addEventListener("transitionend", event => { if (event.target === root) callback(); });
}

// Set every button of a group to pressed or not.
function press(buttons, isPressed) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(isPressed(button)));
}
