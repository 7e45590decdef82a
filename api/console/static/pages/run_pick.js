// What people take from a run to look at: the page about it, and the rows of which the model is least sure.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { redraw } from "../lib/redraw.js";
import { pathOf } from "../lib/runs.js";
import { fetched } from "../lib/saved.js";
import { told } from "../lib/toast.js";
import { formatsOf } from "./run_download.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/** What is asked of a pick. */
const asked = { count: "200", byLabel: false, prefix: "" };

let waits = false;

/** @param {Run} run */
export function picks(run) {
  if (!run.shards.done) return nothing;
  const scored = (run.scores ?? []).some(Boolean);
  const hasPage = run.state === "succeeded" ? !run.output?.place : run.sample > 0;
  if (!scored && !hasPage) return nothing;
  return html`<section class="card" aria-labelledby="pick-title"><h2 id="pick-title">To look at</h2>
    ${hasPage ? html`<div class="toolbar"><button type="button" ?disabled=${waits} @click=${() => take(pathOf(run.id, "/report"))}>${run.state === "succeeded" ? "Report" : "Report of the sample"}</button>
      <span class="help">A page with what was found and rows drawn evenly, to keep or to pass on.</span></div>` : nothing}
    ${scored ? form(run) : nothing}
  </section>`;
}

/** @param {Run} run */
function form(run) {
  const drawn = formatsOf(run.task).some(({ name }) => name === "label-studio");
  const set = (/** @type {"count" | "prefix"} */ name) => (/** @type {Event} */ event) => {
    asked[name] = /** @type {HTMLInputElement} */ (event.target).value.trim();
  };
  const turned = (/** @type {Event} */ event) => {
    asked.byLabel = /** @type {HTMLInputElement} */ (event.target).checked;
  };
  return html`<form class="toolbar" aria-label="Rows of which the model is least sure" @submit=${(/** @type {Event} */ event) => send(event, run, drawn)}>
      <label class="field"><span>Least sure rows</span><input type="number" name="least_sure" min="1" max="10000" .value=${asked.count} @input=${set("count")}></label>
      ${drawn ? html`<label class="field"><span>Media prefix</span><input name="media_prefix" placeholder="their paths as they are" autocomplete="off" .value=${asked.prefix} @input=${set("prefix")}></label>` : nothing}
      <label class="check"><input type="checkbox" name="by_label" .checked=${asked.byLabel} @change=${turned}> <span>In turns by label</span></label>
      <button ?disabled=${waits}>${drawn ? "Take for Label Studio" : "Take as JSON lines"}</button>
    </form>
    <p class="help">The rows of the lowest scores, for people to correct${drawn ? "; Label Studio imports them with what the model said" : ""}. In turns by label: one of each first label after another.</p>`;
}

/** @param {Event} event @param {Run} run @param {boolean} drawn */
async function send(event, run, drawn) {
  event.preventDefault();
  const query = new URLSearchParams({ least_sure: asked.count || "200", format: drawn ? "label-studio" : "jsonl" });
  if (asked.byLabel) query.set("by_label", "1");
  if (drawn && asked.prefix) query.set("media_prefix", asked.prefix);
  await take(pathOf(run.id, `/pick?${query}`));
}

/** @param {string} path */
async function take(path) {
  waits = true;
  redraw();
  await told(fetched(path));
  waits = false;
  redraw();
}
