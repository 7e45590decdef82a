// Files that the API makes, handed to the browser to be kept.

import { addressOf, call, hasKey } from "./http.js";

/**
 * Hand an answer to the browser: without a key as a link, which goes to the disk as it comes; with one,
 * which no link has, through memory.
 * @param {Response} response
 * @param {string} path
 */
export async function save(response, path) {
  const link = document.createElement("a");
  if (hasKey()) {
    link.href = URL.createObjectURL(await response.blob());
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } else {
    await response.body?.cancel();
    link.href = addressOf(path);
  }
  link.download = nameIn(response.headers.get("Content-Disposition") ?? "");
  link.click();
}

/** Ask for a file and keep it. @param {string} path */
export async function fetched(path) {
  await save(await call(path), path);
}

/** The name of a file that an answer tells. @param {string} disposition */
function nameIn(disposition) {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  if (encoded) return decodeURIComponent(encoded);
  return /filename="([^"]+)"/.exec(disposition)?.[1] ?? "";
}
