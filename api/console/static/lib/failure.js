// What stands where something should: why it is not there, and what to do.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { coded } from "./code_words.js";
import { HttpError } from "./http.js";

/**
 * Why something is not there.
 * @param {Error} error
 * @param {() => void} [retry]
 */
export function failure(error, retry) {
  const status = error instanceof HttpError ? error.status : -1;
  return html`<div class="notice bad" role="alert">
    <p>${coded(error.message)}</p>
    ${advice(status)}
    ${retry ? html`<button type="button" @click=${retry}>Try again</button>` : nothing}
  </div>`;
}

/** @param {number} status */
function advice(status) {
  if (status === 0) return html`<p>Is <code>wherry up</code> running? This page tries again by itself.</p>`;
  if (status === 401) return html`<p><a href="#/access">Sign in</a> with an API key.</p>`;
  if (status === 403) {
    return html`<p>This key may not do that. <a href="#/access">Sign in</a> with another one.</p>`;
  }
  return nothing;
}

/**
 * The value of a source drawn, or why there is none, or that it comes.
 * @template T
 * @param {{value: T | null, error: Error | null, refresh: () => unknown}} source
 * @param {(value: T) => unknown} draw
 */
export function shown(source, draw) {
  const wrong = source.error ? failure(source.error, () => source.refresh()) : nothing;
  if (source.value === null) {
    return source.error ? wrong : html`<p class="muted" role="status">Loading…</p>`;
  }
  return html`${wrong}${draw(source.value)}`;
}
