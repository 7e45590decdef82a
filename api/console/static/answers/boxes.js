// Boxes with a label or a text each, over the picture.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { itemsOf } from "../lib/tensors.js";
import { picturesOf } from "./given.js";
import { kept } from "./kept.js";
import { overPicture } from "./over_picture.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const items = itemsOf(response, row, ["label", "text", "score", "box", "page"]);
  const pages = [...new Set(items.map(({ page }) => page ?? 1))].sort((one, other) => one - other);
  const state = kept(response, `page ${row}`, () => ({ page: pages[0] ?? 1 }));
  const found = items
    .filter(({ page }) => (page ?? 1) === state.page)
    .map(({ label, text, score, box }) => ({
      label: label ?? text ?? "",
      score,
      cells: [box.map(pixels).join(", ")],
      shapes: [{ kind: /** @type {const} */ ("box"), at: box, label: label ?? text ?? "" }],
    }));
  const turn = (/** @type {Event} */ event) => {
    state.page = Number(/** @type {HTMLSelectElement} */ (event.target).value);
    answer.redraw();
  };
  return overPicture(answer, {
    picture: state.page === 1 ? (picturesOf(request, row)[0] ?? null) : null,
    what: "boxes",
    head: items[0]?.text === undefined ? "Label" : "Text",
    heads: ["Left, top, right, bottom"],
    found,
    above: pages.length > 1 ? picker(pages, state.page, turn) : nothing,
  });
}

/**
 * A place to a tenth of a pixel.
 * @param {number} value
 */
function pixels(value) {
  return Math.round(value * 10) / 10;
}

/**
 * @param {number[]} pages
 * @param {number} shown
 * @param {(event: Event) => void} turn
 */
function picker(pages, shown, turn) {
  return html`<label class="field inline"><span>Page</span>
    <select @change=${turn}>${pages.map((page) => html`<option .selected=${page === shown} value=${page}>${page}</option>`)}</select>
  </label>`;
}
