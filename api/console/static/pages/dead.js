// Dead letters: jobs that were aboard too many crashes. Look, then replay or drop, one or all.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { confirmed } from "../lib/dialog.js";
import { shown } from "../lib/failure.js";
import { counted, number, time } from "../lib/format.js";
import { call, callJson } from "../lib/http.js";
import { again, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { told } from "../lib/toast.js";

/** @typedef {import("../lib/job_list.js").Job} Job */
/** @typedef {{jobs: Job[], total: number, next: string | null}} Letters */

/** Letters shown at once, and that one call replays or drops. */
const PAGE = 100;

let filters = new URLSearchParams();
let busy = false;

/** @type {Source<Letters>} */
const letters = new Source(() => ({ path: `v2/dead?${filters}&limit=${PAGE}` }));

/** @param {import("../lib/router.js").Route} route */
export function dead({ query }) {
  const wanted = new URLSearchParams([...query].filter(([name, value]) => value && ["model", "error"].includes(name)));
  if (String(wanted) !== String(filters)) letters.forget();
  filters = wanted;
  whileShown(`dead?${wanted}`, (signal) => again(signal, 5, letters.refresh));
  return html`
    <p class="crumbs"><a href="#/jobs">Jobs</a> / dead letters</p>
    <div class="page-head"><h1>Dead letters</h1></div>
    <p>Jobs whose workers died, each time they were begun. They keep their request until they are replayed or dropped.
      Look at what they were asked and at the worker's log first: a replay may kill a worker again.</p>
    <form class="toolbar" role="search" aria-label="Filter dead letters" @change=${changed} @submit=${changed}>
      ${field("Model", "model", query)} ${field("Error holds", "error", query)}
    </form>
    ${shown(letters, all)}
  `;
}

/**
 * @param {string} title
 * @param {string} name
 * @param {URLSearchParams} query
 */
function field(title, name, query) {
  return html`<label class="field">
    <span>${title}</span>
    <input name=${name} .value=${query.get(name) ?? ""} autocomplete="off">
  </label>`;
}

/** @param {Event} event */
function changed(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
  location.hash = href(["dead"], given);
}

/** @param {Letters} value */
function all({ jobs, total, next }) {
  const some = filters.size ? "those that the filters want" : `all ${number(total)}`;
  return html`
    ${
      jobs.length
        ? html`<div class="buttons">
            <button type="button" class="primary" ?disabled=${busy} @click=${() => each("replay", some)}>Replay ${filters.size ? "these" : "all"}</button>
            <button type="button" class="danger" ?disabled=${busy} @click=${() => each("drop", some)}>Drop ${filters.size ? "these" : "all"}</button>
            <span class="muted" role="status">${counted(total, "dead letter")} in all</span>
          </div>`
        : nothing
    }
    ${table({
      caption: "Dead letters, newest first",
      rows: jobs,
      key: (one) => one.id,
      empty: filters.size
        ? html`<p>None is as these filters want it. <a href="#/dead">Show all.</a></p>`
        : html`<p>No dead letters. That is how it should be.</p>`,
      columns: [
        { title: "Job", head: true, cell: (one) => html`<a class="mono" href=${href(["jobs", one.id])}>${one.id}</a>` },
        { title: "Model", cell: (one) => one.model_name },
        { title: "Died", cell: (one) => time(one.finished_at) },
        { title: "Attempts", numeric: true, cell: (one) => number(one.attempt) },
        { title: "Error", cell: (one) => one.error?.message ?? "" },
        { title: "What to do", cell: deeds },
      ],
    })}
    ${next ? html`<p class="muted">The newest ${number(jobs.length)} are shown.</p>` : nothing}
  `;
}

/** @param {Job} one */
function deeds(one) {
  const path = `v2/dead/${encodeURIComponent(one.id)}`;
  const replay = () => act(call(`${path}/replay`, { method: "POST" }), "Back in its queue.");
  const drop = () => act(call(path, { method: "DELETE" }), "Dropped.");
  return html`<div class="buttons">
    <button type="button" class="small" aria-label="Replay ${one.id}" @click=${replay}>Replay</button>
    <button type="button" class="small" aria-label="Drop ${one.id}" @click=${drop}>Drop</button>
  </div>`;
}

/**
 * @param {Promise<unknown>} work
 * @param {string} done
 */
async function act(work, done) {
  await told(work, done);
  await letters.refresh();
}

/**
 * @param {"replay" | "drop"} verb
 * @param {string} which
 */
async function each(verb, which) {
  const yes = await confirmed(
    verb === "replay"
      ? { title: "Replay dead letters?", text: `This puts ${which} back in their queues, each with nothing beside it.`, yes: "Replay them" }
      : { title: "Drop dead letters?", text: `This gives ${which} up: their requests go now.`, yes: "Drop them", danger: true },
  );
  if (!yes) return;
  busy = true;
  redraw();
  await told(through(verb), verb === "replay" ? "Back in their queues." : "Dropped.");
  busy = false;
  await letters.refresh();
}

/**
 * Page by page, to the end: what comes back meanwhile is newer, and not met again.
 * @param {"replay" | "drop"} verb
 */
async function through(verb) {
  let after = "";
  do {
    const query = new URLSearchParams([...filters, ["limit", String(PAGE)], ["after", after]]);
    after = (await callJson(`v2/dead:${verb}?${query}`, { method: "POST" })).next ?? "";
  } while (after);
}
