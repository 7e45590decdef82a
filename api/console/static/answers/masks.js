// Masks over the picture, or over the frames of a film.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { duration } from "../lib/format.js";
import { filesOf, itemsOf, tensorOf } from "../lib/tensors.js";
import { filmOf } from "./film.js";
import { picturesOf } from "./given.js";
import { kept } from "./kept.js";
import { maskOf } from "./mask.js";
import { overPicture } from "./over_picture.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const items = itemsOf(response, row, ["label", "score", "objects_ids", "frame_indexes", "time"]);
  const files = filesOf(tensorOf(response.outputs, "mask"), row);
  const frames = [...new Set(items.map((item) => item.frame_indexes ?? 0))].sort((one, other) => one - other);
  const state = kept(response, `frame ${row}`, () => ({ frame: frames[0] ?? 0 }));
  const pictures = picturesOf(request, row);
  const found = files.flatMap((file, at) => {
    const item = items[at] ?? {};
    if (!file || (item.frame_indexes ?? 0) !== state.frame) return [];
    const label = item.label ?? (item.objects_ids === undefined ? `mask ${at + 1}` : `object ${item.objects_ids}`);
    const shape = { kind: /** @type {const} */ ("mask"), at: [], mask: maskOf(file, files.length), label };
    return [{ label, ...(item.score === undefined ? {} : { score: item.score }), shapes: [shape] }];
  });
  const at = items.find((item) => item.frame_indexes === state.frame)?.time;
  const [first] = pictures;
  const film = first && !first.type.startsWith("image/") && at !== undefined ? filmOf(first) : null;
  const turn = (/** @type {Event} */ event) => {
    state.frame = frames[Number(/** @type {HTMLInputElement} */ (event.target).value)] ?? 0;
    answer.redraw();
  };
  return overPicture(answer, {
    picture: film ? film.at(at, answer.redraw) : (pictures[state.frame] ?? null),
    what: "masks",
    head: "Mask",
    found,
    above: frames.length > 1 ? slider(frames, state.frame, at, turn) : nothing,
  });
}

/**
 * @param {number[]} frames
 * @param {number} shown
 * @param {number | undefined} at seconds
 * @param {(event: Event) => void} turn
 */
function slider(frames, shown, at, turn) {
  return html`<label class="answer-threshold">
    <span>Frame</span>
    <input type="range" min="0" max=${frames.length - 1} .value=${String(frames.indexOf(shown))} @input=${turn}>
    <output>${shown}${at === undefined ? nothing : ` at ${duration(at)}`}</output>
  </label>`;
}
