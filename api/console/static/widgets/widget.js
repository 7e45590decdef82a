// A model's widget: give an input, set parameters, run it, see the answer, take the request along.

import { html } from "../vendor/lit-html/lit-html.js";
import { hasKey } from "../lib/http.js";
import { redraw } from "../lib/redraw.js";
import { codeBlock, copyButton } from "../lib/copy.js";
import { drawAnswer } from "../answers/answer.js";
import { controlsOf } from "./controls.js";
import { FORMS, curlCommand, oipJson, pythonProgram } from "./code.js";
import { Missing } from "./declaration.js";
import { ParameterForm } from "./parameters.js";
import { drawProgress } from "./progress.js";
import { Run } from "./run.js";

/**
 * @typedef {object} Model what `GET /v2/models/{model}` tells, as far as a widget wants to know
 * @property {string} name
 * @property {Record<string, any>} parameters
 */

/** The widget of one model. It keeps what was given and answered for as long as it is kept itself. */
export class Widget {
  /** @type {Run | null} the last one */
  run = null;
  /** What keeps the last try from being sent. */
  missing = "";
  /** How the request is shown. */
  form = "curl";
  /** Whether it is: with pictures in it, it takes time to write. */
  showsCode = false;

  /**
   * @param {Model} model
   * @param {string} version "" for the one that is meant where none is named
   * @param {import("./declaration.js").Task} task
   */
  constructor(model, version, task) {
    this.model = model;
    this.version = version;
    this.task = task;
    this.controls = controlsOf(task);
    this.parameters = new ParameterForm(task.parameters);
  }

  /** Draw it. */
  draw() {
    const running = this.run !== null && !this.run.over;
    return html`<div class="widget">
      <form class="stack" novalidate aria-label=${`Try ${this.model.name}`} @submit=${this.send}>
        ${this.controls.filter(({ aside }) => !aside).map(({ control }) => control.draw())}
        ${this.drawAside()}
        ${this.parameters.draw()}
        ${this.missing ? html`<p class="notice bad" role="alert">${this.missing}</p>` : ""}
        <div class="buttons">
          <button class="primary" ?disabled=${running}>Run</button>
          ${running ? html`<button type="button" ?disabled=${this.run?.canceling || !this.run?.job} @click=${this.cancel}>Cancel</button>` : ""}
          <button type="button" ?disabled=${running} @click=${this.useExample}>Use the example</button>
        </div>
      </form>
      <div class="stack widget-answer" aria-live="polite" aria-busy=${running ? "true" : "false"}>
        ${this.run ? drawProgress(this.run, this.showsText) : html`<p class="muted">The answer comes here.</p>`}
        ${this.drawAnswer()}
      </div>
      ${this.drawCode()}
    </div>`;
  }

  /** What a request is as good without. */
  drawAside() {
    const aside = this.controls.filter((shown) => shown.aside);
    if (!aside.length) return "";
    return html`<details><summary>More inputs (optional)</summary>
      <div class="stack">${aside.map(({ control }) => control.draw())}</div></details>`;
  }

  drawAnswer() {
    const response = this.run?.response;
    if (!response || !this.run || this.controls.some(({ control }) => control.settled)) return "";
    const { name: task, widget } = this.task;
    const { request } = this.run;
    return drawAnswer({ task, model: this.model.name, renderer: widget.renderer, request, response, row: 0, redraw });
  }

  /** The request, to be sent without this page. */
  drawCode() {
    return html`<details class="widget-code" @toggle=${this.toggledCode}><summary>This request as code</summary>
      ${this.showsCode ? html`<div class="stack">
        <div class="buttons" role="group" aria-label="Form of the request">
          ${Object.entries(FORMS).map(
            ([form, title]) => html`<button type="button" class="small" aria-pressed=${this.form === form}
              @click=${() => { this.form = form; redraw(); }}>${title}</button>`,
          )}
        </div>
        ${this.drawForm()}
      </div>` : ""}
    </details>`;
  }

  drawForm() {
    let request;
    try {
      request = this.request();
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      if (!this.run) return html`<p class="muted">${error.message}</p>`;
      request = this.run.request; // the one that was sent
    }
    const { name: model } = this.model;
    const { task, version, files } = this;
    const asked = { model, version, task, request, files, keyed: hasKey() };
    if (this.form === "python" && version) {
      return html`<p class="muted">The client sends to the last version. Use curl, or the JSON, for this one.</p>`;
    }
    if (this.form === "python") return codeBlock(pythonProgram(asked), "The request in Python");
    if (this.form === "json") {
      return html`<div class="code">
        <pre tabindex="0" role="region" aria-label="The request as JSON">${oipJson(asked, false)}</pre>
        ${copyButton(() => oipJson(asked, true), "the request as JSON")}
      </div>`;
    }
    return codeBlock(curlCommand(asked), "The request with curl");
  }

  /** @param {Event} event */
  toggledCode = (event) => {
    this.showsCode = /** @type {HTMLDetailsElement} */ (event.target).open;
    redraw();
  };

  /** The files that the request holds. */
  get files() {
    return this.controls.flatMap(({ control }) => control.files ?? []);
  }

  /** Whether what is written so far is shown with the progress, not by a control. */
  get showsText() {
    return !this.controls.some(({ control }) => control.settled);
  }

  /**
   * What was given, as it is sent. Throws Missing.
   * @returns {import("./declaration.js").InferenceRequest}
   */
  request() {
    const inputs = this.controls.flatMap(({ control }) => control.tensors());
    if (!inputs.length) throw new Missing("Give one of the inputs.");
    const parameters = this.parameters.given();
    // A file says its rate itself; with one named beside it, it would be taken for raw samples.
    if (this.files.some((file) => file.kind)) delete parameters.sample_rate;
    return Object.keys(parameters).length ? { inputs, parameters } : { inputs };
  }

  /** @param {Event} [event] */
  send = (event) => {
    event?.preventDefault();
    if (this.run && !this.run.over) return;
    try {
      const request = this.request();
      this.missing = "";
      void this.#go(request);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      this.missing = error.message;
    }
    redraw();
  };

  /** @param {import("./declaration.js").InferenceRequest} request */
  async #go(request) {
    const { name: model } = this.model;
    const { version, files } = this;
    const run = new Run({ model, version, request, files, streams: this.task.streams });
    this.run = run;
    for (const { control } of this.controls) control.begun?.(run);
    await run.go();
    for (const { control } of this.controls) control.settled?.(run);
    redraw();
  }

  cancel = () => {
    void this.run?.cancel();
  };

  useExample = () => {
    const { request } = this.task.example;
    for (const { control } of this.controls) control.fill(request.inputs);
    this.parameters.fill(request.parameters ?? {});
    this.missing = "";
    redraw();
  };

  /** Nobody may look at its answer any more. */
  leave() {
    this.stop();
    this.run?.leave();
  }

  /** The page was left: let go of what it holds of the machine. */
  stop() {
    for (const { control } of this.controls) control.stop?.();
  }
}
