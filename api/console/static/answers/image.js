// A picture made of another: before and after, one over the other.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { filesOf, urlOf } from "../lib/tensors.js";
import { facts } from "./facts.js";
import { picturesOf, sharpen, thumbnail } from "./given.js";
import { kept } from "./kept.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const tensor = response.outputs.find((output) => filesOf(output, row)[0]?.type.startsWith("image/"));
  const made = filesOf(tensor, row)[0] ?? null;
  const [given] = picturesOf(request, row);
  return html`${comparison(answer, given ?? null, made)}
    ${made ? html`<p><a href=${urlOf(made)} download="picture.${made.type.split("/")[1]}">Save the picture</a></p>` : nothing}
    ${facts(answer, tensor ? [tensor.name] : [])}`;
}

/**
 * Two pictures, the second shown from an edge on that is moved; alone where there is one.
 * @param {import("./answer.js").Answer} answer
 * @param {Blob | null} given
 * @param {Blob | null} made
 */
function comparison(answer, given, made) {
  if (!made || !given?.type.startsWith("image/")) return thumbnail(made, "The picture that was made");
  const state = kept(answer.response, `edge ${answer.row}`, () => ({ edge: 0 }));
  const moved = (/** @type {Event} */ event) => {
    state.edge = Number(/** @type {HTMLInputElement} */ (event.target).value);
    answer.redraw();
  };
  return html`<div class="answer-compared">
      <img src=${urlOf(made)} alt="The picture that was made" @load=${sharpen}>
      <img src=${urlOf(given)} alt="The picture sent" class="answer-before" .style=${`clip-path: inset(0 ${100 - state.edge}% 0 0)`} @load=${sharpen}>
    </div>
    <label class="answer-threshold">
      <span>As sent, from the left</span>
      <input type="range" min="0" max="100" .value=${String(state.edge)} @input=${moved}>
      <output>${state.edge} %</output>
    </label>`;
}
