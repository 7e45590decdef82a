// <answer-still>: a picture with shapes over it, as one of many: as high as its style lets it be, and nothing
// in it moves. The browser draws the picture, a canvas the shapes alone.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { sizeStoodFor, urlOf } from "../lib/tensors.js";
import { drawShape, extent } from "./shapes.js";
import { View } from "./view.js";

/** @typedef {import("./shapes.js").Shape} Shape */

/** Shapes beyond which none has its label drawn: there is no room. */
const CROWD = 6;

class AnswerStill extends HTMLElement {
  /** @type {Blob | null} */
  #file = null;
  /** Width and height of the picture that the shapes are told in. @type {[number, number] | null} */
  #size = null;
  /** @type {Shape[]} */
  #shapes = [];
  #name = "";
  #asked = 0;
  #view = new View();
  #watch = new ResizeObserver(() => this.#later());

  /** The picture; null draws the shapes on an empty ground. @param {Blob | null} file */
  set picture(file) {
    if (file === this.#file) return;
    this.#file = file;
    this.#size = file ? (sizeStoodFor(file) ?? null) : null;
    this.#later();
  }

  /** @param {Shape[]} shapes */
  set shapes(shapes) {
    this.#shapes = shapes;
    for (const { mask } of shapes) if (mask && !mask.canvas) mask.ready.then(() => this.#later());
    this.#later();
  }

  /** What the picture shows, for who cannot see it. @param {string} text */
  set name(text) {
    this.#name = text;
  }

  connectedCallback() {
    this.#watch.observe(this);
    this.#later();
  }

  disconnectedCallback() {
    this.#watch.disconnect();
  }

  #later() {
    if (this.#asked || !this.isConnected) return;
    this.#asked = requestAnimationFrame(() => {
      this.#asked = 0;
      if (this.isConnected && this.clientWidth) this.#draw();
    });
  }

  #draw() {
    const [width, height] = this.#size ?? extent(this.#shapes);
    const high = parseFloat(getComputedStyle(this).maxHeight) || innerHeight;
    this.#view.fit(width, height, this.clientWidth, high, Math.min(devicePixelRatio, 2));
    const over = document.createElement("canvas");
    this.#view.size(over);
    over.className = "answer-over";
    over.setAttribute("aria-hidden", "true");
    const { width: wide, height: tall } = over.style;
    const known = !this.#file || this.#size;
    const box = known ? `width: ${wide}; height: ${tall}` : "";
    const ground = this.#file?.type.startsWith("image/")
      ? html`<img class="answer-ground" src=${urlOf(this.#file)} alt=${this.#name} decoding="async" .style=${box} @load=${this.#loaded}>`
      : html`<span class="answer-ground" role="img" aria-label=${this.#name} .style=${box}></span>`;
    render(html`<div class="answer-view">${ground}${known && this.#shapes.length ? over : nothing}</div>`, this);
    this.#drawShapes(over);
  }

  /** Of a picture that stands for no other, the size is known when it is here. @param {Event} event */
  #loaded = (event) => {
    if (this.#size) return;
    const { naturalWidth, naturalHeight } = /** @type {HTMLImageElement} */ (event.target);
    this.#size = [naturalWidth, naturalHeight];
    this.#later();
  };

  /** @param {HTMLCanvasElement} canvas */
  #drawShapes(canvas) {
    const context = canvas.getContext("2d");
    if (!context) return;
    const style = getComputedStyle(this);
    const { width, height, density } = this.#view;
    for (const shape of this.#shapes) {
      const { per, at } = shape;
      const placed = per ? { ...shape, at: at.map((value, axis) => (value / per) * (axis % 2 ? height : width)) } : shape;
      drawShape(placed, {
        context,
        colour: style.getPropertyValue(`--shape-${shape.colour}`),
        ink: style.getPropertyValue("--shape-ink"),
        place: (x, y) => this.#view.place(x, y),
        unit: density,
        marked: false,
        dimmed: false,
        crowded: this.#shapes.length > CROWD,
      });
    }
  }
}

customElements.define("answer-still", AnswerStill);
