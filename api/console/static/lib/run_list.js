// The runs that there are, newest first: read page by page, and kept up to date by the stream of changes.

import { callJson, follow } from "./http.js";
import { pause } from "./lifetime.js";
import { redraw } from "./redraw.js";

/** @typedef {import("./runs.js").Run} Run */

/** Runs read at once. */
const PAGE = 100;

/** Seconds between two tries to hear of changes. */
const RETRY_S = 3;

export class RunList {
  /** @type {Run[] | null} null until the first page has been read */
  value = null;
  /** @type {Error | null} why it is not up to date */
  error = null;
  /** Whether changes are heard of. */
  live = false;
  /** @type {string | null} where older ones go on */
  after = null;

  /** @param {AbortSignal} [signal] */
  refresh = async (signal) => {
    try {
      const page = await callJson(`v2/runs?limit=${PAGE}`, signal ? { signal } : {});
      this.value = page.runs;
      this.after = page.after ?? null;
      this.error = null;
    } catch (error) {
      if (signal?.aborted) return;
      this.error = /** @type {Error} */ (error);
    }
    redraw();
  };

  /** Read older ones. */
  more = async () => {
    if (!this.after) return;
    try {
      const page = await callJson(`v2/runs?limit=${PAGE}&after=${encodeURIComponent(this.after)}`);
      const known = new Set(this.value?.map(({ id }) => id));
      this.value = [...(this.value ?? []), ...page.runs.filter((/** @type {Run} */ { id }) => !known.has(id))];
      this.after = page.after ?? null;
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
    redraw();
  };

  /** Read them, and hear of what changes, until the signal says so. @param {AbortSignal} signal */
  async keep(signal) {
    while (!signal.aborted) {
      await this.refresh(signal); // what changed while nobody listened
      try {
        await follow("v2/runs:events", (told) => this.#heard(told.data), { signal });
      } catch (error) {
        if (signal.aborted) return;
        this.error = /** @type {Error} */ (error);
      }
      this.live = false;
      redraw();
      await pause(RETRY_S * 1000, signal);
    }
  }

  /** Take one off the list: it was forgotten. @param {string} id */
  drop(id) {
    this.value = this.value?.filter((run) => run.id !== id) ?? null;
  }

  /** @param {string} data */
  #heard(data) {
    const told = JSON.parse(data);
    this.live = true;
    for (const run of told.runs ?? [told]) if (run.id && run.state) this.#take(run);
    redraw();
  }

  /** @param {Run} run */
  #take(run) {
    const list = this.value ?? [];
    const at = list.findIndex(({ id }) => id === run.id);
    this.value = at < 0 ? [run, ...list] : list.with(at, run);
  }
}
