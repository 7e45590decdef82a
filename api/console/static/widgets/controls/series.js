// Numbers one after the other: a series in time.

import { html } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { redraw } from "../../lib/redraw.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";

/** Numbers between commas, blanks or lines, as a table's column is pasted; drawn as a line. */
export class SeriesControl {
  value = "";

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  /** @returns {number[]} NaN where something is no number */
  get numbers() {
    return this.value.split(/[\s,;]+/).filter(Boolean).map(Number);
  }

  draw() {
    const { name } = this.input;
    const numbers = this.numbers;
    return html`<label class="field">
      <span>${titleOf(name)}</span>
      <textarea name=${name} class="mono" rows="4" .value=${this.value} @input=${this.typed}></textarea>
      <span class="help">Numbers between commas, blanks or lines. ${coded(helpOf(this.input))}</span>
    </label>
    ${numbers.length > 1 && numbers.every(Number.isFinite) ? line(numbers) : ""}`;
  }

  tensors() {
    const numbers = this.numbers;
    const odd = numbers.findIndex((number) => !Number.isFinite(number));
    if (odd >= 0) throw new Missing(`${titleOf(this.input.name)}: entry ${odd + 1} is no number.`);
    if (numbers.length) return [tensorOfRow(this.input, numbers)];
    if (this.input.optional) return [];
    throw new Missing(`${titleOf(this.input.name)}: write some numbers.`);
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    this.value = (rowGiven(this.input, tensors) ?? []).join(", ");
  }

  /** @param {InputEvent} event */
  typed = (event) => {
    this.value = /** @type {HTMLTextAreaElement} */ (event.target).value;
    redraw();
  };
}

/** @param {number[]} numbers */
function line(numbers) {
  // One by one: a call takes no hundred thousand arguments.
  const low = numbers.reduce((least, number) => Math.min(least, number));
  const span = numbers.reduce((most, number) => Math.max(most, number)) - low || 1;
  const at = (/** @type {number} */ number, /** @type {number} */ index) =>
    `${(index / (numbers.length - 1)) * 100},${(1 - (number - low) / span) * 30}`;
  return html`<svg class="widget-series" viewBox="-1 -1 102 32" preserveAspectRatio="none" role="img"
    aria-label=${`The series: ${numbers.length} numbers`}>
    <polyline points=${numbers.map(at).join(" ")}></polyline>
  </svg>`;
}
