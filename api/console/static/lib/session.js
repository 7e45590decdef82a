// Who asks: what the API says of the key that this tab has.

import { HttpError, callJson, useKey } from "./http.js";
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
  try {
    who = await callJson("v2/caller");
    wrong = null;
  } catch (error) {
    if (error instanceof HttpError && error.status === 401) who = null;
    wrong = error instanceof Error ? error : new Error(String(error));
  }
  redraw();
}

/**
 * Use a key, if the API takes it. What the key before could see is forgotten.
 * @param {string} key
 * @param {boolean} keep until the tab is closed; else until it is loaded again
 */
export async function signIn(key, keep) {
  useKey(key, keep);
  await recognise();
  if (!who) useKey("", false);
  return who !== null;
}

/** Forget the key, and all that it let one see. */
export async function signOut() {
  useKey("", false);
  sessionStorage.clear();
  location.hash = "#/access";
  location.reload();
}
