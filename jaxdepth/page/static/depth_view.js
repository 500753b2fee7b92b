/**
 * The picture and its depth beside each other: colours, legend, the depth under the pointer, and the ruler.
 *
 * A place is {row, column} in pixels of the depth map.
 */

import { depthRange, legendTicks, paintDepth, paintLegend } from "./colours.js";

const element = (id) => document.getElementById(id);

/** Text for a number of metres. */
export function metresText(metres) {
  return `${metres.toFixed(2)} m`;
}

export class DepthView {
  /** @param {() => string} focalText words for the focal length that distances are based on. */
  constructor(focalText) {
    this.focalText = focalText;
    this.picture = element("picture");
    this.canvas = element("depth");
    this.reading = element("reading");
    this.ruler = element("ruler");
    this.depth = null;
    this.cursor = null;
    this.points = [];
    paintLegend(element("legend-bar"));
    for (const canvas of [this.picture, this.canvas]) this.listenToPointer(canvas);
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    element("ruler-clear").addEventListener("click", () => this.clearRuler());
  }

  /** Shows a picture, without depth as yet. */
  showPicture(picture) {
    this.showPictureLive(picture);
    this.forget();
    [this.canvas.height, this.canvas.width] = picture.size;
  }

  /** Shows a picture; the marks stay. */
  showPictureLive({ size, pixels }) {
    if (this.picture.width !== size[1] || this.picture.height !== size[0]) {
      [this.picture.height, this.picture.width] = size;
      for (const frame of document.querySelectorAll(".frame")) {
        frame.style.maxWidth = `calc(80vh * ${size[1] / size[0]})`; // a tall picture fits the window
      }
    }
    this.picture.getContext("2d").putImageData(new ImageData(pixels, size[1], size[0]), 0, 0);
  }

  /** Forgets depth, crosshair and ruler. */
  forget() {
    this.depth = null;
    this.cursor = null;
    this.points = [];
    this.mark();
  }

  /** Shows depth [H, W] in metres; the crosshair and the ruler stay where they are and are read anew. */
  showDepth(depth, size, camera) {
    if (this.canvas.width !== size[1] || this.canvas.height !== size[0]) {
      [this.canvas.height, this.canvas.width] = size;
      this.image = null;
    }
    Object.assign(this, { depth, size, camera });
    const context = this.canvas.getContext("2d");
    if (this.image?.width !== size[1] || this.image?.height !== size[0]) {
      this.image = context.createImageData(size[1], size[0]);
    }
    const range = depthRange(depth);
    paintDepth(depth, this.image, range);
    context.putImageData(this.image, 0, 0);
    this.showLegend(range);
    this.mark();
  }

  showLegend(range) {
    const marks = legendTicks(range).map(({ text, share }) => {
      const mark = document.createElement("span");
      mark.textContent = text;
      mark.style.left = `${(share * 100).toFixed(2)}%`;
      return mark;
    });
    element("legend-ticks").replaceChildren(...marks);
  }

  depthAt({ row, column }) {
    return this.depth[row * this.size[1] + column];
  }

  listenToPointer(canvas) {
    const move = (event) => {
      if (!this.depth) return;
      this.cursor = this.placeOf(event, canvas);
      this.mark();
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerdown", move);
    canvas.addEventListener("click", (event) => {
      if (this.depth) this.addPoint(this.placeOf(event, canvas));
    });
  }

  placeOf(event, canvas) {
    const box = canvas.getBoundingClientRect();
    const within = (share, n) => Math.min(Math.max(Math.floor(share * n), 0), n - 1);
    return {
      row: within((event.clientY - box.top) / box.height, this.size[0]),
      column: within((event.clientX - box.left) / box.width, this.size[1]),
    };
  }

  onKey(event) {
    if (!this.depth) return;
    const [height, width] = this.size;
    const step = Math.max(1, Math.round((event.shiftKey ? 0.1 : 0.01) * Math.max(height, width)));
    const moves = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
    const at = this.cursor ?? { row: height >> 1, column: width >> 1 };
    if (event.key in moves) {
      const [down, right] = moves[event.key];
      this.cursor = {
        row: Math.min(Math.max(at.row + down, 0), height - 1),
        column: Math.min(Math.max(at.column + right, 0), width - 1),
      };
      this.mark();
    } else if (event.key === "Enter" || event.key === " ") {
      this.cursor = at;
      this.addPoint(at);
    } else if (event.key === "Escape") {
      this.clearRuler();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Sets the ruler's next point; a third one begins anew. */
  addPoint(place) {
    this.points = this.points.length === 2 ? [place] : [...this.points, place];
    this.mark();
  }

  clearRuler() {
    this.points = [];
    this.mark();
  }

  /** Draws the marks over both canvases, and writes what they read. */
  mark() {
    for (const overlay of document.querySelectorAll(".marks")) this.markOverlay(overlay);
    const { cursor, depth } = this;
    this.reading.textContent = cursor && depth ? metresText(this.depthAt(cursor)) : "–";
    this.ruler.textContent = this.rulerText();
    element("ruler-clear").hidden = !(depth && this.points.length);
  }

  markOverlay(overlay) {
    const share = ({ row, column }) => [
      ((column + 0.5) / this.size[1]) * 100,
      ((row + 0.5) / this.size[0]) * 100,
    ];
    const put = (mark, place) => {
      mark.hidden = !(place && this.depth);
      if (mark.hidden) return;
      const [x, y] = share(place);
      mark.style.left = `${x}%`;
      mark.style.top = `${y}%`;
    };
    const [crosshair, first, second] = overlay.querySelectorAll("span");
    put(crosshair, this.cursor);
    put(first, this.points[0]);
    put(second, this.points[1]);
    const line = overlay.querySelector("svg");
    line.classList.toggle("shown", Boolean(this.depth) && this.points.length === 2);
    if (this.depth && this.points.length === 2) {
      const [[x1, y1], [x2, y2]] = this.points.map(share);
      for (const each of line.children) {
        for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) each.setAttribute(name, value);
      }
    }
  }

  rulerText() {
    if (!this.depth || !this.points.length) return "Choose two points to measure between them.";
    const depths = this.points.map((place) => metresText(this.depthAt(place)));
    if (depths.length === 1) return `First point at a depth of ${depths[0]}. Choose a second point.`;
    const [a, b] = this.points.map((place) => this.pointAt(place));
    const distance = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    const places = `The points are at depths of ${depths[0]} and ${depths[1]}.`;
    return `${metresText(distance)} apart. ${places} ${this.focalText()}`;
  }

  /** The point [x right, y down, z forward] in metres that a pixel shows. */
  pointAt(place) {
    const z = this.depthAt(place);
    const { fx, fy, cx, cy } = this.camera;
    return [(z * (place.column - cx)) / fx, (z * (place.row - cy)) / fy, z];
  }
}
