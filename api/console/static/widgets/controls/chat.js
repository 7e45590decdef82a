// A conversation that goes on: what was said, what is said next, and the answer as it is written.

import { html } from "../../vendor/lit-html/lit-html.js";
import { redraw } from "../../lib/redraw.js";
import { rowOf, tensorOf } from "../../lib/tensors.js";
import { Missing, rowGiven, tensorOfRow } from "../declaration.js";

/** @typedef {{role: "system" | "user" | "assistant", content: string}} Message */

/** What the sides are called. @type {Record<string, string>} */
const SIDES = { system: "Instruction", user: "You", assistant: "Model" };

/** Keeps a conversation, and shows the answers in it. */
export class ChatControl {
  /** @type {Message[]} */
  said = [];
  system = "";
  next = "";
  /** @type {import("../run.js").Run | null} the answer that is awaited */
  run = null;

  /** @param {import("../declaration.js").Input} input */
  constructor(input) {
    this.input = input;
  }

  draw() {
    return html`<details .open=${Boolean(this.system)}>
        <summary>Instruction (optional)</summary>
        <label class="field"><span>What the model should keep to</span>
          <textarea name="system" rows="2" .value=${this.system} @input=${this.typedSystem}></textarea></label>
      </details>
      <ol class="widget-chat" aria-label="Conversation" aria-live="polite" aria-busy=${this.run ? "true" : "false"}>
        ${this.said.map((message) => this.drawMessage(message.role, message.content))}
        ${this.run ? this.drawMessage("assistant", this.run.text || "…") : ""}
      </ol>
      <label class="field"><span>Your message</span>
        <textarea name=${this.input.name} rows="2" .value=${this.next} @input=${this.typed} @keydown=${this.key}></textarea>
        <span class="help">Enter sends it, Shift and Enter begin a line.</span></label>
      ${this.said.length ? html`<div class="buttons"><button type="button" class="small" ?disabled=${this.run !== null} @click=${this.clear}>Begin anew</button></div>` : ""}`;
  }

  /**
   * @param {string} role
   * @param {string} content
   */
  drawMessage(role, content) {
    return html`<li class=${role}><strong>${SIDES[role] ?? role}</strong><p>${content}</p></li>`;
  }

  tensors() {
    const message = this.next.trim();
    if (!message) throw new Missing("Write a message.");
    /** @type {Message[]} */
    const conversation = [...this.said, { role: "user", content: message }];
    if (this.system.trim()) conversation.unshift({ role: "system", content: this.system.trim() });
    return [tensorOfRow(this.input, conversation)];
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    /** @type {{role: Message["role"], content: any}[]} */
    const conversation = rowGiven(this.input, tensors) ?? [];
    const texts = conversation.map(({ role, content }) => ({ role, content: textOf(content) }));
    this.system = texts[0]?.role === "system" ? (texts.shift()?.content ?? "") : "";
    this.next = texts.at(-1)?.role === "user" ? (texts.pop()?.content ?? "") : "";
    this.said = texts;
  }

  /**
   * A message was sent.
   * @param {import("../run.js").Run} run
   */
  begun(run) {
    this.said.push({ role: "user", content: this.next.trim() });
    this.next = "";
    this.run = run;
  }

  /**
   * It was answered, or it was not: then it may be sent again.
   * @param {import("../run.js").Run} run
   */
  settled(run) {
    this.run = null;
    const answer = run.response && rowOf(tensorOf(run.response.outputs, "text"), 0);
    if (typeof answer === "string") this.said.push({ role: "assistant", content: answer });
    else this.next = this.said.pop()?.content ?? "";
  }

  clear = () => {
    this.said = [];
    redraw();
  };

  /** @param {InputEvent} event */
  typed = (event) => {
    this.next = /** @type {HTMLTextAreaElement} */ (event.target).value;
    redraw();
  };

  /** @param {InputEvent} event */
  typedSystem = (event) => {
    this.system = /** @type {HTMLTextAreaElement} */ (event.target).value;
    redraw();
  };

  /** @param {KeyboardEvent} event */
  key = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    /** @type {HTMLTextAreaElement} */ (event.target).form?.requestSubmit();
  };
}

/** @param {any} content a text, or parts of which some are texts */
function textOf(content) {
  if (typeof content === "string") return content;
  return content.map((/** @type {any} */ part) => part.text ?? "").join("\n");
}
