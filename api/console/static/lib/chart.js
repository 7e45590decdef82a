// A chart of values over time, drawn by uPlot into an element that a template shows.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { colour, isDark } from "./theme.js";

/**
 * @typedef {object} Line
 * @property {string} column the name of its values
 * @property {string} title
 * @property {string} colour a token of style.css
 *
 * @typedef {(number | null)[]} Values
 */

const HEIGHT = 180;

/** Seconds between two times below a chart: whole minutes, as they are written. */
const MINUTES = [1, 2, 5, 10, 20, 30, 60, 120, 240, 360].map((minutes) => 60 * minutes);
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/**
 * The values with none beside them, which no line goes through.
 * @param {uPlot} plot
 * @param {number} line
 */
function alone(plot, line) {
  const values = plot.data[line] ?? [];
  const places = Array.from(values, (value, place) => (value === null ? -1 : place));
  return places.filter((place) => place >= 0 && values[place - 1] == null && values[place + 1] == null);
}

/** The lines of one chart. All charts of a page show the same moment under the pointer. */
export class Chart {
  /** What a template shows. */
  element = document.createElement("div");

  /**
   * @param {Line[]} lines
   * @param {(value: number) => string} format how a value reads
   * @param {(place: number | null) => void} pointed hears at which value the pointer is
   * @param {number} [top] of the scale; without it, as high as the values
   */
  constructor(lines, format, pointed, top) {
    this.lines = lines;
    this.top = top;
    this.format = format;
    this.pointed = pointed;
    this.element.className = "chart";
    this.element.setAttribute("role", "img");
    /** @type {uPlot | null} once there is a width to draw in */
    this.plot = null;
    this.dark = isDark();
    /** @type {[number[], ...Values[]]} */
    this.data = [[]];
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /**
   * Show values.
   * @param {number[]} atMs
   * @param {Values[]} values one list a line
   * @param {string} told what is seen, for who does not see it
   */
  show(atMs, values, told) {
    this.element.setAttribute("aria-label", told);
    this.data = [atMs.map((ms) => ms / 1000), ...values];
    this.draw(true);
  }

  /** @param {boolean} [changed] whether there are new values */
  draw(changed = false) {
    const width = this.element.clientWidth;
    if (!width) return;
    if (this.plot && this.dark !== isDark()) {
      this.plot.destroy();
      this.plot = null;
    }
    if (!this.plot) {
      this.dark = isDark();
      this.plot = new uPlot(this.options(width), this.data, this.element);
    } else {
      if (changed) this.plot.setData(this.data);
      if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
    }
  }

  /**
   * @param {number} width
   * @returns {uPlot.Options}
   */
  options(width) {
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { sync: { key: "wherry" }, drag: { x: false, y: false }, y: false },
      scales: { y: { range: (_, __, most) => [0, this.top ?? (most > 0 ? most * 1.1 : 1)] } },
      axes: [
        { ...axis, size: 28, incrs: MINUTES, values: (_, at) => at.map((seconds) => CLOCK.format(seconds * 1000)) },
        { ...axis, size: 72, values: (_, at) => at.map(this.format) },
      ],
      series: [
        {},
        ...this.lines.map((line) => ({
          label: line.title,
          stroke: colour(line.colour),
          width: 2,
          points: { show: true, size: 4, fill: colour(line.colour), filter: alone },
        })),
      ],
      hooks: { setCursor: [(plot) => this.pointed(plot.cursor.idx ?? null)] },
    };
  }
}
