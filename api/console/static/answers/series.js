// A series that goes on: what was, what is expected, and between which bounds.

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { number } from "../lib/format.js";
import { rowOf, tensorOf } from "../lib/tensors.js";

/** The drawing's own units. */
const [WIDTH, HEIGHT] = [1000, 300];

/** Past values drawn for each that is forecast, at most, and in all at least. */
const [PAST, LEAST] = [4, 64];

/** @param {import("./answer.js").Answer} answer */
export default function draw({ request, response, row }) {
  /** @type {number[]} */
  const mean = rowOf(tensorOf(response.outputs, "mean"), row) ?? [];
  /** @type {number[][]} */
  const quantiles = rowOf(tensorOf(response.outputs, "quantiles"), row) ?? [];
  /** @type {number[]} */
  const levels = rowOf(tensorOf(response.outputs, "level"), row) ?? [];
  /** @type {number[]} */
  const given = rowOf(tensorOf(request.inputs, "past_values"), row) ?? [];
  const past = given.slice(-Math.max(LEAST, PAST * mean.length));
  return html`<div class="answer-chart">${chart(past, mean, quantiles)}</div>
    <p class="answer-note">
      <span class="answer-swatch answer-past" aria-hidden="true"></span>given
      <span class="answer-swatch answer-forecast" aria-hidden="true"></span>forecast${levels.length > 1 ? `; shaded from the quantile ${number(Math.min(...levels))} to ${number(Math.max(...levels))}` : nothing}${past.length < given.length ? `; the last ${past.length} of ${given.length} given values` : nothing}
    </p>
    <div class="answer-list"><div class="table-scroll" role="group" aria-label="The forecast" tabindex="0">
      <table class="answer-items">
        <caption class="visually-hidden">The forecast</caption>
        <thead><tr><th scope="col">Step</th><th scope="col" class="number">Mean</th>${levels.map((level) => html`<th scope="col" class="number">${number(level)}</th>`)}</tr></thead>
        <tbody>
          ${mean.map((value, at) => html`<tr>
            <th scope="row">${at + 1}</th><td class="number">${number(value)}</td>
            ${levels.map((_, which) => html`<td class="number">${number(quantiles[at]?.[which] ?? NaN)}</td>`)}
          </tr>`)}
        </tbody>
      </table>
    </div></div>`;
}

/**
 * @param {number[]} past
 * @param {number[]} mean
 * @param {number[][]} quantiles
 */
function chart(past, mean, quantiles) {
  const all = [...past, ...mean, ...quantiles.flat()].filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const step = WIDTH / Math.max(1, past.length + mean.length - 1);
  const point = (/** @type {number} */ value, /** @type {number} */ at) =>
    `${(at * step).toFixed(1)},${(HEIGHT - ((value - low) / (high - low || 1)) * HEIGHT).toFixed(1)}`;
  const line = (/** @type {number[]} */ values, /** @type {number} */ from) => values.map((value, at) => point(value, from + at)).join(" ");
  const upper = quantiles.map((one) => Math.max(...one));
  const lower = quantiles.map((one) => Math.min(...one));
  const band = [...upper.map((value, at) => point(value, past.length + at)), ...lower.map((value, at) => point(value, past.length + at)).reverse()];
  const joined = past.length ? [past[past.length - 1] ?? 0, ...mean] : mean;
  return html`<svg viewBox="-4 -4 ${WIDTH + 8} ${HEIGHT + 8}" preserveAspectRatio="none" role="img" aria-label="The series and its forecast; the table has the numbers">
      ${quantiles.length ? svg`<polygon class="answer-band" points=${band.join(" ")}></polygon>` : nothing}
      <polyline class="answer-past" points=${line(past, 0)}></polyline>
      <polyline class="answer-forecast" points=${line(joined, past.length ? past.length - 1 : 0)}></polyline>
    </svg>
    <span class="answer-note">${number(high)}</span><span class="answer-note">${number(low)}</span>`;
}
