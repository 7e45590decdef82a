// An answer of no kind that is known: each tensor by its name.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { filesOf, parsed, rowOf, urlOf } from "../lib/tensors.js";

/** Characters shown of one value. */
const LONGEST = 20_000;

/** @typedef {import("../lib/tensors.js").Tensor} Tensor */

/** @param {import("./answer.js").Answer} answer */
export default function draw({ response, row }) {
  return html`<dl class="answer-tensors">
    ${response.outputs.map(
      (tensor) => html`<div>
        <dt>${tensor.name} <span class="answer-note">${tensor.datatype} [${tensor.shape.join(", ")}]</span></dt>
        <dd>${value(tensor, row)}</dd>
      </div>`,
    )}
  </dl>`;
}

/**
 * @param {Tensor} tensor
 * @param {number} row
 */
function value(tensor, row) {
  if (tensor.parameters?.content_type === "base64") return files(tensor, row);
  const found = rowOf(tensor, row);
  const entries = tensor.datatype !== "BYTES" ? found : Array.isArray(found) ? found.map(parsed) : parsed(found);
  if (typeof entries === "string" || typeof entries === "number") return html`<p class="answer-text">${entries}</p>`;
  const text = JSON.stringify(entries, null, 1) ?? "nothing";
  return html`<pre class="answer-code" tabindex="0" aria-label=${tensor.name}>${text.slice(0, LONGEST)}</pre>
    ${text.length > LONGEST ? html`<p class="answer-note">The first ${LONGEST} of ${text.length} characters.</p>` : nothing}`;
}

/**
 * @param {Tensor} tensor
 * @param {number} row
 */
function files(tensor, row) {
  return filesOf(tensor, row).map((file, at) => {
    if (!file) return html`<p class="answer-note">no file</p>`;
    const name = `${tensor.name} ${at + 1}`;
    if (file.type.startsWith("image/")) return html`<img class="answer-picture-file" src=${urlOf(file)} alt=${name}>`;
    if (file.type.startsWith("audio/")) return html`<audio controls src=${urlOf(file)} aria-label=${name}></audio>`;
    return html`<p><a href=${urlOf(file)} download=${tensor.name}>Save ${name}</a> <span class="answer-note">${file.size} bytes</span></p>`;
  });
}
