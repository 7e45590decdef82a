// What a page does while it is shown: it starts with the first draw that asks for it, and ends
// with the first that does not.

/** @typedef {(signal: AbortSignal) => void} Start */

/** @type {Map<string, AbortController>} */
const running = new Map();

/** @type {Map<string, Start>} what the draw that goes on asked for */
let asked = new Map();

/**
 * Have something run for as long as each draw asks for it under this key: a page calls this in
 * its draw function. The signal ends it; another key (another job's id in it) is another start.
 * @param {string} key
 * @param {Start} start
 */
export function whileShown(key, start) {
  asked.set(key, start);
}

/** After a draw: end what it did not ask for, start what is new. `main.js` calls it. */
export function settle() {
  const wanted = asked;
  asked = new Map();
  for (const [key, controller] of running) {
    if (wanted.has(key)) continue;
    running.delete(key);
    controller.abort();
  }
  for (const [key, start] of wanted) {
    if (running.has(key)) continue;
    const controller = new AbortController();
    running.set(key, controller);
    start(controller.signal);
  }
}

/**
 * Do something at once and then again, each time so many seconds after it was done, until the
 * signal says so. A tab that nobody looks at waits.
 * @param {AbortSignal} signal
 * @param {number} seconds
 * @param {(signal: AbortSignal) => Promise<void>} work says itself what went wrong
 */
export async function again(signal, seconds, work) {
  while (!signal.aborted) {
    if (document.hidden) await once(document, "visibilitychange", signal);
    else {
      await work(signal);
      await pause(seconds * 1000, signal);
    }
  }
}

/** Says nothing, ever: for what goes on though its page is left. */
export const never = new AbortController().signal;

/**
 * Wait; less if the signal says so.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

/**
 * @param {EventTarget} target
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function once(target, name, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    target.addEventListener(name, () => resolve(), { once: true, signal });
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
