// Synchronisation: out of sync on every page, the choice of a direction with its preview, a
// forced synchronisation seen on both consoles, what is refused meanwhile, history, restore.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { ask, expect, here, look, there } from "../drive.mjs";
import { narrow } from "../narrow.mjs";

const file = process.env.PASSIVE_FILE, slow = process.env.SLOW_FILE;

// The active node has no such file, so that taking its configuration over removes it.
const content = () => existsSync(file) ? readFileSync(file, "utf8") : "";

const headline = (page, text) => page.locator("#sync-headline").getByText(text)
  .waitFor({ timeout: 20000 });

async function outOfSync(a, b) {
  writeFileSync(file, "02:00:00:00:00:09 10.1.0.9\n");
  // The banner stands on every page of both, with a button and no command line.
  for (const [page, at] of [[a, `${here}/events`], [b, `${there}/`]]) {
    await page.goto(at);
    const strip = page.locator("#banner .strip", { hasText: "Out of sync" });
    await strip.waitFor({ timeout: 20000 });
    expect(await strip.getByRole("link", { name: "Force sync" }).isVisible(), `no button at ${at}`);
    expect(!/twinwall sync/.test(await strip.innerText()), "the banner asks for a command");
  }
}

async function overview(a) {
  await a.goto(`${here}/sync`);
  await headline(a, "1 section is out of sync");
  const row = a.getByRole("row", { name: /Definitions/ });
  expect(/gw-b/.test(await row.locator("td").nth(1).innerText()), "the newer side is not named");
  await look(a, "sync");
  await a.getByRole("link", { name: "Definitions", exact: true }).click();
  await a.getByText("02:00:00:00:00:09").waitFor();
  await look(a, "sync-section");
}

async function choose(a) {
  await a.locator("#banner-force").click();
  await a.getByRole("heading", { name: "Whose configuration" }).waitFor();
  await look(a, "sync-direction");
  await a.getByRole("link", { name: "Preview gw-a" }).click();
  await a.getByRole("heading", { level: 1, name: "gw-a → gw-b" }).waitFor();
  expect(await a.locator(".line.del", { hasText: "02:00:00:00:00:09" }).count() === 1, "the preview lacks what is lost");
  await look(a, "sync-preview");
  await narrow(a, "sync-preview");
  // Nothing chosen changes nothing.
  await a.getByRole("checkbox", { name: "Definitions" }).uncheck();
  await a.getByRole("button", { name: "Replace on gw-b" }).click();
  await a.getByText("No section was chosen").waitFor();
  expect(content().includes("02:00:00:00:00:09"), "it was replaced all the same");
}

async function force(a, b) {
  writeFileSync(slow, "");
  await b.goto(`${there}/sync`);
  await a.getByRole("button", { name: "Replace on gw-b" }).click();
  await a.waitForURL("**/sync");
  for (const page of [a, b]) {
    await headline(page, "Forced synchronisation: 0 of 1 sections");
    await page.getByText("From gw-a to gw-b, ordered by anna").waitFor();
    await page.getByText("being validated").first().waitFor({ timeout: 10000 });
  }
  const order = await ask(b, "POST", "/api/v1/sync/definitions/restore", { version: 1 });
  expect(order.status === 409 && /anna/.test(order.body.message), `not refused meanwhile: ${JSON.stringify(order)}`);
  await look(b, "sync-progress");
  rmSync(slow);
  for (const page of [a, b]) {
    await headline(page, "Both nodes have the same configuration");
    await page.getByText("1 of 1 sections taken over and compared").waitFor();
    expect(await page.locator("#banner .strip.warn").count() === 0, "the banner stays");
  }
  expect(!content().includes("02:00:00:00:00:09"), "the file is still the old one");
  await look(a, "sync-done");
}

async function cancelled(a, b) {
  writeFileSync(file, "02:00:00:00:00:08 10.1.0.8\n");
  await a.goto(`${here}/sync`);
  await headline(a, "1 section is out of sync");
  writeFileSync(slow, "");
  await a.goto(`${here}/sync/force?direction=push`);
  await a.getByRole("button", { name: "Replace on gw-b" }).click();
  await headline(a, "Forced synchronisation");
  await a.getByRole("button", { name: "Cancel" }).click();
  await a.getByText("Cancelled: what has not begun").waitFor();
  rmSync(slow);
  // The one section had begun: it is brought to its end.
  await headline(a, "Both nodes have the same configuration");
}

async function restore(a, b) {
  await b.goto(`${there}/sync/definitions`);
  const replaced = b.getByRole("row", { name: /replaced by|changed outside/ }).first();
  await look(b, "sync-history");
  await replaced.getByRole("link", { name: /restore/ }).click();
  await b.getByRole("heading", { name: "What putting it back would change on gw-b" }).waitFor();
  await look(b, "sync-version");
  await b.getByRole("button", { name: /Put version \d+ back on gw-b/ }).click();
  await b.getByText(/Version \d+ of Definitions is in use again/).waitFor();
  expect(/02:00:00:00:00:0[89]/.test(content()), "it is not there again");
  // The active node's way again, by what the API offers.
  await b.goto(`${there}/sync`);
  await headline(b, "1 section is out of sync");
  await b.goto(`${there}/sync/force?direction=pull`);
  await b.getByRole("button", { name: "Replace on gw-b" }).click();
  await headline(b, "Both nodes have the same configuration");
}

export async function sync({ a, b }) {
  await outOfSync(a, b);
  await overview(a);
  await choose(a);
  await force(a, b);
  await cancelled(a, b);
  await restore(a, b);
  await a.goto(here);
  await b.goto(there);
}
