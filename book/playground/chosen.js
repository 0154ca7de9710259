// The samples that the reader has chosen to see the gradients of, and the cursor that a keyboard moves.

const MOST_CHOSEN = 10;

export class Chosen {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    [this.rows, this.cursor] = [[], -1];
  }

  /** Choose a sample, or no longer; past ten, the first chosen goes. */
  toggle(i) {
    this.rows = this.rows.includes(i) ? this.rows.filter((one) => one !== i) : [...this.rows, i].slice(-MOST_CHOSEN);
  }

  /** The first sample of each class. */
  oneOfEach(labels) {
    this.rows = Array.from({ length: MOST_CHOSEN }, (_, label) => labels.indexOf(label));
  }

  /** Move the cursor to the next sample around the circle, one way (1) or the other (−1). */
  walk(embeddings, way) {
    const around = Array.from({ length: embeddings.length / 2 }, (_, i) => i);
    around.sort((a, b) => angleOf(embeddings, a) - angleOf(embeddings, b));
    this.cursor = around[(around.indexOf(this.cursor) + way + around.length) % around.length];
  }

  /** One line for each chosen digit: its image, its class, its angle to the class vector, its gradient. */
  show({ images, labels }, { embeddings, weight, pulls }) {
    while (this.list.children.length > this.rows.length) this.list.lastChild.remove();
    this.rows.forEach((i, row) => {
      const item = this.list.children[row] ?? this.list.appendChild(document.createElement("li"));
      const pixels = images.subarray(64 * i, 64 * i + 64), label = labels[i];
      if (item.pixels?.byteOffset !== pixels.byteOffset || item.pixels.buffer !== pixels.buffer) {
        item.pixels = pixels;
        item.replaceChildren(thumbnail(pixels), document.createElement("span"));
      }
      const theta = Math.acos(Math.cos(angleOf(embeddings, i) - angleOf(weight, label))) * 180 / Math.PI;
      const gradient = Number(Math.hypot(...pulls.get(i)).toPrecision(2));
      item.lastChild.textContent = `${label}: θ ${theta.toFixed(0)}°, gradient ${gradient}`;
    });
  }
}

function angleOf(vectors, i) {
  return Math.atan2(vectors[2 * i + 1], vectors[2 * i]);
}

/** An image of 8×8 pixels, dark on white; its class is written beside it. */
function thumbnail(pixels) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 }), image = new ImageData(8, 8);
  pixels.forEach((v, k) => image.data.set([255 * (1 - v), 255 * (1 - v), 255 * (1 - v), 255], 4 * k));
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
