// The public HTTP surface, called with the key that the user gave.

import { remember, remembered } from "./storage.js";

/** Where the API answers: the console lies one level below. */
const BASE = new URL("../", document.baseURI);

/** @type {string} the key; kept in memory, and in the tab's session if the user said so */
let key = remembered("sessionStorage", "wherry-key") ?? "";

/** Said on `window` when another key is used: whoever holds what the one before saw forgets it. */
export const KEY_CHANGED = "wherry-key";

/**
 * Use a key from now on; "" forgets it.
 * @param {string} value
 * @param {boolean} keep whether a reload of this tab still has it
 */
export function useKey(value, keep) {
  key = value;
  remember("sessionStorage", "wherry-key", value && keep ? value : null);
  dispatchEvent(new Event(KEY_CHANGED));
}

/** Whether a key is used. */
export function hasKey() {
  return Boolean(key);
}

/** An answer that is an error: its status, the error's code, the words. */
export class HttpError extends Error {
  /**
   * @param {number} status 0 where the server did not answer
   * @param {string} code
   * @param {string} message
   * @param {unknown} [body]
   */
  constructor(status, code, message, body) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/**
 * @typedef {object} Call
 * @property {string} [method]
 * @property {unknown} [json] sent as JSON
 * @property {BodyInit} [body] sent as it is
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * Call a path of the API, relative to its root: `v2/jobs`.
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<Response>} an answer below 400
 * @throws {HttpError}
 */
export async function call(path, { method, json, body, headers = {}, signal } = {}) {
  /** @type {Record<string, string>} */
  const sent = { Accept: "application/json", ...headers };
  if (key) sent.Authorization = `Bearer ${key}`;
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, BASE), {
      method: method ?? (json !== undefined || body !== undefined ? "POST" : "GET"),
      headers: sent,
      body: json !== undefined ? JSON.stringify(json) : (body ?? null),
      credentials: "omit", // the key is in the header; a browser must not ask for a password
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new HttpError(0, "unreachable", "The API does not answer.");
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

/**
 * Call a path and read its JSON.
 * @param {string} path
 * @param {Call} [options]
 * @returns {Promise<any>}
 */
export async function callJson(path, options) {
  return parsed(await (await call(path, options)).text());
}

/**
 * Where a path answers, for a link: a browser goes there without the key.
 * @param {string} path
 */
export function addressOf(path) {
  return new URL(path, BASE).href;
}

/**
 * Send what is large, and hear how much of it has gone: `fetch` does not tell.
 * @param {string} path
 * @param {object} given
 * @param {XMLHttpRequestBodyInit} given.body
 * @param {Record<string, string>} [given.headers]
 * @param {(share: number) => void} given.sent hears how much has gone, 0 to 1
 * @param {AbortSignal} given.signal
 * @returns {Promise<any>} the answer's JSON
 * @throws {HttpError}
 */
export function sendLarge(path, { body, headers = {}, sent, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", new URL(path, BASE));
    const all = { Accept: "application/json", ...headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => sent(total ? loaded / total : 0);
    request.onerror = () => reject(new HttpError(0, "unreachable", "The API does not answer, or let the upload go."));
    request.onabort = () => reject(signal.reason);
    request.onload = async () => {
      const answer = new Response(request.responseText || null, { status: request.status });
      if (answer.ok) resolve(parsed(await answer.text()));
      else reject(await errorOf(answer));
    };
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

/**
 * JSON as it was sent: an integer of more digits than a number keeps is a text of them.
 * @param {string} text
 */
function parsed(text) {
  if (!/"U?INT64"/.test(text) || !/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, exact);
}

/** @type {(key: string, value: any, context?: {source?: string}) => any} */
const exact = (_, value, context) =>
  Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;

/**
 * Follow a stream of server-sent events until it ends or the signal says so.
 * @param {string} path
 * @param {(event: {event: string, data: string, id: string}) => void} heard
 * @param {Call} [options]
 */
export async function follow(path, heard, options = {}) {
  const headers = { ...options.headers, Accept: "text/event-stream" };
  const response = await call(path, { ...options, headers });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) tell(block, heard);
    }
  } finally {
    reader.cancel().catch(() => undefined); // what was heard may have been more than its hearer could take
  }
}

/**
 * @param {string} block
 * @param {(event: {event: string, data: string, id: string}) => void} heard
 */
function tell(block, heard) {
  const event = { event: "message", data: "", id: "" };
  /** @type {string[]} */
  const data = [];
  for (const line of block.split("\n")) {
    const [name, ...rest] = line.split(":");
    const value = rest.join(":").replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "event") event.event = value;
    else if (name === "id") event.id = value;
  }
  if (!data.length) return;
  event.data = data.join("\n");
  heard(event);
}

/** @param {Response} response */
async function errorOf(response) {
  const text = await response.text();
  try {
    const body = JSON.parse(text);
    const error = typeof body.error === "object" ? body.error : body;
    const words = error.message ?? body.error ?? text;
    return new HttpError(response.status, String(error.code ?? error.type ?? ""), String(words), body);
  } catch {
    return new HttpError(response.status, "", text || response.statusText);
  }
}
