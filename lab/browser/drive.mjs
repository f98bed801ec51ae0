// What every step has: a browser, how a page is opened, looked at and asked.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const [folder, here, there, token] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PASSWORD = "correct horse battery";
const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
// The last word says where axe looks: in both colours and in both sizes once.
const FORMS = [
  ["light-desktop", "light", DESKTOP, true],
  ["dark-desktop", "dark", DESKTOP, false],
  ["dark-phone", "dark", PHONE, true],
  ["light-phone", "light", PHONE, false],
];
export const wrong = [];
// How many pages were looked at, and how long that took.
export const looked = { pages: 0, ms: 0 };
export const expect = (good, what) => { if (!good) wrong.push(what); };

mkdirSync(folder, { recursive: true });
export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
export const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });

export async function open(address) {
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    // A refused form is told there too.
    if (message.type() === "error" && !/status of (401|403|404|409|422)/.test(message.text())) {
      wrong.push(`${page.url()}: ${message.text()}`);
    }
  });
  await reach(page, address);
  return page;
}

// An address that its namespace gets late counts as another network, and ends what is loading.
async function reach(page, address) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await page.goto(address);
    } catch (error) {
      if (tries === 10 || !/ERR_NETWORK_CHANGED/.test(error.message)) throw error;
      await page.waitForTimeout(500);
    }
  }
}

// Looks at a page in every form: a picture, nothing beside the screen, and in two of them no
// violation of accessibility. Leaves it as it was.
export async function look(page, name) {
  const began = Date.now();
  let size;
  for (const [form, colorScheme, wanted, checked] of FORMS) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    if (size !== wanted) await page.setViewportSize(size = wanted);
    await page.screenshot({ path: join(folder, `${name}-${form}.png`), fullPage: true });
    await fits(page, `${name}, ${form}`);
    if (wanted === DESKTOP) await whole(page, `${name}, ${form}`);
    else await compact(page, `${name}, ${form}`);
    if (checked) await accessible(page, `${name}, ${form}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  // 200 % of a desktop is half of its width.
  await page.setViewportSize({ width: 640, height: 450 });
  await fits(page, `${name} at 200 %`);
  await page.setViewportSize(DESKTOP);
  looked.pages += 1;
  looked.ms += Date.now() - began;
}

async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over <= 0, `${what}: ${over} px wider than the screen`);
}

// Heads of tables, and names of nodes, sources and services are never split inside a word; in a
// head a hyphen may end a line.
async function whole(page, what) {
  const split = await page.evaluate(() => {
    const lines = (text, at, end) => {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, end);
      return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
    };
    const found = [];
    for (const cell of document.querySelectorAll("thead th, td.node, td.source, tbody th:not(.free)")) {
      const words = cell.tagName === "TD" ? /\S+/g : /[^\s-]+/g;
      const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const text = walk.currentNode;
        if (text.parentElement.closest(".path, .sr")) continue;
        for (const { 0: word, index } of text.data.matchAll(words)) {
          if (word.length <= 20 && lines(text, index, index + word.length) > 1) found.push(word);
        }
      }
    }
    return found;
  });
  expect(split.length === 0, `${what}: split inside a word: ${split.join(", ")}`);
}

// What every page begins with leaves a phone's screen to what the page is about.
async function compact(page, what) {
  const taken = await page.evaluate(() => ["header.bar", "nav.places", "nav.places-small"]
    .reduce((sum, part) => sum + (document.querySelector(part)?.offsetHeight ?? 0), 0));
  expect(taken <= 150, `${what}: head and menu take ${taken} px`);
}

export async function accessible(page, what) {
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const one of result.violations) {
    const at = one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ");
    wrong.push(`${what}: ${one.id}: ${one.help} (${at})`);
  }
}

// Asks the API as the page's script could.
export const ask = (page, method, path, body) => page.evaluate(async ([method, path, body]) => {
  const csrf = document.querySelector("input[name=csrf]").value;
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { "x-csrf-token": csrf, "content-type": "application/json" };
  const answer = await fetch(path, { method, headers, ...sent });
  return { status: answer.status, body: await answer.json() };
}, [method, path, body]);

// When the console of a page first says that this node is so, by this machine's clock.
export const says = (page, name, word) => page.waitForFunction(
  ([name, word]) => document.getElementById("announce").textContent.includes(`${name} is ${word}`) && Date.now(),
  [name, word], { timeout: 20000, polling: 20 },
).then((handle) => handle.jsonValue());
