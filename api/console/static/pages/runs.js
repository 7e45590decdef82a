// Data sets: runs of a model over all rows of one, how far each has come; and files of requests.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { shown } from "../lib/failure.js";
import { number, time } from "../lib/format.js";
import { KEY_CHANGED } from "../lib/http.js";
import { again, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { RunList } from "../lib/run_list.js";
import { doneOf, goesOn, isOver, nameOf, progressWords, remaining } from "../lib/runs.js";
import { table } from "../lib/table.js";
import { batches } from "./batches.js";

/** @typedef {import("../lib/runs.js").Run} Run */

let list = new RunList();

addEventListener(KEY_CHANGED, () => {
  list = new RunList();
});

/** One is no longer there. @param {string} id */
export function forgotten(id) {
  list.drop(id);
}

/** The runs there are, and the batches. */
export function runs() {
  const here = list;
  whileShown("runs", (signal) => {
    here.keep(signal);
    again(signal, 5, async () => redraw()); // "3 s ago" goes on
  });
  return html`<div class="page-head"><h1>Data sets</h1>
      <p class="muted">Have a model answer every row of a folder, an archive, a bucket or a table.</p>
      <a class="button primary push" href="#/runs/new">Start a run</a></div>
    <section class="stack" aria-labelledby="runs-title">
      <div class="page-head"><h2 id="runs-title">Runs</h2>
        <p class="muted" role="status">${here.live ? "live" : nothing}</p></div>
      ${shown(here, listed)}
      ${here.after ? html`<div class="buttons"><button type="button" @click=${here.more}>Show older runs</button></div>` : nothing}
    </section>
    ${batches()}`;
}

/** @type {import("../lib/table.js").Column<Run>[]} */
const COLUMNS = [
  { title: "Run", head: true, cell: (run) => html`<a class="run-name" href=${href(["runs", run.id])}>${nameOf(run)}</a><span class="run-narrow">${badge(run.state)}</span>` },
  { title: "State", cell: (run) => badge(run.state, run.error?.message) },
  { title: "Progress", cell: progress },
  { title: "Failed", numeric: true, cell: failed },
  { title: "Rows a second", numeric: true, cell: (run) => (goesOn(run) ? number(run.rows_per_s) : "–") },
  { title: "Done in", numeric: true, cell: remaining },
  { title: "Model", cell: ({ model }) => html`<a href=${href(["models", model])}>${model}</a>` },
  { title: "Made", cell: ({ created_at }) => time(created_at) },
];

/** @type {import("../lib/table.js").Column<Run>} */
const TENANT = { title: "Tenant", cell: ({ tenant }) => tenant ?? "" };

/** @param {Run[]} all */
function listed(all) {
  return html`<div class="run-list">${table({
    caption: "Runs, the newest first",
    columns: all.some(({ tenant }) => tenant) ? COLUMNS.toSpliced(6, 0, TENANT) : COLUMNS,
    rows: all,
    key: ({ id }) => id,
    empty: html`<p>No run yet. <a href="#/runs/new">Start one</a>: choose a model, give it a folder of files, and
      look at the answers here while they come.</p>`,
  })}</div>`;
}

/**
 * How far it has come, as a bar and in figures.
 * @param {Run} run
 */
export function progress(run) {
  const { total } = run.rows;
  const words = progressWords(run);
  const waits = !isOver(run) && ["queued", "planning"].includes(run.state) && !total;
  if (waits) return html`<span class="muted small">${run.state === "queued" ? "waits for a worker" : words}</span>`;
  return html`<div class="run-progress">${total ? html`<progress max=${total} .value=${doneOf(run)} aria-label=${words}></progress>` : nothing}
    <span class="small">${words}</span></div>`;
}

/** @param {Run} run */
function failed(run) {
  const count = run.rows.failed;
  if (!count) return "0";
  return html`<a class="bad-text" href=${href(["runs", run.id, "rows"], { failed: "1" })}>${number(count)}</a>`;
}
