/** Points of a depth map, without those that lie across a jump of depth. */

const WIDEST = 3; // most of a point's width, in pixels
const EDGE = 4; // degrees: a surface seen at less is taken for a jump

/**
 * Makes a cloud of a picture.
 *
 * Neighbouring pixels make triangles. A triangle between a thing and what is behind it lies almost along the ray, so
 * those that the camera sees at less than EDGE degrees are left out, and so is a pixel without any triangle.
 *
 * @param {Float32Array} depth [H, W] metres.
 * @param {Uint8ClampedArray} pixels RGBA [H, W, 4].
 * @param {number} most about how many points at most: of a larger picture every second (third, ...) pixel is taken.
 * @returns {{points: Float32Array, colours: Uint8Array, widths: Float32Array, pitch: number}} points [N, 3], x right, y
 *   down, z forward in metres; red, green, blue [N, 3]; `pitch` is a pixel's width at 1 metre, and `widths` [N] is how
 *   many pixels wide a point must be to touch its neighbours.
 */
export function makeCloud(depth, pixels, [height, width], camera, most) {
  const step = Math.max(1, Math.ceil(Math.sqrt((height * width) / most)));
  const start = (step - 1) >> 1;
  const rows = Math.ceil((height - start) / step);
  const columns = Math.ceil((width - start) / step);
  const grid = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) grid[i * columns + j] = depth[(start + i * step) * width + start + j * step];
  }
  const coarse = {
    fx: camera.fx / step,
    fy: camera.fy / step,
    cx: (camera.cx - start) / step,
    cy: (camera.cy - start) / step,
  };
  const used = pixelsOfSurface(grid, rows, columns, coarse);
  const count = used.reduce((sum, value) => sum + value, 0);
  const points = new Float32Array(count * 3);
  const colours = new Uint8Array(count * 3);
  const widths = new Float32Array(count);
  const pitch = 1 / coarse.fx;
  let to = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      if (!used[i * columns + j]) continue;
      const z = grid[i * columns + j];
      points[to] = (z * (j - coarse.cx)) / coarse.fx;
      points[to + 1] = (z * (i - coarse.cy)) / coarse.fy;
      points[to + 2] = z;
      const beside = grid[i * columns + Math.min(j + 1, columns - 1)];
      const below = grid[Math.min(i + 1, rows - 1) * columns + j];
      widths[to / 3] = widthOf(Math.max(Math.abs(beside - z), Math.abs(below - z)) / (z * pitch));
      const from = ((start + i * step) * width + start + j * step) * 4;
      for (let k = 0; k < 3; k++) colours[to + k] = pixels[from + k];
      to += 3;
    }
  }
  return { points, colours, widths, pitch };
}

/** Width in pixels of a point whose neighbour is so many pixels' widths nearer or farther; beside a jump it is 1. */
function widthOf(slope) {
  return slope > 1 / Math.tan((EDGE * Math.PI) / 180) ? 1 : Math.min(Math.hypot(1, slope), WIDEST);
}

/** 1 for each pixel of a [rows, columns] map that is a corner of a triangle which is no jump. */
function pixelsOfSurface(depth, rows, columns, { fx, fy, cx, cy }) {
  const used = new Uint8Array(depth.length);
  const sine = Math.sin((EDGE * Math.PI) / 180);
  /** Whether the triangle with its right angle at (i, j), towards (i, j + right) and (i + down, j), is no jump. */
  const isKept = (i, j, right, down) => {
    const here = 1 / depth[i * columns + j];
    const beside = 1 / depth[i * columns + j + right];
    const below = 1 / depth[(i + down) * columns + j];
    // The plane a X + b Y + c Z = 1; its distance over the ray's length is the angle's sine.
    const a = fx * (beside - here) * right;
    const b = fy * (below - here) * down;
    const x = (j - cx) / fx;
    const y = (i - cy) / fy;
    const c = here - a * x - b * y;
    const farthest = Math.min(here, beside, below);
    return farthest * farthest >= sine * sine * (a * a + b * b + c * c) * (1 + x * x + y * y);
  };
  for (let i = 0; i + 1 < rows; i++) {
    for (let j = 0; j + 1 < columns; j++) {
      const at = i * columns + j;
      const upper = isKept(i, j, 1, 1);
      const lower = isKept(i + 1, j + 1, -1, -1);
      if (upper) used[at] = 1;
      if (lower) used[at + columns + 1] = 1;
      if (upper || lower) used[at + 1] = used[at + columns] = 1;
    }
  }
  return used;
}
