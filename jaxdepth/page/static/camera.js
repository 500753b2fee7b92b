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
    this.isStarting = false;
  }

  get isOn() {
    return this.stream !== null;
  }

  /**
   * Asks for the camera and starts it.
   *
   * @param {() => boolean} isWanted whether it still is, when the user has allowed it.
   * @returns {Promise<boolean>} whether it is on now.
   */
  async start(isWanted) {
    if (!navigator.mediaDevices?.getUserMedia) {
      const reason = window.isSecureContext ? "This browser gives no camera." : "The camera needs an https address.";
      throw new PlainError(`${reason} You can still choose a photo.`);
    }
    this.isStarting = true;
    try {
      const wish = { facingMode: { ideal: "environment" }, width: { ideal: 640 }, height: { ideal: 480 } };
      this.video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
      await this.video.play();
      if (isWanted()) this.stream = this.video.srcObject;
      else this.stop();
      return this.isOn;
    } catch (error) {
      this.stop();
      throw new PlainError(REASONS[error.name] ?? "The camera did not start.", { cause: error });
    } finally {
      this.isStarting = false;
    }
  }

  stop() {
    for (const track of this.video.srcObject?.getTracks() ?? []) track.stop();
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
   * @returns {Promise<boolean>} whether the camera has gone, as where it is unplugged; false where it was stopped.
   */
  async run(onPicture, onRate) {
    const times = [];
    const { stream } = this;
    for (await nextFrame(); this.stream === stream; await nextFrame()) {
      if (!stream.active) return true;
      const picture = this.takePicture();
      if (!picture) continue;
      await onPicture(picture);
      const now = performance.now();
      times.push(now);
      while (now - times[0] > SECONDS * 1000) times.shift();
      if (times.length > 1 && this.stream === stream) onRate(((times.length - 1) * 1000) / (now - times[0]));
    }
    return false;
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
