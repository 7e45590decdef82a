// Numbers without a name: a vector, several, or one alone.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { copyButton } from "../lib/copy.js";
import { number } from "../lib/format.js";
import { rowCount, rowOf } from "../lib/tensors.js";
import { barTable } from "./bars.js";
import { kept } from "./kept.js";
import "./grid.js";

/** Rows that are compared with each other, at most. */
const COMPARED = 20;

/** @param {import("./answer.js").Answer} answer */
export default function draw({ response, row }) {
  const lines = kept(response, `vectors ${row}`, () => vectorsOf(response, row));
  if (!lines.length) return html`<p class="answer-note">No numbers.</p>`;
  const all = lines.flat();
  if (all.length === 1) return html`<p class="answer-result">${number(all[0])}</p>`;
  return html`<answer-grid .lines=${lines}></answer-grid>
    <dl class="facts">
      <dt>Size</dt><dd>${lines.length > 1 ? `${number(lines.length)} vectors of ` : ""}${number(lines[0].length)} numbers</dd>
      <dt>Least, most</dt><dd>${number(least(all))}, ${number(-least(all.map((/** @type {number} */ value) => -value)))}</dd>
      ${lines.length > 1 ? nothing : html`<dt>Length</dt><dd>${number(length(all))}</dd>`}
      <dt>Begins with</dt><dd class="mono">${all.slice(0, 6).map((/** @type {number} */ value) => number(value)).join(", ")}${all.length > 6 ? ", …" : ""}</dd>
    </dl>
    <div class="row">${copyButton(() => JSON.stringify(lines.length > 1 ? lines : lines[0]), "the numbers")}</div>
    ${lines.length > 1 ? nothing : others(response, row, all)}`;
}

/**
 * The vectors of a row.
 * @param {import("../lib/tensors.js").InferenceResponse} response
 * @param {number} row
 * @returns {any[]}
 */
function vectorsOf(response, row) {
  const found = [rowOf(response.outputs[0], row) ?? []].flat();
  if (!found.length) return [];
  return Array.isArray(found[0]) ? found : [found];
}

/**
 * How near the vector is to those of the other rows.
 * @param {import("../lib/tensors.js").InferenceResponse} response
 * @param {number} row
 * @param {number[]} vector
 */
function others(response, row, vector) {
  const count = Math.min(rowCount(response), COMPARED);
  if (count < 2) return nothing;
  const bars = Array.from({ length: count }, (_, other) => other)
    .filter((other) => other !== row)
    .map((other) => ({ label: `row ${other}`, score: cosine(vector, rowOf(response.outputs[0], other)) }));
  return html`<p class="answer-note">How near to the other rows (cosine):</p>
    ${barTable("How near to the other rows", ["Row", "Cosine"], bars)}`;
}

/** @param {number[]} values */
function least(values) {
  return values.reduce((found, value) => Math.min(found, value), Infinity);
}

/** @param {number[]} vector */
function length(vector) {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function cosine(one, other) {
  const dot = one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
  return dot / (length(one) * length(other) || 1);
}
