// Shapes over a picture: boxes, masks, points and lines, in pixels of the picture.

/**
 * @typedef {object} Shape
 * @property {number} id which item of the answer it shows
 * @property {"box" | "mask" | "point" | "line"} kind
 * @property {number[]} at corners of a box or ends of a line: x0, y0, x1, y1; a point: x, y
 * @property {number} [per] what `at` is in: parts of the picture's width and height, instead of pixels
 * @property {import("./mask.js").Mask} [mask]
 * @property {string} label
 * @property {number} colour 1 to 6
 */

/**
 * @typedef {object} Pen
 * @property {CanvasRenderingContext2D} context
 * @property {string} colour
 * @property {string} ink on that colour
 * @property {(x: number, y: number) => [number, number]} place from the picture to the canvas
 * @property {number} unit a CSS pixel on the canvas
 * @property {boolean} marked
 * @property {boolean} dimmed another one is marked
 * @property {boolean} crowded so many that labels would hide them
 */

/**
 * Draw a shape.
 * @param {Shape} shape
 * @param {Pen} pen
 */
export function drawShape(shape, pen) {
  pen.context.globalAlpha = pen.dimmed ? 0.35 : 1;
  if (shape.kind === "mask") drawMask(shape, pen);
  else if (shape.kind === "box") drawBox(shape, pen);
  else if (shape.kind === "point") drawPoint(shape, pen);
  else drawLine(shape, pen);
}

/**
 * @param {Shape} shape
 * @param {Pen} pen
 */
function drawMask({ mask }, { context, colour, place, marked, dimmed }) {
  const tinted = mask?.tinted(colour);
  if (!tinted || !mask) return;
  context.globalAlpha = marked ? 0.75 : dimmed ? 0.15 : 0.5;
  const [left, top] = place(0, 0);
  const [right, bottom] = place(mask.width ?? 0, mask.height ?? 0);
  context.drawImage(tinted, left, top, right - left, bottom - top);
}

/**
 * @param {Shape} shape
 * @param {Pen} pen
 */
function drawBox({ at, label }, pen) {
  const { context, colour, place, unit, marked, crowded } = pen;
  const [left, top] = place(at[0] ?? 0, at[1] ?? 0);
  const [right, bottom] = place(at[2] ?? 0, at[3] ?? 0);
  if (marked) {
    context.save();
    context.globalAlpha = 0.2;
    context.fillStyle = colour;
    context.fillRect(left, top, right - left, bottom - top);
    context.restore();
  }
  context.lineWidth = (marked ? 4 : 2) * unit;
  context.strokeStyle = colour;
  context.strokeRect(left, top, right - left, bottom - top);
  if (label && (marked || !crowded)) drawLabel(label, left, top, pen);
}

/**
 * @param {string} label
 * @param {number} x
 * @param {number} y
 * @param {Pen} pen
 */
function drawLabel(label, x, y, { context, colour, ink, unit }) {
  context.font = `600 ${12 * unit}px system-ui, sans-serif`;
  const text = label.length > 40 ? `${label.slice(0, 39)}…` : label;
  const width = context.measureText(text).width + 8 * unit;
  const height = 18 * unit;
  const left = Math.max(0, Math.min(x - unit, context.canvas.width - width));
  const top = y >= height ? y - height : Math.max(0, y);
  context.fillStyle = colour;
  context.fillRect(left, top, width, height);
  context.fillStyle = ink;
  context.textBaseline = "middle";
  context.fillText(text, left + 4 * unit, top + height / 2);
}

/**
 * @param {Shape} shape
 * @param {Pen} pen
 */
function drawPoint({ at, label }, pen) {
  const { context, colour, ink, place, unit, marked } = pen;
  const [x, y] = place(at[0] ?? 0, at[1] ?? 0);
  context.beginPath();
  context.arc(x, y, (marked ? 7 : 4) * unit, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 1.5 * unit;
  context.strokeStyle = ink;
  context.stroke();
  if (marked && label) drawLabel(label, x + 8 * unit, y - 4 * unit, pen);
}

/**
 * @param {Shape} shape
 * @param {Pen} pen
 */
function drawLine({ at }, { context, colour, place, unit, marked }) {
  context.beginPath();
  context.moveTo(...place(at[0] ?? 0, at[1] ?? 0));
  context.lineTo(...place(at[2] ?? 0, at[3] ?? 0));
  context.lineWidth = (marked ? 4 : 2) * unit;
  context.strokeStyle = colour;
  context.stroke();
}

/**
 * The shape at a place: the nearest point, else the smallest box, else the topmost mask.
 * @param {Shape[]} shapes
 * @param {number} x
 * @param {number} y
 * @param {number} reach pixels of the picture within which a point is meant
 * @returns {Shape | undefined}
 */
export function shapeAt(shapes, x, y, reach) {
  const points = shapes.filter(({ kind, at }) => kind === "point" && distance(at, x, y) <= reach);
  if (points.length) return points.reduce((best, one) => (distance(one.at, x, y) < distance(best.at, x, y) ? one : best));
  const boxes = shapes.filter(({ kind, at }) => kind === "box" && inside(at, x, y));
  if (boxes.length) return boxes.reduce((best, one) => (area(one.at) < area(best.at) ? one : best));
  return shapes.findLast(({ mask }) => mask?.covers(x, y));
}

/**
 * @param {number[]} at
 * @param {number} x
 * @param {number} y
 */
function distance(at, x, y) {
  return Math.hypot((at[0] ?? 0) - x, (at[1] ?? 0) - y);
}

/**
 * @param {number[]} at
 * @param {number} x
 * @param {number} y
 */
function inside([left = 0, top = 0, right = 0, bottom = 0], x, y) {
  return x >= left && x <= right && y >= top && y <= bottom;
}

/** @param {number[]} at */
function area([left = 0, top = 0, right = 0, bottom = 0]) {
  return (right - left) * (bottom - top);
}

/**
 * A size that holds all shapes, for a picture that cannot be shown.
 * @param {Shape[]} shapes
 * @returns {[number, number]}
 */
export function extent(shapes) {
  const xs = shapes.flatMap(({ at, mask }) => [...at.filter((_, axis) => axis % 2 === 0), mask?.width ?? 0]);
  const ys = shapes.flatMap(({ at, mask }) => [...at.filter((_, axis) => axis % 2 === 1), mask?.height ?? 0]);
  return [Math.max(1, ...xs), Math.max(1, ...ys)];
}
