// Drives Debian's Chromium through the consoles of two nodes, as a person would. Called by the
// tests with: the folder for pictures, both consoles' addresses, a set-up token. STEPS=name,name
// are the ones to be taken. Ends with 1 and says why when something is not as it should be.
import { browser, here, looked, token, wrong } from "./drive.mjs";
import { step } from "./step.mjs";
import { firstSetUp, setUp, signIn, signInThere } from "./steps/entry.mjs";
import { access } from "./steps/access.mjs";
import { alerts } from "./steps/alerts.mjs";
import { availability } from "./steps/availability.mjs";
import { dashboard, differing } from "./steps/dashboard.mjs";
import { conditions } from "./steps/conditions.mjs";
import { diagnostics } from "./steps/diagnostics.mjs";
import { events } from "./steps/events.mjs";
import { reports } from "./steps/reports.mjs";
import { logs } from "./steps/logs.mjs";
import { phone } from "./steps/phone.mjs";
import { role } from "./steps/role.mjs";
import { sync } from "./steps/sync.mjs";

// Each leaves both consoles signed in, and the pair in sync with gw-a active, but the last one.
const STEPS = {
  entry, dashboard, phone, availability, access, role, conditions, diagnostics, alerts, sync, events, logs, reports,
  differing, leave,
};

// A wait that nobody waits for any more, after another one failed.
process.on("unhandledRejection", (error) => wrong.push(String(error)));

// With all that can go wrong; where another test does that, the short way.
async function entry(both) {
  both.a = await setUp();
  both.b = await signIn();
}

async function leave({ a }) {
  await a.goto(new URL("/", a.url()).href);
  await a.locator("details.menu summary").click();
  await a.getByRole("button", { name: "Sign out", exact: true }).click();
  await a.waitForURL("**/sign-in");
}

const wanted = process.env.STEPS?.split(",") ?? Object.keys(STEPS);
const both = {};
if (!wanted.includes("entry")) {
  await step(both, "way in", async () => {
    both.a = await firstSetUp(here, token, "gw-a");
    both.b = await signInThere();
  });
}
for (const [name, work] of Object.entries(STEPS)) {
  if (both.b === undefined && wrong.length) break;
  if (wanted.includes(name)) await step(both, name, () => work(both));
}

console.log(`${looked.pages} pages looked at in ${looked.ms} ms`);
await browser.close();
wrong.forEach((line) => console.error(line));
process.exit(wrong.length ? 1 : 0);
