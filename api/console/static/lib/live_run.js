// One run as a page holds it: read once, then as its events tell of it.

import { HttpError, KEY_CHANGED, callJson, follow } from "./http.js";
import { pause } from "./lifetime.js";
import { redraw } from "./redraw.js";
import { isOver, pathOf } from "./runs.js";

/** @typedef {import("./runs.js").Run} Run */

/** Seconds between two tries to hear of it. */
const RETRY_S = 2;

export class LiveRun {
  /** @type {Run | null} */
  run = null;
  /** @type {Error | null} */
  error = null;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** Whether there is none of this id. */
  get isUnknown() {
    return this.error instanceof HttpError && this.error.status === 404;
  }

  /** @param {AbortSignal} [signal] */
  look = async (signal) => {
    try {
      this.run = await callJson(pathOf(this.id), signal ? { signal } : {});
      this.error = null;
    } catch (error) {
      if (signal?.aborted) return;
      this.error = /** @type {Error} */ (error);
    }
    redraw();
  };

  /** Hear of it until it is over, or the signal says so. @param {AbortSignal} signal */
  async keep(signal) {
    while (!signal.aborted) {
      await this.look(signal);
      if (this.isUnknown || (this.run && isOver(this.run))) return;
      try {
        await follow(pathOf(this.id, "/events"), (told) => this.#heard(told.data), { signal });
      } catch {
        // the next look says what is wrong
      }
      await pause(RETRY_S * 1000, signal);
    }
  }

  /** @param {string} data */
  #heard(data) {
    const told = JSON.parse(data);
    if (told.id !== this.id) return;
    this.run = told;
    this.error = null;
    redraw();
  }
}

/** @type {Map<string, LiveRun>} those that pages look at */
const held = new Map();

addEventListener(KEY_CHANGED, () => held.clear());

/** Runs that are held when others come. */
const MOST = 4;

/**
 * The run of an id; the same one each time.
 * @param {string} id
 */
export function liveRun(id) {
  const run = held.get(id) ?? new LiveRun(id);
  held.delete(id);
  held.set(id, run);
  for (const old of [...held.keys()].slice(0, -MOST)) held.delete(old);
  return run;
}
