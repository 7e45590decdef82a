// Everybody's keys, for the admin: which there are, a new one, and an end to one.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { codeBlock } from "../lib/copy.js";
import { confirmed } from "../lib/dialog.js";
import { shown } from "../lib/failure.js";
import { bytes, counted, number, time } from "../lib/format.js";
import { call, callJson } from "../lib/http.js";
import { whileShown } from "../lib/lifetime.js";
import { redraw } from "../lib/redraw.js";
import { caller, recognise, signIn } from "../lib/session.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";
import { told } from "../lib/toast.js";

/**
 * @typedef {object} Key
 * @property {string} id
 * @property {string | null} tenant null for an admin's
 * @property {string[]} scopes
 * @property {number} weight
 * @property {number} max_waiting
 * @property {number} max_waiting_bytes
 * @property {number} submits_per_s
 * @property {string} [created_at]
 * @property {string} [expires_at]
 * @property {string} note
 * @property {boolean} in_file
 */

/** @type {Source<Key[]>} */
const all = new Source(() => ({ path: "v2/keys" }), (body) => body.keys);

/** The key that was just made: shown once. */
let made = "";

/** Whom a new key is for: "tenant" or "admin". */
let kind = "tenant";

/** @param {boolean} needed whether there is a key already */
export function keys(needed) {
  whileShown("keys", (signal) => {
    signal.addEventListener("abort", () => (made = ""));
    void all.refresh(signal);
  });
  return html`<section class="stack" aria-labelledby="keys">
    <h2 id="keys">Keys</h2>
    ${made
      ? html`<div class="notice good" role="alert">
          <p>This is the only time that the key is shown. Whoever has it may do what it allows.</p>
          ${codeBlock(made, "the new key")}
        </div>`
      : nothing}
    ${shown(all, list)}
    ${form(needed)}
  </section>`;
}

/** @param {Key[]} found */
function list(found) {
  return table({
    caption: "Keys",
    rows: found,
    key: (row) => row.id,
    empty: html`<p>There are none. The first one is an admin's, and from then on every call needs a key.</p>`,
    columns: [
      { title: "Key", head: true, cell: (row) => html`<span class="mono">wherry_${row.id}_…</span>` },
      { title: "Tenant", cell: (row) => row.tenant ?? "(admin)" },
      { title: "Scopes", cell: (row) => row.scopes.join(", ") },
      { title: "Weight", numeric: true, cell: (row) => (row.tenant ? number(row.weight) : "") },
      { title: "Limits", cell: limits },
      { title: "Made", cell: (row) => time(row.created_at) },
      { title: "Ends", cell: (row) => (row.expires_at ? time(row.expires_at) : "never") },
      { title: "Note", cell: (row) => row.note },
      {
        title: "Revoke",
        cell: (row) =>
          row.in_file
            ? html`<span class="muted">in the file of keys</span>`
            : html`<button type="button" class="small" aria-label=${`Revoke ${row.id}`} @click=${() => revoke(row)}>Revoke</button>`,
      },
    ],
  });
}

/** @param {Key} row */
function limits(row) {
  return [
    row.max_waiting ? `${counted(row.max_waiting, "job")} waiting` : "",
    row.max_waiting_bytes ? `${bytes(row.max_waiting_bytes)} waiting` : "",
    row.submits_per_s ? `${counted(row.submits_per_s, "job")} a second` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

/** @param {Key} row */
async function revoke(row) {
  const sure = await confirmed({
    title: `Revoke ${row.note || row.id}?`,
    text: html`Within a second or two no server takes it. ${row.tenant ?? "Whoever administers by it"} needs another one then. If it is the last key of an admin, only <code>wherry keys</code> makes a new one.`,
    yes: "Revoke",
    danger: true,
  });
  if (!sure) return;
  await told(call(`v2/keys/${encodeURIComponent(row.id)}`, { method: "DELETE" }), "The key is revoked.");
  await recognise();
  await all.refresh();
}

/** @param {Event} event */
function choose(event) {
  kind = /** @type {HTMLSelectElement} */ (event.target).value;
  redraw();
}

/** @param {boolean} needed */
function form(needed) {
  const chosen = needed ? kind : "admin";
  return html`<form class="card" @submit=${make} autocomplete="off" aria-labelledby="new-key">
    <h3 id="new-key">New key</h3>
    ${needed ? nothing : html`<p class="warn-text">The first key is an admin's. From then on every call needs one, and this page goes on with it.</p>`}
    <div class="fields">
      <label class="field"><span>For</span>
        <select name="kind" .value=${live(chosen)} @change=${choose}>
          <option value="tenant" ?disabled=${!needed}>a tenant</option>
          <option value="admin">an admin</option>
        </select></label>
      ${chosen === "tenant" ? ofTenant() : nothing}
      ${field("expires_in_days", "Ends in", "days; empty: never", { type: "number", min: "0", step: "any" })}
      ${field("note", "Note", "something to know it by", { maxlength: "200" })}
    </div>
    <div class="buttons"><button class="primary">Make the key</button></div>
  </form>`;
}

function ofTenant() {
  return html`${field("tenant", "Tenant", "a to z, 0 to 9, - and _", { required: true, pattern: "[a-z0-9][a-z0-9_\\-]{0,31}" })}
    <fieldset class="field"><legend>May</legend>
      <label class="check"><input type="checkbox" name="submit" checked> send work</label>
      <label class="check"><input type="checkbox" name="read" checked> look at its own jobs</label>
    </fieldset>
    ${field("weight", "Share of the fleet", "against the other tenants' 1", { type: "number", min: "0.001", max: "1000", step: "any" })}
    ${field("max_waiting", "Jobs that may wait", "empty: any number", { type: "number", min: "0", step: "1" })}
    ${field("max_waiting_bytes", "Bytes that may wait", "empty: any number", { type: "number", min: "0", step: "1" })}
    ${field("submits_per_s", "Jobs a second", "empty: any number", { type: "number", min: "0", step: "any" })}`;
}

/**
 * @param {string} name
 * @param {string} title
 * @param {string} help
 * @param {{type?: string, min?: string, max?: string, step?: string, pattern?: string, maxlength?: string, required?: boolean}} [rule]
 */
function field(name, title, help, rule = {}) {
  return html`<label class="field"><span>${title}</span>
    <input name=${name} type=${rule.type ?? "text"} min=${rule.min ?? nothing} max=${rule.max ?? nothing}
      step=${rule.step ?? nothing} pattern=${rule.pattern ?? nothing} maxlength=${rule.maxlength ?? nothing} autocomplete="off" ?required=${rule.required ?? false}>
    <span class="help">${help}</span></label>`;
}

/** @param {SubmitEvent} event */
async function make(event) {
  event.preventDefault();
  const element = /** @type {HTMLFormElement} */ (event.target);
  const given = new FormData(element);
  const first = !caller()?.keys_needed;
  /** @type {Record<string, unknown>} */
  const wanted = !given.has("tenant") ? { scopes: ["admin"] } : asked(given);
  for (const name of ["expires_in_days", ...(wanted["tenant"] ? NUMBERS : [])]) {
    if (given.get(name)) wanted[name] = Number(given.get(name));
  }
  wanted["note"] = String(given.get("note") ?? "");
  const work = callJson("v2/keys", { json: wanted });
  if (!(await told(work, "The key is made."))) return;
  made = (await work).key;
  element.reset();
  kind = "tenant";
  if (first) await signIn(made, true); // no call is let in without it from now on
  await all.refresh();
  redraw();
}

const NUMBERS = ["weight", "max_waiting", "max_waiting_bytes", "submits_per_s"];

/** @param {FormData} given */
function asked(given) {
  return {
    tenant: String(given.get("tenant") ?? ""),
    scopes: ["submit", "read"].filter((scope) => given.has(scope)),
  };
}
