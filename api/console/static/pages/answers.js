// Every task's golden example, drawn as its answers are: to look at, and to be tested by.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { callJson } from "../lib/http.js";
import { redraw } from "../lib/redraw.js";
import { href } from "../lib/router.js";
import { rowCount } from "../lib/tensors.js";
import { drawAnswer } from "../answers/answer.js";

/** @type {any[] | null} */
let tasks = null;
let failed = "";

async function load() {
  tasks = [];
  try {
    const { tasks: found } = await callJson("v2/tasks");
    const named = found.filter((/** @type {any} */ task) => !task.error);
    tasks = await Promise.all(named.map((/** @type {any} */ task) => callJson(`v2/tasks/${task.name}`)));
  } catch (error) {
    failed = /** @type {Error} */ (error).message;
  }
  redraw();
}

/** @param {import("../lib/router.js").Route} route */
export function answers({ rest }) {
  if (!tasks) load();
  const shown = (tasks ?? []).filter(({ name }) => !rest[0] || name === rest[0]);
  return html`<h1>Answers, as each task's are drawn</h1>
    ${failed ? html`<p class="notice bad" role="alert">${failed}</p>` : nothing}
    ${shown.map(example)}`;
}

/** @param {any} task */
function example(task) {
  const { request, response } = task.example;
  const rows = Array.from({ length: rowCount(response) }, (_, row) => row);
  return html`<article class="card" data-task=${task.name}>
    <h2><a href=${href(["answers", task.name])}>${task.title}</a></h2>
    ${rows.map((row) => drawAnswer({ task: task.name, model: task.name, renderer: task.widget.renderer, request, response, row, redraw }))}
  </article>`;
}
