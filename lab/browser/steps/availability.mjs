// System > High availability as a person uses it: settings shown before they are applied, wrong
// ones, two administrators at once, the present address made virtual, off and on, and a failover
// by what was just applied.
import { execFileSync } from "node:child_process";
import { PASSWORD, ask, browser, expect, here, look, says, there } from "../drive.mjs";
import { narrow } from "../narrow.mjs";

const PATH = "/high-availability";
const field = (page, key) => page.locator(`[id="${key}"]`);
const press = (page, name) => page.getByRole("button", { name, exact: true }).filter({ visible: true }).last().click();
const settings = async (page) => (await ask(page, "GET", "/api/v1/ha")).body.settings;

async function open(page, home) {
  await page.goto(`${home}${PATH}`);
  await page.getByRole("heading", { name: "High availability", exact: true }).waitFor();
}

async function apply(page) {
  await press(page, "Apply…");
  await page.getByRole("heading", { name: "Apply these changes?" }).waitFor();
  await press(page, "Apply now");
  await page.getByText(/is in use on both nodes/).waitFor();
}

async function bothHave(a, b, good, what) {
  for (const page of [a, b]) {
    const has = await settings(page);
    expect(good(has), `${what} is not on ${page.url()}: ${JSON.stringify(has)}`);
  }
}

async function anInterval(a, b) {
  await a.getByRole("link", { name: "High availability" }).click();
  await a.getByRole("heading", { name: "High availability", exact: true }).waitFor();
  await look(a, "high-availability");
  await narrow(a, "high-availability");
  await field(a, "heartbeat.interval").fill("0.5");
  expect(await a.locator("#detection").innerText() === "1.5 s", "the detection time does not follow");
  await field(a, "heartbeat.threshold").fill("6");
  await field(a, "heartbeat.interval").fill("90");
  await field(a, "interface.lan.virtual").fill("10.1.0.1/24\n10.9.0.1/24");
  await press(a, "Apply…");
  await a.locator("#refused").waitFor();
  await look(a, "high-availability-wrong");
  expect(await field(a, "heartbeat.interval").getAttribute("aria-invalid") === "true", "no mistake at the interval");
  expect(await field(a, "heartbeat.threshold").inputValue() === "6", "what was typed is lost");
  await a.locator("#refused").getByRole("link", { name: "Heartbeat interval" }).click();
  expect(a.url().endsWith("#heartbeat.interval"), "the mistake does not lead to its field");
  await field(a, "heartbeat.interval").fill("0.5");
  await field(a, "interface.lan.virtual").fill("10.1.0.1/24");
  await press(a, "Apply…");
  await a.getByRole("heading", { name: "Apply these changes?" }).waitFor();
  await look(a, "high-availability-preview");
  await press(a, "Back to what I typed");
  expect(await field(a, "heartbeat.interval").inputValue() === "0.5", "the way back loses what was typed");
  await apply(a);
  await bothHave(a, b, (it) => it.heartbeat.interval_s === 0.5 && it.heartbeat.threshold === 6, "the interval");
  await field(a, "heartbeat.interval").fill("7");
  await a.getByRole("link", { name: "Reset" }).click();
  await a.waitForFunction(() => document.getElementById("heartbeat.interval")?.value === "0.5");
}

async function twoAtOnce(a, b) {
  await open(a, here);
  await open(b, there);
  await field(a, "heartbeat.interval").fill("0.4");
  await field(a, "ping.targets").fill("192.0.2.1");
  await field(b, "heartbeat.interval").fill("0.3");
  await field(b, "heartbeat.threshold").fill("4");
  await apply(b);
  await press(a, "Apply…");
  await a.getByText(/changed the settings meanwhile/).waitFor();
  await look(a, "high-availability-conflict");
  const values = await Promise.all(["heartbeat.interval", "heartbeat.threshold", "ping.targets"].map((key) => field(a, key).inputValue()));
  expect(values.join() === "0.4,4,192.0.2.1", `the fields have ${values}`);
  expect(await field(a, "heartbeat.interval-theirs").isVisible(), "the other's value is not shown");
  await field(a, "ping.targets").fill("");
  await apply(a);
  await bothHave(a, b, (it) => it.heartbeat.interval_s === 0.4 && it.heartbeat.threshold === 4, "what both entered");
}

async function presentAddress(a, b) {
  await open(a, here);
  const row = field(a, "interface.dmz");
  await row.getByRole("button", { name: /Use the present address/ }).click();
  await a.getByText(/present address is the virtual IP now/).waitFor();
  expect(await field(a, "interface.dmz.virtual").inputValue() === "10.2.0.1/24", "it is not virtual");
  await a.waitForFunction(() => document.activeElement.id === "interface.dmz.primary");
  await field(a, "interface.dmz.primary").fill("10.2.0.2/24");
  await field(a, "interface.dmz.secondary").fill("10.2.0.3/24");
  await field(a, "interface.dmz.watch").check();
  await field(a, "heartbeat.interval").fill("0.1");
  await press(a, "Apply…");
  await a.getByText("/etc/network/interfaces").first().waitFor();
  await look(a, "high-availability-addresses");
  await press(a, "Apply now");
  await a.getByText(/is in use on both nodes/).waitFor();
  const has = (it) => it.interfaces.some((one) => one.name === "dmz" && one.watch && one.virtual.join() === "10.2.0.1/24");
  await bothHave(a, b, has, "the address of the DMZ");
}

// What was applied decides: the watched interface goes, and the survivor shows it.
async function failover(a, b) {
  await Promise.all([a.goto(here), b.goto(there)]);
  await Promise.all([says(a, "gw-b", "passive"), says(b, "gw-b", "passive")]);
  const cable = (state) => execFileSync("ip", ["-n", process.env.NAMESPACE_A, "link", "set", "dmz", state]);
  const seen = says(b, "gw-b", "active");
  cable("down");
  const shown = await seen;
  const events = (await ask(b, "GET", "/api/v1/events?last=50")).body.events;
  const moved = events.findLast((event) => / -> active/.test(event.text)).unix_ms;
  console.log(`the survivor showed it ${shown - moved} ms after the role was there`);
  expect(shown - moved <= 1000, `shown ${shown - moved} ms after the failover`);
  await b.waitForFunction(() => document.getElementById("picture").textContent.includes("down"));
  cable("up");
  for (let tries = 0; tries < 80; tries += 1) {
    const order = await ask(b, "POST", "/api/v1/switchover");
    if (order.status === 200) break;
    await b.waitForTimeout(250);
  }
  // By its own word: what a page shows may be from before.
  for (let tries = 0; tries < 80; tries += 1) {
    const { here: own, there: other } = (await ask(a, "GET", "/api/v1/dashboard")).body;
    if (own.status === "active" && other?.status === "passive") return;
    await a.waitForTimeout(250);
  }
  expect(false, "gw-a is not active again");
}

async function before(a) {
  await open(a, here);
  await a.getByRole("button", { name: "Restore… version 1", exact: true }).click();
  await a.getByRole("heading", { name: "Put version 1 of the settings back?" }).waitFor();
  await look(a, "high-availability-restore");
  await press(a, "Put it back");
  await a.getByText(/is in use on both nodes/).waitFor();
  expect((await settings(a)).heartbeat.interval_s === 1, "version 1 is not back");
}

async function turned(page, begin, question, confirm, state) {
  await open(page, here);
  await press(page, begin);
  await page.getByRole("heading", { name: question }).waitFor();
  await look(page, `high-availability-${state}`);
  await press(page, confirm);
  await page.waitForURL("**/progress/*");
  await page.getByRole("link", { name: "To the dashboard" }).waitFor({ timeout: 60000 });
  expect(await page.getByText("done", { exact: true }).isVisible(), `it was not ${state}`);
  await look(page, `high-availability-progress-${state}`);
  await open(page, here);
  await page.locator("#ha-state").getByText(state, { exact: true }).waitFor();
}

// A viewer sees everything, and can change nothing.
async function asViewer(a) {
  const made = await ask(a, "POST", "/api/v1/accounts", { name: "ben", role: "viewer", password: PASSWORD });
  expect(made.status === 200, `no account: ${JSON.stringify(made)}`);
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
  const page = await context.newPage();
  await page.goto(`${here}/sign-in`);
  await page.getByLabel("Name").fill("ben");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "gw-a" }).waitFor();
  await open(page, here);
  expect(await field(page, "heartbeat.interval").isDisabled(), "a viewer may type");
  expect(await page.getByRole("button", { name: "Apply…" }).count() === 0, "a viewer may apply");
  await look(page, "high-availability-viewer");
  await context.close();
  const removed = await ask(a, "DELETE", "/api/v1/accounts/ben");
  expect(removed.status === 200, `ben stays: ${JSON.stringify(removed)}`);
}

export async function availability({ a, b }) {
  await anInterval(a, b);
  await twoAtOnce(a, b);
  await presentAddress(a, b);
  await failover(a, b);
  await asViewer(a);
  await before(a);
  await turned(a, "Disable…", "Turn high availability off?", "Turn it off", "disabled");
  await turned(a, "Enable…", "Turn high availability on?", "Turn it on", "enabled");
  await Promise.all([a.goto(here), b.goto(there)]);
  await Promise.all([says(a, "gw-a", "active"), says(a, "gw-b", "passive"), says(b, "gw-a", "active")]);
}
