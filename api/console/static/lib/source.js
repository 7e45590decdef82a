// Something that the API says, as a page holds it: not yet there, there, or why not.

import { HttpError, KEY_CHANGED, callJson } from "./http.js";
import { redraw } from "./redraw.js";

/** @type {Set<WeakRef<Source<any>>>} those that pages still hold, and some that are gone */
const held = new Set();

// What one key's owner could see is not the next one's.
addEventListener(KEY_CHANGED, () => {
  for (const one of held) {
    const source = one.deref();
    if (source) source.forget();
    else held.delete(one);
  }
});

/**
 * What a path answers. `value` stays while it is asked again, and while that fails.
 * @template T
 */
export class Source {
  /** @type {T | null} */
  value = null;
  /** @type {Error | null} why the last try failed */
  error = null;
  /** @type {number} when the value came, in ms since the epoch */
  at = 0;
  /** Which answer is waited for: one that was asked for before, or for another key, comes too late. */
  #turn = 0;

  /**
   * @param {() => {path: string} & import("./http.js").Call} ask what to call, asked each time
   * @param {(body: any) => T} [read] what the value is, out of the answer's JSON
   */
  constructor(ask, read = (body) => body) {
    this.ask = ask;
    this.read = read;
    held.add(new WeakRef(this));
  }

  /** Hold nothing, as before the first answer. */
  forget = () => {
    this.#turn += 1;
    this.value = this.error = null;
  };

  /**
   * Ask the API, and have the page drawn.
   * @param {AbortSignal} [signal]
   */
  refresh = async (signal) => {
    const { path, ...call } = this.ask();
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const body = await callJson(path, signal ? { ...call, signal } : call);
      if (turn !== this.#turn) return;
      this.value = this.read(body);
      this.error = null;
      this.at = Date.now();
    } catch (error) {
      if (signal?.aborted || turn !== this.#turn) return;
      this.error = error instanceof Error ? error : new HttpError(0, "", String(error));
    }
    redraw();
  };
}
