// Pictures that were made.

import { html } from "../vendor/lit-html/lit-html.js";
import { filesOf, urlOf } from "../lib/tensors.js";
import { facts } from "./facts.js";
import { textOf, thumbnail } from "./given.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const tensor = response.outputs.find((output) => filesOf(output, row).some((file) => file?.type.startsWith("image/")));
  const prompt = textOf(request, row, ["prompt", "text"]);
  return html`<div class="answer-gallery">
      ${filesOf(tensor, row).map(
        (file, at) => html`<figure>
          ${thumbnail(file, prompt ? `Made of “${prompt}”` : `Picture ${at + 1}`)}
          ${file ? html`<figcaption><a href=${urlOf(file)} download="picture-${at + 1}.${file.type.split("/")[1]}">Save picture ${at + 1}</a></figcaption>` : ""}
        </figure>`,
      )}
    </div>
    ${facts(answer, tensor ? [tensor.name] : [])}`;
}
