// How near each of several texts is.

import { html } from "../vendor/lit-html/lit-html.js";
import { parsed, rowOf, tensorOf } from "../lib/tensors.js";
import { barTable } from "./bars.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw({ request, response, row }) {
  const scores = rowOf(tensorOf(response.outputs, "score"), row) ?? [];
  const given = parsed(rowOf(tensorOf(request.inputs, "sentences"), row) ?? "[]");
  const source = rowOf(tensorOf(request.inputs, "source_sentence"), row);
  const bars = [scores].flat().map((score, at) => ({ label: given[at] ?? `text ${at + 1}`, score }));
  return html`${source === undefined ? "" : html`<p class="answer-note">How near to “${source}”:</p>`}
    ${barTable("How near each text is", ["Text", "Score"], bars)}`;
}
