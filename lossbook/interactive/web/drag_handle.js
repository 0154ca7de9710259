// A handle on a drawing: a slider along an angle, moved by mouse, finger or keys.

const KEY_STEPS = {
  ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10,
};
const KEY_ENDS = {Home: 0, End: Math.PI};

// `angle()` is where the handle is and `angleAt(event)` where the pointer is, in radians; `moveTo`
// is called with an angle and `step` with a number of steps. A "change" event follows each move.
export function makeHandle(kind, label, {angle, angleAt, moveTo, step}) {
  const handle = document.createElement("span");
  handle.className = `lb-handle lb-handle-${kind}`;
  handle.tabIndex = 0;
  handle.setAttribute("role", "slider");
  handle.setAttribute("aria-label", label);
  const tellChange = () => handle.dispatchEvent(new Event("change", {bubbles: true}));
  let grip = 0;               // from the pointer to the middle of the handle
  handle.addEventListener("pointerdown", event => {
    handle.setPointerCapture(event.pointerId);
    grip = angle() - angleAt(event);
  });
  handle.addEventListener("pointermove", event => {
    if (handle.hasPointerCapture(event.pointerId)) moveTo(angleAt(event) + grip);
  });
  handle.addEventListener("lostpointercapture", tellChange);
  handle.addEventListener("keydown", event => {
    if (event.key in KEY_STEPS) step(KEY_STEPS[event.key]);
    else if (event.key in KEY_ENDS) moveTo(KEY_ENDS[event.key]);
    else return;
    event.preventDefault();
    tellChange();
  });
  return handle;
}

// Put a handle at a place of its drawing and tell screen readers its value, in degrees.
export function placeHandle(handle, [x, y], value, most, text) {
  Object.assign(handle.style, {left: `${x}px`, top: `${y}px`});
  handle.setAttribute("aria-valuemin", 0);
  handle.setAttribute("aria-valuemax", most.toFixed(1));
  handle.setAttribute("aria-valuenow", value.toFixed(1));
  handle.setAttribute("aria-valuetext", text);
}
