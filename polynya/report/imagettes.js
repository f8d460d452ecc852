"use strict";
/* The contact sheet: filters by tag and confidence, pictures in portions, details in a dialog; all of it by keys, too. */
(() => {
  const DATA = JSON.parse(document.getElementById("imagettes").textContent), PORTION = 120;
  const $ = id => document.getElementById(id), grid = $("grid"), detail = $("detail");
  const valueOf = id => $(id)?.value ?? "";
  const buttons = [...document.querySelectorAll("button[data-tag]")];
  let found = [], drawn = 0, open = -1;

  const isAside = item => (item.q & DATA.aside) !== 0;
  const tagsOf = item => $("precise").checked ? item.precise : item.tags;
  const groups = item => isAside(item) ? ["aside"] : tagsOf(item).length ? tagsOf(item).map(String) : ["none"];
  const words = item => isAside(item) ? "not assessed" : tagsOf(item).map(k => DATA.tags[k].name).join(", ") || "no tag";
  const pressed = () => buttons.filter(b => b.getAttribute("aria-pressed") === "true").map(b => b.dataset.tag);

  function inRange(item, low, high) { // without a confidence only the whole range holds an imagette
    return item.c === null ? low <= 0 && high >= 1 : item.c >= low && item.c <= high;
  }

  function inBeamAndTime(item) { // filters that the page has only where the pictures differ
    const beam = valueOf("beam"), from = valueOf("from"), to = valueOf("to"), time = item.time.slice(0, 16);
    return (!beam || (item.beam || "-") === beam) && (!from || (time && time >= from.slice(0, 16))) && (!to || (time && time <= to.slice(0, 16)));
  }

  function apply() {
    const wanted = pressed(), all = $("mode").value === "all";
    const [low, high] = ["low", "high"].map(id => Number($(id).value));
    const inside = DATA.items.filter(item => inRange(item, low, high) && inBeamAndTime(item));
    found = inside.filter(item => !wanted.length || (all ? wanted.every(w => groups(item).includes(w)) : wanted.some(w => groups(item).includes(w))));
    const order = $("order").value, value = item => item.c === null ? -1 : item.c;
    if (order === "sure") found.sort((a, b) => value(b) - value(a) || a.n - b.n);
    if (order === "unsure") found.sort((a, b) => value(a) - value(b) || a.n - b.n);
    for (const b of buttons) b.querySelector("small").textContent = inside.filter(item => groups(item).includes(b.dataset.tag)).length;
    grid.textContent = "";
    drawn = 0;
    more();
  }

  function more() {
    const next = found.slice(drawn, drawn + PORTION);
    for (const item of next) grid.append(card(item, drawn++));
    $("shown").textContent = `${found.length} of ${DATA.items.length} pictures${drawn < found.length ? `, the first ${drawn} below` : ""}`;
    $("more").hidden = drawn >= found.length;
    $("more").textContent = `Show ${Math.min(PORTION, found.length - drawn)} more`;
    if (grid.firstChild && !grid.querySelector('[tabindex="0"]')) grid.firstChild.tabIndex = 0;
  }

  function card(item, k) {
    const button = document.createElement("button"), image = new Image(), text = document.createElement("span"), sure = document.createElement("span");
    button.type = "button"; button.className = "imagette"; button.tabIndex = -1; button.dataset.k = k;
    image.src = `data:image/jpeg;base64,${item.jpeg}`; image.alt = ""; image.loading = "lazy";
    text.className = "words" + (isAside(item) || !tagsOf(item).length ? " quiet" : ""); text.textContent = words(item);
    sure.className = "c"; sure.textContent = item.c === null ? "\u2013" : item.c.toFixed(2);
    button.setAttribute("aria-label", `${item.name}: ${words(item)}${item.c === null ? "" : `, confidence ${item.c.toFixed(2)}`}`);
    button.append(image, text, sure);
    button.addEventListener("click", () => show(k));
    return button;
  }

  function focus(k) {
    while (k >= drawn && drawn < found.length) more();
    const to = grid.children[Math.max(0, Math.min(k, drawn - 1))];
    if (!to) return;
    for (const other of grid.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  function show(k) {
    const item = found[k];
    if (!item) return;
    open = k;
    $("detail-picture").src = `data:image/jpeg;base64,${item.jpeg}`;
    $("detail-name").textContent = item.name;
    const limits = Object.entries(DATA.quality).filter(([bit]) => item.q & Number(bit)).map(([, text]) => text);
    $("detail-about").textContent = [...item.about, item.c === null ? "not assessed" : `confidence ${item.c.toFixed(2)}`, ...limits].join(" \u00b7 ");
    const rows = DATA.tags.map((tag, n) => ({ tag, n, p: item.p[n] })).sort((a, b) => (b.p ?? -1) - (a.p ?? -1));
    $("detail-tags").replaceChildren(...rows.map(({ tag, n, p }) => {
      const row = document.createElement("div"), name = document.createElement("span"), track = document.createElement("span"), bar = document.createElement("i"), value = document.createElement("b");
      row.className = "bar-row" + (item.tags.includes(n) ? " on" : ""); track.className = "track";
      name.textContent = tag.name; bar.style.width = `${100 * (p ?? 0)}%`; value.textContent = p === null ? "\u2013" : p.toFixed(2);
      track.append(bar); row.append(name, track, value);
      return row;
    }));
    $("before").disabled = k === 0; $("after").disabled = k === found.length - 1;
    if (!detail.open) detail.showModal();
  }

  const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const STEPS = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: columns, ArrowUp: () => -columns(), Home: () => -Infinity, End: () => Infinity };
  grid.addEventListener("keydown", event => {
    const step = STEPS[event.key], here = event.target.closest(".imagette");
    if (here && event.key === "Enter") { event.preventDefault(); show(Number(here.dataset.k)); }
    if (!step || !here) return;
    event.preventDefault();
    const to = Number(here.dataset.k) + step();
    focus(Math.max(0, Math.min(to, found.length - 1)));
  });
  detail.addEventListener("keydown", event => {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") { event.preventDefault(); show(open + (event.key === "ArrowRight" ? 1 : -1)); }
  });
  detail.addEventListener("close", () => focus(open));
  detail.addEventListener("click", event => { if (event.target === detail) detail.close(); });
  $("before").addEventListener("click", () => show(open - 1));
  $("after").addEventListener("click", () => show(open + 1));
  $("close").addEventListener("click", () => detail.close());
  $("more").addEventListener("click", () => { const first = drawn; more(); focus(first); });
  for (const b of buttons) b.addEventListener("click", () => { b.setAttribute("aria-pressed", String(b.getAttribute("aria-pressed") !== "true")); apply(); });
  for (const id of ["mode", "low", "high", "precise", "order", "beam", "from", "to"]) $(id)?.addEventListener("change", apply);
  $("reset").addEventListener("click", () => {
    for (const b of buttons) b.setAttribute("aria-pressed", "false");
    $("mode").value = "any"; $("low").value = 0; $("high").value = 1; $("precise").checked = false; $("order").value = "number";
    for (const id of ["beam", "from", "to"]) if ($(id)) $(id).value = "";
    apply();
  });
  apply();
  document.body.dataset.ready = "yes";
})();
