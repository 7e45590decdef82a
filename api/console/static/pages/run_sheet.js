// A run's rows with their answers, as a sheet of cards: filtered, ordered, by the hundred thousand.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { failure } from "../lib/failure.js";
import { counted, number } from "../lib/format.js";
import { HttpError, KEY_CHANGED } from "../lib/http.js";
import { again, whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { RowPages } from "../lib/row_pages.js";
import { isOver, pathOf } from "../lib/runs.js";
import { remember, remembered } from "../lib/storage.js";
import { WindowedGrid } from "../lib/windowed_grid.js";
import { answerOf, drawnOf, named, openRow, rowWhole, taskOf, titleOf } from "./run_card.js";
import { isFiltered, sheetFilters } from "./run_filters.js";

/**
 * @typedef {import("../lib/runs.js").Run} Run
 * @typedef {import("../lib/runs.js").SheetRow} SheetRow
 */

/** How large cards are: least width and height, in rem. @type {Record<string, [string, number, number]>} */
const SIZES = { small: ["Small", 10.5, 11], medium: ["Medium", 16, 17], large: ["Large", 26, 27] };

const KEPT = "wherry-sheet";

/** What the API takes of the address, as it is. */
const ASKED = ["failed", "label", "first_label", "min_score", "max_score", "order"];

let size = Object.hasOwn(SIZES, remembered("localStorage", KEPT) ?? "") ? /** @type {string} */ (remembered("localStorage", KEPT)) : "medium";

/** @type {{of: string, rows: RowPages<SheetRow>, grid: WindowedGrid, alone: number, settled: boolean} | null} */
let here = null;

addEventListener(KEY_CHANGED, () => {
  here = null;
});

/**
 * @param {Run} run
 * @param {URLSearchParams} query
 */
function opened(run, query) {
  const asked = new URLSearchParams();
  for (const name of ASKED) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const of = `${run.id} ${asked}`;
  if (here?.of === of) return here;
  here?.rows.leave();
  const rows = new RowPages(({ after, limit }) => {
    const page = new URLSearchParams([...asked, ["limit", String(limit)], ...(after ? [["after", after]] : [])]);
    return pathOf(run.id, `/rows?${page}`);
  });
  const [, wide, high] = sizeOf();
  const grid = new WindowedGrid({ caption: "Rows with their answers. Arrow keys go from one to the next, Enter opens it.", wide, high, nearEnd: () => void (rows.error || rows.more()) });
  here = { of, rows, grid, alone: 0, settled: isOver(run) };
  void rows.more();
  return here;
}

/** @returns {[string, number, number]} */
function sizeOf() {
  return SIZES[size] ?? ["", 16, 17];
}

/**
 * @param {Run} run
 * @param {URLSearchParams} query
 */
export function sheet(run, query) {
  const shown = opened(run, query);
  const { rows } = shown;
  const task = taskOf(run.task);
  whileShown(`sheet ${shown.of}`, (signal) =>
    again(signal, 4, async () => {
      if (rows.error instanceof HttpError && rows.error.status === 404) return liveRun(run.id).look(signal); // forgotten meanwhile
      if (!rows.read) return rows.more();
      if (shown.settled) return;
      shown.settled = isOver(liveRun(run.id).run ?? run);
      await rows.goOn(); // more are done by now
    }),
  );
  return html`<div class="sheet-tools">${sheetFilters(run, query)} ${sizes(shown.grid)}</div>
    <p class="muted small" role="status">${told(run, query, rows)}</p>
    ${rows.error ? failure(rows.error, rows.more) : nothing}
    ${rows.length ? shown.grid.draw(rows.length, (at, filled) => card(run, shown, at, filled && task)) : empty(run, query, rows)}`;
}

/**
 * @param {Run} run
 * @param {URLSearchParams} query
 * @param {RowPages<SheetRow>} rows
 */
function told(run, query, rows) {
  if (!rows.read) return rows.error ? "" : "Loading…";
  const done = run.rows.answered + run.rows.failed;
  const known = counted(rows.length, "row");
  const { ordered, of } = rows.told ?? {};
  if (ordered !== undefined && ordered < of) return `${known}; of the first ${number(ordered)} of ${counted(of, "row")}, which are put in order`;
  if (isFiltered(query)) return rows.ended ? `${known} as these filters want` : `${known} so far; more come as you go on`;
  return rows.ended ? `${known}${isOver(run) ? "" : `; of ${number(done)} that are done, those of finished shards`}` : `${known} of ${number(done)} read; more come as you go on`;
}

/** @param {WindowedGrid} grid */
function sizes(grid) {
  return html`<div class="buttons" role="group" aria-label="Size of the cards">
    ${Object.entries(SIZES).map(([name, [title, wide, high]]) => {
      const choose = () => {
        size = name;
        remember("localStorage", KEPT, name);
        grid.resize(wide, high);
        redraw();
      };
      return html`<button type="button" class="small" aria-pressed=${size === name} @click=${choose}>${title}</button>`;
    })}
  </div>`;
}

/**
 * @param {Run} run
 * @param {URLSearchParams} query
 * @param {RowPages<SheetRow>} rows
 */
function empty(run, query, rows) {
  if (!rows.read) return nothing;
  if (isFiltered(query)) {
    return html`<div class="empty"><p>No row is as these filters want it. <a href=${href(["runs", run.id, "rows"])}>Show all rows.</a></p></div>`;
  }
  return html`<div class="empty"><p>${
    isOver(run)
      ? "There are no rows to look at: it ended before any was done."
      : "No rows yet. They come here as soon as a shard of the data set is done."
  }</p></div>`;
}

/**
 * @param {Run} run
 * @param {NonNullable<typeof here>} shown
 * @param {number} at
 * @param {any} task as it declares itself; nothing where the card is not to be filled yet
 */
function card(run, shown, at, task) {
  const row = shown.rows.at(at);
  const tab = shown.grid.tabIndexOf(at);
  if (!row) return html`<article class="sheet-card"><button type="button" class="sheet-open" tabindex=${tab}>…</button></article>`;
  const { picture, turn } = task ? drawnOf(row, task) : { picture: undefined, turn: 0 }; // no picture is asked for what goes by
  return guard([row, picture, turn, task, size, tab], () => html`<article class="sheet-card ${row.state === "failed" ? "bad" : ""}">
    <button type="button" class="sheet-open" tabindex=${tab} @click=${() => open(run, shown, at)}>
      ${named(titleOf(row))}
      <span class="sheet-score">${row.state === "failed" ? "failed" : row.score === null ? "" : row.score.toFixed(2)}</span>
    </button>
    <div class="sheet-body sheet-${size}">${task ? answerOf(run, row, true) : nothing}</div>
  </article>`);
}

/**
 * @param {Run} run
 * @param {NonNullable<typeof here>} shown
 * @param {number} at
 */
async function open(run, shown, at) {
  const { rows } = shown;
  shown.alone = at;
  await openRow({
    move(step) {
      shown.alone = Math.max(0, Math.min(rows.length - 1, shown.alone + step));
      if (shown.alone > rows.length - 10) void rows.more();
    },
    shown() {
      const row = rows.at(shown.alone);
      return row ? { title: titleOf(row), draw: () => rowWhole(run, row) } : null;
    },
  });
  shown.grid.goTo(shown.alone);
}

