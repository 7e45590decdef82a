// What else a run may be told: inputs that all rows share, columns, films, limits, where it writes.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { redraw } from "../lib/redraw.js";
import { helpOf, titleOf } from "../widgets/declaration.js";
import { fieldOf, valueOf, write } from "./run_asked.js";

/** @typedef {import("./run_asked.js").Options} Options */

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
  const isGiven = (/** @type {any} */ input) => valueOf(options.inputs, input) !== "";
  const shown = task.inputs.filter((/** @type {any} */ input) => isGiven(input) || (others.includes(input) && !input.optional));
  if (!shown.length) return nothing;
  return html`<fieldset><legend>The same for all rows</legend>
    <div class="fields">${shown.map((/** @type {any} */ input) => sharedInput(options, input))}</div>
    <p class="help">Leave empty what each row has a column for.</p></fieldset>`;
}

/**
 * @param {Options} options
 * @param {any} input
 */
function sharedInput(options, input) {
  const given = valueOf(options.inputs, input);
  const typed = (/** @type {Event} */ event) => write(options.inputs, input, /** @type {HTMLTextAreaElement} */ (event.target).value);
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
  ["shard_rows", "Rows of a part", "as many as fit", "A part is one run worker's at a time."],
];

/** @type {[string, string, string, string][]} */
const FILMS = [
  ["every", "A frame every", "1", "Of films: seconds from one row to the next."],
  ["frames", "Frames or pages", "first", "first, all, or each so many-th."],
];

/** @type {[string, string, string, string][]} */
const FOLLOWS = [
  ["follow_every_s", "Seconds between looks", "2", "How often its source is looked at."],
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
    redraw();
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

/** @type {[string, string, string, string][]} */
const WRITES = [
  ["out", "Place", "kept by the fleet", "Empty: the fleet keeps it, to be downloaded here. Else a place that an operator lets runs write to, s3://bucket/labels.json."],
  ["images", "Pictures beside labels", "as the format wants", "link, copy or none."],
  ["split", "Split", "no parts", "Parts beside train and their shares: val=0.1, test=0.1."],
  ["media_prefix", "Media prefix", "none", "What the path of a row's file begins with for Label Studio."],
];

/** @type {[string, string, string, string]} */
const KEPT = ["kept_s", "Seconds kept", "as the fleet does", "So long its output and its rows are there once it has ended."];

/** @type {[string, string, string, string]} */
const COMPARE = ["compare", "Hold against", "no other run", "The id of a run over the same rows: at its end this one's report tells how far they agree."];

/**
 * @param {Options} options
 * @param {any} task
 */
export function further(options, task) {
  const pictures = task.inputs.some((/** @type {any} */ { content }) => content === "image");
  const { others } = options;
  const fields = (/** @type {[string, string, string, string][]} */ some) => some.map((one) => other(options, one));
  const columns = ["id", ...task.inputs.map(fieldOf)].filter((name) => options.columns[name]);
  return html`${part("Limits and reuse", [...names(LIMITS, others), ...set(["reuse"], others)], html`${fields(LIMITS)}
      ${check(options, "reuse", "no", "Compute all rows, whatever earlier runs answered")}`)}
    ${pictures ? part("Films and documents", names(FILMS, others), html`${fields(FILMS)}`) : nothing}
    ${part("Columns of a table", columns, html`<p class="help">The usual names are found by themselves; name those that are not.</p>
      ${column(options, { name: "id" }, "Id of a row")}${task.inputs.map((/** @type {any} */ input) => column(options, input, titleOf(input.name)))}`)}
    ${part("Quality", set(["compare", "near_duplicates"], others), html`${fields([COMPARE])} ${pictures ? looks(options) : nothing}`)}
    ${part("Where and how it writes", [...names(WRITES, others), ...set(["overwrite"], others)], html`${fields(WRITES)}
      ${check(options, "overwrite", "1", "Replace what is there")}`)}
    ${part("At its end", [...set(["kept_s", "webhook", "metadata"], others), ...(options.called ? ["called"] : [])], html`${fields([KEPT])} ${calls(options)} ${notes(options)}`)}`;
}

/**
 * Fields that are seen once they are asked for; how many of them hold something is seen before.
 * @param {string} title
 * @param {string[]} filled
 * @param {unknown} fields
 */
function part(title, filled, fields) {
  return html`<details><summary>${title}${filled.length ? html` <span class="muted">(${filled.length} set)</span>` : nothing}</summary>
    <div class="fields">${fields}</div></details>`;
}

/**
 * @param {string[]} some
 * @param {Record<string, string>} others
 */
function set(some, others) {
  return some.filter((name) => others[name]);
}

/**
 * @param {[string, string, string, string][]} some
 * @param {Record<string, string>} others
 */
function names(some, others) {
  return set(some.map(([name]) => name), others);
}

/** Whom it calls at its end. @param {Options} options */
function calls(options) {
  const { called } = options;
  const before = `Empty: ${called}, as before. The rest of that URL is told to nobody.`;
  return html`${other(options, ["webhook", "Webhook", called ? `as before: ${called}` : "nobody is called", called ? before : "A URL that is called when it has ended."])}
    ${called ? check(options, "called", "no", `Do not call ${called}`) : nothing}`;
}

/** @param {Options} options */
function notes(options) {
  const typed = (/** @type {Event} */ event) => {
    options.others["metadata"] = /** @type {HTMLTextAreaElement} */ (event.target).value;
    redraw();
  };
  return html`<label class="field"><span>Notes</span>
    <textarea name="metadata" rows="2" placeholder="none" .value=${options.others["metadata"] ?? ""} @input=${typed}></textarea>
    <span class="help">For yourself: a line each, name=value.</span></label>`;
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
    redraw();
  };
  return html`<label class="check"><input type="checkbox" name=${name} .checked=${Boolean(options.others[name])} @change=${turned}>
    <span>${text}</span></label>`;
}

/**
 * @param {Options} options
 * @param {any} input
 * @param {string} title
 */
function column(options, input, title) {
  const typed = (/** @type {Event} */ event) => {
    write(options.columns, input, /** @type {HTMLInputElement} */ (event.target).value.trim());
    redraw();
  };
  return html`<label class="field"><span>${title}</span>
    <input name=${`column-${input.name}`} .value=${valueOf(options.columns, input)} autocomplete="off" placeholder="found by its name" @input=${typed}></label>`;
}
