// What happened to a job and how long each part took: a bar, its legend, and every change.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { absolute, counted, duration } from "../lib/format.js";

/** @typedef {import("../lib/job_list.js").Job} Job */

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} kind its colour's class
 * @property {number} ms
 * @property {string} help
 */

/** @param {Job} job */
export function timeline(job) {
  const parts = partsOf(job);
  const whole = parts.reduce((sum, part) => sum + part.ms, 0);
  return html`
    ${whole > 0 ? bar(parts, whole) : nothing}
    <dl class="timeline-legend">
      ${parts.map(
        (part) => html`<div>
          <dt><span class="timeline-key ${part.kind}" aria-hidden="true"></span>${part.name}</dt>
          <dd><strong>${duration(part.ms / 1000)}</strong> <span class="help">${part.help}</span></dd>
        </div>`,
      )}
    </dl>
    ${changes(job)}
  `;
}

/**
 * @param {Part[]} parts
 * @param {number} whole
 */
function bar(parts, whole) {
  const said = parts.map((part) => `${part.name} ${duration(part.ms / 1000)}`).join(", ");
  return html`<div class="timeline-bar" role="img" aria-label=${said}>
    ${parts.map((part) => html`<span class=${part.kind} title="${part.name}: ${duration(part.ms / 1000)}" .style=${`flex-grow: ${part.ms / whole}`}></span>`)}
  </div>`;
}

/**
 * The parts of a job's life as far as it has come, in order.
 * @param {Job} job
 * @returns {Part[]}
 */
function partsOf(job) {
  const queued = Date.parse(lastQueued(job));
  if (!job.started_at || job.status === "queued") {
    const until = job.finished_at ? Date.parse(job.finished_at) : Date.now();
    return [part("Queued", "wait", until - queued, "waits for its turn")];
  }
  const started = Date.parse(job.started_at);
  const waited = part("Queued", "wait", started - queued, "until a worker claimed it");
  const ended = job.finished_at ? Date.parse(job.finished_at) : Date.now();
  if (!job.took) return [waited, part("Claimed", "compute", ended - started, "by a worker, in a batch")];
  const { decode_ms, device_wait_ms, compute_ms, output_ms, total_ms, batch_rows } = /** @type {Record<string, number>} */ (job.took);
  const rest = Math.max(0, ended - started - (total_ms ?? 0));
  return [
    waited,
    part("Decoded", "decode", decode_ms, "claim to rows that the model reads"),
    part("Waited for the device", "device", device_wait_ms, "while other batches computed"),
    part("Computed", "compute", compute_ms, `in a batch of ${counted(batch_rows ?? 1, "row")}`),
    part("Stored", "store", (output_ms ?? 0) + rest, "the answer written and handed in"),
  ];
}

/**
 * @param {string} name
 * @param {string} kind
 * @param {number | undefined} ms
 * @param {string} help
 * @returns {Part}
 */
function part(name, kind, ms = 0, help) {
  return { name, kind, ms: Math.max(0, ms), help };
}

/**
 * When it last began to wait: a job that lost its worker waits again.
 * @param {Job} job
 */
function lastQueued(job) {
  return job.history.findLast((change) => change.status === "queued")?.at ?? job.created_at;
}

/** @param {Job} job */
function changes(job) {
  return html`<ol class="timeline-changes" aria-label="Changes">
    ${job.history.map(
      (change) => html`<li>
        ${badge(change.status)}
        <time datetime=${change.at} title=${absolute(Date.parse(change.at))}>${clock(change.at)}</time>
        ${change.attempt ? html`<span class="muted">attempt ${change.attempt}</span>` : nothing}
        ${change.worker ? html`<span class="muted mono">${change.worker}</span>` : nothing}
      </li>`,
    )}
  </ol>`;
}

/** @param {string} at */
function clock(at) {
  const moment = new Date(at);
  const ms = String(moment.getMilliseconds()).padStart(3, "0");
  return `${moment.toLocaleTimeString("en-GB")}.${ms}`;
}
