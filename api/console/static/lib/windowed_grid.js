// Cards by the hundred thousand, of which the browser has those in sight: all of one height.

import { html } from "../vendor/lit-html/lit-html.js";
import { ref } from "../vendor/lit-html/directives/ref.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { redraw } from "./redraw.js";

/** Rows of cards above and below those in sight. */
const BESIDE = 1;

/** Cards that are filled within one frame, at rest and while rows go by: more would hold it up. */
const FILLED = 4;
const FILLED_MOVING = 1;

/** Milliseconds after the last row went by for which it is called moving. */
const MOVING_MS = 80;

export class WindowedGrid {
  /** @type {HTMLElement | null} */
  #scroller = null;
  #frame = 0;
  #top = 0;
  #wide = 1000;
  #high = 800;
  #rem = 16;
  #count = 0;
  #movedAt = 0;
  /** The card that the keys move from. */
  #active = 0;
  /** @type {Set<number>} cards in sight that are filled */
  #filled = new Set();
  #watch = new ResizeObserver(() => this.#look());

  /**
   * @param {object} given
   * @param {string} given.caption
   * @param {number} given.wide least width of a card, in rem
   * @param {number} given.high height of a card, in rem
   * @param {() => void} given.nearEnd called as long as the last cards are nearly in sight
   */
  constructor({ caption, wide, high, nearEnd }) {
    this.given = { caption, wide, high, nearEnd };
  }

  /** Make cards larger or smaller; the first in sight stays. @param {number} wide @param {number} high */
  resize(wide, high) {
    if (wide === this.given.wide && high === this.given.high) return;
    const first = this.#first;
    this.given = { ...this.given, wide, high };
    this.#top = Math.floor(first / this.#columns) * this.#rowPx;
    requestAnimationFrame(() => this.#scroller?.scrollTo(0, this.#top));
  }

  /** Show the first card. */
  toTop() {
    this.#top = this.#active = 0;
    this.#filled.clear();
    this.#scroller?.scrollTo(0, 0);
  }

  get #columns() {
    return Math.max(1, Math.floor(this.#wide / (this.given.wide * this.#rem)));
  }

  get #rowPx() {
    return this.given.high * this.#rem;
  }

  /** The first card in sight. */
  get #first() {
    return Math.floor(this.#top / this.#rowPx) * this.#columns;
  }

  /**
   * @param {number} count
   * @param {(at: number, filled: boolean) => unknown} card what is in one; quickly, where it is not to be filled yet
   */
  draw(count, card) {
    this.#count = count;
    const columns = this.#columns;
    const above = Math.max(0, Math.floor(this.#top / this.#rowPx) - BESIDE);
    const rows = Math.ceil(this.#high / this.#rowPx) + 1 + 2 * BESIDE;
    const last = Math.ceil(count / columns);
    const from = Math.max(0, Math.min(above, last - rows)) * columns;
    const drawn = Array.from({ length: Math.max(0, Math.min(count - from, rows * columns)) }, (_, at) => from + at);
    this.#fill(drawn);
    if ((last * this.#rowPx) - this.#top < 3 * this.#high) queueMicrotask(this.given.nearEnd);
    return html`<div class="sheet" role="region" aria-label=${this.given.caption} tabindex="0"
      .style=${`max-height: calc(${last * this.#rowPx}px + 2px)`}
      ${ref(this.#found)} @scroll=${this.#scrolled} @keydown=${this.#key}>
      <div .style=${`height: ${last * this.#rowPx}px`}>
        <ul class="sheet-cards" .style=${`transform: translateY(${(from / columns) * this.#rowPx}px);
          grid-template-columns: repeat(${columns}, minmax(0, 1fr)); grid-auto-rows: ${this.given.high}rem`}>
          ${repeat(
            drawn,
            (at) => at,
            (at) => html`<li data-at=${at} aria-setsize=${count} aria-posinset=${at + 1}
              @focusin=${() => { this.#active = at; }}>${card(at, this.#filled.has(at))}</li>`,
          )}
        </ul>
      </div>
    </div>`;
  }

  /** What `tabindex` a card's button has: the keys go on from one of them. @param {number} at */
  tabIndexOf(at) {
    return at === this.#active ? 0 : -1;
  }

  /**
   * A few more cards are filled now, the others in the next frames.
   * @param {number[]} drawn
   */
  #fill(drawn) {
    const wanted = new Set(drawn);
    for (const at of this.#filled) if (!wanted.has(at)) this.#filled.delete(at);
    const fresh = drawn.filter((at) => !this.#filled.has(at));
    const most = performance.now() - this.#movedAt < MOVING_MS ? FILLED_MOVING : FILLED;
    for (const at of fresh.slice(0, most)) this.#filled.add(at);
    if (fresh.length > most) requestAnimationFrame(redraw);
  }

  #found = (/** @type {Element | undefined} */ element) => {
    if (element === this.#scroller) return;
    this.#watch.disconnect();
    this.#scroller = element instanceof HTMLElement ? element : null;
    if (!this.#scroller) return;
    const [scroller, top] = [this.#scroller, this.#top];
    this.#watch.observe(scroller);
    requestAnimationFrame(() => {
      scroller.scrollTop = top; // who comes back finds what was looked at
      this.#look();
    });
  };

  #scrolled = () => {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#look());
  };

  #look() {
    const scroller = this.#scroller;
    if (!scroller?.isConnected || !scroller.clientWidth) return;
    this.#rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const row = Math.floor(this.#top / this.#rowPx);
    const before = `${row} ${this.#columns} ${this.#high} ${this.#rem}`;
    this.#top = scroller.scrollTop;
    this.#wide = scroller.clientWidth;
    this.#high = scroller.clientHeight;
    if (before === `${Math.floor(this.#top / this.#rowPx)} ${this.#columns} ${this.#high} ${this.#rem}`) return;
    this.#movedAt = performance.now();
    redraw();
  }

  #key = (/** @type {KeyboardEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const at = Number(target.closest("[data-at]")?.getAttribute("data-at") ?? Number.NaN);
    if (Number.isNaN(at) || !target.matches(".sheet-open") || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = this.#columns;
    const page = columns * Math.max(1, Math.floor(this.#high / this.#rowPx));
    /** @type {Record<string, number>} */
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page,
      PageUp: -page,
      Home: -at,
      End: this.#count - 1 - at,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.goTo(Math.max(0, Math.min(this.#count - 1, at + step)));
  };

  /** Bring a card into sight, and give it the focus. @param {number} at */
  goTo(at) {
    const scroller = this.#scroller;
    if (!scroller) return;
    this.#active = at;
    const top = Math.floor(at / this.#columns) * this.#rowPx;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + this.#rowPx > scroller.scrollTop + this.#high) scroller.scrollTop = top + this.#rowPx - this.#high;
    this.#look();
    redraw();
    queueMicrotask(() => { // after the draw that was asked for, before another key
      const button = scroller.querySelector(`[data-at="${at}"] .sheet-open`);
      if (button instanceof HTMLElement) button.focus({ preventScroll: true });
    });
  }
}
