// What a job was asked, as a person reads it: texts, pictures, sounds, and the JSON of it all.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { codeBlock } from "../lib/copy.js";
import { bytes, counted } from "../lib/format.js";
import { HttpError } from "../lib/http.js";
import { filesOf, urlOf } from "../lib/tensors.js";

/** Elements of an input that are shown, and characters of one. */
const SHOWN = 8;
const LONGEST = 2000;

/**
 * @param {{request: any, noRequest: Error | null}} here
 */
export function asked({ request, noRequest }) {
  if (request) return guard([request], () => known(request));
  if (!noRequest) return html`<p class="muted" role="status">Loading…</p>`;
  if (noRequest instanceof HttpError && noRequest.status === 404) {
    return html`<p class="muted">
      It is no longer there. The request of an ended job is kept for an hour where it is small, and as far as
      the fleet has room for it; not that of one who waited for the answer, nor of a job that was canceled.
    </p>`;
  }
  return html`<p class="notice bad">${noRequest.message}</p>`;
}

/** @param {import("../lib/tensors.js").InferenceRequest & {parameters?: Record<string, unknown>}} request */
function known(request) {
  const parameters = Object.entries(request.parameters ?? {});
  return html`
    ${request.inputs.map(input)}
    ${
      parameters.length
        ? html`<h3>Parameters</h3>
            <dl class="facts">${parameters.map(([name, value]) => html`<dt>${name}</dt><dd>${JSON.stringify(value)}</dd>`)}</dl>`
        : nothing
    }
    <details>
      <summary>As JSON</summary>
      ${codeBlock(JSON.stringify(request, shortened, 1), "the request as JSON")}
    </details>
  `;
}

/**
 * Files are too long to be read as base64; what is copied says so.
 * @param {string} _
 * @param {unknown} value
 */
function shortened(_, value) {
  if (typeof value !== "string" || value.length <= LONGEST) return value;
  return `${value.slice(0, 80)}… (${value.length} characters)`;
}

/** @param {import("../lib/tensors.js").Tensor} tensor */
function input(tensor) {
  const values = tensor.data.flat(Infinity);
  const isFile = tensor.parameters?.content_type === "base64";
  const shown = tensor.datatype === "BYTES" ? values.slice(0, SHOWN) : [values.slice(0, 64).join(", ")];
  return html`<div class="stack job-input">
    <h3>${tensor.name} <span class="muted">${tensor.datatype} [${tensor.shape.join(", ")}]</span></h3>
    ${isFile ? filesAhead(tensor).map(file) : shown.map((value) => text(String(value)))}
    ${values.length > SHOWN && tensor.datatype === "BYTES" ? html`<p class="muted">and ${counted(values.length - SHOWN, "more", "more")}</p>` : nothing}
  </div>`;
}

/** @param {string} value */
function text(value) {
  const cut = value.length > LONGEST;
  return html`<pre class="job-text" tabindex="0" role="region" aria-label="Input">${value.slice(0, LONGEST)}${cut ? "…" : ""}</pre>`;
}

/** @param {Blob | null} found */
function file(found) {
  if (!found) return html`<p class="muted">No file.</p>`;
  if (found.type.startsWith("image/")) return html`<img class="job-picture" src=${urlOf(found)} alt="the picture that was sent">`;
  if (found.type.startsWith("audio/")) return html`<audio controls src=${urlOf(found)} aria-label="the sound that was sent"></audio>`;
  return html`<p class="muted">A file of ${bytes(found.size)}.</p>`;
}

/**
 * The first files of a tensor.
 * @param {import("../lib/tensors.js").Tensor} tensor
 */
function filesAhead(tensor) {
  const rows = Math.min(SHOWN, tensor.shape[0] ?? 0);
  return Array.from({ length: rows }, (_, row) => filesOf(tensor, row)).flat().slice(0, SHOWN);
}
