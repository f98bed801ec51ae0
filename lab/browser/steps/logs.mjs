// The logs of both nodes on one page: filters, a page of older lines, lines that come, and one that
// tries to be more than a text.
import { appendFileSync } from "node:fs";
import { expect, here, look } from "../drive.mjs";

const file = process.env.LOG_FILE;
const said = (page) => page.locator("#log-rows code").allInnerTexts();

function write(...lines) {
  appendFileSync(file, lines.map((line) => `${line}\n`).join(""));
}

// A line is read, kept and replicated before a page can show it.
async function until(page, address, text) {
  for (let tries = 0; tries < 60; tries += 1) {
    await page.goto(address);
    if ((await said(page)).some((line) => line.includes(text))) return;
    await page.waitForTimeout(500);
  }
  throw new Error(`no line with ${text} at ${address}`);
}

async function filters(page) {
  await page.getByLabel("Node", { exact: true }).selectOption({ label: "gw-a" });
  await page.getByLabel("Source", { exact: true }).selectOption({ label: "gateway" });
  await page.getByLabel("Text", { exact: true }).fill("NUMBER 7");
  await page.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/node=here&source=gateway&text=NUMBER\+7/);
  const found = await said(page);
  expect(found.length === 1 && found[0].includes("number 7 of"), `filtered by text: ${found}`);
  await page.getByLabel("Text", { exact: true }).fill("number (");
  await page.getByLabel("Regular expression").check();
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("#text-wrong").waitFor();
  await look(page, "logs-wrong");
  await page.getByLabel("Text", { exact: true }).fill("number [78] of");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("number 8 of").waitFor();
  expect((await said(page)).length === 2, `filtered by expression: ${await said(page)}`);
  const later = new Date(Date.now() + 86400000).toISOString().slice(0, 16);
  await page.getByLabel("From").fill(later);
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("No line of this kind is kept").waitFor();
  await page.getByRole("link", { name: "Everything" }).click();
  await page.waitForURL("**/logs");
}

async function older(page) {
  write(...Array.from({ length: 150 }, (_, index) => `page ${index} of lines`));
  await until(page, `${here}/logs?text=page`, "page 149 of lines");
  const first = await said(page);
  await page.getByRole("link", { name: "Older" }).click();
  await page.waitForURL("**before=**");
  const second = await said(page);
  const all = new Set([...first, ...second].map((line) => line.match(/page \d+/)[0]));
  expect(first.length === 100 && second.length === 50 && all.size === 150,
    `${first.length} and ${second.length} lines, ${all.size} different ones`);
  await page.getByRole("link", { name: "Newest" }).click();
  await page.getByText("page 149 of lines").waitFor();
}

// By the keyboard alone.
async function tail(page) {
  await page.goto(`${here}/logs?source=gateway`);
  await page.getByRole("link", { name: "Follow" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("New lines come on top").waitFor();
  await page.waitForLoadState("networkidle").catch(() => {});
  const began = Date.now();
  write("here comes a line");
  await page.getByText("here comes a line").waitFor({ timeout: 15000 });
  console.log(`a line was in the tail after ${Date.now() - began} ms`);
  const top = (await said(page))[0];
  expect(top.includes("here comes a line"), `on top is ${top}`);
  write(...Array.from({ length: 300 }, (_, index) => `flood ${index}`));
  await page.getByText("flood 299", { exact: true }).waitFor({ timeout: 15000 });
  const rows = await page.locator("#log-rows tr").count();
  expect(rows <= 200, `${rows} rows in the tail`);
  const twice = await said(page);
  expect(new Set(twice).size === twice.length, "a line is in the tail twice");
  await page.getByRole("link", { name: "Stop" }).click();
  await page.waitForURL((address) => address.pathname === "/logs" && !address.search.includes("follow"));
}

// One line that is as long as a book stands folded, and is seen whole by one click.
async function long(page) {
  write(`long ${"x".repeat(200000)} its end`);
  await until(page, `${here}/logs?text=its+end`, "long xxx");
  const row = page.locator("#log-rows tr").first();
  const height = async () => (await row.boundingBox()).height;
  const closed = await height();
  expect(closed < 200, `a long line takes ${closed} px`);
  await look(page, "logs-long");
  await row.locator("summary").focus();
  await page.keyboard.press("Enter");
  const whole = row.locator("details > code");
  await whole.waitFor();
  expect((await whole.innerText()).endsWith("x its end"), "the whole line ends elsewhere");
  expect(await height() > 2000, "the line is not shown whole");
}

export async function logs({ a, b }) {
  if (!file) throw new Error("LOG_FILE says where the log is");
  const now = new Date().toISOString();
  write(
    ...Array.from({ length: 10 }, (_, index) => `${now} gw-a test: number ${index} of ten`),
    `${now} gw-a dnsmasq-dhcp[812]: DHCPACK(lan) 10.1.0.77 08:00:27:aa:bb:cc laptop`,
    `${now} gw-a test: <img src=x onerror="document.title='broken'"> \u001b[2J \u202e end`,
  );
  await until(a, `${here}/logs`, "<img src=x");
  expect((await a.title()).startsWith("Logs"), `the title is ${await a.title()}`);
  expect(await a.locator("#log-rows img").count() === 0, "a line became a part of the page");
  expect((await said(a)).some((line) => line.includes("\\x1b[2J \\u{202e} end")), "controls are not written out");
  const known = await a.locator("#log-rows .known").first().innerText();
  for (const part of ["lease granted", "10.1.0.77", "08:00:27:aa:bb:cc", "laptop"]) {
    expect(known.includes(part), `the lease lacks ${part}: ${known}`);
  }
  await look(a, "logs");
  await filters(a);
  await older(a);
  await tail(a);
  await long(a);
  // The other node has them too.
  await until(b, new URL("/logs?node=there&text=number+9", b.url()).href, "number 9 of ten");
  const nodes = new Set(await b.locator("#log-rows td.node").allInnerTexts());
  expect(nodes.size === 1 && nodes.has("gw-a"), `of ${[...nodes]}`);
  const from = new URL("/", b.url()).href;
  await a.goto(here);
  await b.goto(from);
}
