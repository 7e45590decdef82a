// A question that must be answered first, and a card above the page.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { ref } from "../vendor/lit-html/directives/ref.js";
import { redraw } from "./redraw.js";

/**
 * @typedef {object} Shown
 * @property {() => unknown} title
 * @property {() => unknown} draw
 * @property {boolean} wide
 * @property {() => void} closed what to do when it is gone, however it went
 */

/** @type {Shown | null} */
let shown = null;

/** @type {HTMLDialogElement | null} */
let element = null;

/**
 * Show a card above the page, until `closeDialog` or Escape. One at a time.
 * @param {string | (() => unknown)} title
 * @param {() => unknown} draw
 * @param {boolean} [wide] as wide as the page lets it be
 * @returns {Promise<void>} when it is gone
 */
export function openDialog(title, draw, wide = false) {
  closeDialog();
  return new Promise((resolve) => {
    shown = { title: typeof title === "string" ? () => title : title, draw, wide, closed: resolve };
    redraw();
  });
}

/** Take the card away, if there is one. */
export function closeDialog() {
  const gone = shown;
  shown = null;
  element = null;
  gone?.closed();
  redraw();
}

/**
 * Ask whether to do what cannot be undone.
 * @param {object} question
 * @param {string} question.title
 * @param {unknown} question.text
 * @param {string} question.yes what the button says that does it: a verb
 * @param {boolean} [question.danger] whether something is lost by it
 * @returns {Promise<boolean>}
 */
export async function confirmed({ title, text, yes, danger = false }) {
  let answer = false;
  const agree = () => {
    answer = true;
    closeDialog();
  };
  await openDialog(
    title,
    () => html`<p>${text}</p>
      <div class="buttons">
        <button type="button" class=${danger ? "danger" : "primary"} @click=${agree}>${yes}</button>
        <button type="button" autofocus @click=${closeDialog}>Leave it</button>
      </div>`,
  );
  return answer;
}

/** The card, drawn beside the page by `main.js`. */
export function dialogLayer() {
  if (!shown) return html``;
  const { title, draw, wide } = shown;
  return html`<dialog
    ${ref(open)}
    class=${wide ? "wide" : nothing}
    aria-labelledby="dialog-title"
    @close=${closeDialog}
    @click=${(/** @type {MouseEvent} */ event) => event.target === element && closeDialog()}
  >
    <div class="dialog-body">
      <h2 id="dialog-title">${title()}</h2>
      ${draw()}
    </div>
  </dialog>`;
}

/** @param {Element | undefined} found */
function open(found) {
  if (!(found instanceof HTMLDialogElement) || found === element) return;
  element = found;
  queueMicrotask(() => found.isConnected && !found.open && found.showModal());
}
