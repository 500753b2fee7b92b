/** Colours for depth: near is bright, far is dark. */

// Evenly spaced on the way from near to far, as red, green, blue; lightness falls evenly.
const STOPS = [
  [253, 244, 196],
  [254, 207, 136],
  [251, 164, 96],
  [240, 118, 84],
  [214, 76, 98],
  [174, 51, 120],
  [129, 38, 129],
  [84, 28, 116],
  [40, 19, 78],
  [8, 6, 26],
];

const LEVELS = 256;
const LEAST_RATIO = 1.1; // of the far end to the near end: a flat wall shows no noise
const MOST_MARKS = 7;

/** Colours of LEVELS steps from near to far, as bytes RGBA in one number each. */
const TABLE = makeTable();

function makeTable() {
  const bytes = new Uint8ClampedArray(LEVELS * 4);
  for (let i = 0; i < LEVELS; i++) bytes.set([...colourAt(i / (LEVELS - 1)), 255], i * 4);
  return new Uint32Array(bytes.buffer);
}

/** The colour at a share from 0 (near) to 1 (far). */
function colourAt(share) {
  const place = Math.min(share, 1) * (STOPS.length - 1);
  const low = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[low].map((value, i) => Math.round(value + (STOPS[low + 1][i] - value) * (place - low)));
}

/** The depths in metres between which the colours change: 2 % of the picture is nearer, 2 % farther. */
export function depthRange(depth) {
  const step = Math.max(1, Math.floor(depth.length / 20_000));
  const some = [];
  for (let i = 0; i < depth.length; i += step) some.push(depth[i]);
  const sorted = Float32Array.from(some).sort();
  const low = sorted[Math.floor(0.02 * (sorted.length - 1))];
  const high = sorted[Math.ceil(0.98 * (sorted.length - 1))];
  return [Math.min(low, high / LEAST_RATIO), high];
}

/** Where a depth lies between two others, by ratio: 0 at the near one, 1 at the far one. */
function shareOf(metres, [near, far]) {
  return Math.log(metres / near) / Math.log(far / near);
}

/** Colours a depth map into an ImageData of its size. */
export function paintDepth(depth, image, range) {
  const pixels = new Uint32Array(image.data.buffer);
  const start = Math.log(range[0]);
  const scale = (LEVELS - 1) / (Math.log(range[1]) - start);
  for (let i = 0; i < depth.length; i++) {
    const level = (Math.log(depth[i]) - start) * scale + 0.5;
    pixels[i] = TABLE[level <= 0 ? 0 : level >= LEVELS - 1 ? LEVELS - 1 : level | 0];
  }
}

const LEAST_GAP = 0.09; // between marks, as a share of the legend
const WIDE = 7; // far over near, from which steps are no longer even

/** Round numbers of metres for a legend, as texts, each with its share from near to far. */
export function legendTicks(range) {
  const ticksOf = (numbers, digits) =>
    numbers.map((metres) => ({ text: metres.toFixed(digits ?? (metres < 1 ? 1 : 0)), share: shareOf(metres, range) }));
  if (range[1] / range[0] > WIDE) return ticksOf(roundNumbers(range));
  for (const step of [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]) {
    const ticks = ticksOf(multiples(step, range), step < 0.1 ? 2 : step < 1 ? 1 : 0);
    const isClear = ticks.every(({ share }, i) => i === 0 || share - ticks[i - 1].share >= LEAST_GAP);
    if (isClear && ticks.length <= MOST_MARKS) return ticks;
  }
  return [];
}

/** The multiples of a step within a range. */
function multiples(step, [low, high]) {
  const first = Math.ceil(low / step);
  const count = Math.max(0, Math.floor(high / step) - first + 1);
  return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toFixed(2)));
}

/** ..., 0.5, 1, 2, 5, 10, ... within a range. */
function roundNumbers([low, high]) {
  const numbers = [];
  for (let ten = -1; ten <= 3; ten++) {
    for (const digit of [1, 2, 5]) numbers.push(Number(`${digit}e${ten}`));
  }
  return numbers.filter((metres) => metres >= low && metres <= high);
}

/** Paints the legend's bar, near at the left. */
export function paintLegend(canvas) {
  canvas.width = LEVELS;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const image = context.createImageData(LEVELS, 1);
  new Uint32Array(image.data.buffer).set(TABLE);
  context.putImageData(image, 0, 0);
}
