// <answer-picture>: a picture with shapes over it. The picture is drawn when the view changes, the
// shapes on a canvas of their own whenever one is marked.

import { html, render } from "../vendor/lit-html/lit-html.js";
import { bitmapsOf } from "./bitmaps.js";
import { drawShape, extent, shapeAt } from "./shapes.js";
import { View } from "./view.js";

/** @typedef {import("./shapes.js").Shape} Shape */

/** Shapes beyond which only the marked one has its label drawn. */
const CROWD = 40;

/** Screen pixels a CSS pixel, at most. */
const DENSEST = 2;

class AnswerPicture extends HTMLElement {
  /** @type {Blob | null} */
  #file = null;
  /** @type {import("./bitmaps.js").Bitmaps | null} */
  #bitmaps = null;
  /** @type {Shape[]} */
  #shapes = [];
  /** @type {number | null} */
  #marked = null;
  #told = "";
  #name = "";
  #view = new View();
  #frameAsked = 0;
  #pictureAsked = false;
  /** @type {ResizeObserver | null} */
  #watch = null;
  /** @type {{x: number, y: number, moved: boolean} | null} */
  #drag = null;
  /** @type {AbortController | null} */
  #life = null;

  /** The picture; null draws the shapes on an empty ground. @param {Blob | null} file */
  set picture(file) {
    if (file === this.#file && (file || this.#bitmaps === null)) return;
    this.#file = file;
    this.#bitmaps = null;
    this.#told = file ? "Reading the picture…" : "There is no picture to show: the shapes are drawn on an empty ground.";
    if (file) this.#read(file);
    this.#later("picture");
  }

  /** @param {Shape[]} shapes */
  set shapes(shapes) {
    this.#shapes = shapes;
    for (const { mask } of shapes) {
      if (mask && !mask.canvas) mask.ready.then(() => this.#later("picture"));
    }
    this.#later("shapes");
  }

  /** Which item is marked. @param {number | null} id */
  set marked(id) {
    if (id === this.#marked) return;
    this.#marked = id;
    this.#later("shapes");
  }

  /** What the picture shows, for who cannot see it. @param {string} text */
  set name(text) {
    this.#name = text;
    if (this.isConnected) this.#frame();
  }

  connectedCallback() {
    this.#life = new AbortController();
    const theme = { signal: this.#life.signal };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#later("shapes"), theme);
    this.#frame();
    this.#watch = new ResizeObserver(() => this.#later("picture"));
    this.#watch.observe(this);
    this.#later("picture");
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#watch?.disconnect();
    this.#bitmaps?.release();
  }

  /** @param {Blob} file */
  async #read(file) {
    const bitmaps = bitmapsOf(file);
    try {
      await bitmaps.ready;
      if (file !== this.#file) return;
      this.#bitmaps = bitmaps;
      this.#told = "";
    } catch {
      if (file !== this.#file) return;
      this.#told = "This browser cannot show the picture's format: the shapes are drawn on an empty ground.";
    }
    this.#later("picture");
  }

  #frame() {
    const zoomed = this.#view.zoom > 1;
    render(
      html`<div
          class="answer-view ${zoomed ? "answer-zoomed" : ""}"
          tabindex="0"
          role="group"
          aria-label="Picture. Plus and minus zoom, arrows move."
          @keydown=${this.#key}
          @wheel=${{ handleEvent: (/** @type {WheelEvent} */ event) => this.#wheel(event), passive: false }}
          @pointerdown=${this.#press}
          @pointermove=${this.#move}
          @pointerup=${this.#lift}
          @pointerleave=${this.#leave}
          @dblclick=${(/** @type {MouseEvent} */ event) => this.#zoom(zoomed ? 0 : 2, event)}
        >
          <canvas class="answer-ground" role="img" aria-label=${this.#name}></canvas>
          <canvas class="answer-over" aria-hidden="true"></canvas>
        </div>
        <div class="answer-tools">
          <button type="button" class="small" aria-label="Zoom in" @click=${() => this.#zoom(1.5)}>+</button>
          <button type="button" class="small" aria-label="Zoom out" ?disabled=${!zoomed} @click=${() => this.#zoom(1 / 1.5)}>−</button>
          <button type="button" class="small" ?disabled=${!zoomed} @click=${() => this.#zoom(0)}>Whole picture</button>
          <span class="answer-note" role="status">${this.#told || `${this.#view.width} × ${this.#view.height} pixels`}</span>
        </div>`,
      this,
      { host: this },
    );
  }

  /** @param {"picture" | "shapes"} what */
  #later(what) {
    if (what === "picture") this.#pictureAsked = true;
    if (this.#frameAsked || !this.isConnected) return;
    this.#frameAsked = requestAnimationFrame(() => {
      this.#frameAsked = 0;
      if (!this.isConnected) return;
      if (this.#pictureAsked) this.#drawPicture();
      this.#pictureAsked = false;
      this.#drawShapes();
    });
  }

  /** @param {string} which */
  #canvas(which) {
    return /** @type {HTMLCanvasElement} */ (this.querySelector(which));
  }

  #drawPicture() {
    const [width, height] = this.#bitmaps ? [this.#bitmaps.width, this.#bitmaps.height] : extent(this.#shapes);
    this.#view.fit(width, height, this.clientWidth, innerHeight * 0.75, Math.min(devicePixelRatio, DENSEST));
    for (const canvas of this.querySelectorAll("canvas")) this.#view.size(canvas);
    this.#frame();
    const context = this.#canvas(".answer-ground").getContext("2d");
    const bitmap = this.#bitmaps?.at(this.#view.scale, () => this.#later("picture"));
    if (!context || !bitmap) return;
    const [left, top] = this.#view.place(0, 0);
    const [right, bottom] = this.#view.place(width, height);
    context.imageSmoothingEnabled = this.#view.scale < 4;
    context.drawImage(bitmap, left, top, right - left, bottom - top);
  }

  /** The shapes in pixels, whatever they are told in. */
  #placed() {
    const { width, height } = this.#view;
    return this.#shapes.map((shape) => {
      const { per, at } = shape;
      return per ? { ...shape, at: at.map((value, axis) => (value / per) * (axis % 2 ? height : width)) } : shape;
    });
  }

  #drawShapes() {
    const canvas = this.#canvas(".answer-over");
    const context = canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const style = getComputedStyle(this);
    const shapes = this.#placed();
    const marked = shapes.some(({ id }) => id === this.#marked);
    const place = (/** @type {number} */ x, /** @type {number} */ y) => this.#view.place(x, y);
    const [last, first] = [true, false].map((is) => shapes.filter(({ id }) => (id === this.#marked) === is));
    for (const shape of [...(first ?? []), ...(last ?? [])]) {
      drawShape(shape, {
        context,
        colour: style.getPropertyValue(`--shape-${shape.colour}`),
        ink: style.getPropertyValue("--shape-ink"),
        place,
        unit: this.#view.density,
        marked: shape.id === this.#marked,
        dimmed: marked && shape.id !== this.#marked,
        crowded: shapes.length > CROWD,
      });
    }
    context.globalAlpha = 1;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = 60 * this.#view.density;
    /** @type {Record<string, () => void>} */
    const meant = {
      "+": () => this.#zoom(1.5),
      "=": () => this.#zoom(1.5),
      "-": () => this.#zoom(1 / 1.5),
      0: () => this.#zoom(0),
      ArrowLeft: () => this.#pan(step, 0),
      ArrowRight: () => this.#pan(-step, 0),
      ArrowUp: () => this.#pan(0, step),
      ArrowDown: () => this.#pan(0, -step),
    };
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : meant[event.key];
    if (!act || (event.key.startsWith("Arrow") && this.#view.zoom === 1)) return;
    event.preventDefault();
    act();
  }

  /** The page scrolls as always; with the control key, as a pinch is told, the picture zooms. @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.#zoom(Math.exp(-event.deltaY / 200), event);
  }

  /**
   * @param {number} factor 0 for the whole picture
   * @param {MouseEvent} [event] where to
   */
  #zoom(factor, event) {
    const box = this.#canvas(".answer-over").getBoundingClientRect();
    const density = this.#view.density;
    const about = event ? [(event.clientX - box.left) * density, (event.clientY - box.top) * density] : undefined;
    this.#view.zoomBy(factor, about);
    if (this.#view.zoom === 1) this.#bitmaps?.release();
    this.#later("picture");
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #pan(x, y) {
    this.#view.pan(x, y);
    this.#later("picture");
  }

  /** @param {PointerEvent} event */
  #press(event) {
    this.#drag = { x: event.clientX, y: event.clientY, moved: false };
    if (this.#view.zoom > 1) this.#canvas(".answer-view").setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const density = this.#view.density;
    if (this.#drag && this.#view.zoom > 1 && event.buttons) {
      this.#pan((event.clientX - this.#drag.x) * density, (event.clientY - this.#drag.y) * density);
      this.#drag = { x: event.clientX, y: event.clientY, moved: true };
      return;
    }
    const box = this.#canvas(".answer-over").getBoundingClientRect();
    const [x, y] = this.#view.back((event.clientX - box.left) * density, (event.clientY - box.top) * density);
    this.#tell(shapeAt(this.#placed(), x, y, (10 * density) / this.#view.scale)?.id ?? null);
  }

  #lift() {
    this.#drag = null;
  }

  #leave() {
    this.#drag = null;
    this.#tell(null);
  }

  /** @param {number | null} id */
  #tell(id) {
    if (id === this.#marked) return;
    this.dispatchEvent(new CustomEvent("mark", { detail: id }));
  }
}

customElements.define("answer-picture", AnswerPicture);
