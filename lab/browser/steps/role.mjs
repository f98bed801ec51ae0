// The page of the role: switchover and maintenance with their consequences before and the new
// roles after.
import { expect, look, says } from "../drive.mjs";

async function move(from, to, name) {
  await from.goto(new URL("/role", from.url()).href);
  const button = from.getByRole("button", { name: `Make ${name} active` });
  // The other node must be ready for it first.
  for (let tries = 0; tries < 20; tries += 1) {
    await button.click();
    await from.locator("#notice").waitFor({ timeout: 20000 });
    if (await from.locator("#notice.good").count()) break;
    await from.waitForTimeout(500);
    await from.goto(new URL("/role", from.url()).href);
  }
  const said = await from.locator("#notice").textContent();
  expect(said.includes(`The role has moved. ${name} carries the traffic`), `switchover: ${said}`);
  await to.goto(new URL("/role", to.url()).href);
  await to.getByRole("button", { name: /^Make .* active$/ }).waitFor();
}

// The outage of that move, once both nodes' events are together.
async function measured(page) {
  const outage = page.locator("#last-outage");
  const move = page.locator("#last-move");
  for (let tries = 0; tries < 40; tries += 1) {
    if (await move.count() && /gw-a → gw-b/.test(await move.innerText()) && /\d/.test(await outage.innerText())) break;
    await page.waitForTimeout(500);
    await page.goto(new URL("/role", page.url()).href);
  }
  expect(/gw-a → gw-b, switchover/.test(await move.innerText()), `the last move: ${await move.innerText()}`);
  expect(/\d/.test(await outage.innerText()), `its outage: ${await outage.innerText()}`);
}

async function maintenance(page) {
  await page.goto(new URL("/role", page.url()).href);
  await page.getByLabel("For at most").selectOption("30");
  await page.getByRole("button", { name: "Begin maintenance" }).click();
  await page.getByText("gw-b is in maintenance, for 30 min").waitFor({ timeout: 20000 });
  await look(page, "role-maintenance");
  const back = says(page, "gw-b", "passive");
  await page.getByRole("button", { name: "End maintenance now" }).click();
  await page.getByText("Maintenance has ended").waitFor({ timeout: 20000 });
  await back;
}

export async function role({ a, b }) {
  await a.goto(new URL("/role", a.url()).href);
  await a.getByText("becomes active and takes all virtual IPs").waitFor();
  await look(a, "role");
  await b.goto(new URL("/role", b.url()).href);
  const there = await b.getByRole("main").getByRole("link", { name: "Go to gw-a" }).getAttribute("href");
  expect(there.endsWith(":8443/role"), `the passive leads to ${there}`);
  await look(b, "role-passive");
  await move(a, b, "gw-b");
  await measured(a);
  await look(a, "role-moved");
  await move(b, a, "gw-a");
  await maintenance(b);
}
