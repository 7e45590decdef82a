// How good a run's answers are so far: along the data set, pictures that look alike, another run's answers.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { counted, number, percent } from "../lib/format.js";
import { HttpError } from "../lib/http.js";
import { again, whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { pictureAt } from "../lib/row_pictures.js";
import { href } from "../lib/router.js";
import { isOver, pathOf } from "../lib/runs.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { urlOf } from "../lib/tensors.js";
import { along } from "./run_along.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {{index: number, id: string, picture_url: string | null}} Alike
 * @typedef {{count: number, rows: Alike[]}} Group
 * @typedef {{pictures: number, duplicates: number, blank: number, groups: number, listed: Group[]}} Near
 * @typedef {{run: string, agreement: number | null, same_first_label: number | null, counted: number, of: number, confusion: {labels: string[], counts: number[][]}}} Compared
 * @typedef {{error_type: string, reason: string, rows: number, examples: string[]}} Reason
 * @typedef {{stretches: any, drift: any[], failures: Reason[], near_duplicates: Near | null, compared: Compared | null}} Quality
 */

/** Groups shown before one asks for the others: each has pictures to be brought. */
const FEW = 6;

/** Seconds between two looks while more is done. */
const EVERY_S = 10;

let of = "";
let seen = 0;

/** @type {Source<Quality>} */
const known = new Source(() => ({ path: pathOf(of, "/quality") }));

/** What is known of a run; null before it is there, and from an API that does not tell. @param {Run} run */
export function qualityOf(run) {
  if (of !== run.id) {
    of = run.id;
    seen = -1;
    known.forget();
  }
  whileShown(`quality ${run.id}`, (signal) =>
    again(signal, EVERY_S, async () => {
      const now = liveRun(run.id).run ?? run;
      const done = now.shards.done + (isOver(now) ? 1 : 0);
      const told = known.error instanceof HttpError && known.error.status === 404;
      if (now.shards.done && done !== seen && !told) {
        await known.refresh(signal);
        if (!known.error) seen = done;
      }
    }),
  );
  return known.value;
}

/** @param {Run} run */
export function quality(run) {
  const told = qualityOf(run);
  if (!told) return nothing;
  return html`${along(told.stretches, told.drift)}
    ${told.compared ? compared(run, told.compared) : nothing}
    ${told.near_duplicates ? alike(run, told.near_duplicates) : nothing}`;
}

/** Why rows failed, in words that hold for many. @param {Run} run */
export function reasons(run) {
  const told = qualityOf(run)?.failures ?? [];
  if (!told.length) return nothing;
  return html`<div class="run-failed">${table({
    caption: "Why rows failed",
    rows: told.slice(0, 12),
    key: ({ error_type, reason }) => `${error_type} ${reason}`,
    columns: [
      { title: "Rows", numeric: true, cell: ({ rows }) => number(rows) },
      { title: "Reason", head: true, cell: ({ reason }) => reason },
      { title: "Error", cell: ({ error_type }) => html`<code class="model-name">${error_type}</code>` },
      { title: "Such as", cell: ({ examples }) => html`<span class="mono small">${examples.join(", ")}</span>` },
    ],
  })}</div>`;
}

/** @param {Run} run @param {Near} near */
function alike(run, { pictures, duplicates, blank, groups, listed }) {
  const some = !run.near_duplicates && pictures < run.rows.answered - run.rows.reused;
  const looked = `of ${counted(pictures, "picture")} that were looked at`;
  return html`<section class="card" aria-labelledby="alike-title"><h2 id="alike-title">Pictures that look alike</h2>
    <p class="muted">${duplicates ? `${number(duplicates)} ${looked} look like one before them, in ${counted(groups, "group")}` : `None ${looked}`}${
      blank ? `; ${number(blank)} show nothing at all` : ""
    }. Files that are equal byte by byte count as reused instead.${some ? " Of the others none was looked at: a run looks at every picture if that is said at its start." : ""}</p>
    ${grouped(listed.slice(0, FEW))}
    ${listed.length > FEW
      ? html`<details><summary class="small">${counted(listed.length - FEW, "more group")}${groups > listed.length ? ` of ${number(groups - FEW)}` : ""}</summary>${grouped(listed.slice(FEW))}</details>`
      : nothing}
  </section>`;
}

/** @param {Group[]} some */
function grouped(some) {
  if (!some.length) return nothing;
  return html`<ul class="run-alike">${some.map(
    ({ rows, count }) => html`<li>${rows.map(one)}${count > rows.length ? html`<span class="muted small">and ${number(count - rows.length)} more</span>` : nothing}</li>`,
  )}</ul>`;
}

/** @param {Alike} row */
function one({ id, index, picture_url: url }) {
  const file = url ? pictureAt(url.replace(/^\//, ""), null) : null;
  const name = id || `row ${index}`;
  return html`<figure>${file?.type.startsWith("image/") ? html`<img src=${urlOf(file)} alt=${`The picture of ${name}`}>` : html`<div class="run-no-picture muted small">${url && file === undefined ? "…" : "none is kept"}</div>`}
    <figcaption class="mono small" title=${name}>${name}</figcaption></figure>`;
}

/** @param {Run} run @param {Compared} told */
function compared(run, told) {
  const able = told.agreement !== null;
  return html`<section class="card" aria-labelledby="held-title"><h2 id="held-title">Beside ${told.run}</h2>
    ${able
      ? html`<dl class="fleet-totals">
          <div><dt>Agreement</dt><dd>${percent(told.agreement ?? 0)}</dd></div>
          <div><dt>Same first label</dt><dd>${percent(told.same_first_label ?? 0)}</dd></div>
          <div><dt>Rows compared</dt><dd>${number(told.counted)} <span class="muted small">of ${number(told.of)}</span></dd></div></dl>
          ${confusion(told.confusion)}`
      : html`<p class="muted">No row was answered by both.</p>`}
    ${run.compare ? html`<p><a href=${href(["runs", run.id, "compare"], { with: run.compare })}>See the rows on which they agree least</a></p>` : nothing}
  </section>`;
}

/** @param {Compared["confusion"]} told */
export function confusion({ labels, counts }) {
  if (labels.length < 2) return nothing;
  const names = [...labels.map((label) => label || "(no label)"), "others"];
  const used = names.map((_, at) => counts.some((row) => row[at]) || counts[at]?.some(Boolean));
  return html`<details><summary>First labels of one beside the other's</summary>
    <div class="table-scroll" role="group" aria-label="First labels of both" tabindex="0"><table class="run-confusion">
      <caption class="visually-hidden">Down this run's first labels, across the other's</caption>
      <thead><tr><td></td>${names.map((name, at) => (used[at] ? html`<th scope="col" class="number">${name}</th>` : nothing))}</tr></thead>
      <tbody>${names.map((name, at) => (used[at] ? cells(name, counts[at] ?? [], used) : nothing))}</tbody>
    </table></div></details>`;
}

/** @param {string} name @param {number[]} row @param {(boolean | undefined)[]} used */
function cells(name, row, used) {
  const most = row.reduce((sum, count) => sum + count, 0) || 1;
  return html`<tr><th scope="row">${name}</th>${row.map((count, at) =>
    used[at] ? html`<td class="number" .style=${`--share: ${Math.round((100 * count) / most)}%`}>${count ? number(count) : ""}</td>` : nothing,
  )}</tr>`;
}
