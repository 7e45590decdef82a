// Sounds as files that a browser plays; raw samples get the header of a WAV file.

import { filesOf, tensorOf } from "../lib/tensors.js";

/** @type {WeakMap<Blob, Blob>} */
const wrapped = new WeakMap();

/**
 * The sounds of a row: files as they are, raw samples as WAV.
 * @param {import("../lib/tensors.js").InferenceRequest} request
 * @param {number} row
 * @returns {Blob[]}
 */
export function soundsOf(request, row) {
  const rate = Number(request.parameters?.sample_rate ?? 0);
  return filesOf(tensorOf(request.inputs, "audio"), row)
    .filter((file) => file !== null)
    .map((file) => (file.type === "application/octet-stream" && rate ? waveOf(file, rate) : file));
}

/**
 * @param {Blob} samples little-endian float32, one channel
 * @param {number} rate samples a second
 */
function waveOf(samples, rate) {
  let wave = wrapped.get(samples);
  if (!wave) {
    wave = new Blob([header(samples.size, rate), samples], { type: "audio/wav" });
    wrapped.set(samples, wave);
  }
  return wave;
}

/**
 * The header of a WAV file of float32 samples of one channel.
 * @param {number} size bytes of samples
 * @param {number} rate
 */
function header(size, rate) {
  const view = new DataView(new ArrayBuffer(44));
  const words = [0x46464952, 36 + size, 0x45564157, 0x20746d66, 16, 0x00010003, rate, rate * 4, 0x00200004, 0x61746164, size];
  for (const [at, word] of words.entries()) view.setUint32(at * 4, word, true);
  return view.buffer;
}
