// The dashboard: both consoles show a switchover at once, and what is out of sync.
import { writeFileSync } from "node:fs";
import { ask, expect, here, look, open, says, there } from "../drive.mjs";
import { narrow } from "../narrow.mjs";

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
  await page.locator("#banner").getByText("Out of sync:", { exact: true }).waitFor({ timeout: 20000 });
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

// A pair that has just met knows a moment later how it stands.
async function settled(page) {
  for (let tries = 0; tries < 80; tries += 1) {
    if ((await ask(page, "GET", "/api/v1/readiness")).body.ready) return;
    await page.waitForTimeout(100);
  }
  expect(false, "the pair does not get ready");
}

export async function dashboard({ a, b }) {
  await settled(a);
  await look(a, "dashboard");
  await narrow(a, "dashboard");
  const url = await a.getByRole("link", { name: /Go to/ }).getAttribute("href");
  expect(url === `${there}/`, `the other console is said to be at ${url}`);
  await a.keyboard.press("Tab");
  expect(await a.evaluate(() => document.activeElement.className) === "skip", "the first stop is not the way to the content");
  await switchover(a, b);
  await switchoverBack(a, b);
  const missing = await open(`${here}/nothing`);
  await look(missing, "failed");
  await missing.close();
}

export async function differing({ a }) {
  // What the passive alone has is no longer the pair's.
  writeFileSync(process.env.PASSIVE_FILE, "# changed\n");
  await outOfSync(a);
}
