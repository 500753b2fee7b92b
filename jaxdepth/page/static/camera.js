/** The live camera. */

import { PlainError } from "./errors.js";
import { workingSize } from "./picture.js";

const MOST_PIXELS = 480 * 360; // of a live picture
const SECONDS = 2; // that the frames per second are averaged over

const REASONS = {
  NotAllowedError: "The camera is not allowed. Allow it in the browser's settings for this page, then try again.",
  NotFoundError: "No camera was found.",
  OverconstrainedError: "No camera was found.",
  NotReadableError: "The camera is in use by another program.",
};

export class LiveCamera {
  constructor() {
    this.video = document.createElement("video");
    this.video.playsInline = true;
    this.video.muted = true;
    this.canvas = document.createElement("canvas");
    this.stream = null;
  }

  get isOn() {
    return this.stream !== null;
  }

  /** Asks for the camera and starts it. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      const reason = window.isSecureContext ? "This browser gives no camera." : "The camera needs an https address.";
      throw new PlainError(`${reason} You can still choose a photo.`);
    }
    try {
      const wish = { facingMode: { ideal: "environment" }, width: { ideal: 640 }, height: { ideal: 480 } };
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.stop();
      throw new PlainError(REASONS[error.name] ?? "The camera did not start.", { cause: error });
    }
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** The current picture, or null while there is none. */
  takePicture() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return null;
    const size = workingSize([height, width], MOST_PIXELS);
    if (this.canvas.width !== size[1] || this.canvas.height !== size[0]) [this.canvas.height, this.canvas.width] = size;
    const context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    context.drawImage(this.video, 0, 0, size[1], size[0]);
    const { data } = context.getImageData(0, 0, size[1], size[0]);
    return { size, pixels: data, focal35: null, fileSize: [height, width], name: "camera" };
  }

  /**
   * Hands pictures to `onPicture(picture)`, one after the other, until the camera stops.
   *
   * @param {(perSecond: number) => void} onRate
   */
  async run(onPicture, onRate) {
    const times = [];
    while (this.isOn) {
      await nextFrame();
      const picture = this.isOn ? this.takePicture() : null;
      if (!picture) {
        if (!this.stream?.active) break; // unplugged
        continue;
      }
      await onPicture(picture);
      const now = performance.now();
      times.push(now);
      while (now - times[0] > SECONDS * 1000) times.shift();
      if (times.length > 1) onRate(((times.length - 1) * 1000) / (now - times[0]));
    }
  }
}

/** Waits until the browser has drawn, or a little while where the page is hidden. */
export function nextFrame() {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 200);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      setTimeout(resolve, 0);
    });
  });
}
