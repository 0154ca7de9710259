// One loss at work: its training, its two pictures and the words below them. A comparison has two
// sides, A and B.
import { part } from "../../lossbook/interactive/web/common.js";
import { Circle, Plane } from "./embedding_pictures.js";
import { Training } from "./training.js";
import { describeAngle, describeResult, titleOf } from "./words.js";

export class Side {
  /** `suffix` ends the names of the parts of the page that belong to this side. */
  constructor(app, name, suffix, data, look) {
    const own = (kind) => part(app, kind + suffix);
    this.pictures = [new Circle(own("circle"), data, look), new Plane(own("plane"), data, look)];
    Object.assign(this, { name, title: own("title"), words: own("words") });
  }

  begin(train, setting, annealing) {
    this.training = new Training(train, setting, annealing);
  }

  /** Evaluate both sets: sets `result`, and `scene`, what the pictures show of `shown`. */
  evaluate({ sample, held }, shown, { rows, cursor }) {
    const { training } = this, { step, failure, weight } = training, { labels } = shown;
    const onTrain = training.evaluate(sample), onHeld = training.evaluate(held);
    const { embeddings, winners } = shown === held ? onHeld : onTrain;
    this.scene = { embeddings, winners, labels, weight: weight.value, chosen: rows, cursor, failure,
                   pulls: training.pulls(embeddings, labels, rows) };
    this.result = { step, loss: step ? training.loss : null, train: onTrain.accuracy,
                    held: onHeld.accuracy, angle: onHeld.angle };
  }

  draw() {
    for (const picture of this.pictures) picture.draw(this.scene);
    const { result, training } = this, lambda = training.lambda.toFixed(2);
    this.title.textContent = `${this.name}: ${titleOf(training.setting)}`;
    this.words.textContent = `${capitalize(describeResult(result))}. ${describeAngle(result)}` +
                             (training.setting.anneal ? ` λ is ${lambda}.` : "");
  }
}

/** What the curves take of the sides' results. */
export function rowOf(sides) {
  return Object.fromEntries(sides.flatMap(({ name, result }) =>
    ["loss", "train", "held"].map((key) => [key + name, result[key]])));
}

function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1);
}
