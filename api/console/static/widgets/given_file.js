// A file that somebody gave: dropped, pasted, chosen, or made by a camera or a microphone.

import { bytesOf, kindOf } from "../lib/tensors.js";

/**
 * @typedef {object} GivenFile
 * @property {string} name
 * @property {Blob} blob
 * @property {string} kind by its first bytes: "image/png"; "" for what no browser shows
 * @property {string} base64
 */

/**
 * Read a file.
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<GivenFile>}
 */
export async function fileGiven(blob, name) {
  const head = new Uint8Array(await blob.slice(0, 16).arrayBuffer());
  const kind = kindOf(head);
  // Of the kind that its bytes say, whatever its name does: it is shown by it.
  const typed = new Blob([blob], { type: kind || "application/octet-stream" });
  return { name, blob: typed, kind, base64: await base64Of(blob) };
}

/**
 * A file of a request.
 * @param {string} base64
 * @param {string} name without what it ends in
 * @returns {GivenFile}
 */
export function fileOf(base64, name) {
  const bytes = bytesOf(base64);
  const kind = kindOf(bytes);
  const suffix = kind.split("/")[1] ?? "bin";
  return {
    name: `${name}.${suffix === "jpeg" ? "jpg" : suffix}`,
    blob: new Blob([bytes], { type: kind || "application/octet-stream" }),
    kind,
    base64,
  };
}

/**
 * By the browser's own reader: a loop over twenty megabytes would hold up the page.
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function base64Of(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

