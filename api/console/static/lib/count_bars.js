// Names and how often each was counted, as bars in a table; a name may lead somewhere.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { number } from "./format.js";

/** Names that are shown before one asks for the others. */
const FEW = 12;

/**
 * @param {object} given
 * @param {string} given.caption
 * @param {[string, string]} given.heads
 * @param {Record<string, number>} given.counts
 * @param {(name: string) => string} given.to where a name leads
 */
export function countBars({ caption, heads, counts, to }) {
  const all = Object.entries(counts).sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ...all.map(([, count]) => count));
  const [first, rest] = [all.slice(0, FEW), all.slice(FEW)];
  return html`${bars(caption, heads, first, most, to)}
    ${rest.length
      ? html`<details><summary class="small">The other ${number(rest.length)}</summary>
          ${bars(`${caption}: the others`, heads, rest, most, to)}</details>`
      : nothing}`;
}

/**
 * @param {string} caption
 * @param {[string, string]} heads
 * @param {[string, number][]} some
 * @param {number} most
 * @param {(name: string) => string} to
 */
function bars(caption, heads, some, most, to) {
  return html`<table class="count-bars">
    <caption class="visually-hidden">${caption}</caption>
    <thead class="visually-hidden"><tr><th scope="col">${heads[0]}</th><th scope="col">${heads[1]}</th></tr></thead>
    <tbody>
      ${some.map(
        ([name, count]) => html`<tr>
          <th scope="row"><a href=${to(name)}>${name || "(no name)"}</a></th>
          <td><div class="answer-measure">
            <span class="answer-bar" aria-hidden="true"><span .style=${`width: ${(100 * count) / most}%`}></span></span>
            <span class="answer-number">${number(count)}</span></div></td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
