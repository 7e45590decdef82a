// A picture as the screen needs it: scaled once for the whole view, whole when it is looked at closely.

import { sizeStoodFor } from "../lib/tensors.js";

/** Pixels of the longer edge of what is drawn of the whole picture. */
const LONGEST = 2048;

export class Bitmaps {
  width = 0;
  height = 0;
  /** @type {ImageBitmap | null} */
  small = null;
  /** @type {ImageBitmap | null} */
  whole = null;
  /** @type {Promise<unknown> | null} */
  #fetching = null;

  /** @param {Blob} file */
  constructor(file) {
    this.file = file;
    /** settles when the picture can be drawn; rejects where the browser cannot read it */
    this.ready = this.#read();
  }

  async #read() {
    const url = URL.createObjectURL(this.file);
    const image = new Image();
    try {
      // The size alone, which needs no pixel decoded; turned as its EXIF says.
      await new Promise((resolve, reject) => {
        image.onload = resolve;
        image.onerror = () => reject(new Error("no picture that this browser shows"));
        image.src = url;
      });
      this.width = image.naturalWidth;
      this.height = image.naturalHeight;
    } finally {
      image.src = "";
      URL.revokeObjectURL(url);
    }
    const scale = LONGEST / Math.max(this.width, this.height);
    if (scale >= 1) this.small = this.whole = await createImageBitmap(this.file);
    else {
      this.small = await createImageBitmap(this.file, {
        resizeWidth: Math.round(this.width * scale),
        resizeHeight: Math.round(this.height * scale),
        resizeQuality: "medium",
      });
    }
    const [width, height] = sizeStoodFor(this.file) ?? [this.width, this.height];
    this.width = width;
    this.height = height;
  }

  /**
   * The bitmap to draw from at a scale, screen pixels a pixel; `arrived` is called when a better
   * one is there.
   * @param {number} scale
   * @param {() => void} arrived
   */
  at(scale, arrived) {
    if (!this.small || scale * this.width <= this.small.width * 1.25) return this.small;
    if (this.whole) return this.whole;
    this.#fetching ??= createImageBitmap(this.file).then((whole) => {
      this.whole = whole;
      arrived();
    }, () => {});
    return this.small;
  }

  /** Let the large one go when it is not looked at closely any more. */
  release() {
    if (this.whole === this.small) return;
    this.whole?.close();
    this.whole = this.#fetching = null;
  }
}

/** @type {WeakMap<Blob, Bitmaps>} */
const known = new WeakMap();

/**
 * The bitmaps of a file; the same ones each time.
 * @param {Blob} file
 */
export function bitmapsOf(file) {
  const bitmaps = known.get(file) ?? new Bitmaps(file);
  known.set(file, bitmaps);
  return bitmaps;
}
