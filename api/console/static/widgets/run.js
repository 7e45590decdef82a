// One request on its way: sent as a job, waited for, called off.

import { callAnswer } from "../lib/exact_answer.js";
import { HttpError, callJson, follow } from "../lib/http.js";
import { pause } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { packed } from "./sending.js";

/** Seconds that one look waits for a job's end. Its place in the queue is as old as that. */
const LOOK_S = 1;

/**
 * @typedef {object} Job the job document, as far as it is shown
 * @property {string} id
 * @property {string} status
 * @property {number | null} queue_position
 * @property {string | null} estimated_start_at
 * @property {string} created_at
 * @property {string | null} started_at
 * @property {string | null} finished_at
 * @property {string | null} worker
 * @property {{type: string, message: string} | null} error
 */

/** Over, however it ended. */
const ENDED = ["succeeded", "failed", "canceled", "expired"];

/** A job of the page's, from its request to its answer. */
export class Run {
  /** @type {Job | null} */
  job = null;
  /** @type {import("./declaration.js").InferenceResponse | null} */
  response = null;
  /** @type {Error | null} */
  error = null;
  /** What was written so far, of an answer that is told while it is. */
  text = "";
  over = false;
  canceling = false;
  #left = new AbortController();

  /**
   * @param {object} asked
   * @param {string} asked.model
   * @param {string} asked.version
   * @param {import("./declaration.js").InferenceRequest} asked.request
   * @param {import("./given_file.js").GivenFile[]} asked.files those that the request holds
   * @param {boolean} asked.streams whether the answer is told while it is written
   */
  constructor({ model, version, request, files, streams }) {
    const named = version ? `/versions/${encodeURIComponent(version)}` : "";
    this.path = `v2/models/${encodeURIComponent(model)}${named}/jobs`;
    this.request = request;
    this.files = files;
    this.streams = streams;
  }

  /** Send it, and wait for its answer. What goes wrong is kept as `error`. */
  async go() {
    try {
      await this.#submit();
      const told = this.streams ? this.#listen().catch(() => undefined) : null; // the answer has it all
      while (!this.#ended) await this.#look();
      if (this.job?.status === "succeeded") this.response = await this.#ask("result");
      await told;
    } catch (error) {
      this.error = error instanceof Error ? error : new Error(String(error));
    }
    this.over = true;
    redraw();
  }

  /** Call it off: at once if it waits, at the end of its batch if it runs. */
  async cancel() {
    this.canceling = true;
    redraw();
    try {
      if (this.job) this.job = await callJson(`${this.#at}/cancel`, { method: "POST" });
    } catch (error) {
      this.error = error instanceof Error ? error : new Error(String(error));
    }
    redraw();
  }

  /** Wait no longer: another key is used. The job goes on. */
  leave() {
    this.#left.abort();
  }

  get #at() {
    return `v2/jobs/${encodeURIComponent(this.job?.id ?? "")}`;
  }

  get #ended() {
    return ENDED.includes(this.job?.status ?? "");
  }

  async #submit() {
    const parameters = { ...this.request.parameters, ...(this.streams ? { stream: true } : {}) };
    const { body, headers } = packed({ ...this.request, parameters }, this.files);
    if (!this.streams) headers.Prefer = `wait=${LOOK_S}`;
    this.job = await callJson(this.path, { body, headers, signal: this.#left.signal });
    redraw();
  }

  async #look() {
    this.job = await this.#ask(`?wait=${LOOK_S}`);
    redraw();
  }

  /** @param {string} what */
  async #ask(what) {
    const path = what.startsWith("?") ? `${this.#at}${what}` : `${this.#at}/${what}`;
    for (;;) {
      try {
        const read = what === "result" ? callAnswer : callJson;
        return await read(path, { signal: this.#left.signal });
      } catch (error) {
        if (!(error instanceof HttpError) || (error.status !== 0 && error.status !== 503)) throw error;
        await pause(1000, this.#left.signal); // the API is away; the job goes on
      }
    }
  }

  /** Hear the tokens, each once: after a lost worker they are told again. */
  async #listen() {
    let known = 0;
    await follow(`${this.#at}/stream`, ({ event, data }) => {
      if (event !== "tokens") return;
      const told = JSON.parse(data);
      if (told.row !== 0) return;
      /** @type {{text: string, special: boolean}[]} */
      const fresh = told.tokens.slice(Math.max(0, known - told.at));
      known = Math.max(known, told.at + told.tokens.length);
      this.text += fresh.length === told.tokens.length ? told.text : fresh.map((token) => token.text).join("");
      redraw();
    }, { signal: this.#left.signal });
  }
}
