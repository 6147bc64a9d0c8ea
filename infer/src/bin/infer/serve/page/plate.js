// The images that are drawn, side by side. One of them is chosen: the one that the sliders reshape.

import { element, percent } from "./dom.js";
import { paint } from "./pixels.js";

/** What a judge reads, beside what was asked for. */
export function reading({ label, confidence, redrawn }, model, name) {
  if (label === null) return { text: "", words: "", isRight: null };
  const read = model.classes[label];
  const isRight = read === name;
  const sure = percent(confidence);
  return {
    isRight,
    text: isRight ? sure : `${read}? ${sure}`,
    words: `read as ${read} with confidence ${sure}${redrawn ? ", drawn anew" : ""}`,
  };
}

export class Plate {
  #group;
  #tiles = [];

  /** `onChoose` is told the position of the image that is chosen. */
  constructor(group, onChoose) {
    this.#group = group;
    group.addEventListener("change", ({ target }) => onChoose(Number(target.value)));
  }

  /** Shows images of classes; `moved` are the positions of those that were reshaped. */
  show(model, classes, images, moved, chosen) {
    while (this.#tiles.length > images.length) this.#tiles.pop().label.remove();
    while (this.#tiles.length < images.length) this.#add();
    images.forEach((image, i) => {
      const { label, radio, canvas, caption } = this.#tiles[i];
      paint(canvas, [image.pixels], model);
      const { text, words, isRight } = reading(image, model, classes[i]);
      caption.textContent = text;
      label.classList.toggle("wrong", isRight === false);
      label.classList.toggle("moved", moved.has(i));
      const name = classes[i] === null ? "" : `: ${classes[i]}`;
      const said = [words, moved.has(i) ? "reshaped" : ""].filter(Boolean).join(", ");
      radio.setAttribute("aria-label", `Image ${i + 1}${name}${said ? `, ${said}` : ""}`);
      radio.checked = i === chosen;
    });
    this.#group.dataset.count = String(Math.min(images.length, 9));
  }

  #add() {
    const radio = element("input", { type: "radio", name: "tile", value: String(this.#tiles.length) });
    radio.className = "unseen";
    const canvas = element("canvas", { ariaHidden: "true" });
    const caption = element("span", { className: "reading", ariaHidden: "true" });
    const label = element("label", { className: "tile" }, radio, canvas, caption);
    this.#group.append(label);
    this.#tiles.push({ label, radio, canvas, caption });
  }
}
