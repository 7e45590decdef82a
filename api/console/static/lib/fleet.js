// What pages about models share: the repository's entries, and what the fleet counts of them.

import { KEY_CHANGED, callJson } from "./http.js";
import { redraw } from "./redraw.js";
import { isAdmin } from "./session.js";
import { Source } from "./source.js";

/**
 * @typedef {object} Entry a model of the repository's index
 * @property {string} name
 * @property {string} version
 * @property {string} status ready, cold, loading, failed, unloaded, unserved
 * @property {string} reason why it is unavailable; "" where it is not
 * @property {string} task
 * @property {string} family
 * @property {string} platform
 * @property {string[]} devices
 * @property {string} [note]
 * @property {string} [runtime]
 * @property {number} [bytes]
 * @property {number} [parameters]
 * @property {string} [dtype]
 * @property {number} [labels]
 *
 * @typedef {object} Counted
 * @property {number} [rowsPerS] over the last seconds that were looked at
 * @property {number} [rows] since counting began
 * @property {number} [fill] rows against the room of their batches, since counting began
 * @property {number} [failed] requests that failed
 * @property {number} waiting jobs
 * @property {number} running jobs
 */

/** Seconds between two looks, and over how many of them a rate goes. */
export const LOOK_S = 3;
const RATE_LOOKS = 5;

/** @type {Source<Entry[]>} every declared model */
export const entries = new Source(() => ({ path: "v2/repository/index", json: {} }));

/** @type {Map<string, Counted>} by model and version */
let counted = new Map();

/** @type {Map<string, {at: number, rows: number}[]>} */
const looks = new Map();

/** @param {{name: string, version: string}} model */
export function idOf(model) {
  return `${model.name}/${model.version}`;
}

/**
 * What is counted of a model.
 * @param {{name: string, version: string}} model
 * @returns {Counted}
 */
export function countedOf(model) {
  return counted.get(idOf(model)) ?? { waiting: 0, running: 0 };
}

/**
 * Look at the models and their counters.
 * @param {AbortSignal} signal
 */
export async function look(signal) {
  await Promise.all([entries.refresh(signal), count(signal)]);
}

addEventListener(KEY_CHANGED, () => {
  counted = new Map();
  looks.clear();
});

/** @param {AbortSignal} signal */
async function count(signal) {
  const [stats, queues] = await Promise.all([
    isAdmin() ? asked("v2/models/stats", signal) : null, // which counts all tenants' work
    asked("v2/queues", signal),
  ]);
  if (signal.aborted || !queues) return; // what was counted before stays, rather than noughts
  /** @type {Map<string, Counted>} */
  const found = new Map();
  for (const queue of queues.queues) {
    const own = found.get(`${queue.model}/${queue.version}`) ?? { waiting: 0, running: 0 };
    own.waiting += queue.waiting;
    own.running += queue.running;
    found.set(`${queue.model}/${queue.version}`, own);
  }
  for (const model of stats?.model_stats ?? []) {
    found.set(idOf(model), { ...(found.get(idOf(model)) ?? { waiting: 0, running: 0 }), ...read(model) });
  }
  counted = found;
  redraw();
}

/** @param {any} model of Triton's statistics */
function read(model) {
  const rows = model.inference_count;
  const now = performance.now();
  // Not those from before another page, or a tab that nobody looked at.
  const lately = (looks.get(idOf(model)) ?? []).filter(({ at }) => now - at < 3000 * LOOK_S * RATE_LOOKS);
  const seen = [...lately, { at: now, rows }].slice(-RATE_LOOKS - 1);
  looks.set(idOf(model), seen);
  const [first, last] = [seen[0], seen.at(-1)];
  const seconds = first && last ? (last.at - first.at) / 1000 : 0;
  return {
    rows,
    failed: model.inference_stats.fail.count,
    ...(rows ? { fill: model.parameters.batch_fill } : {}),
    ...(first && last && seconds > 0 ? { rowsPerS: Math.max(0, last.rows - first.rows) / seconds } : {}),
  };
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 */
async function asked(path, signal) {
  try {
    return await callJson(path, { signal });
  } catch {
    return null; // the list says what is wrong
  }
}
