// Prompts: which objects of a picture are meant, by points on them and beside them, and by boxes.

import { Missing, rowGiven, tensorOfRow, titleOf } from "./declaration.js";

/** @typedef {{x: number, y: number, on: boolean}} Point */
/** @typedef {[number, number, number, number]} Box xmin, ymin, xmax, ymax */
/** @typedef {{object: number, frame: number, points: Point[], box: Box | null}} Prompt */

/** The prompts of one picture or film, and the tensors that tell them. */
export class Prompts {
  /** @type {Prompt[]} */
  list = [];

  /** @param {import("./declaration.js").Input[]} inputs */
  constructor(inputs) {
    /** By what they tell. */
    this.inputs = new Map(inputs.map((input) => [input.control, input]));
  }

  get takesPoints() {
    return this.inputs.has("points");
  }

  get takesBoxes() {
    return this.inputs.has("boxes");
  }

  /** Whether each prompt says on which picture of several it is. */
  get takesFrames() {
    return this.inputs.has("frames");
  }

  /**
   * Another prompt, for an object of its own unless one is named.
   * @param {number} frame
   * @param {number} [object]
   * @returns {Prompt}
   */
  add(frame, object) {
    const next = Math.max(0, ...this.list.map((one) => one.object)) + 1;
    const prompt = { object: object ?? next, frame, points: [], box: null };
    this.list.push(prompt);
    return prompt;
  }

  /** @returns {import("./declaration.js").Tensor[]} */
  tensors() {
    const given = this.list.filter((prompt) => prompt.points.length || prompt.box);
    const points = given.map((prompt) => prompt.points.map(({ x, y }) => [x, y]));
    const boxes = given.map((prompt) => prompt.box);
    const pointed = points.filter((own) => own.length).length;
    const boxed = boxes.filter(Boolean).length;
    if ((pointed && pointed < given.length) || (boxed && boxed < given.length)) {
      throw new Missing("Mark every object in the same way: with points, with a box, or with both.");
    }
    const missing = [...this.inputs.values()].some((input) => !input.optional) && !given.length;
    if (missing) throw new Missing("Mark an object, with a point or a box.");
    return [
      ...this.#told("objects", given.map((prompt) => prompt.object), given.length),
      ...this.#told("frames", given.map((prompt) => prompt.frame), given.length),
      ...this.#told("points", points, pointed),
      ...this.#told("point-labels", given.map((prompt) => prompt.points.map(({ on }) => Number(on))), pointed),
      ...this.#told("boxes", boxes, boxed),
    ];
  }

  /**
   * @param {string} control
   * @param {any} value
   * @param {number} count nothing is told of none
   */
  #told(control, value, count) {
    const input = this.inputs.get(control);
    return input && count ? [tensorOfRow(input, value)] : [];
  }

  /** @param {import("./declaration.js").Tensor[]} tensors */
  fill(tensors) {
    const of = (/** @type {string} */ control) => {
      const input = this.inputs.get(control);
      return (input && rowGiven(input, tensors)) ?? [];
    };
    const [points, labels, boxes] = [of("points"), of("point-labels"), of("boxes")];
    const [objects, frames] = [of("objects"), of("frames")];
    const count = Math.max(points.length, boxes.length);
    this.list = Array.from({ length: count }, (_, at) => ({
      object: objects[at] ?? at + 1,
      frame: frames[at] ?? 0,
      points: (points[at] ?? []).map((/** @type {number[]} */ [x = 0, y = 0], /** @type {number} */ index) => ({
        x, y, on: labels[at]?.[index] !== 0,
      })),
      box: boxes[at] ?? null,
    }));
  }

  /** What their tensors say of themselves. */
  get help() {
    return [...this.inputs.values()].map((input) => `${titleOf(input.name)}: ${input.description}`);
  }
}

/**
 * A box of two corners, whichever they are.
 * @param {{x: number, y: number}} a
 * @param {{x: number, y: number}} b
 * @returns {Box}
 */
export function boxOf(a, b) {
  return [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)];
}
