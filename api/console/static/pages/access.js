// Sign in with a key; what the key may do; and for the admin, everybody's keys.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { failure } from "../lib/failure.js";
import { bytes, counted, number } from "../lib/format.js";
import { HttpError } from "../lib/http.js";
import { whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { caller, isAdmin, recognise, refusal, signIn, signOut } from "../lib/session.js";
import { keys } from "./keys.js";

/** Why the key that was typed is not taken; "" for none. */
let refused = "";

export function access() {
  whileShown("access", () => void recognise());
  const who = caller();
  return html`<h1>Access</h1>
    ${who ? standing(who) : unknown()}
    ${!who || who.keys_needed ? entry(Boolean(who)) : nothing}
    ${who && isAdmin() ? keys(who.keys_needed) : nothing}`;
}

function unknown() {
  const error = refusal();
  const needed = error instanceof HttpError && error.status === 401;
  return error && !needed ? failure(error, () => void recognise()) : nothing;
}

/** @param {import("../lib/session.js").Caller} who */
function standing(who) {
  if (!who.keys_needed) {
    return html`<div class="notice warn">
      <p>This server has no API keys: whoever reaches it may do everything. It listens on this machine alone unless it was told otherwise.</p>
    </div>`;
  }
  return html`<section class="card" aria-labelledby="you">
    <div class="row">
      <h2 id="you">${signedIn(who)}</h2>
      <button type="button" class="push" @click=${signOut}>Sign out</button>
    </div>
    <dl class="facts">
      <dt>May</dt>
      <dd>${who.scopes.map((scope) => SCOPES[scope] ?? scope).join("; ")}</dd>
      ${who.tenant ? limits(who) : nothing}
    </dl>
  </section>`;
}

/** @param {import("../lib/session.js").Caller} who */
function signedIn(who) {
  if (who.tenant) {
    return `Signed in for ${who.tenant}`;
  }
  return who.scopes.includes("admin") ? "Signed in as an admin" : "Signed in to read metrics";
}

/** @type {Record<string, string>} */
const SCOPES = {
  submit: "send work, have its answer, cancel it",
  read: "look at the tenant's own jobs, results and batches",
  metrics: "read /metrics, and nothing else",
  admin: "do everything, of every tenant",
};

/** @param {import("../lib/session.js").Caller} who */
function limits(who) {
  return html`<dt>Share of the fleet</dt><dd>${number(who.weight)}, against the other tenants'</dd>
    <dt>May wait</dt>
    <dd>${who.max_waiting ? counted(who.max_waiting, "job") : "any number of jobs"}${who.max_waiting_bytes ? `, ${bytes(who.max_waiting_bytes)}` : ""}</dd>
    <dt>May send</dt><dd>${who.submits_per_s ? `${counted(who.submits_per_s, "job")} a second` : "any number of jobs"}</dd>`;
}

/** @param {boolean} another whether there is one already */
function entry(another) {
  return html`<form class="card" @submit=${enter} aria-labelledby="sign-in">
    <h2 id="sign-in">${another ? "Use another key" : "Sign in"}</h2>
    <label class="field">
      <span>API key</span>
      <input name="key" type="password" autocomplete="off" spellcheck="false" required placeholder="wherry_…"
        aria-invalid=${refused ? "true" : "false"} aria-describedby="key-help">
    </label>
    <p id="key-help" class=${refused ? "bad-text" : "help"} role="status">${refused || "It stays in this tab's memory, and goes to this server alone: into no URL, no cookie, no disk."}</p>
    <label class="check"><input name="keep" type="checkbox"> Keep it until this tab is closed</label>
    <div class="buttons"><button class="primary">Sign in</button></div>
  </form>`;
}

/** @param {SubmitEvent} event */
async function enter(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const given = new FormData(form);
  const key = String(given.get("key")).trim();
  if (!/^[!-~]+$/.test(key)) {
    refused = "This is no key: one has letters of ASCII alone, and no spaces.";
    return redraw();
  }
  const taken = await signIn(key, given.has("keep"));
  refused = taken ? "" : (refusal()?.message ?? "The key is not taken.");
  if (taken) form.reset();
  redraw();
}
