// The console's only script. It swaps parts that the server has made, keeps moments in the
// viewer's own time zone, and closes the menu. Without it every page works by a reload.
"use strict";

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

function ago(ms) {
  if (ms < 5 * SECOND) return "just now";
  const [size, one, many] =
    ms < MINUTE ? [SECOND, "second", "seconds"]
    : ms < HOUR ? [MINUTE, "minute", "minutes"]
    : ms < DAY ? [HOUR, "hour", "hours"]
    : [DAY, "day", "days"];
  const count = Math.floor(ms / size);
  return `${count} ${count === 1 ? one : many} ago`;
}

function tellTime(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const text = "ago" in element.dataset ? ago(Date.now() - moment.getTime()) : short.format(moment);
  if (element.textContent !== text) element.textContent = text;
  element.title = exact.format(moment);
}

// How long something is good for.
function tellLeft(element) {
  const left = Math.ceil((new Date(element.dataset.left) - Date.now()) / SECOND);
  const seconds = String(left % 60).padStart(2, "0");
  element.textContent = left > 0 ? `, ${Math.floor(left / 60)}:${seconds} left` : ", which is over";
}

function tellTimes(root) {
  root.querySelectorAll("time[datetime]").forEach(tellTime);
  root.querySelectorAll("[data-left]").forEach(tellLeft);
}

// What has the focus keeps it when its part is swapped.
function swap(id, html) {
  const part = document.getElementById(id);
  if (!part) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.innerHTML = html;
  tellTimes(part);
  showCopies(part);
  if (focused) document.getElementById(focused)?.focus();
}

function follow(address) {
  const lost = document.getElementById("connection");
  const source = new EventSource(address);
  let timer = 0;
  source.addEventListener("open", () => {
    clearTimeout(timer);
    timer = 0;
    if (lost) lost.hidden = true;
  });
  source.addEventListener("error", () => {
    // A stream that ends in order is back before anybody has to know.
    if (!timer) timer = setTimeout(() => { if (lost) lost.hidden = false; }, 3 * SECOND);
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => { source.close(); again(address); }, 5 * SECOND);
    }
  });
  source.addEventListener("swap", (event) => {
    const part = JSON.parse(event.data);
    swap(part.id, part.html);
  });
  source.addEventListener("prepend", (event) => {
    const part = JSON.parse(event.data);
    prepend(part.id, part.html, part.most);
  });
  source.addEventListener("end", () => {
    source.close();
    location.reload();
  });
}

// The server refused the stream: nobody is signed in any more, or it has just started.
async function again(address) {
  try {
    const answer = await fetch(address, { headers: { accept: "text/event-stream" } });
    // Signed out, or what was followed is no more.
    const gone = answer.status === 401 || answer.status === 404;
    await answer.body?.cancel();
    if (gone) return location.reload();
  } catch {
    // Not there yet.
  }
  follow(address);
}

document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
});

// What can be copied is copied by a button that only the script can serve.
function showCopies(root) {
  root.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

showCopies(document);
tellTimes(document);
setInterval(() => tellTimes(document), SECOND);
document.querySelectorAll("[data-live]").forEach((part) => follow(part.dataset.live));
