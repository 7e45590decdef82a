// What can be done with a run: hold it, let it go on, call it off, try it again, start another like it, forget it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { confirmed } from "../lib/dialog.js";
import { call, callJson } from "../lib/http.js";
import { liveRun } from "../lib/live_run.js";
import { go, href } from "../lib/router.js";
import { follows, isOver, mayRetry, nameOf, pathOf } from "../lib/runs.js";
import { told } from "../lib/toast.js";
import { forgotten } from "./runs.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/** @param {Run} run */
export function deeds(run) {
  const over = isOver(run);
  const stands = ["paused", "held"].includes(run.state);
  return html`<div class="buttons">
    ${over || stands ? nothing : html`<button type="button" @click=${() => ask(run, "pause", "Paused. Rows in flight end first.")}>Pause</button>`}
    ${run.state === "paused" ? html`<button type="button" class="primary" @click=${() => goOn(run)}>Go on</button>` : nothing}
    ${follows(run) && !run.follow?.finishing ? html`<button type="button" @click=${() => ask(run, "finish", "It takes no more, and ends once all is answered.")}>Finish</button>` : nothing}
    ${mayRetry(run) ? html`<button type="button" @click=${() => ask(run, "retry", "It goes on from what it has.")}>Retry</button>` : nothing}
    ${over ? nothing : html`<button type="button" @click=${() => cancel(run)}>Cancel…</button>`}
    <a class="button" href=${href(["runs", "new"], { from: run.id })}>Clone…</a>
    ${over ? html`<button type="button" @click=${() => forget(run)}>Forget…</button>` : nothing}
  </div>`;
}

/** @param {Run} run */
export async function goOn(run) {
  await ask(run, "resume", "It goes on.");
}

/**
 * @param {Run} run
 * @param {string} deed
 * @param {string} done
 */
async function ask(run, deed, done) {
  await told(callJson(pathOf(run.id, `/${deed}`), { method: "POST" }), done);
  await liveRun(run.id).look();
}

/** @param {Run} run */
async function cancel(run) {
  const yes = await confirmed({
    title: "Cancel this run?",
    text: "Rows that wait are not answered. Those that are done stay, to be looked at until the run is forgotten.",
    yes: "Cancel it",
    danger: true,
  });
  if (yes) await ask(run, "cancel", "It is being canceled.");
}

/** @param {Run} run */
async function forget(run) {
  const yes = await confirmed({
    title: `Forget ${nameOf(run)}?`,
    text: run.out
      ? "Its record and its rows go now. What it wrote elsewhere stays."
      : "Its record, its rows and its files go now. Download first what you want to keep.",
    yes: "Forget it",
    danger: true,
  });
  if (!yes || !(await told(call(pathOf(run.id), { method: "DELETE" }), "Forgotten."))) return;
  forgotten(run.id);
  go(["runs"]);
}
