// Downloads of a data set, as links, so that the browser writes them to disk while they come.

import { duration, element } from "./dom.js";

/** What infer serve draws at most; more are the command line's. */
const MOST = 100_000;

export class Dataset {
  #backend;
  #parts;
  #subject = null;

  /** `parts` are the elements count, formats, files, note and command. */
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
    files.replaceChildren(...links.map(({ name, address }) => (
      element("a", { className: "button", href: address, download: name }, `Download ${name}`)
    )));
    const option = model.file.endsWith(".onnx") ? ` --model ${model.file}` : "";
    const line = `infer dataset${option} --count ${count} --seed ${seed}${
      verify ? " --verify" : ""} --out ${format === "npz" ? "dataset.npz" : "dataset"}`;
    // Lines end before options, not within them.
    command.replaceChildren(...line.split(/(?= --)/).map((part) => element("span", {}, part)));
  }
}
