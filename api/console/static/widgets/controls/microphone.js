// A microphone: what it hears, written as a WAV file, which every worker reads without FFmpeg.

import { html } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";
import { toast } from "../../lib/toast.js";
import { fileGiven } from "../given_file.js";

/** Longer than any model listens; a recording ends by itself then. */
const MOST_S = 300;

/** Records. It is on from one press of the button to the next. */
export class Microphone {
  /** @type {MediaStream | null} */
  stream = null;
  /** @type {AudioContext | null} */
  context = null;
  /** @type {Float32Array[]} */
  heard = [];
  samples = 0;
  /** Which press of the button it is on for: the browser asks first, and may take its time. */
  #turn = 0;

  /** @param {(file: import("../given_file.js").GivenFile) => void} taken */
  constructor(taken) {
    this.taken = taken;
  }

  /** The button that starts and ends a recording, or why there is none. */
  button() {
    if (!navigator.mediaDevices) {
      return html`<span class="help">The microphone needs https, or this page on the machine itself.</span>`;
    }
    return this.stream
      ? html`<button type="button" class="primary" @click=${this.end}>End the recording</button>`
      : html`<button type="button" @click=${this.open}>Record</button>`;
  }

  /** How long it has been heard, while it is on. */
  level() {
    if (!this.context) return "";
    const seconds = this.samples / this.context.sampleRate;
    return html`<p><span class="badge busy">recording</span> <span class="widget-recording">${Math.floor(seconds)} s</span></p>`;
  }

  open = async () => {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      if (turn !== this.#turn) {
        for (const track of stream.getTracks()) track.stop(); // the page was left meanwhile
        return;
      }
      this.stream = stream;
      this.heard = [];
      this.samples = 0;
      const context = new AudioContext();
      this.context = context;
      await context.audioWorklet.addModule(new URL("./listener.js", import.meta.url));
      if (turn !== this.#turn) return;
      const node = new AudioWorkletNode(context, "listener");
      node.port.onmessage = ({ data }) => this.hear(data);
      context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.close();
      toast(`The microphone cannot be used: ${error instanceof Error ? error.message : error}`, "bad");
    }
    redraw();
  };

  /** @param {Float32Array} samples */
  hear(samples) {
    if (!this.context) return;
    const rate = this.context.sampleRate;
    const second = Math.floor(this.samples / rate);
    this.heard.push(samples);
    this.samples += samples.length;
    if (this.samples > MOST_S * rate) void this.end();
    else if (Math.floor(this.samples / rate) > second) redraw();
  }

  end = async () => {
    const rate = this.context?.sampleRate ?? 0;
    this.close();
    if (this.samples) this.taken(await fileGiven(wav(this.heard, this.samples, rate), "recording.wav"));
    this.heard = [];
    redraw();
  };

  close() {
    this.#turn += 1;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    void this.context?.close().catch(() => undefined); // closed already
    this.stream = null;
    this.context = null;
    redraw();
  }
}

/**
 * A WAV file of one channel of 16 bits.
 * @param {Float32Array[]} parts
 * @param {number} count
 * @param {number} rate
 */
function wav(parts, count, rate) {
  const view = new DataView(new ArrayBuffer(44 + count * 2));
  const text = (/** @type {number} */ at, /** @type {string} */ words) => {
    for (let index = 0; index < words.length; index++) view.setUint8(at + index, words.charCodeAt(index));
  };
  text(0, "RIFF");
  view.setUint32(4, 36 + count * 2, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, count * 2, true);
  let at = 44;
  for (const part of parts) {
    for (const sample of part) {
      view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 0x7fff, true);
      at += 2;
    }
  }
  return new Blob([view]);
}
