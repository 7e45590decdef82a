// Several short texts, one a line: labels to choose from, texts to compare with.

import { Missing, helpOf, rowGiven, tensorOfRow, titleOf } from "../declaration.js";
import { TextControl } from "./text.js";

/** Texts by the line. They are a tensor of their own, or one row's list in JSON. */
export class ListControl extends TextControl {
  rows = 4;
  get help() {
    return `One a line. ${helpOf(this.input)}`;
  }

  /** @returns {import("../declaration.js").Tensor[]} */
  tensors() {
    const texts = this.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (texts.length === 0) {
      if (this.input.optional) return [];
      throw new Missing(`${titleOf(this.input.name)}: write one a line.`);
    }
    if (this.input.content === "json" || this.input.shape.length > 1) {
      return [tensorOfRow(this.input, texts)];
    }
    const { name, datatype } = this.input;
    return [{ name, datatype, shape: [texts.length], data: texts }];
  }

  /** @param {import("../declaration.js").Tensor[]} tensors */
  fill(tensors) {
    const tensor = tensors.find((one) => one.name === this.input.name);
    const ofRow = this.input.content === "json" || this.input.shape.length > 1;
    const texts = ofRow ? rowGiven(this.input, tensors) : tensor?.data;
    this.value = (texts ?? []).map(lineOf).join("\n");
  }
}

/** @param {any} text */
function lineOf(text) {
  return typeof text === "string" ? text : JSON.stringify(text);
}
