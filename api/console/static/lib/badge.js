// The state of a model, a job or a worker: a word and a colour.

import { html, nothing } from "../vendor/lit-html/lit-html.js";

/** @type {Record<string, "good" | "warn" | "bad" | "busy" | "still">} */
const KINDS = {
  ready: "good",
  succeeded: "good",
  completed: "good",
  alive: "good",
  running: "busy",
  claimed: "busy",
  in_progress: "busy",
  validating: "busy",
  finalizing: "busy",
  planning: "busy",
  merging: "busy",
  loading: "busy",
  waiting: "still",
  queued: "still",
  cold: "still",
  asleep: "still",
  unloaded: "still",
  canceled: "still",
  cancelled: "still",
  paused: "warn",
  held: "warn",
  expired: "warn",
  requeued: "warn",
  unavailable: "warn",
  failed: "bad",
  dead: "bad",
  lost: "bad",
};

/**
 * A state as a badge.
 * @param {string} state in any case
 * @param {string} [why] in its title
 */
export function badge(state, why) {
  const word = state.toLowerCase().replaceAll("_", " ");
  const kind = KINDS[state.toLowerCase()] ?? "still";
  return html`<span class="badge ${kind}" title=${why || nothing}>${word}</span>`;
}
