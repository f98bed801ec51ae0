// Alerts: a target added by the form, wrong and right, seen on the other console, its secret set
// and never shown, a test that fails with its reason, and the target removed.
import { expect, look, there } from "../drive.mjs";

async function add(page) {
  await page.getByRole("link", { name: "Alerts", exact: true }).click();
  await page.waitForURL("**/alerts");
  await page.getByText("Nobody is told anything yet.").waitFor();
  await look(page, "alerts-none");
  await page.getByRole("link", { name: "Add webhook" }).click();
  await page.getByLabel("Name", { exact: true }).fill("noc");
  await page.getByLabel("Address").fill("ftp://alerts.example.org/");
  await page.getByLabel("Messages an hour").fill("0");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("not a web address").waitFor();
  await look(page, "alerts-wrong");
  const kept = await page.getByLabel("Address").inputValue();
  expect(kept === "ftp://alerts.example.org/", `what was typed is gone: ${kept}`);
  const described = await page.getByLabel("Address").getAttribute("aria-describedby");
  expect(described.includes("url-wrong"), `the field is described by ${described}`);
  await page.getByLabel("Address").fill("http://127.0.0.1:9/{secret}");
  await page.getByLabel("Messages an hour").fill("30");
  await page.getByLabel("From this severity on").selectOption("major");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("noc is saved on both nodes").waitFor();
}

async function secret(page) {
  await page.getByText("This node has none.").waitFor();
  await look(page, "alerts-one");
  await page.getByLabel("New secret").fill("s3cret-of-noc");
  await page.getByRole("button", { name: "Set the secret" }).click();
  await page.getByText("This node has one.").waitFor();
  expect(!(await page.content()).includes("s3cret-of-noc"), "the page shows the secret");
}

async function remove(page) {
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.waitForURL("**/alerts");
  await page.getByText("noc was not told").waitFor();
  await look(page, "alerts");
  expect(!(await page.content()).includes("s3cret-of-noc"), "the page shows the secret");
  await page.getByRole("link", { name: "Change noc" }).click();
  await page.getByRole("button", { name: "Remove noc" }).click();
  await page.getByText("noc is told nothing any more").waitFor();
}

export async function alerts({ a, b }) {
  await add(a);
  await b.goto(new URL("/alerts", there).href);
  await b.getByText("http://127.0.0.1:9/{secret}").waitFor();
  await secret(a);
  await remove(a);
}
