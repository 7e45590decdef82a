// Who asks: what the API says of the key that this tab has.

import { HttpError, KEY_CHANGED, callJson, useKey } from "./http.js";
import { never, pause } from "./lifetime.js";
import { redraw } from "./redraw.js";

/**
 * @typedef {object} Caller
 * @property {string | null} tenant null for an admin
 * @property {string[]} scopes
 * @property {boolean} keys_needed
 * @property {number} weight
 * @property {number} max_waiting
 * @property {number} max_waiting_bytes
 * @property {number} submits_per_s
 */

/** @type {Caller | null} null while nobody is let in */
let who = null;

/** @type {Error | null} */
let wrong = null;

/** How many keys were used: an answer for one before comes too late. */
let keys = 0;
addEventListener(KEY_CHANGED, () => {
  keys += 1;
});

export function caller() {
  return who;
}

/** Whether this key, or this server without keys, lets one do everything. */
export function isAdmin() {
  return Boolean(who?.scopes.includes("admin"));
}

/** Why it is not known who asks; null where it is. */
export function refusal() {
  return wrong;
}

/** Ask the API who asks. */
export async function recognise() {
  const by = keys;
  try {
    const found = await callJson("v2/caller");
    if (by !== keys) return;
    who = found;
    wrong = null;
  } catch (error) {
    if (by !== keys) return;
    if (error instanceof HttpError && error.status === 401) who = null;
    wrong = error instanceof Error ? error : new Error(String(error));
  }
  redraw();
}

/** Ask until the API says: it may be starting, or Redis be away. */
export async function keepAsking() {
  await recognise();
  while (wrong && !(wrong instanceof HttpError && [401, 403].includes(wrong.status))) {
    await pause(3000, never);
    await recognise();
  }
}

/**
 * Use a key, if the API takes it. What the key before could see is forgotten.
 * @param {string} key
 * @param {boolean} keep until the tab is closed; else until it is loaded again
 */
export async function signIn(key, keep) {
  who = null;
  useKey(key, keep);
  await recognise();
  if (!who) useKey("", false);
  return who !== null;
}

/** Forget the key, and all that it let one see. */
export async function signOut() {
  useKey("", false);
  location.hash = "#/access";
  location.reload();
}
