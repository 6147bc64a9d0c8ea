// Downloads of a data set: as links where a server draws it, so that the browser writes it to disk while it comes,
// and as buttons where it is drawn here.

import { duration, element, percent, save } from "./dom.js";

/** What infer serve draws at most; more are the command line's. */
const MOST = 100_000;

export class Dataset {
  #backend;
  #parts;
  #subject = null;
  /** Ends what is being drawn. */
  #drawing = new AbortController();

  /** `parts` are the elements count, formats, files, note and command, and `fail`, which is told a sentence. */
  constructor(backend, parts) {
    this.#backend = backend;
    this.#parts = parts;
    for (const part of [parts.count, parts.formats]) part.addEventListener("input", () => this.#update());
  }

  /** Of which seed, and whether its images are verified. */
  show(subject) {
    this.#subject = subject;
    this.#update();
  }

  #update() {
    if (!this.#subject) return;
    this.#drawing.abort();
    const { count: field, formats, files, note, command } = this.#parts;
    const { model, seed, verify } = this.#subject;
    const count = field.valueAsNumber;
    const isRight = Number.isInteger(count) && count >= 1 && count <= MOST;
    field.setAttribute("aria-invalid", String(!isRight));
    if (!isRight) {
      note.textContent = `A whole number from 1 to ${MOST}; infer dataset draws more.`;
      files.replaceChildren();
      return;
    }
    const format = formats.querySelector(":checked").value;
    const order = model.classes.length ? ", all classes in turn" : "";
    const time = duration((count * model.milliseconds_an_image) / model.workers);
    note.textContent = `Images 0 to ${count - 1} of seed ${seed}${order}${
      verify ? ", verified" : ""}: about ${time} to draw.`;
    const links = this.#backend.dataset({ model, count, seed, verify, format });
    files.replaceChildren(...links.map(({ name, address, draw }) => (
      draw
        ? this.#button(name, draw)
        : element("a", { className: "button", href: address, download: name }, `Download ${name}`)
    )));
    const isFile = model.file.endsWith(".onnx");
    const option = `${isFile ? ` --model ${model.file}` : ""}${model.engine.startsWith("rten") ? " --engine rten" : ""}`;
    const line = `infer dataset${option} --count ${count} --seed ${seed}${
      verify ? " --verify" : ""} --out ${format === "npz" ? "dataset.npz" : "dataset"}`;
    // Lines end before options, not within them.
    command.replaceChildren(...line.split(/(?= --)/).map((part) => element("span", {}, part)));
  }

  /** Draws a file and has the browser download it; anything else that is asked for meanwhile ends it. */
  #button(name, draw) {
    const button = element("button", { type: "button" }, `Download ${name}`);
    button.addEventListener("click", async () => {
      this.#drawing.abort();
      this.#drawing = new AbortController();
      const { signal } = this.#drawing;
      button.disabled = true;
      try {
        const progress = (share) => (button.textContent = `Drawing: ${percent(share)}`);
        const file = await draw({ progress, signal });
        signal.throwIfAborted();
        save(file, name);
      } catch (error) {
        if (!signal.aborted) this.#parts.fail(error.message);
      }
      button.disabled = false;
      button.textContent = `Download ${name}`;
    });
    return button;
  }
}
