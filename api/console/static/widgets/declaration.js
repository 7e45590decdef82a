// What a task declares, as `GET /v2/tasks/{task}` tells it.

/**
 * @typedef {object} Spec a tensor of a request
 * @property {string} name
 * @property {string} datatype
 * @property {number[]} shape -1 where the request decides
 * @property {"text" | "json" | "image" | "audio" | "tensor"} content
 * @property {boolean} optional
 * @property {string} field
 * @property {string} description
 * @property {boolean} a_row
 */

/**
 * @typedef {Spec & {control: string}} Input a tensor, and what people give it with
 */

/** @typedef {Record<string, any>} Form a JSON Schema of one alternative */

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} description
 * @property {string} type in words
 * @property {string} range in words
 * @property {boolean} required
 * @property {any} default
 * @property {Form[]} forms
 */

/** @typedef {import("../lib/tensors.js").Tensor} Tensor */
/** @typedef {import("../lib/tensors.js").InferenceRequest} InferenceRequest */
/** @typedef {import("../lib/tensors.js").InferenceResponse} InferenceResponse */

/**
 * @typedef {object} Task
 * @property {string} name
 * @property {string} title
 * @property {string} description
 * @property {Spec[]} inputs
 * @property {Parameter[]} parameters
 * @property {{module: string, name: string}} input the Python class of its requests
 * @property {{controls: string[], renderer: string}} widget
 * @property {boolean} streams
 * @property {{request: InferenceRequest, response: InferenceResponse}} example
 */

/**
 * @typedef {object} Control what gives one tensor, or several that belong together
 * @property {() => unknown} draw
 * @property {() => Tensor[]} tensors those that were given; throws Missing
 * @property {(tensors: Tensor[]) => void} fill show what a request holds
 * @property {import("./given_file.js").GivenFile[]} [files] those that it was given
 * @property {(run: import("./run.js").Run) => void} [begun] a request was sent
 * @property {(run: import("./run.js").Run) => void} [settled] it is over; the control shows the answer
 * @property {() => void} [stop] let go of a camera or a microphone
 */

/** What keeps a request from being sent, in words for who gives it. */
export class Missing extends Error {}

/**
 * A tensor of one row.
 * @param {Spec} spec
 * @param {any} value its entry; of JSON the value, of several files a list
 * @returns {Tensor}
 */
export function tensorOfRow(spec, value) {
  const told = spec.content === "json" ? JSON.stringify(value) : value;
  const isFile = spec.content === "image" || spec.content === "audio";
  return {
    name: spec.name,
    shape: [1, ...sizesOf(told)],
    datatype: spec.datatype,
    ...(isFile ? { parameters: { content_type: "base64" } } : {}),
    data: [told],
  };
}

/**
 * The sizes of nested lists, by their first entries.
 * @param {any} value
 * @returns {number[]}
 */
function sizesOf(value) {
  return Array.isArray(value) ? [value.length, ...sizesOf(value[0])] : [];
}

/**
 * The entry of the first row that a request holds for a tensor; undefined for none.
 * @param {Spec} spec
 * @param {Tensor[]} tensors
 * @returns {any}
 */
export function rowGiven(spec, tensors) {
  const tensor = tensors.find((one) => one.name === spec.name);
  const first = tensor?.data[0];
  return spec.content === "json" && typeof first === "string" ? JSON.parse(first) : first;
}

/**
 * What a tensor holds, to whom gives one row of it: declarations speak of all rows.
 * @param {Spec} spec
 */
export function helpOf({ description }) {
  const words = description
    .replace(/^[\w ]+, one a row\.$/, "") // its title says as much
    .replace(/,? (?:one|a list|one picture) a row\b/, "")
    .replace(/^Per row /, "");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * What a tensor or a parameter is called on the page.
 * @param {string} name
 */
export function titleOf(name) {
  const words = name.replace(/[_-]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
