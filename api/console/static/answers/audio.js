// Sounds that were made: to play, to see, to save.

import { html } from "../vendor/lit-html/lit-html.js";
import { filesOf, tensorOf, urlOf } from "../lib/tensors.js";
import { facts } from "./facts.js";
import "./waveform.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { response, row } = answer;
  const tensor = tensorOf(response.outputs, "audio") ?? response.outputs.find((output) => filesOf(output, row)[0]?.type.startsWith("audio/"));
  const sounds = filesOf(tensor, row);
  return html`${sounds.map((sound) =>
      sound
        ? html`<figure class="answer-sound">
            <answer-waveform .file=${sound}></answer-waveform>
            <audio controls src=${urlOf(sound)} aria-label="The sound that was made"></audio>
            <a href=${urlOf(sound)} download="sound.${sound.type.split("/")[1] ?? "bin"}">Save the sound</a>
          </figure>`
        : html`<p class="answer-note">No sound.</p>`,
    )}
    ${facts(answer, ["audio"])}`;
}
