// Where the rows of a run come from: files that are sent with it, or a place that the fleet reads.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { dropped, chosen } from "../lib/dropped.js";
import { bytes, counted, percent } from "../lib/format.js";
import { sendLarge } from "../lib/http.js";
import { redraw } from "../lib/redraw.js";
import { toast } from "../lib/toast.js";
import { Missing } from "./declaration.js";

/** @typedef {import("../lib/dropped.js").Dropped} Dropped */

/** Files whose names are listed. */
const LISTED = 5;

/** One file that holds many, which the server opens. */
const ARCHIVE = /\.(zip|tar)$/i;

/** What is asked by a query. */
const DATABASE = /^(postgres(ql)?|sqlite):\/\/|\.(db|sqlite3?)$/i;

/** One file whose lines are rows. */
const TABLE = /\.(csv|tsv|jsonl|ndjson|parquet|arrow|feather|ipc|txt|lst|paths)(\.gz)?$|\.(tgz|tar\.(gz|bz2|xz))$/i;

export class DataSource {
  /** @type {"files" | "place"} */
  kind = "files";
  place = "";
  /** @type {Dropped[]} */
  files = [];
  over = false;
  reading = false;
  /** How much of the upload has gone; null while none is on its way. @type {number | null} */
  sent = null;
  /** @type {{source: string, files: Dropped[]} | null} what the server has of it already */
  #uploaded = null;
  /** @type {AbortController | null} */
  #sending = null;

  /** Whether its rows come of a query. */
  get isDatabase() {
    return this.kind === "place" && DATABASE.test(this.place);
  }

  draw() {
    return html`<fieldset class="data-source">
      <legend>Data set</legend>
      <div class="row" role="radiogroup" aria-label="Where the rows are">
        ${this.#choice("files", "Files from this computer")} ${this.#choice("place", "A place that the fleet reads")}
      </div>
      ${this.kind === "files" ? this.#drawFiles() : this.#drawPlace()}
    </fieldset>`;
  }

  /**
   * @param {"files" | "place"} kind
   * @param {string} title
   */
  #choice(kind, title) {
    const choose = () => {
      this.kind = kind;
      redraw();
    };
    return html`<label class="check"><input type="radio" name="source-kind" .checked=${this.kind === kind} @change=${choose}>${title}</label>`;
  }

  #drawPlace() {
    const typed = (/** @type {Event} */ event) => {
      this.place = /** @type {HTMLInputElement} */ (event.target).value.trim();
      redraw(); // a data base is asked for its query
    };
    return html`<label class="field"><span>Place</span>
      <input name="source" .value=${this.place} @input=${typed} autocomplete="off" spellcheck="false" placeholder="s3://bucket/photos/">
      <span class="help">A folder or prefix, a glob, a list of files, a table (.parquet, .csv, .jsonl), an archive or a
        data base (postgresql://, sqlite://); an operator says which places may be read. Each file, or each line of a table, is a row.</span></label>`;
  }

  #drawFiles() {
    return html`<div class=${`widget-drop${this.over ? " over" : ""}`} tabindex="0" role="group"
        aria-label="Drop a folder, files or an archive here"
        @dragover=${this.#dragged} @dragleave=${this.#left} @drop=${this.#dropped}>
        ${this.#button("Choose a folder", true)} ${this.#button("Choose files", false)}
        <span class="help">or drop a folder, many files, a zip or a table here. Each picture, sound or text is a row.</span>
      </div>
      ${this.reading ? html`<p class="muted" role="status">Looking into the folders…</p>` : nothing}
      ${this.files.length ? this.#drawList() : nothing}
      ${this.sent === null
        ? nothing
        : html`<div role="status"><progress max="1" .value=${this.sent} aria-label="Upload"></progress>
            <span class="small">${this.sent < 1 ? `${percent(this.sent)} sent` : "sent; the fleet stores it…"}</span>
            <button type="button" class="small" @click=${() => this.#sending?.abort()}>Stop</button></div>`}`;
  }

  /**
   * @param {string} title
   * @param {boolean} folder
   */
  #button(title, folder) {
    const taken = (/** @type {Event} */ event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      this.#take(chosen(input.files ?? []));
      input.value = ""; // the same may be chosen again
    };
    return html`<label class="button">${title}
      <input class="visually-hidden" type="file" multiple ?webkitdirectory=${folder} @change=${taken}></label>`;
  }

  #drawList() {
    const size = this.files.reduce((sum, { file }) => sum + file.size, 0);
    const remove = () => {
      this.files = [];
      this.#uploaded = null;
      redraw();
    };
    return html`<div class="row"><strong>${counted(this.files.length, "file")}, ${bytes(size)}</strong>
        <button type="button" class="small" ?disabled=${this.sent !== null} @click=${remove}>Remove</button></div>
      <ul class="data-source-files small muted">
        ${this.files.slice(0, LISTED).map(({ name }) => html`<li class="mono">${name}</li>`)}
        ${this.files.length > LISTED ? html`<li>and ${counted(this.files.length - LISTED, "other")}</li>` : nothing}
      </ul>`;
  }

  /** @param {Dropped[]} files */
  #take(files) {
    const known = new Map([...this.files, ...files].map((each) => [each.name, each]));
    this.files = [...known.values()];
    this.#uploaded = null;
    if (!files.length) toast("There is no file in that.", "bad");
    redraw();
  }

  #dragged = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    if (this.over) return;
    this.over = true;
    redraw();
  };

  #left = () => {
    this.over = false;
    redraw();
  };

  #dropped = async (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    this.over = false;
    if (!event.dataTransfer) return;
    this.reading = true;
    redraw();
    try {
      this.#take(await dropped(event.dataTransfer));
    } catch (error) {
      toast(`What was dropped cannot be read: ${error instanceof Error ? error.message : error}`, "bad");
    }
    this.reading = false;
    redraw();
  };

  /**
   * What a run calls it, once the server has it.
   * @returns {Promise<string>}
   * @throws {Missing}
   */
  async source() {
    if (this.kind === "place") {
      if (!this.place) throw new Missing("Name the place where the data set is.");
      return this.place;
    }
    if (!this.files.length) throw new Missing("Choose a folder or files, or drop some.");
    if (this.#uploaded?.files === this.files) return this.#uploaded.source;
    const told = await this.#upload();
    const [only] = this.files;
    const isTable = this.files.length === 1 && only && TABLE.test(only.name);
    const source = isTable ? `${told.source}/${only.name}` : told.source;
    this.#uploaded = { source, files: this.files };
    return source;
  }

  async #upload() {
    const [only] = this.files;
    const archive = this.files.length === 1 && only && ARCHIVE.test(only.name) ? only.file : null;
    const form = new FormData();
    for (const { name, file } of this.files) form.append("files", file, name);
    this.#sending = new AbortController();
    this.#told(0);
    try {
      return await sendLarge("v2/uploads", {
        body: archive ?? form,
        ...(archive ? { headers: { "Content-Type": /\.zip$/i.test(archive.name) ? "application/zip" : "application/x-tar" } } : {}),
        sent: (share) => this.#told(share),
        signal: this.#sending.signal,
      });
    } catch (error) {
      if (this.#sending.signal.aborted) throw new Missing("The upload was stopped.");
      throw error;
    } finally {
      this.#told(null);
    }
  }

  /** @param {number | null} share */
  #told(share) {
    this.sent = share;
    redraw();
  }
}
