/** The point cloud in three.js: turned and zoomed by mouse, finger and keyboard. */

import * as THREE from "three";

import { OrbitControls } from "./vendor/three/OrbitControls.js";

const MOST_POINTS = 400_000; // shown
const KEY_ANGLE = Math.PI / 36;
const KEY_ZOOM = 1.15;
const OVERLAP = 1.4; // of neighbouring points

export class CloudView {
  /** @param {HTMLElement} box whose first canvas it draws on. */
  constructor(box) {
    this.box = box;
    this.canvas = box.querySelector("canvas");
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: false, alpha: true });
    this.renderer.outputColorSpace = THREE.LinearSRGBColorSpace; // the picture's colours as they are
    this.scene = new THREE.Scene();
    this.lens = new THREE.PerspectiveCamera(50, 1, 0.01, 200);
    this.material = pointMaterial();
    this.points = new THREE.Points(new THREE.BufferGeometry(), this.material);
    this.points.rotation.x = Math.PI; // y up, towards the viewer
    this.points.frustumCulled = false;
    this.scene.add(this.points);
    this.controls = new OrbitControls(this.lens, this.canvas);
    this.controls.enableZoom = false; // the wheel scrolls the page until the cloud is chosen
    this.controls.addEventListener("change", () => this.askForFrame());
    this.canvas.addEventListener("pointerdown", () => this.canvas.focus({ preventScroll: true }), { capture: true });
    this.canvas.addEventListener("focus", () => (this.controls.enableZoom = true));
    this.canvas.addEventListener("blur", () => (this.controls.enableZoom = false));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.fit()).observe(box);
  }

  /**
   * Shows a cloud.
   *
   * @param {object} cloud as makeCloud gives it.
   * @param {{camera: object, size: number[]}} taken camera and size of the picture, for the first view.
   * @param {boolean} keepView whether the view stays as it is.
   */
  show(cloud, taken, keepView) {
    this.points.geometry.dispose();
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.BufferAttribute(cloud.points, 3));
    geometry.setAttribute("color", new THREE.BufferAttribute(cloud.colours, 3, true));
    geometry.setAttribute("width", new THREE.BufferAttribute(cloud.widths, 1));
    this.points.geometry = geometry;
    this.pitch = cloud.pitch;
    this.taken = taken;
    this.middle = medianDepth(cloud.points);
    if (keepView) this.fit();
    else this.reset();
  }

  /** Takes the cloud away. */
  clear() {
    this.points.geometry.dispose();
    this.points.geometry = new THREE.BufferGeometry();
    this.askForFrame();
  }

  /** Looks from where the picture was taken, from a little behind and above. */
  reset() {
    this.fit();
    const back = 0.16 * this.middle;
    this.lens.position.set(0.6 * back, 0.7 * back, back);
    this.controls.target.set(0, 0, -this.middle);
    this.controls.update();
    this.askForFrame();
  }

  /** Fits the view to the box. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!width || !height || !this.taken) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    const { camera, size } = this.taken;
    const across = size[1] / 2 / camera.fx;
    const down = size[0] / 2 / camera.fy;
    const half = Math.min(Math.max(down, (across * height) / width), 2);
    this.lens.fov = (2 * Math.atan(half) * 180) / Math.PI;
    this.lens.aspect = width / height;
    this.lens.updateProjectionMatrix();
    this.material.size = (OVERLAP * this.pitch) / half;
    this.askForFrame();
  }

  askForFrame() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.renderer.render(this.scene, this.lens);
    });
  }

  onKey(event) {
    const turns = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const zooms = { "+": 1 / KEY_ZOOM, "=": 1 / KEY_ZOOM, "-": KEY_ZOOM };
    const offset = this.lens.position.clone().sub(this.controls.target);
    if (event.key in turns) {
      const at = new THREE.Spherical().setFromVector3(offset);
      at.theta += turns[event.key][0] * KEY_ANGLE;
      at.phi += turns[event.key][1] * KEY_ANGLE;
      offset.setFromSpherical(at.makeSafe());
    } else if (event.key in zooms && !event.ctrlKey && !event.metaKey) {
      offset.multiplyScalar(zooms[event.key]);
    } else if (event.key === "Home") {
      this.reset();
      event.preventDefault();
      return;
    } else {
      return;
    }
    event.preventDefault();
    this.lens.position.copy(this.controls.target).add(offset);
    this.controls.update();
    this.askForFrame();
  }
}

/** Points as large as what their pixel sees, so that the surface is closed from where the picture was taken. */
function pointMaterial() {
  const material = new THREE.PointsMaterial({ vertexColors: true, size: 0.01 });
  material.onBeforeCompile = (shader) => {
    const sized = shader.vertexShader.replace("gl_PointSize = size;", "gl_PointSize = size * width * position.z;");
    shader.vertexShader = `attribute float width;\n${sized}`;
  };
  return material;
}

function medianDepth(points) {
  const step = 3 * Math.max(1, Math.floor(points.length / 3 / 5000));
  const some = [];
  for (let i = 2; i < points.length; i += step) some.push(points[i]);
  return Float32Array.from(some).sort()[some.length >> 1] ?? 2;
}

/** How many points are shown at most. */
export { MOST_POINTS };

/**
 * A binary glTF of a cloud: y up, z towards the viewer.
 *
 * @returns {Promise<Blob>}
 */
export async function glbFile({ points, colours }) {
  const { GLTFExporter } = await import("./vendor/three/GLTFExporter.js");
  const count = points.length / 3;
  const upright = points.map((value, i) => (i % 3 === 0 ? value : -value));
  const linear = new Uint16Array(count * 4); // glTF's colours are linear; four of them keep the file aligned
  const levels = linearLevels();
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 3; k++) linear[4 * i + k] = levels[colours[3 * i + k]];
    linear[4 * i + 3] = 65535;
  }
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(upright, 3));
  geometry.setAttribute("color", new THREE.BufferAttribute(linear, 4, true));
  const cloud = new THREE.Points(geometry, new THREE.MeshBasicMaterial({ vertexColors: true }));
  cloud.name = "cloud";
  const data = await new GLTFExporter().parseAsync(cloud, { binary: true });
  geometry.dispose();
  return new Blob([data], { type: "model/gltf-binary" });
}

/** The linear 16-bit level of each of sRGB's 256. */
function linearLevels() {
  return Uint16Array.from({ length: 256 }, (_, level) => {
    const value = level / 255;
    return Math.round(65535 * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  });
}
