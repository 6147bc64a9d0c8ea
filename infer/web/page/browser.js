// The back end that needs no server: infer's library in a worker. See backend.js for what a back end has.

import { toPng } from "./pixels.js";
import { fetchFile, forget, forgetOthers } from "./store.js";

/** How sure a judge must be for an image to count as verified: infer's own default. */
const THRESHOLD = 0.5;
/** Images that are drawn together: few, so that a slider doesn't wait for an animation. */
const TOGETHER = 16;
/** The type of files of which browsers needn't know more. */
const BYTES = "application/octet-stream";
/** Images of an animation that are drawn ahead, at most. */
const MOST = 256;
/** Drawings that tell how long one takes. */
const TRIES = 9;

export class Browser {
  #base;
  #worker;
  #waiting = new Map();
  #asked = 0;
  /** Bytes of memory that the library has. */
  memory = 0;

  /** `base` is the address of the page. */
  constructor(base) {
    this.#base = base;
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data: { id, head, body, memory } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      this.memory = Math.max(this.memory, memory);
      if (head.error) reject(new Error(head.error));
      else resolve({ head, body });
    });
    this.#worker.addEventListener("error", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("The engine can't be started."));
      this.#waiting.clear();
    });
    keepPage(base);
  }

  async about(progress = () => {}) {
    const { program, generator, judge } = await this.#json("models.json");
    const described = await this.#load("load-generator", generator, progress);
    if (judge) await this.#load("load-judge", judge, () => {});
    await forgetOthers([generator, judge].filter(Boolean), this.#base);
    const self_test = await this.#selfTest();
    const model = {
      ...described,
      name: generator.name.replace(/\.onnx$/, ""),
      file: generator.name,
      device: "this browser",
      execution_providers: [],
      workers: 1,
      images_a_request: MOST,
      judge: judge?.name.replace(/\.onnx$/, "") ?? null,
      self_test,
    };
    model.milliseconds_an_image = await this.#time(model);
    const address = new URL(generator.file, this.#base).href;
    return { program, models: [model], links: [{ name: "The model’s file", address }] };
  }

  async draw({ model, classes, seed, index, verify }) {
    const labels = classes.map((name) => label(model, name));
    const threshold = verify ? THRESHOLD : null;
    return images(model, await this.#ask({ ask: "draw", labels, seed, index, verify: threshold }));
  }

  async drawLatents({ model, labels, z }) {
    const started = performance.now();
    const drawn = [];
    const count = z.length / model.latent_dim;
    for (let first = 0; first < count; first += TOGETHER) {
      const end = first + TOGETHER;
      const part = littleEndian(z.subarray(first * model.latent_dim, end * model.latent_dim));
      const reply = await this.#ask({ ask: "draw-latents", labels: labels.slice(first, end) }, part);
      drawn.push(...images(model, reply));
    }
    return { images: drawn, milliseconds: performance.now() - started };
  }

  async latents({ seed, index }) {
    return fromLittleEndian((await this.#ask({ ask: "latents", seed, index })).body);
  }

  async dimensions({ model, name, seed, index }) {
    const z = littleEndian(await this.latents({ seed, index }));
    const count = TOGETHER / 2;
    const found = [];
    for (let first = 0; first < model.latent_dim; first += count) {
      const { head } = await this.#ask({ ask: "changes", label: label(model, name), first, count }, z);
      head.changes.forEach((change, i) => found.push({ dimension: first + i, change }));
    }
    return found.sort((a, b) => b.change - a.change);
  }

  async picture(asked) {
    const drawn = await this.draw(asked);
    return toPng(drawn.map(({ pixels }) => pixels), asked.model, asked.scale);
  }

  dataset(asked) {
    const images = asked.model.channels === 1 ? "train-images-idx3-ubyte" : "train-images-idx4-ubyte";
    const all = (how) => this.#pixels(asked, how);
    const files = {
      npz: [["dataset.npz", async (how) => {
        const { pixels, crc } = await all(how);
        const [before, after] = await this.#frame(asked, crc);
        return [before, ...pixels, after];
      }]],
      idx: [
        [images, async (how) => [(await this.#frame(asked, 0))[0], ...(await all(how)).pixels]],
        ["train-labels-idx1-ubyte", async () => [(await this.#frame(asked, 0))[1]]],
      ],
    }[asked.format];
    return files.map(([name, parts]) => ({ name, draw: async (how) => new Blob(await parts(how), { type: BYTES }) }));
  }

  /** The pixels of a data set, as its file has them, and their CRC-32. */
  async #pixels({ count, seed, verify, format }, { progress, signal }) {
    const pixels = [];
    let crc = 0;
    for (let first = 0; first < count; first += TOGETHER) {
      signal.throwIfAborted();
      const part = { format, seed, first, count: Math.min(TOGETHER, count - first), crc };
      const { head, body } = await this.#ask({ ask: "part", ...part, verify: verify ? THRESHOLD : null });
      crc = head.crc;
      // A Blob may be kept on disk.
      pixels.push(new Blob([body]));
      progress((first + part.count) / count);
    }
    return { pixels, crc };
  }

  /** The bytes before a data set's pixels, and those after them or the file of labels. */
  async #frame({ count, format }, crc) {
    const { head, body } = await this.#ask({ ask: "frame", format, count, crc });
    return [body.slice(0, head.before), body.slice(head.before)];
  }

  /** Loads a model { name, file, bytes, sha256 }; returns what is said of it. */
  async #load(ask, model, progress) {
    const bytes = await fetchFile(model, this.#base, progress);
    // The page needs the bytes no more, the library keeps them.
    const { head } = await this.#ask({ ask, name: model.name }, bytes, [bytes.buffer]);
    if (head.sha256 !== model.sha256) {
      await forget(model, this.#base);
      throw new Error(`The file of ${model.name} is damaged; reload the page to fetch it anew.`);
    }
    return head;
  }

  /** Draws what the model's file promises: see `infer self-test`. */
  async #selfTest() {
    const { head } = await this.#ask({ ask: "self-test" });
    if (head.images && !head.passed) {
      throw new Error(`This browser doesn't draw what the model's file promises: pixels differ by up to ${
        head.largest} of 255 levels, and ${head.tolerance} are allowed.`);
    }
    return head;
  }

  /** Milliseconds that one image takes, the median of some. */
  async #time(model) {
    const times = [];
    const z = await this.latents({ seed: "0", index: "0" });
    for (let i = 0; i < TRIES; i++) {
      const labels = model.classes.length ? [0] : [];
      times.push((await this.drawLatents({ model, labels, z })).milliseconds);
    }
    return times.sort((a, b) => a - b)[Math.floor(TRIES / 2)];
  }

  async #json(path) {
    const response = await fetch(new URL(path, this.#base));
    if (!response.ok) throw new Error(`${path} is not there (status ${response.status}).`);
    return response.json();
  }

  #ask(head, body = new Uint8Array(), transferred = []) {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, head, body }, transferred);
    });
  }
}

/** Images of a reply. */
function images({ channels, height, width }, { head, body }) {
  const size = channels * height * width;
  return Array.from({ length: body.length / size }, (_, i) => ({
    pixels: body.subarray(i * size, (i + 1) * size),
    label: head.readings?.[i].label ?? null,
    confidence: head.readings?.[i].confidence ?? null,
    redrawn: head.readings?.[i].redrawn ?? false,
  }));
}

/** The label of a class; 0 of an unlabelled model's images. */
function label(model, name) {
  return name === null ? 0 : model.classes.indexOf(name);
}

/** Numbers as the library's bytes. */
function littleEndian(numbers) {
  const view = new DataView(new ArrayBuffer(4 * numbers.length));
  numbers.forEach((value, i) => view.setFloat32(4 * i, value, true));
  return new Uint8Array(view.buffer);
}

function fromLittleEndian(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Has the browser keep the page, for when there is no connection. */
async function keepPage(base) {
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", base));
  } catch {
    // Without it the page works as long as there is a connection.
  }
}
