// A table's row: cells by their columns.

import { html } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { redraw } from "../../lib/redraw.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";

/** Cells, each with the name of its column; numbers as numbers, `null` for none. */
export class RecordControl {
  /** @type {{column: string, cell: string}[]} */
  cells = [{ column: "", cell: "" }];

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  draw() {
    return html`<fieldset>
      <legend>${titleOf(this.input.name)}</legend>
      <p class="help">${coded(helpOf(this.input))} Numbers are sent as numbers; an empty cell has no value.</p>
      ${this.cells.map((cell, at) => this.drawCell(cell, at))}
      <div class="buttons"><button type="button" class="small" @click=${this.add}>Add a column</button></div>
    </fieldset>`;
  }

  /**
   * @param {{column: string, cell: string}} cell
   * @param {number} at
   */
  drawCell(cell, at) {
    return html`<div class="widget-cells">
      <input aria-label=${`Name of column ${at + 1}`} placeholder="column" .value=${cell.column}
        @input=${(/** @type {InputEvent} */ event) => this.typed(cell, "column", event)}>
      <input aria-label=${`Cell of ${cell.column || `column ${at + 1}`}`} placeholder="value" .value=${cell.cell}
        @input=${(/** @type {InputEvent} */ event) => this.typed(cell, "cell", event)}>
      <button type="button" class="small" aria-label=${`Remove column ${cell.column || at + 1}`}
        @click=${() => this.remove(at)}>×</button>
    </div>`;
  }

  tensors() {
    const named = this.cells.filter((cell) => cell.column.trim());
    if (named.length === 0) throw new Missing(`${titleOf(this.input.name)}: name a column.`);
    return [
      tensorOfRow(this.input, Object.fromEntries(named.map(({ column, cell }) => [column.trim(), valueOf(cell)]))),
    ];
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    const row = Object.entries(rowGiven(this.input, tensors) ?? {});
    this.cells = row.map(([column, value]) => ({ column, cell: value === null ? "" : String(value) }));
    if (!row.length) this.add();
  }

  add = () => {
    this.cells.push({ column: "", cell: "" });
    redraw();
  };

  /** @param {number} at */
  remove(at) {
    this.cells.splice(at, 1);
    redraw();
  }

  /**
   * @param {{column: string, cell: string}} cell
   * @param {"column" | "cell"} part
   * @param {InputEvent} event
   */
  typed(cell, part, event) {
    cell[part] = /** @type {HTMLInputElement} */ (event.target).value;
    redraw();
  }
}

/** @param {string} text */
function valueOf(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  const number = Number(trimmed);
  const exact = Number.isFinite(number) && (!/^[+-]?\d+$/.test(trimmed) || Number.isSafeInteger(number));
  return exact ? number : text;
}
