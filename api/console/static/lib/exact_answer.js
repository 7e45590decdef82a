// An answer's JSON; one with numbers that JSON has none for (NaN, infinity, half floats) is read in binary.

import { HttpError, call, callJson } from "./http.js";

/** @typedef {import("./tensors.js").InferenceResponse} InferenceResponse */

/** Bytes of a body that are JSON, where raw tensors follow. */
const HEADER_LENGTH = "Inference-Header-Content-Length";

/** By datatype: bytes of an element, and how one is read. @type {Record<string, [number, (view: DataView, at: number) => any]>} */
const READERS = {
  BOOL: [1, (view, at) => view.getUint8(at) !== 0],
  INT8: [1, (view, at) => view.getInt8(at)],
  INT16: [2, (view, at) => view.getInt16(at, true)],
  INT32: [4, (view, at) => view.getInt32(at, true)],
  INT64: [8, (view, at) => whole(view.getBigInt64(at, true))],
  UINT8: [1, (view, at) => view.getUint8(at)],
  UINT16: [2, (view, at) => view.getUint16(at, true)],
  UINT32: [4, (view, at) => view.getUint32(at, true)],
  UINT64: [8, (view, at) => whole(view.getBigUint64(at, true))],
  FP16: [2, (view, at) => half(view.getUint16(at, true))],
  BF16: [2, (view, at) => brain(view.getUint16(at, true))],
  FP32: [4, (view, at) => view.getFloat32(at, true)],
  FP64: [8, (view, at) => view.getFloat64(at, true)],
};

/**
 * Read an answer, whatever numbers it holds.
 * @param {string} path
 * @param {import("./http.js").Call} [options]
 * @returns {Promise<InferenceResponse>}
 */
export async function callAnswer(path, options) {
  try {
    return await callJson(path, options);
  } catch (error) {
    const hasNone = error instanceof HttpError && error.status === 400 && /NaN|binary/.test(error.message);
    if (!hasNone) throw error;
  }
  const response = await call(`${path}?binary=true`, options);
  return unpacked(await response.arrayBuffer(), Number(response.headers.get(HEADER_LENGTH)));
}

/**
 * The answer that JSON and raw tensors behind it tell.
 * @param {ArrayBuffer} body
 * @param {number} length of the JSON; all of it where there is none
 * @returns {InferenceResponse}
 */
export function unpacked(body, length) {
  const end = length || body.byteLength;
  const answer = JSON.parse(new TextDecoder().decode(body.slice(0, end)));
  let at = end;
  for (const tensor of answer.outputs) {
    const size = tensor.parameters?.binary_data_size;
    if (size === undefined) continue;
    const view = new DataView(body, at, size);
    tensor.data = tensor.datatype === "BYTES" ? texts(view, tensor) : numbers(view, tensor.datatype);
    at += size;
  }
  const odd = answer.outputs.some((/** @type {any} */ { data }) => data.some((/** @type {any} */ value) => typeof value === "number" && !Number.isFinite(value)));
  if (odd) answer.parameters = { ...answer.parameters, warning: "It holds numbers that are none (NaN) or infinite." };
  return answer;
}

/**
 * @param {DataView} view
 * @param {string} datatype
 */
function numbers(view, datatype) {
  const [size, read] = READERS[datatype] ?? READERS["UINT8"] ?? [1, () => 0];
  return Array.from({ length: view.byteLength / size }, (_, place) => read(view, place * size));
}

/**
 * Elements of bytes, each behind its length: texts, or files where the tensor says so.
 * @param {DataView} view
 * @param {{parameters?: Record<string, any>}} tensor
 */
function texts(view, tensor) {
  const decoder = new TextDecoder();
  const found = [];
  for (let at = 0; at < view.byteLength; ) {
    const size = view.getUint32(at, true);
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at + 4, size);
    found.push(tensor.parameters?.["content_type"] === "base64" ? bytes : decoder.decode(bytes));
    at += 4 + size;
  }
  return found;
}

/** An integer as a number, or as a text of its digits where a number does not keep them. @param {bigint} value */
function whole(value) {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** @param {number} bits of IEEE 754's binary16 */
function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** @param {number} bits the upper half of a float32 */
function brain(bits) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits * 0x10000);
  return view.getFloat32(0);
}
