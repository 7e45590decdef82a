// Whatever has no control of its own: JSON.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { redraw } from "../../lib/redraw.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";

/** JSON of one row: the value that a text tensor holds, or nested lists of numbers. */
export class JsonControl {
  value = "";

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  /** What is wrong with what was written; "" for nothing. */
  get fault() {
    try {
      if (this.value.trim()) JSON.parse(this.value);
      const long = this.value.replace(/"(?:[^"\\]|\\.)*"/g, "").match(/\b\d{16,}\b(?![.eE])/g) ?? [];
      const other = long.find((digits) => !Number.isSafeInteger(Number(digits)));
      return other ? `${other} has more digits than a browser's numbers keep. Send it from a program.` : "";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  draw() {
    const { name, optional } = this.input;
    const fault = this.fault;
    return html`<label class="field">
      <span>${titleOf(name)} <span class="muted">(JSON${optional ? ", optional" : ""})</span></span>
      <textarea name=${name} class="mono" rows="4" spellcheck="false" .value=${this.value}
        aria-invalid=${fault ? "true" : nothing} @input=${this.typed}></textarea>
      <span class="help">${fault ? html`<span class="bad-text">${fault}</span> ` : ""}${coded(helpOf(this.input))}</span>
    </label>`;
  }

  tensors() {
    if (this.value.trim() && !this.fault) return [tensorOfRow(this.input, JSON.parse(this.value))];
    if (!this.value.trim() && this.input.optional) return [];
    throw new Missing(`${titleOf(this.input.name)}: ${this.fault || "write some JSON."}`);
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    const value = rowGiven(this.input, tensors);
    this.value = value === undefined ? "" : JSON.stringify(value, null, 2);
  }

  /** @param {InputEvent} event */
  typed = (event) => {
    this.value = /** @type {HTMLTextAreaElement} */ (event.target).value;
    redraw();
  };
}
