// One redraw for however many changes of state come together.

/** @type {(() => void) | null} */
let draw = null;
let asked = false;

/**
 * Say what draws the page.
 * @param {() => void} callback
 */
export function onChange(callback) {
  draw = callback;
}

/** Have the page drawn once more, before the next frame. */
export function redraw() {
  if (asked) return;
  asked = true;
  queueMicrotask(() => {
    asked = false;
    draw?.();
  });
}
