// What is served: every model by its family, how it stands, and what it does now.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { badge } from "../lib/badge.js";
import { shown } from "../lib/failure.js";
import { LOOK_S, countedOf, entries, idOf, look } from "../lib/fleet.js";
import { counted, number, percent, words } from "../lib/format.js";
import { again, whileShown } from "../lib/lifetime.js";
import { filter, href } from "../lib/router.js";

/**
 * @typedef {import("../lib/fleet.js").Entry} Entry
 * @typedef {import("../lib/router.js").Route} Route
 */

/** @param {Route} route */
export function models({ query }) {
  whileShown("models", (signal) => again(signal, LOOK_S, look));
  return html`<div class="page-head">
      <h1>Models</h1>
      <p class="muted" role="status">${told(entries.value, query)}</p>
    </div>
    ${shown(entries, (all) => listed(all, query))}`;
}

/**
 * How many there are, and how many of them a search leaves.
 * @param {Entry[] | null} all
 * @param {URLSearchParams} query
 */
function told(all, query) {
  if (!all) return nothing;
  const left = all.filter((entry) => matches(entry, query)).length;
  const ready = all.filter(({ status }) => status === "ready").length;
  const of = left === all.length ? "" : `${number(left)} of `;
  return `${of}${counted(all.length, "model")}, ${number(ready)} ready`;
}

/**
 * @param {Entry[]} all
 * @param {URLSearchParams} query
 */
function listed(all, query) {
  const left = all.filter((entry) => matches(entry, query));
  const families = [...new Set(left.map(({ family }) => family))].sort();
  return html`${search(all, query)}
  ${left.length ? nothing : html`<div class="empty"><p>${all.length ? "No model is like that." : NONE}</p></div>`}
  ${repeat(
    families,
    (family) => family,
    (family) => html`<section class="stack" aria-labelledby=${`family-${family}`}>
      <h2 id=${`family-${family}`}>${words(family)}</h2>
      <ul class="tiles models-tiles">
        ${repeat(left.filter((entry) => entry.family === family), idOf, card)}
      </ul>
    </section>`,
  )}`;
}

const NONE = "No model is declared: write one into models.toml, or start with wherry up --sample-models.";

/**
 * @param {Entry[]} all
 * @param {URLSearchParams} query
 */
function search(all, query) {
  return html`<form class="toolbar" role="search" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <label class="field"><span>Search</span>
      <input type="search" placeholder="name, task, runtime" .value=${query.get("search") ?? ""}
        @input=${(/** @type {InputEvent} */ event) => filter({ search: typed(event) })}></label>
    ${choice("Family", "family", all.map(({ family }) => family), query)}
    ${choice("Task", "task", all.map(({ task }) => task), query)}
    ${choice("State", "state", all.map(({ status }) => status), query)}
  </form>`;
}

/**
 * @param {string} title
 * @param {string} name of the filter
 * @param {string[]} values
 * @param {URLSearchParams} query
 */
function choice(title, name, values, query) {
  const chosen = query.get(name) ?? "";
  const known = [...new Set([...values, ...(chosen ? [chosen] : [])])].sort();
  return html`<label class="field"><span>${title}</span>
    <select @change=${(/** @type {Event} */ event) => filter({ [name]: typed(event) })}>
      <option value="" ?selected=${!chosen}>any</option>
      ${known.map((value) => html`<option value=${value} ?selected=${value === chosen}>${words(value)}</option>`)}
    </select></label>`;
}

/** @param {Event} event */
function typed(event) {
  return /** @type {HTMLInputElement} */ (event.target).value;
}

/**
 * @param {Entry} entry
 * @param {URLSearchParams} query
 */
function matches(entry, query) {
  const text = `${entry.name} ${entry.task} ${words(entry.task)} ${entry.runtime ?? ""} ${entry.platform}`;
  const parts = (query.get("search") ?? "").toLowerCase().split(/\s+/);
  return (
    parts.every((part) => text.toLowerCase().includes(part)) &&
    (!query.get("family") || query.get("family") === entry.family) &&
    (!query.get("task") || query.get("task") === entry.task) &&
    (!query.get("state") || query.get("state") === entry.status)
  );
}

/** @param {Entry} entry */
function card(entry) {
  const several = (entries.value ?? []).filter(({ name }) => name === entry.name).length > 1;
  const where = href(["models", entry.name], several ? { version: entry.version } : {});
  return html`<li class="card models-card">
    <div class="row">
      <h3><a href=${where}>${entry.name}</a>${several ? html` <span class="muted">${entry.version}</span>` : nothing}</h3>
      <span class="push">${badge(entry.status, entry.reason)}</span>
    </div>
    <p class="small muted">${words(entry.task)} · ${runtime(entry)}${entry.devices.length ? ` · ${entry.devices.join(", ")}` : ""}</p>
    ${entry.status === "failed" ? html`<p class="small bad-text models-reason">${entry.reason}</p>` : numbers(entry)}
  </li>`;
}

/**
 * What runs a model, without what runs that.
 * @param {Entry} entry
 */
export function runtime(entry) {
  return entry.runtime?.split(",")[0] ?? entry.platform.replace("wherry_", "");
}

/** @param {Entry} entry */
function numbers(entry) {
  const { rowsPerS, fill, waiting, running } = countedOf(entry);
  return html`<dl class="models-numbers">
    ${rowsPerS === undefined ? nothing : html`<div><dt>rows/s</dt><dd>${number(rowsPerS)}</dd></div>`}
    ${fill === undefined ? nothing : html`<div><dt>batches filled</dt><dd>${percent(fill)}</dd></div>`}
    <div><dt>waiting</dt><dd>${number(waiting)}</dd></div>
    <div><dt>running</dt><dd>${number(running)}</dd></div>
  </dl>`;
}
