// A conversation, with the answer as its last word.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { copyButton } from "../lib/copy.js";
import { parsed, rowOf, tensorOf } from "../lib/tensors.js";
import { facts } from "./facts.js";

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const given = parsed(rowOf(tensorOf(request.inputs, "messages"), row) ?? "[]");
  const messages = Array.isArray(given) ? given : (given?.messages ?? []);
  const text = String(rowOf(tensorOf(response.outputs, "text"), row) ?? "");
  return html`<ol class="answer-chat">
      ${messages.map(said)} ${said({ role: "assistant", content: text || "(an empty answer)" })}
    </ol>
    <div class="row">${copyButton(text, "the answer")}</div>
    ${facts(answer, ["text"])}`;
}

/** @param {any} message */
function said({ role, content, tool_calls: calls }) {
  return html`<li class="answer-message answer-from-${role === "assistant" || role === "user" ? role : "others"}">
    <span class="answer-note">${role}</span>
    ${parts(content).map((part) =>
      typeof part === "string"
        ? html`<div class="answer-text">${part}</div>`
        : html`<p class="answer-note">(${part?.type ?? "a part"} sent along)</p>`,
    )}
    ${calls ? html`<pre class="answer-code" tabindex="0" aria-label="Calls">${JSON.stringify(calls, null, 1)}</pre>` : nothing}
  </li>`;
}

/**
 * A message's parts: texts, and what is none.
 * @param {any} content
 * @returns {any[]}
 */
function parts(content) {
  if (Array.isArray(content)) return content.map((part) => part?.text ?? part);
  return content === null || content === undefined ? [] : [String(content)];
}
