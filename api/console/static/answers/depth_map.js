// <answer-depth-map>: a grey map in colours that differ in lightness, too; the pointer reads values.

import { number } from "../lib/format.js";

/** Pixels of the longer edge, at most. */
const LONGEST = 1600;

/** Viridis, by Smith and van der Walt, at nine places. */
const RAMP = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];

/** @typedef {{lines: number[][], width: number, height: number}} Values */

class AnswerDepthMap extends HTMLElement {
  /** @type {Blob | null} */
  #file = null;
  /** @type {Values | null} */
  #values = null;
  #canvas = document.createElement("canvas");
  #told = document.createElement("output");

  constructor() {
    super();
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", "The depth map: the brighter, the greater");
    this.#told.className = "answer-reading";
    this.addEventListener("pointermove", (event) => this.#read(event));
    this.addEventListener("pointerleave", () => this.#told.replaceChildren());
  }

  connectedCallback() {
    this.append(this.#canvas, this.#told);
  }

  /** @param {Values} values */
  set values(values) {
    this.#values = values;
  }

  /** @param {Blob} file */
  set file(file) {
    if (file === this.#file) return;
    this.#file = file;
    this.#draw(file);
  }

  /** @param {Blob} file */
  async #draw(file) {
    const whole = await createImageBitmap(file).catch(() => null);
    if (!whole) return;
    const scale = Math.min(1, LONGEST / Math.max(whole.width, whole.height));
    this.#canvas.width = Math.max(1, Math.round(whole.width * scale));
    this.#canvas.height = Math.max(1, Math.round(whole.height * scale));
    this.#canvas.classList.toggle("answer-pixels", Math.max(whole.width, whole.height) < 64);
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d", { willReadFrequently: true }));
    context.drawImage(whole, 0, 0, this.#canvas.width, this.#canvas.height);
    whole.close();
    const pixels = context.getImageData(0, 0, this.#canvas.width, this.#canvas.height);
    colour(pixels.data);
    context.putImageData(pixels, 0, 0);
  }

  /** @param {PointerEvent} event */
  #read(event) {
    if (!this.#values?.lines.length) return;
    const box = this.#canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.#values.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.#values.height);
    const value = this.#values.lines[y]?.[x];
    this.#told.textContent = value === undefined ? "" : `${x}, ${y}: ${number(value)}`;
  }
}

/** @param {Uint8ClampedArray} data grey in, colours out */
function colour(data) {
  const table = Array.from({ length: 256 }, (_, grey) => {
    const place = (grey / 255) * (RAMP.length - 1);
    const at = Math.min(RAMP.length - 2, Math.floor(place));
    return [0, 1, 2].map((channel) => {
      const [from, to] = [RAMP[at]?.[channel] ?? 0, RAMP[at + 1]?.[channel] ?? 0];
      return from + (to - from) * (place - at);
    });
  });
  for (let at = 0; at < data.length; at += 4) {
    const found = table[data[at] ?? 0] ?? [];
    for (let channel = 0; channel < 3; channel++) data[at + channel] = found[channel] ?? 0;
  }
}

customElements.define("answer-depth-map", AnswerDepthMap);
