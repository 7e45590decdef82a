// What an answer found, as a list beside its drawing: to mark, to hide, to keep by score.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { number } from "../lib/format.js";
import { kept } from "./kept.js";

/** Rows shown of a list before it is asked for more. */
const SHOWN = 100;

/**
 * @typedef {object} Item
 * @property {number} id its place in the answer
 * @property {string} label
 * @property {number} [score]
 * @property {unknown[]} [cells] further columns
 */

/**
 * @typedef {object} State
 * @property {number} threshold
 * @property {Set<number>} hidden
 * @property {number | null} marked
 * @property {number} shown rows of the list
 * @property {Map<string, number>} colours by label
 */

/**
 * What the reader has set of one row's items.
 * @param {import("./answer.js").Answer} answer
 * @returns {State}
 */
export function stateOf({ response, row }) {
  return kept(response, `items ${row}`, () => ({
    threshold: -Infinity,
    hidden: new Set(),
    marked: null,
    shown: SHOWN,
    colours: new Map(),
  }));
}

/**
 * Mark an item, or none.
 * @param {import("./answer.js").Answer} answer
 * @param {number | null} id
 */
export function mark(answer, id) {
  const state = stateOf(answer);
  if (state.marked === id) return;
  state.marked = id;
  answer.redraw();
}

/**
 * The colour of a label, 1 to 6: each new one the next.
 * @param {State} state
 * @param {string} label
 */
export function colourOf(state, label) {
  const known = state.colours.get(label) ?? (state.colours.size % 6) + 1;
  state.colours.set(label, known);
  return known;
}

/**
 * Whether an item is drawn.
 * @param {State} state
 * @param {Item} item
 */
export function isShown(state, { id, score }) {
  return !state.hidden.has(id) && (score ?? Infinity) >= state.threshold;
}

/**
 * The list, with its threshold.
 * @param {import("./answer.js").Answer} answer
 * @param {object} given
 * @param {string} given.caption
 * @param {string} given.head what a label is: "Label", "Entity"
 * @param {string[]} [given.heads] of the further columns
 * @param {Item[]} given.items
 * @param {boolean} [given.fixed] none can be hidden
 */
export function itemList(answer, { caption, head, heads = [], items, fixed = false }) {
  const state = stateOf(answer);
  if (!items.length) return html`<p class="answer-note">Nothing was found.</p>`;
  const scored = items.some(({ score }) => score !== undefined);
  const kept = items.filter(({ score }) => (score ?? Infinity) >= state.threshold);
  return html`<div class="answer-list">
    ${scored && items.length > 1 && !fixed ? threshold(answer, items, kept.length) : nothing}
    <div class="table-scroll" role="group" aria-label=${caption} tabindex="0">
      <table class="answer-items">
        <caption class="visually-hidden">${caption}</caption>
        <thead>
          <tr>
            ${fixed ? nothing : html`<th scope="col">Shown</th>`}
            <th scope="col">${head}</th>
            ${scored ? html`<th scope="col" class="number">Score</th>` : nothing}
            ${heads.map((text) => html`<th scope="col">${text}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${repeat(
            kept.slice(0, state.shown),
            ({ id }) => id,
            (item) => line(answer, item, scored, fixed),
          )}
        </tbody>
      </table>
    </div>
    ${kept.length > state.shown ? more(answer, kept.length) : nothing}
  </div>`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {Item} item
 * @param {boolean} scored
 * @param {boolean} fixed
 */
function line(answer, { id, label, score, cells = [] }, scored, fixed) {
  const state = stateOf(answer);
  const on = () => mark(answer, id);
  const off = () => mark(answer, null);
  return html`<tr
    class=${state.marked === id ? "answer-marked" : nothing}
    tabindex=${fixed ? 0 : nothing}
    @pointerenter=${on}
    @pointerleave=${off}
    @focusin=${on}
    @focusout=${off}
  >
    ${fixed ? nothing : html`<td>${box(answer, id, label)}</td>`}
    <th scope="row"><span class="answer-swatch answer-colour-${colourOf(state, label)}" aria-hidden="true"></span>${label}</th>
    ${scored ? html`<td class="number">${score === undefined ? "" : number(score)}</td>` : nothing}
    ${cells.map((cell) => html`<td>${cell}</td>`)}
  </tr>`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {number} id
 * @param {string} label
 */
function box(answer, id, label) {
  const { hidden } = stateOf(answer);
  const turn = () => {
    if (!hidden.delete(id)) hidden.add(id);
    answer.redraw();
  };
  return html`<input type="checkbox" aria-label="Show ${label} ${id + 1}" .checked=${!hidden.has(id)} @change=${turn}>`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {Item[]} items
 * @param {number} count
 */
function threshold(answer, items, count) {
  const state = stateOf(answer);
  const scores = items.map(({ score }) => score ?? 0);
  const [least, most] = [Math.min(0, ...scores), Math.max(1, ...scores)];
  const value = Math.max(least, state.threshold);
  const moved = (/** @type {Event} */ event) => {
    state.threshold = Number(/** @type {HTMLInputElement} */ (event.target).value);
    answer.redraw();
  };
  return html`<label class="answer-threshold">
    <span>Least score shown</span>
    <input type="range" min=${least} max=${most} step=${(most - least) / 100} .value=${String(value)} @input=${moved}>
    <output>${value.toFixed(2)}: ${count} of ${items.length}</output>
  </label>`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {number} count
 */
function more(answer, count) {
  const state = stateOf(answer);
  const grow = () => {
    state.shown += 10 * SHOWN;
    answer.redraw();
  };
  return html`<p class="answer-note">The first ${state.shown} of ${count} are listed.
    <button type="button" class="small" @click=${grow}>List more</button></p>`;
}
