// What the reader of an answer has set: the threshold, what is hidden, what is marked.

/** @type {WeakMap<object, Map<string, any>>} */
const states = new WeakMap();

/**
 * What is kept of an answer under a key, as long as the answer itself is.
 * @template T
 * @param {object} response
 * @param {string} key
 * @param {() => T} make
 * @returns {T}
 */
export function kept(response, key, make) {
  const known = states.get(response) ?? new Map();
  states.set(response, known);
  if (!known.has(key)) known.set(key, make());
  return known.get(key);
}
