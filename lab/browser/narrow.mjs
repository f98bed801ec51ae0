// A page where there is little room, and in the system's own colours: for one of each kind.
import { join } from "node:path";
import { expect, folder } from "./drive.mjs";

export async function narrow(page, name) {
  const picture = (form) => page.screenshot({ path: join(folder, `${name}-${form}.png`), fullPage: true });
  await page.setViewportSize({ width: 320, height: 640 });
  await picture("320");
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over <= 0, `${name} at 320 px: ${over} px wider than the screen`);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ forcedColors: "active", colorScheme: "dark" });
  await picture("forced");
  await page.emulateMedia({ forcedColors: "none", colorScheme: "light" });
}
