// <answer-grid>: vectors as lines of cells, in one colour above 0 and in another below.

import { number } from "../lib/format.js";

/** Vectors drawn, at most; numbers of each, at most. */
const [LINES, LONGEST] = [512, 4096];

class AnswerGrid extends HTMLElement {
  /** @type {number[][]} */
  #lines = [];
  #canvas = document.createElement("canvas");

  connectedCallback() {
    this.#canvas.setAttribute("role", "img");
    this.append(this.#canvas);
    this.#draw();
  }

  /** @param {number[][]} lines */
  set lines(lines) {
    if (lines === this.#lines) return;
    this.#lines = lines;
    if (this.isConnected) this.#draw();
  }

  #draw() {
    const shown = this.#lines.slice(0, LINES);
    const wide = Math.min(LONGEST, Math.max(1, ...shown.map((line) => line.length)));
    const most = shown.flat().reduce((found, value) => Math.max(found, Math.abs(value)), 0) || 1;
    this.#canvas.width = wide;
    this.#canvas.height = Math.max(1, shown.length);
    this.#canvas.style.height = `${Math.max(3, shown.length * 1.25)}rem`;
    this.#canvas.setAttribute("aria-label", `${shown.length} lines of ${wide} cells, from ${number(-most)} to ${number(most)}`);
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    const style = getComputedStyle(this);
    for (const [y, line] of shown.entries()) {
      for (const [x, value] of line.slice(0, wide).entries()) {
        context.globalAlpha = Math.abs(value) / most;
        context.fillStyle = value < 0 ? style.borderTopColor : style.color;
        context.fillRect(x, y, 1, 1);
      }
    }
  }
}

customElements.define("answer-grid", AnswerGrid);
