// What tests of the page have in common, in Chromium: opening it, looking at it, and what must hold of all that it
// did. PLAYWRIGHT is the folder of the package playwright-core, CHROMIUM the browser.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";

const { chromium } = await import(pathToFileURL(path.join(process.env.PLAYWRIGHT, "index.mjs")).href);

/** Whoever waits longer than this has found a fault. */
const PATIENCE = 60_000;

/** What every page did: addresses that it asked, and what the browser had to say. */
const asked = [];
const complaints = [];

/** Opens the page at an address, `until` it is ready; `watch` is told of it before it asks for anything. */
export async function open(browser, address, { watch = () => {}, until = ready, ...options } = {}) {
  const context = await browser.newContext({
    acceptDownloads: true,
    reducedMotion: "reduce",
    viewport: { width: 1280, height: 1000 },
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  // Those of workers too.
  context.on("request", (request) => asked.push(request.url()));
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  watch(page);
  await page.goto(address);
  await until(page);
  return page;
}

/** Until the page shows what its address says, and its sliders are those of the image that is chosen. */
export async function ready(page) {
  await page.waitForFunction(() => (
    document.querySelector("#plate").dataset.drawn === location.hash
    && ["#sliders", "#outcome"].every((busy) => document.querySelector(busy).getAttribute("aria-busy") === "false")
  ));
}

/** The grey levels of canvases, side by side: { width, height, pixels }. */
export function grey(page, selector) {
  return page.evaluate((selector) => {
    const canvases = [...document.querySelectorAll(selector)];
    const width = canvases.reduce((sum, canvas) => sum + canvas.width, 0);
    const height = canvases[0].height;
    const pixels = new Array(width * height);
    let left = 0;
    for (const canvas of canvases) {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, height);
      for (let at = 0; at < canvas.width * height; at++) {
        const [r, g, b, a] = data.subarray(4 * at, 4 * at + 4);
        if (r !== g || g !== b || a !== 255) throw new Error(`pixel ${at} is not grey: ${[r, g, b, a]}`);
        pixels[Math.floor(at / canvas.width) * width + left + (at % canvas.width)] = r;
      }
      left += canvas.width;
    }
    return { width, height, pixels };
  }, selector);
}

export const plate = (page) => grey(page, "#plate canvas");

/** Asserts what is on the plate, without a word for each pixel. */
export async function shows(page, expected) {
  assert.ok(isDeepStrictEqual(await plate(page), expected), `${page.url()} shows another picture`);
}

/** Leaves pixels for the test: width and height as 32-bit little-endian numbers, then a byte a pixel. */
export async function leave(folder, name, { width, height, pixels }) {
  const size = Buffer.alloc(8);
  size.writeUInt32LE(width, 0);
  size.writeUInt32LE(height, 4);
  await writeFile(path.join(folder, name), Buffer.concat([size, Buffer.from(pixels)]));
}

export async function download(page, button, folder, name) {
  const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
  await file.saveAs(path.join(folder, name));
  return file.suggestedFilename();
}

/** Does a scenario: the page may ask nothing of another origin than `address`, and the browser may report nothing. */
export async function run(scenario, address) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // Chromium runs as root only without its sandbox; it opens nothing but the page of this checkout.
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  try {
    await scenario(browser);
  } finally {
    await browser.close();
  }
  assert.deepEqual(complaints, []);
  const elsewhere = asked.filter((url) => !url.startsWith("blob:") && new URL(url).origin !== new URL(address).origin);
  assert.ok(asked.length > 0);
  assert.deepEqual(elsewhere, []);
}
