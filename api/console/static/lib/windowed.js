// A table of thousands of rows, of which the browser has those that are in sight.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { ref } from "../vendor/lit-html/directives/ref.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { redraw } from "./redraw.js";

/** Rows above and below those in sight: a flick of the wheel shows no hole. */
const BESIDE = 6;

/**
 * Where one table stands: which of its rows are drawn. All rows are of one height.
 * @template Row
 */
export class Windowed {
  /** @type {HTMLElement | null} */
  #scroller = null;
  #first = 0;
  #count = 60;
  #frame = 0;

  /**
   * @param {object} given
   * @param {string} given.caption what it is, for who hears it
   * @param {import("./table.js").Column<Row>[]} given.columns
   * @param {number} given.rowRem the height of a row, as the css has it
   * @param {(row: Row) => unknown} given.key
   * @param {(row: Row) => unknown[]} given.says what its cells are made of: a row is drawn anew when it differs
   * @param {() => void} [given.nearEnd] called when the last rows come into sight
   * @param {() => void} [given.moved] called when it was scrolled to another row
   */
  constructor({ caption, columns, rowRem, key, says, nearEnd, moved }) {
    this.given = { caption, columns, rowRem, key, says, nearEnd, moved };
  }

  /** Whether the first row is in sight. */
  get atTop() {
    return !this.#scroller || this.#scroller.scrollTop < this.#rowPx;
  }

  /** Show the first row. */
  toTop() {
    this.#scroller?.scrollTo(0, 0);
  }

  /** @param {readonly Row[]} rows */
  draw(rows) {
    const { caption, columns, key } = this.given;
    const first = Math.max(0, Math.min(this.#first, rows.length - this.#count));
    const drawn = rows.slice(first, first + this.#count);
    const after = Math.max(0, rows.length - first - drawn.length);
    return html`<div
      class="table-scroll windowed"
      role="region"
      aria-label=${caption}
      tabindex="0"
      ${ref(this.#found)}
      @scroll=${this.#scrolled}
    >
      <table aria-rowcount=${rows.length + 1}>
        <caption class="visually-hidden">${caption}</caption>
        <thead>
          <tr aria-rowindex="1">
            ${columns.map((one) => html`<th scope="col" class=${one.numeric ? "number" : nothing}>${one.title}</th>`)}
          </tr>
        </thead>
        ${this.#space(first)}
        <tbody>
          ${repeat(drawn, key, (row, at) => this.#row(row, first + at + 2))}
        </tbody>
        ${this.#space(after)}
      </table>
    </div>`;
  }

  /**
   * @param {Row} row
   * @param {number} number
   */
  #row(row, number) {
    const { columns, says } = this.given;
    const cells = () =>
      columns.map((one) =>
        one.head
          ? html`<th scope="row">${one.cell(row)}</th>`
          : html`<td class=${one.numeric ? "number" : nothing}>${one.cell(row)}</td>`,
      );
    return html`<tr aria-rowindex=${number}>${guard(says(row), cells)}</tr>`;
  }

  /**
   * One cell, and not as many as there are columns: those that the css hides would be made again.
   * @param {number} rows so many, as nothing but their height
   */
  #space(rows) {
    if (!rows) return nothing;
    const height = `height: ${rows * this.given.rowRem}rem`; // as a property: the policy blocks the attribute
    return html`<tbody class="space" aria-hidden="true">
      <tr><td .style=${height}></td></tr>
    </tbody>`;
  }

  get #rowPx() {
    return this.given.rowRem * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  #found = (/** @type {Element | undefined} */ element) => {
    if (element === this.#scroller) return;
    this.#scroller = element instanceof HTMLElement ? element : null;
    if (this.#scroller) this.#scrolled();
  };

  #scrolled = () => {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#look());
  };

  #look() {
    const scroller = this.#scroller;
    if (!scroller) return;
    const px = this.#rowPx;
    const first = Math.max(0, Math.floor(scroller.scrollTop / px) - BESIDE);
    const count = Math.ceil(scroller.clientHeight / px) + 2 * BESIDE;
    const left = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    if (left < 2 * scroller.clientHeight) this.given.nearEnd?.();
    if (first === this.#first && count === this.#count) return;
    this.#first = first;
    this.#count = count;
    this.given.moved?.();
    redraw();
  }
}
