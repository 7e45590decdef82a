// A picture with what was found in it, and the list of that.

import { html } from "../vendor/lit-html/lit-html.js";
import { colourOf, isShown, itemList, mark, stateOf } from "./items.js";
import "./picture.js";
import "./still.js";

/**
 * @typedef {object} Found
 * @property {string} label
 * @property {number} [score]
 * @property {unknown[]} [cells]
 * @property {Omit<import("./shapes.js").Shape, "id" | "colour">[]} shapes
 */

/**
 * Draw what was found over its picture.
 * @param {import("./answer.js").Answer} answer
 * @param {object} given
 * @param {Blob | null} given.picture
 * @param {string} given.what the items, in plural: "boxes"
 * @param {string} given.head
 * @param {string[]} [given.heads]
 * @param {Found[]} given.found
 * @param {unknown} [given.above] what stands over the picture
 */
export function overPicture(answer, { picture, what, head, heads, found, above = "" }) {
  const state = stateOf(answer);
  const items = found.map((one, id) => ({ ...one, id }));
  const shapes = items
    .filter((item) => isShown(state, item))
    .flatMap((item) => item.shapes.map((shape) => ({ ...shape, id: item.id, colour: colourOf(state, item.label) })));
  const name = `The picture sent, with ${items.length} ${what}${answer.small ? "" : ": the table lists them"}`;
  if (answer.small) return html`<answer-still .name=${name} .shapes=${shapes} .picture=${picture}></answer-still>`;
  const told = (/** @type {CustomEvent} */ event) => mark(answer, event.detail);
  return html`<div class="answer-beside">
    <div class="answer-main">
      ${above}
      <answer-picture
        .picture=${picture}
        .shapes=${shapes}
        .marked=${state.marked}
        .name=${name}
        @mark=${told}
      ></answer-picture>
    </div>
    ${itemList(answer, { caption: `All ${what}`, head, ...(heads ? { heads } : {}), items })}
  </div>`;
}
