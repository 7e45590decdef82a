// How labels, scores and failures go along a data set: a column for each stretch of its rows.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { number, percent } from "../lib/format.js";

/**
 * @typedef {{first: number, rows: number, failed: number, labels: number[], other_labels: number, no_label: number, mean_score: number | null}} Stretch
 * @typedef {{first: number, end: number, what: string, distance: number, told: string}} Drift
 * @typedef {{name: string, colour: string, count: (stretch: Stretch) => number}} Kind
 */

const COLOURS = ["--shape-1", "--shape-2", "--shape-3", "--shape-4", "--shape-5", "--shape-6", "--accent"];

/**
 * @param {{labels: string[], stretches: Stretch[]}} told
 * @param {Drift[]} drift
 */
export function along({ labels, stretches }, drift) {
  if (stretches.length < 2) return nothing;
  const kinds = kindsOf(labels).filter(({ count }) => stretches.some((one) => count(one)));
  const scored = stretches.some(({ mean_score: mean }) => mean !== null);
  const labelled = stretches.some((one) => one.other_labels + one.labels.reduce((sum, count) => sum + count, 0));
  if (!labelled && !scored && !stretches.some(({ failed }) => failed)) return nothing;
  return html`<section class="card" aria-labelledby="along-title"><h2 id="along-title">Along the data set</h2>
    ${drift.length
      ? html`<ul class="run-drift" aria-label="Rows that differ">${drift.map((one) => html`<li>${rowsOf(one.first, one.end)}: ${one.told}</li>`)}</ul>`
      : html`<p class="muted">No stretch of rows plainly differs from the rest.</p>`}
    ${labelled || !scored ? stacked(kinds, stretches) : nothing}
    ${scored ? scores(stretches) : nothing}
    ${numbers(kinds, stretches, scored)}
  </section>`;
}

/** @param {string[]} labels @returns {Kind[]} */
function kindsOf(labels) {
  return [
    ...labels.map((name, at) => ({ name, colour: COLOURS[at % COLOURS.length] ?? "", count: (/** @type {Stretch} */ one) => one.labels[at] ?? 0 })),
    { name: "other labels", colour: "--muted", count: (one) => one.other_labels },
    { name: "no label", colour: "--line", count: (one) => one.no_label },
    { name: "failed", colour: "--bad", count: (one) => one.failed },
  ];
}

/** @param {Kind[]} kinds @param {Stretch[]} stretches */
function stacked(kinds, stretches) {
  return html`<figure class="run-along">
    <figcaption class="small">Share of each row's first label</figcaption>
    <div class="run-columns" role="img" aria-label="Share of each row's first label, stretch by stretch; the numbers stand below">
      ${stretches.map(
        (one) => html`<div title=${toldOf(kinds, one)}>${kinds.map(({ count, colour }) =>
          count(one) ? html`<span .style=${`height: ${(100 * count(one)) / one.rows}%; background: var(${colour})`}></span>` : nothing,
        )}</div>`,
      )}
    </div>
    ${scale(stretches)}
    <ul class="run-legend small">${kinds.map(({ name, colour }) => html`<li><i .style=${`background: var(${colour})`}></i><bdi>${name}</bdi></li>`)}</ul>
  </figure>`;
}

/** @param {Stretch[]} stretches */
function scores(stretches) {
  return html`<figure class="run-along">
    <figcaption class="small">Mean of each row's highest score, from 0 to 1</figcaption>
    <div class="run-columns low" role="img" aria-label="Mean score, stretch by stretch; the numbers stand below">
      ${stretches.map(({ first, rows, mean_score: mean }) => html`<div title=${`${rowsOf(first, first + rows)}: ${mean === null ? "none" : mean.toFixed(2)}`}>
        <span .style=${`height: ${100 * (mean ?? 0)}%; background: var(--accent)`}></span></div>`)}
    </div>
    ${scale(stretches)}
  </figure>`;
}

/** @param {Stretch[]} stretches */
function scale(stretches) {
  const last = stretches.at(-1);
  return html`<div class="histogram-scale small muted" aria-hidden="true"><span>row ${number(stretches[0]?.first ?? 0)}</span>
    <span>${number((last?.first ?? 0) + (last?.rows ?? 1) - 1)}</span></div>`;
}

/** @param {Kind[]} kinds @param {Stretch[]} stretches @param {boolean} scored */
function numbers(kinds, stretches, scored) {
  return html`<details><summary class="small">As a table</summary>
    <div class="table-scroll" role="group" aria-label="Along the data set" tabindex="0"><table>
      <caption class="visually-hidden">Labels, failures and scores along the data set</caption>
      <thead><tr><th scope="col">Rows</th>${kinds.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}${scored ? html`<th scope="col" class="number">mean score</th>` : nothing}</tr></thead>
      <tbody>${stretches.map((one) => html`<tr><th scope="row">${rowsOf(one.first, one.first + one.rows)}</th>
        ${kinds.map(({ count }) => html`<td class="number">${number(count(one))}</td>`)}
        ${scored ? html`<td class="number">${one.mean_score === null ? "–" : one.mean_score.toFixed(2)}</td>` : nothing}</tr>`)}</tbody>
    </table></div></details>`;
}

/** @param {Kind[]} kinds @param {Stretch} one */
function toldOf(kinds, one) {
  const some = kinds.filter(({ count }) => count(one)).map(({ name, count }) => `${name} ${percent(count(one) / one.rows)}`);
  return `${rowsOf(one.first, one.first + one.rows)}: ${some.join(", ")}`;
}

/** @param {number} first @param {number} end behind the last */
function rowsOf(first, end) {
  return `rows ${number(first)} to ${number(end - 1)}`;
}
