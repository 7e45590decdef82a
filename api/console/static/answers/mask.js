// A mask: a grey picture, white on the object, that is laid over another in one colour.

/** Pixels of a mask's longer edge, at most: what the screen shows needs no more. */
const LONGEST = 1600;

/** Pixels of all masks of an answer together, about. */
const MOST = 2 ** 25;

export class Mask {
  /** @type {HTMLCanvasElement | null} as opaque as the mask is white; null until it is read */
  canvas = null;
  #colour = "";

  /**
   * @param {Blob} file
   * @param {number} longest
   */
  constructor(file, longest) {
    /** settles when the mask can be drawn, or never will */
    this.ready = this.#read(file, longest).catch(() => {});
  }

  /**
   * @param {Blob} file
   * @param {number} longest
   */
  async #read(file, longest) {
    const whole = await createImageBitmap(file);
    const scale = Math.min(1, longest / Math.max(whole.width, whole.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(whole.width * scale));
    canvas.height = Math.max(1, Math.round(whole.height * scale));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    this.width = whole.width;
    this.height = whole.height;
    whole.close();
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at] ?? 0;
    context.putImageData(pixels, 0, 0);
    this.canvas = canvas;
  }

  /**
   * The mask in a colour, to be drawn from.
   * @param {string} colour
   */
  tinted(colour) {
    const context = this.canvas?.getContext("2d");
    if (context && this.canvas && colour !== this.#colour) {
      context.globalCompositeOperation = "source-in";
      context.fillStyle = colour;
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      this.#colour = colour;
    }
    return this.canvas;
  }

  /**
   * Whether a place of the picture is on the mask.
   * @param {number} x
   * @param {number} y
   */
  covers(x, y) {
    if (!this.canvas || !this.width || !this.height) return false;
    const at = [Math.floor((x / this.width) * this.canvas.width), Math.floor((y / this.height) * this.canvas.height)];
    const pixel = this.canvas.getContext("2d")?.getImageData(at[0] ?? 0, at[1] ?? 0, 1, 1).data;
    return (pixel?.[3] ?? 0) > 127;
  }
}

/** @type {WeakMap<Blob, Mask>} */
const masks = new WeakMap();

/**
 * The mask that a file holds; the same one each time.
 * @param {Blob} file
 * @param {number} among how many masks the answer has
 */
export function maskOf(file, among) {
  const mask = masks.get(file) ?? new Mask(file, Math.min(LONGEST, Math.ceil(Math.sqrt(MOST / among))));
  masks.set(file, mask);
  return mask;
}
