// The address: `#/jobs/abc?state=failed` names a page, what it is about, and its filters.

/**
 * @typedef {object} Route
 * @property {string} page the first part of the path: "models", "jobs", ...; "" at the start
 * @property {string[]} rest the other parts, decoded
 * @property {URLSearchParams} query what stands behind the question mark
 */

/** @returns {Route} */
export function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = (path ?? "").split("/").filter(Boolean).map(decoded);
  return { page, rest, query: new URLSearchParams(query) };
}

/**
 * @param {string} part of an address, as somebody may have typed it
 */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a bare percent sign
  }
}

/**
 * The address of a page.
 * @param {string[]} parts
 * @param {Record<string, string>} [query] empty values are left out
 */
export function href(parts, query = {}) {
  const named = Object.entries(query).filter(([, value]) => value);
  const tail = named.length ? `?${new URLSearchParams(named)}` : "";
  return `#/${parts.map(encodeURIComponent).join("/")}${tail}`;
}

/**
 * Go to a page.
 * @param {string[]} parts
 * @param {Record<string, string>} [query] empty values are left out
 */
export function go(parts, query) {
  location.hash = href(parts, query);
}

/**
 * Change filters of the page that is shown, without a step back for each letter typed.
 * @param {Record<string, string>} changed empty values are left out
 */
export function filter(changed) {
  const { page, rest, query } = route();
  const merged = { ...Object.fromEntries(query), ...changed };
  history.replaceState(null, "", href([page, ...rest], merged));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
