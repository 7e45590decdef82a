// Runs: a model's answers to each row of a data set, as the API tells of them, and what follows from it.

import { counted, duration, number, percent } from "./format.js";

/**
 * @typedef {object} Run
 * @property {string} id
 * @property {string} name
 * @property {string} state
 * @property {{error_type: string, message: string} | null} error
 * @property {string} model
 * @property {string} version
 * @property {string} task
 * @property {string} format
 * @property {string} source
 * @property {string} [query] of a data base
 * @property {string} [order_by]
 * @property {string} out
 * @property {Record<string, any>} parameters
 * @property {Record<string, any>} inputs
 * @property {{id: string, fields: Record<string, string>}} [columns]
 * @property {number | null} [every]
 * @property {string | number | null} [frames]
 * @property {Record<string, number>} [split]
 * @property {string} [images]
 * @property {string} [media_prefix]
 * @property {boolean} [overwrite]
 * @property {number} [shard_rows]
 * @property {number | null} [max_errors]
 * @property {number | null} [deadline_s]
 * @property {number | null} [kept_s]
 * @property {string | null} [webhook_host]
 * @property {string | null} tenant
 * @property {number} priority
 * @property {string} created_at
 * @property {string | null} started_at
 * @property {string | null} ended_at
 * @property {string | null} expires_at
 * @property {{total: number | null, read: number, answered: number, failed: number, reused: number, in_flight: number}} rows
 * @property {number} rows_per_s
 * @property {string | null} estimated_end_at
 * @property {number} device_seconds
 * @property {number | null} max_device_seconds
 * @property {{total: number, done: number, running: number}} shards
 * @property {Record<string, number>} labels
 * @property {number[]} scores how many in each twentieth of 0 to 1
 * @property {boolean} [first_labels] whether labels and scores are those of each row's first
 * @property {Record<string, number>} error_types
 * @property {number} warned
 * @property {string[]} notes
 * @property {{step: string, reason: string, since: string} | null} [waiting_for] what lies outside and keeps it from going on
 * @property {boolean} [reuse] whether rows that earlier runs answered are taken from them
 * @property {Record<string, number>} left_out files that are no rows, by suffix
 * @property {{files: {name: string, bytes: number}[], files_total: number, bytes: number, place: string | null} | null} output
 * @property {number} sample
 * @property {boolean} held
 * @property {{following: boolean, finishing: boolean, every_s: number, part_every_s?: number, for_s?: number | null, since: string | null, found_at: string | null, files: number, waiting: number, trouble: string} | null} [follow]
 * @property {string | null} [looked_at]
 * @property {Record<string, any>} metadata
 * @property {string | null} cloned_from
 * @property {string | null} [compare] the run that it is held against at its end
 * @property {boolean} [near_duplicates]
 *
 * @typedef {object} SheetRow one row of a data set, and what was answered
 * @property {number} index
 * @property {string} id
 * @property {string} path
 * @property {[number, number] | null} size of its picture
 * @property {"answered" | "failed"} state
 * @property {{error_type: string, message: string} | null} error
 * @property {string} warning
 * @property {{label: string, score: number | null}[]} labels
 * @property {number | null} score
 * @property {{outputs: import("./tensors.js").Tensor[]} | null} answer
 * @property {string} [picture_url]
 * @property {Record<string, any> | null} [frame]
 * @property {string} [text]
 */

const OVER = ["succeeded", "failed", "canceled", "expired"];

/** Whether it stays as it is. @param {Run} run */
export function isOver({ state }) {
  return OVER.includes(state);
}

/** Whether something of it is being done. @param {Run} run */
export function goesOn({ state }) {
  return ["planning", "running", "merging"].includes(state);
}

/** Whether it takes what comes to its source. @param {Run} run */
export function follows({ follow }) {
  return Boolean(follow?.following);
}

/** Whether it ended otherwise than it should, and may go on. @param {Run} run */
export function mayRetry({ state }) {
  return ["failed", "canceled", "expired"].includes(state);
}

/** Whether all its rows are done, though it has no output: any format can be made of them. @param {Run} run */
export function isRescued(run) {
  return mayRetry(run) && run.shards.total > 0 && run.shards.done === run.shards.total;
}

/** What it is called. @param {{id: string, name: string}} run */
export function nameOf({ id, name }) {
  return name || id;
}

/** Rows that are answered or have failed. @param {Run} run */
export function doneOf({ rows }) {
  return rows.answered + rows.failed;
}

/**
 * How far it has come, in words.
 * @param {Run} run
 */
export function progressWords(run) {
  const done = doneOf(run);
  const { total } = run.rows;
  if (total === null || total === undefined) {
    if (isOver(run)) return done ? counted(done, "row") : "no rows";
    return done ? `${counted(done, "row")} so far` : "counting the rows";
  }
  return `${number(done)} of ${counted(total, "row")}${total ? ` (${percent(done / total)})` : ""}`;
}

/**
 * In how long it should be done.
 * @param {Run} run
 */
export function remaining(run) {
  if (!run.estimated_end_at || !goesOn(run)) return "–";
  const left = (Date.parse(run.estimated_end_at) - Date.now()) / 1000;
  return left > 1 ? duration(Math.round(left)) : "soon";
}

/** The address of a run below `v2/`. @param {string} id @param {string} [tail] */
export function pathOf(id, tail = "") {
  return `v2/runs/${encodeURIComponent(id)}${tail}`;
}
