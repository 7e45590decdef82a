// Two runs over the same rows, side by side: those where they disagree most come first.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { failure } from "../lib/failure.js";
import { number, percent } from "../lib/format.js";
import { KEY_CHANGED } from "../lib/http.js";
import { whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { filter, href } from "../lib/router.js";
import { RowPages } from "../lib/row_pages.js";
import { nameOf, pathOf } from "../lib/runs.js";
import { Source } from "../lib/source.js";
import { WindowedGrid } from "../lib/windowed_grid.js";
import { answerOf, drawnOf, named, openRow, rowWhole, taskOf, titleOf } from "./run_card.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {import("../lib/runs.js").SheetRow} SheetRow
 * @typedef {{index: number, id: string, a: SheetRow, b: SheetRow, agreement: number | null}} Pair
 * @typedef {{of: string, rows: RowPages<Pair>, grid: WindowedGrid, alone: number}} Opened
 */

/** Width and height of a card, in rem. */
const CARD = /** @type {const} */ ([30, 20]);

/** @type {Opened | null} */
let here = null;

addEventListener(KEY_CHANGED, () => {
  here = null;
});

/** @type {Source<Run[]>} */
const others = new Source(
  () => ({ path: "v2/runs?limit=200" }),
  (body) => body.runs,
);

/**
 * @param {Run} run
 * @param {URLSearchParams} query
 */
export function compare(run, query) {
  const other = query.get("with") ?? "";
  whileShown("other runs", (signal) => void others.refresh(signal));
  return html`${chooser(run, other, query)} ${other ? beside(run, other, query.get("label") ?? "") : nothing}`;
}

/**
 * @param {Run} run
 * @param {string} other
 * @param {URLSearchParams} query
 */
function chooser(run, other, query) {
  const fit = (others.value ?? []).filter(({ id, task }) => id !== run.id && task === run.task);
  if (!others.value) return others.error ? failure(others.error) : html`<p class="muted" role="status">Loading…</p>`;
  if (!fit.length) {
    return html`<div class="empty"><p>There is no other run of this task to lay beside it.
      <a href=${href(["runs", "new"], { from: run.id })}>Clone this one</a> with another model or other parameters: then
      see here where the two disagree.</p></div>`;
  }
  const label = query.get("label") ?? "";
  const labels = [...new Set([...Object.keys(run.labels ?? {}), ...(label ? [label] : [])])].sort(); // one may lie beyond those that are told
  const set = (/** @type {string} */ name) => (/** @type {Event} */ event) =>
    filter({ [name]: /** @type {HTMLSelectElement} */ (event.target).value });
  return html`<div class="toolbar">
    <label class="field"><span>Beside</span>
      <select name="with" @change=${set("with")} .value=${other}>
        <option value="" ?selected=${!other}>choose a run…</option>
        ${fit.map((one) => html`<option value=${one.id} ?selected=${one.id === other}>${nameOf(one)}, ${one.model}${sameSource(one, run)}</option>`)}
      </select></label>
    ${other && labels.length
      ? html`<label class="field"><span>Label</span><select name="label" @change=${set("label")}>
          <option value="">any</option>
          ${labels.map((one) => html`<option value=${one} ?selected=${one === label}>${one}</option>`)}</select></label>`
      : nothing}
  </div>`;
}

/**
 * @param {Run} one
 * @param {Run} run
 */
function sameSource(one, run) {
  return one.source === run.source ? "" : " (other rows)";
}

/**
 * @param {Run} run
 * @param {string} other
 * @param {string} label
 * @returns {Opened}
 */
function opened(run, other, label) {
  const of = `${run.id} ${other} ${label}`;
  if (here?.of === of) return here;
  here?.rows.leave();
  const rows = new RowPages(({ after, limit }) => {
    const page = new URLSearchParams([["with", other], ["limit", String(limit)], ...(after ? [["after", after]] : []), ...(label ? [["label", label]] : [])]);
    return pathOf(run.id, `/compare?${page}`);
  });
  const grid = new WindowedGrid({
    caption: "Rows with both answers, least agreement first. Arrow keys go from one to the next, Enter opens it.",
    wide: CARD[0],
    high: CARD[1],
    nearEnd: () => void (rows.error || rows.more()),
  });
  here = { of, rows: /** @type {RowPages<Pair>} */ (rows), grid, alone: 0 };
  void rows.more();
  return here;
}

/**
 * @param {Run} run
 * @param {string} otherId
 * @param {string} label
 */
function beside(run, otherId, label) {
  const other = liveRun(otherId);
  whileShown(`beside ${otherId}`, (signal) => void other.look(signal));
  const shown = opened(run, otherId, label);
  const { rows } = shown;
  const against = other.run;
  const task = taskOf(run.task);
  if (rows.error) return failure(rows.error, rows.more);
  if (!rows.read || !against) return html`<p class="muted" role="status">Laying them side by side…</p>`;
  return html`${summary(rows.told)}
    ${rows.length
      ? shown.grid.draw(rows.length, (at, filled) => card(run, against, shown, at, filled && task))
      : html`<div class="empty"><p>They have no row in common that both have answered${label ? " with this label" : ""}.</p></div>`}`;
}

/** @param {any} told */
function summary({ agreement, same_first_label, counted: rows, of }) {
  return html`<dl class="card fleet-totals">
    <div><dt>Agreement</dt><dd>${percent(agreement ?? Number.NaN)}</dd></div>
    <div><dt>Same first label</dt><dd>${percent(same_first_label ?? Number.NaN)}</dd></div>
    <div><dt>Rows compared</dt><dd>${number(rows ?? 0)}${of && of > rows ? html` <span class="muted small">the first of ${number(of)}</span>` : nothing}</dd></div>
  </dl>`;
}

/**
 * @param {Run} run
 * @param {Run} other
 * @param {Opened} shown
 * @param {number} at
 * @param {any} task as it declares itself; nothing where the card is not to be filled yet
 */
function card(run, other, shown, at, task) {
  const pair = shown.rows.at(at);
  const tab = shown.grid.tabIndexOf(at);
  if (!pair) return html`<article class="sheet-card"><button type="button" class="sheet-open" tabindex=${tab}>…</button></article>`;
  const made = task ? [drawnOf(pair.a, task), drawnOf(pair.b, task)].flatMap(({ picture, turn }) => [picture, turn]) : [];
  return guard([pair, ...made, task, tab], () => html`<article class="sheet-card">
    <button type="button" class="sheet-open" tabindex=${tab} @click=${() => open(run, other, shown, at)}>
      ${named(String(pair.id || `row ${pair.index}`))}
      <span class="sheet-score">${pair.agreement === null ? "one failed" : `agree ${percent(pair.agreement)}`}</span>
    </button>
    <div class="sheet-pair">
      ${[/** @type {const} */ ([run, pair.a]), /** @type {const} */ ([other, pair.b])].map(
        ([of, row]) => html`<div class="sheet-side"><p class="small muted sheet-whose">${nameOf(of)}</p>
          <div class="sheet-body sheet-medium">${task ? answerOf(of, row, true) : nothing}</div></div>`,
      )}
    </div>
  </article>`);
}

/**
 * @param {Run} run
 * @param {Run} other
 * @param {Opened} shown
 * @param {number} at
 */
async function open(run, other, shown, at) {
  const { rows } = shown;
  shown.alone = at;
  await openRow({
    move(step) {
      shown.alone = Math.max(0, Math.min(rows.length - 1, shown.alone + step));
    },
    shown() {
      const pair = rows.at(shown.alone);
      return pair ? { title: `${titleOf(pair.a)}: ${told(pair)}`, draw: () => both(run, other, pair) } : null;
    },
  });
  shown.grid.goTo(shown.alone);
}

/** @param {Pair} pair */
function told({ agreement }) {
  return agreement === null ? "one of them failed" : `they agree to ${percent(agreement)}`;
}

/**
 * @param {Run} run
 * @param {Run} other
 * @param {Pair} pair
 */
function both(run, other, pair) {
  return html`<div class="columns">
    <section class="stack" aria-label=${nameOf(run)}><h3>${nameOf(run)}, ${run.model}</h3>${rowWhole(run, pair.a)}</section>
    <section class="stack" aria-label=${nameOf(other)}><h3>${nameOf(other)}, ${other.model}</h3>${rowWhole(other, pair.b)}</section>
  </div>`;
}
