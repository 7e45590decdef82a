// A model's card: what it takes and gives, what it is, and what it was found to do.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { coded } from "../lib/code_words.js";
import { codeBlock } from "../lib/copy.js";
import { countedOf } from "../lib/fleet.js";
import { bytes, counted, number, percent } from "../lib/format.js";
import { table } from "../lib/table.js";

/**
 * @typedef {import("./model.js").Declared} Declared
 * @typedef {import("../lib/fleet.js").Entry} Entry
 */

/** Labels that are shown before one asks for the others. */
const LABELS = 40;

/**
 * @param {Declared} declared
 * @param {Entry | undefined} entry
 * @param {any} task as it declares itself; null until it is known
 */
export function modelCard(declared, entry, task) {
  const { parameters } = declared;
  return html`<section class="card model-card" aria-labelledby="card-title">
    <h2 id="card-title">${task?.title ?? "Card"}</h2>
    ${task ? html`<p>${coded(task.description)}</p>` : nothing}
    ${parameters["description"] ? html`<p class="notice">${coded(parameters["description"])}</p>` : nothing}
    ${entry ? doing(entry) : nothing}
    <h3>What it is</h3>
    ${facts(declared, entry)}
    <h3>Tensors</h3>
    ${tensors(declared)}
    ${parametersOf(declared, task)}
    ${labels(parameters["labels"])}
    ${tuning(parameters["tuning"])}
    ${example(declared, task)}
  </section>`;
}

/** @param {Entry} entry */
function doing(entry) {
  const { rowsPerS, rows, fill, failed, waiting, running } = countedOf(entry);
  return html`<h3>What it does now</h3>
    <dl class="facts">
      ${rowsPerS === undefined ? nothing : fact("Rows a second", number(rowsPerS))}
      ${rows === undefined ? nothing : fact("Rows so far", number(rows))}
      ${fill === undefined ? nothing : fact("Batches filled", percent(fill))}
      ${failed ? fact("Jobs that failed", number(failed)) : nothing}
      ${fact("Queue", `${counted(waiting, "job")} waiting, ${number(running)} running`)}
    </dl>`;
}

/**
 * @param {string} title
 * @param {unknown} value
 */
function fact(title, value) {
  return html`<dt>${title}</dt><dd>${value}</dd>`;
}

/**
 * @param {Declared} declared
 * @param {Entry | undefined} entry
 */
function facts(declared, entry) {
  const { parameters: told } = declared;
  return html`<dl class="facts">
    ${told["runtime"] ? fact("Runtime", told["runtime"]) : fact("Backend", declared.platform.replace("wherry_", ""))}
    ${entry?.devices.length ? fact("Device", entry.devices.join(", ")) : nothing}
    ${told["parameters"] ? fact("Weights", `${number(told["parameters"])}${told["dtype"] ? `, ${told["dtype"]}` : ""}`) : nothing}
    ${entry?.bytes ? fact("Memory", bytes(entry.bytes)) : nothing}
    ${told["source"] ? fact("Source", html`<span class="mono">${told["source"]}</span>`) : nothing}
    ${told["revision"] ? fact("Revision", html`<span class="mono">${told["revision"]}</span>`) : nothing}
    ${fact("Batch", `up to ${counted(told["max_batch_size"], "row")}${BATCHING[told["batching"]] ?? ""}`)}
    ${fact("A job", `up to ${counted(told["max_rows_per_job"], "row")} and ${bytes(told["max_body_bytes"])}`)}
    ${fact("A row", `up to ${number(told["max_row_cost"])} ${told["cost_unit"]}`)}
  </dl>`;
}

/** @type {Record<string, string>} how rows share a forward */
const BATCHING = {
  "equal-length": ", those of one length together",
  "one-by-one": ", each row in a forward of its own",
};

/** @param {Declared} declared */
function tensors(declared) {
  const rows = [
    ...declared.inputs.map((tensor) => ({ ...tensor, way: "takes" })),
    ...declared.outputs.map((tensor) => ({ ...tensor, way: "gives" })),
  ];
  return table({
    caption: "Tensors",
    rows,
    key: (row) => `${row.way} ${row.name}`,
    columns: [
      { title: "Way", cell: (row) => row.way },
      { title: "Name", head: true, cell: (row) => html`<code class="model-name">${broken(row.name)}</code>` },
      { title: "Type", cell: (row) => row.datatype },
      { title: "Shape", cell: (row) => html`<span class="mono">[${row.shape.join(", ")}]</span>` },
      { title: "Holds", cell: (row) => row.parameters?.content ?? "" },
    ],
  });
}

/**
 * @param {Declared} declared
 * @param {any} task
 */
function parametersOf(declared, task) {
  const known = new Map((task?.parameters ?? []).map((/** @type {any} */ one) => [one.name, one]));
  const rows = Object.entries(declared.parameters["request_parameters"] ?? {}).map(([name, schema]) => ({
    name,
    type: schema.type ?? "",
    range: "",
    description: schema.description ?? "",
    default: schema.default,
    ...known.get(name),
  }));
  if (!rows.length) return nothing;
  return html`<h3>Parameters</h3>
    ${table({
      caption: "Parameters",
      rows,
      key: (row) => row.name,
      columns: [
        { title: "Name", head: true, cell: (row) => html`<code class="model-name">${broken(row.name)}</code>` },
        { title: "Type", cell: (row) => html`${row.type}${row.range ? html`<br><span class="muted">${row.range}</span>` : nothing}` },
        { title: "Default", cell: (row) => (row.default === undefined || row.default === null ? "–" : html`<code>${JSON.stringify(row.default)}</code>`) },
        { title: "What it does", cell: (row) => coded(row.description) },
      ],
    })}`;
}

/**
 * A name that may go on in the next line after each of its words.
 * @param {string} name
 */
function broken(name) {
  return name.split(/(?<=_)/).map((part) => html`${part}<wbr>`);
}

/** @param {string[] | undefined} names */
function labels(names) {
  if (!names?.length) return nothing;
  const list = (/** @type {string[]} */ some) => html`<ul class="chips">${some.map((name) => html`<li class="chip">${name}</li>`)}</ul>`;
  return html`<h3>Labels (${number(names.length)})</h3>
    ${list(names.slice(0, LABELS))}
    ${names.length > LABELS
      ? html`<details><summary>The other ${number(names.length - LABELS)}</summary>${list(names.slice(LABELS))}</details>`
      : nothing}`;
}

/** @param {any} tuned */
function tuning(tuned) {
  if (!tuned) return nothing;
  const sizes = [...new Set(tuned.tried.flatMap((/** @type {any} */ one) => Object.keys(one.rows_per_s)))].sort((a, b) => a - b);
  return html`<h3>Tuning</h3>
    <p>${tuned.why}</p>
    ${table({
      caption: "What was tried to serve it: rows a second by the size of a batch",
      rows: /** @type {any[]} */ (tuned.tried),
      key: (row) => row.name,
      columns: [
        { title: "Tried", head: true, cell: (row) => row.name },
        ...sizes.map((size) => ({
          title: `rows/s at ${size}`,
          numeric: true,
          cell: (/** @type {any} */ row) => (size in row.rows_per_s ? number(row.rows_per_s[size]) : ""),
        })),
        { title: "Verdict", cell: (row) => (row.name === tuned.chosen ? html`<span class="badge good">chosen</span>` : row.refused || "slower") },
      ],
    })}`;
}

/**
 * @param {Declared} declared
 * @param {any} task
 */
function example(declared, task) {
  if (!task?.example) return nothing;
  const request = JSON.stringify(task.example.request, shortened, 2);
  const response = JSON.stringify({ ...task.example.response, model_name: declared.name }, shortened, 2);
  return html`<details>
    <summary><h3 class="inline">Golden example</h3></summary>
    <div class="stack">
      <p class="small muted">A request, and the answer that a model trained for this should give. Long values are cut here.</p>
      ${codeBlock(request, "the example's request")}
      ${codeBlock(response, "the example's response")}
    </div>
  </details>`;
}

/**
 * What is too long to read: pictures and sounds as text, long lists.
 * @param {string} _key
 * @param {unknown} value
 */
function shortened(_key, value) {
  if (typeof value === "string" && value.length > 200) return `${value.slice(0, 60)}… (${value.length} characters)`;
  if (Array.isArray(value) && value.length > 24) return [...value.slice(0, 12), `… ${value.length - 12} more`];
  return value;
}
