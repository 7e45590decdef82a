// The marks on a picture as numbers: what the pointer drew can be read, written and removed.

import { html } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";

/** @typedef {import("../prompts.js").Prompt} Prompt */

/**
 * Every object with its points and its box.
 * @param {import("./prompts.js").PromptsControl} control
 */
export function promptFields(control) {
  const { prompts } = control;
  if (!prompts.list.length) return html`<p class="help" role="status">Nothing is marked.</p>`;
  return html`<ul class="widget-prompts">
    ${prompts.list.map((prompt) => {
      const name = `object ${prompt.object}${prompts.takesFrames ? ` on frame ${prompt.frame}` : ""}`;
      return html`<li>
        <div class="buttons">
          <strong>${name.charAt(0).toUpperCase() + name.slice(1)}</strong>
          ${prompts.takesPoints ? html`<button type="button" class="small" aria-pressed=${control.current === prompt}
            aria-label=${`Mark ${name}`} @click=${() => chosen(control, prompt)}>Mark</button>` : ""}
          <button type="button" class="small" aria-label=${`Remove ${name}`} @click=${() => removed(prompts, prompt)}>Remove</button>
        </div>
        ${prompts.takesFrames ? placeFields(prompt, name) : ""}
        ${prompt.points.map((point, at) => pointFields(prompt, point, at, name))}
        ${prompt.box ? boxFields(prompt, prompt.box, name) : ""}
      </li>`;
    })}
  </ul>`;
}

/**
 * @param {Prompt} prompt
 * @param {string} name
 */
function placeFields(prompt, name) {
  return html`<div class="widget-numbers">
    ${field("object", `Number of ${name}`, prompt.object, (value) => { prompt.object = value; })}
    ${field("frame", `Frame of ${name}`, prompt.frame, (value) => { prompt.frame = value; })}
  </div>`;
}

/**
 * @param {Prompt} prompt
 * @param {import("../prompts.js").Point} point
 * @param {number} at
 * @param {string} name
 */
function pointFields(prompt, point, at, name) {
  const what = `point ${at + 1} of ${name}`;
  return html`<div class="widget-numbers">
    ${field("x", `x of ${what}`, point.x, (value) => { point.x = value; })}
    ${field("y", `y of ${what}`, point.y, (value) => { point.y = value; })}
    <label class="check"><input type="checkbox" .checked=${point.on}
      @change=${(/** @type {Event} */ event) => { point.on = /** @type {HTMLInputElement} */ (event.target).checked; redraw(); }}> on it</label>
    <button type="button" class="small" aria-label=${`Remove ${what}`}
      @click=${() => { prompt.points.splice(at, 1); redraw(); }}>×</button>
  </div>`;
}

/**
 * @param {Prompt} prompt
 * @param {import("../prompts.js").Box} box
 * @param {string} name
 */
function boxFields(prompt, box, name) {
  return html`<div class="widget-numbers">
    ${["left", "top", "right", "bottom"].map((side, at) =>
      field(side, `${side} of the box of ${name}`, box[at] ?? 0, (value) => { box[at] = value; }))}
    <button type="button" class="small" aria-label=${`Remove the box of ${name}`}
      @click=${() => { prompt.box = null; redraw(); }}>×</button>
  </div>`;
}

/**
 * @param {string} short
 * @param {string} label
 * @param {number} value
 * @param {(value: number) => void} set
 */
function field(short, label, value, set) {
  return html`<label class="widget-number"><span aria-hidden="true">${short}</span>
    <input type="number" step="any" aria-label=${label} .value=${String(Math.round(value * 10) / 10)}
      @change=${(/** @type {Event} */ event) => {
        const number = /** @type {HTMLInputElement} */ (event.target).valueAsNumber;
        if (Number.isFinite(number)) set(number);
        redraw();
      }}></label>`;
}

/**
 * @param {import("./prompts.js").PromptsControl} control
 * @param {Prompt} prompt
 */
function chosen(control, prompt) {
  control.current = prompt;
  control.frame = prompt.frame;
  redraw();
}

/**
 * @param {import("../prompts.js").Prompts} prompts
 * @param {Prompt} prompt
 */
function removed(prompts, prompt) {
  prompts.list = prompts.list.filter((one) => one !== prompt);
  redraw();
}
