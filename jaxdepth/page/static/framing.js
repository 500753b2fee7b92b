/**
 * Where a picture lies in the network's frame, and how depth comes back to the picture.
 *
 * Sizes are [height, width]. Pixels are counted from 0, so the middle of a picture of width w is at (w - 1) / 2. A
 * camera is {fx, fy, cx, cy} in pixels of the picture. All numbers follow the Python package.
 */

import { resizeBytes, resizeFloats } from "./resize.js";

const FILM_DIAGONAL = Math.hypot(36, 24); // mm
const FIELDS_OF_VIEW = [3, 150]; // degrees; a camera outside is not believed

/** The framing of a network, from what its description says. */
export function framingOf(description) {
  return {
    frameSize: description.frame_size,
    cropSize: description.crop_size,
    camera: description.camera,
    depthRange: description.depth_range,
  };
}

/** Rounds to the nearest whole number, halves to the even one. */
function roundHalfEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest === 0.5) return low % 2 === 0 ? low : low + 1;
  return rest < 0.5 ? low : low + 1;
}

/** First [row, column] of the part of `cropSize` in the middle of `size`. */
function centreCorner(size, cropSize) {
  return [Math.floor((size[0] - cropSize[0]) / 2), Math.floor((size[1] - cropSize[1]) / 2)];
}

/** Where a picture of `size` lies in the frame: scaled to fit, in the middle. */
export function place(size, frameSize) {
  const scale = Math.min(frameSize[0] / size[0], frameSize[1] / size[1]);
  const height = Math.max(1, roundHalfEven(scale * size[0]));
  const width = Math.max(1, roundHalfEven(scale * size[1]));
  const [top, left] = centreCorner(frameSize, [height, width]);
  return { scale, top, left, height, width };
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * The network's input for a picture.
 *
 * @param {{size: number[], pixels: Uint8ClampedArray}} picture RGBA, row by row.
 * @returns {Float32Array} [h, w, 3] in [0, 1], with the picture's border repeated where it does not fill the frame.
 */
export function networkInput(picture, framing) {
  const at = place(picture.size, framing.frameSize);
  const inner = resizeBytes(picture.pixels, picture.size, [at.height, at.width], at.scale < 1 ? "box" : "triangle");
  const [height, width] = framing.cropSize;
  const [top, left] = centreCorner(framing.frameSize, framing.cropSize);
  const input = new Float32Array(height * width * 3);
  let to = 0;
  for (let row = 0; row < height; row++) {
    const line = clamp(row + top - at.top, 0, at.height - 1) * at.width;
    for (let column = 0; column < width; column++) {
      const from = (line + clamp(column + left - at.left, 0, at.width - 1)) * 3;
      for (let channel = 0; channel < 3; channel++) input[to++] = inner[from + channel] / 255;
    }
  }
  return input;
}

/**
 * Brings one output back to its picture.
 *
 * @param {Float32Array} crop [h, w], metres of the training's camera.
 * @returns {Float32Array} [H, W], metres within the network's range.
 */
export function pictureDepth(crop, size, camera, framing) {
  const at = place(size, framing.frameSize);
  const [height, width] = framing.cropSize;
  const [top, left] = centreCorner(framing.frameSize, framing.cropSize);
  const ratio = focalRatio(size, camera, framing);
  const inner = new Float32Array(at.height * at.width);
  for (let row = 0; row < at.height; row++) {
    const line = clamp(row + at.top - top, 0, height - 1) * width;
    for (let column = 0; column < at.width; column++) {
      inner[row * at.width + column] = crop[line + clamp(column + at.left - left, 0, width - 1)] * ratio;
    }
  }
  const depth = resizeFloats(inner, [at.height, at.width], size);
  const [low, high] = framing.depthRange;
  for (let i = 0; i < depth.length; i++) depth[i] = clamp(depth[i], low, high);
  return depth;
}

/** The picture's focal length in pixels of the frame, divided by the training camera's. */
export function focalRatio(size, camera, framing) {
  const { scale } = place(size, framing.frameSize);
  return scale * Math.sqrt((camera.fx * camera.fy) / (framing.camera.fx * framing.camera.fy));
}

/** Horizontal field of view of a camera, in degrees. */
export function horizontalView(camera, size) {
  return (2 * Math.atan(size[1] / camera.fx / 2) * 180) / Math.PI;
}

function isPlausible(camera, size) {
  const ratio = Math.max(size[1] / camera.fx, size[0] / camera.fy);
  const degrees = (2 * Math.atan(ratio / 2) * 180) / Math.PI;
  return degrees >= FIELDS_OF_VIEW[0] && degrees <= FIELDS_OF_VIEW[1];
}

function centredCamera(focal, size) {
  return { fx: focal, fy: focal, cx: (size[1] - 1) / 2, cy: (size[0] - 1) / 2 };
}

/** The camera with a horizontal field of view in degrees, or null where the view is too narrow or too wide. */
export function cameraOfView(degrees, size) {
  if (!(degrees > 0 && degrees < 180)) return null;
  const camera = centredCamera(size[1] / 2 / Math.tan((degrees * Math.PI) / 360), size);
  return isPlausible(camera, size) ? camera : null;
}

/**
 * The camera of a picture: the one set, else from the picture's file, else the training's.
 *
 * @param {{view?: number, focal35?: number}} known horizontal degrees, and the focal length in mm on 35 mm film.
 * @returns {{camera: object, origin: string}} `origin` is "set", "exif", "training" or "training, not exif".
 */
export function findCamera(size, framing, { view, focal35 }) {
  const set = view ? cameraOfView(view, size) : null;
  if (set) return { camera: set, origin: "set" };
  let origin = "training";
  if (focal35) {
    const camera = centredCamera((focal35 * Math.hypot(size[0], size[1])) / FILM_DIAGONAL, size);
    if (isPlausible(camera, size)) return { camera, origin: "exif" };
    origin = "training, not exif";
  }
  const { scale } = place(size, framing.frameSize);
  const known = framing.camera;
  const camera = {
    fx: known.fx / scale,
    fy: known.fy / scale,
    cx: (size[1] - 1) / 2 + (known.cx - (framing.frameSize[1] - 1) / 2) / scale,
    cy: (size[0] - 1) / 2 + (known.cy - (framing.frameSize[0] - 1) / 2) / scale,
  };
  return { camera, origin };
}
