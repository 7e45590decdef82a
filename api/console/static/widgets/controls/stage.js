// A picture with marks on it that can be set, drawn, moved and removed.

import { html, svg } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";
import { urlOf } from "../../lib/tensors.js";

/** @typedef {{x: number, y: number}} Place in pixels of the picture */
/** @typedef {import("../prompts.js").Prompt} Prompt */

/** A press that moves less than this share of the picture is none that drags. */
const STILL = 0.01;

/** The arrow keys, and where they move. @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Draws a picture and its marks over each other, in the picture's own pixels. */
export class Stage {
  width = 0;
  height = 0;
  /** @type {Place | null} where the pointer went down */
  from = null;
  /** @type {Place | null} where it is */
  to = null;
  /** @type {((to: Place) => void) | null} moves the mark that the pointer holds */
  moves = null;

  /**
   * @param {object} heard
   * @param {(at: Place) => void} heard.pressed
   * @param {(from: Place, to: Place) => void} heard.dragged
   */
  constructor({ pressed, dragged }) {
    this.pressed = pressed;
    this.dragged = dragged;
  }

  /**
   * @param {import("../given_file.js").GivenFile} file
   * @param {Prompt[]} prompts
   * @param {boolean} draws whether a finger that moves draws a box, and does not scroll
   */
  draw(file, prompts, draws) {
    const isFilm = file.kind.startsWith("video/");
    if (!isFilm && !file.kind.startsWith("image/")) {
      return html`<p class="help">The browser cannot show this picture; marks can be written as numbers.</p>`;
    }
    return html`<div class=${`widget-stage${draws ? " draws" : ""}`}>
      ${isFilm
        ? html`<video src=${urlOf(file.blob)} muted @loadedmetadata=${this.loaded} aria-label=${file.name}></video>`
        : html`<img src=${urlOf(file.blob)} alt=${file.name} draggable="false" @load=${this.loaded} @error=${this.unseen}>`}
      ${this.width ? this.drawMarks(prompts) : ""}
    </div>`;
  }

  /** @param {Prompt[]} prompts */
  drawMarks(prompts) {
    return html`<svg viewBox=${`0 0 ${this.width} ${this.height}`} preserveAspectRatio="none" role="group" tabindex="-1"
      aria-label="Marks on the picture" @pointerdown=${this.down} @pointermove=${this.move} @pointerup=${this.up} @pointercancel=${this.cancel}>
      ${prompts.map((prompt) => svg`
        ${prompt.box ? this.drawBox(prompt, prompt.box) : ""}
        ${prompt.points.map((_, at) => this.drawPoint(prompt, at))}`)}
      ${this.from && this.to && !this.moves ? svg`<rect class="widget-drawn" x=${Math.min(this.from.x, this.to.x)} y=${Math.min(this.from.y, this.to.y)}
        width=${Math.abs(this.from.x - this.to.x)} height=${Math.abs(this.from.y - this.to.y)}></rect>` : ""}
    </svg>`;
  }

  /**
   * @param {Prompt} prompt
   * @param {number} at
   */
  drawPoint(prompt, at) {
    const point = /** @type {import("../prompts.js").Point} */ (prompt.points[at]);
    const place = `M${point.x},${point.y}h0`;
    const move = (/** @type {Place} */ to) => Object.assign(point, to);
    return svg`<g class=${`widget-mark ${point.on ? "on" : "off"}`} tabindex="0" role="button"
      aria-label=${`Point ${at + 1} of object ${prompt.object}, ${point.on ? "on it" : "beside it"}: ${Math.round(point.x)}, ${Math.round(point.y)}`}
      @pointerdown=${() => { this.moves = move; }}
      @keydown=${(/** @type {KeyboardEvent} */ event) => this.key(event, point, move, () => prompt.points.splice(at, 1))}>
      <path class="ring" d=${place}></path><path class="dot" d=${place}></path></g>`;
  }

  /**
   * @param {Prompt} prompt
   * @param {import("../prompts.js").Box} box
   */
  drawBox(prompt, box) {
    const [left, top, right, bottom] = box;
    const move = (/** @type {Place} */ to) => {
      prompt.box = [to.x, to.y, to.x + right - left, to.y + bottom - top];
    };
    const size = (/** @type {Place} */ to) => {
      prompt.box = [left, top, Math.max(left, to.x), Math.max(top, to.y)];
    };
    return svg`<rect class="widget-mark box" tabindex="0" role="button"
      aria-label=${`Box of object ${prompt.object}: ${[left, top, right, bottom].map(Math.round).join(", ")}`}
      x=${left} y=${top} width=${Math.max(0, right - left)} height=${Math.max(0, bottom - top)}
      @keydown=${(/** @type {KeyboardEvent} */ event) => this.key(event,
        event.ctrlKey ? { x: right, y: bottom } : { x: left, y: top }, event.ctrlKey ? size : move, () => { prompt.box = null; })}></rect>`;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Place} place
   * @param {(to: Place) => void} move
   * @param {() => void} remove
   */
  key(event, place, move, remove) {
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== "Delete" && event.key !== "Backspace") return;
    event.preventDefault();
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(Math.max(this.width, this.height) / 50));
    if (arrow) move(this.within({ x: place.x + arrow[0] * step, y: place.y + arrow[1] * step }));
    else {
      /** @type {Element} */ (event.currentTarget).closest("svg")?.focus(); // the mark goes, and its focus
      remove();
    }
    redraw();
  }

  /** @param {PointerEvent} event */
  down = (event) => {
    if (event.button !== 0) return;
    const target = /** @type {Element} */ (event.currentTarget);
    target.setPointerCapture(event.pointerId);
    this.from = this.to = this.placeOf(event);
  };

  /** @param {PointerEvent} event */
  move = (event) => {
    if (!this.from) return;
    this.to = this.placeOf(event);
    this.moves?.(this.to);
    redraw();
  };

  /** @param {PointerEvent} event */
  up = (event) => {
    const { from, moves } = this;
    const to = this.placeOf(event);
    this.cancel();
    if (!from || moves) return;
    const still = Math.abs(to.x - from.x) < this.width * STILL && Math.abs(to.y - from.y) < this.height * STILL;
    if (still) this.pressed(to);
    else this.dragged(from, to);
  };

  cancel = () => {
    this.from = this.to = this.moves = null;
    redraw();
  };

  /** @param {Event} event */
  loaded = (event) => {
    const shown = event.target;
    const isFilm = shown instanceof HTMLVideoElement;
    const picture = /** @type {HTMLImageElement} */ (shown);
    this.width = isFilm ? shown.videoWidth : picture.naturalWidth;
    this.height = isFilm ? shown.videoHeight : picture.naturalHeight;
    redraw();
  };

  unseen = () => {
    this.width = 0;
    redraw();
  };

  /**
   * @param {PointerEvent} event
   * @returns {Place}
   */
  placeOf(event) {
    const frame = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    return this.within({
      x: ((event.clientX - frame.left) / frame.width) * this.width,
      y: ((event.clientY - frame.top) / frame.height) * this.height,
    });
  }

  /**
   * A place on the picture, to a tenth of a pixel.
   * @param {Place} place
   * @returns {Place}
   */
  within({ x, y }) {
    const tenth = (/** @type {number} */ value, /** @type {number} */ most) =>
      Math.round(Math.max(0, Math.min(most, value)) * 10) / 10;
    return { x: tenth(x, this.width), y: tenth(y, this.height) };
  }
}
