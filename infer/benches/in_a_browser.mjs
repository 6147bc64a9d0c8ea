// What the page that needs no server takes in Chromium, beside infer with rten on one thread in turn.
//
//   PLAYWRIGHT=runtime/playwright-core CHROMIUM=$(command -v chromium) \
//     node infer/benches/in_a_browser.mjs dist/web target/release/infer models/pretrained/mnist-generator.onnx
//
// Time to the first digit, of visits with nothing kept; milliseconds an image, of the page's generator and of the
// one that is named; how often the picture follows a slider that moves; memory of the process that has page and
// worker, as Linux counts it; sizes.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const [site, infer, other] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(path.resolve(process.env.PLAYWRIGHT, "index.mjs")).href);

const VISITS = 7;
const TURNS = 7;
const SLIDING = 3000;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const range = (numbers) => `${Math.min(...numbers).toFixed(2)} to ${Math.max(...numbers).toFixed(2)}`;

const server = spawn("python3", ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", site, "0"], {
  stdio: ["ignore", "pipe", "ignore"],
});
const [line] = await once(server.stdout, "data");
const address = `http://127.0.0.1:${/port (\d+)/.exec(String(line))[1]}/`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});

/** Opens the page with nothing kept from before. */
async function open(options = {}) {
  const viewport = { width: 1280, height: 1000 };
  const context = await browser.newContext({ reducedMotion: "reduce", viewport, ...options });
  const page = await context.newPage();
  await page.goto(`${address}#draw=5&seed=7&index=0`, { waitUntil: "commit" });
  await page.waitForFunction(() => document.querySelector("#plate")?.dataset.drawn);
  return page;
}

const ofPage = path.join(site, JSON.parse(readFileSync(path.join(site, "models.json"))).generator.file);

/** Milliseconds that infer takes for an image of a generator. */
function native(generator) {
  const bench = spawnSync(infer, [
    "bench", "--engine", "rten", "--threads", "1", "--batch-sizes", "1", "--seconds", "1", "--json",
    "--model", generator,
  ], { encoding: "utf8" });
  if (bench.status !== 0) throw new Error(bench.stderr);
  return JSON.parse(bench.stdout).cases[0].p50;
}

try {
  const module = readFileSync(path.join(site, "assets/infer.wasm"));
  console.log(`module: ${module.length} bytes, ${gzipSync(module, { level: 9 }).length} gzipped`);

  const first = [];
  for (let visit = 0; visit < VISITS; visit++) {
    const page = await open();
    // From the start of the visit, by the page's own clock.
    first.push(await page.evaluate(() => performance.now()));
    await page.context().close();
  }
  console.log(`first digit: median ${median(first).toFixed(0)} ms of ${VISITS} visits (${range(first)})`);

  // A service worker would fetch the generators that are put in the way here.
  const page = await open({ serviceWorkers: "block" });
  await page.waitForFunction(() => document.querySelector("#sliders").getAttribute("aria-busy") === "false");
  const files = [ofPage, other];
  for (const [which, file] of files.entries()) {
    await page.route(`**/generator-${which}`, (route) => route.fulfill({ path: file }));
    await page.evaluate(async (which) => {
      const { Library } = await import(new URL("assets/library.js", location.href));
      const library = await Library.load(new URL("assets/infer.wasm", location.href));
      const file = new Uint8Array(await (await fetch(`generator-${which}`)).arrayBuffer());
      const { head } = library.ask({ ask: "load-generator", name: "generator.onnx" }, file);
      if (head.error) throw new Error(head.error);
      (window.libraries ??= []).push(library);
    }, which);
  }
  const taken = files.map(() => ({ times: [], ratios: [] }));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [which, file] of files.entries()) {
      const beside = native(file);
      const here = await page.evaluate((which) => {
        // The page's clock is a coarse one.
        let drawn = 0;
        const start = performance.now();
        for (; performance.now() - start < 1000; drawn++) {
          window.libraries[which].ask({ ask: "draw", labels: [5], seed: "7", index: String(drawn) });
        }
        return (performance.now() - start) / drawn;
      }, which);
      taken[which].times.push(here);
      taken[which].ratios.push(here / beside);
    }
  }
  for (const [which, { times, ratios }] of taken.entries()) {
    console.log(`an image of ${path.basename(files[which])}: median ${median(times).toFixed(2)} ms, ${
      median(ratios).toFixed(2)} × of infer's (${range(ratios)}) in ${TURNS} turns`);
  }
  await page.context().close();

  const sliding = await open();
  await sliding.waitForFunction(() => document.querySelector("#sliders").getAttribute("aria-busy") === "false");
  const frames = await sliding.evaluate(async (duration) => {
    const slider = document.querySelector("#sliders input");
    const plate = document.querySelector("#plate");
    let drawn = 0;
    new MutationObserver((changes) => (drawn += changes.length)).observe(plate, { attributeFilter: ["data-drawn"] });
    const start = performance.now();
    for (let step = 0; performance.now() - start < duration; step++) {
      slider.value = String(Math.sin(step / 20));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      await new Promise(requestAnimationFrame);
    }
    return (1000 * drawn) / (performance.now() - start);
  }, SLIDING);
  console.log(`slider: ${frames.toFixed(0)} pictures a second, with readings of the judge`);
  await sliding.context().close();

  const counted = await open();
  await counted.waitForFunction(() => document.querySelector("#sliders").getAttribute("aria-busy") === "false");
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  // The other processes of its kind are idle.
  const [pss, own] = processInfo.filter(({ type }) => type === "renderer")
    .map(({ id }) => readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))
    .map((text) => ["Pss", "Private_Dirty"].map((name) => Number(new RegExp(`${name}: +(\\d+)`).exec(text)[1]) / 1024))
    .sort(([a], [b]) => b - a)[0];
  console.log(`memory: ${pss.toFixed(0)} MiB (PSS) once the page rests, ${own.toFixed(0)} MiB of it written by the page alone`);
} finally {
  await browser.close();
  server.kill();
}
