// Answers that are rows of several values; a given table with the cells that answer marked; texts or
// pages in their new order.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { number, words } from "../lib/format.js";
import { filesOf, itemsOf, parsed, rowOf, tensorOf } from "../lib/tensors.js";
import { barTable } from "./bars.js";
import { textOf, thumbnail } from "./given.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const table = parsed(rowOf(tensorOf(request.inputs, "table"), row) ?? "null");
  if (table && typeof table === "object") return cells(answer, table);
  const names = response.outputs.filter(({ shape }) => shape.length === 2).map(({ name }) => name);
  const items = itemsOf(response, row, names);
  if (names.includes("index") && names.includes("score")) return ranking(answer, items);
  if (!items.length) return html`<p class="answer-note">Nothing was found.</p>`;
  return html`<div class="table-scroll" role="group" aria-label="The answer" tabindex="0">
    <table>
      <caption class="visually-hidden">The answer</caption>
      <thead><tr>${names.map((name) => html`<th scope="col" class=${typeof items[0]?.[name] === "number" ? "number" : nothing}>${words(name)}</th>`)}</tr></thead>
      <tbody>
        ${items.map((item) => html`<tr>${names.map((name) => html`<td class=${typeof item[name] === "number" ? "number" : nothing}>${shown(item[name], name)}</td>`)}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

/**
 * @param {any} value
 * @param {string} name
 */
function shown(value, name) {
  return typeof value === "number" && name === "score" ? number(value) : value;
}

/**
 * Texts, or pages, the best first.
 * @param {import("./answer.js").Answer} answer
 * @param {Record<string, any>[]} items
 */
function ranking({ request, row }, items) {
  const pages = filesOf(tensorOf(request.inputs, "pages"), row);
  const texts = parsed(rowOf(tensorOf(request.inputs, "texts"), row) ?? "[]");
  const query = textOf(request, row, ["query"]);
  const bars = items.map(({ index, score, text }) => ({
    label: pages.length ? thumbnail(pages[index] ?? null, `Page ${index + 1}`) : html`${text ?? texts[index] ?? `text ${index + 1}`} <span class="answer-note">was ${index + 1}</span>`,
    score,
  }));
  return html`${query === undefined ? nothing : html`<p class="answer-note">The best first for “${query}”:</p>`}
    ${barTable("In order, the best first", [pages.length ? "Page" : "Text", "Score"], bars)}`;
}

/**
 * The table that was asked, its answering cells marked.
 * @param {import("./answer.js").Answer} answer
 * @param {Record<string, any[]>} table
 */
function cells({ request, response, row }, table) {
  const found = itemsOf(response, row, ["answer", "coordinates", "aggregator"]);
  const marked = new Set(found.flatMap(({ coordinates }) => parsed(coordinates ?? "[]")).map(String));
  const columns = Object.keys(table);
  const lines = Math.max(0, ...Object.values(table).map((column) => column.length));
  return html`<div>
      <p class="answer-note">${textOf(request, row, ["query"])}</p>
      <p class="answer-result">${found.map(({ answer }) => answer).join("; ") || "No cell answers."}</p>
    </div>
    <div class="table-scroll" role="group" aria-label="The table asked" tabindex="0">
      <table class="answer-cells">
        <caption class="visually-hidden">The table asked; cells that answer are marked</caption>
        <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>
          ${Array.from({ length: lines }, (_, y) => html`<tr>
            ${columns.map((name, x) => {
              const text = table[name]?.[y] ?? "";
              return html`<td>${marked.has(`${y},${x}`) ? html`<mark>${text}</mark>` : text}</td>`;
            })}
          </tr>`)}
        </tbody>
      </table>
    </div>`;
}
