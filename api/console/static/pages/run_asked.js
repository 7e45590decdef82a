// What a form of a run holds: texts as they were written, from a run's document and into one.

import { Missing } from "../widgets/declaration.js";

/**
 * @typedef {object} Options texts as they were written; "" for what is not told
 * @property {string} name
 * @property {string} format
 * @property {string} sample
 * @property {boolean} follow
 * @property {Record<string, any>} inputs that all rows share, by what the task's class or its tensor calls them
 * @property {Record<string, string>} columns likewise; "id" among them
 * @property {Record<string, string>} others
 * @property {string} called the host that the run which this is like calls at its end
 */

/** Fields that hold a number, as the form calls them; 0 is one where it is told. @type {Record<string, string>} */
const NUMBERS = {
  ...{ max_errors: "Rows that may fail", max_device_seconds: "Device seconds", deadline_s: "Seconds in all" },
  ...{ priority: "Priority", shard_rows: "Rows of a part", every: "A frame every", kept_s: "Seconds kept" },
};

/** Those of a run that follows its source. @type {Record<string, string>} */
const OF_FOLLOWING = { follow_every_s: "Seconds between looks", part_every_s: "Seconds to a part", follow_for_s: "Seconds to follow" };

/** Fields that hold a text. */
const TEXTS = ["query", "order_by", "out", "compare", "images", "media_prefix", "webhook"];

/** What is meant where a form leaves a field empty. @type {Record<string, any>} */
const UNSAID = {
  ...{ name: "", format: "", out: "", query: "", order_by: "", reuse: true, near_duplicates: false, inputs: {}, columns: {} },
  ...{ sample: 0, priority: 9, shard_rows: 0, max_errors: null, max_device_seconds: null, deadline_s: null, kept_s: null },
  ...{ every: null, frames: null, split: {}, images: "", media_prefix: "", overwrite: false, metadata: {} },
  ...{ follow: false, follow_every_s: 2, part_every_s: 0, follow_for_s: null },
};

/** @returns {Options} */
export function nothingGiven() {
  return { name: "", format: "", sample: "", follow: false, inputs: {}, columns: {}, others: {}, called: "" };
}

/** Those of a run. @param {import("../lib/runs.js").Run} run @returns {Options} */
export function likeOf(run) {
  const { name, format, sample, follow, inputs, columns, out, query, order_by, media_prefix, images, max_errors } = run;
  const others = {
    ...{ out, query, order_by, media_prefix, images, every: run.every, frames: run.frames, split: pairs(run.split, ", ") },
    ...{ reuse: run.reuse === false ? "no" : "", near_duplicates: run.near_duplicates ? "1" : "", overwrite: run.overwrite ? "1" : "" },
    ...{ priority: run.priority === 9 ? "" : run.priority, max_device_seconds: run.max_device_seconds, deadline_s: run.deadline_s },
    ...{ max_errors: max_errors?.toString(), shard_rows: run.shard_rows, kept_s: keptOf(run), metadata: lines(run.metadata ?? {}) },
    ...{ follow_every_s: follow?.every_s === 2 ? "" : follow?.every_s, part_every_s: follow?.part_every_s, follow_for_s: follow?.for_s },
  };
  return {
    ...{ name, format, sample: sample ? String(sample) : "", follow: Boolean(follow) },
    inputs: { ...run.parameters, ...inputs }, // an input may be among either
    columns: { ...columns?.fields, id: columns?.id ?? "" },
    others: Object.fromEntries(Object.entries(others).map(([key, value]) => [key, value ? String(value) : ""])),
    called: run.webhook_host ?? "",
  };
}

/** How long it is kept, where anybody but an operator may say so. @param {import("../lib/runs.js").Run} run */
function keptOf({ kept_s: kept }) {
  return kept && kept >= 60 && kept <= 365 * 86_400 ? kept : "";
}

/**
 * What a clone has not, though the run that it is like may have: left out it would be the same. The form shows all that a
 * run's document tells; what an older server's does not stays as it was.
 * @param {import("../lib/runs.js").Run} run
 */
export function unsaidOf(run) {
  return Object.fromEntries(Object.entries(UNSAID).filter(([name]) => name in run || name in OF_FOLLOWING));
}

/**
 * What of it is to be sent.
 * @param {Options} options
 * @param {any} task
 * @returns {Record<string, any>}
 */
export function given(options, task) {
  const { name, format, sample, follow, others } = options;
  /** @type {Record<string, any>} */
  const told = {};
  if (name) told["name"] = name;
  if (format) told["format"] = format;
  if (sample) told["sample"] = numberOf("Sample first", sample);
  if (follow) told["follow"] = true;
  const numbers = { ...NUMBERS, ...(follow ? OF_FOLLOWING : {}) };
  for (const [key, title] of Object.entries(numbers)) if (others[key]) told[key] = numberOf(title, others[key]);
  for (const key of TEXTS) if (others[key]) told[key] = others[key];
  if (others["called"] === "no" && !others["webhook"]) told["webhook"] = "";
  for (const key of ["near_duplicates", "overwrite"]) if (others[key]) told[key] = true;
  if (others["reuse"]) told["reuse"] = false;
  if (others["frames"]) told["frames"] = /^\d+$/.test(others["frames"]) ? Number(others["frames"]) : others["frames"];
  if (others["split"]) told["split"] = shares(others["split"]);
  if (others["metadata"]) told["metadata"] = notes(others["metadata"]);
  const inputs = ofTask(options.inputs, task);
  if (inputs.length) told["inputs"] = Object.fromEntries(inputs.map(([input, value]) => [fieldOf(input), shared(input, value)]));
  const columns = ofTask(options.columns, task);
  const id = options.columns["id"] ?? "";
  if (id || columns.length) told["columns"] = { id, fields: Object.fromEntries(columns.map(([input, value]) => [fieldOf(input), value])) };
  return told;
}

/** What the task's own class calls an input. @param {any} input */
export function fieldOf(input) {
  return input.field || input.name;
}

/**
 * What is written of an input, under either of its names.
 * @param {Record<string, any>} values
 * @param {any} input
 */
export function valueOf(values, input) {
  return values[fieldOf(input)] ?? values[input.name] ?? "";
}

/**
 * @param {Record<string, any>} values
 * @param {any} input
 * @param {string} text
 */
export function write(values, input, text) {
  delete values[input.name];
  values[fieldOf(input)] = text;
}

/**
 * Inputs of a task of which something is written.
 * @param {Record<string, any>} values
 * @param {any} task
 * @returns {[any, any][]}
 */
function ofTask(values, task) {
  const all = /** @type {any[]} */ (task.inputs).map((input) => /** @type {[any, any]} */ ([input, valueOf(values, input)]));
  return all.filter((pair) => pair[1] !== "");
}

/**
 * @param {Record<string, any> | undefined | null} values
 * @param {string} between
 */
function pairs(values, between) {
  return Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`).join(between);
}

/** Notes, a line each; as JSON where lines would tell another. @param {Record<string, string>} metadata */
function lines(metadata) {
  const isOdd = Object.entries(metadata).some((pair) => /[=\n]|^[{\s]/.test(pair[0]) || /\n|^\s|\s$/.test(pair[1]));
  return isOdd ? JSON.stringify(metadata) : pairs(metadata, "\n");
}

/** @param {string} text @returns {Record<string, string>} */
function notes(text) {
  if (!text.startsWith("{")) return named("Notes", text.split("\n"));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Missing(`Notes: no JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/**
 * @param {string} title
 * @param {string[]} texts each name=value, or empty
 * @returns {Record<string, string>}
 */
function named(title, texts) {
  const given = texts.map((text) => text.trim()).filter(Boolean);
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new Missing(`${title}: ${text} is not name=value.`);
      return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    }),
  );
}

/** @param {string} text */
function shares(text) {
  const parts = Object.entries(named("Split", text.split(",")));
  return Object.fromEntries(parts.map(([name, share]) => [name, numberOf(`Split, ${name}`, share)]));
}

/**
 * @param {string} title
 * @param {string} text
 */
function numberOf(title, text) {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new Missing(`${title}: ${text} is no number from 0 on.`);
}

/**
 * @param {any} input
 * @param {any} value
 */
function shared(input, value) {
  if (typeof value !== "string" || input.content !== "json") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value.split("\n").map((line) => line.trim()).filter(Boolean);
  }
}
