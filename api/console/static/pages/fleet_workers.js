// Who works: where, for which models, at what now, and how busy.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { bytes, counted, duration, number, percent } from "../lib/format.js";
import { href } from "../lib/router.js";
import { table } from "../lib/table.js";

/**
 * @typedef {object} Worker
 * @property {string} id
 * @property {boolean} alive
 * @property {string[]} families
 * @property {string | null} device
 * @property {string[]} models
 * @property {string[]} asleep
 * @property {Record<string, number>} model_bytes
 * @property {Record<string, string>} failed
 * @property {string | null} state
 * @property {string} reason
 * @property {string[]} warnings
 * @property {number} running
 * @property {{model: string, version: string, jobs: number, for_s: number}[]} runs
 * @property {number | null} busy_share
 * @property {number | null} batch_fill
 * @property {number | null} last_seen_s
 */

/** @param {Worker[]} workers */
export function fleetWorkers(workers) {
  return html`<section class="stack" aria-labelledby="workers-title">
    <div class="page-head"><h2 id="workers-title">Workers</h2>
      <p class="muted">Busy and filled are of the last minute.</p></div>
    ${table({
      caption: "Workers",
      columns: COLUMNS,
      rows: [...workers].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true })),
      key: ({ id }) => id,
      empty: html`<p>No worker is there. Start one: <code>wherry worker</code></p>`,
    })}
  </section>`;
}

/** @type {import("../lib/table.js").Column<Worker>[]} */
const COLUMNS = [
  { title: "Worker", head: true, cell: ({ id, families }) => html`${nameOf(id)}<br><span class="muted small">${families.join(", ")}</span>` },
  { title: "State", cell: state },
  { title: "Device", cell: ({ device, model_bytes }) => html`${device ?? "–"}${held(model_bytes)}` },
  { title: "Runs now", cell: runs },
  { title: "Busy", numeric: true, cell: ({ busy_share }) => (busy_share === null ? "–" : meter(busy_share, "busy")) },
  { title: "Filled", numeric: true, cell: ({ batch_fill }) => (batch_fill === null ? "–" : meter(batch_fill, "filled")) },
  { title: "Models", cell: models },
];

/**
 * A worker's id without its end, which tells two lives of it apart.
 * @param {string} id
 */
function nameOf(id) {
  return html`<span title=${id}>${id.replace(/#[^#]*$/, "")}</span>`;
}

/** @param {Worker} worker */
function state({ alive, state: word, reason, warnings, last_seen_s }) {
  const why = reason || (alive ? "" : "no heartbeat: keepers take its jobs back");
  return html`${badge(alive ? (word ?? "alive") : "lost", why)}
    ${why ? html`<div class="small fleet-why">${why}</div>` : nothing}
    ${warnings.map((warning) => html`<div class="small warn-text fleet-why">${warning}</div>`)}
    ${alive && last_seen_s !== null && last_seen_s > 10
      ? html`<div class="small warn-text">seen ${duration(last_seen_s)} ago</div>`
      : nothing}`;
}

/** @param {Record<string, number>} sizes */
function held(sizes) {
  const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  return all ? html`<br><span class="muted small">${bytes(all)} of models</span>` : nothing;
}

/** Whether it annotates data sets: it serves no models itself. @param {string[]} families */
function doesRuns(families) {
  return families.includes("runs");
}

/** @param {Worker} worker */
function runs({ runs: found, running, families }) {
  if (doesRuns(families)) return running ? html`<a href="#/runs">${counted(running, "step")} of runs</a>` : html`<span class="muted">nothing</span>`;
  if (!found.length) return running ? counted(running, "job") : html`<span class="muted">nothing</span>`;
  return html`<ul class="fleet-list">${found.map(
    ({ model, jobs, for_s }) =>
      html`<li><a href=${href(["models", model])}>${model}</a>: ${counted(jobs, "job")}, for ${duration(for_s)}</li>`,
  )}</ul>`;
}

/** @param {Worker} worker */
function models({ models: served, asleep, failed, families }) {
  if (doesRuns(families)) return html`<span class="muted">asks the fleet's</span>`;
  const bad = Object.entries(failed);
  return html`<details><summary>${number(served.length)} served${asleep.length ? `, ${number(asleep.length)} asleep` : ""}</summary>
      <ul class="fleet-list">${served.map((name) => html`<li><a href=${href(["models", name])}>${name}</a></li>`)}</ul></details>
    ${bad.length
      ? html`<details><summary class="bad-text">${number(bad.length)} failed</summary>
          <ul class="fleet-list">${bad.map(([name, why]) => html`<li><strong>${name}</strong>: ${why}</li>`)}</ul></details>`
      : nothing}`;
}

/**
 * A share as a bar and as a figure.
 * @param {number} share
 * @param {string} what
 */
function meter(share, what) {
  return html`<meter min="0" max="1" .value=${share} aria-label=${`${what}: ${percent(share)}`}></meter> ${percent(share)}`;
}
