// The back end that `infer serve` is: see backend.js for what a back end has.

import { decodePicture } from "./pixels.js";
import { decode, encode } from "./tensors.js";

/** How sure a judge must be for an image to count as verified: infer's own default. */
const THRESHOLD = "0.5";
/** Times that a request is repeated when the server is busy, and how long to wait at most before each. */
const REPEATS = 4;
const LONGEST_WAIT = 5000;

export class Server {
  #base;

  /** `base` is the address of the page. */
  constructor(base) {
    this.#base = base;
  }

  async about() {
    const about = await (await this.#fetch("about")).json();
    const link = (name, path) => ({ name, address: this.#address(path) });
    return {
      ...about,
      links: [link("All routes", "openapi.json"), link("Models", "about"), link("Metrics", "metrics")],
    };
  }

  /**
   * Pixels come from the pictures' route: it alone draws the very bytes of the command line. What the judge
   * says of the first attempts comes from the protocol's.
   */
  async draw(asked) {
    const { model, classes } = asked;
    const [response, readings] = await Promise.all([
      this.#fetch(this.#picture({ ...asked, scale: 1 })),
      model.judge ? this.#readings(asked) : null,
    ]);
    const pixels = await decodePicture(await response.blob(), model, classes.length);
    const sure = response.headers.get("Infer-Confidence")?.split(",").map(Number);
    return pixels.map((pixels, i) => {
      if (!readings) return { pixels, label: null, confidence: null, redrawn: false };
      const { label, confidence } = readings[i];
      const redrawn = Boolean(sure) && !(label === wanted(model, classes[i]) && confidence >= Number(THRESHOLD));
      // A verified image is read as what it is meant to be.
      return redrawn
        ? { pixels, label: wanted(model, classes[i]), confidence: sure[i], redrawn }
        : { pixels, label, confidence, redrawn };
    });
  }

  async #readings({ model, classes, seed, index }) {
    const labels = classes.map((name) => wanted(model, name));
    const { judged, confidence } = await this.#infer(model, {
      inputs: [labelTensor(labels)],
      outputs: ["judged", "confidence"],
      parameters: { seed, index },
    });
    return judged.map((label, i) => ({ label, confidence: confidence[i] }));
  }

  async drawLatents({ model, labels, z }) {
    const count = z.length / model.latent_dim;
    const inputs = [{ name: "z", shape: [count, model.latent_dim], datatype: "FP32", data: z }];
    if (labels.length) inputs.push(labelTensor(labels));
    const outputs = ["pixels", ...(model.judge ? ["judged", "confidence"] : [])];
    const started = performance.now();
    const { pixels, judged, confidence } = await this.#infer(model, { inputs, outputs });
    const size = pixels.length / count;
    const images = Array.from({ length: count }, (_, i) => ({
      pixels: pixels.subarray(i * size, (i + 1) * size),
      label: judged?.[i] ?? null,
      confidence: confidence?.[i] ?? null,
      redrawn: false,
    }));
    return { images, milliseconds: performance.now() - started };
  }

  async latents({ model, seed, index }) {
    const { z } = await (await this.#fetch(withParameters("latents", { model: model.name, seed, index }))).json();
    return Float32Array.from(z);
  }

  async dimensions({ model, name, seed, index }) {
    const path = withParameters("dimensions", { model: model.name, seed, index, label: name });
    return (await (await this.#fetch(path)).json()).dimensions;
  }

  async picture(asked) {
    return (await this.#fetch(this.#picture(asked))).blob();
  }

  dataset({ model, count, seed, verify, format }) {
    const images = model.channels === 1 ? "train-images-idx3-ubyte" : "train-images-idx4-ubyte";
    const paths = {
      npz: ["dataset.npz"],
      idx: [`dataset/${images}`, "dataset/train-labels-idx1-ubyte"],
    }[format];
    const parameters = { model: model.name, count, seed, verify: verify ? THRESHOLD : null };
    return paths.map((path) => ({
      name: path.split("/").pop(),
      address: this.#address(withParameters(path, parameters)),
    }));
  }

  #picture({ model, classes, seed, index, verify, scale }) {
    const name = encodeURIComponent(classes.map((name) => name ?? "image").join(""));
    const parameters = { model: model.name, seed, index, scale, verify: verify ? THRESHOLD : null };
    return withParameters(`digits/${name}.png`, parameters);
  }

  async #infer(model, message) {
    const path = `v2/models/${encodeURIComponent(model.name)}/infer`;
    return decode(await this.#fetch(path, { method: "POST", ...encode(message) }));
  }

  #address(path) {
    return new URL(path, this.#base).href;
  }

  /** An answer with status 200; a busy server is asked again. */
  async #fetch(path, options = {}) {
    for (let repeats = 0; ; repeats++) {
      let response;
      try {
        response = await fetch(this.#address(path), options);
      } catch {
        throw new Error("The server does not answer; is it still running?");
      }
      if (response.ok) return response;
      if (response.status !== 503 || repeats === REPEATS) throw new Error(await sentence(response));
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((wake) => setTimeout(wake, Math.min(seconds * 1000, LONGEST_WAIT)));
    }
  }
}

/** What a refusal says. */
async function sentence(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answers with status ${response.status}.`;
  }
}

/** The label of a class. */
function wanted(model, name) {
  return model.classes.indexOf(name);
}

function labelTensor(labels) {
  return { name: "label", shape: [labels.length], datatype: "INT64", data: BigInt64Array.from(labels, BigInt) };
}

/** A path with those of the parameters that have a value. */
function withParameters(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return `${path}?${new URLSearchParams(given)}`;
}
