// Names with a number each, as bars.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { number } from "../lib/format.js";

/** Characters of a label that may take several lines. */
const LONG = 20;

/**
 * @typedef {object} Bar
 * @property {unknown} label
 * @property {number} score
 */

/**
 * Bars as a table: what, how much, and the number.
 * @param {string} caption read by those who do not see it
 * @param {[string, string]} heads
 * @param {Bar[]} bars
 */
export function barTable(caption, heads, bars) {
  const most = Math.max(...bars.map(({ score }) => Math.abs(score)));
  const whole = bars.every(({ score }) => score >= 0 && score <= 1) ? 1 : most || 1;
  const long = bars.some(({ label }) => typeof label !== "string" || label.length > LONG);
  return html`<table class="answer-bars ${long ? "answer-long" : ""}">
    <caption class="visually-hidden">${caption}</caption>
    <thead class="visually-hidden"><tr><th scope="col">${heads[0]}</th><th scope="col">${heads[1]}</th></tr></thead>
    <tbody>
      ${bars.map(
        ({ label, score }) => html`<tr>
          <th scope="row">${label}</th>
          <td>
            <div class="answer-measure">
              <span class="answer-bar" aria-hidden="true">
                <span class=${score < 0 ? "answer-below" : nothing} .style=${`width: ${(Math.abs(score) / whole) * 100}%`}></span>
              </span>
              <span class="answer-number">${number(score)}</span>
            </div>
          </td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
