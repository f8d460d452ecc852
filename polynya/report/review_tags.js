"use strict";
/* The review of tags. Nothing counts as changed here before the server says that it is saved. */
const KEY = location.hash.slice(1), $ = id => document.getElementById(id);
const S = { session: null, file: 0, state: null, order: [], at: 0, queue: Promise.resolve(), pictures: new Map() };

async function ask(path, body) {
  const headers = { "X-Polynya-Key": KEY };
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try { answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body ? JSON.stringify(body) : undefined, cache: "no-store" }); }
  catch { throw Object.assign(new Error("The server does not answer."), { gone: true }); }
  if (!answer.ok) throw Object.assign(new Error((await answer.json().catch(() => ({}))).error || `The server says ${answer.status}.`), { status: answer.status });
  return answer;
}
const query = (path, values) => ask(path + "?" + new URLSearchParams(values));

function notice(text, bad = false) { $("notice").textContent = text; $("notice").hidden = !text; $("notice").className = bad ? "bad" : ""; }
function failed(error, what) {
  if (error.gone) notice(`The server does not answer. ${what ? what + " is NOT saved. " : ""}Everything said to be saved is on disk. Start polynya review again and open the address it prints.`, true);
  else notice(`${what ? what + " is NOT saved: " : ""}${error.message}`, true);
}

const here = () => S.order.length ? S.state.imagettes[S.order[S.at]] : null;
const isAside = one => (one.q & S.session.aside) !== 0;

/* Send a change; changes go one after the other. */
function change(path, body, what) {
  const file = S.file;
  $("saved").textContent = "saving \u2026";
  S.queue = S.queue.then(async () => {
    try {
      const found = await (await ask(path, { file, ...body })).json();
      if (file === S.file) {
        if (found.imagette) S.state.imagettes[found.row] = found.imagette;
        Object.assign(S.state, { undo: found.undo, reviewed: found.reviewed, confirmed: found.confirmed });
        notice("");
        $("saved").textContent = `${what}: saved ${new Date().toLocaleTimeString("en-GB")} in ${found.corrections}`;
        show();
      }
      return found;
    } catch (error) {
      $("saved").textContent = "";
      if (error.status === 409) { await load(S.file); notice(error.message); } else failed(error, what);
      return null;
    }
  });
  return S.queue;
}

async function load(index) {
  try {
    S.session = await (await ask("/api/session")).json();
    S.state = await (await query("/api/file", { file: index })).json();
  } catch (error) { failed(error); return; }
  S.file = index;
  $("files").replaceChildren(...S.session.files.map(f => new Option(`${f.name}${f.reviewed ? ` (${f.reviewed})` : ""}`, f.index, false, f.index === index)));
  if ($("with").options.length === 1) $("with").append(...S.session.tags.map((t, k) => new Option(t.name, k)));
  sort();
}

function sort() {
  const only = $("only").value, tag = $("with").value, order = $("order").value, all = S.state.imagettes;
  const wanted = { open: one => !one.confirmed, all: () => true, done: one => one.confirmed, aside: isAside }[only];
  S.order = all.map((_, k) => k).filter(k => wanted(all[k]) && (tag === "" || all[k].tags.includes(Number(tag))));
  const sure = k => all[k].c === null ? -1 : all[k].c;
  if (order !== "number") S.order.sort((a, b) => (order === "sure" ? sure(b) - sure(a) : sure(a) - sure(b)) || a - b);
  S.at = 0;
  show();
}

function tagButton(tag, k, one) {
  const button = document.createElement("button"), key = document.createElement("kbd"), name = document.createElement("span"), track = document.createElement("span"), bar = document.createElement("i"), value = document.createElement("b");
  button.type = "button"; button.className = "tag" + (one.said.includes(k) ? " said" : ""); button.dataset.tag = k;
  button.setAttribute("aria-pressed", String(one.tags.includes(k)));
  key.textContent = (k + 1) % 10; name.textContent = tag.name; track.className = "track"; bar.style.width = `${100 * (one.p[k] ?? 0)}%`;
  value.textContent = one.p[k] === null ? "\u2013" : one.p[k].toFixed(2);
  track.append(bar); button.append(key, name, track, value);
  button.addEventListener("click", () => toggle(k));
  return button;
}

function show() {
  const one = here(), state = S.state;
  document.title = `${state.name} \u00b7 polynya review`;
  $("title").textContent = state.name;
  $("facts").textContent = [...(state.simulated ? ["simulated, not satellite data"] : []), `reviewer ${S.session.who}`, `${state.confirmed} of ${state.imagettes.length} confirmed`, `saved in ${state.corrections}`].join(" \u00b7 ");
  $("undo").disabled = !state.undo; $("undo").title = state.undo ? state.undo.text : "";
  $("before").disabled = S.at <= 0; $("after").disabled = S.at >= S.order.length - 1;
  $("progress").textContent = S.order.length ? `${S.at + 1} of ${S.order.length}` : "none left with these filters";
  $("confirm").disabled = !one;
  if (!one) { $("name").textContent = "No imagette"; $("about").textContent = $("said").textContent = ""; $("tags").replaceChildren(); $("picture").removeAttribute("src"); $("why").textContent = ""; return; }
  const limits = Object.entries(S.session.quality).filter(([bit]) => one.q & Number(bit)).map(([, text]) => text);
  $("name").textContent = one.name;
  $("about").textContent = [one.about, one.c === null ? "not assessed" : `confidence ${one.c.toFixed(2)}`, ...limits].filter(Boolean).join(" \u00b7 ");
  const focused = document.activeElement?.dataset?.tag;
  $("tags").replaceChildren(...S.session.tags.map((tag, k) => tagButton(tag, k, one)));
  if (focused !== undefined) $("tags").children[Number(focused)]?.focus();
  $("confirm").classList.toggle("done", one.confirmed);
  $("said").textContent = one.confirmed ? "Confirmed." : one.said.length ? "Marked tags are yours; the others are the network's until you confirm." : "All tags are the network's.";
  draw(S.order[S.at]);
  for (const k of [S.at + 1, S.at - 1]) if (S.order[k] !== undefined) fetchPicture(S.order[k]).catch(() => {});
}

function fetchPicture(row) {
  const key = `${S.file}/${row}`;
  if (!S.pictures.has(key)) {
    S.pictures.set(key, query("/api/picture", { file: S.file, row }).then(a => a.blob()).then(b => URL.createObjectURL(b)));
    S.pictures.get(key).catch(() => S.pictures.delete(key));
    if (S.pictures.size > 60) { const [old, url] = S.pictures.entries().next().value; S.pictures.delete(old); url.then(URL.revokeObjectURL, () => {}); }
  }
  return S.pictures.get(key);
}

async function draw(row) {
  const file = S.file;
  try {
    const url = await fetchPicture(row);
    if (file === S.file && row === S.order[S.at]) { $("picture").src = url; $("picture").alt = here().name; $("why").textContent = ""; }
  } catch (error) {
    if (error.gone) failed(error);
    else if (file === S.file && row === S.order[S.at]) { $("picture").removeAttribute("src"); $("why").textContent = error.message; }
  }
}

function toggle(k) {
  const one = here();
  if (!one) return;
  const present = !one.tags.includes(k);
  change("/api/tag", { row: S.order[S.at], tag: S.session.tags[k].key, present }, `${present ? "" : "no "}${S.session.tags[k].name}`);
}
async function confirm() {
  const row = S.order[S.at];
  if (!here() || !(await change("/api/confirm", { row }, "confirmed"))) return;
  if (S.order[S.at] === row && S.at < S.order.length - 1) go(1);
}
function go(step) { S.at = Math.max(0, Math.min(S.at + step, S.order.length - 1)); show(); }
function undo() { if (S.state.undo) change("/api/undo", { id: S.state.undo.id }, "undone"); }

const ACTIONS = { n: () => go(1), ArrowRight: () => go(1), p: () => go(-1), ArrowLeft: () => go(-1), u: undo, c: confirm, Enter: confirm, "?": () => $("help").showModal() };
document.addEventListener("keydown", event => {
  if (!S.state || event.ctrlKey || event.metaKey || event.altKey || $("help").open || event.target.closest("select")) return;
  if (event.key === "Enter" && event.target.closest("button")) return;
  const action = /^[0-9]$/.test(event.key) ? () => toggle((Number(event.key) + 9) % 10) : ACTIONS[event.key];
  if (action) { event.preventDefault(); action(); }
});
$("confirm").onclick = event => { event.currentTarget.blur(); confirm(); };
$("undo").onclick = event => { event.currentTarget.blur(); undo(); };
$("before").onclick = () => go(-1); $("after").onclick = () => go(1);
$("help-button").onclick = event => { event.currentTarget.blur(); $("help").showModal(); };
$("files").onchange = event => { event.currentTarget.blur(); load(Number(event.currentTarget.value)); };
for (const id of ["only", "with", "order"]) $(id).onchange = event => { event.currentTarget.blur(); sort(); };

(async () => {
  if (!KEY) { notice("The key is missing in the address: open the one that polynya review printed.", true); return; }
  await load(0);
  document.body.dataset.ready = S.state ? "yes" : "no";
})();
