// What a row is, the likelier first.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { itemsOf, rowOf, tensorOf } from "../lib/tensors.js";
import { barTable } from "./bars.js";
import { givenFile } from "./given.js";

/** Labels of a row that is one of many. */
const FEW = 3;

/** @param {import("./answer.js").Answer} answer */
export default function draw({ request, response, row, small }) {
  const all = itemsOf(response, row, ["label", "answer", "score"]).map((item) => ({
    label: item.label ?? item.answer,
    score: item.score,
  }));
  const items = small ? all.slice(0, FEW) : all;
  const said = rowOf(tensorOf(response.outputs, "prediction"), row);
  return html`<div class="answer-beside">
    ${givenFile(request, row)}
    <div>
      ${said === undefined ? nothing : html`<p class="answer-result">${said}</p>`}
      ${items.length ? barTable("Labels and their scores", ["Label", "Score"], items) : html`<p class="answer-note">No label.</p>`}
    </div>
  </div>`;
}
