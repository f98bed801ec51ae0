// Diagnostics with the support bundle, and the API for people.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PASSWORD, expect, folder, look } from "../drive.mjs";

async function bundle(page) {
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download the bundle" }).click();
  const download = await waiting;
  expect(/^twinwall-gw-a-\d+\.tar\.gz$/.test(download.suggestedFilename()), `it is called ${download.suggestedFilename()}`);
  const file = join(folder, "bundle.tar.gz");
  await download.saveAs(file);
  const names = execFileSync("tar", ["tzf", file], { encoding: "utf8" });
  for (const name of ["status.json", "explain.txt", "events.json", "sync.json", "peer.json", "settings/pair.toml", "versions.txt", "audit.json"]) {
    expect(names.includes(`/${name}`), `the bundle lacks ${name}: ${names}`);
  }
  const all = execFileSync("tar", ["xzOf", file], { encoding: "utf8", maxBuffer: 64 << 20 });
  for (const secret of ["argon2id", "PRIVATE KEY", PASSWORD]) {
    expect(!all.includes(secret), `the bundle holds ${secret}`);
  }
  writeFileSync(join(folder, "bundle.txt"), names);
}

async function reference(page) {
  await page.getByRole("link", { name: "API", exact: true }).click();
  await page.getByRole("heading", { name: "How to begin" }).waitFor();
  await look(page, "api");
  await page.getByRole("link", { name: /POST.*\/api\/v1\/accounts$/ }).click();
  await page.waitForURL("**/api-reference/access#add_account");
  await page.locator("#add_account").getByText("curl").waitFor();
  await page.locator("#add_account").getByRole("link", { name: "Role" }).click();
  await page.locator("#type-Role").getByText("operator").first().waitFor();
  await look(page, "api-group");
  const sizes = {};
  for (const path of ["/api-reference", "/api-reference/state", "/api-reference/dashboard", "/api-reference/events", "/api-reference/conditions", "/api-reference/settings", "/api-reference/synchronisation", "/api-reference/pairing", "/api-reference/access", "/diagnostics", "/audit", "/access"]) {
    const answer = await page.request.get(new URL(path, page.url()).href);
    sizes[path] = (await answer.body()).length;
  }
  console.log(`sizes ${JSON.stringify(sizes)}`);
  expect(Object.values(sizes).every((size) => size <= 60000), `too long: ${JSON.stringify(sizes)}`);
}

export async function diagnostics({ a, b }) {
  await a.goto(new URL("/diagnostics", a.url()).href);
  await a.getByText("What is true?").waitFor();
  await a.getByText("HA link", { exact: true }).first().waitFor();
  await a.getByRole("heading", { name: "SNMP" }).waitFor();
  await look(a, "diagnostics");
  await bundle(a);
  await reference(a);
  // On the passive the head says what can be changed there.
  await b.goto(new URL("/diagnostics", b.url()).href);
  await b.locator("#whoami").getByText("on the active node, gw-a").waitFor();
}
