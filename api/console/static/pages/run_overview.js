// How a run goes: progress, what it found, what failed, and its files.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { coded } from "../lib/code_words.js";
import { countBars } from "../lib/count_bars.js";
import { counted, duration, number, percent, time } from "../lib/format.js";
import { histogram } from "../lib/histogram.js";
import { href } from "../lib/router.js";
import { goesOn, isOver, remaining } from "../lib/runs.js";
import { progress } from "./runs.js";
import { downloads } from "./run_download.js";
import { failedRows } from "./run_failed.js";
import { picks } from "./run_pick.js";
import { quality, reasons } from "./run_quality.js";
import { shards } from "./run_shards.js";
import { askedOf, fact } from "./run_what.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/** @param {Run} run */
export function overview(run) {
  return html`<div class="columns">
      <section class="card" aria-labelledby="progress-title"><h2 id="progress-title">Progress</h2>
        ${progress(run)} ${facts(run)} ${shards(run)}</section>
      <section class="card" aria-labelledby="what-title"><h2 id="what-title">What it does</h2>${askedOf(run)}</section>
    </div>
    ${noted(run)}
    <div class="columns">${labels(run)}${scores(run)}</div>
    ${quality(run)}
    ${run.rows.failed ? failures(run) : nothing}
    ${picks(run)}
    ${downloads(run)}`;
}

/** @param {Run} run */
function facts(run) {
  const { rows } = run;
  const over = isOver(run);
  const limit = run.max_device_seconds;
  return html`<dl class="facts">
    ${fact("Answered", number(rows.answered))}
    ${fact("Failed", html`<span class=${rows.failed ? "bad-text" : ""}>${number(rows.failed)}</span>`)}
    ${rows.reused ? fact("Reused", html`${number(rows.reused)} <span class="muted">known from before, not computed again</span>`) : nothing}
    ${goesOn(run) ? html`${fact("In flight", number(rows.in_flight))}
      ${fact("Rows a second", number(run.rows_per_s))}
      ${fact("Done in", remaining(run))}` : nothing}
    ${fact("Device time", html`${duration(run.device_seconds ?? 0)}${limit ? ` of ${duration(limit)} at most (${percent((run.device_seconds ?? 0) / limit)})` : ""}`)}
    ${run.started_at ? fact("Began", time(run.started_at)) : fact("Made", time(run.created_at))}
    ${run.ended_at ? fact("Ended", html`${time(run.ended_at)}, after ${took(run)}`) : nothing}
    ${over && run.expires_at ? fact("Kept until", time(run.expires_at)) : nothing}
  </dl>`;
}

/** @param {Run} run */
function took({ started_at, created_at, ended_at }) {
  return duration((Date.parse(ended_at ?? "") - Date.parse(started_at ?? created_at)) / 1000);
}

/** @param {Run} run */
function noted(run) {
  const left = Object.entries(run.left_out ?? {});
  if (!run.notes?.length && !run.warned && !left.length) return nothing;
  return html`<section class="notice warn" aria-label="Notes">
    ${run.warned ? html`<p>${counted(run.warned, "row")} came with a warning, such as a text that the model did not read whole: the rows tell it.</p>` : nothing}
    ${left.length ? html`<p>Left out, since they are no rows for this task: ${left.map(([suffix, count]) => `${number(count)} ${suffix}`).join(", ")}.</p>` : nothing}
    ${(run.notes ?? []).map((note) => html`<p>${coded(note)}</p>`)}
  </section>`;
}

/** @param {Run} run */
function labels(run) {
  const count = Object.keys(run.labels ?? {}).length;
  const first = Boolean(run.first_labels);
  const caption = first ? "Labels, how many rows have each first" : "Labels, how often each was found";
  const to = (/** @type {string} */ label) => href(["runs", run.id, "rows"], first ? { first_label: label } : { label });
  return html`<section class="card" aria-labelledby="labels-title"><h2 id="labels-title">Labels</h2>
    ${count
      ? html`${countBars({ caption, heads: ["Label", first ? "Rows" : "Count"], counts: run.labels, to })}
          <p class="help">${first ? "Each row's first label: the others are what it is less likely. " : ""}Press a label to see its rows.</p>`
      : html`<p class="muted">${isOver(run) ? run.rows.answered ? "Its answers have no labels." : "There are no answers." : "They come with the first answers."}</p>`}
  </section>`;
}

/** @param {Run} run */
function scores(run) {
  const counts = run.scores ?? [];
  const any = counts.some(Boolean);
  const to = (/** @type {number} */ least, /** @type {number} */ most) =>
    href(["runs", run.id, "rows"], { min_score: String(round(least)), max_score: String(round(most)) });
  return html`<section class="card" aria-labelledby="scores-title"><h2 id="scores-title">Scores</h2>
    ${any
      ? html`${histogram({ caption: "How sure the model was", counts, to })}
          <p class="help">How sure the model was. Press a column to see its rows.</p>`
      : html`<p class="muted">${isOver(run) ? run.rows.answered ? "Its answers have no scores." : "There are no answers." : "They come with the first answers."}</p>`}
  </section>`;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}

/** @param {Run} run */
function failures(run) {
  return html`<section class="card" aria-labelledby="failed-title">
    <div class="page-head"><h2 id="failed-title">Rows that failed</h2>
      <a href=${href(["runs", run.id, "rows"], { failed: "1" })}>See ${run.rows.failed === 1 ? "it" : `all ${number(run.rows.failed)}`} in the sheet</a></div>
    ${Object.keys(run.error_types ?? {}).length
      ? countBars({ caption: "Rows that failed, by the type of error", heads: ["Error", "Rows"], counts: run.error_types, to: () => href(["runs", run.id, "rows"], { failed: "1" }) })
      : nothing}
    ${reasons(run)}
    ${failedRows(run)}
  </section>`;
}
