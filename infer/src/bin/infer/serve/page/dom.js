// Small help with the document.

/** A space at which no line ends. */
const SPACE = "\u00a0";

/** The element of this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element with these properties and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Has the browser download a file. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A number from 0 to 1 in per cent, rounded down. */
export function percent(share) {
  return `${(Math.floor(share * 1000) / 10).toFixed(1)}${SPACE}%`;
}

/** Milliseconds, with as many digits as matter. */
export function duration(milliseconds) {
  if (milliseconds < 0.1) return `under 0.1${SPACE}ms`;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)}${SPACE}ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)}${SPACE}ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)}${SPACE}s`;
  return `${Math.round(milliseconds / 60_000)}${SPACE}min`;
}
