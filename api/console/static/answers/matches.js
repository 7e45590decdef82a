// Places of one picture that were found again in another: what is marked in one is in both.

import { html } from "../vendor/lit-html/lit-html.js";
import { number } from "../lib/format.js";
import { itemsOf } from "../lib/tensors.js";
import { picturesOf } from "./given.js";
import { isShown, itemList, mark, stateOf } from "./items.js";
import "./picture.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const matches = itemsOf(response, row, ["score", "x0", "y0", "x1", "y1"]);
  const items = matches.map((match, id) => ({
    ...match,
    id,
    label: `match ${id + 1}`,
    score: match.score,
    cells: [`${number(match.x0)}, ${number(match.y0)}`, `${number(match.x1)}, ${number(match.y1)}`],
  }));
  const pictures = picturesOf(request, row);
  return html`<div class="answer-pair">${[0, 1].map((side) => picture(answer, pictures[side] ?? null, side, matches, items))}</div>
    ${itemList(answer, { caption: "All matches", head: "Match", heads: ["First: x, y", "Second: x, y"], items })}`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {Blob | null} file
 * @param {number} side 0 or 1
 * @param {Record<string, any>[]} matches
 * @param {import("./items.js").Item[]} items
 */
function picture(answer, file, side, matches, items) {
  const state = stateOf(answer);
  const shapes = items
    .filter((item) => isShown(state, item))
    .map(({ id, label }) => ({
      id,
      label,
      kind: /** @type {const} */ ("point"),
      at: [matches[id]?.[`x${side}`], matches[id]?.[`y${side}`]],
      colour: (id % 6) + 1,
    }));
  return html`<answer-picture
    .picture=${file}
    .shapes=${shapes}
    .marked=${state.marked}
    .name=${`The ${side ? "second" : "first"} picture, with ${shapes.length} places that were matched: the table lists them`}
    @mark=${(/** @type {CustomEvent} */ event) => mark(answer, event.detail)}
  ></answer-picture>`;
}
