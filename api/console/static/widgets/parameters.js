// A task's parameters as a form, made from what their values may be.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { coded } from "../lib/code_words.js";
import { redraw } from "../lib/redraw.js";
import { Missing, titleOf } from "./declaration.js";

/** @typedef {import("./declaration.js").Parameter} Parameter */
/** @typedef {import("./declaration.js").Form} Form */

/** What stands in a form's fields; only what was changed is sent. */
export class ParameterForm {
  /** What was written, by the parameter; texts as they stand. @type {Map<string, string>} */
  written = new Map();

  /** @param {Parameter[]} parameters */
  constructor(parameters) {
    this.parameters = parameters;
  }

  draw() {
    if (!this.parameters.length) return "";
    return html`<details ?open=${this.parameters.some((one) => one.required)} class="widget-parameters">
      <summary>Parameters${this.written.size ? html` <span class="muted">(${this.written.size} changed)</span>` : ""}</summary>
      <div class="fields">${this.parameters.map((one) => this.drawField(one))}</div>
      ${this.written.size ? html`<button type="button" class="small" @click=${this.reset}>Back to the defaults</button>` : ""}
    </details>`;
  }

  /** @param {Parameter} parameter */
  drawField(parameter) {
    const { name, description, range } = parameter;
    const kind = kindOf(parameter);
    const range_ = range && kind !== "choice" ? html` <span class="mono">${range}</span>` : "";
    return html`<label class="field">
      <span>${titleOf(name)}</span>
      ${this.drawInput(parameter, kind)}
      <span class="help">${coded(description)}${range_}</span>
    </label>`;
  }

  /**
   * @param {Parameter} parameter
   * @param {string} kind
   */
  drawInput(parameter, kind) {
    const { name } = parameter;
    const text = this.written.get(name) ?? "";
    const typed = (/** @type {Event} */ event) => this.write(parameter, /** @type {any} */ (event.target).value);
    if (kind === "choice") {
      return html`<select name=${name} @change=${typed}>
        <option value="" ?selected=${!text}>${shownDefault(parameter)}</option>
        ${choicesOf(parameter).map((choice) => html`<option value=${choice} ?selected=${choice === text}>${choice}</option>`)}
      </select>`;
    }
    if (kind === "number") {
      const form = formOf(parameter);
      return html`<input type="number" name=${name} .value=${text} placeholder=${shownDefault(parameter)}
        min=${form.minimum ?? form.exclusiveMinimum ?? nothing} max=${form.maximum ?? form.exclusiveMaximum ?? nothing}
        step=${form.multipleOf ?? (form.type === "integer" ? 1 : "any")} @input=${typed}>`;
    }
    if (kind === "list" || kind.startsWith("json")) {
      return html`<textarea name=${name} rows="2" .value=${text} placeholder=${shownDefault(parameter)} @input=${typed}></textarea>`;
    }
    return html`<input name=${name} .value=${text} placeholder=${shownDefault(parameter)}
      maxlength=${formOf(parameter).maxLength ?? nothing} @input=${typed}>`;
  }

  /**
   * Those that were changed, as a request has them.
   * @returns {Record<string, any>}
   */
  given() {
    /** @type {Record<string, any>} */
    const given = {};
    for (const parameter of this.parameters) {
      const text = this.written.get(parameter.name);
      if (text !== undefined) given[parameter.name] = valueOf(parameter, text);
      else if (parameter.required) throw new Missing(`${titleOf(parameter.name)}: ${parameter.description}`);
    }
    return given;
  }

  /** @param {Record<string, any>} given */
  fill(given) {
    this.written.clear();
    for (const parameter of this.parameters) {
      const value = given[parameter.name];
      const isDefault = JSON.stringify(value) === JSON.stringify(parameter.default);
      if (value !== undefined && value !== null && !isDefault) this.written.set(parameter.name, textOf(parameter, value));
    }
  }

  /**
   * @param {Parameter} parameter
   * @param {string} text
   */
  write(parameter, text) {
    if (text.trim()) this.written.set(parameter.name, text);
    else this.written.delete(parameter.name);
    redraw();
  }

  reset = () => {
    this.written.clear();
    redraw();
  };
}

/** The alternative that is not null. @param {Parameter} parameter @returns {Form} */
function formOf(parameter) {
  return parameter.forms.find((form) => form.type !== "null") ?? {};
}

/** @param {Form} form */
function isChoice(form) {
  return Boolean(form.enum) || form.const !== undefined || form.type === "boolean";
}

/** @param {Parameter} parameter */
function kindOf(parameter) {
  const forms = parameter.forms.filter((form) => form.type !== "null");
  const [form = {}] = forms;
  if (forms.length > 0 && forms.every(isChoice)) return "choice";
  if (forms.length > 1) return forms.some((each) => isChoice(each) || each.type === "string") ? "json or text" : "json";
  if (form.type === "integer" || form.type === "number") return "number";
  if (form.type === "array" && ["string", "number", "integer"].includes(form.items?.type)) return "list";
  return form.type === "string" ? "text" : "json";
}

/** @param {Parameter} parameter */
function choicesOf(parameter) {
  const forms = parameter.forms.filter((form) => form.type !== "null");
  return forms.flatMap((form) => (form.type === "boolean" ? ["true", "false"] : (form.enum ?? [form.const]).map(String)));
}

/** What holds where nothing is written. @param {Parameter} parameter */
function shownDefault(parameter) {
  const { default: value, required } = parameter;
  if (required) return "";
  if (value === null || value === undefined) return "not given";
  return Array.isArray(value) ? value.join(", ") || "none" : `${String(value)} (default)`;
}

/**
 * @param {Parameter} parameter
 * @param {string} text
 * @returns {any}
 */
function valueOf(parameter, text) {
  const kind = kindOf(parameter);
  const form = formOf(parameter);
  if (kind === "text") return text;
  if (kind === "choice") return form.type === "boolean" ? text === "true" : choiceOf(parameter, text);
  if (kind === "list") {
    const entries = text.split(form.items.type === "string" ? "\n" : /[\s,]+/).filter((entry) => entry.trim());
    return form.items.type === "string" ? entries : entries.map((entry) => numberOf(parameter, entry));
  }
  if (kind === "number") return numberOf(parameter, text);
  try {
    return JSON.parse(text);
  } catch {
    if (kind === "json or text") return text.trim();
    throw new Missing(`${titleOf(parameter.name)}: this is no JSON.`);
  }
}

/**
 * @param {Parameter} parameter
 * @param {string} text
 */
function choiceOf(parameter, text) {
  const choices = parameter.forms.flatMap((form) => form.enum ?? (form.const === undefined ? [] : [form.const]));
  return choices.find((choice) => String(choice) === text);
}

/**
 * A number, in its range.
 * @param {Parameter} parameter
 * @param {string} text
 */
function numberOf(parameter, text) {
  const number = Number(text);
  const form = formOf(parameter).items ?? formOf(parameter);
  const fits =
    Number.isFinite(number) &&
    !(form.type === "integer" && !Number.isSafeInteger(number)) && // a longer one would be sent as another
   
    !(number < form.minimum || number > form.maximum) &&
    !(number <= form.exclusiveMinimum || number >= form.exclusiveMaximum);
  if (fits) return number;
  throw new Missing(`${titleOf(parameter.name)}: ${text} is not ${parameter.type}${parameter.range ? `, ${parameter.range}` : ""}.`);
}

/**
 * @param {Parameter} parameter
 * @param {any} value
 */
function textOf(parameter, value) {
  const kind = kindOf(parameter);
  if (kind === "json" || (kind === "json or text" && typeof value !== "string")) return JSON.stringify(value);
  return Array.isArray(value) ? value.join("\n") : String(value);
}
