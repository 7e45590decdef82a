// Light, dark, or as the machine is set.

import { html } from "../vendor/lit-html/lit-html.js";
import { redraw } from "./redraw.js";
import { remember, remembered } from "./storage.js";

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const KEPT = "wherry-theme";

/** @type {string} */
let theme = remembered("localStorage", KEPT) ?? "auto";
use();

/** Whether dark colours are shown now: for what draws on a canvas. */
export function isDark() {
  if (theme === "dark" || theme === "light") return theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * The colour that a token of style.css stands for now: for what draws on a canvas.
 * @param {string} token "--accent"
 */
export function colour(token) {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  probe.hidden = true;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** The choice between the themes. */
export function themeChoice() {
  const choose = (/** @type {Event} */ event) => {
    theme = /** @type {HTMLSelectElement} */ (event.target).value;
    remember("localStorage", KEPT, theme === "auto" ? null : theme);
    use();
    redraw();
  };
  return html`<select class="theme" aria-label="Theme" @change=${choose}>
    ${THEMES.map((one) => html`<option value=${one} ?selected=${one === theme}>${one}</option>`)}
  </select>`;
}

function use() {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
