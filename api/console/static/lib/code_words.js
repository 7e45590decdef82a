// What the server says in words, with its names of things between backticks drawn as code.

import { html } from "../vendor/lit-html/lit-html.js";

/**
 * A text whose `names` are code. A backtick alone stays as it is.
 * @param {unknown} text
 */
export function coded(text) {
  const parts = String(text ?? "").split(/`([^`\n]+)`/);
  return parts.length === 1 ? parts[0] : parts.map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));
}
