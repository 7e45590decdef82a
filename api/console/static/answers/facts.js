// What stands beside an answer in few words: why it ended, how many tokens it took.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { duration, number, words } from "../lib/format.js";
import { rowOf } from "../lib/tensors.js";

/** Characters of a value that is shown so. */
const LONGEST = 200;

/** @type {Record<string, (value: number) => string>} by a tensor's name */
const UNITS = { duration, sample_rate: (value) => `${number(value)} Hz` };

/**
 * The tensors of one value a row, without those that are drawn.
 * @param {import("./answer.js").Answer} answer
 * @param {string[]} drawn names
 */
export function facts({ response, row }, drawn) {
  const found = response.outputs
    .filter(({ name, shape, parameters }) => shape.length === 1 && !drawn.includes(name) && !parameters?.content_type)
    .map((tensor) => ({ name: tensor.name, value: rowOf(tensor, row) }))
    .filter(({ value }) => value !== undefined && value !== "" && String(value).length <= LONGEST);
  if (!found.length) return nothing;
  return html`<dl class="facts">
    ${found.map(({ name, value }) => html`<dt>${words(name)}</dt><dd>${typeof value === "number" ? (UNITS[name] ?? number)(value) : value}</dd>`)}
  </dl>`;
}
