// A table: columns with a heading, cells of text.

import { html } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { redraw } from "../../lib/redraw.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";

/** A table that one types in, or pastes from a sheet or a CSV file. */
export class TableControl {
  /** The headings, then the rows. @type {string[][]} */
  lines = [["", ""], ["", ""]];

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  draw() {
    const [headings = [], ...rows] = this.lines;
    return html`<fieldset>
      <legend>${titleOf(this.input.name)}</legend>
      <p class="help">${coded(helpOf(this.input))} Cells of a sheet or a CSV file can be pasted into any cell.</p>
      <div class="table-scroll" @paste=${this.pasted}>
        <table>
          <thead><tr>
            ${headings.map((_, column) => html`<th scope="col">${this.drawCell(0, column, `Heading of column ${column + 1}`)}</th>`)}
          </tr></thead>
          <tbody>
            ${rows.map(
              (cells, row) => html`<tr>
                ${cells.map((_, column) => html`<td>${this.drawCell(row + 1, column, `Row ${row + 1}, ${headings[column] || `column ${column + 1}`}`)}</td>`)}
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
      <div class="buttons">
        <button type="button" class="small" @click=${() => this.sized(1, 0)}>Add a row</button>
        <button type="button" class="small" @click=${() => this.sized(0, 1)}>Add a column</button>
        <button type="button" class="small" ?disabled=${rows.length < 2} @click=${() => this.sized(-1, 0)}>Remove the last row</button>
        <button type="button" class="small" ?disabled=${headings.length < 2} @click=${() => this.sized(0, -1)}>Remove the last column</button>
      </div>
    </fieldset>`;
  }

  /**
   * @param {number} line
   * @param {number} column
   * @param {string} label
   */
  drawCell(line, column, label) {
    return html`<input aria-label=${label} .value=${this.lines[line]?.[column] ?? ""}
      data-line=${line} data-column=${column} @input=${this.typed}>`;
  }

  tensors() {
    const [headings = [], ...rows] = this.lines;
    if (headings.some((heading) => !heading.trim())) {
      throw new Missing(`${titleOf(this.input.name)}: name every column.`);
    }
    if (new Set(headings).size < headings.length) {
      throw new Missing(`${titleOf(this.input.name)}: two columns have the same name.`);
    }
    const columns = headings.map((heading, at) => [heading, rows.map((row) => row[at] ?? "")]);
    return [tensorOfRow(this.input, Object.fromEntries(columns))];
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    /** @type {Record<string, any[]>} */
    const table = rowGiven(this.input, tensors) ?? { "": [""] };
    const columns = Object.values(table);
    const height = Math.max(1, ...columns.map((cells) => cells.length));
    this.lines = [Object.keys(table)];
    for (let row = 0; row < height; row++) {
      this.lines.push(columns.map((cells) => String(cells[row] ?? "")));
    }
  }

  /**
   * Add or remove rows and columns at the end.
   * @param {number} rows
   * @param {number} columns
   */
  sized(rows, columns) {
    const width = (this.lines[0]?.length ?? 0) + columns;
    this.lines.length += Math.min(rows, 0);
    this.lines = this.lines.map((cells) => resized(cells, width));
    if (rows > 0) this.lines.push(resized([], width));
    redraw();
  }

  /** @param {InputEvent} event */
  typed = (event) => {
    const cell = /** @type {HTMLInputElement} */ (event.target);
    const line = this.lines[Number(cell.dataset.line)];
    if (line) line[Number(cell.dataset.column)] = cell.value;
    redraw();
  };

  /** @param {ClipboardEvent} event */
  pasted = (event) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const lines = text.replace(/\r/g, "").replace(/\n$/, "").split("\n");
    const separator = text.includes("\t") ? "\t" : ",";
    if (lines.length === 1 && !text.includes("\t")) return; // into one cell, as always
    event.preventDefault();
    const cell = /** @type {HTMLElement} */ (event.target).closest("input");
    this.put(lines.map((row) => row.split(separator)), Number(cell?.dataset.line ?? 0), Number(cell?.dataset.column ?? 0));
  };

  /**
   * Put cells into the table, which grows as it must.
   * @param {string[][]} cells
   * @param {number} top
   * @param {number} left
   */
  put(cells, top, left) {
    const width = Math.max(this.lines[0]?.length ?? 0, ...cells.map((row) => left + row.length));
    while (this.lines.length < top + cells.length) this.lines.push([]);
    this.lines = this.lines.map((row) => resized(row, width));
    cells.forEach((row, line) => {
      row.forEach((value, column) => {
        const own = this.lines[top + line];
        if (own) own[left + column] = value;
      });
    });
    redraw();
  }
}

/**
 * @param {string[]} cells
 * @param {number} width
 */
function resized(cells, width) {
  return Array.from({ length: width }, (_, at) => cells[at] ?? "");
}
