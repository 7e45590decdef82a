// One job: what it was asked, what became of it and when, its answer, and what can be done with it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { badge } from "../lib/badge.js";
import { coded } from "../lib/code_words.js";
import { copyButton } from "../lib/copy.js";
import { callAnswer } from "../lib/exact_answer.js";
import { failure } from "../lib/failure.js";
import { absolute, counted, number, relative, time } from "../lib/format.js";
import { HttpError, KEY_CHANGED, callJson, follow } from "../lib/http.js";
import { again, pause, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { DRAWN, jobAnswer } from "./job_answer.js";
import { deeds } from "./job_deeds.js";
import { asked } from "./job_request.js";
import { timeline } from "./job_timeline.js";

/** @typedef {import("../lib/job_list.js").Job} Job */

/** Rows past which an answer is not fetched unasked. */
const UNASKED = 64;

/** Seconds between two looks at a waiting job's place. */
const LOOK_S = 2;

/** What is known of the job that is shown. */
class Shown {
  /** @type {Job | null} */
  job = null;
  /** @type {Error | null} */
  error = null;
  /** @type {any} the request, or why it is not there */
  request = null;
  /** @type {Error | null} */
  noRequest = null;
  /** @type {any} */
  response = null;
  /** @type {Error | null} */
  noResponse = null;
  renderer = "json";
  drawn = DRAWN;
  /** Tells one look at a job from the next: a dead letter lives again. */
  number = nextLook();
  #reading = false;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.path = `v2/jobs/${encodeURIComponent(id)}`;
  }

  get ended() {
    return Boolean(this.job?.finished_at);
  }

  /** @param {AbortSignal} signal */
  async keep(signal) {
    this.readRequest(signal);
    while (!signal.aborted) {
      await this.look(signal);
      if (this.error instanceof HttpError && this.error.status === 404) return;
      if (this.ended) return;
      try {
        await follow(`${this.path}/events`, () => this.look(signal), { signal });
      } catch (error) {
        if (signal.aborted) return;
        this.error = /** @type {Error} */ (error);
      }
      if (!this.ended) await pause(1000, signal);
    }
  }

  /** @param {AbortSignal} [signal] */
  look = async (signal) => {
    try {
      this.job = await callJson(this.path, signal ? { signal } : {});
      this.error = null;
    } catch (error) {
      if (signal?.aborted) return;
      this.error = /** @type {Error} */ (error);
    }
    if (this.job?.status === "succeeded" && this.job.rows <= UNASKED) this.readResponse();
    redraw();
  };

  /** @param {AbortSignal} [signal] */
  async readRequest(signal) {
    try {
      this.request = await callJson(`${this.path}/request`, signal ? { signal } : {});
    } catch (error) {
      if (signal?.aborted) return;
      this.noRequest = /** @type {Error} */ (error);
    }
    redraw();
  }

  readResponse = async () => {
    if (this.#reading || this.response || !this.job) return;
    this.#reading = true;
    this.noResponse = null;
    redraw();
    try {
      const task = await callJson(`v2/tasks/${encodeURIComponent(this.job.task)}`).catch(() => null);
      this.renderer = task?.widget?.renderer ?? "json";
      this.response = await callAnswer(`${this.path}/result`);
    } catch (error) {
      this.noResponse = /** @type {Error} */ (error);
    }
    this.#reading = false;
    redraw();
  };

  get isReading() {
    return this.#reading;
  }
}

/** @type {Shown | null} */
let shown = null;
let looks = 0;

addEventListener(KEY_CHANGED, () => {
  shown = null;
});

function afresh() {
  shown = null;
  redraw();
}

function nextLook() {
  looks += 1;
  return looks;
}

/** @param {string} id */
export function job(id) {
  if (shown?.id !== id) shown = new Shown(id);
  const here = shown;
  whileShown(`job ${id} ${here.number}`, (signal) => {
    here.keep(signal);
    again(signal, LOOK_S, async (stop) => {
      if (here.job?.status === "queued") await here.look(stop);
      else if (!here.ended) redraw();
    });
  });
  return html`
    <p class="crumbs"><a href="#/jobs">Jobs</a> / ${here.job ? here.job.model_name : "…"}</p>
    <div class="page-head">
      <h1 class="job-id">${id}</h1>
      <span aria-live="polite">${here.job ? badge(here.job.status) : nothing}</span>
      ${copyButton(id, "the job's id")}
    </div>
    ${here.error ? missing(here.error) : nothing} ${here.job ? all(here, here.job) : nothing}
  `;
}

/** @param {Error} error */
function missing(error) {
  if (!(error instanceof HttpError) || error.status !== 404) return failure(error);
  return html`<div class="empty">
    <p>There is no such job, or its time is over: an ended job is kept for a day, and one whose answer
    went to who waited for it for some minutes. <a href="#/jobs">See the jobs there are.</a></p>
  </div>`;
}

/**
 * @param {Shown} here
 * @param {Job} it
 */
function all(here, it) {
  return html`
    ${deeds(here, it, afresh)}
    ${it.error ? problem(it) : nothing}
    ${repeat(
      it.finished_at ? ["said", "done"] : ["done", "said"],
      (part) => part,
      (part) => html`<div class="columns">${part === "said" ? said(here, it) : done(it)}</div>`,
    )}
  `;
}

/**
 * What was asked and answered: first to be seen once there is an answer.
 * @param {Shown} here
 * @param {Job} it
 */
function said(here, it) {
  return html`<div class="card">
      <h2>Request</h2>
      ${asked(here)}
    </div>
    <div class="card">
      <h2>Answer</h2>
      ${jobAnswer(here, it)}
    </div>`;
}

/**
 * What was done with it so far.
 * @param {Job} it
 */
function done(it) {
  return html`<div class="card">
      <h2>Job</h2>
      ${facts(it)}
    </div>
    <div class="card">
      <h2>What happened</h2>
      ${timeline(it)}
    </div>`;
}

/** @param {Job} it */
function facts(it) {
  const waits = it.status === "queued";
  return html`<dl class="facts">
    <dt>Model</dt>
    <dd><a href=${href(["models", it.model_name])}>${it.model_name}</a>, version ${it.model_version}</dd>
    <dt>Task</dt>
    <dd>${it.task}</dd>
    <dt>Rows</dt>
    <dd>${number(it.rows)}</dd>
    <dt>Priority</dt>
    <dd>${it.priority}${it.priority === 9 ? ", the bulk lane" : ""}</dd>
    ${it.tenant ? html`<dt>Tenant</dt><dd>${it.tenant}</dd>` : nothing}
    <dt>Submitted</dt>
    <dd>${time(it.created_at)}</dd>
    ${
      waits
        ? html`<dt>Place</dt>
            <dd aria-live="polite">${place(it)}</dd>
            <dt>Should start</dt>
            <dd>${start(it)}</dd>`
        : nothing
    }
    <dt>Attempts</dt>
    <dd>${number(it.attempt)}</dd>
    ${it.worker ? html`<dt>Worker</dt><dd class="mono">${it.worker}</dd>` : nothing}
    ${it.trace_id ? html`<dt>Trace</dt><dd class="mono">${it.trace_id}</dd>` : nothing}
  </dl>`;
}

/** @param {Job} it */
function place(it) {
  if (!it.queue_position) return "next of its lane";
  return `${counted(it.queue_position, "job")} before it`;
}

/** @param {Job} it */
function start(it) {
  if (!it.estimated_start_at) return "not known yet: nothing of its kind has run lately";
  const at = Date.parse(it.estimated_start_at);
  return html`<time datetime=${it.estimated_start_at} title=${absolute(at)}>${at <= Date.now() ? "at any moment" : relative(at)}</time>`;
}

/** @param {Job} it */
function problem(it) {
  const error = /** @type {{type: string, message: string}} */ (it.error);
  return html`<div class="notice bad" role="alert">
    <p><strong>${error.type}</strong>: ${coded(error.message)}</p>
    <p>${ADVICE[error.type] ?? "Mend what the message names, then run it again."}</p>
  </div>`;
}

/** @type {Record<string, string>} by error type, what to do */
const ADVICE = {
  worker_lost: "Each worker that had it died. Look at the request and at the worker's log before you replay it.",
  deadline_exceeded: "It ran past its execution_timeout_s. Give it more time, or fewer rows.",
  out_of_memory: "Even one row did not fit the device. Send a smaller one, or serve a smaller model.",
  store_unavailable: "The blob store did not answer. Run it again when it is back.",
  model_failed: "No worker could load the model. The Fleet page has the reason.",
  backend_error: "The model raised. If it is not the input, the worker's log has the traceback.",
  invalid_row: "The input cannot be read. Mend it, then send it again.",
};
