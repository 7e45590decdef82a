// The jobs that a list shows: read page by page, and kept up to date by the stream of changes.

import { follow, callJson } from "./http.js";
import { pause } from "./lifetime.js";
import { redraw } from "./redraw.js";

/** Jobs read at once. */
const PAGE = 250;

/** Jobs held at most: the oldest go. */
const MOST = 20_000;

/** How long the head of the list may be behind while more changes than are told, in ms. */
const BEHIND = 3000;

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {string} status
 * @property {string} model_name
 * @property {string} model_version
 * @property {string} task
 * @property {number} rows
 * @property {number} priority
 * @property {number} attempt
 * @property {number | null} queue_position
 * @property {string | null} estimated_start_at
 * @property {string} created_at
 * @property {string | null} started_at
 * @property {string | null} finished_at
 * @property {string | null} worker
 * @property {{type: string, message: string} | null} error
 * @property {string | null} tenant
 * @property {Record<string, number> | null} took
 * @property {string | null} trace_id
 * @property {{status: string, at: string, attempt: number, worker?: string}[]} history
 */

/** One list: its filters hold for as long as it lives. */
export class JobList {
  /** @type {Job[]} newest first */
  jobs = [];
  /** @type {Job[]} that came while somebody was reading further down */
  held = [];
  /** @type {Error | null} why it is not up to date */
  error = null;
  /** Whether changes are heard of. */
  live = false;
  /** Whether the first page has been read. */
  read = false;
  loading = false;
  /** @type {string | null} */
  next = null;
  /** Whether some have an owner, who is to be told of. */
  hasTenants = false;
  /** Whether older jobs were let go, because there are too many to hold. */
  cut = false;
  /** @type {Map<string, Job>} */
  #known = new Map();
  #readAt = 0;
  /** Which page is waited for: the head read anew makes an older one's place another. */
  #turn = 0;
  #isBehind = false;

  /**
   * @param {URLSearchParams} filters as the API takes them
   * @param {() => boolean} mayMove whether new jobs may come in at the top now
   */
  constructor(filters, mayMove) {
    this.filters = filters;
    this.mayMove = mayMove;
  }

  /** @param {AbortSignal} signal */
  async keep(signal) {
    while (!signal.aborted) {
      try {
        await follow(`v2/jobs:events?${this.filters}`, (event) => this.#heard(event, signal), { signal });
      } catch (error) {
        if (signal.aborted) return;
        this.error = /** @type {Error} */ (error);
      }
      this.live = false;
      redraw();
      await pause(2000, signal);
    }
  }

  /** Read the jobs before the oldest that is here. */
  more = async () => {
    if (this.loading || !this.next) return;
    await this.#page(this.next);
  };

  /** Let those in that came meanwhile. */
  release = () => {
    if (!this.held.length) return;
    const held = this.held;
    this.held = [];
    this.#comeIn(held);
    redraw();
  };

  /**
   * @param {{event: string, data: string}} told
   * @param {AbortSignal} signal
   */
  #heard({ event, data }, signal) {
    if (event !== "jobs") return; // an error that ends it: the next try says which
    const { jobs, missed } = JSON.parse(data);
    if (!this.live) {
      this.live = true;
      this.error = null;
      if (this.read) this.#catchUp(signal);
      else this.#page("", signal);
    }
    if (missed) this.#catchUp(signal);
    this.#take(jobs);
    redraw();
  }

  /**
   * Read the head of the list again soon, once however much was missed.
   * @param {AbortSignal} signal
   */
  async #catchUp(signal) {
    if (this.#isBehind) return;
    this.#isBehind = true;
    do await pause(Math.max(100, this.#readAt + BEHIND - Date.now()), signal);
    while (!signal.aborted && !this.mayMove()); // who reads further down is not moved
    this.#isBehind = false;
    if (!signal.aborted) await this.#page("", signal);
  }

  /** @param {Job[]} jobs */
  #take(jobs) {
    const fresh = [];
    let gone = false;
    for (const job of jobs) {
      const known = this.#known.get(job.id);
      if (known && !this.#fits(job)) {
        this.#known.delete(job.id);
        gone = true;
      } else if (known) Object.assign(known, job);
      else if (this.read && this.#fits(job) && this.#isNewer(job)) fresh.push(job);
    }
    if (gone) {
      this.jobs = this.jobs.filter((job) => this.#known.has(job.id));
      this.held = this.held.filter((job) => this.#known.has(job.id));
    }
    if (fresh.length) this.#comeIn(fresh);
  }

  /**
   * Whether a job still is what was asked for: the stream tells of those that no longer are.
   * @param {Job} job
   */
  #fits(job) {
    const [status, error] = [this.filters.get("status"), this.filters.get("error")];
    return (!status || job.status === status) && (!error || job.error?.type === error);
  }

  /**
   * Whether it belongs above the oldest that was read: an older one comes with its page.
   * @param {Job} job
   */
  #isNewer(job) {
    const oldest = this.jobs.at(-1);
    return !this.next || !oldest || job.created_at > oldest.created_at;
  }

  /** @param {Job[]} fresh */
  #comeIn(fresh) {
    for (const job of fresh) this.#know(job);
    if (!this.mayMove()) {
      this.held.push(...fresh);
      return;
    }
    fresh.push(...this.held);
    this.held = [];
    fresh.sort(byAge);
    // They come in order, but for a few of the same moment.
    let at = 0;
    const oldest = /** @type {Job} */ (fresh.at(-1));
    while (at < this.jobs.length && byAge(/** @type {Job} */ (this.jobs[at]), oldest) < 0) at += 1;
    this.jobs = [...fresh, ...this.jobs.slice(0, at)].sort(byAge).concat(this.jobs.slice(at));
    this.#shorten();
  }

  /** @param {Job} job */
  #know(job) {
    this.#known.set(job.id, job);
    this.hasTenants ||= Boolean(job.tenant);
  }

  #shorten() {
    if (this.jobs.length <= MOST) return;
    for (const job of this.jobs.slice(MOST)) this.#known.delete(job.id);
    this.jobs = this.jobs.slice(0, MOST);
    this.next = null;
    this.cut = true;
  }

  /**
   * @param {string} after "" for the newest
   * @param {AbortSignal} [signal]
   */
  async #page(after, signal) {
    this.loading = true;
    this.#readAt = Date.now();
    this.#turn += 1;
    const turn = this.#turn;
    const before = new Set(after ? [] : this.jobs);
    redraw();
    const query = new URLSearchParams([...this.filters, ["limit", String(PAGE)], ["after", after]]);
    try {
      const page = await callJson(`v2/jobs?${query}`, signal ? { signal } : {});
      if (turn !== this.#turn) return;
      if (!after && this.read) this.#dropBelow(page.jobs[0], before);
      this.#put(page.jobs, page.next);
      this.error = null;
      this.read = true;
    } catch (error) {
      if (turn !== this.#turn) return;
      if (!signal?.aborted) this.error = /** @type {Error} */ (error);
    }
    this.loading = false;
    redraw();
  }

  /**
   * Keep what came while the head was read. What was missed may be anywhere below: the rest is read
   * anew when it comes into sight.
   * @param {Job | undefined} newest of the head
   * @param {Set<Job>} before those that were here when it was asked for
   */
  #dropBelow(newest, before) {
    this.jobs = this.jobs.filter((job) => !before.has(job) && job.created_at > (newest?.created_at ?? ""));
    this.held = [];
    this.cut = false;
    this.#known = new Map(this.jobs.map((job) => [job.id, job]));
  }

  /**
   * @param {Job[]} jobs
   * @param {string | null} next
   */
  #put(jobs, next) {
    const fresh = [];
    for (const job of jobs) {
      const known = this.#known.get(job.id);
      if (known) Object.assign(known, job);
      else {
        this.#know(job);
        fresh.push(job);
      }
    }
    this.jobs = this.jobs.concat(fresh);
    this.next = next;
    this.#shorten();
  }
}

/**
 * @param {Job} a
 * @param {Job} b
 */
function byAge(a, b) {
  return a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0;
}
