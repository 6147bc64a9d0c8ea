// A walk through the latent space, drawn while it is shown: past the images of a seed one after the other,
// each place of a number for itself, or all classes at once.

import { add } from "./link.js";
import { stretch } from "./path.js";
import { paint } from "./pixels.js";

/** Images from one stop to the next. */
const STEPS = 24;
/** Stops whose latents are kept: more than a number has places. */
const STOPS = 32;
/** Frames a second, at most and at least; a slow machine shows fewer, so that others get to draw on it too. */
const FASTEST = 20;
const SLOWEST = 4;
/** The share of the machine's time that an animation may take. */
const SHARE = 0.5;

export class Motion {
  #backend;
  #parts;
  #subject = null;
  #view = "walk";
  /** Whether it is to play, and whether it can be seen. */
  #wanted = false;
  #visible = false;
  /** Frames that were drawn ahead: { images, between }. */
  #frames = [];
  /** The index that the next stretch begins with. */
  #next = "0";
  #latents = new Map();
  #filling = false;
  /** Which walk the frames are of; those of another are dropped. */
  #generation = 0;
  #shownAt = 0;
  #ticking = false;

  /** `parts` are the elements canvas, play, views and whereabouts, and `fail`, which is told a sentence. */
  constructor(backend, parts) {
    this.#backend = backend;
    this.#parts = parts;
    const { canvas, play, views } = parts;
    play.addEventListener("click", () => this.#play(!this.#wanted));
    views.addEventListener("change", ({ target }) => {
      this.#view = target.value;
      this.#restart();
    });
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#visible = isIntersecting;
      this.#tick();
    }).observe(canvas);
    // Whoever asked for less motion starts it themselves.
    this.#play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  /** { model, classes, seed, index }: as in a back end's `draw`, which draws what the walk begins with. */
  show(subject) {
    this.#subject = subject;
    this.#parts.views.hidden = !subject.model.classes.length;
    this.#restart();
  }

  #play(wanted) {
    this.#wanted = wanted;
    this.#parts.play.textContent = wanted ? "Pause" : "Play";
    this.#tick();
  }

  #restart() {
    if (!this.#subject) return;
    const { model, classes, index } = this.#subject;
    this.#generation++;
    this.#frames = [];
    this.#next = index;
    const what = this.#view === "classes" ? "all classes" : classes.join("") || "images";
    const label = `Animation: a walk through the latent space of ${model.name}, ${what}`;
    this.#parts.canvas.setAttribute("aria-label", label);
    this.#shownAt = 0;
    this.#fill();
  }

  #labels() {
    const { model, classes } = this.#subject;
    if (!model.classes.length) return [];
    const names = this.#view === "classes" ? model.classes : classes;
    return names.map((name) => model.classes.indexOf(name));
  }

  /** Milliseconds from frame to frame. */
  #pace() {
    const { milliseconds_an_image: each, workers } = this.#subject.model;
    const affordable = (SHARE * 1000 * workers) / (each * Math.max(1, this.#labels().length));
    return 1000 / Math.min(FASTEST, Math.max(SLOWEST, affordable));
  }

  /** Draws ahead, one stretch at a time. While nothing plays, the first frame is enough. */
  async #fill() {
    if (this.#filling || !this.#subject) return;
    this.#filling = true;
    const generation = this.#generation;
    try {
      const frames = await this.#stretch();
      if (generation === this.#generation) this.#frames.push(...frames);
    } catch (error) {
      if (generation === this.#generation) {
        this.#play(false);
        this.#parts.fail(error.message);
      }
    }
    this.#filling = false;
    if (generation !== this.#generation) this.#fill();
    else this.#tick();
  }

  async #stretch() {
    const { model, seed } = this.#subject;
    const generation = this.#generation;
    const labels = this.#labels();
    const cells = Math.max(1, labels.length);
    // Of a number, each place goes from its own image to that of the next place; all classes go together.
    const places = this.#view === "classes" ? 1 : cells;
    const indices = Array.from({ length: places + 1 }, (_, i) => later(this.#next, i));
    const stops = await Promise.all(indices.map((index) => this.#latentsOf(model, seed, index)));
    const steps = this.#wanted ? Math.max(1, Math.min(STEPS, Math.floor(model.images_a_request / cells))) : 1;
    const paths = Array.from({ length: places }, (_, i) => stretch(model, stops[i], stops[i + 1], steps));
    const z = new Float32Array(steps * cells * model.latent_dim);
    for (let step = 0; step < steps; step++) {
      for (let cell = 0; cell < cells; cell++) {
        z.set(paths[cell % places][step], (step * cells + cell) * model.latent_dim);
      }
    }
    const all = Array.from({ length: steps }, () => labels).flat();
    const { images } = await this.#backend.drawLatents({ model, labels: all, z });
    const from = this.#next;
    // A first frame alone is drawn again with the others.
    if (generation === this.#generation && steps > 1) this.#next = indices[1];
    return Array.from({ length: steps }, (_, step) => ({
      images: images.slice(step * cells, (step + 1) * cells).map(({ pixels }) => pixels),
      between: [from, indices[1]],
    }));
  }

  /** The latents of the last stops are kept: the next stretch begins with them. */
  async #latentsOf(model, seed, index) {
    const key = JSON.stringify([model.name, seed, index]);
    const found = this.#latents.get(key) ?? (await this.#backend.latents({ model, seed, index }));
    this.#latents.delete(key);
    this.#latents.set(key, found);
    if (this.#latents.size > STOPS) this.#latents.delete(this.#latents.keys().next().value);
    return found;
  }

  #tick() {
    if (this.#ticking || !this.#moves()) return;
    this.#ticking = true;
    requestAnimationFrame((now) => {
      this.#ticking = false;
      this.#frame(now);
      this.#tick();
    });
  }

  /** Whether there is anything to show: of what rests, the first frame. */
  #moves() {
    const isFirst = this.#shownAt === 0 && this.#frames.length > 0;
    return isFirst || (this.#wanted && this.#visible);
  }

  #frame(now) {
    // It may have been stopped since the frame was asked for.
    if (!this.#moves()) return;
    if (this.#shownAt === 0 || now - this.#shownAt >= this.#pace()) {
      const frame = this.#frames.shift();
      if (frame) {
        this.#paint(frame);
        // Evenly, unless frames were late.
        this.#shownAt = now;
      }
    }
    if (this.#wanted && this.#frames.length < STEPS / 2) this.#fill();
  }

  #paint({ images, between }) {
    const { canvas, whereabouts } = this.#parts;
    paint(canvas, images, this.#subject.model, this.#view === "classes" ? columns(images.length) : images.length);
    const text = `index ${between[0]} to ${between[1]}`;
    if (whereabouts.textContent !== text) whereabouts.textContent = text;
  }
}

/** Columns of a grid that is about twice as wide as high. */
function columns(count) {
  return Math.ceil(Math.sqrt(2 * count));
}

/** The index so many after another; after the last comes the first. */
function later(index, by) {
  return add(index, by) ?? String(by);
}
