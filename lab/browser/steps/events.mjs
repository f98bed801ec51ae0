// Events of both nodes with their filters, and the report of a switchover with its outage on
// both consoles.
import { ask, expect, here, look, says, there } from "../drive.mjs";

// The other node must be ready for it first.
async function move(from, to, name) {
  const moved = says(to, name, "active");
  for (let tries = 0; tries < 60; tries += 1) {
    const order = await ask(from, "POST", "/api/v1/switchover");
    if (order.status === 200) break;
    await from.waitForTimeout(250);
  }
  await moved;
}

async function complete(page, to) {
  for (let tries = 0; tries < 80; tries += 1) {
    const [report] = (await ask(page, "GET", "/api/v1/failovers?last=1")).body;
    if (report?.complete && report.to === to) return report;
    await page.waitForTimeout(250);
  }
  throw new Error(`no complete report of a move to ${to}`);
}

async function report(page, at, id, name) {
  await page.goto(at);
  const last = page.locator("#last-failover");
  await last.getByText("gw-a → gw-b").waitFor({ timeout: 15000 });
  expect(/outage/.test(await page.locator(".last-move").innerText()), "the dashboard says no outage");
  await last.click();
  await page.waitForURL(`**/failovers/${id}`);
  await page.getByRole("heading", { name: "Switchover: gw-a → gw-b" }).waitFor();
  const nodes = await page.locator("table.log td.node").allInnerTexts();
  expect(nodes.includes("gw-a") && nodes.includes("gw-b"), `only ${nodes} on the time line`);
  expect(await page.getByText("a switchover was ordered").count() > 0, "no reason");
  if (name) await look(page, name);
}

export async function events({ a, b }) {
  await a.goto(`${here}/events`);
  await b.goto(there);
  await move(a, b, "gw-b");
  // Nobody reads a list that moves: it says that there is more.
  await a.getByText("Something new has happened").waitFor({ timeout: 10000 });
  const [one, other] = await Promise.all([complete(a, "gw-b"), complete(b, "gw-b")]);
  expect(one.id === other.id && one.outage.ms < 100, `${JSON.stringify(one.outage)} ${one.id} ${other.id}`);
  console.log(`outage of the switchover: ${one.outage.ms} ms, here ${other.outage.ms} ms there`);
  await a.goto(`${here}/events`);
  await look(a, "events");
  await a.getByLabel("Node", { exact: true }).selectOption({ label: "gw-b" });
  await a.getByLabel("What about").selectOption({ label: "Role" });
  await a.getByRole("button", { name: "Show" }).click();
  await a.waitForURL("**/events?node=there&kind=role");
  const nodes = new Set(await a.locator("table.log td.node").allInnerTexts());
  expect(nodes.size === 1 && nodes.has("gw-b"), `filtered by gw-b: ${[...nodes]}`);
  await report(a, here, one.id, "failover");
  await report(b, there, one.id);
  const gone = await a.goto(`${here}/failovers/nothing-9`);
  expect(gone.status() === 404, `an unknown report: ${gone.status()}`);
  await a.goto(here);
  await b.goto(there);
  await move(b, a, "gw-a");
}
