"use strict";
/* State, server and events of the review page. Nothing counts as changed here before the server says that it is saved. */
const KEY = location.hash.slice(1), MIN_SPAN = 40, MEMORY = "polynya-review";
const S = {
  session: null, file: 0, state: null, beam: null, origin: 0, extent: [0, 1], view: [0, 1], cursor: null, hover: null, selection: null, selected: 0, anchor: null, moving: false, pending: null,
  baseShift: null, north: false, across: 0, map: { e: 0, n: 0, mpp: 10 }, contrast: 0, hidden: false, courses: new Map(), feeds: new Map(), tiles: new Map(), frames: 0, scale: null,
};

/* ---- the server ---------------------------------------------------------------------------- */
async function ask(path, { body, keepalive = false } = {}) {
  const headers = { "X-Polynya-Key": KEY };
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body ? JSON.stringify(body) : undefined, keepalive, cache: "no-store" });
  } catch { throw Object.assign(new Error("The server does not answer."), { gone: true }); }
  if (!answer.ok) throw Object.assign(new Error((await answer.json().catch(() => ({}))).error || `The server says ${answer.status}.`), { status: answer.status });
  return answer;
}
const query = (path, values) => ask(path + "?" + new URLSearchParams(values));

function failed(error, what) {
  if (error.gone) { notice(`The server does not answer. ${what ? what + " is NOT saved." : ""} Everything said to be saved is on disk. Start polynya review again and open the address it prints.`, true); watch(); }
  else notice(`${what ? what + " is NOT saved: " : ""}${error.message}`, true);
}

let watching = false;
function watch() {
  if (watching) return;
  watching = true;
  const timer = setInterval(async () => { try { await ask("/api/session"); clearInterval(timer); watching = false; notice(""); await load(S.file, { keep: true }); } catch (error) { if (!error.gone) { clearInterval(timer); watching = false; failed(error); } } }, 2000);
}

let queue = Promise.resolve();
/* Send a change; changes go one after the other. */
function change(path, body, what) {
  $("saved").textContent = "saving \u2026";
  const file = S.file;
  const sent = queue.then(async () => {
    try {
      const state = await (await ask(path, { body: { file, ...body } })).json();
      notice("");
      $("saved").textContent = `${what}: saved ${new Date().toLocaleTimeString("en-GB")} in ${state.corrections}`;
      if (S.session) S.session.files[file] = state;
      if (file === S.file) { S.state = state; show(); }
      return state;
    } catch (error) {
      $("saved").textContent = "";
      if (error.status === 409) { await load(S.file, { keep: true }); notice(error.message); } else failed(error, what);
      return null;
    }
  });
  queue = sent;
  return sent;
}

function decode(buffer) {
  const size = new DataView(buffer).getUint32(0, true), head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  const types = { f8: Float64Array, f4: Float32Array, u4: Uint32Array, u1: Uint8Array, i2: Int16Array };
  for (const [name, [type, offset, n]] of Object.entries(head.arrays)) head[name] = new types[type](buffer, 4 + size + offset, n);
  return head;
}

/* The latest data of a beam's window for one use; asks for better where it does not cover the view finely enough. */
function feed(use, beam, from, to, columns) {
  const key = `${use}/${beam.name}`, span = to - from, had = S.feeds.get(key) || {};
  const low = Math.max(from, beam.x[0] - 1), high = Math.min(to, beam.x[1] + 1);
  const d = had.data, version = S.state.version;
  if (high <= low) return null;
  const good = d && d.version === version && d.from <= low + 1e-6 && d.to >= high - 1e-6 && (d.single || (d.to - d.from) / d.columns <= 1.4 * span / columns);
  if (!good && !had.busy && !watching) {
    const a = Math.max(from - span / 2, beam.x[0] - 1), b = Math.min(to + span / 2, beam.x[1] + 1), file = S.file;
    S.feeds.set(key, had);
    had.busy = true;
    query("/api/window", { file, beam: beam.name, from: a, to: b, columns: Math.max(20, Math.ceil(columns * (b - a) / span)) })
      .then(async answer => {
        const data = decode(await answer.arrayBuffer());
        data.version = version;
        data.kindOf = data.single ? i => data.kind[i] : i => { let best = 0; for (let k = 1; k < 5; k++) if (data["n" + k][i] > data["n" + best][i]) best = k; return best; };
        had.data = data;
      }, error => failed(error))
      .finally(() => { had.busy = false; redraw(); });
  }
  return d || null;
}

function tile(level, row, column) {
  const key = `${S.file}/${level}/${row}/${column}`, had = S.tiles.get(key);
  if (had) { S.tiles.delete(key); S.tiles.set(key, had); return had.image; } // the newest last
  if ([...S.tiles.values()].filter(t => t.busy).length >= 6 || watching) return null;
  const entry = { image: null, busy: true };
  S.tiles.set(key, entry);
  query("/api/tile", { file: S.file, level, row, column }).then(async answer => { entry.image = await createImageBitmap(await answer.blob()); }, error => { if (error.status !== 404) failed(error); })
    .finally(() => { entry.busy = false; redraw(); });
  for (const [k, t] of S.tiles) { if (S.tiles.size <= 400) break; if (!t.busy) { t.image?.close(); S.tiles.delete(k); } }
  return null;
}

/* ---- files, beams ---------------------------------------------------------------------------- */
async function load(index, { keep = false } = {}) {
  await endMove();
  let state = null;
  try {
    S.session = await (await ask("/api/session")).json();
    state = await (await query("/api/file", { file: index })).json();
  } catch (error) { // a file that cannot be read must not keep the others away
    if (!error.gone && S.session) { S.file = index; S.state = null; showFiles(); $("title").textContent = S.session.files[index].granule; $("facts").textContent = S.session.files[index].name; }
    failed(error);
    return;
  }
  notice("");
  if (index !== S.file || !keep) { S.feeds.clear(); S.across = 0; S.selection = S.anchor = S.cursor = S.hover = null; $("saved").textContent = ""; }
  S.courses.clear();
  S.file = index; S.state = state;
  const all = state.beams.map(b => b.x);
  S.origin = Math.min(...all.map(x => x[0]));
  S.extent = [S.origin, Math.max(...all.map(x => x[1]))];
  if (S.extent[1] - S.extent[0] < MIN_SPAN) S.extent = [S.extent[0] - MIN_SPAN / 2, S.extent[1] + MIN_SPAN / 2];
  if (!state.beams.some(b => b.name === S.beam)) S.beam = (state.beams.find(b => b.strong) || state.beams[0]).name;
  if (!keep) { S.view = [...S.extent]; }
  await Promise.all(state.beams.map(async b => { try { S.courses.set(b.name, decode(await (await query("/api/course", { file: index, beam: b.name })).arrayBuffer())); } catch (error) { failed(error); } }));
  if (!keep) northView();
  show();
}

function showFiles() {
  const files = S.session.files, list = $("files");
  $("progress").textContent = `${files.filter(f => f.done).length} of ${files.length} reviewed`;
  list.textContent = "";
  for (const f of files) list.append(new Option(`${f.done ? "\u2713 " : ""}${files.filter(o => o.name === f.name).length > 1 ? f.folder + "/" : ""}${f.name}${f.changes ? ` (${f.changes})` : ""}`, f.index, false, f.index === S.file));
  $("previous").disabled = S.file === 0; $("next").disabled = S.file === files.length - 1;
}

function show() {
  const s = S.state;
  showFiles();
  document.title = `${s.granule} \u00b7 polynya review`;
  $("title").textContent = s.granule;
  const facts = [...(s.simulated ? ["simulated, not satellite data"] : []), `reviewer ${S.session.who}`, s.scene ? `scene ${s.scene}` : "no scene"];
  if (Number.isFinite(s.minutes)) facts.push(`${Math.abs(s.minutes).toFixed(1)} min apart`);
  $("facts").textContent = facts.join(" \u00b7 ");
  $("done").setAttribute("aria-pressed", s.done);
  $("done").firstChild.textContent = s.done ? "Reviewed " : "Mark as reviewed ";
  $("undo").disabled = !s.undo; $("redo").disabled = !s.redo;
  $("undo").title = s.undo ? `${s.undo.text} (${s.undo.who}, ${s.undo.time.replace("T", " ")})` : "";
  $("redo").title = s.redo ? s.redo.text : "";
  const beams = $("beams");
  beams.textContent = "";
  for (const b of s.beams) {
    const button = document.createElement("button"), small = document.createElement("small");
    button.type = "button"; button.setAttribute("role", "radio"); button.setAttribute("aria-checked", b.name === S.beam); button.dataset.beam = b.name;
    small.textContent = b.strong ? " strong" : " weak"; button.append(b.name, small);
    button.onclick = () => choose(b.name);
    beams.append(button);
  }
  $("shift").setAttribute("aria-pressed", S.moving); $("shift").disabled = !myCourse();
  $("turn").setAttribute("aria-pressed", S.north); $("turn").disabled = !myCourse();
  $("map").classList.toggle("moving", S.moving);
  const hints = [];
  if (s.torn) hints.push("The last line of the corrections file is incomplete (the writer was stopped). It is ignored; all lines before it are used.");
  if (s.foreign) hints.push(`${s.foreign} corrections in the file are of another granule and change nothing here.`);
  if (s.stale) hints.push(`${s.stale} segments carry a person's label that no correction in force gives (merged and undone since, or another file): run polynya label again.`);
  if (s.sure === false && !s.shift.some((v, k) => Math.abs(v - s.sampled_shift[k]) > .05)) hints.push("The drift shift is not sure, so nothing was labelled: move the track onto its ice (S), then run polynya label --corrections.");
  if (!$("notice").classList.contains("bad")) notice(hints.join(" "));
  remember(); tell(); redraw();
}

function choose(name) { S.beam = name; S.anchor = null; S.selection = null; S.selected++; show(); }
function notice(text, bad = false) { const p = $("notice"); p.textContent = text; p.hidden = !text; p.classList.toggle("bad", bad); redraw(); }
function remember() { sessionStorage.setItem(MEMORY, JSON.stringify({ name: S.state.name, file: S.file, beam: S.beam, view: S.view, north: S.north })); }

function northView() {
  const c = myCourse();
  if (!c) return;
  const e = [Math.min(...c.east), Math.max(...c.east)], n = [Math.min(...c.north), Math.max(...c.north)], box = $("map").getBoundingClientRect();
  S.map = { e: (e[0] + e[1]) / 2, n: (n[0] + n[1]) / 2, mpp: Math.max((e[1] - e[0]) / box.width, (n[1] - n[0]) / Math.max(50, box.height), .5) * 1.1 };
}

/* ---- view, cursor, selection ----------------------------------------------------------------- */
function look(a, b) {
  const [x0, x1] = S.extent, pad = (x1 - x0) * .01, span = Math.min(Math.max(b - a, MIN_SPAN), x1 - x0 + 2 * pad), middle = (a + b) / 2;
  const from = Math.min(Math.max(middle - span / 2, x0 - pad), x1 + pad - span);
  S.view = [from, from + span];
  remember(); redraw();
}
function zoom(factor, about) { const x = about ?? (S.cursor !== null && S.cursor > S.view[0] && S.cursor < S.view[1] ? S.cursor : (S.view[0] + S.view[1]) / 2); look(x - (x - S.view[0]) * factor, x + (S.view[1] - x) * factor); }
function pan(share) { const d = (S.view[1] - S.view[0]) * share; look(S.view[0] + d, S.view[1] + d); }
function reveal(x) { const span = S.view[1] - S.view[0]; if (x < S.view[0] || x > S.view[1]) look(x - span / 2, x + span / 2); }

let telling = 0;
function tell() {
  const box = $("readout");
  const put = rows => { box.textContent = ""; for (const [name, value] of rows) { const cell = document.createElement("div"), label = document.createElement("span"); label.textContent = name; cell.append(label, value); cell.dataset.name = name; cell.title = value; box.append(cell); } };
  if (S.cursor === null && S.hover === null) { telling++; put([["cursor", "click into the profile; drag to select a stretch, then press 1, 2, 3 or 0; ? shows all keys"]]); box.firstChild.style.gridColumn = "1 / -1"; return; }
  const turn = ++telling, at = S.hover ?? S.cursor;
  setTimeout(async () => {
    if (turn !== telling) return;
    let s;
    try { s = await (await query("/api/segment", { file: S.file, beam: S.beam, x: at })).json(); } catch (error) { failed(error); return; }
    if (turn !== telling) return;
    const say = (v, unit = "") => v === null ? "\u2013" : String(v).replace("-", "\u2212") + unit, rows = [
      ["km", ((s.x - S.origin) / 1000).toFixed(4)], ["label", s.label.replaceAll("_", " ")], ["label by", s.source.replaceAll("_", " ")], ["flag", s.flag.replaceAll("_", " ")],
      ["height", say(s.height, " m")], ["photons per shot", say(s.rate)], ["image V", say(s.image_value)], ["latitude", say(s.latitude, "\u00b0")], ["longitude", say(s.longitude, "\u00b0")], ["UTC", s.time ? s.time.replace("T", " ").slice(0, 19) : "\u2013"],
    ];
    if (S.selection) rows.push(["selected", `${(S.selection[1] - S.selection[0]).toFixed(0)} m${counted()}`]);
    put(rows);
  }, 40);
}
function counted() {
  const d = S.feeds.get(`plot/${S.beam}`)?.data;
  if (!d || d.from > S.selection[0] || d.to < S.selection[1]) return "";
  const a = lower(d.x, S.selection[0] - .01), b = lower(d.x, S.selection[1] + .01);
  if (d.single) return `, ${b - a} segments`;
  let n = 0;
  for (let i = a; i < b; i++) for (let k = 0; k < 5; k++) n += d["n" + k][i];
  return `, about ${n} segments`;
}

function snapped(x) {
  const d = S.feeds.get(`plot/${S.beam}`)?.data, beam = S.state.beams.find(b => b.name === S.beam);
  if (d?.single && d.x.length && x >= d.from && x <= d.to) { let k = Math.min(d.x.length - 1, lower(d.x, x)); if (k && x - d.x[k - 1] < d.x[k] - x) k--; return d.x[k]; }
  return Math.min(Math.max(x, beam.x[0]), beam.x[1]);
}
function setCursor(x) {
  S.cursor = snapped(x);
  if (S.anchor !== null) select(S.anchor, S.cursor);
  tell(); redraw();
}
function stepCursor(by) {
  if (S.cursor === null) { setCursor((S.view[0] + S.view[1]) / 2); return; }
  const d = S.feeds.get(`plot/${S.beam}`)?.data;
  if (d?.single && S.cursor >= d.from && S.cursor <= d.to) setCursor(d.x[Math.min(d.x.length - 1, Math.max(0, lower(d.x, S.cursor - .001) + by))]);
  else setCursor(S.cursor + by * (S.view[1] - S.view[0]) / plotShape().wide);
  reveal(S.cursor);
}
function select(a, b) { S.selected++; S.selection = a === null ? null : [Math.min(a, b), Math.max(a, b)]; tell(); redraw(); }

async function selectRun(step, unlabelled = false) {
  const x = S.cursor ?? (S.view[0] + S.view[1]) / 2, before = S.selected;
  let run;
  try { run = await (await query("/api/run", { file: S.file, beam: S.beam, x, step, unlabelled: unlabelled ? "1" : "0" })).json(); } catch (error) { failed(error); return; }
  if (S.selected !== before) return; // something else was selected meanwhile, or Escape pressed
  if (!run.found) { notice(unlabelled ? "No unlabelled run is left on this side." : "No further run on this side."); return; }
  S.anchor = null; S.cursor = step < 0 ? run.to : run.from;
  select(run.from, run.to);
  const span = S.view[1] - S.view[0], long = run.to - run.from;
  if (step && (run.from < S.view[0] || run.to > S.view[1])) { const middle = (run.from + run.to) / 2, wide = Math.max(span, long * 1.4); look(middle - wide / 2, middle + wide / 2); }
}

function setLabel(label) {
  if (!S.state) return;
  if (!S.selection) { notice("Select a stretch first: drag in the profile, double click a run, or press Space and the arrows."); return; }
  S.anchor = null;
  const names = { 0: "thick ice", 1: "thin ice", 2: "open water", "-1": "set aside" };
  change("/api/label", { beam: S.beam, from: S.selection[0], to: S.selection[1], label }, names[label]);
}

async function takeBack(name) {
  await endMove();
  await queue;
  const target = S.state[name];
  if (!target) return;
  const state = await change(`/api/${name}`, { id: target.id }, `${name} ${target.text}`);
  if (!state || target.action !== "label") return;
  if (S.beam !== target.beam) choose(target.beam);
  S.cursor = target.x[0]; S.anchor = null;
  select(...target.x); reveal(target.x[0]);
}

/* ---- moving the track ------------------------------------------------------------------------ */
function toggleMove() {
  if (!myCourse()) return;
  if (S.moving) { endMove(); return; }
  S.moving = true; S.baseShift = moved();
  show(); $("map").focus();
}
function moveScreen(dx, dy, metres) {
  const F = mapFrame(), scale = metres ?? F.mpp, u = dx * scale, v = -dy * scale, [e, n] = S.pending || S.state.shift;
  S.pending = [e + u * F.cos - v * F.sin, n + u * F.sin + v * F.cos];
  redraw();
}
async function saveMove() {
  if (!S.pending) return;
  const [east, north] = S.pending.map(v => Math.round(v * 10) / 10), mine = S.pending;
  await change("/api/shift", { east, north }, "shift");
  if (S.pending === mine) S.pending = null;
  redraw();
}
async function endMove() { if (!S.moving) return; await saveMove(); S.moving = false; S.baseShift = null; show(); }

/* ---- events ---------------------------------------------------------------------------------- */
const ACTIONS = {
  "1": () => setLabel(0), "2": () => setLabel(1), "3": () => setLabel(2), "0": () => setLabel(-1), u: () => takeBack("undo"), r: () => takeBack("redo"), s: toggleMove,
  "[": () => pan(-.5), "]": () => pan(.5), "+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2), Home: () => look(...S.extent), a: () => selectRun(0),
  j: () => selectRun(1), k: () => selectRun(-1), J: () => selectRun(1, true), K: () => selectRun(-1, true), b: () => nextBeam(1), B: () => nextBeam(-1),
  n: () => go(1), p: () => go(-1), d: () => change("/api/done", { done: !S.state.done }, S.state.done ? "not reviewed" : "reviewed"), m: turnMap, c: () => { S.contrast = (S.contrast + 1) % CONTRASTS.length; redraw(); },
  t: () => { S.hidden = !S.hidden; redraw(); }, z: () => { if (S.selection) { const pad = Math.max(20, (S.selection[1] - S.selection[0]) * .3); look(S.selection[0] - pad, S.selection[1] + pad); } }, "?": () => $("help").showModal(),
  " ": () => { if (S.cursor === null) setCursor((S.view[0] + S.view[1]) / 2); if (S.anchor === null) { S.anchor = S.cursor; select(S.cursor, S.cursor); } else S.anchor = null; },
  Escape: () => { if (S.moving) endMove(); S.anchor = null; select(null); },
};
function nextBeam(by) { const names = S.state.beams.map(b => b.name); choose(names[(names.indexOf(S.beam) + by + names.length) % names.length]); }
function go(by) { const to = S.file + by; if (to >= 0 && to < S.session.files.length) load(to); }
function turnMap() { if (!myCourse()) return; S.north = !S.north; if (S.north) { const [e, n] = place(myCourse(), (S.view[0] + S.view[1]) / 2), box = $("map").getBoundingClientRect(), p = place(myCourse(), S.view[0]), q = place(myCourse(), S.view[1]); S.map = { e, n, mpp: 1.1 * Math.max(Math.abs(q[0] - p[0]) / box.width, Math.abs(q[1] - p[1]) / box.height) }; } show(); }

addEventListener("keydown", event => {
  if (!S.session || $("help").open || event.target.tagName === "SELECT" || (!S.state && !"npNP?".includes(event.key))) return;
  const command = event.ctrlKey || event.metaKey, key = event.key;
  if (command) {
    const what = key.toLowerCase() === "z" ? (event.shiftKey ? "redo" : "undo") : key.toLowerCase() === "y" ? "redo" : null;
    if (what) { event.preventDefault(); takeBack(what); }
    return;
  }
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (arrow && S.moving) { event.preventDefault(); moveScreen(...arrow, event.shiftKey ? 50 : event.altKey ? 1 : 10); return; }
  if (arrow && arrow[0] && !event.altKey) { event.preventDefault(); stepCursor(arrow[0] * (event.shiftKey ? 25 : 1)); return; }
  if (event.altKey || (key === " " && event.target.tagName === "BUTTON")) return;
  const action = ACTIONS[key] || ACTIONS[key.toLowerCase()];
  if (action && !(event.repeat && !"[]+-=jk".includes(key))) { event.preventDefault(); action(); }
});
addEventListener("keyup", event => { if (S.moving && event.key.startsWith("Arrow")) saveMove(); });
addEventListener("blur", () => { if (S.moving) saveMove(); });
addEventListener("resize", redraw);
addEventListener("pagehide", () => { if (S.pending) { const [east, north] = S.pending.map(v => Math.round(v * 10) / 10); ask("/api/shift", { body: { file: S.file, east, north }, keepalive: true }).catch(() => {}); } });

const where = (canvas, event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
/* Call move(dx, dy, event) while a button is held, end(dragged, event) when it is let go. */
function dragging(canvas, down, start, move, end) {
  const first = [down.clientX, down.clientY];
  let last = first, dragged = false;
  canvas.setPointerCapture(down.pointerId);
  start();
  const onMove = e => {
    if (!dragged && Math.hypot(e.clientX - first[0], e.clientY - first[1]) < 4) return;
    dragged = true; move(e.clientX - last[0], e.clientY - last[1], e); last = [e.clientX, e.clientY];
  };
  const onEnd = e => { canvas.removeEventListener("pointermove", onMove); canvas.removeEventListener("pointerup", onEnd); canvas.removeEventListener("pointercancel", onEnd); end(dragged, e); };
  canvas.addEventListener("pointermove", onMove); canvas.addEventListener("pointerup", onEnd); canvas.addEventListener("pointercancel", onEnd);
}

/* Where along the track the mouse is over the picture: the nearest point of the course. */
function alongAt(F, event) {
  const ground = toGround(F, ...where($("map"), event)), c = myCourse(), [de, dn] = moved();
  let best = 0, least = Infinity;
  for (let i = 1; i < c.x.length; i++) {
    const a = [c.east[i - 1] + de, c.north[i - 1] + dn], b = [c.east[i] - c.east[i - 1], c.north[i] - c.north[i - 1]];
    const t = Math.min(1, Math.max(0, ((ground[0] - a[0]) * b[0] + (ground[1] - a[1]) * b[1]) / (b[0] ** 2 + b[1] ** 2))), far = Math.hypot(a[0] + t * b[0] - ground[0], a[1] + t * b[1] - ground[1]);
    if (far < least) { least = far; best = c.x[i - 1] + t * (c.x[i] - c.x[i - 1]); }
  }
  return best;
}
function hover(x) { if (S.hover === x) return; S.hover = x; tell(); drawCursor(); }
$("plot").addEventListener("pointermove", event => { if (S.state) { const x = atPx(where($("plot"), event)[0]); hover(x >= S.view[0] && x <= S.view[1] ? snapped(x) : null); } });
$("map").addEventListener("pointermove", event => { const F = S.state && mapFrame(); if (F && !event.buttons) hover(snapped(alongAt(F, event))); });
for (const id of ["plot", "map"]) $(id).addEventListener("pointerleave", () => { if (S.state) hover(null); });

$("plot").addEventListener("pointerdown", event => {
  if (!S.state) return;
  event.preventDefault(); $("plot").focus();
  const x = atPx(where($("plot"), event)[0]), panning = event.button === 1 || event.ctrlKey;
  if (event.button === 2) return;
  if (panning) { dragging($("plot"), event, () => {}, dx => pan(-dx / plotShape().wide), () => {}); return; }
  if (event.shiftKey && S.cursor !== null) { const a = S.cursor; S.anchor = null; setCursor(x); select(a, S.cursor); return; }
  const from = snapped(x);
  dragging($("plot"), event, () => { S.anchor = null; }, (dx, dy, e) => { S.cursor = snapped(atPx(where($("plot"), e)[0])); select(from, S.cursor); }, dragged => { if (!dragged) { S.selection = null; setCursor(x); } });
});
$("plot").addEventListener("dblclick", () => selectRun(0));
$("plot").addEventListener("wheel", event => { event.preventDefault(); if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 800); else zoom(1.0018 ** event.deltaY, atPx(where($("plot"), event)[0])); }, { passive: false });

$("map").addEventListener("pointerdown", event => {
  const F = S.state && mapFrame();
  if (!F || event.button === 2) return;
  event.preventDefault(); $("map").focus();
  const move = (dx, dy) => {
    if (S.moving) { moveScreen(dx, dy); return; }
    if (S.north) { S.map.e -= dx * S.map.mpp; S.map.n += dy * S.map.mpp; redraw(); return; }
    S.across += dy * mapFrame().mpp;
    pan(-dx / F.w);
  };
  dragging($("map"), event, () => {}, move, dragged => {
    if (dragged && S.moving) { saveMove(); return; }
    if (dragged) return;
    S.selection = null; S.anchor = null; setCursor(alongAt(F, event)); reveal(S.cursor);
  });
});
$("map").addEventListener("wheel", event => {
  event.preventDefault();
  const F = S.state && mapFrame();
  if (!F) return;
  const [x, y] = where($("map"), event), factor = 1.0018 ** event.deltaY;
  if (!S.north) { zoom(factor, S.view[0] + x / F.w * (S.view[1] - S.view[0])); return; }
  const [e, n] = toGround(F, x, y), mpp = Math.min(2000, Math.max(.5, S.map.mpp * factor));
  S.map = { mpp, e: e - (x - F.w / 2) * mpp, n: n + (y - F.h / 2) * mpp };
  redraw();
}, { passive: false });

$("strip").addEventListener("pointerdown", event => {
  if (!S.state) return;
  const to = e => { const box = $("strip").getBoundingClientRect(), x = S.extent[0] + (e.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT) * (S.extent[1] - S.extent[0]), span = S.view[1] - S.view[0]; look(x - span / 2, x + span / 2); };
  dragging($("strip"), event, () => to(event), (dx, dy, e) => to(e), () => {});
});
document.querySelectorAll("button.class").forEach(b => { b.onclick = () => setLabel(Number(b.dataset.label)); });
for (const [id, action] of [["undo", () => takeBack("undo")], ["redo", () => takeBack("redo")], ["shift", toggleMove], ["turn", turnMap], ["contrast", ACTIONS.c], ["whole", () => { if (S.state) ACTIONS.Home(); }], ["previous", () => go(-1)], ["next", () => go(1)], ["done", () => { if (S.state) ACTIONS.d(); }], ["help-button", ACTIONS["?"]]]) $(id).onclick = event => { event.currentTarget.blur(); action(); };
$("files").onchange = event => { event.currentTarget.blur(); load(Number(event.currentTarget.value)); };

(async () => {
  let had = {};
  try { had = JSON.parse(sessionStorage.getItem(MEMORY)) || {}; } catch { /* a fresh tab */ }
  if (!KEY) { notice("The key is missing in the address: open the one that polynya review printed.", true); return; }
  try { S.session = await (await ask("/api/session")).json(); } catch (error) { failed(error); return; }
  const known = Boolean(had.name) && S.session.files[had.file]?.name === had.name, open = S.session.files.findIndex(f => !f.done);
  S.beam = known ? had.beam : null;
  await load(known ? had.file : Math.max(0, open));
  if (known && had.view && S.state) { S.north = had.north && Boolean(myCourse()); look(...had.view); show(); }
  document.body.dataset.ready = S.state ? "yes" : "no";
})();
