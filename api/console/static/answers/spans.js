// Parts of a text, underlined in it: entities, or the answers to a question.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { itemsOf, parsed, rowOf, tensorOf } from "../lib/tensors.js";
import { picturesOf, textOf } from "./given.js";
import { colourOf, isShown, itemList, mark, stateOf } from "./items.js";
import { overPicture } from "./over_picture.js";

/** @typedef {{id: number, label: string, score: number, start: number, end: number, cells: unknown[], tag: string}} Span */

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const items = itemsOf(response, row, ["entity", "answer", "word", "score", "start", "end", "page"]);
  if (picturesOf(request, row).length) return onPage(answer, items);
  const text = textOf(request, row, ["context", "text"]) ?? "";
  const entities = items.some(({ entity }) => entity !== undefined);
  const spans = items.map((item, id) => ({
    id,
    label: item.entity ?? item.answer ?? "",
    tag: item.entity ?? "",
    score: item.score,
    start: item.start,
    end: item.end,
    cells: entities ? [item.word, `${item.start}–${item.end}`] : [`${item.start}–${item.end}`],
  }));
  return html`<div class="answer-said answer-series">
    ${entities ? nothing : answered(answer, spans)}
    ${inText(answer, text, spans)}
    ${answer.small ? nothing : itemList(answer, {
      caption: entities ? "All entities" : "All answers",
      head: entities ? "Entity" : "Answer",
      heads: entities ? ["Text", "Characters"] : ["Characters"],
      items: spans,
    })}
  </div>`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {Span[]} spans
 */
function answered({ request, row }, spans) {
  const question = textOf(request, row, ["question"]);
  return html`<div>
    ${question === undefined ? nothing : html`<p class="answer-note">${question}</p>`}
    <p class="answer-result">${spans[0]?.label || "No answer in this text."}</p>
  </div>`;
}

/**
 * The text, each span underlined; where several lie over each other the marked one is told, else
 * the first.
 * @param {import("./answer.js").Answer} answer
 * @param {string} text
 * @param {Span[]} spans
 */
function inText(answer, text, spans) {
  const state = stateOf(answer);
  const characters = /[\ud800-\udfff]/.test(text) ? Array.from(text) : null; // places count characters
  const cut = (/** @type {number} */ from, /** @type {number} */ to) =>
    characters ? characters.slice(from, to).join("") : text.slice(from, to);
  const length = characters?.length ?? text.length;
  const shown = spans.filter((span) => span.end > span.start && isShown(state, span));
  const edges = [...new Set([0, length, ...shown.flatMap(({ start, end }) => [start, end])])]
    .filter((edge) => edge >= 0 && edge <= length)
    .sort((one, other) => one - other);
  const pieces = edges.slice(0, -1).map((from, at) => {
    const to = edges[at + 1] ?? length;
    const over = shown.filter(({ start, end }) => start <= from && end >= to);
    const span = over.find(({ id }) => id === state.marked) ?? over[0];
    return span ? underlined(answer, cut(from, to), span, to === span.end) : cut(from, to);
  });
  return html`<p class="answer-text answer-spans">${pieces}</p>`;
}

/**
 * @param {import("./answer.js").Answer} answer
 * @param {string} text
 * @param {Span} span
 * @param {boolean} last whether the span ends here
 */
function underlined(answer, text, { id, label, tag }, last) {
  const state = stateOf(answer);
  return html`<mark
    class="answer-span answer-line-${colourOf(state, label)} ${state.marked === id ? "answer-strong" : ""}"
    @pointerenter=${() => mark(answer, id)}
    @pointerleave=${() => mark(answer, null)}
    >${text}${last && tag ? html`<span class="answer-tag">${tag}</span>` : nothing}</mark
  >`;
}

/**
 * Answers on a page: the words that each is made of, where the request told their places.
 * @param {import("./answer.js").Answer} answer
 * @param {Record<string, any>[]} items
 */
function onPage(answer, items) {
  const { request, row } = answer;
  const told = parsed(rowOf(tensorOf(request.inputs, "word_boxes"), row) ?? "null");
  const words = Array.isArray(told) ? told : [];
  const question = textOf(request, row, ["question"]);
  const found = items.map(({ answer: label, score, start, end, page }) => ({
    label,
    score,
    cells: [page ?? 1],
    shapes: words.slice(start, end + 1).map(([, box]) => ({ kind: /** @type {const} */ ("box"), at: box, label: "", per: 1000 })),
  }));
  return overPicture(answer, {
    picture: picturesOf(request, row)[0] ?? null,
    what: "answers",
    head: "Answer",
    heads: ["Page"],
    found,
    above: html`<p class="answer-note">${question}</p>
      <p class="answer-result">${items[0]?.answer || "No answer on this page."}</p>
      ${words.length ? nothing : html`<p class="answer-note">Where it stands can be drawn where the request tells the words' places (word_boxes).</p>`}`,
  });
}
