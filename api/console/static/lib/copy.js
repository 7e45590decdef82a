// A button that copies, and a block of text that has one.

import { html } from "../vendor/lit-html/lit-html.js";
import { toast } from "./toast.js";

/**
 * Put a text on the clipboard. Browsers keep theirs for pages of https and of this machine; from
 * elsewhere the old way is left.
 * @param {string} text
 */
export async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // not allowed: the old way may be
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/**
 * A button that copies.
 * @param {string | (() => string)} text
 * @param {string} [what] what is copied, for who hears the button
 */
export function copyButton(text, what = "") {
  const click = async () => {
    const done = await copy(typeof text === "string" ? text : text());
    toast(done ? "Copied." : "The browser does not let this page copy.", done ? "good" : "bad");
  };
  return html`<button type="button" class="small" aria-label=${`Copy ${what}`.trim()} @click=${click}>Copy</button>`;
}

/**
 * Text in a frame, as it is, with a button that copies it.
 * @param {string} text
 * @param {string} what what it is, for who hears it
 */
export function codeBlock(text, what) {
  return html`<div class="code">
    <pre tabindex="0" role="group" aria-label=${what}>${text}</pre>
    ${copyButton(text, what)}
  </div>`;
}
