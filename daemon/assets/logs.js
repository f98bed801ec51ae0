
// Lines that come are put on top, and as many go at the end.
function prepend(id, html, most) {
  const part = document.getElementById(id);
  if (!part) return;
  part.insertAdjacentHTML("afterbegin", html);
  while (part.children.length > most) part.lastElementChild.remove();
  tellTimes(part);
}

// Times in the form are the viewer's own; without a script they are UTC.
const zone = document.querySelector("input[data-zone]");
if (zone) {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.querySelectorAll("[data-zone-name]").forEach((part) => { part.textContent = name; });
  zone.form.addEventListener("submit", () => {
    const given = ["from", "to"].map((id) => new Date(document.getElementById(id).value));
    const moment = given.find((it) => !Number.isNaN(it.getTime())) ?? new Date();
    zone.value = -moment.getTimezoneOffset();
  });
}
