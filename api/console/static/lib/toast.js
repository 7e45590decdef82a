// Words that come and go: what was done, or why not.

import { html } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { redraw } from "./redraw.js";

/** How long words stay, in ms. What went wrong stays until it is closed. */
const STAYS = 5000;

/** @typedef {{id: number, text: string, kind: "good" | "bad"}} Toast */

/** @type {Toast[]} */
let toasts = [];
let count = 0;

/**
 * Say something, aloud for who listens.
 * @param {string} text
 * @param {"good" | "bad"} [kind]
 */
export function toast(text, kind = "good") {
  count += 1;
  const said = { id: count, text, kind };
  toasts = [...toasts.slice(-3), said];
  if (kind === "good") setTimeout(() => close(said.id), STAYS);
  redraw();
}

/**
 * Do something that was asked for; say what was done, or why it was not.
 * @param {Promise<unknown>} work
 * @param {string} [done] nothing is said without it
 * @returns {Promise<boolean>} whether it was done
 */
export async function told(work, done) {
  try {
    await work;
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "bad");
    return false;
  }
}

/** @param {number} id */
function close(id) {
  toasts = toasts.filter((one) => one.id !== id);
  redraw();
}

/** The words, drawn beside the page by `main.js`. */
export function toastLayer() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${repeat(
      toasts,
      (one) => one.id,
      (one) => html`<div class="toast ${one.kind}">
        <span>${one.text}</span>
        <button type="button" class="quiet" aria-label="Close" @click=${() => close(one.id)}>×</button>
      </div>`,
    )}
  </div>`;
}
