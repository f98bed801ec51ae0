// Drives Debian's Chromium through the consoles of two nodes that know nothing of each other:
// first set-up on both, the code, wrong codes, joining, settings, turning on, the failover test,
// new keys, unpairing. Called by the tests with: the folder for pictures, both consoles'
// addresses, the set-up tokens of both. Ends with 1 and says why when something is not as it
// should be.
import { browser, here, looked, there, token, wrong } from "./drive.mjs";
import { firstSetUp } from "./steps/entry.mjs";
import { STEPS } from "./steps/pairing.mjs";
import { step } from "./step.mjs";

// A wait that nobody waits for any more, after another one failed.
process.on("unhandledRejection", (error) => wrong.push(String(error)));

const [tokenOfB] = process.argv.slice(6);
const both = {};
await step(both, "set-up", async () => {
  both.a = await firstSetUp(here, token, "gw-a");
  both.b = await firstSetUp(there, tokenOfB, "gw-b");
});
for (const [name, work] of Object.entries(STEPS)) {
  if (!wrong.length) await step(both, name, () => work(both));
}

console.log(`${looked.pages} pages looked at in ${looked.ms} ms`);
await browser.close();
wrong.forEach((line) => console.error(line));
process.exit(wrong.length ? 1 : 0);
