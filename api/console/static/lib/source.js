// Something that the API says, as a page holds it: not yet there, there, or why not.

import { HttpError, KEY_CHANGED, callJson } from "./http.js";
import { redraw } from "./redraw.js";

/**
 * What a path answers. `value` stays while it is asked again, and while that fails. One for what
 * there is one of: they are never dropped.
 * @template T
 */
export class Source {
  /** @type {T | null} */
  value = null;
  /** @type {Error | null} why the last try failed */
  error = null;
  /** @type {number} when the value came, in ms since the epoch */
  at = 0;

  /**
   * @param {() => {path: string} & import("./http.js").Call} ask what to call, asked each time
   * @param {(body: any) => T} [read] what the value is, out of the answer's JSON
   */
  constructor(ask, read = (body) => body) {
    this.ask = ask;
    this.read = read;
    addEventListener(KEY_CHANGED, this.forget);
  }

  /** Hold nothing, as before the first answer. */
  forget = () => {
    this.value = this.error = null;
  };

  /**
   * Ask the API, and have the page drawn.
   * @param {AbortSignal} [signal]
   */
  refresh = async (signal) => {
    const { path, ...call } = this.ask();
    try {
      this.value = this.read(await callJson(path, signal ? { ...call, signal } : call));
      this.error = null;
      this.at = Date.now();
    } catch (error) {
      if (signal?.aborted) return;
      this.error = error instanceof Error ? error : new HttpError(0, "", String(error));
    }
    redraw();
  };
}
