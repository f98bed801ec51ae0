// Accounts, tokens, what a viewer may, the audit log; a session that ends and where it leads.
import { PASSWORD, browser, expect, look, wrong } from "../drive.mjs";

// Somebody else, in a browser of his own.
async function visitor(address) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error.message}`));
  await page.goto(address);
  return { page, leave: () => context.close() };
}

async function signIn(page, name, password) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

// A whole flow by the keyboard alone: to the form, wrong, right.
async function addVera(page) {
  await page.getByRole("link", { name: "Access", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/access");
  await look(page, "access");
  await page.locator("body").press("Tab");
  let stops = 0;
  const at = () => page.evaluate(() => document.activeElement.id || document.activeElement.name);
  while (await at() !== "name" && stops < 40) {
    await page.keyboard.press("Tab");
    stops += 1;
  }
  expect(await at() === "name", `the name is not reached by Tab, but ${await at()}`);
  await page.keyboard.type("vera");
  await page.keyboard.press("Tab");
  expect(await at() === "role", `after the name comes ${await at()}`);
  await page.keyboard.press("Tab");
  await page.keyboard.type("short but long");
  await page.keyboard.press("Tab");
  await page.keyboard.type("not the same one");
  await page.keyboard.press("Enter");
  await page.getByText("the two passwords differ").waitFor();
  await look(page, "access-wrong");
  expect(await page.getByLabel("Name").inputValue() === "vera", "the name was lost");
  const described = await page.getByLabel("The same password again").getAttribute("aria-describedby");
  expect(described === "again-wrong", `the field is described by ${described}`);
  await page.getByLabel("Password", { exact: false }).first().focus();
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("vera may sign in as viewer").waitFor();
}

// A token of the viewer's that was asked for with more than she may.
async function token(page) {
  await page.getByRole("link", { name: "Manage vera" }).click();
  await page.getByLabel("What it is for").fill("monitoring");
  const scopes = await page.getByLabel("Scope").locator("option").allTextContents();
  expect(scopes.join() === "viewer", `a viewer's token may be ${scopes}`);
  await page.getByLabel("Good for").selectOption("30");
  await page.getByRole("button", { name: "Make a token" }).click();
  const secret = (await page.locator("#secret").textContent()).trim();
  expect(/^twinwall_[0-9a-f]{64}$/.test(secret), `no token: ${secret}`);
  await look(page, "token-made");
  await page.getByRole("link", { name: "I have copied it" }).click();
  await page.getByRole("row", { name: /monitoring/ }).waitFor();
  expect(!(await page.content()).includes(secret), "the token is shown a second time");
  await look(page, "access-one");
  return secret;
}

const asked = (page, secret, method, path) => page.evaluate(async ([secret, method, path]) => {
  const answer = await fetch(path, { method, credentials: "omit", headers: { authorization: `Bearer ${secret}` } });
  return { status: answer.status, body: await answer.json() };
}, [secret, method, path]);

async function useToken(page, secret) {
  const read = await asked(page, secret, "GET", "/api/v1/dashboard");
  expect(read.status === 200 && read.body.here.name === "gw-a", `by token: ${read.status}`);
  const order = await asked(page, secret, "POST", "/api/v1/switchover");
  expect(order.status === 403, `a viewer's token moves the role: ${order.status}`);
  const wrong = await asked(page, "twinwall_00", "GET", "/api/v1/dashboard");
  expect(wrong.status === 401, `a wrong token is answered with ${wrong.status}`);
}

async function asViewer(address) {
  const { page, leave } = await visitor(address);
  await signIn(page, "vera", "wrong horse battery");
  await page.getByText("do not belong together").waitFor();
  await signIn(page, "vera", PASSWORD);
  await page.getByRole("heading", { name: "gw-a" }).waitFor();
  const places = await page.getByRole("navigation", { name: "Pages" }).getByRole("link").allTextContents();
  expect(!places.includes("Access") && !places.includes("Role"), `a viewer is led to ${places}`);
  for (const path of ["/access", "/audit", "/role", "/access/anna"]) {
    const answer = await page.goto(new URL(path, address).href);
    expect(answer.status() === 403, `${path} as viewer: ${answer.status()}`);
  }
  await page.goto(new URL("/diagnostics", address).href);
  expect(await page.getByRole("link", { name: "Download the bundle" }).count() === 0, "a viewer may download the bundle");
  const bundle = await page.request.get(new URL("/api/v1/support-bundle", address).href);
  expect(bundle.status() === 403, `the bundle as viewer: ${bundle.status()}`);
  await ownAccount(page, address);
  await sessionEnds(page, address);
  await leave();
}

async function ownAccount(page, address) {
  await page.locator("details.menu summary").click();
  await page.getByRole("link", { name: "Your account" }).click();
  await look(page, "account");
  await page.getByLabel("Present password").fill("wrong horse battery");
  await page.getByLabel("New password").fill("another horse battery");
  await page.getByLabel("The same password again").fill("another horse battery");
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("not your present password").waitFor();
  await page.getByLabel("Present password").fill(PASSWORD);
  await page.getByLabel("New password").fill("another horse battery");
  await page.getByLabel("The same password again").fill("another horse battery");
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("You have another password").waitFor();
  expect(new URL(page.url()).pathname === "/account", `the session went on to ${page.url()}`);
  await page.goto(new URL("/", address).href);
  await page.getByRole("heading", { name: "gw-a" }).waitFor();
}

// The server ends the session while a page is looked at; the way in leads back to that page.
async function sessionEnds(page, address) {
  await page.goto(new URL("/api-reference/access", address).href);
  const csrf = await page.locator("input[name=csrf]").first().inputValue();
  await page.evaluate(async (csrf) => {
    const body = new URLSearchParams({ csrf });
    // As in another window; the cookie of this one stays.
    await fetch("/sign-out-everywhere", { method: "POST", body, redirect: "manual" });
  }, csrf);
  await page.waitForURL(/\/sign-in\?next=/, { timeout: 20000 });
  await look(page, "sign-in-again");
  await signIn(page, "vera", "another horse battery");
  await page.waitForURL("**/api-reference/access");
}

async function revoke(page, secret) {
  await page.getByRole("button", { name: "Revoke monitoring" }).click();
  await page.getByText("good for nothing any more").waitFor();
  const answer = await asked(page, secret, "GET", "/api/v1/dashboard");
  expect(answer.status === 401, `a revoked token is answered with ${answer.status}`);
}

async function remove(page) {
  await page.getByRole("link", { name: "Remove…" }).click();
  await look(page, "access-remove");
  await page.getByRole("button", { name: "Remove vera" }).click();
  await page.getByText("vera has no account any more").waitFor();
  // The last administrator stays.
  await page.getByRole("link", { name: "Manage anna" }).click();
  await page.getByRole("radio", { name: /^viewer/ }).check();
  await page.getByRole("button", { name: "Change the role" }).click();
  await page.getByText("this is the only administrator").waitFor();
}

async function audit(page) {
  await page.getByRole("link", { name: "Audit log" }).first().click();
  await page.getByRole("heading", { name: "Audit log" }).waitFor();
  const rows = await page.locator("table.audit tbody tr").allTextContents();
  for (const told of [/anna.*Make an account \(name: vera, role: viewer\).*done/, /anna.*Make a token/,
    /vera.*Sign in.*refused/, /vera.*Sign in.*done/, /unknown.*token that nobody has.*refused/,
    /vera.*Set an account's password/, /anna.*Remove an account/, /anna.*only administrator.*refused/,
    /vera.*End all sessions of an account/]) {
    expect(rows.some((row) => told.test(row.replace(/\s+/g, " "))), `the audit log lacks ${told}: ${rows.map((row) => row.replace(/\s+/g, " ")).join("\n")}`);
  }
  expect(!rows.join().includes("horse"), "a password is in the audit log");
  await look(page, "audit");
  await page.getByLabel("Only by").fill("vera");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL("**user=vera");
  const only = await page.locator("table.audit tbody .who strong").allTextContents();
  expect(only.length > 2 && only.every((name) => name === "vera"), `filtered: ${only}`);
}

export async function access({ a, b }) {
  await addVera(a);
  const secret = await token(a);
  await useToken(a, secret);
  await asViewer(new URL("/", a.url()).href);
  await revoke(a, secret);
  await remove(a);
  await audit(a);
  // On the passive an account would be nobody's.
  await b.goto(new URL("/access", b.url()).href);
  await b.getByLabel("Name").fill("otto");
  await b.getByLabel("Password", { exact: false }).first().fill(PASSWORD);
  await b.getByLabel("The same password again").fill(PASSWORD);
  await b.getByRole("button", { name: "Add the account" }).click();
  await b.locator("p.wrong").getByText("changed on the active node, gw-a").waitFor();
}
