// What was said, with the times at which it was: each plays from there.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { copyButton } from "../lib/copy.js";
import { itemsOf, rowOf, tensorOf, urlOf } from "../lib/tensors.js";
import { facts } from "./facts.js";
import { kept } from "./kept.js";
import { soundsOf } from "./sounds.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const text = String(rowOf(tensorOf(response.outputs, "text"), row) ?? "").trim();
  const chunks = itemsOf(response, row, ["chunks_texts", "chunks_ts_start", "chunks_ts_end"]);
  const state = kept(response, `sound ${row}`, () => ({ now: -1 }));
  const [sound] = soundsOf(request, row);
  const playing = chunks.findLastIndex(({ chunks_ts_start: start }) => start <= state.now);
  const moved = (/** @type {Event} */ event) => {
    const { currentTime, ended } = /** @type {HTMLAudioElement} */ (event.target);
    state.now = ended ? -1 : currentTime;
    answer.redraw();
  };
  return html`<div class="answer-said">
    ${sound ? html`<audio controls src=${urlOf(sound)} aria-label="The sound sent" @timeupdate=${moved} @ended=${moved}></audio>` : nothing}
    ${chunks.length
      ? html`<ol class="answer-chunks">
          ${chunks.map((chunk, at) => said(chunk, at === playing && state.now >= 0, Boolean(sound)))}
        </ol>`
      : html`<blockquote class="answer-text">${text || "(nothing was heard)"}</blockquote>`}
    <div class="row">${copyButton(text, "the text")}</div>
    ${facts(answer, ["text"])}
  </div>`;
}

/**
 * @param {Record<string, any>} chunk
 * @param {boolean} playing
 * @param {boolean} plays
 */
function said({ chunks_texts: text, chunks_ts_start: start, chunks_ts_end: end }, playing, plays) {
  const times = html`<span class="answer-time">${clock(start)}–${clock(end)}</span>`;
  return html`<li class=${playing ? "answer-marked" : nothing} aria-current=${playing ? "true" : nothing}>
    ${plays ? html`<button type="button" class="small" @click=${(/** @type {Event} */ event) => play(event, start)}><span class="visually-hidden">Play</span><span aria-hidden="true">▶</span> ${times}</button>` : times}
    <span class="answer-text">${text.trim()}</span>
  </li>`;
}

/**
 * @param {Event} event
 * @param {number} start
 */
function play(event, start) {
  const place = /** @type {Element} */ (event.target).closest(".answer-said");
  const audio = place?.querySelector("audio");
  if (!audio) return;
  audio.currentTime = start;
  audio.play();
}

/**
 * Seconds as a player shows them.
 * @param {number} seconds
 */
function clock(seconds) {
  if (!Number.isFinite(seconds)) return "?";
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - minutes * 60).toFixed(2).padStart(5, "0")}`;
}
