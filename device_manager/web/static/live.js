// Makes pages that work without it more comfortable: fresh values in place, a map that moves, lists that answer at once.
"use strict";

const EVERY_MS = 5000;

// Fresh values: an element with data-live is written anew when the server has something new (304 otherwise).
async function refresh(part) {
  const headers = part.dataset.tag ? { "If-None-Match": part.dataset.tag } : {};
  const answer = await fetch(part.dataset.live, { headers, cache: "no-store" });
  if (answer.redirected) return location.reload(); // signed out meanwhile
  if (answer.status !== 200) return;
  const html = await answer.text();
  const ticked = new Set([...part.querySelectorAll("input:checked")].map((box) => box.value));
  const held = part.contains(document.activeElement) ? place(document.activeElement) : null;
  part.innerHTML = html;
  part.dataset.tag = answer.headers.get("etag") || "";
  for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.value);
  if (held) part.querySelector(held)?.focus({ preventScroll: true });
  if (map?.contains(part)) tidy(map);
}

function place(element) {
  const href = element.getAttribute("href");
  if (href) return `[href="${CSS.escape(href)}"]`;
  return element.value ? `${element.localName}[value="${CSS.escape(element.value)}"]` : null;
}

async function keepFresh() {
  for (;;) {
    await new Promise((done) => setTimeout(done, EVERY_MS));
    if (document.hidden) continue;
    for (const part of document.querySelectorAll("[data-live]")) {
      try { await refresh(part); } catch { /* the manager is away: what is shown stays */ }
    }
  }
}

// Names that would cover another one are not shown until there is room; those of faulty nodes come first.
function tidy(map) {
  const shown = [];
  for (const name of [...map.querySelectorAll("#markers .far")].reverse()) {
    const a = name.getBoundingClientRect();
    const hit = shown.some((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom);
    name.setAttribute("visibility", hit ? "hidden" : "visible");
    if (!hit) shown.push(a);
  }
}

// The map: wheel, drag, two fingers and the buttons change its view; texts keep their size on the screen.
function moveMap(map) {
  let box = map.getAttribute("viewBox").split(" ").map(Number);
  const fingers = new Map();
  let moved = false;
  const unit = () => Math.max(box[2] / map.clientWidth, box[3] / map.clientHeight);
  const show = () => {
    map.setAttribute("viewBox", box.map((n) => n.toFixed(1)).join(" "));
    for (const texts of map.querySelectorAll("[data-scale]")) texts.setAttribute("font-size", (unit() * texts.dataset.scale).toFixed(1));
    tidy(map);
  };
  const zoom = (factor, fx = 0.5, fy = 0.5) => {
    const width = Math.min(60000, Math.max(200, box[2] * factor)), height = box[3] * (width / box[2]);
    box = [box[0] + (box[2] - width) * fx, box[1] + (box[3] - height) * fy, width, height];
    show();
  };
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  map.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = map.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.18 : 0.85, (event.clientX - at.left) / at.width, (event.clientY - at.top) / at.height);
  }, { passive: false });
  map.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, { x: event.clientX, y: event.clientY }); moved = false; });
  addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const wide = fingers.size === 2 ? spread() : 0;
    const dx = event.clientX - before.x, dy = event.clientY - before.y;
    if (Math.abs(dx) + Math.abs(dy) < 3 && !moved) return;
    moved = true;
    map.classList.add("moving");
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (wide) return zoom(wide / spread());
    box[0] -= dx * unit();
    box[1] -= dy * unit();
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => { fingers.delete(event.pointerId); map.classList.remove("moving"); });
  map.addEventListener("click", (event) => { if (moved) event.preventDefault(); moved = false; }, true);
  map.addEventListener("dragstart", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      if (button.dataset.zoom !== "home") return zoom(Number(button.dataset.zoom));
      box = map.dataset.home.split(" ").map(Number);
      show();
    });
  }
  addEventListener("resize", show);
  show();
}

document.querySelector("nav a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
const map = document.getElementById("map");
if (map) moveMap(map);
for (const list of document.querySelectorAll("[data-submit]")) list.addEventListener("change", () => list.form.requestSubmit());
for (const all of document.querySelectorAll("[data-all]")) {
  all.addEventListener("change", () => { for (const box of all.form.querySelectorAll("[name=node]")) box.checked = all.checked; });
}
keepFresh();
