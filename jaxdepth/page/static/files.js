/** Files of depth and cloud, as Blobs. Sizes are [height, width]; all metres. */

/** NumPy's format: float32 [H, W]. */
export function npyFile(depth, [height, width]) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${height}, ${width}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10; // the values begin at a multiple of 64
  const start = new Uint8Array(10);
  start.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]); // version 1.0
  new DataView(start.buffer).setUint16(8, length, true);
  return new Blob([start, `${text.padEnd(length - 1)}\n`, depth], { type: "application/octet-stream" });
}

/** A grey PNG of 16 bits: millimetres, 0 where there is no depth. */
export async function pngFile(depth, [height, width]) {
  const line = 1 + 2 * width;
  const raw = new Uint8Array(height * line);
  for (let row = 0; row < height; row++) {
    const at = row * line;
    raw[at] = 1; // each byte less the one of the pixel before
    let high = 0;
    let low = 0;
    for (let column = 0; column < width; column++) {
      const value = millimetres(depth[row * width + column]);
      raw[at + 1 + 2 * column] = (value >> 8) - high;
      raw[at + 2 + 2 * column] = (value & 255) - low;
      high = value >> 8;
      low = value & 255;
    }
  }
  const packed = new Blob([raw]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 16); // bits; then grey
  const parts = [
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk("IHDR", new Uint8Array(head.buffer)),
    pngChunk("IDAT", data),
    pngChunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

function millimetres(metres) {
  return metres > 0 && metres < Infinity ? Math.min(Math.round(metres * 1000), 65535) : 0;
}

function pngChunk(name, data) {
  const chunk = new Uint8Array(12 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) chunk[4 + i] = name.charCodeAt(i);
  chunk.set(data, 8);
  view.setUint32(8 + data.length, checksum(chunk.subarray(4, 8 + data.length)));
  return chunk;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let k = 0; k < 8; k++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function checksum(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * A binary PLY of coloured points.
 *
 * @param {{points: Float32Array, colours: Uint8Array}} cloud [N, 3] each: x right, y down, z forward; red, green, blue.
 */
export function plyFile({ points, colours }) {
  const count = points.length / 3;
  const header = [
    "ply",
    "format binary_little_endian 1.0",
    "comment metres in the camera's frame: x right, y down, z forward",
    `element vertex ${count}`,
    ...["x", "y", "z"].map((name) => `property float ${name}`),
    ...["red", "green", "blue"].map((name) => `property uchar ${name}`),
    "end_header\n",
  ].join("\n");
  const data = new DataView(new ArrayBuffer(count * 15));
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 3; k++) {
      data.setFloat32(i * 15 + 4 * k, points[3 * i + k], true);
      data.setUint8(i * 15 + 12 + k, colours[3 * i + k]);
    }
  }
  return new Blob([header, data], { type: "application/octet-stream" });
}

/** Hands a Blob to the user as a download. */
export function saveFile(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
