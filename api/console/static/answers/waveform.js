// <answer-waveform>: how loud a sound is, from its begin to its end.

import { duration, number } from "../lib/format.js";

/** Pixels of the drawing. */
const [WIDTH, HEIGHT] = [800, 96];

class AnswerWaveform extends HTMLElement {
  /** @type {Blob | null} */
  #file = null;

  /** @param {Blob} file */
  set file(file) {
    if (file === this.#file) return;
    this.#file = file;
    this.#draw(file);
  }

  /** @param {Blob} file */
  async #draw(file) {
    const note = document.createElement("p");
    note.className = "answer-note";
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    canvas.setAttribute("role", "img");
    try {
      const sound = await new OfflineAudioContext(1, 1, 44_100).decodeAudioData(await file.arrayBuffer());
      const loudest = plot(canvas, sound.getChannelData(0), getComputedStyle(this).color);
      note.textContent = `${duration(sound.duration)}; ${loudest ? `loudest at ${number(loudest)} of 1` : "silent throughout"}`;
      canvas.setAttribute("aria-label", `Waveform: ${note.textContent}`);
      this.replaceChildren(canvas, note);
    } catch {
      note.textContent = "This browser cannot read the sound's format.";
      this.replaceChildren(note);
    }
  }
}

/**
 * Draw the least and the most of each column's samples.
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} samples
 * @param {string} colour
 * @returns {number} the loudest
 */
function plot(canvas, samples, colour) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = colour;
  let loudest = 0;
  for (let x = 0; x < WIDTH; x++) {
    let [least, most] = [0, 0];
    const end = Math.min(samples.length, Math.ceil(((x + 1) * samples.length) / WIDTH));
    for (let at = Math.floor((x * samples.length) / WIDTH); at < end; at++) {
      const sample = samples[at] ?? 0;
      if (sample < least) least = sample;
      if (sample > most) most = sample;
    }
    loudest = Math.max(loudest, -least, most);
    const top = (HEIGHT / 2) * (1 - Math.min(1, most));
    context.fillRect(x, top, 1, Math.max(1, (HEIGHT / 2) * (Math.min(1, most) - Math.max(-1, least))));
  }
  return loudest;
}

customElements.define("answer-waveform", AnswerWaveform);
