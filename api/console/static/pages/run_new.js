// A new run: a model, a data set, and how it is to be done; or one like another.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { failure } from "../lib/failure.js";
import { entries } from "../lib/fleet.js";
import { words } from "../lib/format.js";
import { KEY_CHANGED, callJson } from "../lib/http.js";
import { whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { redraw } from "../lib/redraw.js";
import { filter, go } from "../lib/router.js";
import { nameOf, pathOf } from "../lib/runs.js";
import { toast } from "../lib/toast.js";
import { DataSource } from "../widgets/data_source.js";
import { Missing } from "../widgets/declaration.js";
import { ParameterForm } from "../widgets/parameters.js";
import { taskOf } from "./run_card.js";
import { formatsOf } from "./run_download.js";
import { given, likeOf, nothingGiven, unsaidOf } from "./run_asked.js";
import { following, further, queried, sharedInputs } from "./run_options.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/** What the form holds. */
class Draft {
  source = new DataSource();
  options = nothingGiven();
  /** @type {Map<string, ParameterForm>} by task */
  #parameters = new Map();
  #keyed = { body: "", key: "" };
  missing = "";
  /** @type {Error | null} */
  error = null;
  sending = false;

  /** @param {Run | null} from the run that it is like */
  constructor(from) {
    this.from = from;
    this.model = from?.model ?? "";
    if (!from) return;
    this.source.kind = "place";
    this.source.place = from.source;
    this.options = likeOf(from);
  }

  /** A key by which the same, sent twice, starts one run. @param {string} body */
  keyOf(body) {
    if (body !== this.#keyed.body) {
      const random = crypto.getRandomValues(new Uint32Array(4)); // randomUUID is for pages of https alone
      this.#keyed = { body, key: `console-${random.join("-")}` };
    }
    return this.#keyed.key;
  }

  /** @param {any} task */
  parametersOf(task) {
    const known = this.#parameters.get(task.name) ?? new ParameterForm(task.parameters);
    if (!this.#parameters.has(task.name) && this.from?.task === task.name) known.fill(this.from?.parameters ?? {});
    this.#parameters.set(task.name, known);
    return known;
  }
}

/** @type {Draft | null} */
let draft = null;

addEventListener(KEY_CHANGED, () => {
  draft = null;
});

/** @param {import("../lib/router.js").Route} route */
export function newRun({ query }) {
  const from = query.get("from") ?? "";
  const other = from ? liveRun(from) : null;
  whileShown("run models", (signal) => void entries.refresh(signal));
  if (other) whileShown(`run ${from} to clone`, (signal) => void other.look(signal));
  if (other?.error) return html`<h1>Clone a run</h1>${failure(other.error, () => other.look())}`;
  if (other && !other.run) return html`<h1>Clone a run</h1><p class="muted" role="status">Loading…</p>`;
  if (!draft || (draft.from?.id ?? "") !== from) draft = new Draft(other?.run ?? null);
  const here = draft;
  if (!from && query.get("model") && !here.model) here.model = query.get("model") ?? "";
  return html`<p class="crumbs"><a href="#/runs">Data sets</a> / ${from ? "clone a run" : "start a run"}</p>
    <div class="page-head"><h1>${here.from ? html`Clone ${nameOf(here.from)}` : "Start a run"}</h1>
      <p class="muted">${from ? "The same rows, with what you change. Rows that are answered alike are not computed again." : "A model answers each row of a data set; what it found is one file or folder to download."}</p></div>
    ${form(here)}`;
}

/** @param {Draft} here */
function form(here) {
  const chosen = (entries.value ?? []).find(({ name }) => name === here.model);
  const task = chosen ? taskOf(chosen.task) : null;
  return html`<form class="run-form stack" novalidate aria-label="A new run" @submit=${(/** @type {Event} */ event) => send(event, here, task)}>
    <div class="columns">
      <div class="stack">${modelChoice(here, chosen)} ${here.source.draw()}
        ${here.source.isDatabase || here.options.others["query"] ? queried(here.options) : nothing}</div>
      <div class="stack">
        ${task
          ? html`${sharedInputs(here.options, task)} ${here.parametersOf(task).draw()} ${output(here, task.name)} ${further(here.options, task)}`
          : html`<p class="muted">${here.model && entries.value && !chosen ? "That model is not served here." : "Choose a model to see its parameters and formats."}</p>`}
      </div>
    </div>
    ${here.missing ? html`<p class="notice bad" role="alert">${here.missing}</p>` : nothing}
    ${here.error ? failure(here.error) : nothing}
    <div class="buttons"><button class="primary" ?disabled=${here.sending || !task}>${here.sending ? "Starting…" : "Start the run"}</button>
      <a class="button" href="#/runs">Leave it</a></div>
  </form>`;
}

/**
 * @param {Draft} here
 * @param {import("../lib/fleet.js").Entry | undefined} chosen
 */
function modelChoice(here, chosen) {
  /** @type {Map<string, import("../lib/fleet.js").Entry[]>} */
  const tasks = new Map();
  for (const entry of entries.value ?? []) tasks.set(entry.task, [...(tasks.get(entry.task) ?? []), entry]);
  const choose = (/** @type {Event} */ event) => {
    here.model = /** @type {HTMLSelectElement} */ (event.target).value;
    here.options.format = "";
    filter({});
    redraw();
  };
  return html`<label class="field"><span>Model</span>
    <select name="model" @change=${choose} .value=${here.model}>
      <option value="" ?selected=${!here.model}>choose one…</option>
      ${[...tasks].sort(([a], [b]) => (a < b ? -1 : 1)).map(
        ([task, some]) => html`<optgroup label=${words(task)}>
          ${[...new Set(some.map(({ name }) => name))].map((name) => html`<option value=${name} ?selected=${name === here.model}>${name}</option>`)}
        </optgroup>`,
      )}
    </select>
    <span class="help">${chosen ? (STATES[chosen.status] ?? words(chosen.task)) : "By what it does. The Models page tells each one's labels and lets you try it."}</span>
  </label>`;
}

/** @type {Record<string, string>} what a model's state means for a run */
const STATES = {
  cold: "It is not in memory: the first rows load it.",
  failed: "It could not be loaded: its rows would fail. Its page has the reason.",
  unloaded: "It was closed to new requests.",
  unserved: "No worker of its family runs: rows wait until one does.",
};

/**
 * @param {Draft} here
 * @param {string} task
 */
function output(here, task) {
  const { options } = here;
  const set = (/** @type {"name" | "format" | "sample"} */ name) => (/** @type {Event} */ event) => {
    options[name] = /** @type {HTMLInputElement} */ (event.target).value.trim();
    redraw();
  };
  const follow = (/** @type {Event} */ event) => {
    options.follow = /** @type {HTMLInputElement} */ (event.target).checked;
    redraw();
  };
  return html`<div class="fields">
    <label class="field"><span>Name</span>
      <input name="name" .value=${options.name} maxlength="200" autocomplete="off" @input=${set("name")}>
      <span class="help">What you will know it by. Optional.</span></label>
    <label class="field"><span>Format</span>
      <select name="format" @change=${set("format")} .value=${options.format}>
        <option value="" ?selected=${!options.format}>JSON lines (default)</option>
        ${formatsOf(task).filter(({ name }) => name !== "jsonl").map(({ name, title }) => html`<option value=${name} ?selected=${name === options.format}>${title || name}</option>`)}
      </select>
      <span class="help">Any other can be downloaded afterwards, too.</span></label>
    <label class="field"><span>Sample first</span>
      <input name="sample" type="number" min="0" step="1" placeholder="no: all rows at once" .value=${options.sample} @input=${set("sample")}>
      <span class="help">So many rows are answered first; then it holds, and you look at them before the rest.</span></label>
    <label class="check"><input type="checkbox" name="follow" .checked=${options.follow} @change=${follow}>
      <span>Follow the folder or bucket <span class="help">Files that come later are answered as they come, until you say that it is enough.</span></span></label>
    ${options.follow ? following(options) : nothing}
  </div>`;
}

/**
 * What a clone has not, though the run that it is like may have.
 * @param {Draft} here
 * @param {Run} from
 */
function cleared(here, from) {
  return { ...unsaidOf(from), ...(here.model === from.model ? {} : { task: "", version: "" }) };
}

/**
 * @param {Event} event
 * @param {Draft} here
 * @param {any} task
 */
async function send(event, here, task) {
  event.preventDefault();
  if (here.sending || !task) return;
  here.missing = "";
  here.error = null;
  here.sending = true;
  redraw();
  try {
    const parameters = here.parametersOf(task).given();
    const asked = given(here.options, task);
    const told = { ...(here.from ? cleared(here, here.from) : {}), ...asked, model: here.model, parameters };
    const source = await here.source.source();
    const path = here.from ? pathOf(here.from.id, "/clone") : "v2/runs";
    const json = { ...told, source };
    const run = await callJson(path, { json, headers: { "Idempotency-Key": here.keyOf(JSON.stringify(json)) } });
    draft = null;
    toast("The run has begun.");
    go(["runs", run.id]);
  } catch (error) {
    if (error instanceof Missing) here.missing = error.message;
    else here.error = /** @type {Error} */ (error);
  }
  here.sending = false;
  redraw();
}
