// Where files come in: dropped, pasted or chosen.

import { html } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";
import { toast } from "../../lib/toast.js";
import { fileGiven } from "../given_file.js";

/** A frame that files are dropped on, and a button that chooses some. */
export class DropZone {
  over = false;

  /**
   * @param {object} wanted
   * @param {string} wanted.accept kinds to choose from: "image/*,.pdf"
   * @param {string} wanted.what "a picture"
   * @param {boolean} wanted.many
   * @param {(files: import("../given_file.js").GivenFile[]) => void} wanted.given
   */
  constructor({ accept, what, many, given }) {
    this.accept = accept;
    this.what = what;
    this.many = many;
    this.given = given;
  }

  /** @param {unknown} [tools] further ways to give one */
  draw(tools = "") {
    return html`<div class=${`widget-drop${this.over ? " over" : ""}`} tabindex="0" role="group"
      aria-label=${`Drop or paste ${this.what} here`}
      @dragover=${this.dragged} @dragleave=${this.left} @drop=${this.dropped} @paste=${this.pasted}>
      <label class="button">
        Choose ${this.what}
        <input class="visually-hidden" type="file" accept=${this.accept} ?multiple=${this.many} @change=${this.chosen}>
      </label>
      ${tools}
      <span class="help">or drop or paste ${this.what} here</span>
    </div>`;
  }

  /**
   * Take files in.
   * @param {Iterable<File>} files
   */
  async take(files) {
    const wanted = this.many ? [...files] : [...files].slice(0, 1);
    if (wanted.length === 0) return;
    try {
      this.given(await Promise.all(wanted.map((file) => fileGiven(file, file.name || "pasted"))));
    } catch (error) {
      toast(`The file cannot be read: ${error instanceof Error ? error.message : error}`, "bad");
    }
    redraw();
  }

  /** @param {Event} event */
  chosen = (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const files = [...(input.files ?? [])];
    input.value = ""; // the same file may be chosen again
    void this.take(files);
  };

  /** @param {DragEvent} event */
  dragged = (event) => {
    event.preventDefault();
    if (this.over) return;
    this.over = true;
    redraw();
  };

  left = () => {
    this.over = false;
    redraw();
  };

  /** @param {DragEvent} event */
  dropped = (event) => {
    event.preventDefault();
    this.over = false;
    void this.take(event.dataTransfer?.files ?? []);
    redraw();
  };

  /** @param {ClipboardEvent} event */
  pasted = (event) => {
    const files = event.clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    void this.take(files);
  };
}
