// What the charts of the fleet's history show, and what to do when one looks bad.

import { html } from "../vendor/lit-html/lit-html.js";
import { duration, number, percent } from "../lib/format.js";

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {string} title
 * @property {import("../lib/chart.js").Line[]} lines
 * @property {(value: number) => string} format
 * @property {number} [top] of its scale
 * @property {unknown} advice
 */

/** @param {number} value */
const perSecond = (value) => `${number(value)} /s`;

/** @type {Kind[]} */
export const KINDS = [
  {
    name: "rate",
    title: "Jobs a second",
    lines: [
      { column: "submitted_per_s", title: "submitted", colour: "--series-2" },
      { column: "succeeded_per_s", title: "succeeded", colour: "--series-1" },
    ],
    format: perSecond,
    advice: "More submitted than succeeded for minutes: the queue grows. Start another worker of the family that waits.",
  },
  {
    name: "latency",
    title: "Time from submit to answer",
    lines: [
      { column: "p99_ms", title: "99 of 100 within", colour: "--series-2" },
      { column: "p50_ms", title: "half within", colour: "--series-1" },
    ],
    format: (ms) => duration(ms / 1000),
    advice:
      "Both rise with the queue: see below who waits. Only the 99 rise: some stand behind long batches; give their model a smaller max_batch_size, or send bulk work with priority 9.",
  },
  {
    name: "depth",
    title: "Jobs waiting and running",
    lines: [
      { column: "waiting", title: "waiting", colour: "--series-2" },
      { column: "running", title: "running", colour: "--series-1" },
    ],
    format: number,
    advice: "Waiting grows without end: more is sent than the fleet can do. Add workers, or let the API refuse earlier (WHERRY_MAX_WAITING).",
  },
  {
    name: "oldest",
    title: "Age of the oldest that waits",
    lines: [{ column: "oldest_s", title: "oldest", colour: "--series-2" }],
    format: duration,
    advice:
      "It grows while few wait: nobody serves that model, or the tenant's weight is small. Look for it under Queues, and for its model under Workers.",
  },
  {
    name: "fill",
    title: "Batches filled",
    lines: [{ column: "batch_fill", title: "rows of the places", colour: "--series-1" }],
    format: percent,
    top: 1,
    advice:
      "Low is fine while nobody waits. Low with a queue: jobs differ in parameters, or have many rows each; or max_batch_size is more than ever comes. A queue delay (max_queue_delay_microseconds) fills batches at the price of time.",
  },
  {
    name: "busy",
    title: "Devices busy",
    lines: [{ column: "busy_share", title: "share of the time", colour: "--series-1" }],
    format: percent,
    top: 1,
    advice:
      "Near 100 % with a queue: the devices are the limit; add one, or a faster backend (wherry tune). Low with a queue: workers wait for something else, such as decoding files: give them cores.",
  },
  {
    name: "failures",
    title: "Failed and canceled a second",
    lines: [
      { column: "failed_per_s", title: "failed", colour: "--series-5" },
      { column: "canceled_per_s", title: "canceled", colour: "--series-3" },
    ],
    format: perSecond,
    advice: html`Any that fail: <a href="#/jobs?status=failed">the failed jobs</a> say why. Many at once, of all models: look whether Redis or the blob store is away.`,
  },
];
