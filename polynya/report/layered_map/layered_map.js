"use strict";
// Zoom, pan, layers, coordinates, graticule, north and scale of the map. The view is (x, y) of the upper left corner in
// map units and s, pixels of the screen per unit.
(() => {
  const data = JSON.parse(document.getElementById("layered-map-data").textContent);
  const map = document.getElementById("layered-map"), where = document.getElementById("where");
  const graticule = document.getElementById("graticule"), help = where.textContent;
  const numbers = [...map.querySelectorAll(".numbers text")].map(t => ({ text: t, k: t.dataset.k }));
  const paths = new Map([...map.querySelectorAll("path[data-k]")].map(p => [p.dataset.k, p]));
  const boxes = new Map([...paths].map(([k, p]) => [k, p.getBBox()]));
  const view = { x: 0, y: 0, s: 1 };
  let size = { w: 1, h: 1 }, least = 1, isPicked = false;

  const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
  // The unit normal of the ellipsoid at a place, interpolated between nodes.
  function normal(u, v) {
    const n = data.nodes, a = clamp(u / data.width * (n - 1), 0, n - 1 - 1e-9), b = clamp(v / data.height * (n - 1), 0, n - 1 - 1e-9);
    const i = Math.floor(a), j = Math.floor(b), f = a - i, g = b - j, at = j * n + i;
    return data.normals.map(p => (p[at] * (1 - f) + p[at + 1] * f) * (1 - g) + (p[at + n] * (1 - f) + p[at + n + 1] * f) * g);
  }
  function lonlat(u, v) {
    const [x, y, z] = normal(u, v);
    return [Math.atan2(y, x) * 180 / Math.PI, Math.atan2(z, Math.hypot(x, y)) * 180 / Math.PI];
  }
  const minus = t => t.replace("-", "\u2212");
  const degrees = (v, digits, [plus, less]) => `${Math.abs(v).toFixed(digits)}\u00b0\u202f${v < 0 ? less : plus}`;
  const metres = v => minus(Math.round(v).toLocaleString("en"));
  function words(u, v) {
    if (u < 0 || v < 0 || u > data.width || v > data.height) return "outside the scene";
    const [lon, lat] = lonlat(u, v), [a, b, c, d, e, f] = data.axes;
    const place = `${degrees(lat, 5, "NS")}, ${degrees(lon, 5, "EW")}`;
    return data.crs ? `${place} \u00b7 x ${metres(a * u + b * v + c)} m, y ${metres(d * u + e * v + f)} m (${data.crs})` : place;
  }
  const at = e => { const b = map.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top]; };
  const unit = (px, py) => [view.x + px / view.s, view.y + py / view.s];
  const centre = () => unit(size.w / 2, size.h / 2);

  function limit() {
    view.s = clamp(view.s, least, least * 60);
    for (const [key, whole, seen] of [["x", data.width, size.w / view.s], ["y", data.height, size.h / view.s]])
      view[key] = seen >= whole ? (whole - seen) / 2 : clamp(view[key], 0, whole - seen);
  }
  let waits = 0;
  function draw() {
    limit();
    map.setAttribute("viewBox", `${view.x} ${view.y} ${size.w / view.s} ${size.h / view.s}`);
    map.classList.toggle("sharp", view.s > 3 * least);
    map.classList.toggle("zoomed", view.s > 1.01 * least);
    document.getElementById("zoom-out").disabled = view.s <= least * 1.001;
    for (const p of map.querySelectorAll("pattern.hatch")) p.setAttribute("patternTransform", `rotate(45) scale(${1 / view.s})`);
    const taken = [];
    for (const n of numbers) {
      const b = boxes.get(n.k), px = (n.text.x.baseVal[0].value - view.x) * view.s, py = (n.text.y.baseVal[0].value - view.y) * view.s;
      const isLarge = b && Math.max(b.width, b.height) * view.s > 16 && taken.every(([x, y]) => Math.hypot(px - x, py - y) > 20);
      n.text.style.display = isLarge ? "" : "none";
      n.text.style.fontSize = `${12.5 / view.s}px`;
      if (isLarge) taken.push([px, py]);
    }
    drawGraticule(); drawNorth(); drawScale();
    map.dataset.ready = "yes";
  }
  function later() { if (!waits) waits = requestAnimationFrame(() => { waits = 0; draw(); }); }

  // Lines of equal longitude and latitude: marching squares over the view.
  function drawGraticule() {
    graticule.replaceChildren();
    if (graticule.classList.contains("off")) return;
    const n = 28, x0 = Math.max(view.x, 0), y0 = Math.max(view.y, 0);
    const x1 = Math.min(view.x + size.w / view.s, data.width), y1 = Math.min(view.y + size.h / view.s, data.height);
    const mid = lonlat((x0 + x1) / 2, (y0 + y1) / 2)[0], fields = [[], []];
    for (let j = 0; j <= n; j++) for (let i = 0; i <= n; i++) {
      const [lon, lat] = lonlat(x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * j / n);
      fields[0].push(mid + ((lon - mid + 540) % 360 - 180)); fields[1].push(lat);
    }
    const steps = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005];
    fields.forEach((field, kind) => {
      const low = Math.min(...field), high = Math.max(...field), step = steps.find(s => (high - low) / s >= 2.5) || 0.0005;
      if ((high - low) / step > 40) return;
      for (let k = Math.ceil(low / step); k * step <= high; k++) {
        const [d, label] = line(field, k * step, n, kind, x0, y0, (x1 - x0) / n, (y1 - y0) / n);
        if (!d) continue;
        for (const name of ["under", ""]) {
          const path = document.createElementNS(map.namespaceURI, "path");
          path.setAttribute("d", d); path.setAttribute("class", name);
          graticule.append(path);
        }
        if (!label) continue;
        const text = document.createElementNS(map.namespaceURI, "text"), pad = 5 / view.s;
        let value = k * step;
        if (!kind) value = (value + 540) % 360 - 180;
        const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
        text.textContent = degrees(value, digits, kind ? "NS" : "EW").replace("\u202f", "");
        text.setAttribute("x", label[0] + pad); text.setAttribute("y", label[1] - pad);
        text.style.fontSize = `${11 / view.s}px`;
        if (label[1] - pad > y0 + 14 / view.s && label[0] < x1 - (kind ? 60 : 60 + 0.22 * size.w) / view.s && !(kind && label[1] < y0 + 50 / view.s)) graticule.append(text);
      }
    });
  }
  function line(field, level, n, kind, x0, y0, dx, dy) {
    const out = [];
    let label = null;
    const cross = (a, b) => (field[a] < level) !== (field[b] < level) ? (level - field[a]) / (field[b] - field[a]) : null;
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) {
      const a = j * (n + 1) + i, b = a + 1, c = a + n + 1, d = c + 1, points = [];
      for (const [from, to, px, py, ux, uy] of [[a, b, i, j, 1, 0], [c, d, i, j + 1, 1, 0], [a, c, i, j, 0, 1], [b, d, i + 1, j, 0, 1]]) {
        const f = cross(from, to);
        if (f !== null) points.push([x0 + (px + f * ux) * dx, y0 + (py + f * uy) * dy]);
      }
      if (points.length < 2) continue;
      out.push(`M${points[0].map(v => v.toFixed(2))}L${points[1].map(v => v.toFixed(2))}`);
      // A parallel is named at the left edge, a meridian at the lower one.
      for (const p of points) if (!label || (kind ? p[0] < label[0] : p[1] > label[1])) label = p;
    }
    return [out.join(""), label];
  }
  function drawNorth() {
    const [u, v] = centre().map((c, k) => clamp(c, 0, k ? data.height : data.width)), h = 1;
    const [lon, lat] = lonlat(u, v).map(d => d * Math.PI / 180);
    const up = [-Math.sin(lat) * Math.cos(lon), -Math.sin(lat) * Math.sin(lon), Math.cos(lat)];
    const here = normal(u - h, v), right = normal(u + h, v), above = normal(u, v - h), below = normal(u, v + h);
    const along = (p, q) => { const d = p.map((x, k) => x - q[k]), l = d.reduce((s, x) => s + x * x, 0); return d.reduce((s, x, k) => s + x * up[k], 0) / (l || 1); };
    const angle = Math.atan2(along(right, here), -along(below, above)) * 180 / Math.PI;
    document.querySelector("#north path").setAttribute("transform", `rotate(${angle.toFixed(1)})`);
    document.getElementById("north").dataset.angle = angle.toFixed(2);
  }
  function drawScale() {
    const most = 0.22 * size.w / view.s * data.metres, power = 10 ** Math.floor(Math.log10(most));
    const length = power * [5, 2, 1].find(f => f * power <= most), bar = document.getElementById("scale");
    bar.firstElementChild.textContent = length >= 1000 ? `${length / 1000} km` : `${+length.toPrecision(2)} m`;
    bar.lastElementChild.style.width = `${length / data.metres * view.s}px`;
  }

  function zoom(factor, px = size.w / 2, py = size.h / 2) {
    const [u, v] = unit(px, py);
    view.s = clamp(view.s * factor, least, least * 60);
    view.x = u - px / view.s; view.y = v - py / view.s;
    later();
  }
  function all() { view.s = least; view.x = view.y = 0; later(); }
  function move(px, py) { view.x += px / view.s; view.y += py / view.s; later(); }
  function tellCentre() { const [u, v] = centre(); where.textContent = `centre ${words(u, v)}`; }

  function pick(k, isZoomed) {
    for (const e of document.querySelectorAll(".picked")) e.classList.remove("picked");
    const path = paths.get(k), button = document.querySelector(`td button[data-k="${k}"]`), row = button && button.closest("tr");
    if (path) path.classList.add("picked");
    isPicked = Boolean(path);
    if (row) row.classList.add("picked");
    if (isZoomed && boxes.has(k)) {
      const b = boxes.get(k);
      view.s = clamp(Math.min(size.w / b.width, size.h / b.height) * 0.6, least, least * 60);
      view.x = b.x + b.width / 2 - size.w / 2 / view.s; view.y = b.y + b.height / 2 - size.h / 2 / view.s;
      draw();
      document.getElementById("frame").scrollIntoView({ block: "nearest" });
      tellCentre();
    } else if (row) {
      const cells = [...row.cells].map(c => c.textContent.trim()), head = [...row.closest("table").tHead.rows[0].cells].map(c => c.textContent);
      where.textContent = head.map((h, i) => `${h} ${cells[i]}`).filter((_, i) => cells[i]).slice(0, 5).join(" \u00b7 ");
      const box = row.closest(".scroll");
      if (box) box.scrollTop = row.offsetTop - box.clientHeight / 2;
    }
  }

  const pointers = new Map();
  let moved = 0, start = null;
  map.addEventListener("pointerdown", e => {
    pointers.set(e.pointerId, at(e)); moved = 0; start = e.target;
  });
  map.addEventListener("pointermove", e => {
    const now = at(e), was = pointers.get(e.pointerId);
    if (!was) { const [u, v] = unit(...now); where.textContent = words(u, v); return; }
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== e.pointerId)[1];
      const d0 = Math.hypot(was[0] - other[0], was[1] - other[1]), d1 = Math.hypot(now[0] - other[0], now[1] - other[1]);
      if (d0 > 0) zoom(d1 / d0, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else move(was[0] - now[0], was[1] - now[1]);
    moved += Math.hypot(was[0] - now[0], was[1] - now[1]);
    if (moved > 4) { map.classList.add("moves"); map.setPointerCapture(e.pointerId); }
    pointers.set(e.pointerId, now);
  });
  const release = e => {
    if (pointers.delete(e.pointerId) && moved <= 4 && e.type === "pointerup" && start && start.dataset.k) pick(start.dataset.k, false);
    map.classList.remove("moves");
  };
  map.addEventListener("pointerup", release);
  map.addEventListener("pointercancel", release);
  map.addEventListener("pointerleave", () => { if (!isPicked) where.textContent = help; });
  map.addEventListener("dblclick", e => zoom(2, ...at(e)));
  map.addEventListener("wheel", e => {
    const factor = Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015));
    if (factor < 1 && view.s <= least * 1.001) return; // nothing to zoom out of: the page scrolls
    e.preventDefault();
    zoom(factor, ...at(e));
  }, { passive: false });
  map.addEventListener("keydown", e => {
    const step = 60, keys = {
      ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
      "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), Home: all, 0: all,
    };
    if (!keys[e.key] || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    keys[e.key](); draw(); tellCentre();
  });
  map.addEventListener("focus", () => { if (map.matches(":focus-visible")) tellCentre(); });
  document.getElementById("zoom-in").addEventListener("click", () => zoom(1.6));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  document.getElementById("zoom-all").addEventListener("click", all);
  for (const input of document.querySelectorAll("input[data-layer]")) input.addEventListener("change", () => {
    if (input.type === "radio") for (const g of map.querySelectorAll('[data-base="yes"]')) g.classList.add("off");
    document.getElementById(input.dataset.layer).classList.toggle("off", !input.checked);
    later();
  });
  document.addEventListener("click", e => {
    const button = e.target.closest("td button[data-k]");
    if (button) pick(button.dataset.k, true);
  });

  function fit() {
    const wasWhole = view.s <= least * 1.001, [u, v] = centre();
    const tall = map.clientWidth * data.height / data.width, most = Math.min(0.72 * innerHeight, 760);
    map.style.height = `${Math.round(clamp(tall, Math.min(280, most), most))}px`;
    size = { w: map.clientWidth || 1, h: map.clientHeight || 1 };
    least = Math.min(size.w / data.width, size.h / data.height);
    if (wasWhole) view.s = least; else { view.x = u - size.w / 2 / view.s; view.y = v - size.h / 2 / view.s; }
    draw();
  }
  new ResizeObserver(fit).observe(map);
  fit();
})();
