"use strict";
/* What the reader does: choose a beam, zoom, move, follow leads, sort a table; the view is kept in the address. */
let pending = false, keeping = 0, lastScroll = -1e9;
const LEAST = 200; // narrowest view, in units (20 m)

function ask() { if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); }); } keep(); }

function setView(a, b) {
  const all = extent(), span = Math.min(Math.max(b - a, LEAST), all[1] - all[0]), middle = (a + b) / 2;
  let low = middle - span / 2;
  low = Math.min(Math.max(low, all[0]), all[1] - span);
  view = [low, low + span];
  ask();
}

function zoom(factor, at) { const x = at === undefined ? (view[0] + view[1]) / 2 : at; setView(x - (x - view[0]) * factor, x + (view[1] - x) * factor); }
function shift(share) { const d = (view[1] - view[0]) * share; setView(view[0] + d, view[1] + d); }

function setBeam(name) {
  let k = about.beams.findIndex(b => b.name === name);
  if (k < 0) k = 0;
  beam = arraysOf(k);
  for (const button of document.querySelectorAll("button[data-beam]")) button.setAttribute("aria-checked", String(button.dataset.beam === about.beams[k].name));
  const leads = about.beams[k].leads.x.length;
  for (const move of ["lead-back", "lead-forth"]) document.querySelector(`[data-move="${move}"]`).disabled = leads === 0;
  document.querySelector('[data-move="stretch"]').disabled = about.beams[k].stretches.length < 2;
  if (view) ask();
}

function toLead(direction) {
  const x = beam.head.leads.x;
  if (!x.length) return;
  const middle = cursorAt !== null && cursorAt >= view[0] && cursorAt <= view[1] ? cursorAt : (view[0] + view[1]) / 2;
  let k = direction > 0 ? lower(x, middle + 2) : lower(x, middle - 2) - 1;
  k = (k + x.length) % x.length;
  cursorAt = x[k];
  const span = Math.min(view[1] - view[0], 20000);
  setView(x[k] - span / 2, x[k] + span / 2);
}

function toStretch() {
  const s = beam.head.stretches, middle = (view[0] + view[1]) / 2;
  const next = s.find(([a, b]) => (a + b) / 2 > middle + 1) || s[0], pad = Math.max(100, (next[1] - next[0]) * .05);
  setView(next[0] - pad, next[1] + pad);
}

const MOVES = {
  in: () => zoom(.5), out: () => zoom(2), back: () => shift(-.4), forth: () => shift(.4), all: () => setView(...extent()), stretch: toStretch,
  "lead-back": () => toLead(-1), "lead-forth": () => toLead(1),
};
const KEYS = { "+": "in", "=": "in", "-": "out", ArrowLeft: "back", ArrowRight: "forth", Home: "all", s: "stretch", n: "lead-forth", p: "lead-back" };

function keep() {
  clearTimeout(keeping);
  keeping = setTimeout(() => {
    const km = v => (v * UNIT / KM).toFixed(4), parts = [`beam=${beam.head.name}`, `x0=${km(view[0])}`, `x1=${km(view[1])}`];
    if (cursorAt !== null) parts.push(`x=${km(cursorAt)}`);
    try { history.replaceState(null, "", "#" + parts.join("&")); } catch (error) { /* some viewers forbid it */ }
  }, 250);
}

function fromAddress() {
  const said = new URLSearchParams(location.hash.slice(1)), units = name => said.has(name) && Number.isFinite(+said.get(name)) ? +said.get(name) * KM / UNIT : null;
  const strong = about.beams.filter(b => b.strong).sort((a, b) => b.n - a.n)[0] || [...about.beams].sort((a, b) => b.n - a.n)[0];
  setBeam(said.get("beam") || strong.name);
  cursorAt = units("x");
  const a = units("x0"), b = units("x1");
  if (a !== null && b !== null && b > a) { setView(a, b); return; }
  const all = extent(), longest = [...beam.head.stretches].sort((p, q) => (q[1] - q[0]) - (p[1] - p[0]))[0];
  const held = beam.head.stretches.reduce((sum, [p, q]) => sum + q - p, 0);
  if (held < .2 * (all[1] - all[0])) setView(longest[0] - Math.max(100, (longest[1] - longest[0]) * .05), longest[1] + Math.max(100, (longest[1] - longest[0]) * .05));
  else setView(...all);
}

const unitsAt = event => view[0] + (event.clientX - plot.getBoundingClientRect().left - MARGIN.left) / (width - MARGIN.left - MARGIN.right) * (view[1] - view[0]);

let drag = null;
plot.addEventListener("pointerdown", event => {
  if (event.button) return;
  plot.setPointerCapture(event.pointerId);
  drag = { x: event.clientX, at: unitsAt(event), view: [...view], range: event.shiftKey };
});
plot.addEventListener("pointermove", event => {
  if (drag && !drag.range) {
    const d = (event.clientX - drag.x) / (width - MARGIN.left - MARGIN.right) * (drag.view[1] - drag.view[0]);
    setView(drag.view[0] - d, drag.view[1] - d);
  }
  cursorAt = unitsAt(event);
  drawCursor();
  if (drag && drag.range) {
    const g = overlay.getContext("2d"), a = drawn.px(drag.at), b = drawn.px(cursorAt);
    g.globalAlpha = .15; g.fillStyle = "#c2185b"; g.fillRect(Math.min(a, b), PANELS[0].top, Math.abs(b - a), BASE - PANELS[0].top); g.globalAlpha = 1;
  }
});
plot.addEventListener("pointerup", event => {
  if (drag && drag.range && Math.abs(event.clientX - drag.x) > 4) { const b = unitsAt(event); setView(Math.min(drag.at, b), Math.max(drag.at, b)); }
  drag = null; keep();
});
plot.addEventListener("dblclick", event => zoom(.33, unitsAt(event)));
window.addEventListener("scroll", () => { lastScroll = performance.now(); }, { passive: true });
plot.addEventListener("wheel", event => {
  if (performance.now() - lastScroll < 250) return; // the page is being scrolled past the panel
  event.preventDefault();
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) shift(event.deltaX / 1500);
  else zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400))), unitsAt(event));
}, { passive: false });
plot.addEventListener("keydown", event => {
  const move = KEYS[event.key];
  if (move && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); MOVES[move](); }
});
const stripMove = event => {
  const all = extent(), x = all[0] + (event.clientX - strip.getBoundingClientRect().left - MARGIN.left) / (width - MARGIN.left - MARGIN.right) * (all[1] - all[0]), half = (view[1] - view[0]) / 2;
  setView(x - half, x + half);
};
strip.addEventListener("pointerdown", event => { strip.setPointerCapture(event.pointerId); stripMove(event); });
strip.addEventListener("pointermove", event => { if (event.buttons) stripMove(event); });
for (const button of document.querySelectorAll("button[data-beam]")) button.addEventListener("click", () => setBeam(button.dataset.beam));
for (const button of document.querySelectorAll("button[data-move]")) button.addEventListener("click", () => MOVES[button.dataset.move]());
for (const link of document.querySelectorAll("#lead-table a")) link.addEventListener("click", event => {
  event.preventDefault();
  setBeam(link.dataset.beam);
  cursorAt = +link.dataset.km * KM / UNIT;
  setView(cursorAt - 5000, cursorAt + 5000);
  document.getElementById("profile").scrollIntoView({ behavior: "smooth" });
});

/* Tables whose heads are buttons sort by the cell's key, or its number, or its text. */
function keyOf(cell) {
  const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim().replace(/,/g, "").replace("\u2212", "-");
  return text !== "" && Number.isFinite(+text) ? +text : text;
}
for (const table of document.querySelectorAll("table.sortable")) table.querySelectorAll("thead th").forEach((th, k) => th.querySelector("button").addEventListener("click", () => {
  const down = th.getAttribute("aria-sort") === "ascending", body = table.tBodies[0];
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].map(row => [keyOf(row.cells[k]), row]);
  rows.sort(([a], [b]) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1) * (down ? -1 : 1));
  body.append(...rows.map(([, row]) => row));
}));

new ResizeObserver(() => { if (view && Math.round(plot.parentElement.clientWidth) !== width) ask(); }).observe(plot.parentElement);
window.addEventListener("hashchange", fromAddress);
width = Math.max(320, Math.round(plot.parentElement.clientWidth));
fromAddress();
draw();
document.documentElement.dataset.ready = "yes";
