// Counts in steps of a number, as columns to be pressed, and as a table for who does not see them.

import { html } from "../vendor/lit-html/lit-html.js";
import { counted, number } from "./format.js";

/** The least height of a column that is not empty, in parts of the whole. */
const LEAST = 0.03;

/**
 * Columns of how many values lie in each step from 0 to 1.
 * @param {object} given
 * @param {string} given.caption
 * @param {number[]} given.counts
 * @param {(least: number, most: number) => string} given.to where a column leads
 * @param {string} [given.unit] "row"
 */
export function histogram({ caption, counts, to, unit = "row" }) {
  const most = Math.max(...counts, 1);
  const steps = counts.map((count, at) => ({ count, least: at / counts.length, most: (at + 1) / counts.length }));
  return html`<figure class="histogram">
    <div class="histogram-columns">
      ${steps.map(
        (step) => step.count
          ? html`<a href=${to(step.least, step.most)} title=${told(step, unit)} aria-label=${told(step, unit)}
              ><span .style=${`height: ${100 * Math.max(LEAST, step.count / most)}%`}></span></a>`
          : html`<span aria-hidden="true" title=${told(step, unit)}></span>`,
      )}
    </div>
    <div class="histogram-scale small muted" aria-hidden="true"><span>0</span><span>0.5</span><span>1</span></div>
    <details><summary class="small">As a table</summary>
      <div class="table-scroll" role="group" aria-label=${caption} tabindex="0"><table>
        <caption class="visually-hidden">${caption}</caption>
        <thead><tr><th scope="col">Score</th><th scope="col" class="number">${unit}s</th></tr></thead>
        <tbody>${steps.filter(({ count }) => count).map((step) => html`<tr><th scope="row">${range(step)}</th>
          <td class="number">${number(step.count)}</td></tr>`)}</tbody>
      </table></div></details>
  </figure>`;
}

/**
 * @param {{least: number, most: number, count: number}} step
 * @param {string} unit
 */
function told(step, unit) {
  return `${range(step)}: ${counted(step.count, unit)}`;
}

/** @param {{least: number, most: number}} step */
function range({ least, most }) {
  return `${number(least)} to ${number(most)}`;
}
