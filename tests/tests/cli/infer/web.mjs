// Uses the page that needs no server in Chromium; what it draws is left in files that the test compares.
//
//   node web.mjs SCENARIO SITE FOLDER
//
// SITE is the folder that scripts/web.sh made; a server of plain files, Python's, serves the folder around it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";

import { download, grey, leave, open, plate, ready, run } from "./serve/browser.mjs";

const [scenario, site, folder] = process.argv.slice(2);

/** Serves files, until it is stopped. */
async function serve() {
  const arguments_ = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", path.dirname(site), "0"];
  const server = spawn("python3", arguments_, { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(server.stdout, "data");
  const port = /port (\d+)/.exec(String(line))[1];
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill();
      await once(server, "exit");
    }
  };
  return { address: `http://127.0.0.1:${port}/${path.basename(site)}/`, stop };
}

const server = await serve();
const { address } = server;

/** Until the browser has kept the page. */
const kept = (page) => page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));

const facts = (page) => page.locator("#facts").textContent();

const scenarios = {
  /** Draws, with a server and without, and what becomes of a link. */
  async draws(browser) {
    const page = await open(browser, `${address}#draw=0123456789&seed=7&index=0`);
    await leave(folder, "ten", await plate(page));
    const said = await facts(page);
    for (const part of ["rten", "this browser", "mnist-judge", "passed: 10 images"]) {
      assert.ok(said.includes(part), said);
    }
    assert.ok(await page.locator("#loading").isHidden());
    assert.match(await page.locator("#outcome").textContent(), /^\d+ of 10 read as meant, least confidence \d+\.\d\s%\.$/);

    await page.getByRole("checkbox", { name: /^Verify/ }).check();
    await page.waitForFunction(() => document.querySelector("#outcome").textContent.startsWith("Verified: 10 of 10"));
    await leave(folder, "verified", await plate(page));
    await page.getByRole("checkbox", { name: /^Verify/ }).uncheck();
    await page.getByLabel("Seed", { exact: true }).fill("18446744073709551615");
    await page.getByLabel("Index", { exact: true }).fill("18446744073709551605");
    await page.waitForFunction(() => location.hash.endsWith("&index=18446744073709551605"));
    await ready(page);
    await leave(folder, "largest", await plate(page));
    const button = page.getByRole("button", { name: "Download PNG" });
    assert.equal(await download(page, button, folder, "saved.png"), "0123456789.png");

    // Nobody serves it any more.
    await kept(page);
    await server.stop();
    const other = await page.context().newPage();
    await other.goto(`${address}?utm=1#draw=0123456789&seed=8&index=3`);
    await ready(other);
    await leave(folder, "offline", await plate(other));
    assert.ok((await facts(other)).includes("passed: 10 images"));
    await page.reload();
    await ready(page);

    // The picture follows a slider there too, and a link keeps it.
    const before = await plate(page);
    const slider = page.getByRole("slider").first();
    await slider.press("End");
    await ready(page);
    const after = await plate(page);
    assert.ok(!isDeepStrictEqual(after, before), "it stayed as it was");
    await writeFile(path.join(folder, "dimension"), await slider.getAttribute("data-dimension"));
    await leave(folder, "moved", after);
    await page.reload();
    await ready(page);
    assert.ok(isDeepStrictEqual(await plate(page), after), "the link shows another picture");

    await page.locator("#film").scrollIntoViewIfNeeded();
    const film = () => grey(page, "#film");
    const still = await film();
    await page.getByRole("button", { name: "Play" }).click();
    while (isDeepStrictEqual(await film(), still)) await page.waitForTimeout(50);
  },

  /** Draws data sets in the page. */
  async downloads(browser) {
    const page = await open(browser, `${address}#draw=5&seed=7&index=0`);
    await page.getByRole("spinbutton", { name: "Images" }).fill("37");
    const button = (name) => page.getByRole("button", { name: `Download ${name}` });
    assert.equal(await download(page, button("dataset.npz"), folder, "page.npz"), "dataset.npz");
    await page.getByRole("radio", { name: "IDX" }).check();
    for (const name of ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]) {
      assert.equal(await download(page, button(name), folder, `page-${name}`), name);
    }
    await writeFile(path.join(folder, "command"), await page.locator("#command").textContent());
    await page.getByRole("checkbox", { name: /^Verify/ }).check();
    await page.getByRole("radio", { name: "npz" }).check();
    await page.waitForFunction(() => document.querySelector("#dataset-note").textContent.includes("verified"));
    await download(page, button("dataset.npz"), folder, "verified.npz");
  },

  /** A model that draws something else than its file promises, or whose file is damaged, is not drawn with. */
  async refuses(browser) {
    const until = (page) => page.locator("#failure:not([hidden])").waitFor();
    const page = await open(browser, address, { until });
    await writeFile(path.join(folder, "failure"), await page.locator("#failure").textContent());
    assert.equal(await page.locator("#plate canvas").count(), 0);
  },

  /** The page is let ask nobody else, and runs nothing but its own files. */
  async keeps_to_itself(browser) {
    await open(browser, address);
    // What a policy forbids, browsers complain of.
    const page = await (await browser.newContext()).newPage();
    await page.goto(address);
    await ready(page);
    const forbidden = await page.evaluate(async () => {
      const found = [];
      addEventListener("securitypolicyviolation", ({ effectiveDirective }) => found.push(effectiveDirective));
      await fetch("http://localhost:1/").catch(() => {});
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      await new Promise((wake) => setTimeout(wake));
      return { found, ran: window.ran === true };
    });
    assert.deepEqual(forbidden, { found: ["connect-src", "script-src-elem"], ran: false });
  },
};

try {
  await run(scenarios[scenario], address);
} finally {
  await server.stop();
}
