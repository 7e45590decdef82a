// Keypoints over the picture; those of a body are joined as its limbs are.

import { itemsOf } from "../lib/tensors.js";
import { number } from "../lib/format.js";
import { picturesOf } from "./given.js";
import { overPicture } from "./over_picture.js";

/** The limbs between COCO's keypoints, by their names. */
const LIMBS = [
  ["left_ankle", "left_knee"],
  ["left_knee", "left_hip"],
  ["right_ankle", "right_knee"],
  ["right_knee", "right_hip"],
  ["left_hip", "right_hip"],
  ["left_shoulder", "left_hip"],
  ["right_shoulder", "right_hip"],
  ["left_shoulder", "right_shoulder"],
  ["left_shoulder", "left_elbow"],
  ["right_shoulder", "right_elbow"],
  ["left_elbow", "left_wrist"],
  ["right_elbow", "right_wrist"],
  ["left_eye", "right_eye"],
  ["nose", "left_eye"],
  ["nose", "right_eye"],
  ["left_eye", "left_ear"],
  ["right_eye", "right_ear"],
];

/** @param {import("./answer.js").Answer} answer */
export default function draw(answer) {
  const { request, response, row } = answer;
  const points = itemsOf(response, row, ["label", "score", "x", "y", "object"]);
  const found = points.map((point) => ({
    label: point.label || "point",
    score: point.score,
    cells: [`${number(point.x)}, ${number(point.y)}`, point.object],
    shapes: [
      ...limbs(point, points),
      { kind: /** @type {const} */ ("point"), at: [point.x, point.y], label: point.label },
    ],
  }));
  return overPicture(answer, {
    picture: picturesOf(request, row)[0] ?? null,
    what: "keypoints",
    head: "Keypoint",
    heads: ["x, y", "Object"],
    found,
  });
}

/**
 * The limbs that begin at a point.
 * @param {Record<string, any>} point
 * @param {Record<string, any>[]} points
 */
function limbs(point, points) {
  const name = (/** @type {string} */ label) => label.toLowerCase().replace(/^(l|r)_/, (_, side) => (side === "l" ? "left_" : "right_"));
  const ends = LIMBS.filter(([from]) => from === name(point.label)).map(([, to]) => to);
  if (!ends.length) return [];
  return points
    .filter((other) => other.object === point.object && ends.includes(name(other.label)))
    .map((other) => ({ kind: /** @type {const} */ ("line"), at: [point.x, point.y, other.x, other.y], label: "" }));
}
