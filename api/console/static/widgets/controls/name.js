// What a control is called.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { titleOf } from "../declaration.js";

/**
 * An input's name, and whether it may be left out.
 * @param {import("../declaration.js").Input} input
 */
export function nameOf({ name, optional }) {
  return html`${titleOf(name)}${optional ? html` <span class="muted">(optional)</span>` : nothing}`;
}
