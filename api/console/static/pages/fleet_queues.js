// What waits: by family, model, lane, tenant, or each group, and who gets how much of the devices.

import { html } from "../vendor/lit-html/lit-html.js";
import { counted, duration, number, percent, words } from "../lib/format.js";
import { filter, href } from "../lib/router.js";
import { inOrder, table } from "../lib/table.js";

/**
 * @typedef {object} Group
 * @property {string} group
 * @property {string} family
 * @property {string} model
 * @property {string} version
 * @property {string} tenant
 * @property {string} lane
 * @property {number} priority
 * @property {number} waiting
 * @property {number} running
 * @property {number} oldest_s
 * @property {number} jobs_per_s
 * @property {number} batch_fill
 * @property {number} weight
 * @property {number} device_s_per_s
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {Group[]} groups
 * @property {number} waiting
 * @property {number} running
 * @property {number} oldest
 * @property {number} rate
 * @property {number} share of the device time of all
 * @property {number} due what its weights would give it
 */

/** @type {Record<string, {title: string, of: (group: Group) => string, weighed?: boolean}>} */
const KINDS = {
  model: { title: "Model", of: ({ model, version }) => `${model}/${version}` },
  family: { title: "Family", of: ({ family }) => family },
  lane: { title: "Lane", of: ({ lane }) => lane, weighed: true },
  tenant: { title: "Tenant", of: ({ tenant }) => tenant, weighed: true },
  group: { title: "Group", of: ({ group }) => group },
};

/** Rows shown at most: a group a tenant and parameter may be thousands. */
const MOST = 100;

/**
 * @param {Group[]} groups
 * @param {URLSearchParams} query
 */
export function fleetQueues(groups, query) {
  const by = query.get("by") ?? "";
  const name = Object.hasOwn(KINDS, by) ? by : "model";
  const kind = /** @type {typeof KINDS[string]} */ (KINDS[name]);
  const order = { by: query.get("sort") || "waiting", down: query.get("order") !== "up" };
  const rows = inOrder(rowsOf(groups, kind.of), order, VALUES);
  return html`<section class="stack fleet-queues" aria-labelledby="queues-title">
    <div class="page-head"><h2 id="queues-title">Queues</h2>
      <p class="muted" role="status">${told(groups)}</p></div>
    <div class="toolbar"><label class="field"><span>By</span>
      <select @change=${(/** @type {Event} */ event) => filter({ by: valueOf(event) })}>
        ${Object.entries(KINDS).map(
          ([value, { title }]) => html`<option value=${value} ?selected=${value === name}>${title}</option>`,
        )}
      </select></label></div>
    ${table({
      caption: `Queues by ${kind.title.toLowerCase()}`,
      columns: columns(name, kind),
      rows: rows.slice(0, MOST),
      key: (row) => row.name,
      empty: html`<p>Nothing waits, and nothing ran in the last ten minutes.</p>`,
      sorted: order,
      onSort: ({ by: sort, down }) => filter({ sort, order: down ? "" : "up" }),
    })}
    ${rows.length > MOST ? html`<p class="muted">The first ${number(MOST)} of ${number(rows.length)}.</p>` : ""}
    ${kind.weighed ? html`<p class="help">Due is what the weights give, among those who had jobs in the last minute. Less than its due is
      no fault while nothing of it waits. Weights are set with the API key, and by WHERRY_INTERACTIVE_WEIGHT and WHERRY_BULK_WEIGHT.</p>` : ""}
  </section>`;
}

/** @param {Event} event */
function valueOf(event) {
  return /** @type {HTMLSelectElement} */ (event.target).value;
}

/** @param {Group[]} groups */
function told(groups) {
  const waiting = groups.reduce((sum, group) => sum + group.waiting, 0);
  const oldest = Math.max(0, ...groups.map((group) => group.oldest_s));
  return waiting ? `${counted(waiting, "job")} ${waiting === 1 ? "waits" : "wait"}, the oldest for ${duration(oldest)}` : "Nothing waits";
}

/** @type {Record<string, (row: Row) => number | string>} */
const VALUES = {
  name: ({ name }) => name,
  waiting: ({ waiting }) => waiting,
  running: ({ running }) => running,
  oldest: ({ oldest }) => oldest,
  rate: ({ rate }) => rate,
  share: ({ share }) => share,
  due: ({ due }) => due,
};

/**
 * @param {string} name
 * @param {{title: string, weighed?: boolean}} kind
 * @returns {import("../lib/table.js").Column<Row>[]}
 */
function columns(name, kind) {
  return [
    { title: kind.title, head: true, sort: "name", cell: (row) => named(name, row) },
    { title: "Waiting", numeric: true, sort: "waiting", cell: ({ waiting }) => number(waiting) },
    { title: "Oldest", numeric: true, sort: "oldest", cell: ({ oldest, waiting }) => (waiting ? duration(oldest) : "–") },
    { title: "Running", numeric: true, sort: "running", cell: ({ running }) => number(running) },
    { title: "Jobs a second", numeric: true, sort: "rate", cell: ({ rate }) => number(Math.round(rate * 100) / 100) },
    { title: "Filled", numeric: true, cell: ({ groups }) => filled(groups) },
    { title: "Device time", numeric: true, sort: "share", cell: ({ share }) => percent(share) },
    ...(kind.weighed
      ? [{ title: "Due", numeric: true, sort: "due", cell: (/** @type {Row} */ { due }) => percent(due) }]
      : []),
  ];
}

/**
 * @param {string} kind
 * @param {Row} row
 */
function named(kind, { name, groups }) {
  const model = groups[0]?.model ?? "";
  if (kind === "model") return html`<a href=${href(["models", model])}>${name.replace(/\/1$/, "")}</a>`;
  if (kind === "tenant") return name === "-" ? "none (no key, or an admin's)" : name;
  return kind === "group" ? html`<code>${name}</code>` : words(name);
}

/** @param {Group[]} groups */
function filled(groups) {
  const ran = groups.filter(({ batch_fill }) => batch_fill > 0);
  return ran.length ? percent(ran.reduce((sum, { batch_fill }) => sum + batch_fill, 0) / ran.length) : "–";
}

/**
 * @param {Group[]} groups
 * @param {(group: Group) => string} of
 * @returns {Row[]}
 */
function rowsOf(groups, of) {
  const due = dueOf(groups);
  const all = groups.reduce((sum, { device_s_per_s }) => sum + device_s_per_s, 0);
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const group of groups) {
    const name = of(group);
    const row = rows.get(name) ?? { name, groups: [], waiting: 0, running: 0, oldest: 0, rate: 0, share: 0, due: 0 };
    rows.set(name, row);
    row.groups.push(group);
    row.waiting += group.waiting;
    row.running += group.running;
    row.oldest = Math.max(row.oldest, group.oldest_s);
    row.rate += group.jobs_per_s;
    row.share += all ? group.device_s_per_s / all : 0;
    row.due += all ? (due.get(group) ?? 0) / all : 0;
  }
  return [...rows.values()];
}

/**
 * What each group's flow is due of its family's device time, told once a flow: at its first group.
 * @param {Group[]} groups
 */
function dueOf(groups) {
  /** @type {Map<string, Group[]>} the flows that work or wait, by family */
  const families = new Map();
  const seen = new Set();
  for (const group of groups) {
    const flow = `${group.family} ${group.lane} ${group.tenant}`;
    if (seen.has(flow) || !(group.waiting || group.running || group.device_s_per_s > 1e-4)) continue;
    seen.add(flow);
    families.set(group.family, [...(families.get(group.family) ?? []), group]);
  }
  /** @type {Map<Group, number>} */
  const due = new Map();
  for (const [family, flows] of families) {
    const spent = groups.reduce((sum, group) => sum + (group.family === family ? group.device_s_per_s : 0), 0);
    const weights = flows.reduce((sum, { weight }) => sum + weight, 0);
    for (const flow of flows) due.set(flow, (spent * flow.weight) / weights);
  }
  return due;
}
