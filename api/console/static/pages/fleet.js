// The fleet: who works, what waits, and how the last hours went.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { shown } from "../lib/failure.js";
import { number } from "../lib/format.js";
import { again, whileShown } from "../lib/lifetime.js";
import { isAdmin } from "../lib/session.js";
import { Source } from "../lib/source.js";
import { fleetCharts } from "./fleet_charts.js";
import { fleetQueues } from "./fleet_queues.js";
import { fleetWorkers } from "./fleet_workers.js";

/**
 * @typedef {object} Fleet what `/v2/queues` says
 * @property {import("./fleet_queues.js").Group[]} queues
 * @property {import("./fleet_workers.js").Worker[]} workers
 * @property {Record<string, number>} totals
 * @property {string} [dashboards_url] what the operator has beside this page
 */

/** Seconds between two looks. */
const LOOK_S = 3;

/** @type {Source<Fleet>} */
const now = new Source(() => ({ path: "v2/queues" }));

/** @type {Source<import("./fleet_workers.js").Worker[]>} those that do runs: they take no jobs from queues */
const doingRuns = new Source(
  () => ({ path: "v2/workers" }),
  ({ workers }) => workers.filter((/** @type {import("./fleet_workers.js").Worker} */ { families }) => families.includes("runs")),
);

/** @param {import("../lib/router.js").Route} route */
export function fleet({ query }) {
  whileShown("fleet", (signal) => again(signal, LOOK_S, now.refresh));
  if (isAdmin()) whileShown("run workers", (signal) => again(signal, LOOK_S, doingRuns.refresh));
  return html`<h1>Fleet</h1>
    ${shown(now, (seen) => drawn(seen, query))}`;
}

/**
 * @param {Fleet} seen
 * @param {URLSearchParams} query
 */
function drawn(seen, query) {
  const models = new Set(seen.workers.flatMap((worker) => worker.models));
  return html`${totals(seen)}
    ${seen.dashboards_url ? html`<p><a href=${seen.dashboards_url} rel="noreferrer">Dashboards of the last weeks</a></p>` : nothing}
    ${isAdmin() ? fleetWorkers([...seen.workers, ...runWorkers()]) : nothing}
    ${fleetQueues(seen.queues, query)}
    ${isAdmin() ? fleetCharts(query, [...models].sort()) : nothing}`;
}

function runWorkers() {
  return doingRuns.value ?? [];
}

/** @param {Fleet} seen */
function totals({ workers, totals: counted }) {
  const alive = workers.filter(({ alive }) => alive).length;
  const atRuns = runWorkers().filter(({ alive }) => alive).length;
  return html`<dl class="card fleet-totals">
    ${isAdmin() ? figure("Workers", number(alive), alive ? "" : "bad-text") : nothing}
    ${isAdmin() && atRuns ? figure("Run workers", number(atRuns), "", "Those that annotate data sets, a part at a time") : nothing}
    ${figure("Waiting", number(counted["waiting"] ?? 0))}
    ${figure("Running", number(counted["running"] ?? 0))}
    ${isAdmin() ? all(counted) : nothing}
  </dl>`;
}

/** @param {Record<string, number>} counted */
function all(counted) {
  const { succeeded = 0, failed = 0, dead = 0, requeued = 0, late = 0 } = counted;
  return html`${figure("Succeeded", number(succeeded))}
    ${figure("Failed", failed ? html`<a href="#/jobs?status=failed">${number(failed)}</a>` : "0")}
    ${figure("Dead letters", dead ? html`<a href="#/dead">${number(dead)}</a>` : "0", dead ? "bad-text" : "")}
    ${figure("Requeued", number(requeued), "", "Jobs taken back from workers that died")}
    ${figure("Late", number(late), "", "Answers dropped because their job had gone to another worker")}`;
}

/**
 * @param {string} title
 * @param {unknown} value
 * @param {string} [kind]
 * @param {string} [help]
 */
function figure(title, value, kind = "", help) {
  return html`<div title=${help ?? nothing}><dt>${title}</dt><dd class=${kind}>${value}</dd></div>`;
}
