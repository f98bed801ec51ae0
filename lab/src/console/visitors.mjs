// Visitors of a console, as the lab sends them: fifty that look, one that measures, and a flood.
// Started by the lab in the client's namespace as `node - MODE OPTIONS`, with this text on its
// standard input and OPTIONS as JSON. Each prints one line of JSON at its end; `watch` prints
// `ready` before, and ends when it is told to (SIGTERM).
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

const [mode, text] = process.argv.slice(2);
const options = JSON.parse(text);
const { host, port } = options;
const origin = `https://${host}:${port}`;
const failed = (error) => { console.error(`visitors: ${error.stack ?? error}`); process.exit(1); };
process.on("unhandledRejection", failed);

// A connection from one of the client's addresses; `raw` counts what is on the wire.
function open(from) {
  const raw = net.connect({ host, port, localAddress: from, noDelay: true });
  const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  const session = http2.connect(origin, { createConnection: () => socket });
  session.on("error", () => {});
  return { raw, session };
}

// One request on it, to its end; answers come packed, as to a browser.
function ask(session, path, headers = {}, body = "") {
  return new Promise((resolve, reject) => {
    const method = body ? "POST" : "GET";
    const asked = { ":method": method, ":path": path, "accept-encoding": "gzip", ...headers };
    const stream = session.request(asked);
    const answer = { status: 0, cookies: [], location: "", text: "" };
    const parts = [];
    let packed = false;
    stream.on("response", (head) => {
      answer.status = head[":status"];
      packed = head["content-encoding"] === "gzip";
      answer.cookies = head["set-cookie"] ?? [];
      answer.location = head.location ?? "";
    });
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      const bytes = Buffer.concat(parts);
      answer.text = (packed ? gunzipSync(bytes) : bytes).toString("utf8");
      resolve(answer);
    });
    stream.on("error", reject);
    if (body) stream.end(body);
  });
}

const cookie = (answer, name) => answer.cookies.map((line) => line.split(";")[0]).find((pair) => pair.startsWith(name));

async function signIn() {
  const { session } = open(options.sources[0]);
  const page = await ask(session, "/sign-in");
  const visit = cookie(page, "__Host-visit");
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)[1];
  const form = new URLSearchParams({ csrf, name: options.name, password: options.password }).toString();
  const headers = { cookie: visit, origin, "content-type": "application/x-www-form-urlencoded" };
  const answer = await ask(session, "/sign-in", headers, form);
  session.close();
  if (answer.status !== 303) failed(new Error(`signing in: ${answer.status} ${answer.text.slice(0, 400)}`));
  return cookie(answer, "__Host-session");
}

// Those that look: each has its connection, and hears what changes.
async function watch() {
  const session = await signIn();
  let events = 0, ended = 0;
  for (let viewer = 0; viewer < options.viewers; viewer += 1) {
    const one = open(options.sources[viewer % options.sources.length]);
    const stream = one.session.request({ ":path": "/live", cookie: session });
    stream.on("data", (part) => { events += part.toString().split("\nevent:").length; });
    stream.on("close", () => { ended += 1; });
    stream.on("error", () => {});
    await sleep(10);
  }
  await sleep(1500);
  console.log("ready");
  process.on("SIGTERM", () => {
    console.log(JSON.stringify({ events, ended }));
    process.exit(0);
  });
}

// What a page costs: bytes on the wire with all that belongs to it, and time, again and again.
async function measure() {
  const session = { cookie: await signIn() };
  const first = open(options.sources[0]);
  const front = await ask(first.session, "/", session);
  const nav = /<nav class="places"[^]*?<\/nav>/.exec(front.text)?.[0] ?? "";
  const paths = [...nav.matchAll(/href="([^"]+)"/g)].map((found) => found[1]);
  first.session.close();
  const pages = [];
  for (const path of paths) {
    const fresh = open(options.sources[0]);
    const page = await ask(fresh.session, path, session);
    const parts = new Set([...page.text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map((found) => found[1]));
    for (const part of parts) await ask(fresh.session, part);
    const bytes = fresh.raw.bytesRead;
    const times = [];
    for (let turn = 0; turn < options.requests; turn += 1) {
      const began = performance.now();
      const again = await ask(fresh.session, path, session);
      times.push(performance.now() - began);
      if (again.status !== page.status) failed(new Error(`${path}: ${again.status}`));
      await sleep(25);
    }
    fresh.session.close();
    pages.push({ path, status: page.status, bytes, html: page.text.length, times });
  }
  console.log(JSON.stringify({ pages }));
  process.exit(0);
}

// As much as this machine gives, for so many seconds: requests on connections that are kept,
// heads that come byte by byte, bodies without end, and connections that never become TLS.
async function flood() {
  const told = { asked: 0, answered: 0, opened: 0, slow: 0, bodies: 0, silent: 0 };
  const began = performance.now();
  const until = began + options.seconds * 1000;
  const goes = () => performance.now() < until;
  const request = `GET /sign-in HTTP/1.1\r\nhost: ${host}:${port}\r\n\r\n`;
  const batch = request.repeat(options.batch);
  const secure = (from, ready) => {
    const raw = net.connect({ host, port, localAddress: from });
    raw.on("error", () => {});
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] }, () => { told.opened += 1; ready(socket); });
    socket.on("error", () => {});
    return socket;
  };
  const again = (work) => { if (goes()) setTimeout(work, 20); };
  const asking = (from) => {
    const socket = secure(from, () => { told.asked += options.batch; socket.write(batch); });
    let open = options.batch;
    socket.on("data", (part) => {
      let count = 0;
      for (let at = part.indexOf("HTTP/1.1 "); at >= 0; at = part.indexOf("HTTP/1.1 ", at + 9)) count += 1;
      told.answered += count;
      open -= count;
      if (open <= options.batch / 2 && goes()) {
        open += options.batch;
        told.asked += options.batch;
        socket.write(batch);
      }
    });
    socket.on("close", () => again(() => asking(from)));
  };
  const slow = (from) => {
    let at = 0;
    const socket = secure(from, () => {
      told.slow += 1;
      const timer = setInterval(() => {
        if (socket.destroyed || !goes()) return clearInterval(timer);
        socket.write(request[at % request.length]);
        at += 1;
      }, 1000);
    });
    socket.on("close", () => again(() => slow(from)));
  };
  const huge = (from) => {
    const part = Buffer.alloc(64 << 10, 120);
    const socket = secure(from, () => {
      told.bodies += 1;
      socket.write(`POST /sign-in HTTP/1.1\r\nhost: ${host}:${port}\r\ncontent-length: 1073741824\r\n\r\n`);
      const push = () => { while (goes() && !socket.destroyed && socket.write(part)); };
      socket.on("drain", push);
      push();
    });
    socket.on("data", () => {});
    socket.on("close", () => again(() => huge(from)));
  };
  const silent = (from) => {
    const socket = net.connect({ host, port, localAddress: from }, () => {
      told.silent += 1;
      // The beginning of a ClientHello that never goes on.
      socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
    });
    socket.on("error", () => {});
    socket.on("close", () => again(() => silent(from)));
  };
  for (const from of options.sources) {
    for (let one = 0; one < 6; one += 1) asking(from);
    for (let one = 0; one < 4; one += 1) slow(from);
    for (let one = 0; one < 2; one += 1) huge(from);
    for (let one = 0; one < 18; one += 1) silent(from);
  }
  const tell = () => { console.log(JSON.stringify({ ...told, seconds: (performance.now() - began) / 1000 })); process.exit(0); };
  process.on("SIGTERM", tell);
  await sleep(options.seconds * 1000);
  tell();
}

await { watch, measure, flood }[mode]();
