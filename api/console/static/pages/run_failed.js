// The first rows that failed, each with its picture and the reason.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { coded } from "../lib/code_words.js";
import { failure } from "../lib/failure.js";
import { again, whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { pathOf } from "../lib/runs.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { urlOf } from "../lib/tensors.js";
import { drawnOf, titleOf } from "./run_card.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {import("../lib/runs.js").SheetRow} SheetRow
 */

/** Rows shown. */
const MOST = 8;

let of = "";

/** @type {Source<SheetRow[]>} */
const first = new Source(
  () => ({ path: pathOf(of, `/rows?failed=1&limit=${MOST}`) }),
  (body) => body.rows,
);

/** @param {Run} run */
export function failedRows(run) {
  if (of !== run.id) {
    of = run.id;
    first.forget();
  }
  whileShown(`failed rows ${run.id}`, (signal) =>
    again(signal, 4, async () => {
      const now = liveRun(run.id).run ?? run;
      const enough = (first.value?.length ?? 0) >= Math.min(MOST, now.rows.failed);
      if (first.error || !first.value || !enough) await first.refresh(signal);
    }),
  );
  if (first.error) return failure(first.error, () => first.refresh());
  if (!first.value?.length) return html`<p class="muted">Each stands here with its reason when its shard is done.</p>`;
  return html`<div class="run-failed">${table({
    caption: "The first rows that failed",
    rows: first.value,
    key: ({ index }) => index,
    columns: [
      { title: "Picture", cell: picture },
      { title: "Row", head: true, cell: (row) => html`<span class="mono">${titleOf(row)}</span>` },
      { title: "Error", cell: (row) => html`<code class="model-name">${row.error?.error_type ?? ""}</code>` },
      { title: "Reason", cell: (row) => coded(row.error?.message) },
    ],
  })}</div>`;
}

/** @param {SheetRow} row */
function picture(row) {
  const { picture: file } = drawnOf(row);
  if (file?.type.startsWith("image/")) return html`<img class="sheet-thumbnail" src=${urlOf(file)} alt=${`The picture of ${titleOf(row)}`}>`;
  if (row.text) return html`<span class="small">${row.text.slice(0, 80)}</span>`;
  return row.picture_url ? nothing : html`<span class="muted small">none can be shown</span>`;
}
