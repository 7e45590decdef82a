// What a run wrote: to be taken as it is, or in another format.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { bytes, counted } from "../lib/format.js";
import { call } from "../lib/http.js";
import { never, pause, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { isRescued, pathOf } from "../lib/runs.js";
import { save } from "../lib/saved.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { told } from "../lib/toast.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {{name: string, title: string, suffix: string, is_folder: boolean}} Format
 */

/** @type {Map<string, Source<Format[]>>} by task */
const byTask = new Map();

/**
 * The formats that fit a task.
 * @param {string} task
 */
export function formatsOf(task) {
  /** @type {Source<Format[]>} */
  const known = byTask.get(task) ?? new Source(() => ({ path: `v2/formats?task=${encodeURIComponent(task)}` }), (body) => body.formats);
  byTask.set(task, known);
  whileShown(`formats ${task}`, (signal) => void (known.value || known.refresh(signal)));
  return known.value ?? [];
}

/** @type {{id: string, format: string, waits: boolean}} what is chosen, and whether it is made now */
let choice = { id: "", format: "", waits: false };

/** @param {Run} run */
export function downloads(run) {
  if (run.follow && run.state !== "succeeded") return run.shards.done ? soFar(run) : nothing;
  if (isRescued(run)) return rescued(run);
  if (run.state !== "succeeded" || !run.output) return nothing;
  if (choice.id !== run.id) choice = { id: run.id, format: "", waits: false };
  const { files, files_total: all, bytes: size, place } = run.output;
  const others = formatsOf(run.task).filter(({ name }) => name !== run.format);
  choice.format ||= place ? (others[0]?.name ?? "") : ""; // what it wrote elsewhere is not here to be taken
  return html`<section class="card" aria-labelledby="files-title"><h2 id="files-title">Files</h2>
    ${place ? html`<p>Written to <span class="mono">${place}</span></p>` : nothing}
    ${table({
      caption: "Files",
      rows: files.slice(0, 20),
      key: ({ name }) => name,
      columns: [
        { title: "File", head: true, cell: ({ name }) => html`<span class="mono">${name}</span>` },
        { title: "Size", numeric: true, cell: (file) => bytes(file.bytes) },
      ],
    })}
    ${all > 20 ? html`<p class="muted">The first 20 of ${counted(all, "file")}, ${bytes(size)} in all.</p>` : nothing}
    ${offered(run, place ? nothing : html`<option value="" ?selected=${!choice.format}>${run.format || "it is"} (as it was written)</option>`, others)}
    <p class="help">Several files come as one zip. Another format is made of the same answers: nothing is computed again.</p>
  </section>`;
}

/**
 * A choice of formats, and the button that has it made.
 * @param {Run} run
 * @param {unknown} first
 * @param {Format[]} others
 */
function offered(run, first, others) {
  const chosen = (/** @type {Event} */ event) => {
    choice.format = /** @type {HTMLSelectElement} */ (event.target).value;
    redraw();
  };
  return html`<div class="toolbar">
      <label class="field"><span>Download as</span>
        <select name="download" @change=${chosen} ?disabled=${choice.waits}>
          ${first}
          ${others.map(({ name, title }) => html`<option value=${name} ?selected=${choice.format === name}>${title || name}</option>`)}
        </select></label>
      <button type="button" class="primary" ?disabled=${choice.waits} @click=${() => told(download(run))}>
        ${choice.waits ? "A worker makes it…" : "Download"}</button>
    </div>`;
}

/** What a run has whose rows are all done, but whose output is not there. @param {Run} run */
function rescued(run) {
  if (choice.id !== run.id) choice = { id: run.id, format: "", waits: false };
  choice.format ||= run.format || "jsonl";
  return html`<section class="card" aria-labelledby="files-title"><h2 id="files-title">Files</h2>
    <p>All its rows are done, and it has no output: it is made of them here, or by <em>Retry</em> where it was to go.</p>
    ${offered(run, nothing, formatsOf(run.task))}
  </section>`;
}

/** What a run has answered that follows its source. @param {Run} run */
function soFar(run) {
  if (choice.id !== run.id || choice.format) choice = { id: run.id, format: "", waits: false };
  return html`<section class="card" aria-labelledby="files-title"><h2 id="files-title">Files</h2>
    <p>All that is answered by now, as ${run.format || "jsonl"}.</p>
    <button type="button" class="primary" ?disabled=${choice.waits} @click=${() => told(download(run))}>Download so far</button>
  </section>`;
}

/** @param {Run} run */
async function download(run) {
  const { format } = choice;
  const path = pathOf(run.id, `/output${format ? `?format=${encodeURIComponent(format)}` : ""}`);
  choice.waits = true;
  redraw();
  try {
    let response = await call(path);
    while (response.status === 202) {
      await pause(1000 * Number(response.headers.get("Retry-After") ?? 1), never);
      response = await call(path);
    }
    await save(response, path);
  } finally {
    choice.waits = false;
    redraw();
  }
}
