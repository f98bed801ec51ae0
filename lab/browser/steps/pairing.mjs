// Two fresh nodes become a pair by their consoles alone, up to the failover test and back.
import { PASSWORD, ask, context, expect, look } from "../drive.mjs";
import { narrow } from "../narrow.mjs";

const SETTLED = 60000;
const pairing = (page) => page.goto(new URL("/pairing", page.url()).href);
const heading = (page, name) => page.getByRole("heading", { name });

// The dashboard of a node without a pair leads there.
async function found({ a }) {
  await look(a, "dashboard-unpaired");
  await a.getByRole("link", { name: "Pair this node" }).click();
  await heading(a, "this node serves today").waitFor();
  expect(await a.getByRole("radio", { name: /^ha0/ }).isChecked(), "the port with a cable and no network is not chosen");
  await look(a, "pairing-unpaired");
}

async function join(page, code) {
  await page.getByLabel("Code that the other node shows").fill(code);
  await page.getByRole("button", { name: "Join the other node" }).click();
}

// What is no code is told beside its field, and stays there; a search that finds nobody is ended.
async function mistyped({ b }) {
  await pairing(b);
  await join(b, "ABCD-234");
  await b.getByText("a code has 8 signs").waitFor();
  expect(await b.getByLabel("Code that the other node shows").inputValue() === "ABCD-234", "what was typed is lost");
  await look(b, "pairing-mistyped");
  await join(b, "AAAA-AAAA");
  await b.getByText("Looking for an invitation").first().waitFor();
  await b.getByRole("button", { name: "Stop", exact: true }).click();
  await b.getByText("cancelled; nothing was changed").first().waitFor({ timeout: SETTLED });
}

// A wrong code is told on both sides, live; the right one makes the pair.
async function paired({ a, b }) {
  await a.getByRole("button", { name: "Invite the other node" }).click();
  const code = (await a.locator("#code").textContent()).trim();
  expect(/^[A-Z2-9]{4}-[A-Z2-9]{4}$/.test(code), `the code is '${code}'`);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await a.getByRole("button", { name: "Copy" }).click();
  await a.getByRole("button", { name: "Copied" }).waitFor();
  await look(a, "pairing-invitation");
  await narrow(a, "pairing-invitation");
  await join(b, code.startsWith("AAAA") ? "BBBB-BBBB" : "AAAA-AAAA");
  await a.getByText("attempts left: 2").first().waitFor({ timeout: SETTLED });
  await b.getByText("wrong code; attempts left: 2").first().waitFor({ timeout: SETTLED });
  await look(b, "pairing-wrong-code");
  // Another port than the one on which it is invited.
  await b.getByLabel("HA link").last().selectOption("lan");
  await join(b, code);
  await b.getByText("gw-a invites on ha0, not on lan").first().waitFor({ timeout: SETTLED });
  await join(b, code.toLowerCase());
  await Promise.all([a, b].map((page) => heading(page, "Paired. High availability is off").waitFor({ timeout: SETTLED })));
  await look(b, "pairing-paired");
}

// The other page's part, by the API.
async function turnedOn({ a, b }) {
  const set = await ask(a, "POST", "/api/v1/ha/set", { changes: [
    { change: "set", key: "interface.lan.primary", value: ["10.1.0.2/24"] },
    { change: "set", key: "interface.lan.secondary", value: ["10.1.0.3/24"] },
    { change: "set", key: "interface.lan.virtual", value: ["10.1.0.1/24"] },
  ], addresses_by_hand: true });
  expect(set.status === 200, `settings: ${JSON.stringify(set)}`);
  const job = await ask(a, "POST", "/api/v1/ha/enable", { addresses_by_hand: true });
  expect(job.status === 200, `turning on: ${JSON.stringify(job)}`);
  await pairing(a);
  await a.getByText("Turning high availability on").first().waitFor();
  // A page that is loaded again at the end of a job is not asked meanwhile.
  await a.goto(new URL("/", a.url()).href);
  for (let tries = 0; tries < 240; tries += 1) {
    if ((await ask(a, "GET", "/api/v1/readiness")).body.ready) break;
    await a.waitForTimeout(500);
  }
  await pairing(a);
  await heading(a, "Test the failover now").waitFor();
  await look(a, "pairing-test");
}

async function tested({ a }) {
  await a.getByRole("button", { name: "Test failover now" }).click();
  await a.getByText("gw-a hands the active role over to gw-b").first().waitFor();
  await heading(a, "Failover test").waitFor({ timeout: SETTLED });
  const outages = await a.locator(".outage").allTextContents();
  console.log(`measured: ${outages.join(", ")}`);
  expect(outages.length === 2 && outages.every((text) => /\d/.test(text)), `the test shows ${outages}`);
  await look(a, "pairing-tested");
}

// New keys while the pair serves, seen on the page of the node that leads.
async function rekeyed({ a }) {
  await a.getByText("New keys and certificates").click();
  await a.getByRole("button", { name: "Change the keys" }).click();
  await a.getByText("1 of 3").or(a.getByText("3 of 3")).first().waitFor();
  await a.getByText("Changing the keys of the pair").waitFor({ state: "detached", timeout: SETTLED });
  await a.locator("#h-pair").waitFor();
  const jobs = (await ask(a, "GET", "/api/v1/jobs")).body;
  expect(jobs.at(-1).kind === "rotate" && jobs.at(-1).state === "done", JSON.stringify(jobs.at(-1)));
}

// Refused while it serves; afterwards both forget each other.
async function unpaired({ a, b }) {
  await a.getByText("Unpair", { exact: true }).click();
  await a.getByText("High availability is on.").waitFor();
  const off = await ask(a, "POST", "/api/v1/ha/disable", { addresses_by_hand: true });
  expect(off.status === 200, `turning off: ${JSON.stringify(off)}`);
  for (let tries = 0; tries < 120; tries += 1) {
    if ((await ask(a, "GET", "/api/v1/jobs")).body.at(-1).state !== "running") break;
    await a.waitForTimeout(250);
  }
  await pairing(a);
  await a.getByText("Unpair", { exact: true }).click();
  await look(a, "pairing-unpair");
  await a.getByRole("button", { name: "Unpair both nodes" }).click();
  await a.getByText("Both nodes have forgotten each other").waitFor();
  await heading(a, "this node serves today").waitFor();
  await pairing(b);
  // Its accounts are those of gw-a since the synchronisation, which ended the session there.
  if (b.url().includes("/sign-in")) {
    await b.getByLabel("Name").fill("anna");
    await b.getByLabel("Password").fill(PASSWORD);
    await b.keyboard.press("Enter");
    // It leads back to where one was.
    await b.waitForURL("**/pairing");
  }
  // It forgets a moment later than the node where that was ordered.
  for (let tries = 0; tries < 40 && !await heading(b, "this node stands by").isVisible(); tries += 1) {
    await b.waitForTimeout(250);
    await pairing(b);
  }
  await heading(b, "this node stands by").waitFor();
}

export const STEPS = { found, mistyped, paired, turnedOn, tested, rekeyed, unpaired };
