// One model: its widget, and its card.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { coded } from "../lib/code_words.js";
import { confirmed } from "../lib/dialog.js";
import { failure } from "../lib/failure.js";
import { LOOK_S, entries, look } from "../lib/fleet.js";
import { call } from "../lib/http.js";
import { words } from "../lib/format.js";
import { again, pause, whileShown } from "../lib/lifetime.js";
import { isAdmin } from "../lib/session.js";
import { Source } from "../lib/source.js";
import { toast, told } from "../lib/toast.js";
import { modelCard } from "./model_card.js";
import { widget } from "../widgets/mount.js";

/**
 * @typedef {import("../lib/router.js").Route} Route
 * @typedef {import("../lib/fleet.js").Entry} Entry
 * @typedef {object} Declared what the API says of a model: OIP's metadata
 * @property {string} name
 * @property {string[]} versions
 * @property {string} platform
 * @property {{name: string, datatype: string, shape: number[], parameters?: any}[]} inputs
 * @property {{name: string, datatype: string, shape: number[], parameters?: any}[]} outputs
 * @property {Record<string, any>} parameters
 */

/** The model that is shown: its name and version, what it is, and its task. */
let at = { name: "", version: "" };

/** @type {Source<Declared>} */
const declared = new Source(() => ({ path: pathOf(at) }));

/** @type {Source<any>} the task as it declares itself, with its example */
const task = new Source(() => ({
  path: `v2/tasks/${encodeURIComponent(declared.value?.parameters["task"] ?? "")}`,
}));

/** @param {{name: string, version: string}} model */
function pathOf({ name, version }) {
  const path = `v2/models/${encodeURIComponent(name)}`;
  return version ? `${path}/versions/${encodeURIComponent(version)}` : path;
}

/** @param {Route} route */
export function model({ rest, query }) {
  const asked = { name: rest[0] ?? "", version: query.get("version") ?? "" };
  if (asked.name !== at.name || asked.version !== at.version) {
    at = asked;
    declared.forget();
    task.forget();
  }
  whileShown(`model ${at.name} ${at.version}`, load);
  whileShown("models", (signal) => again(signal, LOOK_S, look));
  const entry = entryOf(at);
  return html`<p class="crumbs"><a href="#/models">Models</a> / ${at.name}</p>
    <div class="page-head">
      <h1>${at.name}</h1>
      ${entry ? badge(entry.status) : nothing}
      ${entry ? html`<span class="muted">${words(entry.task)}</span>` : nothing}
      ${versions()}
    </div>
    ${entry ? standing(entry) : nothing}
    ${declared.error ? failure(declared.error, () => declared.refresh()) : nothing}
    ${declared.value ? whole(declared.value, entry) : declared.error ? nothing : html`<p class="muted" role="status">Loading…</p>`}`;
}

/** @param {AbortSignal} signal */
async function load(signal) {
  while (!signal.aborted && !task.value) {
    if (!declared.value) await declared.refresh(signal);
    if (declared.value) await task.refresh(signal);
    if (!task.value) await pause(LOOK_S * 1000, signal); // the API may be away
  }
}

/**
 * @param {{name: string, version: string}} model
 * @returns {Entry | undefined}
 */
function entryOf({ name, version }) {
  return (entries.value ?? []).filter((entry) => entry.name === name && (!version || entry.version === version)).at(-1);
}

function versions() {
  const known = declared.value?.versions ?? [];
  if (known.length < 2) return nothing;
  return html`<span class="small">Versions: ${known.map(
    (version) => html` <a href=${`#/models/${encodeURIComponent(at.name)}?version=${encodeURIComponent(version)}`}
      aria-current=${version === at.version ? "true" : nothing}>${version}</a>`,
  )}</span>`;
}

/** @type {Record<string, string>} what to do about it, by status */
const ADVICE = {
  cold: "It is not in memory now: the first job loads it, and waits for that.",
  loading: "A worker loads it, or tunes it. Jobs may be sent: they wait.",
  unloaded: "It was closed to new requests. An admin may open it again.",
  unserved: "Jobs may be sent, and wait until a worker of its family runs.",
};

/**
 * Why a model does not serve, and what to do.
 * @param {Entry} entry
 */
function standing(entry) {
  if (entry.status === "ready") {
    return entry.note ? html`<div class="notice warn"><p>${coded(entry.note)}</p></div>` : nothing;
  }
  const bad = entry.status === "failed";
  return html`<div class="notice ${bad ? "bad" : "warn"}">
    ${entry.reason && entry.status !== "unloaded" ? html`<p>${coded(entry.reason)}</p>` : nothing}
    ${ADVICE[entry.status] ? html`<p>${ADVICE[entry.status]}</p>` : nothing}
    ${isAdmin() && (bad || entry.status === "unloaded")
      ? html`<button type="button" @click=${() => open(entry)}>${bad ? "Load it again" : "Open it"}</button>`
      : nothing}
  </div>`;
}

/**
 * @param {Declared} found
 * @param {Entry | undefined} entry
 */
function whole(found, entry) {
  return html`<div class="model-columns">
    <div class="stack">${widgetPlace(found)}</div>
    <div class="stack">
      ${modelCard(found, entry, task.value)}
      ${isAdmin() && entry && entry.status !== "unloaded" ? operator(entry) : nothing}
    </div>
  </div>`;
}

/**
 * Where the model's widget is drawn.
 * @param {Declared} found
 */
function widgetPlace(found) {
  return html`<section id="widget" class="card" aria-labelledby="widget-title">
    <h2 id="widget-title">Try it</h2>
    ${widget(found.name, at.version)}
  </section>`;
}

/** @param {Entry} entry */
function operator(entry) {
  return html`<details class="card">
    <summary>For the operator</summary>
    <div class="buttons">
      <button type="button" @click=${() => open(entry)}>Load as models.toml says now</button>
      <button type="button" @click=${() => close(entry)}>Unload</button>
    </div>
  </details>`;
}

/** @param {Entry} entry */
async function open({ name }) {
  toast(`${name} is being loaded.`);
  await told(call(`v2/repository/models/${encodeURIComponent(name)}/load`, { json: {} }), `${name} is loaded.`);
  await declared.refresh();
}

/** @param {Entry} entry */
async function close({ name }) {
  const sure = await confirmed({
    title: `Unload ${name}?`,
    text: "It takes no new jobs then. Those that wait are done first, and its memory is freed after them.",
    yes: "Unload",
    danger: true,
  });
  if (sure) await told(call(`v2/repository/models/${encodeURIComponent(name)}/unload`, { json: {} }), `${name} is closed.`);
}
