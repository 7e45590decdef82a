// The last hours as charts: what each shows, and what to do when it looks bad.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Chart } from "../lib/chart.js";
import { shown } from "../lib/failure.js";
import { absolute, duration, number } from "../lib/format.js";
import { again, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { filter } from "../lib/router.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { KINDS } from "./fleet_chart_kinds.js";

/**
 * @typedef {import("../lib/chart.js").Values} Values
 * @typedef {import("./fleet_chart_kinds.js").Kind} Kind
 * @typedef {Record<string, any> & {at_ms: number[], period_s: number, span_s: number}} Told of `/v2/history`
 */

const SPANS = { hour: { period_s: 10, title: "Last hour" }, day: { period_s: 60, title: "Last day" } };

/** @type {string} which span and model the values are of */
let of = "";

/** @type {Source<Told>} */
let told = source("", 10);

/** @type {number | null} the place under the pointer, in all charts */
let pointed = null;

/** @type {Map<string, Chart>} */
const charts = new Map();

/** @type {Told | null} what the charts show now */
let drawn = null;

/**
 * @param {string} model
 * @param {number} period_s
 * @returns {Source<Told>}
 */
function source(model, period_s) {
  /** @type {Source<Told>} */
  const made = new Source(
    () => ({
      path: `v2/history?${new URLSearchParams({
        period_s: String(period_s),
        since_ms: String(made.value?.at_ms.at(-1) ?? 0),
        ...(model ? { model } : {}),
      })}`,
    }),
    (more) => joined(made.value, more),
  );
  return made;
}

/**
 * What was known and what has come since, as far back as there is any.
 * @param {Told | null} known
 * @param {Told} more
 * @returns {Told}
 */
function joined(known, more) {
  if (!known) return more;
  const newest = more.at_ms.at(-1) ?? known.at_ms.at(-1) ?? 0; // by the fleet's clock, not by this machine's
  const begin = newest - more.span_s * 1000;
  const left = known.at_ms.findIndex((at) => at >= begin);
  const kept = left < 0 ? known.at_ms.length : left;
  /** @type {Told} */
  const all = { ...more };
  for (const [name, values] of Object.entries(more)) {
    if (Array.isArray(values)) all[name] = [...known[name].slice(kept), ...values];
  }
  return all;
}

/**
 * The charts.
 * @param {URLSearchParams} query
 * @param {string[]} models that there are
 */
export function fleetCharts(query, models) {
  const span = query.get("span") === "day" ? SPANS.day : SPANS.hour;
  const model = query.get("model") ?? "";
  const wanted = `${span.period_s} ${model}`;
  if (of !== wanted) {
    of = wanted;
    told = source(model, span.period_s);
    pointed = null;
  }
  const asked = told;
  whileShown(`history ${wanted}`, (signal) => again(signal, span.period_s, () => asked.refresh(signal)));
  return html`<section class="stack" aria-labelledby="charts-title">
    <div class="page-head"><h2 id="charts-title">${span.title}</h2>
      <p class="muted">A point each ${duration(span.period_s)}, kept by the fleet itself.</p></div>
    <div class="toolbar">
      <label class="field"><span>Time</span>
        <select @change=${(/** @type {Event} */ event) => filter({ span: valueOf(event) })}>
          <option value="" ?selected=${span === SPANS.hour}>${SPANS.hour.title}</option>
          <option value="day" ?selected=${span === SPANS.day}>${SPANS.day.title}</option>
        </select></label>
      <label class="field"><span>Of</span>
        <select @change=${(/** @type {Event} */ event) => filter({ model: valueOf(event) })}>
          <option value="" ?selected=${!model}>the whole fleet</option>
          ${models.map((name) => html`<option value=${name} ?selected=${name === model}>${name}</option>`)}
        </select></label>
    </div>
    ${shown(told, drawnCharts)}
  </section>`;
}

/** @param {Event} event */
function valueOf(event) {
  return /** @type {HTMLSelectElement} */ (event.target).value;
}

/** @param {Told} history */
function drawnCharts(history) {
  if (!history.at_ms.length) {
    return html`<div class="empty"><p>Nothing yet: a worker writes the first point within ${duration(2 * history.period_s)}.</p></div>`;
  }
  const changed = drawn !== history;
  drawn = history;
  return html`<div class="fleet-charts">${KINDS.map((kind) => card(kind, history, changed))}</div>`;
}

/**
 * @param {Kind} kind
 * @param {Told} history
 * @param {boolean} changed
 */
function card(kind, history, changed) {
  const lines = kind.lines.filter(({ column }) => history[column]);
  const name = `${kind.name} ${lines.length}`;
  const chart = charts.get(name) ?? new Chart(lines, kind.format, point, kind.top);
  charts.set(name, chart);
  const { at, columns } = withGaps(history, lines.map(({ column }) => history[column]));
  if (changed) chart.show(at, columns, sentence(kind, lines, history));
  else chart.draw();
  const place = pointed !== null && at[pointed] !== undefined ? pointed : at.length - 1;
  return html`<section class="card fleet-chart" aria-labelledby=${`chart-${kind.name}`}>
    <div class="page-head"><h3 id=${`chart-${kind.name}`}>${kind.title}</h3>
      <p class="small muted">${pointed === null ? "now" : absolute(at[place] ?? 0)}</p></div>
    <p class="chart-keys small">${lines.map(
      (line, index) => html`<span class=${`chart-key ${line.colour.slice(2)}`}>${line.title}
        <strong>${read(kind, columns[index]?.[place])}</strong></span>`,
    )}</p>
    ${chart.element}
    <p class="help">${kind.advice}</p>
    ${asTable(kind, lines, history)}
  </section>`;
}

/** @param {number | null} place */
function point(place) {
  if (place === pointed) return;
  pointed = place;
  redraw();
}

/**
 * @param {Kind} kind
 * @param {number | null | undefined} value
 */
function read(kind, value) {
  return value === null || value === undefined ? "–" : kind.format(value);
}

/**
 * A point without values where nobody wrote: a line is not to be drawn over it.
 * @param {Told} history
 * @param {Values[]} columns
 */
function withGaps(history, columns) {
  /** @type {number[]} */
  const at = [];
  /** @type {Values[]} */
  const filled = columns.map(() => []);
  history.at_ms.forEach((ms, place) => {
    const before = history.at_ms[place - 1];
    if (before !== undefined && ms - before > 3000 * history.period_s) {
      at.push(before + 1000 * history.period_s);
      for (const column of filled) column.push(null);
    }
    at.push(ms);
    columns.forEach((column, index) => {
      filled[index]?.push(column[place] ?? null);
    });
  });
  return { at, columns: filled };
}

/**
 * @param {Kind} kind
 * @param {import("../lib/chart.js").Line[]} lines
 * @param {Told} history
 */
function sentence(kind, lines, history) {
  const each = lines.map(({ column, title }) => {
    const values = /** @type {Values} */ (history[column]).filter((value) => value !== null);
    if (!values.length) return `${title}: none`;
    return `${title}: now ${read(kind, history[column].at(-1))}, at most ${kind.format(Math.max(...values))}`;
  });
  return `${kind.title}. ${each.join("; ")}.`;
}

/** Rows of the table that stands for a chart. */
const ROWS = 12;

/** @type {Set<string>} */
const open = new Set();

/**
 * The same in figures: averages of a twelfth of the time each.
 * @param {Kind} kind
 * @param {import("../lib/chart.js").Line[]} lines
 * @param {Told} history
 */
function asTable(kind, lines, history) {
  const toggle = (/** @type {Event} */ event) => {
    if (/** @type {HTMLDetailsElement} */ (event.target).open) open.add(kind.name);
    else open.delete(kind.name);
    redraw();
  };
  const size = Math.max(1, Math.ceil(history.at_ms.length / ROWS));
  return html`<details @toggle=${toggle}><summary class="small">As a table</summary>
    ${open.has(kind.name)
      ? table({
          caption: `${kind.title}, averages`,
          columns: [
            { title: "From", cell: (/** @type {number} */ first) => absolute(history.at_ms[first] ?? 0), head: true },
            ...lines.map(({ column, title }) => ({
              title,
              numeric: true,
              cell: (/** @type {number} */ first) => read(kind, average(history[column].slice(first, first + size))),
            })),
          ],
          rows: history.at_ms.map((_, place) => place).filter((place) => place % size === 0),
          key: (first) => first,
        })
      : nothing}
  </details>`;
}

/** @param {Values} values */
function average(values) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}
