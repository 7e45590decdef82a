// A text.

import { html } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { redraw } from "../../lib/redraw.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";
import { nameOf } from "./name.js";

/** One text, of one line or many. */
export class TextControl {
  value = "";
  /** Lines that are shown. */
  rows = 3;

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  get help() {
    return helpOf(this.input);
  }

  draw() {
    return html`<label class="field">
      <span>${nameOf(this.input)}</span>
      <textarea name=${this.input.name} rows=${this.rows} .value=${this.value} @input=${this.typed}></textarea>
      <span class="help">${coded(this.help)}</span>
    </label>`;
  }

  tensors() {
    if (this.value) return [tensorOfRow(this.input, this.value)];
    if (this.input.optional) return [];
    throw new Missing(`${titleOf(this.input.name)}: write something.`);
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    this.value = rowGiven(this.input, tensors) ?? "";
  }

  /** @param {InputEvent} event */
  typed = (event) => {
    this.value = /** @type {HTMLTextAreaElement} */ (event.target).value;
    redraw();
  };
}
