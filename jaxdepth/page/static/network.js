/** Loads the network and LiteRT, and runs pictures through them. */

import { PlainError } from "./errors.js";
import { loadLiteRt, Tensor } from "./vendor/litert/index.js";

const FOLDER = new URL("./network/", import.meta.url);
const WASM = new URL("./vendor/litert/wasm/", import.meta.url);
const MARK = "TFL3"; // bytes 4 to 8 of a network file

let runtime = null; // loaded once

function loadRuntime() {
  self.Module = { print: console.debug, printErr: console.debug }; // LiteRT tells much, also where all is well
  runtime ??= loadLiteRt(WASM.href).catch((error) => {
    runtime = null;
    throw new PlainError("The program that runs the network did not load. Check the connection and try again.", {
      cause: error,
    });
  });
  return runtime;
}

async function fetched(name, fresh) {
  let response;
  try {
    response = await fetch(new URL(name, FOLDER), { cache: fresh ? "reload" : "default" });
  } catch (error) {
    throw new PlainError("The network did not load. Check the connection and try again.", { cause: error });
  }
  if (!response.ok) {
    const reason = response.status === 404 ? "is not on the server" : `did not load (error ${response.status})`;
    throw new PlainError(`The network's file “${name}” ${reason}.`);
  }
  return response;
}

async function fetchDescription(fresh) {
  const response = await fetched("network.json", fresh);
  const damaged = new PlainError("The network's description is damaged.");
  const description = await response.json().catch(() => {
    throw damaged;
  });
  const needed = ["input", "outputs", "depth_range", "frame_size", "crop_size", "camera"];
  if (needed.some((name) => !(name in description))) throw damaged;
  return description;
}

/** Reads a response as it comes; `onProgress(bytes, total)` has a total of 0 where it is not known. */
async function readBytes(response, onProgress) {
  const total = response.headers.get("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let length = 0;
  const reader = response.body.getReader();
  onProgress(0, total);
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    length += part.value.length;
    onProgress(length, total);
  }
  if (total && length !== total) throw new PlainError("The network's file came only in part. Try again.");
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

async function fetchNetwork(fresh, onProgress) {
  const response = await fetched("network.tflite", fresh);
  let bytes;
  try {
    bytes = await readBytes(response, onProgress);
  } catch (error) {
    if (error instanceof PlainError) throw error;
    throw new PlainError("The network's file came only in part. Try again.", { cause: error });
  }
  if (String.fromCharCode(...bytes.subarray(4, 8)) !== MARK) {
    throw new PlainError("The network's file is damaged: it is not a network.");
  }
  return bytes;
}

/**
 * Loads everything that is needed to run.
 *
 * @param {(bytes: number, total: number) => void} onProgress of the network's file.
 * @param {boolean} fresh whether to pass by what the browser has stored.
 * @returns {Promise<Network>}
 */
export async function loadNetwork(onProgress, fresh = false) {
  if (typeof WebAssembly !== "object") {
    throw new PlainError("This browser has no WebAssembly, which the network needs. A current browser has it.");
  }
  const [description, bytes, litert] = await Promise.all([
    fetchDescription(fresh),
    fetchNetwork(fresh, onProgress),
    loadRuntime(),
  ]);
  let model;
  try {
    model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
  } catch (error) {
    throw new PlainError("The network's file is damaged: it cannot be run.", { cause: error });
  }
  return new Network(description, model);
}

class Network {
  /** The description is network.json, the model what LiteRT has made of network.tflite. */
  constructor(description, model) {
    this.description = description;
    this.model = model;
    [, this.height, this.width] = description.input.shape;
  }

  /**
   * Runs one input.
   *
   * @param {Float32Array} input [h, w, 3] in [0, 1].
   * @returns {Promise<Float32Array>} [outputs, h, w], metres of the training's camera.
   */
  async runOnce(input) {
    const tensor = new Tensor(this.scaled(input), this.description.input.shape);
    const results = await this.model.run(tensor);
    tensor.delete();
    const [result] = results;
    const values = Float32Array.from(await result.data());
    for (const each of results) each.delete();
    if (values.length !== this.description.outputs.length * this.height * this.width) {
      throw new PlainError("The network does not fit its description.");
    }
    return values;
  }

  /** Runs a photo: where the network asks for it, also mirrored, and takes the geometric mean of both. */
  async runPhoto(input) {
    const values = await this.runOnce(input);
    if (this.description.flip !== "outside") return values;
    const other = await this.runOnce(mirrored(input, this.width, 3));
    const back = mirrored(other, this.width, 1);
    for (let i = 0; i < values.length; i++) values[i] = Math.sqrt(values[i] * back[i]);
    return values;
  }

  /** Brings [0, 1] to the range that the network takes. */
  scaled(input) {
    const [low, high] = this.description.input.range ?? [0, 1];
    return low === 0 && high === 1 ? input : input.map((value) => low + value * (high - low));
  }
}

/** Mirrors each row of `width` places with `channels` values. */
function mirrored(values, width, channels) {
  const result = new Float32Array(values.length);
  const line = width * channels;
  for (let start = 0; start < values.length; start += line) {
    for (let column = 0; column < width; column++) {
      const from = start + (width - 1 - column) * channels;
      for (let c = 0; c < channels; c++) result[start + column * channels + c] = values[from + c];
    }
  }
  return result;
}
