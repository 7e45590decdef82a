// One run: what it does, how far it has come, its rows, and beside another.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { coded } from "../lib/code_words.js";
import { copyButton } from "../lib/copy.js";
import { failure } from "../lib/failure.js";
import { counted, number, time } from "../lib/format.js";
import { again, whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { follows, isOver, nameOf } from "../lib/runs.js";
import { compare } from "./run_compare.js";
import { deeds, goOn } from "./run_deeds.js";
import { overview } from "./run_overview.js";
import { sheet } from "./run_sheet.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {import("../lib/router.js").Route} Route
 */

/** @type {Record<string, {title: string, draw: (run: Run, query: URLSearchParams) => unknown}>} by the address' last part */
const PARTS = {
  "": { title: "How it goes", draw: overview },
  rows: { title: "Rows", draw: sheet },
  compare: { title: "Beside another run", draw: compare },
};

/** @param {Route} route */
export function run({ rest, query }) {
  const [id = "", part = ""] = rest;
  const here = liveRun(id);
  whileShown(`run ${id}`, (signal) => {
    here.keep(signal);
    again(signal, 2, async () => {
      if (here.run && !isOver(here.run)) redraw(); // what is left goes on
    });
  });
  const seen = here.run;
  return html`<p class="crumbs"><a href="#/runs">Data sets</a> / ${seen ? nameOf(seen) : "…"}</p>
    <div class="page-head">
      <h1>${seen ? nameOf(seen) : id}</h1>
      <span aria-live="polite">${seen ? badge(seen.state) : nothing}</span>
      ${seen ? html`${seen.name ? html`<span class="muted small mono">${id}</span>` : nothing}${copyButton(id, "the run's id")}<div class="push">${deeds(seen)}</div>` : nothing}
    </div>
    ${here.isUnknown ? unknown() : here.error ? failure(here.error, () => here.look()) : nothing}
    ${seen && !here.isUnknown ? whole(seen, part, query) : nothing}
    ${!seen && !here.error ? html`<p class="muted" role="status">Loading…</p>` : nothing}`;
}

function unknown() {
  return html`<div class="empty"><p>There is no such run, or its time is over and it is gone with its rows.
    <a href="#/runs">See the runs there are.</a></p></div>`;
}

/**
 * @param {Run} seen
 * @param {string} part
 * @param {URLSearchParams} query
 */
function whole(seen, part, query) {
  const shown = PARTS[part] ?? /** @type {typeof PARTS[string]} */ (PARTS[""]);
  return html`${waits(seen)} ${standing(seen)}
    <nav class="run-parts" aria-label="Of this run">
      ${Object.entries(PARTS).map(
        ([name, { title }]) => html`<a href=${href(["runs", seen.id, ...(name ? [name] : [])])}
          aria-current=${PARTS[name] === shown ? "page" : nothing}>${title}</a>`,
      )}
    </nav>
    ${shown.draw(seen, query)}`;
}

/** What keeps it from going on that is none of its own. @param {Run} seen */
function waits({ waiting_for: found }) {
  if (!found) return nothing;
  return html`<div class="notice warn" role="status"><p><strong>It waits</strong> since ${time(found.since)} (${found.step}): ${coded(found.reason)}</p>
    <p>It is tried again by itself.</p></div>`;
}

/** What a reader has to know or to do first. @param {Run} seen */
function standing(seen) {
  if (seen.error) {
    return html`<div class="notice bad" role="alert"><p><strong>${seen.error.error_type}</strong>: ${coded(seen.error.message)}</p>
      <p>Mend what it says, then <em>Retry</em>: it goes on from what it has. What was asked wrongly takes a <em>Clone</em>; rows that are answered are not computed twice.</p></div>`;
  }
  if (seen.state === "held") {
    return html`<div class="notice warn" role="status">
      <p><strong>Held after the sample.</strong> ${counted(seen.rows.answered + seen.rows.failed, "row")} are done${
        seen.rows.failed ? html`, ${number(seen.rows.failed)} of them failed` : nothing
      }. <a href=${href(["runs", seen.id, "rows"])}>Look at them</a> and at the report below, then go on with the rest, or cancel it.</p>
      <button type="button" class="primary" @click=${() => goOn(seen)}>Go on with the rest</button></div>`;
  }
  if (seen.state === "paused") {
    return html`<div class="notice warn" role="status"><p>Paused: nothing of it runs. What is done stays.</p></div>`;
  }
  return follows(seen) ? following(seen) : nothing;
}

/** How it follows its source. @param {Run} seen */
function following({ follow, looked_at }) {
  if (!follow) return nothing;
  return html`<div class=${`notice${follow.trouble ? " warn" : ""}`} role="status">
    <p><strong>${follow.finishing ? "Taking no more." : "Following its source"}</strong>${follow.since ? html` since ${time(follow.since)}` : nothing}:
      ${counted(follow.files, "file")} so far${follow.found_at ? html`, the last ${time(follow.found_at)}` : nothing}${
        follow.waiting ? `; ${counted(follow.waiting, "file")} ${follow.waiting === 1 ? "waits" : "wait"}` : ""
      }.${looked_at ? html` Looked ${time(looked_at)}.` : nothing} What is answered can be downloaded meanwhile.</p>
    ${follow.trouble ? html`<p>Its source could not be read: ${follow.trouble}. It looks again.</p>` : nothing}</div>`;
}
