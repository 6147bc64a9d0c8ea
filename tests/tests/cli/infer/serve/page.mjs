// Uses the page of `infer serve` in Chromium, as people do; what it draws is left in files that the test compares.
//
//   node page.mjs SCENARIO ADDRESS FOLDER
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";

import * as browsing from "./browser.mjs";
import { grey, plate, ready, run, shows } from "./browser.mjs";

const [scenario, address, folder] = process.argv.slice(2);

/** Requests to the network, and how many of them were under way at a time. */
const drawn = { count: 0, underWay: 0, most: 0 };

function open(browser, fragment = "", options = {}) {
  const isDrawing = (request) => request.method() === "POST" && request.url().endsWith("/infer");
  const watch = (page) => {
    page.on("request", (request) => {
      if (!isDrawing(request)) return;
      drawn.count++;
      drawn.underWay++;
      drawn.most = Math.max(drawn.most, drawn.underWay);
    });
    page.on("requestfinished", (request) => {
      if (isDrawing(request)) drawn.underWay--;
    });
  };
  return browsing.open(browser, `${address}/${fragment}`, { watch, ...options });
}

const leave = (name, picture) => browsing.leave(folder, name, picture);
const download = (page, button, name) => browsing.download(page, button, folder, name);

const scenarios = {
  /** Types a number; keeps it as a link and as a file. */
  async draws(browser) {
    const page = await open(browser, "#draw=5&seed=7&index=3");
    const number = page.getByRole("textbox", { name: "Type a number" });
    await number.click();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("2024");
    await page.waitForFunction(() => location.hash === "#draw=2024&seed=7&index=3");
    await ready(page);
    await leave("typed", await plate(page));
    const outcome = await page.locator("#outcome").textContent();
    assert.match(outcome, /^[0-4] of 4 read as meant, least confidence \d+\.\d\s%\.$/);
    for (const reading of await page.locator(".reading").allTextContents()) {
      assert.match(reading, /^(\d\? )?\d+\.\d\s%$/);
    }
    assert.equal(await download(page, page.getByRole("button", { name: "Download PNG" }), "saved.png"), "2024.png");

    // What the model is and runs on.
    assert.match(await page.locator("#summary").textContent(), /^ONNX Runtime .* · cpu · [\d.]+\sms an image$/);
    const facts = await page.locator("#facts").textContent();
    for (const part of ["mnist-generator", "CPUExecutionProvider", "mnist-judge"]) {
      assert.ok(facts.includes(part), facts);
    }
    assert.match(await page.locator("#last-drawing").textContent(), /^[\d.]+\sm?s for 4 images/);

    // Verified: what a judge misreads is drawn anew.
    await page.getByRole("checkbox", { name: /^Verify/ }).check();
    await page.waitForFunction(() => document.querySelector("#outcome").textContent.startsWith("Verified: 4 of 4"));
    assert.equal(new URL(page.url()).hash, "#draw=2024&seed=7&index=3&verify");
    await leave("verified", await plate(page));
    await page.getByRole("checkbox", { name: /^Verify/ }).uncheck();

    // The largest seed and index, which no JavaScript number holds.
    await page.getByLabel("Seed", { exact: true }).fill("18446744073709551615");
    await page.getByLabel("Index", { exact: true }).fill("18446744073709551610");
    await page.getByRole("button", { name: "Next index" }).click();
    await page.waitForFunction(() => (
      location.hash === "#draw=2024&seed=18446744073709551615&index=18446744073709551611"
    ));
    await ready(page);
    await leave("largest", await plate(page));
  },

  /** Moves a slider; the picture follows, and so does whoever follows the link. */
  async reshapes(browser) {
    const page = await open(browser, "#draw=27&seed=7&index=3");
    const before = await plate(page);
    await leave("unmoved", before);
    const slider = page.getByRole("slider").first();
    const dimension = await slider.getAttribute("data-dimension");

    // With the mouse: redrawn while it moves, one request at a time.
    const box = await slider.boundingBox();
    const y = box.y + box.height / 2;
    const start = Number(await slider.inputValue());
    await page.mouse.move(box.x + 9 + (box.width - 18) * ((start + 1) / 2), y);
    await page.mouse.down();
    drawn.count = drawn.most = 0;
    const seen = new Set();
    for (let step = 0; step <= 30; step++) {
      await page.mouse.move(box.x + 9 + ((box.width - 18) * step) / 30, y);
      if (step % 10 === 0) await ready(page);
      seen.add(JSON.stringify((await plate(page)).pixels));
    }
    assert.ok(seen.size > 4, `${seen.size} pictures were seen while the slider moved`);
    await page.mouse.up();
    assert.ok(drawn.count > 4 && drawn.count <= 62, `${drawn.count} requests`);
    assert.equal(drawn.most, 1, "requests at a time");

    // Faster than they are answered: the first and the last are drawn, and those between are dropped.
    drawn.count = 0;
    await slider.evaluate((slider) => {
      for (let hundredths = -90; hundredths <= 90; hundredths += 10) {
        slider.value = String(hundredths / 100);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
      }
    });
    await ready(page);
    assert.deepEqual([drawn.count, drawn.most], [2, 1]);
    assert.match(page.url(), /:0\.9$/);

    // With the keyboard, to the end of the dimension.
    await slider.press("End");
    await ready(page);
    assert.equal(await slider.inputValue(), "1");
    const after = await plate(page);
    await leave("moved", after);
    await writeFile(path.join(folder, "dimension"), dimension);
    assert.ok(!isDeepStrictEqual(after, before), "it stayed as it was");
    assert.equal(new URL(page.url()).hash, `#draw=27&seed=7&index=3&z=0:${dimension}:1`);
    await download(page, page.getByRole("button", { name: "Download PNG" }), "moved.png");
    await page.getByRole("button", { name: "More dimensions" }).click();
    assert.equal(await page.getByRole("slider").count(), 16);
    assert.equal(await slider.inputValue(), "1");

    // Reloaded, and followed in another window.
    await page.reload();
    await ready(page);
    await shows(page, after);
    const other = await open(browser, new URL(page.url()).hash);
    await shows(other, after);
    const moved = other.getByRole("slider", { name: `Latent dimension ${dimension}`, exact: true });
    assert.equal(await moved.inputValue(), "1");

    // A link that is followed where the page is open already, and back again.
    await page.evaluate(() => (location.hash = "#draw=5&seed=1&index=0"));
    await ready(page);
    assert.equal(await page.locator("#number").inputValue(), "5");
    assert.equal(await page.locator("#seed").inputValue(), "1");
    await page.goBack();
    await ready(page);
    await shows(page, after);

    await page.getByRole("button", { name: "Reset" }).click();
    await page.waitForFunction(() => location.hash === "#draw=27&seed=7&index=3");
    await ready(page);
    await shows(page, before);
  },

  /** Animations, with and without a wish for less motion. */
  async animates(browser) {
    const film = async (page) => JSON.stringify(await grey(page, "#film"));
    const changes = (page, before) => page.waitForFunction(([before]) => {
      const canvas = document.querySelector("#film");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const now = `${canvas.width}:${data.filter((_, i) => i % 4 === 0)}`;
      window.before ??= before ?? now;
      const changed = now !== window.before;
      if (changed) delete window.before;
      return changed;
    }, [before]);
    const rests = async (page) => {
      const before = await film(page);
      await page.waitForTimeout(700);
      assert.ok((await film(page)) === before, "it moves");
    };

    const still = await open(browser, "#draw=2024&seed=7&index=3");
    await still.waitForFunction(() => document.querySelector("#film").width === 4 * 28);
    await still.locator("#film").scrollIntoViewIfNeeded();
    await rests(still);
    await leave("first", await grey(still, "#film"));
    await still.getByRole("button", { name: "Play" }).click();
    await changes(still);
    await still.getByRole("button", { name: "Pause" }).click();
    await rests(still);

    const moving = await open(browser, "#draw=5&seed=7&index=0", { reducedMotion: "no-preference" });
    await moving.locator("#film").scrollIntoViewIfNeeded();
    await changes(moving);
    await moving.getByRole("radio", { name: "Classes" }).check();
    await moving.waitForFunction(() => document.querySelector("#film").width === 5 * 28);
    await changes(moving);
    await moving.getByRole("button", { name: "Pause" }).click();
    await rests(moving);
    // Nobody looks: nothing is drawn.
    await moving.getByRole("button", { name: "Play" }).click();
    await changes(moving);
    await moving.setViewportSize({ width: 1280, height: 300 });
    await moving.evaluate(() => scrollTo(0, 0));
    await moving.waitForTimeout(700);
    drawn.count = 0;
    await moving.waitForTimeout(1500);
    assert.equal(drawn.count, 0);

    // The walk is infer's own.
    const walked = await still.evaluate(async () => {
      const { Server } = await import("/assets/server.js");
      const { stretch } = await import("/assets/path.js");
      const server = new Server(document.baseURI);
      const model = (await server.about()).models[0];
      const stop = (index) => server.latents({ model, seed: "7", index });
      const stops = [await stop("0"), await stop("1")];
      const points = [...stretch(model, stops[0], stops[1], 6), ...stretch(model, stops[1], stops[0], 6)];
      const z = Float32Array.from(points.flatMap((point) => [...point]));
      const { images } = await server.drawLatents({ model, labels: points.map(() => 5), z });
      // On a sheet: six images to a row.
      const pixels = [];
      for (let y = 0; y < 2 * 28; y++) {
        for (let x = 0; x < 6 * 28; x++) {
          const image = images[6 * Math.floor(y / 28) + Math.floor(x / 28)];
          pixels.push(image.pixels[(y % 28) * 28 + (x % 28)]);
        }
      }
      return { width: 6 * 28, height: 2 * 28, pixels };
    });
    await leave("walked", walked);
    const arc = await still.evaluate(async () => {
      const { stretch } = await import("/assets/path.js");
      const normal = { latent_distribution: "normal(0,1)" };
      const of = (from, to) => [...stretch(normal, Float32Array.from(from), Float32Array.from(to), 2)[1]];
      return [of([1, 0], [0, 1]), of([1, 2], [-2, -4])];
    });
    assert.deepEqual(arc, [[Math.fround(Math.SQRT1_2), Math.fround(Math.SQRT1_2)], [-0.5, -1]]);
  },

  /** Downloads data sets. */
  async downloads(browser) {
    const page = await open(browser, "#draw=5&seed=7&index=0");
    await page.getByRole("spinbutton", { name: "Images" }).fill("37");
    const link = (name) => page.getByRole("link", { name: `Download ${name}` });
    await download(page, link("dataset.npz"), "page.npz");
    await page.getByRole("radio", { name: "IDX" }).check();
    for (const name of ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]) {
      assert.equal(await download(page, link(name), `page-${name}`), name);
    }
    await writeFile(path.join(folder, "command"), await page.locator("#command").textContent());
    await page.getByRole("checkbox", { name: /^Verify/ }).check();
    await page.getByRole("radio", { name: "npz" }).check();
    await page.waitForFunction(() => document.querySelector("#dataset-note").textContent.includes("verified"));
    await download(page, link("dataset.npz"), "verified.npz");
    for (const wrong of ["0", "100001", "1.5", ""]) {
      await page.getByRole("spinbutton", { name: "Images" }).fill(wrong);
      assert.equal(await page.getByRole("link", { name: /^Download/ }).count(), 0, wrong);
    }
  },

  /** Without a mouse, without colours, on a small phone. */
  async serves_everyone(browser) {
    const page = await open(browser, "#draw=2024&seed=7&index=3", { colorScheme: "light" });
    const focused = () => page.evaluate(() => {
      const { id, name, value, tagName } = document.activeElement;
      return id || (name ? `${name}=${value}` : tagName);
    });
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the number" });
    assert.ok(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().top >= 0));
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "number");

    // Every control is reached in the order of the page, and shows that it has the focus.
    const order = ["tile=0", "seed", "new-seed", "previous", "index", "next", "verify", "copy", "save-png", "scale",
      "slider-0"];
    for (const expected of order) {
      await page.keyboard.press("Tab");
      assert.equal(await focused(), expected);
      const isShown = await page.evaluate(() => {
        const outlined = (element) => getComputedStyle(element).outlineStyle !== "none";
        return outlined(document.activeElement) || outlined(document.activeElement.closest("label") ?? document.body);
      });
      assert.ok(isShown, `${expected} shows no focus`);
    }

    // The next image by an arrow key; the sliders follow.
    await page.getByRole("radio", { name: /^Image 1: 2, read as 2 with confidence/ }).focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector("#reshape-note").textContent.includes("image 2, “0”"));
    await page.getByRole("slider").first().press("ArrowUp");
    await page.waitForFunction(() => location.hash.includes("&z=1:"));
    await ready(page);
    assert.match(await page.getByRole("radio", { name: /^Image 2/ }).getAttribute("aria-label"), /reshaped$/);

    // Every control has a name, and names are unique where there is one alone.
    const nameless = await page.evaluate(() => (
      [...document.querySelectorAll("input, select, button, a")].filter((control) => (
        !(control.getAttribute("aria-label") ?? control.labels?.[0]?.textContent ?? control.textContent).trim()
      )).map((control) => control.outerHTML)
    ));
    assert.deepEqual(nameless, []);
    for (const name of ["Draw", "Reshape", "In motion", "Data set"]) {
      assert.equal(await page.getByRole("region", { name, exact: true }).count(), 1, name);
    }

    // What can't be drawn is said, and what was drawn stays.
    await page.locator("#number").fill("20x4");
    assert.equal(await page.locator("#number").getAttribute("aria-invalid"), "true");
    const problem = page.getByRole("status").filter({ hasText: "among" });
    assert.match(await problem.textContent(), /“x” is not among .*, 0 to 9\./);
    assert.match(page.url(), /draw=2024/);
    await page.locator("#number").fill("31");
    assert.equal(await page.locator("#number").getAttribute("aria-invalid"), "false");
    await ready(page);
    await page.locator("#seed").fill("18446744073709551616");
    assert.equal(await page.locator("#seed").getAttribute("aria-invalid"), "true");
    await page.locator("#seed").fill("8");
    await ready(page);

    // Dark and light: the system's, then the switch's, which is kept. Text is readable in both.
    const theme = page.getByRole("button", { name: "Dark" });
    assert.equal(await theme.getAttribute("aria-pressed"), "false");
    assert.deepEqual(await faint(page), []);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.locator("#theme[aria-pressed=true]").waitFor();
    assert.deepEqual(await faint(page), []);
    await theme.press("Enter");
    await page.reload();
    await ready(page);
    assert.equal(await theme.getAttribute("aria-pressed"), "false");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");

    const phone = await open(browser, "#draw=1234567890123456&seed=7&index=0", {
      viewport: { width: 320, height: 568 }, isMobile: true, hasTouch: true, colorScheme: "dark",
    });
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the phone");
    const small = await phone.evaluate(() => (
      [...document.querySelectorAll("button, select, input[type=range], .button")]
        .filter((control) => control.offsetParent && control.offsetHeight < 40)
        .map((control) => control.outerHTML)
    ));
    assert.deepEqual(small, []);
    const before = (await plate(phone)).pixels;
    const box = await phone.getByRole("slider").first().boundingBox();
    await phone.getByRole("slider").first().tap({ position: { x: box.width - 12, y: box.height / 2 } });
    await phone.waitForFunction(() => location.hash.includes("&z=0:"));
    await ready(phone);
    assert.ok(!isDeepStrictEqual((await plate(phone)).pixels, before), "it stayed as it was");
  },

  /** Models of other things: classes with names, and none. */
  async other_models(browser) {
    const plain = await open(browser, "#draw=&seed=7&index=3&model=plain");
    assert.equal(await plain.getByLabel("Model").inputValue(), "plain");
    const page = await open(browser, "#draw=long&seed=7&index=3&model=tiny");
    assert.ok(await page.locator("#number").isHidden());
    assert.equal(await page.getByLabel("Class", { exact: true }).inputValue(), "long");
    await leave("long", await plate(page));
    await page.getByLabel("Class", { exact: true }).selectOption("short");
    await page.waitForFunction(() => location.hash.includes("draw=short"));
    await ready(page);
    await leave("short", await plate(page));
    await page.getByLabel("Model").selectOption("plain");
    await page.waitForFunction(() => location.hash.includes("model=plain"));
    await ready(page);
    assert.ok(await page.getByLabel("Class", { exact: true }).isHidden());
    await leave("plain", await plate(page));
    await page.getByRole("slider").first().press("Home");
    await page.waitForFunction(() => location.hash.includes("&z=0:"));
    await ready(page);
  },

  /** The picture in docs/serving.md. */
  async screenshot(browser) {
    const page = await open(browser, "#draw=2024&seed=7&index=3", {
      viewport: { width: 1100, height: 700 }, reducedMotion: "reduce",
    });
    await page.screenshot({ path: path.join(folder, "serving.png") });
  },
};

/** Texts with less contrast than 4.5 to 1 (WCAG 2.2, 1.4.3). */
function faint(page) {
  return page.evaluate(() => {
    const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
    const luminance = (colour) => {
      const [r, g, b] = channels(colour).map((value) => (
        value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
      ));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      const { backgroundColor } = getComputedStyle(element);
      const isOpaque = (channels(backgroundColor)[3] ?? 1) === 1;
      return isOpaque || !element.parentElement ? backgroundColor : behind(element.parentElement);
    };
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.offsetParent && !element.disabled && !element.closest(".skip"))
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
      .map((element) => {
        const [a, b] = [getComputedStyle(element).color, behind(element)].map(luminance);
        return [element, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
      })
      .filter(([, contrast]) => contrast < 4.5)
      .map(([element, contrast]) => `${contrast.toFixed(2)}: ${element.outerHTML}`);
  });
}

await run(scenarios[scenario], address);
