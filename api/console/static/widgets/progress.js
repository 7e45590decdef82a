// Where a request stands: in the queue, on a worker, done, and the job behind it.

import { html } from "../vendor/lit-html/lit-html.js";
import { duration, relative } from "../lib/format.js";
import { href } from "../lib/router.js";

/** What the states mean here. @type {Record<string, string>} */
const STATES = { canceled: "Canceled.", expired: "It did not start in time.", failed: "Failed." };

/**
 * @param {import("./run.js").Run} run
 * @param {boolean} withText whether what is written so far is shown
 */
export function drawProgress(run, withText) {
  return html`<div class="widget-progress">
    ${run.over ? "" : html`<progress aria-label="Waiting for the answer"></progress>`}
    <p>${words(run)} ${run.job ? html`<a href=${href(["jobs", run.job.id])}>The job</a>` : ""}</p>
    ${run.error ? html`<p class="notice bad" role="alert">${run.error.message}</p>` : ""}
    ${run.job?.error && !run.error ? html`<p class="notice bad" role="alert">${run.job.error.message}</p>` : ""}
    ${withText && !run.over && run.text ? html`<p class="widget-text">${run.text}</p>` : ""}
  </div>`;
}

/** @param {import("./run.js").Run} run */
function words(run) {
  const { job } = run;
  if (!job) return run.over ? "It was not sent." : "Sending…";
  if (run.canceling && !run.over) return "Canceling: it ends with its batch…";
  if (job.status === "queued") return `${place(job)}${estimate(job)}`;
  if (job.status === "running" && !run.over) return "A worker has begun…";
  if (job.status === "succeeded") return took(job);
  return STATES[job.status] ?? job.status;
}

/** @param {import("./run.js").Job} job */
function place({ queue_position: before }) {
  if (before === null) return "Waiting…";
  return before === 0 ? "Next in the queue" : `In the queue, ${before} before it`;
}

/** @param {import("./run.js").Job} job */
function estimate({ estimated_start_at: at }) {
  if (!at) return "…";
  const ms = Date.parse(at);
  return ms > Date.now() + 1000 ? `; it starts about ${relative(ms)}…` : "; it starts any moment…";
}

/** @param {import("./run.js").Job} job */
function took({ created_at: created, started_at: started, finished_at: finished, worker }) {
  if (!started || !finished) return "Done.";
  const [a, b, c] = [created, started, finished].map(Date.parse);
  const seconds = (/** @type {number} */ from, /** @type {number} */ to) => duration((to - from) / 1000);
  if (a === undefined || b === undefined || c === undefined) return "Done.";
  return `Done in ${seconds(a, c)}: ${seconds(a, b)} in the queue, ${seconds(b, c)} on ${worker?.replace(/#[^#]*$/, "") ?? "a worker"}.`;
}
