/** Reads pictures: decodes, turns them upright, bounds their size, and finds the focal length in their EXIF. */

import { PlainError } from "./errors.js";

const MOST_PIXELS = 2_000_000; // of the size that is worked with
const LONGEST_SIDE = 16_384; // which every browser draws on
const HEAD_BYTES = 256 * 1024; // where EXIF is looked for
const EXIF_IFD = 0x8769;
const FOCAL_35MM = 0xa405;

/**
 * Decodes a picture.
 *
 * @param {Blob} file
 * @param {string} name for messages.
 * @returns {Promise<{size: number[], pixels: Uint8ClampedArray, focal35: number | null, fileSize: number[]}>} sizes are
 *   [height, width], of what is worked with and of the file; RGBA; mm on 35 mm film.
 */
export async function readPicture(file, name) {
  if (file.size === 0) throw new PlainError(`“${name}” is empty (0 bytes).`);
  const [image, focal35] = await Promise.all([decoded(file, name), readFocal35(file)]);
  const { naturalWidth: width, naturalHeight: height } = image;
  const size = workingSize([height, width]);
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = size;
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind what is transparent, as in the Python package
  context.fillRect(0, 0, size[1], size[0]);
  context.drawImage(image, 0, 0, size[1], size[0]);
  URL.revokeObjectURL(image.src);
  const data = pixelsOf(context, size, name);
  return { size, pixels: data, focal35, fileSize: [height, width], name };
}

function pixelsOf(context, [height, width], name) {
  try {
    return context.getImageData(0, 0, width, height).data;
  } catch (error) {
    if (error.name !== "SecurityError") throw error; // as of an SVG file with a page in it
    throw new PlainError(`The browser does not let the page read “${name}”. Save it as PNG first.`, { cause: error });
  }
}

/** The size to work with: the picture's own, or smaller where that is too large. */
export function workingSize([height, width], most = MOST_PIXELS) {
  const scale = Math.min(1, Math.sqrt(most / (height * width)), LONGEST_SIDE / Math.max(height, width));
  return [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
}

/** An image element of the file; browsers turn it upright as its EXIF says. */
async function decoded(file, name) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      image.addEventListener("load", resolve, { once: true });
      image.addEventListener("error", reject, { once: true });
    });
    if (!image.naturalWidth || !image.naturalHeight) throw new Error("no size");
  } catch (error) {
    URL.revokeObjectURL(image.src);
    throw new PlainError(whyNot(file, name), { cause: error });
  }
  return image;
}

function whyNot(file, name) {
  if (/\.hei[cf]$/i.test(name) || /hei[cf]/.test(file.type)) {
    return `This browser cannot read HEIC photos. Save “${name}” as JPEG first.`;
  }
  if (file.type.startsWith("image/")) return `“${name}” is damaged, or of a kind this browser cannot read.`;
  return `“${name}” is not a picture. Choose a JPEG, PNG or WebP file.`;
}

/** Focal length in mm on 35 mm film, of a JPEG's EXIF, or null. */
async function readFocal35(file) {
  try {
    return focal35Of(new DataView(await file.slice(0, HEAD_BYTES).arrayBuffer()));
  } catch {
    return null; // cut off or damaged
  }
}

function focal35Of(view) {
  if (view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 4 <= view.byteLength; ) {
    const marker = view.getUint16(at);
    if (marker >> 8 !== 0xff || marker === 0xffda) return null;
    if (marker === 0xffe1 && view.getUint32(at + 4) === 0x45786966) return focalOfTiff(view, at + 10); // "Exif"
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}

/** Reads the directories of a TIFF that begins at `start`. */
function focalOfTiff(view, start) {
  const little = view.getUint16(start) === 0x4949;
  const entry = (directory, tag) => {
    const count = view.getUint16(start + directory, little);
    for (let i = 0; i < count; i++) {
      const at = start + directory + 2 + 12 * i;
      if (view.getUint16(at, little) !== tag) continue;
      const short = view.getUint16(at + 2, little) === 3;
      return short ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
    }
    return null;
  };
  const exif = entry(view.getUint32(start + 4, little), EXIF_IFD);
  return exif ? entry(exif, FOCAL_35MM) || null : null;
}
