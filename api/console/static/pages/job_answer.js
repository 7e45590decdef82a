// A job's answer, row by row, and as JSON.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { drawAnswer } from "../answers/answer.js";
import { codeBlock } from "../lib/copy.js";
import { failure } from "../lib/failure.js";
import { counted, number } from "../lib/format.js";
import { redraw } from "../lib/redraw.js";
import { rowCount } from "../lib/tensors.js";

/**
 * @typedef {import("../lib/job_list.js").Job} Job
 * @typedef {object} Shown
 * @property {any} request
 * @property {any} response
 * @property {Error | null} noResponse
 * @property {boolean} isReading
 * @property {() => Promise<void>} readResponse
 * @property {string} renderer
 * @property {number} drawn rows
 */

/** Rows of an answer that are drawn at once. */
export const DRAWN = 8;

/** Characters of an answer's JSON that are shown. */
const LONGEST = 100_000;

/**
 * @param {Shown} here
 * @param {Job} it
 */
export function jobAnswer(here, it) {
  if (!it.finished_at) return html`<p class="muted" role="status">It stands here when the job is done.</p>`;
  if (it.status !== "succeeded") return html`<p class="muted">There is none: the job ${ENDED[it.status] ?? "failed"}.</p>`;
  if (here.noResponse) return failure(here.noResponse, here.readResponse);
  if (here.isReading) return html`<p class="muted" role="status">Loading…</p>`;
  if (!here.response) {
    return html`<p>It has ${counted(it.rows, "row")}.</p>
      <div class="buttons"><button type="button" @click=${here.readResponse}>Read and draw it</button></div>`;
  }
  return rows(here, it);
}

/** @type {Record<string, string>} */
const ENDED = { canceled: "was canceled", expired: "did not start in time" };

/**
 * @param {Shown} here
 * @param {Job} it
 */
function rows(here, it) {
  const { response, renderer } = here;
  const count = Math.max(1, rowCount(response));
  const request = here.request ?? { inputs: [] };
  const more = () => {
    here.drawn += DRAWN;
    redraw();
  };
  const numbers = Array.from({ length: Math.min(count, here.drawn) }, (_, row) => row);
  return html`<div class="stack job-rows">
      ${numbers.map(
        (row) => html`<div>
          ${count > 1 ? html`<h3>Row ${row}</h3>` : nothing}
          ${drawAnswer({ task: it.task, model: it.model_name, renderer, request, response, row, redraw })}
        </div>`,
      )}
    </div>
    ${
      count > here.drawn
        ? html`<div class="buttons"><button type="button" @click=${more}>Show more of ${number(count)} rows</button></div>`
        : nothing
    }
    <details>
      <summary>As JSON</summary>
      ${guard([response], () => json(response))}
    </details>`;
}

/**
 * JSON has no NaN and no infinity: they are told as they are called.
 * @param {string} _
 * @param {unknown} value
 */
function told(_, value) {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** @param {any} response */
function json(response) {
  const text = JSON.stringify(response, told, 1);
  return html`${codeBlock(text.slice(0, LONGEST), "the answer as JSON")}
    ${text.length > LONGEST ? html`<p class="muted">The first ${number(LONGEST)} of ${number(text.length)} characters.</p>` : nothing}`;
}
