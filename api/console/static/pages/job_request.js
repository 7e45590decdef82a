// What a job was asked, as a person reads it: texts, pictures, sounds, and the JSON of it all.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { codeBlock } from "../lib/copy.js";
import { bytes, counted } from "../lib/format.js";
import { HttpError } from "../lib/http.js";

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
    ${shown.map((value) => (isFile ? file(String(value)) : text(String(value))))}
    ${values.length > SHOWN && tensor.datatype === "BYTES" ? html`<p class="muted">and ${counted(values.length - SHOWN, "more", "more")}</p>` : nothing}
  </div>`;
}

/** @param {string} value */
function text(value) {
  const cut = value.length > LONGEST;
  return html`<pre class="job-text" tabindex="0" role="region" aria-label="Input">${value.slice(0, LONGEST)}${cut ? "…" : ""}</pre>`;
}

/** What begins so is a picture that a browser shows, or a sound that it plays. */
const KINDS = [
  ["iVBOR", "image/png"],
  ["/9j/", "image/jpeg"],
  ["R0lGOD", "image/gif"],
  ["Qk0", "image/bmp"],
  ["UklGR", ""], // RIFF: which, its ninth byte says
  ["T2dnUw", "audio/ogg"],
  ["ZkxhQ", "audio/flac"],
  ["SUQz", "audio/mpeg"],
  ["//", "audio/mpeg"],
];

/** @type {Map<string, string>} addresses of files, by their base64: one a file, however often it is drawn */
const addresses = new Map();

/** @param {string} value base64 */
function file(value) {
  const size = Math.floor((value.length * 3) / 4);
  const found = KINDS.find(([begins]) => value.startsWith(/** @type {string} */ (begins)));
  const kind = found?.[1] || (found ? riff(value) : "");
  if (kind.startsWith("image/")) return html`<img class="job-picture" src=${address(value, kind)} alt="the picture that was sent">`;
  if (kind.startsWith("audio/")) return html`<audio controls src=${address(value, kind)} aria-label="the sound that was sent"></audio>`;
  return html`<p class="muted">A file of ${bytes(size)}.</p>`;
}

/** @param {string} value */
function riff(value) {
  return atob(value.slice(0, 16)).slice(8, 12) === "WEBP" ? "image/webp" : "audio/wav";
}

/**
 * @param {string} value
 * @param {string} kind
 */
function address(value, kind) {
  let found = addresses.get(value);
  if (!found) {
    if (addresses.size >= SHOWN * 4) {
      for (const old of addresses.values()) URL.revokeObjectURL(old);
      addresses.clear();
    }
    const raw = Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
    found = URL.createObjectURL(new Blob([raw], { type: kind }));
    addresses.set(value, found);
  }
  return found;
}
