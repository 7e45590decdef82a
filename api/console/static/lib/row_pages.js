// The rows that a sheet shows: read page by page as one goes on, of which the last looked at are held.

import { callJson } from "./http.js";
import { redraw } from "./redraw.js";

/** Rows read at once. */
const PAGE = 100;

/** Pages whose rows are held; of the others it is known where they begin. */
const HELD = 24;

/** @typedef {{after: string, first: number, count: number, rows: any[] | null, used: number, asked: boolean}} Page */

/** @template Row */
export class RowPages {
  /** @type {Page[]} */
  #pages = [];
  /** Where the page after the last begins; null at the end. @type {string | null} */
  #next = "";
  #clock = 0;
  /** @type {AbortController} */
  #life = new AbortController();
  loading = false;
  /** Whether the first page has been read. */
  read = false;
  /** @type {Error | null} */
  error = null;
  /** What else the last answer told. @type {any} */
  told = null;

  /** @param {(page: {after: string, limit: number}) => string} path where a page is answered */
  constructor(path) {
    this.path = path;
  }

  /** Rows that are known to be there. */
  get length() {
    const last = this.#pages.at(-1);
    return last ? last.first + last.count : 0;
  }

  /** Whether the last row is known. */
  get ended() {
    return this.read && this.#next === null;
  }

  /**
   * A row; undefined while it is on its way.
   * @param {number} at its place in the sheet
   * @returns {Row | undefined}
   */
  at(at) {
    const page = this.#pages[this.#pageOf(at)];
    if (!page) return undefined;
    this.#clock += 1;
    page.used = this.#clock;
    if (!page.rows) void this.#bring(page);
    return page.rows?.[at - page.first];
  }

  /** The page that a row is on: pages are of about one size. @param {number} at */
  #pageOf(at) {
    let [low, high] = [0, this.#pages.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#pages[middle]?.first ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Read what follows the last row that is known. */
  more = async () => {
    if (this.loading || this.#next === null) return;
    this.loading = true;
    while (this.#next !== null) {
      const page = { after: this.#next, first: this.length, count: 0, rows: null, used: 0, asked: false };
      const told = await this.#ask(page);
      if (!told) break;
      this.#next = told.after ?? null;
      if (!page.count && this.#next !== null) continue; // the API looked through some of them, and wants to be asked again
      if (page.count || !this.#pages.length) this.#pages.push(page);
      this.read = true;
      this.#letGo();
      break;
    }
    this.loading = false;
    redraw();
  };

  /** Read the last page anew: a run that goes on has more rows by now. */
  goOn = async () => {
    if (!this.ended || this.loading) return;
    const last = this.#pages.at(-1);
    if (!last) return;
    this.loading = true;
    const told = await this.#ask(last);
    this.loading = false;
    if (told) this.#next = told.after ?? null;
    redraw();
  };

  /** Nobody looks at it any more. */
  leave() {
    this.#life.abort();
  }

  /** @param {Page} page */
  async #bring(page) {
    if (page.asked) return;
    page.asked = true;
    await this.#ask(page);
    page.asked = false;
    this.#letGo();
    redraw();
  }

  /** @param {Page} page */
  async #ask(page) {
    try {
      const told = await callJson(this.path({ after: page.after, limit: PAGE }), { signal: this.#life.signal });
      const known = new Map(page.rows?.map((row) => [row.index, row])); // the same objects: they are drawn already
      page.rows = told.rows.map((/** @type {any} */ row) => known.get(row.index) ?? row);
      page.count = told.rows.length;
      this.#clock += 1;
      page.used = this.#clock;
      this.error = null;
      this.told = told;
      return told;
    } catch (error) {
      if (!this.#life.signal.aborted) this.error = /** @type {Error} */ (error);
      return null;
    }
  }

  #letGo() {
    const held = this.#pages.filter(({ rows }) => rows);
    if (held.length <= HELD) return;
    held.sort((one, other) => one.used - other.used);
    for (const page of held.slice(0, held.length - HELD)) page.rows = null;
  }
}
