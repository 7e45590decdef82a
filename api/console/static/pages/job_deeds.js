// What can be done with a job: call it off, have it run again, forget it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { confirmed } from "../lib/dialog.js";
import { call, callJson } from "../lib/http.js";
import { href } from "../lib/router.js";
import { told } from "../lib/toast.js";

/**
 * @typedef {import("../lib/job_list.js").Job} Job
 * @typedef {{path: string, id: string, job: Job | null, request: any, look: () => Promise<void>}} Shown
 */

/** Bytes of a body that are JSON, where raw tensors follow. */
const HEADER_LENGTH = "Inference-Header-Content-Length";

/**
 * @param {Shown} here
 * @param {Job} it
 * @param {() => void} afresh reads all anew
 */
export function deeds(here, it, afresh) {
  const dead = it.status === "failed" && it.error?.type === "worker_lost";
  return html`<div class="buttons">
    ${it.finished_at ? nothing : html`<button type="button" @click=${() => cancel(here)}>Cancel</button>`}
    ${dead ? html`<button type="button" class="primary" @click=${() => replay(here, afresh)}>Replay</button>` : nothing}
    ${here.request ? html`<button type="button" @click=${() => runAgain(here, it)}>Run again as a new job</button>` : nothing}
    ${it.finished_at && !dead ? html`<button type="button" @click=${() => forget(here)}>Forget…</button>` : nothing}
  </div>`;
}

/** @param {Shown} here */
async function cancel(here) {
  const before = here.job?.status;
  const done = before === "running" ? "It ends with its batch." : "Canceled.";
  if (await told(call(`${here.path}/cancel`, { method: "POST" }), done)) here.look();
}

/**
 * @param {Shown} here
 * @param {() => void} afresh
 */
async function replay(here, afresh) {
  const path = `v2/dead/${encodeURIComponent(here.id)}/replay`;
  if (!(await told(call(path, { method: "POST" }), "Back in its queue."))) return;
  afresh(); // it lives again
}

/**
 * @param {Shown} here
 * @param {Job} it
 */
async function runAgain(here, it) {
  const work = sentAgain(here, it);
  if (await told(work)) location.hash = href(["jobs", (await work).id]);
}

/**
 * Send what a job was asked once more, byte for byte: JavaScript's numbers would change some.
 * @param {Shown} here
 * @param {Job} it
 */
async function sentAgain(here, it) {
  const [model, version] = [it.model_name, it.model_version].map(encodeURIComponent);
  const stored = await call(`${here.path}/request?binary=true`);
  /** @type {Record<string, string>} */
  const headers = { "Content-Type": stored.headers.get("Content-Type") ?? "application/json" };
  const length = stored.headers.get(HEADER_LENGTH);
  if (length) headers[HEADER_LENGTH] = length;
  return callJson(`v2/models/${model}/versions/${version}/jobs`, { body: await stored.arrayBuffer(), headers });
}

/** @param {Shown} here */
async function forget(here) {
  const yes = await confirmed({
    title: "Forget this job?",
    text: "Its record, its request and its answer go now. Nobody can read them again.",
    yes: "Forget it",
    danger: true,
  });
  if (yes && (await told(call("v2/jobs:forget", { json: { ids: [here.id] } }), "Forgotten."))) location.hash = "#/jobs";
}
