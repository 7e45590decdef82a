// A table with a caption, headers that may sort, and rows that keep their elements.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => unknown} cell
 * @property {boolean} [numeric] to the right, with figures of one width
 * @property {boolean} [head] names its row: a header cell
 * @property {string} [sort] what `sorted` and `onSort` call this column; without it none sorts by it
 */

/** @typedef {{by: string, down: boolean}} Order */

/**
 * A table that scrolls sideways where it must.
 * @template Row
 * @param {object} given
 * @param {string} given.caption what it is, for who hears it
 * @param {Column<Row>[]} given.columns
 * @param {Iterable<Row>} given.rows
 * @param {(row: Row) => unknown} given.key what a row is known by
 * @param {unknown} [given.empty] what stands there for no rows
 * @param {Order} [given.sorted]
 * @param {(order: Order) => void} [given.onSort]
 */
export function table({ caption, columns, rows, key, empty, sorted, onSort }) {
  const list = [...rows];
  if (!list.length && empty !== undefined) return html`<div class="empty">${empty}</div>`;
  return html`<div class="table-scroll" role="group" aria-label=${caption} tabindex="0">
    <table>
      <caption class="visually-hidden">${caption}</caption>
      <thead>
        <tr>${columns.map((column) => header(column, sorted, onSort))}</tr>
      </thead>
      <tbody>
        ${repeat(list, key, (row) => html`<tr>${columns.map((column) => cell(column, row))}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

/**
 * @param {Column<any>} column
 * @param {Order | undefined} sorted
 * @param {((order: Order) => void) | undefined} onSort
 */
function header(column, sorted, onSort) {
  const kind = column.numeric ? "number" : nothing;
  const { sort } = column;
  if (!sort || !onSort) return html`<th scope="col" class=${kind}>${column.title}</th>`;
  const here = sorted?.by === sort ? sorted : null;
  const turn = () => onSort({ by: sort, down: here ? !here.down : Boolean(column.numeric) });
  return html`<th scope="col" class=${kind} aria-sort=${here ? (here.down ? "descending" : "ascending") : nothing}>
    <button type="button" class="sort" @click=${turn}>
      ${column.title}<span aria-hidden="true">${here ? (here.down ? " ↓" : " ↑") : ""}</span>
    </button>
  </th>`;
}

/**
 * @template Row
 * @param {Column<Row>} column
 * @param {Row} row
 */
function cell(column, row) {
  const kind = column.numeric ? "number" : nothing;
  return column.head
    ? html`<th scope="row" class=${kind}>${column.cell(row)}</th>`
    : html`<td class=${kind}>${column.cell(row)}</td>`;
}

/**
 * Rows in an order; what has no value stands last either way.
 * @template Row
 * @param {readonly Row[]} rows
 * @param {Order} order
 * @param {Record<string, (row: Row) => string | number | null | undefined>} values one a `sort`
 */
export function inOrder(rows, order, values) {
  const value = values[order.by];
  if (!value) return [...rows];
  const turned = order.down ? -1 : 1;
  return [...rows].sort((left, right) => {
    const [a, b] = [value(left), value(right)];
    if (a === null || a === undefined || b === null || b === undefined) {
      return Number(a === null || a === undefined) - Number(b === null || b === undefined);
    }
    if (typeof a === "number" && typeof b === "number") return (a - b) * turned;
    return String(a).localeCompare(String(b), "en", { numeric: true }) * turned;
  });
}
