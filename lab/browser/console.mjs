// Drives Debian's Chromium through the consoles of two nodes, as a person would. Called by the
// tests with: the folder for pictures, both consoles' addresses, a set-up token. Ends with 1
// and says why when something is not as it should be.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [folder, here, there, token] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "correct horse battery";
const FORMS = [
  ["light-desktop", "light", { width: 1280, height: 900 }],
  ["dark-desktop", "dark", { width: 1280, height: 900 }],
  ["light-phone", "light", { width: 390, height: 844 }],
  ["dark-phone", "dark", { width: 390, height: 844 }],
];
const wrong = [];
const expect = (good, what) => { if (!good) wrong.push(what); };

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });

async function open(address) {
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    // A refused form is told there too.
    if (message.type() === "error" && !/status of (401|403|404|409|422)/.test(message.text())) {
      wrong.push(`${page.url()}: ${message.text()}`);
    }
  });
  await page.goto(address);
  return page;
}

// Looks at a page in every form: a picture, no violation of accessibility, nothing beside the
// screen.
async function look(page, name) {
  for (const [form, colorScheme, size] of FORMS) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize(size);
    await page.waitForTimeout(150);
    await page.screenshot({ path: join(folder, `${name}-${form}.png`), fullPage: true });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over <= 0, `${name}, ${form}: ${over} px wider than the screen`);
    await page.evaluate(axe);
    const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const one of result.violations) {
      const at = one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ");
      wrong.push(`${name}, ${form}: ${one.id}: ${one.help} (${at})`);
    }
  }
  // 200 % of a desktop is half of its width.
  await page.setViewportSize({ width: 640, height: 450 });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over <= 0, `${name} at 200 %: ${over} px wider than the screen`);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function setUp() {
  const page = await open(here);
  expect(page.url().endsWith("/set-up"), `a fresh node leads to ${page.url()}`);
  await look(page, "set-up");
  await page.getByLabel("Set-up token").fill(token);
  await page.getByLabel("Your name").fill("Anna!");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("The same password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the administrator" }).click();
  await page.getByText("a name has 1 to 32").first().waitFor();
  expect(await page.getByLabel("Set-up token").inputValue() === token, "the token was lost");
  await page.getByLabel("Your name").fill("anna");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("The same password again").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "gw-a" }).waitFor();
  return page;
}

async function signIn() {
  const page = await open(there);
  // The account comes with the configuration.
  for (let tries = 0; page.url().endsWith("/set-up") && tries < 50; tries += 1) {
    await page.waitForTimeout(200);
    await page.goto(there);
  }
  await look(page, "sign-in");
  await page.getByLabel("Name").fill("anna");
  await page.getByLabel("Password").fill("wrong horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("do not belong together").waitFor();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "gw-b" }).waitFor();
  return page;
}

const ask = (page, method, path) => page.evaluate(async ([method, path]) => {
  const csrf = document.querySelector("input[name=csrf]").value;
  const answer = await fetch(path, { method, headers: { "x-csrf-token": csrf } });
  return { status: answer.status, body: await answer.json() };
}, [method, path]);

// When the console of a page first says that this node is so, by this machine's clock.
const says = (page, name, word) => page.waitForFunction(
  ([name, word]) => document.getElementById("announce").textContent.includes(`${name} is ${word}`) && Date.now(),
  [name, word], { timeout: 20000, polling: 20 },
).then((handle) => handle.jsonValue());

async function switchover(a, b) {
  const seen = [[a, "gw-b", "active"], [b, "gw-b", "active"], [a, "gw-a", "passive"]].map((it) => says(...it));
  const order = await ask(a, "POST", "/api/v1/switchover");
  expect(order.status === 200, `switchover: ${JSON.stringify(order)}`);
  const moments = await Promise.all(seen);
  const events = (await ask(b, "GET", "/api/v1/events?last=50")).body.events;
  const moved = events.findLast((event) => / -> active/.test(event.text)).unix_ms;
  const late = moments.map((moment) => moment - moved);
  console.log(`shown ${late.join(", ")} ms after the role was there`);
  expect(Math.max(...late) <= 1000, `shown too late: ${late} ms`);
}

async function outOfSync(page) {
  await page.getByText("Out of sync:").waitFor({ timeout: 20000 });
  await look(page, "dashboard-out-of-sync");
}

async function switchoverBack(a, b) {
  const back = [says(a, "gw-a", "active"), says(b, "gw-a", "active")];
  // The other node must be ready for it first.
  for (let tries = 0; tries < 40; tries += 1) {
    const order = await ask(b, "POST", "/api/v1/switchover");
    if (order.status === 200) break;
    await b.waitForTimeout(250);
  }
  await Promise.all(back);
}

// A wait that nobody waits for any more, after another one failed.
process.on("unhandledRejection", (error) => wrong.push(String(error)));

try {
  const a = await setUp();
  const b = await signIn();
  await a.waitForTimeout(4000);
  await look(a, "dashboard");
  const url = await a.getByRole("link", { name: /Go to/ }).getAttribute("href");
  expect(url === `${there}/`, `the other console is said to be at ${url}`);
  await a.keyboard.press("Tab");
  expect(await a.evaluate(() => document.activeElement.className) === "skip", "the first stop is not the way to the content");
  await switchover(a, b);
  await switchoverBack(a, b);
  const missing = await open(`${here}/nothing`);
  await look(missing, "failed");
  // What the passive alone has is no longer the pair's.
  writeFileSync(process.env.PASSIVE_FILE, "# changed\n");
  await outOfSync(a);
  await a.locator("details.menu summary").click();
  await a.getByRole("button", { name: "Sign out", exact: true }).click();
  await a.waitForURL("**/sign-in");
} catch (error) {
  wrong.push(error.stack);
}

await browser.close();
wrong.forEach((line) => console.error(line));
process.exit(wrong.length ? 1 : 0);
