// What is on the plate: images of a seed, some of which were reshaped. What doesn't change is drawn once.

/** Lists of dimensions that are kept. */
const KEPT = 64;

export class Scenes {
  #backend;
  #base = { key: null, images: null };
  #latents = new Map();
  #dimensions = new Map();

  constructor(backend) {
    this.#backend = backend;
  }

  /** What tells pictures apart, whatever the sliders make of their images. */
  key({ model, classes, seed, index, verify }) {
    return JSON.stringify([model.name, classes, seed, index, verify]);
  }

  /**
   * Draws { model, classes, seed, index, verify, moves }, where moves has position → dimension → value.
   * Returns the images and how long it took.
   */
  async draw(scene) {
    const started = performance.now();
    const key = this.key(scene);
    if (this.#base.key !== key) {
      const images = await this.#backend.draw(scene);
      this.#base = { key, images };
    }
    const images = [...this.#base.images];
    if (scene.moves.size) {
      const moved = await this.#reshape(scene);
      [...scene.moves.keys()].forEach((position, i) => (images[position] = moved[i]));
    }
    return { images, milliseconds: performance.now() - started };
  }

  async #reshape({ model, classes, seed, index, moves }) {
    const positions = [...moves.keys()];
    const z = new Float32Array(positions.length * model.latent_dim);
    for (const [row, position] of positions.entries()) {
      const own = z.subarray(row * model.latent_dim, (row + 1) * model.latent_dim);
      own.set(await this.#latentsOf(model, seed, String(BigInt(index) + BigInt(position))));
      for (const [dimension, value] of moves.get(position)) own[dimension] = value;
    }
    const labels = model.classes.length ? positions.map((at) => model.classes.indexOf(classes[at])) : [];
    return (await this.#backend.drawLatents({ model, labels, z })).images;
  }

  #latentsOf(model, seed, index) {
    return kept(this.#latents, [model.name, seed, index], () => this.#backend.latents({ model, seed, index }));
  }

  /** As the back end's: it takes many images to find them, so they are kept. */
  dimensions({ model, name, seed, index }) {
    const asked = { model, name, seed, index };
    return kept(this.#dimensions, [model.name, name, seed, index], () => this.#backend.dimensions(asked));
  }
}

/** What was found before, or what is found now. */
async function kept(found, parts, find) {
  const key = JSON.stringify(parts);
  if (!found.has(key)) {
    if (found.size >= KEPT) found.delete(found.keys().next().value);
    found.set(key, await find());
  }
  return found.get(key);
}
