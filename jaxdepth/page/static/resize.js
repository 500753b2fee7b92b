/**
 * Resizing as Pillow does it: two passes, across first, with weights of a box or a triangle. A picture more than twice
 * as tall as wide shrinks down first, as in Pillow 13: that changes single levels.
 *
 * Sizes are [height, width].
 */

const ONE = 2 ** 22; // weights for whole levels are multiples of 1 / ONE, so that halves round as in Pillow

const FILTERS = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  triangle: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
};

/** For each place of the result: its first source place, how many there are, and their weights, which sum to 1. */
function windows(from, to, { support, weight }) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const shrink = 1 / stretch; // multiplied, as in Pillow: where a pixel lies on the box's edge, rounding decides
  const reach = support * stretch;
  const most = Math.ceil(reach) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Float64Array(to * most);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(from, Math.trunc(centre + reach + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const value = weight((start + k - centre + 0.5) * shrink);
      weights[i * most + k] = value;
      sum += value;
    }
    for (let k = 0; k < count && sum > 0; k++) weights[i * most + k] /= sum;
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, most };
}

/**
 * Resizes along one axis.
 *
 * @param source values; the place (line, i) is at line * lineStep + i * step.
 * @param make makes the result's array for its number of values.
 */
function pass(source, make, { lines, from, to, lineStep, step, channels, across }, filter) {
  const { starts, counts, weights, most } = windows(from, to, filter);
  const result = make(lines * to * channels);
  const isWhole = result instanceof Uint8ClampedArray;
  if (isWhole) weights.forEach((weight, i) => (weights[i] = Math.floor(weight * ONE + 0.5) / ONE));
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < to; i++) {
      const first = line * lineStep + starts[i] * step;
      const at = (across ? line * to + i : i * lines + line) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let k = 0; k < counts[i]; k++) sum += weights[i * most + k] * source[first + k * step + channel];
        result[at + channel] = isWhole ? Math.floor(sum + 0.5) : sum;
      }
    }
  }
  return result;
}

/**
 * Resizes a picture; each pass is rounded to whole levels.
 *
 * @param {Uint8ClampedArray} rgba [H, W, 4].
 * @param {"box" | "triangle"} name the filter.
 * @returns {Uint8ClampedArray} [h, w, 3].
 */
export function resizeBytes(rgba, [height, width], [toHeight, toWidth], name) {
  const make = (length) => new Uint8ClampedArray(length);
  const across = (source, lines, step) => {
    const way = { lines, from: width, to: toWidth, lineStep: width * step, step, channels: 3, across: true };
    return pass(source, make, way, FILTERS[name]);
  };
  const down = (source, lines, lineStep) => {
    const way = { lines, from: height, to: toHeight, lineStep, step: lines * lineStep, channels: 3 };
    return pass(source, make, way, FILTERS[name]);
  };
  if (height > 2 * width && toHeight < height) return across(down(rgba, width, 4), toHeight, 3);
  return down(across(rgba, height, 4), toWidth, 3);
}

/**
 * Resizes a map of numbers bilinearly; where it shrinks, over areas.
 *
 * @param {Float32Array} values [h, w].
 * @returns {Float32Array} [H, W].
 */
export function resizeFloats(values, [height, width], [toHeight, toWidth]) {
  const make = (length) => new Float32Array(length);
  const across = { lines: height, from: width, to: toWidth, lineStep: width, step: 1, channels: 1, across: true };
  const narrow = pass(values, make, across, FILTERS.triangle);
  const down = { lines: toWidth, from: height, to: toHeight, lineStep: 1, step: toWidth, channels: 1 };
  return pass(narrow, make, down, FILTERS.triangle);
}
