// The page: a state, which the address keeps, and the parts that show it.

import { showAbout, showLoading, showTime } from "./about.js";
import { connect } from "./backend.js";
import { Dataset } from "./dataset.js";
import { byId, element, percent, save } from "./dom.js";
import { Latest, settled } from "./latest.js";
import { add, format, move, parse, whole } from "./link.js";
import { Motion } from "./motion.js";
import { toPng } from "./pixels.js";
import { Plate, reading } from "./plate.js";
import { Scenes } from "./scenes.js";
import { Sliders } from "./sliders.js";
import { themeSwitch } from "./theme.js";

/** How long typing has to rest before the sliders and the animation follow. */
const REST = 300;

const backend = await connect();
const scenes = new Scenes(backend);
let about;
let model;
let state = parse(location.hash);
let chosen = 0;
let shown = null;

// What is drawn of the state.

/** The class of each image; null for the one image of an unlabelled model. */
function classes() {
  if (!model.classes.length) return [null];
  return isNumber() ? [...state.draw] : [state.draw];
}

/** Whether classes are written one after the other, as a number is. */
function isNumber() {
  return model.classes.length > 0 && model.classes.every((name) => [...name].length === 1);
}

function scene() {
  const { seed, index, verify, moves } = state;
  const drawn = classes();
  const used = new Map([...moves].filter(([position, dimensions]) => position < drawn.length && dimensions.size));
  return { model, classes: drawn, seed, index, verify: verify && Boolean(model.judge), moves: used };
}

const drawing = new Latest(async (scene) => {
  try {
    const { images, milliseconds } = await scenes.draw(scene);
    // Of another picture than the one that is wanted by now: the next is under way.
    if (scenes.key(scene) !== wantedKey) return;
    shown = { scene, images };
    plate.show(scene.model, scene.classes, images, scene.moves, chosen);
    showTime(milliseconds, images.length);
    fail("");
    announce();
    byId("plate").dataset.drawn = format(state);
  } catch (error) {
    fail(error.message);
  }
  document.querySelector("main").setAttribute("aria-busy", "false");
});
let wantedKey = null;

/** Draws the state, and keeps it in the address. */
function redraw() {
  const wanted = scene();
  wantedKey = scenes.key(wanted);
  history.replaceState(null, "", format(state));
  byId("outcome").setAttribute("aria-busy", "true");
  drawing.ask(wanted);
}

/** Changes the state. Other latents mean that those of before can't have been moved. */
function change(changes) {
  if ("seed" in changes || "index" in changes || "model" in changes) changes.moves = new Map();
  state = { ...state, ...changes };
  fill();
  redraw();
  follow();
}

/** Sliders, animation and data set follow. */
function follow() {
  sliders.wait();
  wantedSliders = null;
  followAtRest();
}

const followAtRest = settled(REST, () => {
  const { seed, index, verify } = scene();
  const name = classes()[chosen] ?? null;
  wantedSliders = { model, seed, index: add(index, chosen) ?? "0", name, position: chosen };
  reshaping.ask(wantedSliders);
  motion.show({ model, classes: classes(), seed, index });
  dataset.show({ model, seed, verify });
});

let wantedSliders = null;
const reshaping = new Latest(async (subject) => {
  const { model, seed, index, name, position } = subject;
  try {
    const [latents, dimensions] = await Promise.all([
      backend.latents({ model, seed, index }),
      scenes.dimensions({ model, name, seed, index }),
    ]);
    if (subject !== wantedSliders) return;
    const redrawn = shown?.images[position]?.redrawn ?? false;
    sliders.show({ model, name, position, latents, dimensions, moves: () => state.moves.get(position), redrawn });
  } catch (error) {
    sliders.fail(error.message);
  }
});

// What is said of it.

/** Shows a sentence about what went wrong; none hides it. */
function fail(sentence) {
  const place = byId("failure");
  if (place.textContent !== sentence) place.textContent = sentence;
  place.hidden = sentence === "";
}

/** Says how the images are read, once they rest: screen readers read it aloud. */
const announce = settled(REST, () => {
  const { scene, images } = shown;
  byId("outcome").textContent = outcome(scene, images);
  byId("outcome").setAttribute("aria-busy", "false");
});

function outcome({ model, classes, seed, index, verify }, images) {
  const place = `seed ${seed}, index ${index}`;
  if (!model.judge) return `Drawn from ${place}.`;
  const right = images.filter((image, i) => reading(image, model, classes[i]).isRight).length;
  const least = percent(Math.min(...images.map(({ confidence }) => confidence)));
  const anew = images.filter(({ redrawn }) => redrawn).length;
  const count = images.length === 1
    ? (right ? "Read as meant" : "Misread")
    : `${right} of ${images.length} read as meant`;
  return [
    verify ? `Verified: ${count.toLowerCase()}` : count,
    images.length === 1 ? `confidence ${least}` : `least confidence ${least}`,
    ...(anew ? [`${anew} drawn anew`] : []),
  ].join(", ") + ".";
}

function problem(field, place, sentence) {
  byId(place).textContent = sentence;
  byId(field).setAttribute("aria-invalid", String(sentence !== ""));
}

// Fields.

/** Fields and choices as the state has them. A field that is being typed in is left alone. */
function fill() {
  const set = (field, value) => {
    if (document.activeElement !== field) field.value = value;
  };
  set(byId(isNumber() ? "number" : "class"), state.draw);
  set(byId("seed"), state.seed);
  set(byId("index"), state.index);
  byId("verify").checked = state.verify;
  byId("number").style.setProperty("--letters", String(Math.max(4, state.draw.length)));
  byId("previous").disabled = state.index === "0";
  chosen = Math.min(chosen, classes().length - 1);
}

/** What is asked of a model: its fields, and a state that it can draw. */
function take(name) {
  model = about.models.find((model) => model.name === name) ?? about.models[0];
  const number = isNumber();
  byId("model").value = model.name;
  byId("number-field").hidden = !number;
  byId("class-field").hidden = number || !model.classes.length;
  byId("verify-field").hidden = !model.judge;
  const range = model.classes.length ? `${model.classes[0]} to ${model.classes.at(-1)}` : "";
  byId("number-label").textContent = model.noun === "digit" ? "Type a number" : `Type classes, ${range}`;
  byId("number").inputMode = model.noun === "digit" ? "numeric" : "text";
  byId("class").replaceChildren(...model.classes.map((name) => element("option", {}, name)));
  const isKnown = (name) => model.classes.includes(name);
  const fits = number ? state.draw !== "" && [...state.draw].every(isKnown) : isKnown(state.draw);
  if (!fits) state.draw = number ? model.classes.slice(0, 4).join("") : (model.classes[0] ?? "");
  showAbout(model, about);
}

function typed() {
  const text = byId("number").value.trim();
  const unknown = [...text].find((letter) => !model.classes.includes(letter));
  if (unknown !== undefined) {
    const range = `${model.classes[0]} to ${model.classes.at(-1)}`;
    problem("number", "number-problem", `“${unknown}” is not among what this model draws, ${range}.`);
  } else {
    problem("number", "number-problem", "");
    if (text !== "" && text !== state.draw) change({ draw: text });
  }
}

function place(field) {
  const found = whole(byId(field).value);
  problem(field, "place-problem", found === null ? "Seed and index are whole numbers from 0 to 2⁶⁴ − 1." : "");
  if (found !== null && found !== state[field]) change({ [field]: found });
}

function step(by) {
  const index = add(state.index, by);
  if (index !== null) change({ index });
}

/** Reads the address: at the start, and when a link is followed. */
function followLink() {
  state = parse(location.hash);
  take(state.model);
  chosen = 0;
  for (const field of ["number", "seed", "index"]) byId(field).value = state[field] ?? state.draw;
  for (const field of ["number", "seed", "index"]) byId(field).setAttribute("aria-invalid", "false");
  fill();
  redraw();
  follow();
}

async function copyLink() {
  const say = (text) => {
    byId("copied").textContent = text;
    setTimeout(() => (byId("copied").textContent = ""), 4000);
  };
  try {
    await navigator.clipboard.writeText(location.href);
    say("Copied.");
  } catch {
    say("The link is in the address bar.");
  }
}

/** The command line's own file, or what the sliders made of it. */
async function savePng() {
  const { scene, images } = shown;
  const scale = Number(byId("scale").value);
  try {
    const blob = scene.moves.size
      ? await toPng(images.map(({ pixels }) => pixels), scene.model, scale)
      : await backend.picture({ ...scene, scale });
    save(blob, `${scene.classes.join("") || "image"}.png`);
  } catch (error) {
    fail(error.message);
  }
}

const plate = new Plate(byId("plate"), (position) => {
  chosen = position;
  follow();
});
const sliders = new Sliders({
  place: byId("sliders"),
  note: byId("reshape-note"),
  more: byId("more"),
  reset: byId("reset"),
  onMove: (dimension, value) => {
    move(state.moves, chosen, dimension, value);
    redraw();
  },
  onReset: () => {
    state.moves.delete(chosen);
    redraw();
  },
});
const motion = new Motion(backend, {
  canvas: byId("film"),
  play: byId("play"),
  views: byId("views"),
  whereabouts: byId("whereabouts"),
  fail,
});
const dataset = new Dataset(backend, {
  count: byId("count"),
  formats: document.querySelector(".dataset fieldset"),
  files: byId("files"),
  note: byId("dataset-note"),
  command: byId("command"),
  fail,
});

async function start() {
  themeSwitch(byId("theme"));
  try {
    about = await backend.about(showLoading);
  } catch (error) {
    fail(error.message);
    return;
  } finally {
    showLoading(null);
  }
  byId("model").replaceChildren(...about.models.map(({ name }) => element("option", {}, name)));
  byId("model-field").hidden = about.models.length < 2;
  byId("model").addEventListener("change", ({ target }) => {
    take(target.value);
    change({ model: target.value });
  });
  byId("number").addEventListener("input", typed);
  byId("class").addEventListener("change", ({ target }) => change({ draw: target.value }));
  byId("seed").addEventListener("input", () => place("seed"));
  byId("index").addEventListener("input", () => place("index"));
  byId("new-seed").addEventListener("click", () => {
    change({ seed: String(crypto.getRandomValues(new Uint32Array(1))[0]) });
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("verify").addEventListener("change", ({ target }) => change({ verify: target.checked }));
  byId("copy").addEventListener("click", copyLink);
  byId("save-png").addEventListener("click", savePng);
  // The fragment is the state's; the link to the number must not take its place.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("number").focus();
  });
  addEventListener("hashchange", followLink);
  followLink();
}

start();
