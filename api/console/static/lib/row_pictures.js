// Small pictures of rows: asked for when a card comes into sight, the last asked for first.

import { KEY_CHANGED, call } from "./http.js";
import { redraw } from "./redraw.js";
import { kindOf, standFor } from "./tensors.js";

/** Pictures that are held; those looked at long ago go. */
const HELD = 600;

/** Asked for at a time; of those that wait, the oldest are let go when so many came after. */
const AT_ONCE = 6;
const WAITING = 60;

/** @type {Map<string, Blob | null>} null where there is none */
const held = new Map();

/** @type {Map<string, [number, number] | null>} paths that wait, and the size that each stands for */
const waiting = new Map();

/** @type {Set<string>} */
const asked = new Set();

addEventListener(KEY_CHANGED, () => {
  held.clear();
  waiting.clear();
});

/**
 * The picture that a path answers; undefined while it is on its way, null where it cannot be had.
 * @param {string} path
 * @param {[number, number] | null} size of the picture that it stands for
 * @returns {Blob | null | undefined}
 */
export function pictureAt(path, size) {
  const known = held.get(path);
  if (known !== undefined) {
    held.delete(path);
    held.set(path, known); // looked at last
    return known;
  }
  if (asked.has(path)) return undefined;
  waiting.delete(path);
  waiting.set(path, size);
  for (const old of [...waiting.keys()].slice(0, -WAITING)) waiting.delete(old);
  next();
  return undefined;
}

function next() {
  while (asked.size < AT_ONCE && waiting.size) {
    const [path, size] = /** @type {[string, [number, number] | null]} */ ([...waiting].at(-1));
    waiting.delete(path);
    asked.add(path);
    void bring(path, size);
  }
}

/**
 * @param {string} path
 * @param {[number, number] | null} size
 */
async function bring(path, size) {
  try {
    const file = await (await call(path, { headers: { Accept: "image/*" } })).blob();
    const kind = kindOf(new Uint8Array(await file.slice(0, 16).arrayBuffer()));
    const picture = new Blob([file], { type: kind || "application/octet-stream" }); // of the kind that its bytes say
    if (size) standFor(picture, size);
    held.set(path, picture);
  } catch {
    held.set(path, null);
  }
  asked.delete(path);
  for (const old of [...held.keys()].slice(0, -HELD)) held.delete(old);
  next();
  later();
}

let isAsked = false;

/** One redraw for all pictures that come within a frame. */
function later() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    redraw();
  });
}
