// What engine, device and model run.

import { byId, duration, element } from "./dom.js";

/** How much of a model is there, { loaded, total } in bytes; null once there is nothing to wait for. */
export function showLoading(progress) {
  const bar = byId("loading");
  bar.hidden = progress === null;
  byId("summary").textContent = "";
  if (!progress) return;
  const { loaded, total } = progress;
  bar.value = loaded / total;
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  byId("summary").textContent = `Fetching the model: ${megabytes(loaded)} of ${megabytes(total)}\u00a0MB`;
}

/** Shows what is known of a model. `program` and `links` are the back end's. */
export function showAbout(model, { program, links }) {
  byId("summary").textContent =
    [model.engine, model.device, `${duration(model.milliseconds_an_image)} an image`].join(" · ");
  const agreement = model.quality?.agreement?.value;
  const facts = [
    ["Program", program],
    ["Model", `${model.name}, ${model.architecture}${model.dataset ? ` of ${model.dataset}` : ""}`],
    ["File", model.file],
    ["SHA-256", model.sha256],
    ["Engine", [model.engine, ...model.execution_providers.map(placement)].join(", ")],
    ["Device", `${model.device}, ${model.workers} ${model.workers === 1 ? "copy" : "copies"} of the model`],
    ["One image", `${duration(model.milliseconds_an_image)}, alone, when the model was loaded`],
    ["Last drawing", element("span", { id: "last-drawing" }, "–")],
    ["Judge", model.judge ?? "none reads this model's images"],
  ];
  if (model.self_test?.images) {
    const { images, largest, tolerance } = model.self_test;
    const text = `passed: ${images} images, within ${largest} of 255 levels of the file’s (${tolerance} are allowed)`;
    facts.push(["Self-test", text]);
  }
  if (agreement) {
    const share = `${(100 * agreement).toFixed(2)}\u00a0%`;
    facts.push(["Read as meant", `${share} of ${model.quality.agreement.n} images, when trained`]);
  }
  byId("facts").replaceChildren(
    ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
  byId("links").replaceChildren(...links.map(({ name, address }) => element("a", { href: address }, name)));
}

function placement({ provider, nodes }) {
  return `${nodes} nodes on ${provider}`;
}

/** How long the last request took, from question to answer. */
export function showTime(milliseconds, count) {
  byId("last-drawing").textContent =
    `${duration(milliseconds)} for ${count} ${count === 1 ? "image" : "images"}, with the way there and back`;
}
