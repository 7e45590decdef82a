// Batches: files of requests that the server answers by itself, how far each has come, and a new one;
// a part of the page of data sets.

import { html } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { shown } from "../lib/failure.js";
import { entries } from "../lib/fleet.js";
import { counted, duration, number, percent, time } from "../lib/format.js";
import { KEY_CHANGED, callJson } from "../lib/http.js";
import { again, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { go, href } from "../lib/router.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { told } from "../lib/toast.js";

/**
 * @typedef {object} Batch as OpenAI's API has it; times are seconds since the epoch
 * @property {string} id
 * @property {string} endpoint
 * @property {string} status
 * @property {string} input_file_id
 * @property {string | null} output_file_id
 * @property {string | null} error_file_id
 * @property {number} created_at
 * @property {number | null} in_progress_at
 * @property {number} expires_at
 * @property {number | null} [output_expires_at]
 * @property {{total: number, completed: number, failed: number}} request_counts
 * @property {{data: {code: string, message: string, line: number | null}[]} | null} errors
 */

/** Seconds between two looks, and over how many looks a rate goes. */
const LOOK_S = 2;
const RATE_LOOKS = 10;

/** @type {Source<Batch[]>} the newest hundred */
const batchList = new Source(
  () => ({ path: "v1/batches?limit=100" }),
  (body) => noted(body.data),
);

/** @type {Map<string, {at: number, done: number}[]>} */
const looks = new Map();

addEventListener(KEY_CHANGED, () => {
  looks.clear();
});

/**
 * Remember how far batches have come, for their rates.
 * @param {Batch[]} batches
 */
export function noted(batches) {
  for (const batch of batches) {
    if (batch.status !== "in_progress") continue;
    const now = Date.now();
    // Not those from before another page, or a tab that nobody looked at.
    const lately = (looks.get(batch.id) ?? []).filter(({ at }) => now - at < 3000 * LOOK_S * RATE_LOOKS);
    looks.set(batch.id, [...lately, { at: now, done: doneOf(batch) }].slice(-RATE_LOOKS - 1));
  }
  return batches;
}

/** @param {Batch} batch */
function doneOf({ request_counts }) {
  return request_counts.completed + request_counts.failed;
}

/** Whether it stays as it is. @param {Batch} batch */
export function isOver({ status }) {
  return ["completed", "failed", "expired", "cancelled"].includes(status);
}

/**
 * Lines a second: of the last looks while it runs, else on average since it began.
 * @param {Batch} batch
 */
export function rateOf(batch) {
  const seen = looks.get(batch.id) ?? [];
  const [first, last] = [seen[0], seen.at(-1)];
  if (first && last && last.at - first.at > 3000 && !isOver(batch)) {
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }
  if (!batch.in_progress_at) return Number.NaN;
  const end = Number(Reflect.get(batch, `${batch.status}_at`)) || Date.now() / 1000;
  return doneOf(batch) / Math.max(1, (isOver(batch) ? end : Date.now() / 1000) - batch.in_progress_at);
}

/**
 * How far it has come, as a bar and in figures.
 * @param {Batch} batch
 */
export function progress(batch) {
  const { total } = batch.request_counts;
  if (!total) return html`<span class="muted">–</span>`;
  const done = doneOf(batch);
  return html`<progress max=${total} .value=${done} aria-label=${`${percent(done / total)} done`}></progress>
    <span class="small">${number(done)} of ${counted(total, "line")}</span>`;
}

/**
 * In how long it should be done.
 * @param {Batch} batch
 */
export function remaining(batch) {
  const rate = rateOf(batch);
  const left = batch.request_counts.total - doneOf(batch);
  if (batch.status !== "in_progress" || !(rate > 0)) return "–";
  return left ? duration(left / rate) : "soon";
}

/** The list, and the form for a new one. */
export function batches() {
  whileShown("batches", (signal) => again(signal, LOOK_S, batchList.refresh));
  whileShown("batch models", (signal) => void entries.refresh(signal));
  return html`<section class="stack" aria-labelledby="batches-title">
    <div class="page-head"><h2 id="batches-title">Batches</h2>
      <p class="muted">Files of whole requests, a line each, as OpenAI's API has them.</p></div>
    ${newBatch()}
    ${shown(batchList, listed)}
  </section>`;
}

/** @type {import("../lib/table.js").Column<Batch>[]} */
const COLUMNS = [
  { title: "Batch", head: true, cell: ({ id }) => html`<a class="mono batch-name" href=${href(["batches", id])}>${id.slice(0, 20)}…</a>` },
  { title: "State", cell: ({ status }) => badge(status) },
  { title: "Endpoint", cell: ({ endpoint }) => html`<code class="batch-endpoint">${endpoint}</code>` },
  { title: "Progress", cell: progress },
  { title: "Failed", numeric: true, cell: ({ request_counts }) => number(request_counts.failed) },
  { title: "Lines a second", numeric: true, cell: (batch) => number(rateOf(batch)) },
  { title: "Done in", numeric: true, cell: remaining },
  { title: "Made", cell: ({ created_at }) => time(created_at * 1000) },
];

/** @param {Batch[]} all */
function listed(all) {
  return table({
    caption: "Batches, the newest first",
    columns: COLUMNS,
    rows: all,
    key: ({ id }) => id,
    empty: html`<p>No batch yet. Send a file of requests above, or <code>wherry batch submit FILE</code>. For
      pictures, texts or tables a run is what you want.</p>`,
  });
}

/** Whether a file is on its way. */
let sending = false;

function newBatch() {
  const models = entries.value ?? [];
  return html`<details class="card"><summary>New batch</summary>
    <form class="stack" @submit=${send}>
      <div class="fields">
        <label class="field"><span>File</span>
          <input type="file" name="file" accept=".jsonl,.ndjson,application/jsonl" required>
          <span class="help">A request a line: {"custom_id": "a", "method": "POST", "url": …, "body": …}</span></label>
        <label class="field"><span>Endpoint</span>
          <input name="endpoint" list="batch-endpoints" required placeholder="/v2/models/NAME/infer" autocomplete="off">
          <span class="help">What each line's url is, too.</span></label>
        <datalist id="batch-endpoints">
          ${models.map(({ name }) => html`<option value=${`/v2/models/${name}/infer`}></option>`)}
          <option value="/v1/embeddings"></option><option value="/v1/chat/completions"></option>
        </datalist>
      </div>
      <div class="buttons"><button class="primary" ?disabled=${sending}>${sending ? "Sending…" : "Start it"}</button></div>
    </form></details>`;
}

/** @param {SubmitEvent} event */
async function send(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const given = new FormData(form);
  sending = true;
  redraw();
  await told(start(/** @type {File} */ (given.get("file")), String(given.get("endpoint"))), "The batch has begun.");
  sending = false;
  redraw();
}

/**
 * @param {File} file
 * @param {string} endpoint
 */
async function start(file, endpoint) {
  const body = new FormData();
  body.set("purpose", "batch");
  body.set("file", file, file.name);
  const { id } = await callJson("v1/files", { body });
  const batch = await callJson("v1/batches", { json: { input_file_id: id, endpoint, completion_window: "24h" } });
  go(["batches", batch.id]);
}
