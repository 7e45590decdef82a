// What a run was asked, in full: what a clone of it asks again.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { counted, duration, number, percent } from "../lib/format.js";
import { whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { href } from "../lib/router.js";
import { nameOf } from "../lib/runs.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/**
 * @param {unknown} title
 * @param {unknown} value
 */
export function fact(title, value) {
  return html`<dt>${title}</dt><dd>${value}</dd>`;
}

/** @param {Run} run */
export function askedOf(run) {
  const parameters = Object.entries({ ...run.parameters, ...run.inputs });
  return html`<dl class="facts">
    ${fact("Model", html`<a href=${href(["models", run.model])}>${run.model}</a>${run.version ? `, version ${run.version}` : ""}`)}
    ${run.task ? fact("Task", run.task) : nothing}
    ${fact("Rows of", html`<span class="mono">${run.source}</span>`)}
    ${run.query ? fact("Query", html`<code>${run.query}</code>${run.order_by ? html`, cut by <code>${run.order_by}</code>` : ""}`) : nothing}
    ${fact("Written as", html`${run.format || "jsonl"}${run.out ? html` to <span class="mono">${run.out}</span>` : ", kept by the fleet"}`)}
    ${parameters.map(([name, value]) => fact(html`<code>${name}</code>`, html`<code>${typeof value === "string" ? value : JSON.stringify(value)}</code>`))}
    ${columns(run)} ${frames(run)}
    ${run.sample ? fact("Sample first", counted(run.sample, "row")) : nothing}
    ${run.reuse === false ? fact("Reuse", "no: all rows are computed") : nothing}
    ${limits(run)} ${layout(run)}
    ${run.near_duplicates ? fact("Pictures that look alike", "looked for among all") : nothing}
    ${run.compare ? fact("Held against", cloned(run.compare)) : nothing}
    ${run.webhook_host ? fact("Calls at its end", html`<span class="mono">${run.webhook_host}</span>`) : nothing}
    ${run.kept_s ? fact("Kept for", html`${duration(run.kept_s)} after its end`) : nothing}
    ${Object.entries(run.metadata ?? {}).map(([name, value]) => fact(html`Note <code>${name}</code>`, value))}
    ${run.tenant ? fact("Tenant", run.tenant) : nothing}
    ${run.cloned_from ? fact("Cloned from", cloned(run.cloned_from)) : nothing}
  </dl>`;
}

/** @param {string} id */
function cloned(id) {
  const other = liveRun(id);
  whileShown(`cloned from ${id}`, (signal) => void other.look(signal));
  return html`<a href=${href(["runs", id])}>${other.run ? nameOf(other.run) : id}</a>`;
}

/** @param {Run} run */
function columns(run) {
  const { id = "", fields = {} } = run.columns ?? {};
  const named = [...(id ? [["id", id]] : []), ...Object.entries(fields)];
  if (!named.length) return nothing;
  return fact("Columns", named.map(([name, column], at) => html`${at ? ", " : ""}<code>${name}</code> of <code>${column}</code>`));
}

/** @param {Run} run */
function frames({ every, frames }) {
  if (every) return fact("Of films", `a frame every ${duration(every)}`);
  if (!frames) return nothing;
  return fact("Frames or pages", typeof frames === "number" || /^\d+$/.test(frames) ? `one in ${number(Number(frames))}` : frames);
}

/** What ends it early, and what goes before it. @param {Run} run */
function limits(run) {
  const { max_errors: errors, max_device_seconds: device, deadline_s: deadline } = run;
  const ends = [
    typeof errors === "number" ? `${errors ? `more than ${counted(errors, "row")} failed` : "a row failed"}` : "",
    device ? `it used over ${duration(device)} of devices` : "",
    deadline ? `it took over ${duration(deadline)}` : "",
  ].filter(Boolean);
  return html`${ends.length ? fact("Ends once", ends.join(", or ")) : nothing}
    ${run.priority === 9 ? nothing : fact("Priority", number(run.priority))}
    ${run.shard_rows ? fact("Rows of a part", number(run.shard_rows)) : nothing}`;
}

/** How its output is laid out. @param {Run} run */
function layout(run) {
  const parts = Object.entries(run.split ?? {});
  return html`${parts.length ? fact("Split", parts.map(([name, share]) => `${name} ${percent(share)}`).join(", ")) : nothing}
    ${run.images ? fact("Pictures beside labels", run.images) : nothing}
    ${run.media_prefix ? fact("Media prefix", html`<code>${run.media_prefix}</code>`) : nothing}
    ${run.overwrite ? fact("What is there", "is replaced") : nothing}`;
}
