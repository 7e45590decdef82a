// All jobs, live: filters, and a table that holds thousands.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { failure } from "../lib/failure.js";
import { KEY_CHANGED } from "../lib/http.js";
import { counted, duration, number, time } from "../lib/format.js";
import { JobList } from "../lib/job_list.js";
import { again, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { Source } from "../lib/source.js";
import { Windowed } from "../lib/windowed.js";
import { job } from "./job.js";

/** @typedef {import("../lib/job_list.js").Job} Job */

const STATES = ["queued", "running", "succeeded", "failed", "canceled", "expired"];

/** Names of a query of this page that the API takes as they are. */
const FILTERS = ["status", "model", "tenant", "error", "since", "until"];

/** @type {Record<string, [string, number]>} */
const SPANS = {
  "10m": ["Last 10 minutes", 600],
  "1h": ["Last hour", 3600],
  "24h": ["Last 24 hours", 86_400],
};

/** @type {Source<{name: string}[]>} */
const models = new Source(() => ({ path: "v2/repository/index", json: {} }));

/** @type {JobList | null} */
let list = null;
let listed = "";

addEventListener(KEY_CHANGED, () => {
  list = null;
});

const window_ = new Windowed({
  caption: "Jobs, newest first",
  rowRem: 2.75,
  key: (/** @type {Job} */ one) => one.id,
  says: (one) => [one.id, one.status, one.started_at, one.finished_at, Math.floor(Date.now() / 5000)],
  nearEnd: () => list?.more(),
  moved: () => window_.atTop && list?.release(),
  columns: [
    { title: "State", cell: (one) => badge(one.status, one.error?.message) },
    {
      title: "Job",
      head: true,
      cell: (one) =>
        html`<a class="mono jobs-id" title=${one.id} href=${href(["jobs", one.id])}><span>${one.id.slice(0, -6)}</span><span>${one.id.slice(-6)}</span></a>`,
    },
    { title: "Model", cell: (one) => html`<a href=${href(["models", one.model_name])}>${one.model_name}</a>` },
    { title: "Rows", numeric: true, cell: (one) => number(one.rows) },
    { title: "Submitted", cell: (one) => time(one.created_at) },
    { title: "Waited", numeric: true, cell: (one) => between(one.created_at, one.started_at) },
    { title: "Ran", numeric: true, cell: (one) => between(one.started_at, one.finished_at) },
    { title: "Tenant", cell: (one) => one.tenant ?? "" },
    { title: "Error", cell: (one) => (one.error ? html`<span title=${one.error.message}>${one.error.type}</span>` : nothing) },
  ],
});

/**
 * @param {string | null} from
 * @param {string | null} to
 */
function between(from, to) {
  return from && to ? duration((Date.parse(to) - Date.parse(from)) / 1000) : "";
}

/** @param {import("../lib/router.js").Route} route */
export function jobs(route) {
  const [id] = route.rest;
  return id ? job(id) : all(route.query);
}

/** @param {URLSearchParams} query */
function all(query) {
  const name = String(query);
  if (!list || listed !== name) {
    listed = name;
    list = new JobList(asked(query), () => window_.atTop);
    window_.toTop();
  }
  const shown = list;
  whileShown(`jobs?${name}`, (signal) => {
    shown.keep(signal);
    again(signal, 5, async () => redraw()); // "3 s ago" goes on
  });
  whileShown("jobs' models", (signal) => models.refresh(signal));
  return html`
    <div class="page-head">
      <h1>Jobs</h1>
      <p class="muted" role="status">${state(shown)}</p>
      <a class="push" href="#/dead">Dead letters</a>
    </div>
    ${filters(query)}
    ${shown.error ? failure(shown.error) : nothing}
    ${shown.held.length ? fresh(shown) : nothing}
    <div class="jobs ${shown.hasTenants ? "" : "jobs-of-one"}">${body(shown, name)}</div>
    ${shown.jobs.length ? foot(shown) : nothing}
  `;
}

/** @param {JobList} shown */
function state(shown) {
  if (!shown.live) return shown.error ? "Not up to date: trying again." : "Loading…";
  return `${counted(shown.jobs.length, "job")}${shown.next ? " so far" : ""}, live`;
}

/** @param {JobList} shown */
function fresh(shown) {
  const click = () => {
    window_.toTop();
    shown.release();
  };
  return html`<button type="button" class="jobs-fresh" aria-live="polite" @click=${click}>
    ${counted(shown.held.length, "new job")}: show
  </button>`;
}

/**
 * @param {JobList} shown
 * @param {string} query
 */
function body(shown, query) {
  if (shown.jobs.length) return window_.draw(shown.jobs);
  if (!shown.read) return nothing;
  if (shown.next) {
    return html`<div class="empty"><p>None so far among the newest. Older ones may be.</p></div>${foot(shown)}`;
  }
  return html`<div class="empty">
    ${
      query
        ? html`<p>No job is as these filters want it. <a href="#/jobs">Show all jobs.</a></p>`
        : html`<p>No jobs yet. <a href="#/models">Try a model</a>: what it is asked is a job, and stands here.</p>`
    }
  </div>`;
}

/** @param {JobList} shown */
function foot(shown) {
  if (shown.cut) return html`<p class="muted">Older jobs were let go from this list. Filter by time to see them.</p>`;
  if (!shown.next) return nothing;
  return html`<div class="buttons">
    <button type="button" ?disabled=${shown.loading} @click=${shown.more}>
      ${shown.loading ? "Loading…" : "Load older jobs"}
    </button>
  </div>`;
}

/**
 * The filters as the API takes them.
 * @param {URLSearchParams} query
 */
function asked(query) {
  const filters = new URLSearchParams();
  for (const name of FILTERS) {
    const value = query.get(name);
    if (value) filters.set(name, value);
  }
  const span = SPANS[query.get("span") ?? ""];
  if (span) filters.set("since", String(Date.now() - span[1] * 1000));
  return filters;
}

/** @param {URLSearchParams} query */
function filters(query) {
  const isAdmin = query.has("tenant") || list?.hasTenants;
  const names = [...new Set([...(models.value ?? []).map((one) => one.name), query.get("model") ?? ""])];
  return html`<form class="toolbar jobs-filters" role="search" aria-label="Filter jobs" @change=${changed} @submit=${changed}>
    ${choice("State", "status", query, STATES.map((one) => [one, one]))}
    ${choice("Model", "model", query, names.filter(Boolean).sort().map((one) => [one, one]))}
    ${isAdmin ? word("Tenant", "tenant", query) : nothing}
    ${word("Error type", "error", query, "worker_lost")}
    ${choice("Submitted", "span", query, [...Object.entries(SPANS).map(([key, [title]]) => [key, title]), ["between", "Between…"]])}
    ${query.get("span") === "between" ? html`${moment("From", "since", query)}${moment("To", "until", query)}` : nothing}
    ${[...query.keys()].length ? html`<a class="button" href="#/jobs">Clear</a>` : nothing}
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
  return html`<label class="field">
    <span>${title}</span>
    <select name=${name} .value=${chosen}>
      <option value="" ?selected=${!chosen}>any</option>
      ${options.map(([value, text]) => html`<option value=${value ?? ""} ?selected=${value === chosen}>${text}</option>`)}
    </select>
  </label>`;
}

/**
 * @param {string} title
 * @param {string} name
 * @param {URLSearchParams} query
 * @param {string} [example]
 */
function word(title, name, query, example = "") {
  return html`<label class="field">
    <span>${title}</span>
    <input name=${name} .value=${query.get(name) ?? ""} placeholder=${example || nothing} autocomplete="off">
  </label>`;
}

/**
 * @param {string} title
 * @param {string} name
 * @param {URLSearchParams} query
 */
function moment(title, name, query) {
  const given = query.get(name) ?? "";
  const at = /^\d+$/.test(given) ? Number(given) : Date.parse(given);
  const shown = Number.isNaN(at) ? null : new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return html`<label class="field">
    <span>${title}</span>
    <input type="datetime-local" name=${name} .value=${shown?.toJSON()?.slice(0, 16) ?? ""}>
  </label>`;
}

/** @param {Event} event */
function changed(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  /** @type {Record<string, string>} */
  const query = {};
  for (const [name, value] of new FormData(form)) {
    const given = String(value).trim();
    query[name] = given && (name === "since" || name === "until") ? String(Date.parse(given)) : given;
  }
  location.hash = href(["jobs"], query);
}
