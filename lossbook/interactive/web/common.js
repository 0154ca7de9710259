// What every widget's script builds on.

const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

// Call back when the reader's page turns light or dark: by the attributes that common.css names, or with the system.
function onTheme(root, callback) {
  const turned = () => { if (root.isConnected) callback(); };
  const page = new MutationObserver(turned), attributeFilter = ["data-theme", "data-jp-theme-light", "theme"];
  for (const element of [document.documentElement, document.body]) page.observe(element, {attributeFilter});
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", turned);
}

// Set every button of a group to pressed or not.
function press(buttons, isPressed) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(isPressed(button)));
}

// Keys work on what has the focus; JupyterLab would take arrows and Enter for shortcuts of its own.
function keepKeys(root) {
  for (const one of root.querySelectorAll("button, input, canvas")) one.setAttribute("data-lm-suppress-shortcuts", "");
}
