// Numbers, sizes, durations and times, as people read them.

import { html, nothing } from "../vendor/lit-html/lit-html.js";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const THREE = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const ABSOLUTE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/**
 * A count, or three digits of what is none.
 * @param {number} value
 */
export function number(value) {
  if (value === Infinity || value === -Infinity) return value > 0 ? "∞" : "−∞";
  if (!Number.isFinite(value)) return "–";
  return Number.isInteger(value) || Math.abs(value) >= 1000 ? WHOLE.format(value) : THREE.format(value);
}

/**
 * A number and the word for it: "1 job", "12 jobs".
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export function counted(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/**
 * A share of 1.
 * @param {number} value
 */
export function percent(value) {
  if (!Number.isFinite(value)) return "–";
  const points = value * 100;
  if (points > 0 && points < 0.05) return "< 0.1 %";
  return `${points !== 0 && Math.abs(points) < 10 ? points.toFixed(1) : Math.round(points)} %`;
}

/**
 * A size in the units of 1024.
 * @param {number} value
 */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit ? THREE.format(size) : WHOLE.format(size)} ${units[unit]}`;
}

/**
 * So many seconds: "0.8 ms", "320 ms", "4.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995) return `${THREE.format(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${THREE.format(seconds)} s`;
  const steps = /** @type {const} */ ([
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ]);
  const whole = Math.round(seconds);
  const [big, unit, small, under] =
    steps.find(([size]) => whole >= size) ?? /** @type {const} */ ([60, "min", 1, "s"]);
  const rest = Math.floor((whole % big) / small);
  return `${Math.floor(whole / big)} ${unit}${rest ? ` ${rest} ${under}` : ""}`;
}

/**
 * How long ago, or in how long.
 * @param {number} ms since the epoch
 * @param {number} [now]
 */
export function relative(ms, now = Date.now()) {
  const seconds = (now - ms) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const rounded = Math.abs(seconds) < 60 ? Math.round(Math.abs(seconds)) : Math.abs(seconds);
  return seconds > 0 ? `${duration(rounded)} ago` : `in ${duration(rounded)}`;
}

/**
 * The whole date and time, in the reader's zone.
 * @param {number} ms since the epoch
 */
export function absolute(ms) {
  return ABSOLUTE.format(ms);
}

/**
 * A time as an element: relative, with the absolute one in its title. Nothing for no time.
 * @param {string | number | null | undefined} at RFC 3339, or ms since the epoch
 */
export function time(at) {
  if (at === null || at === undefined) return nothing;
  const ms = typeof at === "number" ? at : Date.parse(at);
  if (Number.isNaN(ms)) return nothing;
  return html`<time datetime=${new Date(ms).toISOString()} title=${absolute(ms)}>${relative(ms)}</time>`;
}

/**
 * What a name like `fill-mask` reads as in a sentence.
 * @param {string} name
 */
export function words(name) {
  const spaced = name.replace(/[-_]+/g, " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
