// A camera: what it sees, and a picture of it.

import { html } from "../../vendor/lit-html/lit-html.js";
import { ref } from "../../vendor/lit-html/directives/ref.js";
import { redraw } from "../../lib/redraw.js";
import { toast } from "../../lib/toast.js";
import { fileGiven } from "../given_file.js";

/** Takes pictures. It is on from the button that opens it to the one that takes or closes. */
export class Camera {
  /** @type {MediaStream | null} */
  stream = null;
  /** @type {HTMLVideoElement | null} */
  video = null;
  /** Whether it has seen something. */
  sees = false;
  /** Which press of the button it is on for: the browser asks first, and may take its time. */
  #turn = 0;

  /** @param {(file: import("../given_file.js").GivenFile) => void} taken */
  constructor(taken) {
    this.taken = taken;
  }

  /** The button that opens it, or why there is none. */
  button() {
    if (!navigator.mediaDevices) {
      return html`<span class="help">The camera needs https, or this page on the machine itself.</span>`;
    }
    return html`<button type="button" ?disabled=${this.stream !== null} @click=${this.open}>Use the camera</button>`;
  }

  /** What it sees, while it is on. */
  preview() {
    if (!this.stream) return "";
    return html`<div class="widget-camera">
      <video muted playsinline @playing=${this.seeing} aria-label="What the camera sees" ${ref(this.shown)}></video>
      <div class="buttons">
        <button type="button" class="primary" ?disabled=${!this.sees} @click=${this.take}>Take the picture</button>
        <button type="button" @click=${this.close}>Close the camera</button>
      </div>
    </div>`;
  }

  open = async () => {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const video = { facingMode: "environment" };
      const stream = await navigator.mediaDevices.getUserMedia({ video });
      if (turn === this.#turn) this.stream = stream;
      else for (const track of stream.getTracks()) track.stop(); // the page was left meanwhile
    } catch (error) {
      toast(`The camera cannot be used: ${error instanceof Error ? error.message : error}`, "bad");
    }
    redraw();
  };

  /** @param {Element | undefined} element */
  shown = (element) => {
    const video = /** @type {HTMLVideoElement | undefined} */ (element) ?? null;
    if (video === this.video) return;
    this.video = video;
    if (!video) return;
    video.srcObject = this.stream;
    void video.play().catch(() => undefined); // ended before it began
  };

  seeing = () => {
    this.sees = true;
    redraw();
  };

  take = async () => {
    const video = this.video;
    if (!video) return;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    this.close();
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
    if (blob) this.taken(await fileGiven(blob, "camera.jpg"));
    redraw();
  };

  close = () => {
    this.#turn += 1;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.sees = false;
    redraw();
  };
}
