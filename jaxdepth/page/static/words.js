/** Sentences of the page that depend on numbers. */

import { horizontalView } from "./framing.js";

const OUTDOORS = "This looks like outdoors or a very large hall;";

/** Words for which focal length is used. */
export function focalText({ camera, origin, picture, network }) {
  if (!camera) return "";
  const view = `field of view ${horizontalView(camera, picture.size).toFixed(0)}°`;
  const training = network.description.training_camera ?? "the camera of the network's training";
  const film = `${picture.focal35} mm on 35 mm film`;
  return {
    set: `As you set it: ${view}.`,
    exif: `The photo's file gives its focal length: ${film} (${view}).`,
    training: `The picture gives no focal length, so ${training} is assumed (${view}).`,
    "training, not exif":
      `The photo's file gives a focal length of ${film}, which cannot be, so ${training} is assumed (${view}).`,
  }[origin];
}

/** A note where a picture is probably of a kind that the network does not know, or an empty text. */
export function kindNote(depth, most) {
  let far = 0;
  let clipped = 0;
  for (const metres of depth) {
    if (metres > 0.7 * most) far++;
    if (metres >= most) clipped++;
  }
  const isOutside = clipped > depth.length / 2 || far > depth.length / 2;
  return isOutside ? `${OUTDOORS} the network knows rooms up to ${most} m.` : "";
}

/** What network this is. */
export function aboutText({ network, trained_on: trained, depth_range: range }) {
  return [
    `Depth comes from the network “${network}” of the open-source project jaxdepth.`,
    trained ? `It was trained on ${trained}.` : "",
    `It knows rooms, and says at most ${range[1]} m.`,
    "It runs in this page, on your device.",
  ]
    .filter(Boolean)
    .join(" ");
}

/** The label of an output. */
export function outputLabel(name) {
  if (name === "fusion") return "Final";
  return name.replace(/^scale/, "Scale ");
}
