// The way in: first set-up on one node, signing in on the other.
import { PASSWORD, expect, here, look, open, there, token } from "../drive.mjs";

export async function setUp() {
  const page = await open(here);
  expect(page.url().endsWith("/set-up"), `a fresh node leads to ${page.url()}`);
  await look(page, "set-up");
  await page.getByLabel("Set-up token").fill(token);
  await page.getByLabel("Your name").fill("Anna!");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("The same password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the administrator" }).click();
  await page.getByText("a name has 1 to 32").first().waitFor();
  expect(await page.getByLabel("Set-up token").inputValue() === token, "the token was lost");
  await page.getByLabel("Your name").fill("anna");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("The same password again").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "gw-a" }).waitFor();
  return page;
}

// The same without mistakes, on any node.
export async function firstSetUp(address, token, node) {
  const page = await open(address);
  await page.getByLabel("Set-up token").fill(token);
  await page.getByLabel("Your name").fill("anna");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("The same password again").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 2, name: node }).waitFor();
  return page;
}

// The way in on the other node, to which the account comes with the configuration.
async function wayIn() {
  const page = await open(there);
  for (let tries = 0; page.url().endsWith("/set-up") && tries < 100; tries += 1) {
    await page.waitForTimeout(100);
    await page.goto(there);
  }
  await page.getByLabel("Name").fill("anna");
  return page;
}

async function enter(page) {
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "gw-b" }).waitFor();
}

export async function signIn() {
  const page = await wayIn();
  await look(page, "sign-in");
  await page.getByLabel("Password").fill("wrong horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("do not belong together").waitFor();
  await enter(page);
  return page;
}

// The same without mistakes.
export async function signInThere() {
  const page = await wayIn();
  await enter(page);
  return page;
}
