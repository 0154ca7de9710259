// What every widget's script builds on.

export const degrees = radians => radians * 180 / Math.PI;
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

// Call back when the reader's page turns light or dark: by the attributes that common.css names, or
// with the system.
export function onTheme(root, callback) {
  const onChange = () => { if (root.isConnected) callback(); };
  const observer = new MutationObserver(onChange);
  const attributeFilter = ["data-theme", "data-jp-theme-light", "theme"];
  for (const element of [document.documentElement, document.body])
    observer.observe(element, {attributeFilter});
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
}

// Set every button of a group to pressed or not.
export function press(buttons, isPressed) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(isPressed(button)));
}

// Let a button copy the page's address. `status`, an element with aria-live, tells how it went.
export function copyLinkWith(button, status) {
  button.addEventListener("click", async () => {
    status.textContent = "";                   // so that the same words are read out once more
    try {
      await navigator.clipboard.writeText(location.href);
      status.textContent = "Link copied.";
    } catch {
      status.textContent = "The browser did not let this page copy. Copy the address bar instead.";
    }
  });
}

// Keys work on what has the focus; JupyterLab would take arrows and Enter for shortcuts of its own.
export function keepKeys(root) {
  for (const control of root.querySelectorAll("button, input, select, canvas, [role=slider]"))
    control.setAttribute("data-lm-suppress-shortcuts", "");
}
