// A sound: a file, or what a microphone hears.

import { html } from "../../vendor/lit-html/lit-html.js";
import { coded } from "../../lib/code_words.js";
import { redraw } from "../../lib/redraw.js";
import { bytes } from "../../lib/format.js";
import { urlOf } from "../../lib/tensors.js";
import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";
import { fileOf } from "../given_file.js";
import { DropZone } from "./drop_zone.js";
import { nameOf } from "./name.js";
import { Microphone } from "./microphone.js";

/** One sound file. */
export class SoundControl {
  /** @type {import("../given_file.js").GivenFile | null} */
  file = null;

  get files() {
    return this.file ? [this.file] : [];
  }

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
    this.microphone = new Microphone((file) => this.give(file));
    this.zone = new DropZone({
      accept: "audio/*,video/*,.flac,.opus,.m4a,.amr,.wma",
      what: "a sound",
      many: false,
      given: ([file]) => this.give(file ?? null),
    });
  }

  draw() {
    return html`<fieldset>
      <legend>${nameOf(this.input)}</legend>
      <p class="help">${coded(helpOf(this.input))}</p>
      ${this.zone.draw(this.microphone.button())}
      ${this.microphone.level()}
      ${this.file ? this.drawFile(this.file) : ""}
    </fieldset>`;
  }

  /** @param {import("../given_file.js").GivenFile} file */
  drawFile(file) {
    const plays = file.kind.startsWith("audio/") || file.kind.startsWith("video/");
    return html`<div class="widget-sound">
      ${plays ? html`<audio controls src=${urlOf(file.blob)} aria-label=${file.name}></audio>` : html`<span class="widget-no-preview">Raw samples, or a kind that the browser does not play.</span>`}
      <span class="help">${file.name}, ${bytes(file.blob.size)}</span>
      <button type="button" class="small" aria-label=${`Remove ${file.name}`} @click=${() => this.give(null)}>Remove</button>
    </div>`;
  }

  tensors() {
    if (this.file) return [tensorOfRow(this.input, this.file.base64)];
    if (this.input.optional) return [];
    throw new Missing(`${titleOf(this.input.name)}: give a sound.`);
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    const given = rowGiven(this.input, tensors);
    this.file = given ? fileOf(given, this.input.name) : null;
  }

  stop() {
    this.microphone.close();
  }

  /** @param {import("../given_file.js").GivenFile | null} file */
  give(file) {
    this.file = file;
    redraw();
  }
}
