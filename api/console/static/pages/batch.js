// One batch: how far it has come, which lines failed and why, and its files.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { confirmed } from "../lib/dialog.js";
import { shown } from "../lib/failure.js";
import { counted, number, time } from "../lib/format.js";
import { call } from "../lib/http.js";
import { again, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { told } from "../lib/toast.js";
import { isOver, noted, progress, rateOf, remaining } from "./batches.js";

/**
 * @typedef {import("./batches.js").Batch} Batch
 * @typedef {{line: string, status: string, reason: string}} Fault
 */

const LOOK_S = 2;

/** Lines of an error file that are shown. */
const MOST = 100;

/** @type {Source<Batch>} */
let source = sourceOf("");

/** @type {{of: string, faults: Fault[], more: boolean} | null} */
let read = null;

/**
 * @param {string} id
 * @returns {Source<Batch>}
 */
function sourceOf(id) {
  return new Source(
    () => ({ path: `v1/batches/${encodeURIComponent(id)}` }),
    (body) => /** @type {Batch} */ (noted([body])[0]),
  );
}

/** @param {import("../lib/router.js").Route} route */
export function batch({ rest }) {
  const id = rest[0] ?? "";
  whileShown(`batch ${id}`, (signal) => {
    source = sourceOf(id);
    const asked = source;
    again(signal, LOOK_S, async () => {
      if (!asked.value || !isOver(asked.value) || asked.error) await asked.refresh(signal);
    });
  });
  return html`<p class="crumbs"><a href="#/runs">Data sets</a> / a batch</p>
    <h1 class="mono">${id}</h1>
    ${source.value && source.value.id !== id ? nothing : shown(source, drawn)}`;
}

/** @param {Batch} seen */
function drawn(seen) {
  const file = seen.error_file_id;
  if (file) whileShown(`faults ${file}`, (signal) => void faultsOf(file, signal));
  return html`<section class="card" aria-label="Progress">
      <div class="row">${badge(seen.status)}
        ${isOver(seen) ? nothing : html`<button type="button" class="small" @click=${() => cancel(seen)}>Cancel</button>`}</div>
      ${progress(seen)}
      ${facts(seen)}
      <div class="buttons">${fileButton("Answers", seen.output_file_id)}${fileButton("Failed lines", seen.error_file_id)}</div>
    </section>
    ${seen.errors ? wrong(seen.errors.data) : nothing}
    ${file ? failed(file, seen.request_counts.failed) : nothing}`;
}

/** @param {Batch} seen */
function facts(seen) {
  const { completed, failed: bad } = seen.request_counts;
  return html`<dl class="facts">
    <dt>Endpoint</dt><dd><code>${seen.endpoint}</code></dd>
    <dt>Answered</dt><dd>${number(completed)}</dd>
    <dt>Failed</dt><dd class=${bad ? "bad-text" : ""}>${number(bad)}</dd>
    <dt>Lines a second</dt><dd>${number(rateOf(seen))}</dd>
    ${isOver(seen) ? nothing : html`<dt>Done in</dt><dd>${remaining(seen)}</dd>`}
    <dt>Made</dt><dd>${time(seen.created_at * 1000)}</dd>
    ${isOver(seen) ? nothing : html`<dt>Ends unfinished</dt><dd>${time(seen.expires_at * 1000)}</dd>`}
    ${seen.output_expires_at ? html`<dt>Answers go</dt><dd>${time(seen.output_expires_at * 1000)}</dd>` : nothing}
  </dl>`;
}

/**
 * @param {string} title
 * @param {string | null} id
 */
function fileButton(title, id) {
  if (!id) return nothing;
  return html`<button type="button" @click=${() => told(download(id))}>${title}: download</button>`;
}

/**
 * Bring a file with the key, which no link has, and hand it to the browser.
 * @param {string} id
 */
async function download(id) {
  const response = await call(`v1/files/${encodeURIComponent(id)}/content`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = `${id}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {Batch} seen */
async function cancel(seen) {
  const text = "Lines that wait are not run. Those that are answered stay, with their file.";
  if (!(await confirmed({ title: "Cancel this batch?", text, yes: "Cancel it", danger: true }))) return;
  await told(call(`v1/batches/${encodeURIComponent(seen.id)}/cancel`, { method: "POST" }), "It is being cancelled.");
  await source.refresh();
}

/** @param {{code: string, message: string, line: number | null}[]} errors */
function wrong(errors) {
  return html`<section class="stack" aria-labelledby="wrong-title"><h2 id="wrong-title">Why nothing ran</h2>
    <p class="help">Mend these lines and send the file again: a batch with a wrong line runs none.</p>
    ${table({
      caption: "What is wrong with the file",
      columns: [
        { title: "Line", numeric: true, head: true, cell: ({ line }) => (line === null ? "–" : number(line)) },
        { title: "Code", cell: ({ code }) => html`<code class="batch-endpoint">${code}</code>` },
        { title: "What", cell: ({ message }) => message },
      ],
      rows: errors,
      key: (error) => error,
    })}</section>`;
}

/**
 * @param {string} file
 * @param {number} count
 */
function failed(file, count) {
  const known = read?.of === file ? read : null;
  return html`<section class="stack" aria-labelledby="failed-title">
    <div class="page-head"><h2 id="failed-title">Failed lines</h2>
      <p class="muted">${known?.more ? `The first ${MOST} of ${counted(count, "line")}.` : nothing}</p></div>
    ${known
      ? table({
          caption: "Lines that failed",
          columns: [
            { title: "Line", head: true, cell: ({ line }) => html`<code>${line}</code>` },
            { title: "Status", cell: ({ status }) => status },
            { title: "Reason", cell: ({ reason }) => reason },
          ],
          rows: known.faults,
          key: (fault) => fault,
        })
      : html`<p class="muted" role="status">Loading…</p>`}
  </section>`;
}

/**
 * Read the beginning of an error file: it may be as long as its input.
 * @param {string} file
 * @param {AbortSignal} signal
 */
async function faultsOf(file, signal) {
  const enough = new AbortController();
  signal.addEventListener("abort", () => enough.abort());
  try {
    const response = await call(`v1/files/${encodeURIComponent(file)}/content`, { signal: enough.signal });
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (let lines = 0; lines <= MOST; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      lines = text.split("\n").length - 1;
    }
    const lines = text.split("\n").filter(Boolean);
    read = { of: file, faults: lines.slice(0, MOST).map(fault), more: lines.length > MOST };
  } catch (error) {
    if (signal.aborted) return;
    read = { of: file, faults: [{ line: "–", status: "–", reason: String(error) }], more: false };
  }
  enough.abort();
  redraw();
}

/**
 * @param {string} text a line of the error file
 * @returns {Fault}
 */
function fault(text) {
  try {
    const { custom_id, response, error } = JSON.parse(text);
    const said = error ?? response?.body?.error ?? response?.body;
    const reason = typeof said === "string" ? said : (said?.message ?? JSON.stringify(said));
    return { line: custom_id, status: String(response?.status_code ?? error?.code ?? ""), reason };
  } catch {
    return { line: "–", status: "", reason: text.slice(0, 200) };
  }
}
