// A text.

import { html } from "../vendor/lit-html/lit-html.js";
import { copyButton } from "../lib/copy.js";
import { rowOf, tensorOf } from "../lib/tensors.js";
import { facts } from "./facts.js";
import { givenFile } from "./given.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const text = String(rowOf(tensorOf(response.outputs, "text") ?? response.outputs[0], row) ?? "");
  return html`<div class="answer-beside">
    ${givenFile(request, row)}
    <div class="answer-said">
      ${text.trim() ? html`<blockquote class="answer-text">${text}</blockquote>` : html`<p class="answer-note">The answer is an empty text.</p>`}
      <div class="row">${copyButton(text, "the text")}</div>
      ${facts(answer, ["text"])}
    </div>
  </div>`;
}
