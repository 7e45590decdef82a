// A text.

import { html } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";

/** One text, of one line or many. */
export class TextControl {
  value = "";

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  draw() {
    const { name, optional } = this.input;
    return html`<label class="field">
      <span>${titleOf(name)}${optional ? html` <span class="muted">(optional)</span>` : ""}</span>
      <textarea name=${name} rows="3" .value=${this.value} @input=${this.typed}></textarea>
      <span class="help">${helpOf(this.input)}</span>
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
