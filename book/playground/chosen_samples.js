// The samples whose gradients the reader wants to see, and the cursor that a keyboard moves.
import { angleBetween, directionOf } from "./head.js";

const MOST_CHOSEN = 10;

export class ChosenSamples {
  /** `list` is the element that has a line for each chosen sample. */
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    [this.rows, this.cursor] = [[], -1];
  }

  /** Choose a sample, or no longer; past ten, the first chosen goes. */
  toggle(i) {
    this.rows = this.rows.includes(i) ? this.rows.filter((row) => row !== i)
      : [...this.rows, i].slice(-MOST_CHOSEN);
  }

  /** Choose the first sample of each class. */
  chooseOneOfEach(labels) {
    this.rows = Array.from({ length: MOST_CHOSEN }, (_, label) => labels.indexOf(label));
  }

  /** Move the cursor to the next sample around the circle, counterclockwise (1) or clockwise
   * (−1). */
  walk(embeddings, step) {
    const ordered = Array.from({ length: embeddings.length / 2 }, (_, i) => i);
    ordered.sort((a, b) => directionOf(embeddings, a) - directionOf(embeddings, b));
    const next = ordered.indexOf(this.cursor) + step + ordered.length;
    this.cursor = ordered[next % ordered.length];
  }

  /** A line for each chosen digit: its image, class, angle to its class vector, and gradient, the
   * last two for each side. */
  show({ images, labels }, sides) {
    while (this.list.children.length > this.rows.length) this.list.lastChild.remove();
    this.rows.forEach((i, row) => {
      const item = this.list.children[row] ?? this.list.appendChild(document.createElement("li"));
      const pixels = images.subarray(64 * i, 64 * i + 64), label = labels[i];
      if (item.pixels?.byteOffset !== pixels.byteOffset || item.pixels.buffer !== pixels.buffer) {
        item.pixels = pixels;
        item.replaceChildren(makeThumbnail(pixels), document.createElement("span"));
      }
      const texts = sides.map(({ name, scene: { embeddings, weight, pulls } }) => {
        const theta = angleBetween(embeddings, i, weight, label).toFixed(0);
        const gradient = Number(Math.hypot(...pulls.get(i)).toPrecision(2));
        return `${sides.length > 1 ? `${name} ` : ""}θ ${theta}°, gradient ${gradient}`;
      });
      item.lastChild.textContent = `${label}: ${texts.join("; ")}`;
    });
  }
}

/** An image of 8×8 pixels, dark on white; its class is written beside it. */
function makeThumbnail(pixels) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
  const image = new ImageData(8, 8);
  pixels.forEach((value, k) => {
    const grey = 255 * (1 - value);
    image.data.set([grey, grey, grey, 255], 4 * k);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
