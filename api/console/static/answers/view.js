// Which part of a picture a canvas shows, and how large.

/** Screen pixels that one pixel of a picture takes, at most. */
const CLOSEST = 48;

/** CSS pixels of the frame, left and right. */
const EDGES = 2;

/** CSS pixels that the longer edge of a small picture takes. */
const LEAST = 384;

export class View {
  width = 1;
  height = 1;
  /** screen pixels a CSS pixel */
  density = 1;
  /** 1 shows the whole picture */
  zoom = 1;
  #fitting = 1;
  #left = 0;
  #top = 0;

  /**
   * Show a picture in so much room.
   * @param {number} width of the picture
   * @param {number} height
   * @param {number} wide CSS pixels there are
   * @param {number} high
   * @param {number} density
   */
  fit(width, height, wide, high, density) {
    const larger = Math.max(1, LEAST / Math.max(width, height));
    if (width !== this.width || height !== this.height) this.zoom = 1;
    this.width = width;
    this.height = height;
    this.density = density;
    this.#fitting = Math.min((wide - EDGES) / width, high / height, larger);
    this.#hold();
  }

  /** Screen pixels a pixel of the picture. */
  get scale() {
    return this.#fitting * this.zoom * this.density;
  }

  /**
   * Give a canvas the size that the whole picture takes; that empties it.
   * @param {HTMLCanvasElement} canvas
   */
  size(canvas) {
    const wide = Math.max(1, Math.round(this.width * this.#fitting));
    const high = Math.max(1, Math.round(this.height * this.#fitting));
    canvas.width = wide * this.density;
    canvas.height = high * this.density;
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${high}px`;
  }

  /**
   * From the picture to the canvas.
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  place(x, y) {
    return [(x - this.#left) * this.scale, (y - this.#top) * this.scale];
  }

  /**
   * From the canvas to the picture.
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  back(x, y) {
    return [x / this.scale + this.#left, y / this.scale + this.#top];
  }

  /**
   * Zoom about a place of the canvas that stays where it is, its middle unless told.
   * @param {number} factor 0 for the whole picture
   * @param {number[]} [about]
   */
  zoomBy(factor, about) {
    const whole = this.#fitting * this.density;
    const [x = 0, y = 0] = about ?? [(this.width * whole) / 2, (this.height * whole) / 2];
    const [fixedX, fixedY] = this.back(x, y);
    this.zoom = Math.max(1, Math.min(this.zoom * factor, Math.max(1, CLOSEST / whole)));
    this.#left = fixedX - x / this.scale;
    this.#top = fixedY - y / this.scale;
    this.#hold();
  }

  /**
   * Move the picture by pixels of the canvas.
   * @param {number} x
   * @param {number} y
   */
  pan(x, y) {
    this.#left -= x / this.scale;
    this.#top -= y / this.scale;
    this.#hold();
  }

  /** Never beside the picture. */
  #hold() {
    this.#left = Math.max(0, Math.min(this.#left, this.width * (1 - 1 / this.zoom)));
    this.#top = Math.max(0, Math.min(this.#top, this.height * (1 - 1 / this.zoom)));
  }
}
