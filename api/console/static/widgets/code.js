// The request of a widget as one would send it without one: by curl, from Python, as it is.


/** Where the API answers: the console lies one level below. */
const BASE = new URL("../", document.baseURI).href.replace(/\/$/, "");

/** Texts of more characters that are files are cut where they are only looked at. */
const SHOWN = 60;

/**
 * @typedef {object} Asked
 * @property {string} model
 * @property {string} version "" for the one that is meant where none is named
 * @property {import("./declaration.js").Task} task
 * @property {import("./declaration.js").InferenceRequest} request
 * @property {import("./given_file.js").GivenFile[]} files
 * @property {boolean} keyed whether an API key goes along; the code takes it from the environment
 */

/**
 * The request itself.
 * @param {Asked} asked
 * @param {boolean} whole with its files, or their beginnings
 */
export function oipJson({ request }, whole) {
  if (whole) return pretty(request);
  const cut = (/** @type {string} */ name, /** @type {any} */ value) =>
    name !== "data" ? value : shortened(value, request.inputs.some((tensor) => tensor.data === value && isFile(tensor)));
  return pretty(request, cut);
}

/**
 * JSON by the line, short lists on one.
 * @param {any} value
 * @param {(name: string, value: any) => any} [change]
 */
function pretty(value, change) {
  const text = JSON.stringify(value, change, 2);
  return text.replace(/\[\n\s+([^[\]{}\n]*(?:,\n\s+[^[\]{}\n]*)*)\n\s+\]/g, (list, entries) =>
    list.length < 200 ? `[${entries.replace(/\n\s+/g, " ")}]` : list,
  );
}

/**
 * @param {any} value
 * @param {boolean} file
 * @returns {any}
 */
function shortened(value, file) {
  if (!file) return value;
  if (Array.isArray(value)) return value.map((entry) => shortened(entry, file));
  return value.length > SHOWN ? `${value.slice(0, SHOWN)}… (${value.length} characters)` : value;
}

/** @param {import("./declaration.js").Tensor} tensor */
function isFile(tensor) {
  return tensor.parameters?.content_type === "base64";
}

/**
 * A command for a shell. Files are read where they lie.
 * @param {Asked} asked
 */
export function curlCommand({ model, version, request, files, keyed }) {
  const path = ["v2", "models", model, ...(version ? ["versions", version] : []), "infer"];
  const names = namesOf(files);
  /** @type {string[]} */
  const marks = [];
  const marked = pretty(request, (_, value) => {
    const name = typeof value === "string" ? names.get(value) : undefined;
    if (!name) return value;
    marks.push(name);
    return `\u0000${marks.length - 1}\u0000`;
  });
  // Between the marks of an unquoted here-document the shell reads $, ` and \ as its own.
  const body = marks.length ? marked.replace(/\\u0000|[\\$`]/g, (found) => (found === "\\u0000" ? found : `\\${found}`)) : marked;
  const filled = body.replace(/\\u0000(\d+)\\u0000/g, (_, at) => `$(base64 < ${shellWord(marks[Number(at)] ?? "")} | tr -d '\\n')`);
  const lines = [
    `curl -sS ${shellWord(`${BASE}/${path.map(encodeURIComponent).join("/")}`)} \\`,
    ...(keyed ? ['  -H "Authorization: Bearer $WHERRY_API_KEY" \\'] : []),
    `  -H 'Content-Type: application/json' --data-binary @- <<${marks.length ? "JSON" : "'JSON'"}`,
  ];
  return `${lines.join("\n")}\n${filled}\nJSON\n`;
}

/** @param {string} text */
function shellWord(text) {
  return /^[\w./:%@-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

/**
 * The names of files by what they hold.
 * @param {import("./given_file.js").GivenFile[]} files
 */
function namesOf(files) {
  return new Map(files.map(({ base64, name }) => [base64, name]));
}

/**
 * A program for Wherry's client.
 * @param {Asked} asked
 */
export function pythonProgram({ model, task, request, files }) {
  const names = namesOf(files);
  const fields = task.inputs.flatMap((spec) => {
    const tensor = request.inputs.find((one) => one.name === spec.name);
    return tensor ? [`    ${spec.field}=${literal(fieldOf(spec, tensor), names)},`] : [];
  });
  for (const [name, value] of Object.entries(request.parameters ?? {})) {
    fields.push(`    ${name}=${literal(value, names)},`);
  }
  return [
    ...(files.length ? ["from pathlib import Path", ""] : []),
    "from wherry.client import Client",
    `from ${task.input.module} import ${task.input.name}`,
    "",
    `inputs = ${task.input.name}(`,
    ...fields,
    ")",
    `with Client(${JSON.stringify(BASE)}) as client:`,
    `    print(client.infer(${JSON.stringify(model)}, inputs))`,
    "",
  ].join("\n");
}

/**
 * The value of an Input's field that a tensor of one row holds.
 * @param {import("./declaration.js").Spec} spec
 * @param {import("./declaration.js").Tensor} tensor
 */
function fieldOf(spec, tensor) {
  const values = spec.content === "json" ? tensor.data.map((text) => JSON.parse(text)) : tensor.data;
  return spec.shape.length === 1 && spec.shape[0] === 1 ? values[0] : values;
}

/**
 * A value as Python writes it.
 * @param {any} value
 * @param {Map<string, string>} names
 * @returns {string}
 */
function literal(value, names) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") {
    const name = names.get(value);
    return name ? `Path(${JSON.stringify(name)}).read_bytes()` : JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((entry) => literal(entry, names)).join(", ")}]`;
  if (typeof value === "object") {
    const cells = Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)}: ${literal(entry, names)}`);
    return `{${cells.join(", ")}}`;
  }
  return String(value);
}

/** What each form is called. @type {Record<string, string>} */
export const FORMS = { curl: "curl", python: "Python", json: "OIP JSON" };
