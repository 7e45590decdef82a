// The widget of the model that a page shows: made once, kept while the console is open, so that
// who comes back to a model finds what was given to it.

import { html } from "../vendor/lit-html/lit-html.js";
import { failure } from "../lib/failure.js";
import { HttpError, KEY_CHANGED, callJson } from "../lib/http.js";
import { pause, whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { Widget } from "./widget.js";

/** @type {Map<string, Widget | Error>} by `model/version`; an Error stays until it is tried again */
const widgets = new Map();

/** @type {Set<string>} */
const coming = new Set();

// What one key's owner gave and was answered is not the next one's to see.
addEventListener(KEY_CHANGED, () => {
  for (const made of widgets.values()) if (made instanceof Widget) made.leave();
  widgets.clear();
});

/**
 * Draw the widget of a model.
 * @param {string} name
 * @param {string} [version] the one that is meant where none is named
 */
export function widget(name, version = "") {
  const key = `${name}/${version}`;
  const made = widgets.get(key);
  if (!made) void make(name, version, key);
  if (made instanceof Error) return unmade(made, key);
  if (!made) return html`<p class="muted" role="status">Loading…</p>`;
  whileShown(`widget ${key}`, (signal) => signal.addEventListener("abort", () => made.stop()));
  return made.draw();
}

/**
 * @param {string} name
 * @param {string} version
 * @param {string} key
 */
async function make(name, version, key) {
  if (coming.has(key)) return;
  coming.add(key);
  const tail = version ? `/versions/${encodeURIComponent(version)}` : "";
  try {
    const model = await callJson(`v2/models/${encodeURIComponent(name)}${tail}`);
    const task = await callJson(`v2/tasks/${encodeURIComponent(model.parameters.task)}`);
    widgets.set(key, new Widget(model, version, task));
  } catch (error) {
    widgets.set(key, error instanceof Error ? error : new Error(String(error)));
  }
  coming.delete(key);
  redraw();
}

/**
 * @param {Error} error
 * @param {string} key
 */
function unmade(error, key) {
  const away = error instanceof HttpError && [0, 503].includes(error.status);
  if (away) {
    whileShown(`widget ${key} again`, async (signal) => {
      await pause(3000, signal);
      if (!signal.aborted) retry(key);
    });
  }
  return failure(error, () => retry(key));
}

/** @param {string} key */
function retry(key) {
  widgets.delete(key);
  redraw();
}
