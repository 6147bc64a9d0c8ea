// Sliders for the latent dimensions of one image, those along which it changes most first.

import { element } from "./dom.js";

/** Sliders at first, and how many more at a time. */
const FIRST = 8;

export class Sliders {
  #place;
  #note;
  #more;
  #reset;
  #onMove;
  #shown = FIRST;
  #subject = null;

  /** `onMove` is told a dimension and its value, `onReset` nothing. */
  constructor({ place, note, more, reset, onMove, onReset }) {
    this.#place = place;
    this.#note = note;
    this.#more = more;
    this.#reset = reset;
    this.#onMove = onMove;
    reset.addEventListener("click", () => {
      onReset();
      this.#build();
    });
    more.addEventListener("click", () => {
      const before = this.#shown;
      this.#shown += FIRST;
      this.#build();
      this.#place.querySelectorAll("input")[before]?.focus();
    });
  }

  /** Until `show` has the next image's. */
  wait() {
    this.#place.setAttribute("aria-busy", "true");
  }

  /** What keeps them from being shown. */
  fail(sentence) {
    this.#place.setAttribute("aria-busy", "false");
    this.#note.textContent = sentence;
  }

  /**
   * Sliders of an image: its class's name (null without one), its latents, its dimensions in the order of how
   * much they change it, and a function that says what is moved by now, dimension → value.
   */
  show({ model, name, position, latents, dimensions, moves, redrawn }) {
    this.#subject = { model, latents, dimensions, moves };
    const what = name === null ? "the image" : `image ${position + 1}, “${name}”`;
    this.#note.textContent =
      `Latent dimensions of ${what}; those that change it most come first.${
        redrawn ? " It was drawn anew to verify it; the sliders start from the first attempt." : ""}`;
    this.#build();
  }

  #build() {
    const { model, latents, dimensions } = this.#subject;
    const moves = this.#subject.moves();
    const shown = dimensions.slice(0, this.#shown);
    const rows = [...this.#place.children];
    rows.slice(shown.length).forEach((row) => row.remove());
    shown.forEach(({ dimension, change }, i) => {
      const row = rows[i] ?? this.#row();
      const [label, slider, output] = row.children;
      label.textContent = `z ${dimension}`;
      label.title = `Dimension ${dimension}: from end to end, pixels change by ${change.toFixed(0)} of 255 levels`;
      slider.min = String(-model.latent_reach);
      slider.max = String(model.latent_reach);
      slider.setAttribute("aria-label", `Latent dimension ${dimension}`);
      slider.dataset.dimension = String(dimension);
      // Where it stands unmoved, which the style sheet marks.
      const start = (latents[dimension] + model.latent_reach) / (2 * model.latent_reach);
      slider.style.setProperty("--start", String(Math.min(1, Math.max(0, start))));
      slider.value = String(moves?.get(dimension) ?? latents[dimension]);
      output.textContent = Number(slider.value).toFixed(2);
      row.classList.toggle("moved", moves?.has(dimension) ?? false);
    });
    this.#reset.disabled = !moves?.size;
    this.#more.hidden = this.#shown >= dimensions.length;
    this.#place.setAttribute("aria-busy", "false");
  }

  #row() {
    const id = `slider-${this.#place.children.length}`;
    const slider = element("input", { type: "range", id, step: "0.01" });
    const row = element(
      "div",
      { className: "slider" },
      element("label", { htmlFor: id }),
      slider,
      element("output", { htmlFor: id }),
    );
    slider.addEventListener("input", () => {
      row.lastChild.textContent = Number(slider.value).toFixed(2);
      row.classList.add("moved");
      this.#reset.disabled = false;
      this.#onMove(Number(slider.dataset.dimension), Number(slider.value));
    });
    this.#place.append(row);
    return row;
  }
}
