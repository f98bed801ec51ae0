// A step of a person's way: says how long it took, and keeps pictures of where it failed.
import { join } from "node:path";
import { folder, wrong } from "./drive.mjs";

export async function step(both, name, work) {
  const began = Date.now();
  try {
    await work();
  } catch (error) {
    wrong.push(`${name}: ${error.stack}`);
    for (const [node, page] of Object.entries(both)) {
      await page.screenshot({ path: join(folder, `wrong-${name}-${node}.png`) }).catch(() => {});
    }
  }
  console.log(`${name}: ${Date.now() - began} ms`);
}
