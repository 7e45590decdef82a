// A row of a data set with its answer: as one card of many, and alone.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { drawAnswer } from "../answers/answer.js";
import { coded } from "../lib/code_words.js";
import { closeDialog, openDialog } from "../lib/dialog.js";
import { number } from "../lib/format.js";
import { whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { pictureAt } from "../lib/row_pictures.js";
import { Source } from "../lib/source.js";
import { urlOf } from "../lib/tensors.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {import("../lib/runs.js").SheetRow} SheetRow
 * @typedef {{request: any, response: any, picture: Blob | null | undefined, task: any, turn: number}} Drawn
 */

/** Renderers that show the text that was given. */
const SHOWS_TEXT = ["spans", "chat", "series"];

/** Characters of a name that are always seen. */
const END = 12;

/** @type {Map<string, Source<any>>} by task, as it declares itself */
const tasks = new Map();

/**
 * A task's declaration; null while it is on its way.
 * @param {string} name
 */
export function taskOf(name) {
  const known = tasks.get(name) ?? new Source(() => ({ path: `v2/tasks/${encodeURIComponent(name)}` }));
  tasks.set(name, known);
  whileShown(`task ${name}`, (signal) => void (known.value || known.refresh(signal)));
  return known.value;
}

/** @type {WeakMap<SheetRow, Drawn>} */
const drawings = new WeakMap();

/**
 * What a row's answer is drawn from; the same objects each time, by which a drawing knows what was marked.
 * @param {SheetRow} row
 * @param {any} [task] as it declares itself: what its text is called
 */
export function drawnOf(row, task) {
  const picture = row.picture_url ? pictureAt(row.picture_url.replace(/^\//, ""), row.size) : null;
  const known = drawings.get(row);
  if (known && known.picture === picture && known.task === task) return known;
  const inputs = [];
  if (picture) inputs.push({ name: "image", datatype: "BYTES", shape: [1], parameters: { content_type: "base64" }, data: [picture] });
  const own = task?.inputs.find((/** @type {any} */ { content }) => content === "text")?.name ?? "text";
  if (row.text) inputs.push({ name: own, datatype: "BYTES", shape: [1], data: [row.text] });
  const response = known?.response ?? { outputs: row.answer?.outputs ?? [] };
  const drawn = { request: { inputs }, response, picture, task, turn: known?.turn ?? 0 };
  drawings.set(row, drawn);
  return drawn;
}

/**
 * A row's answer, or why there is none.
 * @param {Run} run
 * @param {SheetRow} row
 * @param {boolean} small
 */
export function answerOf(run, row, small) {
  const task = taskOf(run.task);
  const drawn = drawnOf(row, task);
  if (row.state === "failed") return failed(row, drawn.picture);
  if (!task || drawn.picture === undefined) return html`<p class="answer-note">Loading…</p>`;
  if (!drawn.response.outputs.length) return html`<p class="answer-note">Its answer is not kept for the sheet.</p>`;
  const again = () => {
    drawn.turn += 1; // drawn anew, though nothing that it is made of is another
    redraw();
  };
  return html`${row.text && small && !SHOWS_TEXT.includes(task.widget.renderer) ? html`<p class="sheet-text">${row.text}</p>` : nothing}
    ${row.warning ? html`<p class="answer-warning small">Note: ${row.warning}</p>` : nothing}
    ${drawAnswer({
      task: run.task,
      model: run.model,
      renderer: task.widget.renderer,
      request: drawn.request,
      response: drawn.response,
      row: 0,
      small,
      redraw: again,
    })}`;
}

/**
 * @param {SheetRow} row
 * @param {Blob | null | undefined} picture
 */
function failed(row, picture) {
  return html`<p class="answer-error"><strong>${row.error?.error_type ?? "failed"}</strong>: ${coded(row.error?.message ?? "no reason was kept")}</p>
    ${picture?.type.startsWith("image/") ? html`<img class="sheet-picture" src=${urlOf(picture)} alt="The picture sent">` : nothing}
    ${row.text ? html`<p class="sheet-text">${row.text}</p>` : nothing}`;
}

/** What a row is called. @param {SheetRow} row */
export function titleOf(row) {
  return String(row.id || row.path || `row ${row.index}`);
}

/**
 * A name of which the end stays where there is no room for all: paths begin alike.
 * @param {string} name
 */
export function named(name) {
  return html`<span class="sheet-name" title=${name}><span>${name.slice(0, -END)}</span><span>${name.slice(-END)}</span></span>`;
}

/**
 * Show a row alone, as large as the page lets it be, with the ways to its neighbours.
 * @param {object} given
 * @param {(step: number) => void} given.move goes to a neighbour, if there is one
 * @param {() => {title: string, draw: () => unknown} | null} given.shown what is shown now; null while it is on its way
 * @returns {Promise<void>} when it is closed
 */
export async function openRow({ move, shown }) {
  const step = (/** @type {number} */ by) => () => {
    move(by);
    redraw();
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.defaultPrevented || target.matches("input, select, textarea")) return;
    if (event.key === "ArrowRight") step(1)();
    else if (event.key === "ArrowLeft") step(-1)();
  };
  await openDialog(
    () => shown()?.title ?? "…",
    () => html`<div class="sheet-alone" @keydown=${key}>
      <div class="buttons">
        <button type="button" class="small" aria-label="The row before" @click=${step(-1)}>← Before</button>
        <button type="button" class="small" aria-label="The next row" autofocus @click=${step(1)}>Next →</button>
        <button type="button" class="small push" @click=${closeDialog}>Close</button>
      </div>
      ${shown()?.draw() ?? html`<p class="muted" role="status">Loading…</p>`}
    </div>`,
    true,
  );
}

/**
 * All of a row: its answer, its labels, what it is of.
 * @param {Run} run
 * @param {SheetRow} row
 */
export function rowWhole(run, row) {
  const shows = SHOWS_TEXT.includes(taskOf(run.task)?.widget.renderer) && row.state !== "failed";
  return html`${row.text && !shows ? html`<p class="job-text">${row.text}</p>` : nothing}
    ${answerOf(run, row, false)}
    <dl class="facts">
      <dt>Row</dt><dd>${number(row.index)}</dd>
      ${row.path && row.path !== row.id ? html`<dt>File</dt><dd class="mono">${row.path}</dd>` : nothing}
      ${row.size ? html`<dt>Picture</dt><dd>${row.size[0]} × ${row.size[1]} pixels; shown here small, as the fleet keeps it</dd>` : nothing}
      ${row.frame ? html`<dt>Frame</dt><dd>${Object.entries(row.frame).map(([name, value]) => `${name} ${value}`).join(", ")}</dd>` : nothing}
    </dl>`;
}
