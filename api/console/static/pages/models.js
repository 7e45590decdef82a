// What is served.

import { html } from "../vendor/lit-html/lit-html.js";
import { callJson } from "../lib/http.js";
import { redraw } from "../lib/redraw.js";

/** @type {{name: string, state: string}[] | null} */
let known = null;

async function load() {
  known = [];
  known = await callJson("v2/repository/index", { json: {} });
  redraw();
}

export function models() {
  if (!known) load();
  return html`<h1>Models</h1>
    <ul>
      ${(known ?? []).map((model) => html`<li>${model.name}: ${model.state}</li>`)}
    </ul>`;
}
