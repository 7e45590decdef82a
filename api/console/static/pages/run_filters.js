// Which rows of a run are shown, and in which order: kept in the address.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { filter, href } from "../lib/router.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/** Those that leave rows out. */
const FILTERS = ["failed", "label", "first_label", "min_score", "max_score"];

/** Whether rows are left out. @param {URLSearchParams} query */
export function isFiltered(query) {
  return FILTERS.some((name) => query.get(name));
}

/**
 * @param {Run} run
 * @param {URLSearchParams} query
 */
export function sheetFilters(run, query) {
  const labels = Object.keys(run.labels ?? {}).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const failed = Boolean(query.get("failed"));
  const scored = (run.scores ?? []).some(Boolean);
  return html`<form class="toolbar" role="search" aria-label="Filter rows" @change=${changed} @submit=${changed}>
    ${choice("Rows", "failed", query, [["", "all"], ["1", "failed only"]])}
    ${labels.length && !failed ? choice("Label", "label", query, [["", "any"], ...labels.map((one) => [one, one])]) : nothing}
    ${labels.length && run.first_labels && !failed ? choice("First label", "first_label", query, [["", "any"], ...labels.map((one) => [one, one])]) : nothing}
    ${scored && !failed ? html`${bound("Score from", "min_score", query, "0")}${bound("to", "max_score", query, "1")}` : nothing}
    ${scored && !failed ? choice("Order", "order", query, [["", "as in the data set"], ["score", "the least sure first"]]) : nothing}
    ${isFiltered(query) ? html`<a class="button" href=${href(["runs", run.id, "rows"], { order: query.get("order") ?? "" })}>Clear</a>` : nothing}
  </form>`;
}

/**
 * @param {string} title
 * @param {string} name
 * @param {URLSearchParams} query
 * @param {string[][]} options values and what they are called
 */
function choice(title, name, query, options) {
  const chosen = query.get(name) ?? "";
  const known = options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen]];
  return html`<label class="field"><span>${title}</span>
    <select name=${name} .value=${chosen}>
      ${known.map(([value, text]) => html`<option value=${value ?? ""} ?selected=${value === chosen}>${text}</option>`)}
    </select></label>`;
}

/**
 * @param {string} title
 * @param {string} name
 * @param {URLSearchParams} query
 * @param {string} example
 */
function bound(title, name, query, example) {
  return html`<label class="field sheet-bound"><span>${title}</span>
    <input type="number" name=${name} min="0" max="1" step="any" placeholder=${example} .value=${query.get(name) ?? ""}></label>`;
}

/** @param {Event} event */
function changed(event) {
  event.preventDefault();
  const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  const wanted = Object.fromEntries([...given].map(([name, value]) => [name, String(value)])); // a label may begin with a space
  if (wanted["failed"]) Object.assign(wanted, { label: "", first_label: "", min_score: "", max_score: "", order: "" });
  filter(wanted);
}
