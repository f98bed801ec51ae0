// Reports: the availability of this month, and files of the appliance, of which one would run
// something if it could.
import { expect, here, look } from "../drive.mjs";

async function saved(page, name, file) {
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name, exact: true }).click();
  const download = await waiting;
  expect(download.suggestedFilename() === file, `it is called ${download.suggestedFilename()}`);
}

// A page that is a report: shown, and nothing in it runs or is loaded.
async function hostile(page) {
  const asked = [];
  const listen = (request) => asked.push(request.url());
  page.context().on("requestfinished", listen);
  const opening = page.context().waitForEvent("page");
  await page.getByRole("link", { name: /^Look at hostile\.html/ }).click();
  const opened = await opening;
  await opened.waitForLoadState("load");
  const answer = await page.request.get(opened.url());
  const policy = answer.headers()["content-security-policy"];
  expect(policy.startsWith("sandbox;") && (await answer.text()).includes("Nightly"), policy);
  // Time enough for a script, if one ran.
  await page.waitForTimeout(500);
  page.context().off("requestfinished", listen);
  const others = asked.filter((url) => !url.includes("/reports/view?"));
  expect(others.length === 0, `the report asked for ${others}`);
  await opened.close();
}

export async function reports({ a }) {
  await a.goto(`${here}/reports`);
  await a.getByRole("heading", { name: "Availability" }).waitFor();
  const headline = (await a.locator(".headline").innerText()).trim();
  expect(/^\d+(\.\d+)? %$/.test(headline), `availability ${headline}`);
  await look(a, "reports");
  await saved(a, "Save as CSV", `availability-${new Date().toISOString().slice(0, 7)}.csv`);
  await saved(a, "Save table.csv", "table.csv");
  await hostile(a);
  const table = await a.getByRole("link", { name: /^Look at table\.csv/ }).getAttribute("href");
  await a.goto(new URL(table, here).href);
  await a.getByRole("cell", { name: "<b>bold</b>" }).waitFor();
  await look(a, "report-table");
  const gone = await a.goto(`${here}/reports/view?origin=here&path=/etc/passwd.csv`);
  expect(gone.status() === 404, `what is no report: ${gone.status()}`);
  await a.goto(`${here}/`);
}
