// What was sent, where an answer is about it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { filesOf, rowOf, tensorOf, urlOf } from "../lib/tensors.js";
import { soundsOf } from "./sounds.js";

/** @typedef {import("../lib/tensors.js").InferenceRequest} InferenceRequest */

/** Names of inputs that are pictures, by the tasks there are. */
const PICTURES = ["image", "video", "pages"];

/**
 * The pictures of a row, as files; a URL and an empty one are null.
 * @param {InferenceRequest} request
 * @param {number} row
 * @returns {(Blob | null)[]}
 */
export function picturesOf(request, row) {
  const named = request.inputs.find((tensor) => PICTURES.includes(tensor.name));
  const tensor = named ?? request.inputs.find((input) => filesOf(input, row)[0]?.type.startsWith("image/"));
  return filesOf(tensor, row);
}

/**
 * A text of a row, or undefined.
 * @param {InferenceRequest} request
 * @param {number} row
 * @param {string[]} names the first of these inputs that is there
 * @returns {string | undefined}
 */
export function textOf(request, row, names) {
  for (const name of names) {
    const found = rowOf(tensorOf(request.inputs, name), row);
    if (found !== undefined) return String(found);
  }
  return undefined;
}

/**
 * The picture or sound that a row is about, small; nothing for other rows.
 * @param {InferenceRequest} request
 * @param {number} row
 */
export function givenFile(request, row) {
  const pictures = picturesOf(request, row);
  if (pictures.length) {
    return html`<div class="answer-given">
      ${pictures.slice(0, 8).map((file, at) => thumbnail(file, pictures.length > 1 ? `Picture ${at + 1} sent` : "The picture sent"))}
      ${pictures.length > 8 ? html`<p class="answer-note">and ${pictures.length - 8} more</p>` : nothing}
    </div>`;
  }
  const [sound] = soundsOf(request, row);
  if (!sound) return nothing;
  return html`<div class="answer-given"><audio controls src=${urlOf(sound)} aria-label="The sound sent"></audio></div>`;
}

/**
 * @param {Blob | null} file
 * @param {string} name
 */
export function thumbnail(file, name) {
  if (file?.type.startsWith("video/")) {
    return html`<video class="answer-thumbnail" controls muted src=${urlOf(file)} aria-label=${name}></video>`;
  }
  if (!file?.type.startsWith("image/")) {
    return html`<p class="answer-note">${name}: a file that this browser does not show.</p>`;
  }
  return html`<img class="answer-thumbnail" src=${urlOf(file)} alt=${name} @load=${sharpen}>`;
}

/**
 * Pictures of few pixels are shown with each pixel a square.
 * @param {Event} event
 */
export function sharpen(event) {
  const image = /** @type {HTMLImageElement} */ (event.target);
  image.classList.toggle("answer-pixels", Math.max(image.naturalWidth, image.naturalHeight) < 64);
}
