// The way to the other pages and to the other node on a phone: folded, and without a script.
import { join } from "node:path";
import { PHONE, accessible, browser, context, expect, folder, here, there } from "../drive.mjs";

const menu = (page) => page.getByRole("navigation", { name: "Pages" });

async function opened(page) {
  await page.goto(`${here}/`);
  expect(await menu(page).getByRole("link").count() === 0, "the menu is open before anybody opens it");
  await menu(page).locator("summary").click();
  await menu(page).getByRole("link", { name: "Logs" }).waitFor();
}

async function without() {
  const quiet = await browser.newContext({
    ignoreHTTPSErrors: true, javaScriptEnabled: false, viewport: PHONE,
    storageState: await context.storageState(),
  });
  const page = await quiet.newPage();
  await opened(page);
  const url = await menu(page).getByRole("link", { name: /Go to/ }).getAttribute("href");
  expect(url === `${there}/`, `the menu leads to another node at ${url}`);
  await menu(page).getByRole("link", { name: "Events" }).click();
  await page.waitForURL("**/events");
  expect((await menu(page).locator("summary").innerText()).includes("Events"), "it does not say where one is");
  await quiet.close();
}

export async function phone() {
  const page = await context.newPage();
  await page.setViewportSize(PHONE);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await opened(page);
    await page.screenshot({ path: join(folder, `menu-open-${colorScheme}-phone.png`) });
    await accessible(page, `the open menu, ${colorScheme}`);
  }
  await menu(page).locator("summary").focus();
  await page.keyboard.press("Enter");
  await menu(page).getByRole("link").first().waitFor({ state: "detached" });
  await page.close();
  await without();
}
