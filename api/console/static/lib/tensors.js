// Tensors of the Open Inference Protocol, as JSON carries them: rows, texts, files.

/**
 * @typedef {object} Tensor
 * @property {string} name
 * @property {string} datatype
 * @property {number[]} shape
 * @property {any[]} data nested or flat, row by row
 * @property {Record<string, any>} [parameters]
 */

/**
 * @typedef {object} InferenceRequest
 * @property {Tensor[]} inputs
 * @property {Record<string, any>} [parameters]
 */

/**
 * @typedef {object} InferenceResponse
 * @property {Tensor[]} outputs
 * @property {string} [model_name]
 * @property {Record<string, any>} [parameters]
 */

/**
 * The tensor of a name, if it is there.
 * @param {Tensor[] | undefined} tensors
 * @param {string} name
 * @returns {Tensor | undefined}
 */
export function tensorOf(tensors, name) {
  return tensors?.find((tensor) => tensor.name === name);
}

/**
 * How many rows an answer has.
 * @param {InferenceResponse} response
 */
export function rowCount(response) {
  return Math.max(0, ...response.outputs.map((tensor) => tensor.shape[0] ?? 1));
}

/**
 * One row of a tensor: a value where it has one axis, else its real entries without the padding.
 * Entries of three axes and more are flat lists.
 * @param {Tensor | undefined} tensor
 * @param {number} row
 * @returns {any} undefined where there is no such row
 */
export function rowOf(tensor, row) {
  if (!tensor) return undefined;
  const [rows = 0, held = 0, ...inner] = tensor.shape;
  if (row >= rows) return undefined;
  if (tensor.shape.length === 1) return flat(tensor.data)[row];
  const width = inner.reduce((product, size) => product * size, 1);
  const entries = entriesOf(tensor, row, held * width);
  const length = Math.min(lengthOf(tensor, row) ?? Infinity, entries.length / (width || 1));
  if (!inner.length) return entries.slice(0, length);
  return Array.from({ length }, (_, at) => entries.slice(at * width, (at + 1) * width));
}

/**
 * What of a row's entries stands in the data, padding included.
 * @param {Tensor} tensor
 * @param {number} row
 * @param {number} size elements of a row by the shape
 * @returns {any[]}
 */
function entriesOf(tensor, row, size) {
  const nested = Array.isArray(tensor.data[0]);
  return nested ? flat(tensor.data[row]) : tensor.data.slice(row * size, (row + 1) * size);
}

/**
 * @param {Tensor} tensor
 * @param {number} row
 */
function lengthOf(tensor, row) {
  const given = tensor.parameters?.row_lengths;
  return given === undefined ? undefined : Number(String(given).split(",")[row]);
}

/**
 * @param {any[]} data
 * @returns {any[]}
 */
function flat(data) {
  return Array.isArray(data[0]) ? data.flat(Infinity) : data;
}

/**
 * The items of a row, each with the attributes that tensors of these names hold.
 * @param {InferenceResponse} response
 * @param {number} row
 * @param {string[]} names those that are missing are left out
 * @returns {Record<string, any>[]}
 */
export function itemsOf(response, row, names) {
  /** @type {[string, any[]][]} */
  const columns = [];
  for (const name of names) {
    const values = rowOf(tensorOf(response.outputs, name), row);
    if (values !== undefined) columns.push([name, Array.isArray(values) ? values : [values]]);
  }
  const count = Math.max(0, ...columns.map(([, values]) => values.length));
  return Array.from({ length: count }, (_, at) =>
    Object.fromEntries(columns.map(([name, values]) => [name, values[at]])),
  );
}

/**
 * The value of a text that holds JSON.
 * @param {any} text
 * @returns {any} the text itself where it is no JSON
 */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * What a row failed with, where others did not.
 * @param {InferenceResponse} response
 * @param {number} row
 * @returns {{error: string, error_type: string} | undefined}
 */
export function rowError(response, row) {
  return parsed(response.parameters?.row_errors ?? "{}")[row];
}

/**
 * What is to be told beside a row's answer; "" for nothing.
 * @param {InferenceResponse} response
 * @param {number} row
 * @returns {string}
 */
export function rowWarning(response, row) {
  const own = parsed(response.parameters?.row_warnings ?? "{}")[row];
  return String(own ?? response.parameters?.warning ?? "");
}

/**
 * The bytes of an element that is a file: base64, as JSON carries files.
 * @param {string | Uint8Array} element
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {Error} for what is no base64
 */
export function bytesOf(element) {
  if (typeof element !== "string") return new Uint8Array(element);
  const text = atob(element);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/**
 * Bytes as JSON carries files.
 * @param {Uint8Array} bytes
 */
export function base64Of(bytes) {
  const step = 0x8000; // arguments of one call, at most
  let text = "";
  for (let at = 0; at < bytes.length; at += step)
    text += String.fromCharCode(...bytes.subarray(at, at + step));
  return btoa(text);
}

/** First bytes of files that a browser may show; no SVG, which could hold more than a picture.
 * @type {[string, (head: string) => boolean][]}
 */
const KINDS = [
  ["image/png", (head) => head.startsWith("\x89PNG")],
  ["image/jpeg", (head) => head.startsWith("\xff\xd8\xff")],
  ["image/gif", (head) => head.startsWith("GIF8")],
  ["image/webp", (head) => head.startsWith("RIFF") && head.slice(8, 12) === "WEBP"],
  ["image/avif", (head) => /^ftypavi[fs]/.test(head.slice(4, 12))],
  ["image/bmp", (head) => head.startsWith("BM")],
  ["audio/wav", (head) => head.startsWith("RIFF") && head.slice(8, 12) === "WAVE"],
  ["audio/flac", (head) => head.startsWith("fLaC")],
  ["audio/ogg", (head) => head.startsWith("OggS")],
  ["audio/mpeg", (head) => head.startsWith("ID3") || /^\xff[\xf2\xf3\xfa\xfb]/.test(head)],
  ["audio/aac", (head) => /^\xff[\xf0\xf1\xf8\xf9]/.test(head)],
  ["audio/mp4", (head) => head.slice(4, 11) === "ftypM4A"],
  ["video/mp4", (head) => head.slice(4, 8) === "ftyp"],
  ["video/webm", (head) => head.startsWith("\x1aE\xdf\xa3")],
  ["application/pdf", (head) => head.startsWith("%PDF")],
];

/**
 * What kind of file bytes are, by their first ones; "" for none that is known.
 * @param {Uint8Array} bytes
 */
export function kindOf(bytes) {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  return KINDS.find(([, fits]) => fits(head))?.[0] ?? "";
}

/** @type {WeakMap<Tensor, Map<number, (Blob | null)[]>>} */
const files = new WeakMap();

/**
 * The files that a row of a tensor holds, each a Blob of its kind; null for an empty one, for a URL
 * and for what is no base64. The same Blobs each time.
 * @param {Tensor | undefined} tensor
 * @param {number} row
 * @returns {(Blob | null)[]}
 */
export function filesOf(tensor, row) {
  if (!tensor) return [];
  const known = files.get(tensor) ?? new Map();
  files.set(tensor, known);
  if (!known.has(row)) {
    const elements = [rowOf(tensor, row) ?? []].flat();
    const told = tensor.parameters?.content_type === "url";
    known.set(row, elements.map((element) => (told ? null : fileOf(element))));
  }
  return known.get(row);
}

/**
 * @param {string | Uint8Array | Blob} element
 * @returns {Blob | null}
 */
function fileOf(element) {
  if (element instanceof Blob) return element;
  if (!element.length) return null;
  try {
    const bytes = bytesOf(element);
    return new Blob([bytes], { type: kindOf(bytes) || "application/octet-stream" });
  } catch {
    return null;
  }
}

/** @type {WeakMap<Blob, string>} */
const urls = new WeakMap();
const gone = new FinalizationRegistry((/** @type {string} */ url) => URL.revokeObjectURL(url));

/**
 * The address of a Blob, for `src` and `href`; it lasts as long as somebody holds the Blob.
 * @param {Blob} blob
 */
export function urlOf(blob) {
  let url = urls.get(blob);
  if (!url) {
    url = URL.createObjectURL(blob);
    urls.set(blob, url);
    gone.register(blob, url);
  }
  return url;
}

/** @type {WeakMap<Blob, [number, number]>} */
const stoodFor = new WeakMap();

/**
 * Say that a picture stands for a larger one: what was found is told in the larger one's pixels.
 * @param {Blob} small
 * @param {[number, number]} size width and height of the larger one
 */
export function standFor(small, size) {
  stoodFor.set(small, size);
}

/**
 * The size of the picture that a smaller one stands for, if it does.
 * @param {Blob} blob
 */
export function sizeStoodFor(blob) {
  return stoodFor.get(blob);
}
