// A picture, or several: pages, frames, a film.

import { html } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { redraw } from "../../lib/redraw.js";
import { bytes } from "../../lib/format.js";
import { urlOf } from "../../lib/tensors.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";
import { fileOf } from "../given_file.js";
import { Camera } from "./camera.js";
import { DropZone } from "./drop_zone.js";
import { nameOf } from "./name.js";

/** What a worker reads: docs/media.md has them all. */
const PICTURES = "image/*,.pdf,.tif,.tiff,.heic,.heif,.jxl,.jp2,.dcm,.dicom";

/** One picture file a row, or a row of several. */
export class PictureControl {
  /** @type {import("../given_file.js").GivenFile[]} */
  files = [];
  /** Whether the pictures are shown here, or by who draws on them. */
  shows = true;
  /** Called when other pictures are given, or none. */
  changed = () => {};

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
    this.many = input.shape.length > 1;
    /** How many belong together, where that is fixed: the two that are matched. */
    this.count = this.many && (input.shape[1] ?? -1) > 0 ? (input.shape[1] ?? 0) : 0;
    this.camera = new Camera((file) => this.add([file]));
    this.zone = new DropZone({
      accept: this.many && !this.count ? `${PICTURES},video/*` : PICTURES,
      what: this.many ? "pictures" : "a picture",
      many: this.many,
      given: (files) => this.add(files),
    });
  }

  draw() {
    return html`<fieldset>
      <legend>${nameOf(this.input)}</legend>
      <p class="help">${coded(helpOf(this.input))}</p>
      ${this.zone.draw(this.camera.button())}
      ${this.camera.preview()}
      ${this.files.length ? this.drawFiles() : ""}
    </fieldset>`;
  }

  /** The pictures that were given. */
  drawFiles() {
    return html`<ol class="widget-files">
      ${repeat(
        this.files,
        (file) => file,
        (file, at) => html`<li>
          ${this.shows || this.many ? preview(file, this.many ? `Picture ${at + 1}: ${file.name}` : file.name) : ""}
          <span class="help">${file.name}, ${bytes(file.blob.size)}</span>
          <span class="buttons">
            ${this.many && at > 0 ? html`<button type="button" class="small" aria-label=${`Move picture ${at + 1} forward`} @click=${() => this.move(at)}>←</button>` : ""}
            <button type="button" class="small" aria-label=${`Remove ${file.name}`} @click=${() => this.remove(at)}>Remove</button>
          </span>
        </li>`,
      )}
    </ol>`;
  }

  tensors() {
    const title = titleOf(this.input.name);
    if (this.count && this.files.length && this.files.length !== this.count) {
      throw new Missing(`${title}: give ${this.count} pictures, there are ${this.files.length}.`);
    }
    const [first] = this.files;
    if (first) {
      return [tensorOfRow(this.input, this.many ? this.files.map((file) => file.base64) : first.base64)];
    }
    if (this.input.optional) return [];
    throw new Missing(`${title}: give ${this.many ? "some pictures" : "a picture"}.`);
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    const given = [rowGiven(this.input, tensors) ?? []].flat();
    this.files = given.filter(Boolean).map((base64, at) => fileOf(base64, this.many ? `${this.input.name}${at + 1}` : this.input.name));
  }

  stop() {
    this.camera.close();
  }

  /** @param {import("../given_file.js").GivenFile[]} files */
  add(files) {
    this.files = this.many ? [...this.files, ...files] : files.slice(-1);
    this.changed();
    redraw();
  }

  /** @param {number} at */
  remove(at) {
    this.files = this.files.filter((_, index) => index !== at);
    this.changed();
    redraw();
  }

  /** One place forward. @param {number} at */
  move(at) {
    const [file] = this.files.splice(at, 1);
    if (file) this.files.splice(at - 1, 0, file);
    redraw();
  }
}

/**
 * A file as far as the browser can show it.
 * @param {import("../given_file.js").GivenFile} file
 * @param {string} alt
 */
export function preview(file, alt) {
  if (file.kind.startsWith("image/")) return html`<img class="widget-preview" src=${urlOf(file.blob)} alt=${alt}>`;
  if (file.kind.startsWith("video/")) {
    return html`<video class="widget-preview" src=${urlOf(file.blob)} controls muted aria-label=${alt}></video>`;
  }
  return html`<span class="widget-no-preview">The browser cannot show this kind of file; a worker may read it.</span>`;
}
