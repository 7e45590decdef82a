// A picture, or several, on which objects are marked with points and boxes: by mouse or finger, by
// the arrow keys, or as numbers beside it.

import { html } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";
import { Prompts, boxOf } from "../prompts.js";
import { PictureControl } from "./picture.js";
import { promptFields } from "./prompt_fields.js";
import { Stage } from "./stage.js";

/** What a press on the picture makes. @typedef {"on" | "off" | "box"} Tool */

/** A picture control with a stage to mark objects on, and the marks as numbers. */
export class PromptsControl {
  /** @type {Tool} */
  tool = "on";
  /** @type {import("../prompts.js").Prompt | null} what the next point belongs to */
  current = null;
  frame = 0;

  /** @param {import("../declaration.js").Input[]} inputs the picture first */
  constructor([picture, ...drawn]) {
    this.picture = new PictureControl(/** @type {import("../declaration.js").Input} */ (picture));
    this.picture.shows = false;
    this.picture.changed = () => this.changed();
    this.prompts = new Prompts(drawn);
    this.tool = this.prompts.takesPoints ? "on" : "box";
    this.stage = new Stage({ pressed: (at) => this.pressed(at), dragged: (from, to) => this.dragged(from, to) });
  }

  get files() {
    return this.picture.files;
  }

  /** The picture that is marked now. */
  get shown() {
    return this.files[Math.min(this.frame, this.files.length - 1)];
  }

  draw() {
    return html`${this.picture.draw()}
      ${this.shown ? html`<fieldset>
        <legend>Objects</legend>
        <p class="help">Press on the picture to mark an object${this.prompts.takesBoxes ? ", or drag a box around it" : ""}.
          With the keyboard: add a mark, then move it with the arrow keys (with Shift by single pixels,
          with Ctrl to size a box), and remove it with Delete.</p>
        ${this.drawTools()}
        ${this.prompts.takesFrames ? this.drawFrames(this.shown) : ""}
        ${this.stage.draw(this.shown, this.here(), this.tool === "box")}
        ${promptFields(this)}
      </fieldset>` : ""}`;
  }

  drawTools() {
    const tools = /** @type {[Tool, string][]} */ ([
      ...(this.prompts.takesPoints ? [["on", "Point on the object"], ["off", "Point beside it"]] : []),
      ...(this.prompts.takesBoxes ? [["box", "Box"]] : []),
    ]);
    return html`<div class="buttons" role="group" aria-label="What a press on the picture makes">
      ${tools.map(
        ([tool, title]) => html`<button type="button" class="small" aria-pressed=${this.tool === tool}
          @click=${() => this.choose(tool)}>${title}</button>`,
      )}
      <button type="button" class="small" @click=${this.addMark}>Add one in the middle</button>
      ${this.prompts.takesPoints ? html`<button type="button" class="small" @click=${this.next}>Next object</button>` : ""}
    </div>`;
  }

  /** @param {import("../given_file.js").GivenFile} shown */
  drawFrames(shown) {
    if (this.files.length === 1 && !shown.kind.startsWith("image/")) return this.drawFrameOfFilm();
    const last = this.files.length - 1;
    return html`<div class="buttons">
      <button type="button" class="small" ?disabled=${this.frame <= 0} @click=${() => this.turn(-1)}>Previous frame</button>
      <span role="status">Frame ${Math.min(this.frame, last)} of 0 to ${last}</span>
      <button type="button" class="small" ?disabled=${this.frame >= last} @click=${() => this.turn(1)}>Next frame</button>
    </div>`;
  }

  /** Which frame of a film is marked: a browser shows it by seconds, and does not say where frames are. */
  drawFrameOfFilm() {
    const typed = (/** @type {Event} */ event) => {
      const frame = /** @type {HTMLInputElement} */ (event.target).valueAsNumber;
      if (Number.isInteger(frame) && frame >= 0) this.frame = frame;
      redraw();
    };
    return html`<label class="field"><span>Frame of the film</span>
      <input type="number" min="0" step="1" .value=${String(this.frame)} @change=${typed}>
      <span class="help">From 0. The film is shown at its beginning, whichever frame is marked.</span></label>`;
  }

  /** The prompts on the picture that is shown. */
  here() {
    return this.prompts.list.filter((prompt) => !this.prompts.takesFrames || prompt.frame === this.frame);
  }

  tensors() {
    return [...this.picture.tensors(), ...(this.files.length ? this.prompts.tensors() : [])];
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    this.picture.fill(tensors);
    this.prompts.fill(tensors);
    this.frame = 0;
    this.current = null;
  }

  /** Marks are of one picture, and go with it; those of several are on frames that may stay. */
  changed() {
    if (this.prompts.takesFrames && this.files.length) return;
    this.prompts.list = [];
    this.current = null;
    this.frame = 0;
  }

  stop() {
    this.picture.stop();
  }

  /** @param {{x: number, y: number}} at */
  pressed(at) {
    if (this.tool === "box") return;
    this.own().points.push({ ...at, on: this.tool === "on" });
    redraw();
  }

  /**
   * @param {{x: number, y: number}} from
   * @param {{x: number, y: number}} to
   */
  dragged(from, to) {
    if (this.tool === "box") this.put(boxOf(from, to));
  }

  /** @param {import("../prompts.js").Box} box */
  put(box) {
    let prompt = this.current;
    if (!prompt || prompt.box || prompt.frame !== this.frame) prompt = this.prompts.add(this.frame);
    prompt.box = box;
    this.current = this.prompts.takesPoints ? prompt : null;
    redraw();
  }

  /** The object that is marked now; a new one where there is none, or it is on another frame. */
  own() {
    const known = this.current && this.prompts.list.includes(this.current) ? this.current : null;
    if (known?.frame === this.frame) return known;
    this.current = this.prompts.add(this.frame, known?.object);
    return this.current;
  }

  addMark = () => {
    const { width, height } = this.stage;
    if (this.tool === "box") this.put([width / 4, height / 4, (width * 3) / 4, (height * 3) / 4]);
    else this.pressed({ x: Math.round(width / 2), y: Math.round(height / 2) });
  };

  next = () => {
    this.current = this.prompts.add(this.frame);
    redraw();
  };

  /** @param {Tool} tool */
  choose(tool) {
    this.tool = tool;
    redraw();
  }

  /** @param {number} by */
  turn(by) {
    this.frame = Math.max(0, Math.min(this.files.length - 1, this.frame + by));
    redraw();
  }
}
