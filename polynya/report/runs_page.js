"use strict";
/* The table of a run: sort by a click on a head, filter by words and state; a row and its track point at each other. */
(() => {
  const body = document.querySelector("#runs-table tbody");
  if (!body) return;
  const rows = [...body.rows], filter = document.getElementById("filter"), shown = document.getElementById("shown");
  const items = rows.map(row => row.querySelector("[data-item]").dataset.item);
  const drawn = new Map([...document.querySelectorAll("g.item")].map(g => [g.dataset.item, g]));
  const states = [...document.querySelectorAll("button[data-state]")];
  const heads = [...document.querySelectorAll("#runs-table thead th")];
  let state = "";

  function apply() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    rows.forEach((row, k) => {
      const text = row.textContent.toLowerCase();
      const is = (!state || row.querySelector(".state").textContent === state) && words.every(w => text.includes(w));
      row.hidden = !is;
      const g = drawn.get(items[k]);
      if (g) g.style.opacity = is ? 1 : .08;
      n += is;
    });
    shown.textContent = `${n} of ${rows.length}`;
  }

  function sort(column) {
    const head = heads[column], down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => { const cell = row.cells[column]; return cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent; };
    const isNumber = rows.every(row => key(row) === "" || !isNaN(Number(key(row))));
    const order = [...rows].sort((a, b) => {
      const p = key(a), q = key(b);
      if (p === "" || q === "") return (p === "") - (q === ""); // what is missing comes last, either way
      return (isNumber ? p - q : p.localeCompare(q)) * (down ? -1 : 1);
    });
    body.append(...order);
  }

  heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => sort(k)));
  filter.addEventListener("input", apply);
  for (const button of states) button.addEventListener("click", () => {
    state = button.dataset.state;
    for (const other of states) other.setAttribute("aria-checked", String(other === button));
    apply();
  });
  const mark = (k, on) => {
    rows[k].classList.toggle("marked", on);
    const g = drawn.get(items[k]);
    if (g) { g.classList.toggle("marked", on); if (on) g.closest("svg").insertBefore(g.closest("a") || g, g.closest("svg").querySelector(".here")); }
  };
  rows.forEach((row, k) => {
    row.addEventListener("mouseenter", () => mark(k, true));
    row.addEventListener("mouseleave", () => mark(k, false));
    const g = drawn.get(items[k]);
    if (g) { g.addEventListener("mouseenter", () => row.classList.add("marked")); g.addEventListener("mouseleave", () => row.classList.remove("marked")); }
  });
  apply();
})();
