// An answer drawn as it means: each kind by a module of its own, brought when it is first needed.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { callJson } from "../lib/http.js";
import { rowError, rowWarning } from "../lib/tensors.js";

/**
 * @typedef {object} Answer
 * @property {string} task
 * @property {string} model
 * @property {string} renderer what the task's declaration says shows its answers
 * @property {import("../lib/tensors.js").InferenceRequest} request
 * @property {import("../lib/tensors.js").InferenceResponse} response
 * @property {number} row
 * @property {boolean} [small] drawn as one of many: no controls, no lists, no more than a card holds
 * @property {() => void} redraw to be called when something of the drawing changed
 */

/** @typedef {(answer: Answer) => unknown} Draw */

/** Kinds with a module here; the others are drawn as JSON. */
const KINDS = new Set([
  "audio",
  "boxes",
  "chat",
  "depth",
  "image",
  "images",
  "json",
  "keypoints",
  "labels",
  "masks",
  "matches",
  "scores",
  "series",
  "spans",
  "table",
  "text",
  "transcript",
  "vector",
]);

/** Characters of an answer that are shown where it cannot be drawn. */
const LONGEST = 20_000;

/** @type {Map<string, Draw | Error>} by the module's address */
const modules = new Map();

/** @type {Map<string, Promise<void>>} */
const coming = new Map();

/** @type {Record<string, string>} by task, the module that another package brings */
let extensions = {};
let listed = false;

/** @type {Promise<void> | null} */
let asked = null;

/**
 * Draw one row of an answer.
 * @param {Answer} answer
 */
export function drawAnswer(answer) {
  const error = rowError(answer.response, answer.row);
  if (error) return html`<p class="answer-error" role="alert">${error.error}</p>`;
  return html`<div class="answer" role="group" aria-label="Answer">
    ${warning(rowWarning(answer.response, answer.row))} ${body(answer)}
  </div>`;
}

/** @param {string} text */
function warning(text) {
  return text ? html`<p class="answer-warning">Note: ${text}</p>` : nothing;
}

/**
 * The drawing: a package's own where it brings one for the task, else that of the renderer.
 * @param {Answer} answer
 */
function body(answer) {
  asked ??= findExtensions();
  const own = extensions[answer.task];
  if (!listed) return soon(asked, answer);
  if (!own) return by(builtIn(answer), answer);
  const path = new URL(own, document.baseURI).href;
  const error = modules.get(path);
  if (!(error instanceof Error)) return by(path, answer);
  return html`${warning(`the drawing that a package brings cannot be read (${error.message})`)} ${by(builtIn(answer), answer)}`;
}

/** @param {Answer} answer */
function builtIn({ renderer }) {
  return `./${KINDS.has(renderer) ? renderer : "json"}.js`;
}

/**
 * @param {string} path of a module
 * @param {Answer} answer
 */
function by(path, answer) {
  const draw = modules.get(path);
  if (draw instanceof Error) return unreadable(draw, answer);
  return draw ? drawn(draw, answer) : soon(bring(path), answer);
}

/**
 * @param {Promise<void>} coming
 * @param {Answer} answer
 */
function soon(coming, { redraw }) {
  coming.then(redraw);
  return html`<p class="answer-note" role="status">Preparing the drawing…</p>`;
}

async function findExtensions() {
  try {
    extensions = await callJson("console/extensions.json");
  } catch {
    // Without the list answers are drawn by what is here.
  }
  listed = true;
}

/** @param {string} path */
function bring(path) {
  const known = coming.get(path);
  if (known) return known;
  const done = import(path).then(
    (module) => void modules.set(path, module.default),
    (error) => void modules.set(path, error),
  );
  coming.set(path, done);
  return done;
}

/**
 * A drawing that fails must not take the page with it: the answer is shown as it came.
 * @param {Draw} draw
 * @param {Answer} answer
 */
function drawn(draw, answer) {
  try {
    return draw(answer);
  } catch (error) {
    return unreadable(/** @type {Error} */ (error), answer);
  }
}

/**
 * @param {Error} error
 * @param {Answer} answer
 */
function unreadable(error, answer) {
  return html`<p class="answer-warning">This answer cannot be drawn: ${error.message}</p>
    <pre class="answer-code" tabindex="0">${JSON.stringify(answer.response, null, 1).slice(0, LONGEST)}</pre>`;
}
