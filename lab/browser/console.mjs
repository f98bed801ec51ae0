// Drives Debian's Chromium through the consoles of two nodes, as a person would. Called by the
// tests with: the folder for pictures, both consoles' addresses, a set-up token. Ends with 1
// and says why when something is not as it should be. STEPS=name,name runs these alone.
import { browser, wrong } from "./drive.mjs";
import { step } from "./step.mjs";
import { setUp, signIn } from "./steps/entry.mjs";
import { access } from "./steps/access.mjs";
import { availability } from "./steps/availability.mjs";
import { dashboard, differing } from "./steps/dashboard.mjs";
import { diagnostics } from "./steps/diagnostics.mjs";
import { events } from "./steps/events.mjs";
import { role } from "./steps/role.mjs";
import { sync } from "./steps/sync.mjs";

// Each leaves both consoles signed in, and the pair in sync with gw-a active, but the last one.
const STEPS = { dashboard, availability, access, role, diagnostics, sync, events, differing };

// A wait that nobody waits for any more, after another one failed.
process.on("unhandledRejection", (error) => wrong.push(String(error)));

const both = {};
await step(both, "entry", async () => {
  both.a = await setUp();
  both.b = await signIn();
});
const only = process.env.STEPS?.split(",");
if (!wrong.length) {
  for (const [name, work] of Object.entries(STEPS)) {
    if (!only || only.includes(name)) await step(both, name, () => work(both));
  }
  await step(both, "leave", async () => {
    await both.a.goto(new URL("/", both.a.url()).href);
    await both.a.locator("details.menu summary").click();
    await both.a.getByRole("button", { name: "Sign out", exact: true }).click();
    await both.a.waitForURL("**/sign-in");
  });
}

await browser.close();
wrong.forEach((line) => console.error(line));
process.exit(wrong.length ? 1 : 0);
