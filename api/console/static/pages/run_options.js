// What else a run may be told: inputs that all rows share, columns, films, limits, where it writes.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Missing, helpOf, titleOf } from "../widgets/declaration.js";

/**
 * @typedef {object} Options texts as they were written; "" for what is not told
 * @property {string} name
 * @property {string} format
 * @property {string} sample
 * @property {boolean} follow
 * @property {Record<string, any>} inputs that all rows share
 * @property {Record<string, string>} columns by the input that each fills; "id" among them
 * @property {Record<string, string>} others
 */

/** @returns {Options} */
export function nothingGiven() {
  return { name: "", format: "", sample: "", follow: false, inputs: {}, columns: {}, others: {} };
}

/** Those of a run, as far as its document tells. @param {import("../lib/runs.js").Run} run @returns {Options} */
export function likeOf(run) {
  const { name, format, sample, follow, inputs, out, query, order_by, priority, max_device_seconds: device } = run;
  const others = {
    ...{ out, query, order_by, reuse: run.reuse === false ? "no" : "", near_duplicates: run.near_duplicates ? "1" : "" },
    ...{ priority: priority === 9 ? "" : priority, max_device_seconds: device, part_every_s: follow?.part_every_s, follow_for_s: follow?.for_s },
  };
  return {
    ...{ name, format, sample: sample ? String(sample) : "", follow: Boolean(follow), inputs: { ...inputs }, columns: {} },
    others: Object.fromEntries(Object.entries(others).map(([key, value]) => [key, value ? String(value) : ""])),
  };
}

/** What is a file, and so a row's own. */
const FILES = ["image", "audio"];

/** Inputs that a row's file, or a line of a text, is. @param {any} task */
function ownInput(task) {
  const inputs = /** @type {any[]} */ (task.inputs);
  return inputs.find(({ content, optional }) => FILES.includes(content) && !optional) ?? inputs.find(({ content }) => content === "text") ?? inputs[0];
}

/**
 * Inputs that may be the same for all rows: a question, labels to choose from.
 * @param {Options} options
 * @param {any} task
 */
export function sharedInputs(options, task) {
  const own = ownInput(task);
  const others = task.inputs.filter((/** @type {any} */ input) => input !== own && ["text", "json"].includes(input.content));
  const needed = others.filter((/** @type {any} */ { optional }) => !optional);
  if (!needed.length) return nothing;
  return html`<fieldset><legend>The same for all rows</legend>
    <div class="fields">${needed.map((/** @type {any} */ input) => sharedInput(options, input))}</div>
    <p class="help">Leave empty what each row has a column for.</p></fieldset>`;
}

/**
 * @param {Options} options
 * @param {any} input
 */
function sharedInput(options, input) {
  const given = options.inputs[input.name] ?? "";
  const typed = (/** @type {Event} */ event) => {
    options.inputs[input.name] = /** @type {HTMLTextAreaElement} */ (event.target).value;
  };
  return html`<label class="field"><span>${titleOf(input.name)}</span>
    <textarea name=${`input-${input.name}`} rows="2" .value=${typeof given === "string" ? given : JSON.stringify(given)} @input=${typed}></textarea>
    <span class="help">${helpOf(input)}${input.content === "json" ? " A line each, or JSON." : ""}</span></label>`;
}

/** @type {[string, string, string, string][]} name, title, example, help */
const LIMITS = [
  ["max_errors", "Rows that may fail", "any number", "It ends when more do."],
  ["max_device_seconds", "Device seconds", "no limit", "It ends when it has used so many."],
  ["deadline_s", "Seconds in all", "no limit", "It ends when it has taken so long."],
  ["priority", "Priority", "9", "1 goes first; 9, the bulk lane, lets single requests go before it."],
];

/** @type {[string, string, string, string][]} */
const FILMS = [
  ["every", "A frame every", "1", "Of films: seconds from one row to the next."],
  ["frames", "Frames or pages", "first", "first, all, or each so many-th."],
];

/** @type {[string, string, string, string][]} */
const FOLLOWS = [
  ["part_every_s", "Seconds to a part", "0", "New files wait for others so long."],
  ["follow_for_s", "Seconds to follow", "until you say so", "It is finished after so many from its start."],
];

/**
 * A field for a text or a number that is told apart from all others.
 * @param {Options} options
 * @param {[string, string, string, string]} of name, title, example, help
 */
function other(options, [name, title, example, help]) {
  const typed = (/** @type {Event} */ event) => {
    options.others[name] = /** @type {HTMLInputElement} */ (event.target).value.trim();
  };
  return html`<label class="field"><span>${title}</span>
    <input name=${name} .value=${options.others[name] ?? ""} placeholder=${example} autocomplete="off" @input=${typed}>
    <span class="help">${help}</span></label>`;
}

/** How often, and how long. @param {Options} options */
export function following(options) {
  return FOLLOWS.map((one) => other(options, one));
}

/** Which rows of a data base. @param {Options} options */
export function queried(options) {
  const typed = (/** @type {Event} */ event) => {
    options.others["query"] = /** @type {HTMLTextAreaElement} */ (event.target).value.trim();
  };
  return html`<div class="fields"><label class="field"><span>Query</span>
      <textarea name="query" rows="3" spellcheck="false" placeholder="SELECT id, text FROM reviews" .value=${options.others["query"] ?? ""} @input=${typed}></textarea>
      <span class="help">Its rows are those of the data set, its columns their inputs.</span></label>
    ${other(options, ["order_by", "Cut by", "one part", "A column that orders the rows, unique and without NULL, such as the key: several workers share them then."])}</div>`;
}

/**
 * @param {Options} options
 * @param {any} task
 */
export function further(options, task) {
  const pictures = task.inputs.some((/** @type {any} */ { content }) => content === "image");
  const field = (/** @type {[string, string, string, string]} */ one) => other(options, one);
  return html`<details><summary>Limits and reuse</summary><div class="fields">${LIMITS.map(field)}
      ${check(options, "reuse", "no", "Compute all rows, whatever earlier runs answered")}</div></details>
    ${pictures ? html`<details><summary>Films and documents</summary><div class="fields">${FILMS.map(field)}</div></details>` : nothing}
    <details><summary>Columns of a table</summary>
      <p class="help">The usual names are found by themselves; name those that are not.</p>
      <div class="fields">${["id", ...task.inputs.map((/** @type {any} */ { name }) => name)].map((name) => column(options, name))}</div></details>
    <details><summary>Quality</summary><div class="fields">
      ${field(["compare", "Hold against", "no other run", "The id of a run over the same rows: at its end this one's report tells how far they agree."])}
      ${pictures ? looks(options) : nothing}
    </div></details>
    <details><summary>Where it writes</summary><div class="fields">
      ${field(["out", "Place", "kept by the fleet", "Empty: the fleet keeps it, to be downloaded here. Else a place that an operator lets runs write to, s3://bucket/labels.json."])}
    </div></details>`;
}

/** @param {Options} options */
function looks(options) {
  return check(options, "near_duplicates", "1", "Look at every picture for those that look alike; else at the first thousand of each part");
}

/**
 * @param {Options} options
 * @param {string} name
 * @param {string} on what it holds while it is checked
 * @param {string} text
 */
function check(options, name, on, text) {
  const turned = (/** @type {Event} */ event) => {
    options.others[name] = /** @type {HTMLInputElement} */ (event.target).checked ? on : "";
  };
  return html`<label class="check"><input type="checkbox" name=${name} .checked=${Boolean(options.others[name])} @change=${turned}>
    <span>${text}</span></label>`;
}

/**
 * @param {Options} options
 * @param {string} name
 */
function column(options, name) {
  const typed = (/** @type {Event} */ event) => {
    options.columns[name] = /** @type {HTMLInputElement} */ (event.target).value.trim();
  };
  return html`<label class="field"><span>${name === "id" ? "Id of a row" : titleOf(name)}</span>
    <input name=${`column-${name}`} .value=${options.columns[name] ?? ""} autocomplete="off" placeholder="found by its name" @input=${typed}></label>`;
}

/**
 * What of it is to be sent.
 * @param {Options} options
 * @param {any} task
 * @returns {Record<string, any>}
 */
export function given(options, task) {
  const { name, format, sample, follow, others, columns } = options;
  /** @type {Record<string, any>} */
  const told = {};
  if (name) told["name"] = name;
  if (format) told["format"] = format;
  if (follow) told["follow"] = true;
  for (const [key, title] of FOLLOWS) if (follow && others[key]) told[key] = numberOf(title, others[key]);
  for (const key of ["query", "order_by"]) if (others[key]) told[key] = others[key];
  if (others["reuse"]) told["reuse"] = false;
  if (sample) told["sample"] = numberOf("Sample first", sample);
  for (const [key, title] of LIMITS) if (others[key]) told[key] = numberOf(title, others[key]);
  if (others["every"]) told["every"] = numberOf("A frame every", others["every"]);
  if (others["frames"]) told["frames"] = /^\d+$/.test(others["frames"]) ? Number(others["frames"]) : others["frames"];
  if (others["out"]) told["out"] = others["out"];
  if (others["compare"]) told["compare"] = others["compare"];
  if (others["near_duplicates"]) told["near_duplicates"] = true;
  const inputs = Object.entries(options.inputs).filter(([key, value]) => value !== "" && task.inputs.some((/** @type {any} */ one) => one.name === key));
  if (inputs.length) told["inputs"] = Object.fromEntries(inputs.map(([key, value]) => [fieldOf(task, key), shared(task, key, value)]));
  const { id = "", ...fields } = Object.fromEntries(Object.entries(columns).filter(([, value]) => value));
  const named = Object.fromEntries(Object.entries(fields).map(([key, value]) => [fieldOf(task, key), value]));
  if (id || Object.keys(fields).length) told["columns"] = { id, fields: named };
  return told;
}

/**
 * What the task's own class calls an input.
 * @param {any} task
 * @param {string} name
 */
function fieldOf(task, name) {
  return task.inputs.find((/** @type {any} */ one) => one.name === name)?.field || name;
}

/**
 * @param {string} title
 * @param {string} text
 */
function numberOf(title, text) {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Missing(`${title}: ${text} is no number from 0 on.`);
}

/**
 * @param {any} task
 * @param {string} name
 * @param {any} value
 */
function shared(task, name, value) {
  const input = task.inputs.find((/** @type {any} */ one) => one.name === name);
  if (typeof value !== "string" || input.content !== "json") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value.split("\n").map((line) => line.trim()).filter(Boolean);
  }
}
