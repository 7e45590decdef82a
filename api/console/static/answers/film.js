// Pictures of a film, each at its time.

import { urlOf } from "../lib/tensors.js";

class Film {
  /** @type {Map<number, Blob>} by seconds */
  #pictures = new Map();
  /** @type {Map<number, Promise<void>>} */
  #asked = new Map();
  #video = document.createElement("video");
  /** @type {Promise<unknown>} one after the other: a film is at one time only */
  #last;

  /** @param {Blob} file */
  constructor(file) {
    this.file = file; // its address lasts as long as it is held
    this.#video.muted = true;
    this.#video.preload = "auto";
    this.#last = heard(this.#video, "loadeddata");
    this.#video.src = urlOf(file);
  }

  /**
   * The picture at a time, if it is there; `arrived` is called when it is later.
   * @param {number} seconds
   * @param {() => void} arrived
   */
  at(seconds, arrived) {
    const picture = this.#pictures.get(seconds);
    if (picture) return picture;
    if (!this.#asked.has(seconds)) {
      const found = this.#last.then(() => this.#take(seconds)).catch(() => {});
      this.#last = found;
      this.#asked.set(seconds, found);
      found.then(arrived);
    }
    return null;
  }

  /** @param {number} seconds */
  async #take(seconds) {
    const there = heard(this.#video, "seeked");
    this.#video.currentTime = seconds;
    await there;
    const canvas = document.createElement("canvas");
    canvas.width = this.#video.videoWidth;
    canvas.height = this.#video.videoHeight;
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0);
    const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
    if (picture) this.#pictures.set(seconds, picture);
  }
}

/**
 * @param {HTMLVideoElement} video
 * @param {string} event
 * @returns {Promise<void>}
 */
function heard(video, event) {
  return new Promise((resolve, reject) => {
    video.addEventListener(event, () => resolve(), { once: true });
    video.addEventListener("error", () => reject(new Error("no film that this browser plays")), { once: true });
  });
}

/** @type {WeakMap<Blob, Film>} */
const films = new WeakMap();

/**
 * A film; the same one for the same file.
 * @param {Blob} file
 */
export function filmOf(file) {
  const film = films.get(file) ?? new Film(file);
  films.set(file, film);
  return film;
}
