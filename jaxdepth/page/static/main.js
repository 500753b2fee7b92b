/** The page: takes pictures, runs the network, and shows what it says. */

import { LiveCamera, nextFrame } from "./camera.js";
import { DepthView } from "./depth_view.js";
import { takeFiles } from "./drop.js";
import { PlainError } from "./errors.js";
import { npyFile, plyFile, pngFile, saveFile } from "./files.js";
import { cameraOfView, findCamera, framingOf, horizontalView, networkInput, pictureDepth } from "./framing.js";
import { loadNetwork } from "./network.js";
import { readPicture } from "./picture.js";
import { makeCloud } from "./surface.js";
import { aboutText, focalText, kindNote, outputLabel } from "./words.js";

const MOST_SAVED = 1 << 20; // points of a saved cloud

const element = (id) => document.getElementById(id);

const page = {
  network: null,
  framing: null,
  picture: null, // as readPicture gives it
  outputs: null, // Float32Array [outputs, h, w] of the picture
  output: null, // the chosen output's name
  view: null, // degrees that the user has set
  depth: null, // Float32Array [H, W] metres
  camera: null,
  origin: null, // of the camera
  request: 0, // the newest of what the user has asked for
  turn: 0, // of the newest picture; the network's answer to an older one is dropped
  seconds: 0, // that the network took
};

const live = new LiveCamera();
const depthView = new DepthView(() => focalText(page));
let cloudView = null; // loaded with the first cloud

function setState(state) {
  document.body.dataset.state = state;
}

function say(text, isProblem = false) {
  element("status").textContent = text;
  element("status").classList.toggle("problem", isProblem);
}

/** Says what went wrong; what is shown stays as it was. */
function sayProblem(error) {
  if (document.body.dataset.state !== "loading") setState("failed");
  if (!(error instanceof PlainError)) console.error(error);
  say(error instanceof PlainError ? error.message : `Something went wrong: ${error.message}`, true);
}

// The network

async function startNetwork(fresh) {
  setState("loading");
  element("retry").hidden = true;
  showLoading(true);
  say("Loading the network …");
  try {
    page.network = await loadNetwork(showProgress, fresh);
  } catch (error) {
    setState("failed");
    sayProblem(error);
    element("retry").hidden = typeof WebAssembly !== "object";
    return;
  } finally {
    showLoading(false);
  }
  page.framing = framingOf(page.network.description);
  element("about").textContent = aboutText(page.network.description);
  makeOutputs(page.network.description.outputs);
  setState("ready");
  if (live.isOn) return;
  say("Ready. Choose a photo.");
  if (page.picture) await runPhoto(page.turn);
}

function showLoading(isOn) {
  element("progress").hidden = element("progress-text").hidden = !isOn;
  element("progress").removeAttribute("value");
  element("progress-text").textContent = "";
}

function showProgress(bytes, total) {
  const megabytes = (value) => (value / 1e6).toFixed(1);
  const bar = element("progress");
  if (total) {
    bar.max = total;
    bar.value = bytes;
  }
  element("progress-text").textContent = `${megabytes(bytes)}${total ? ` of ${megabytes(total)}` : ""} MB`;
}

function makeOutputs(names) {
  page.output ??= names[0];
  const choices = names.map((name) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "output", value: name, checked: name === page.output });
    input.addEventListener("change", () => {
      page.output = name;
      showOutput({ keepView: true });
    });
    label.append(input, outputLabel(name));
    return label;
  });
  element("outputs").querySelector(".segments").replaceChildren(...choices);
}

// Photos

async function openPhoto(file, name = file.name) {
  const request = ++page.request;
  let picture;
  try {
    picture = await readPicture(file, name);
  } catch (error) {
    if (request === page.request) sayProblem(error);
    return;
  }
  if (request !== page.request) return;
  const turn = ++page.turn;
  stopCamera();
  Object.assign(page, { picture, outputs: null, depth: null });
  element("result").hidden = false;
  depthView.showPicture(page.picture);
  if (page.network) {
    await runPhoto(turn);
  } else if (document.body.dataset.state === "failed") {
    say("The network is not there, so there is no depth. Try again.", true);
  }
}

/** Runs the network on the page's picture; gives up where a newer one has come. */
async function runPhoto(turn) {
  setState("working");
  say("Looking at the photo …");
  await nextFrame();
  if (turn !== page.turn) return;
  const start = performance.now();
  try {
    const outputs = await page.network.runPhoto(networkInput(page.picture, page.framing));
    if (turn !== page.turn) return;
    page.seconds = (performance.now() - start) / 1000;
    page.outputs = outputs;
    showOutput();
    setState("done");
  } catch (error) {
    if (turn !== page.turn) return;
    sayProblem(error);
  }
}

async function openExample(number) {
  const request = ++page.request;
  try {
    const response = await fetch(new URL(`./examples/${number}.jpg`, import.meta.url));
    if (!response.ok) throw new PlainError("This example is not on the server.");
    const file = await response.blob();
    if (request === page.request) await openPhoto(file, `example-${number}.jpg`);
  } catch (error) {
    sayProblem(error instanceof PlainError ? error : new PlainError("This example did not load.", { cause: error }));
  }
}

// What is shown

/** Makes depth of the chosen output and the camera, and shows it. */
function showOutput({ keepView = false } = {}) {
  if (!page.outputs) return;
  const { description, height, width } = page.network;
  const { size, focal35 } = page.picture;
  const channel = description.outputs.indexOf(page.output) * height * width;
  const crop = page.outputs.subarray(channel, channel + height * width);
  Object.assign(page, findCamera(size, page.framing, { view: page.view, focal35 }));
  page.depth = pictureDepth(crop, size, page.camera, page.framing);
  depthView.showDepth(page.depth, size, page.camera);
  element("focal").textContent = focalText(page);
  element("fov").placeholder = horizontalView(page.camera, size).toFixed(1);
  if (live.isOn) return;
  const note = kindNote(page.depth, page.framing.depthRange[1]);
  say(`Done in ${page.seconds.toFixed(2)} s. ${note || "Point anywhere to read its depth."}`);
  showCloud(keepView);
}

async function showCloud(keepView) {
  const { turn } = page;
  const message = element("cloud-message");
  try {
    const { CloudView, MOST_POINTS } = await import("./cloud.js");
    if (turn !== page.turn || !page.depth) return;
    cloudView ??= new CloudView(element("cloud"));
    const { size, pixels } = page.picture;
    const cloud = makeCloud(page.depth, pixels, size, page.camera, MOST_POINTS);
    cloudView.show(cloud, { camera: page.camera, size }, keepView);
    message.textContent = cloud.points.length ? "" : "There is no surface to show.";
  } catch (error) {
    console.error(error);
    message.textContent = "This browser shows no 3D here. The downloads work all the same.";
  }
}

/** Sets the horizontal field of view in degrees; NaN for none. */
function setView(degrees) {
  const size = page.picture?.size;
  if (!Number.isNaN(degrees) && !cameraOfView(degrees, size ?? [1, 1])) {
    say("Choose a field of view between 3 and 150 degrees, also from top to bottom.", true);
    return;
  }
  page.view = degrees || null;
  element("fov-clear").hidden = !degrees;
  showOutput();
}

// The camera

async function startCamera() {
  if (live.isOn || live.isStarting) return;
  const request = ++page.request;
  try {
    if (!(await live.start(() => request === page.request))) return;
  } catch (error) {
    if (request === page.request) sayProblem(error);
    return;
  }
  const turn = ++page.turn;
  showCameraButtons(true);
  Object.assign(page, { picture: null, outputs: null, depth: null, camera: null });
  element("result").hidden = false;
  depthView.forget();
  cloudView?.clear();
  element("cloud-message").textContent = "The cloud comes when you stop the camera.";
  say("The camera is on. Stop it to see the cloud.");
  try {
    if (!(await live.run((picture) => showLive(picture, turn), showRate))) return;
    await keepLastPicture();
    if (page.turn === turn + 1) say("The camera has stopped.", true);
  } catch (error) {
    if (turn === page.turn) sayProblem(error);
    stopCamera();
  }
}

function showRate(perSecond) {
  if (page.network) element("fps").textContent = `${perSecond.toFixed(1)} frames per second`;
}

async function showLive(picture, turn) {
  if (!page.network || turn !== page.turn) return;
  if (document.body.dataset.state !== "working") setState("working");
  const outputs = await page.network.runOnce(networkInput(picture, page.framing));
  if (turn !== page.turn) return;
  Object.assign(page, { picture, outputs });
  depthView.showPictureLive(picture);
  showOutput();
}

function stopCamera() {
  if (!live.isOn) return;
  live.stop();
  showCameraButtons(false);
}

/** Stops the camera, and looks at its last picture as at a photo. */
async function keepLastPicture() {
  stopCamera();
  const turn = ++page.turn;
  if (page.outputs) {
    await runPhoto(turn);
  } else {
    element("result").hidden = true;
    say("The camera is off.");
  }
}

function showCameraButtons(isOn) {
  element("camera-start").hidden = isOn;
  element("camera-stop").hidden = !isOn;
  element("fps").hidden = !isOn;
  element("fps").textContent = "";
  element(isOn ? "camera-stop" : "camera-start").focus();
}

// Downloads

const DOWNLOADS = {
  npy: () => npyFile(page.depth, page.picture.size),
  png: () => pngFile(page.depth, page.picture.size),
  ply: () => plyFile(savedCloud()),
  glb: async () => (await import("./cloud.js")).glbFile(savedCloud()),
};

function savedCloud() {
  return makeCloud(page.depth, page.picture.pixels, page.picture.size, page.camera, MOST_SAVED);
}

async function download(kind) {
  if (!page.depth) return;
  const stem = page.picture.name.replace(/\.[^.]*$/, "") || "depth";
  try {
    saveFile(await DOWNLOADS[kind](), `${stem}.${kind}`);
  } catch (error) {
    sayProblem(error);
  }
}

// Listeners

function listen() {
  const on = (id, type, action) => element(id).addEventListener(type, action);
  on("file", "change", ({ target }) => {
    if (target.files[0]) openPhoto(target.files[0]);
    target.value = ""; // the same file may be chosen again
  });
  on("retry", "click", () => startNetwork(true));
  on("camera-start", "click", startCamera);
  on("camera-stop", "click", keepLastPicture);
  on("fov", "change", ({ target }) => setView(target.valueAsNumber));
  on("fov", "keydown", ({ key, target }) => {
    if (/^Arrow(Up|Down)$/.test(key) && !target.value) target.value = Math.round(Number(target.placeholder)) || "";
  });
  on("fov-clear", "click", () => {
    element("fov").value = "";
    setView(NaN);
    element("fov").focus();
  });
  on("cloud-reset", "click", () => cloudView?.reset());
  for (const kind of Object.keys(DOWNLOADS)) on(`download-${kind}`, "click", () => download(kind));
  for (const button of element("examples").children) {
    button.addEventListener("click", () => openExample(button.dataset.example));
    button.querySelector("img").addEventListener("error", () => (button.hidden = true));
  }
  takeFiles(element("drop"), openPhoto, () => say("That is not a file. Drop a photo that is on this device.", true));
}

/** For tests and curious people: metres, sizes [height, width], and pixels of the picture as it is worked with. */
window.jaxdepth = {
  depthAt: (row, column) => (page.depth ? page.depth[row * page.picture.size[1] + column] : null),
  size: () => page.picture?.size ?? null,
  intrinsics: () => page.camera,
  get output() {
    return page.output;
  },
};

listen();
startNetwork(false);
