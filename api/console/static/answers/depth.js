// How far away each pixel is: the map in colours over its picture.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { number } from "../lib/format.js";
import { filesOf, rowOf, tensorOf, urlOf } from "../lib/tensors.js";
import { picturesOf, sharpen } from "./given.js";
import { kept } from "./kept.js";
import "./depth_map.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const [map] = filesOf(tensorOf(response.outputs, "depth"), row);
  const [picture] = picturesOf(request, row);
  if (!map) return html`<p class="answer-note">No map.</p>`;
  const state = kept(response, `depth ${row}`, () => ({ opacity: 80, values: valuesOf(response, row) }));
  const moved = (/** @type {Event} */ event) => {
    state.opacity = Number(/** @type {HTMLInputElement} */ (event.target).value);
    answer.redraw();
  };
  const { values } = state;
  return html`<div class="answer-compared">
      ${picture?.type.startsWith("image/") ? html`<img src=${urlOf(picture)} alt="The picture sent" @load=${sharpen}>` : nothing}
      <answer-depth-map .file=${map} .values=${values} .style=${`opacity: ${state.opacity / 100}`}></answer-depth-map>
    </div>
    <label class="answer-threshold">
      <span>How much of the map is seen</span>
      <input type="range" min="0" max="100" .value=${String(state.opacity)} @input=${moved}>
      <output>${state.opacity} %</output>
    </label>
    <dl class="facts">
      <dt>Size</dt><dd>${values.width} × ${values.height}</dd>
      <dt>Least to most</dt><dd>${number(values.least)} <span class="answer-ramp" aria-hidden="true"></span> ${number(values.most)}, in the model's own unit</dd>
    </dl>
    <p><a href=${urlOf(map)} download="depth.png">Save the map</a></p>`;
}

/**
 * @param {import("../lib/tensors.js").InferenceResponse} response
 * @param {number} row
 */
function valuesOf(response, row) {
  const tensor = tensorOf(response.outputs, "predicted_depth");
  /** @type {number[][]} */
  const lines = rowOf(tensor, row) ?? [];
  const told = String(tensor?.parameters?.map_sizes ?? "").split(",")[row] || "";
  const [height = lines.length, width = lines[0]?.length ?? 0] = told ? told.split("x").map(Number) : [];
  let [least, most] = [Infinity, -Infinity];
  for (const line of lines.slice(0, height)) {
    for (const value of line.slice(0, width)) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  return { lines, width, height, least, most };
}
