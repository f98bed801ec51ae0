// What is the matter: maintenance of the passive is raised and cleared on both consoles without
// loading a page anew, and told in the list of notices.
import { ask, expect, look } from "../drive.mjs";

export async function conditions({ a, b }) {
  for (const page of [a, b]) {
    await page.goto(new URL("/conditions", page.url()).href);
    await page.getByRole("heading", { name: "What this node has left" }).waitFor();
  }
  const on = await ask(b, "POST", "/api/v1/maintenance", { lasts_s: 600 });
  expect(on.status === 200, `maintenance: ${JSON.stringify(on)}`);
  for (const page of [a, b]) {
    await page.locator("#conditions").getByText("maintenance", { exact: true }).waitFor({ timeout: 20000 });
  }
  await a.reload();
  await a.locator("#notices").getByText("maintenance", { exact: true }).first().waitFor();
  await look(a, "conditions");
  const off = await ask(b, "DELETE", "/api/v1/maintenance");
  expect(off.status === 200, `end of maintenance: ${JSON.stringify(off)}`);
  for (const page of [a, b]) {
    await page.locator("#conditions").getByText("maintenance", { exact: true }).waitFor({ state: "detached", timeout: 20000 });
  }
}
