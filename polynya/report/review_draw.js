"use strict";
/* What is drawn: the scene with the tracks, the profile, the strip of the whole track. State and events are in review.js. */
const css = getComputedStyle(document.documentElement);
const COLOURS = [0, 1, 2, 3, 4].map(k => css.getPropertyValue("--c" + k).trim());
const INK = "#1c2430", SOFT = "#5b6675", GRID = "#dfe4ea", SPREAD = "#d3dbe3", MARK = css.getPropertyValue("--mark").trim();
const LEFT = 58, RIGHT = 14, FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
const CONTRASTS = ["none", "brightness(1.7)", "brightness(0.62) contrast(2.4)"];
const $ = id => document.getElementById(id);
const lower = (a, v) => { let i = 0, j = a.length; while (i < j) { const m = (i + j) >> 1; if (a[m] < v) i = m + 1; else j = m; } return i; };

let waiting = false;
function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } }

function draw() {
  if (!S.state) return;
  drawMap(); drawPlot(); drawStrip(); drawCursor();
  document.body.dataset.drawn = String(++S.frames);
}

function prepare(canvas) {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(box.width * ratio)), h = Math.max(1, Math.round(box.height * ratio));
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, box.width, box.height); g.font = FONT; g.lineWidth = 1; g.globalAlpha = 1;
  return { g, w: box.width, h: box.height, ratio };
}

function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(m => m * power >= rough * .999), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) out.push([v, (Math.abs(v) < step * 1e-6 ? 0 : v).toFixed(digits).replace("-", "\u2212")]);
  return out;
}

/* ---- the scene ----------------------------------------------------------------------------- */
/* The shift that is drawn beyond the one the positions were made with. */
function moved() {
  const [e, n] = S.pending || S.state.shift;
  return [e - S.state.sampled_shift[0], n - S.state.sampled_shift[1]];
}

function place(course, x) {
  const a = course.x, last = a.length - 1;
  const j = Math.min(last, Math.max(1, lower(a, x))), i = j - 1, t = (x - a[i]) / (a[j] - a[i]), [de, dn] = moved();
  return [course.east[i] + (course.east[j] - course.east[i]) * t + de, course.north[i] + (course.north[j] - course.north[i]) * t + dn];
}

function myCourse() { const c = S.courses.get(S.beam); return c && c.x.length > 1 ? c : null; }

/* Transform between ground and screen: centre, metres per pixel, rotation of the screen's right side from east. */
function mapFrame() {
  const box = $("map").getBoundingClientRect(), course = myCourse(), w = box.width, h = box.height;
  if (!course) return null;
  if (S.north) return { w, h, ce: S.map.e, cn: S.map.n, mpp: S.map.mpp, cos: 1, sin: 0 };
  const shift = moved(), p = place(course, S.view[0]).map((v, k) => v - shift[k]), q = place(course, S.view[1]).map((v, k) => v - shift[k]);
  const de = q[0] - p[0], dn = q[1] - p[1], long = Math.hypot(de, dn), cos = de / long, sin = dn / long, base = S.baseShift || shift;
  return { w, h, ce: (p[0] + q[0]) / 2 + base[0] - sin * S.across, cn: (p[1] + q[1]) / 2 + base[1] + cos * S.across, mpp: long / w, cos, sin };
}
function toScreen(F, e, n) {
  const a = e - F.ce, b = n - F.cn;
  return [F.w / 2 + (a * F.cos + b * F.sin) / F.mpp, F.h / 2 - (b * F.cos - a * F.sin) / F.mpp];
}
function toGround(F, x, y) {
  const u = (x - F.w / 2) * F.mpp, v = -(y - F.h / 2) * F.mpp;
  return [F.ce + u * F.cos - v * F.sin, F.cn + u * F.sin + v * F.cos];
}

function drawMap() {
  const { g, w, h, ratio } = prepare($("map")), F = mapFrame(), note = $("map-note"), picture = S.state.picture;
  $("map-box").classList.toggle("empty", !F);
  if (!F) { note.textContent = picture.why || "These segments have no position in the scene: only the profile is shown."; return; }
  if (!picture.why) drawTiles(g, F, picture, ratio);
  for (const beam of S.state.beams) if (beam.name !== S.beam) drawTrack(g, F, beam, false);
  const mine = S.state.beams.find(b => b.name === S.beam);
  if (!S.hidden) drawTrack(g, F, mine, true);
  const [e, n] = S.pending || S.state.shift, say = v => (v < 0 ? "\u2212" : "+") + Math.abs(v).toFixed(Math.abs(v - Math.round(v)) < .05 ? 0 : 1);
  const other = Math.hypot(...moved()) > .05;
  note.textContent = (picture.why ? picture.why + " " : "") + `track moved E ${say(e)} m, N ${say(n)} m` + (other ? " \u00b7 labels still those of E " + say(S.state.sampled_shift[0]) + ", N " + say(S.state.sampled_shift[1]) : "");
  scaleBar(g, F);
}

function drawTiles(g, F, p, ratio) {
  const corners = [[0, 0], [F.w, 0], [0, F.h], [F.w, F.h]].map(c => toGround(F, ...c));
  const level = Math.min(p.levels - 1, Math.max(0, Math.round(Math.log2(F.mpp / ratio / p.pixel[0])))), step = 2 ** level * p.tile;
  const columns = corners.map(c => (c[0] - p.left) / p.pixel[0] / step), rows = corners.map(c => (p.top - c[1]) / p.pixel[1] / step);
  const span = (v, most) => [Math.max(0, Math.floor(Math.min(...v))), Math.min(Math.ceil(most / step) - 1, Math.floor(Math.max(...v)))];
  const [r0, r1] = span(rows, p.rows), [c0, c1] = span(columns, p.columns);
  g.save();
  g.filter = CONTRASTS[S.contrast];
  for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) {
    let found = tile(level, r, c), up = 0;
    while (!found && level + ++up < p.levels) found = S.tiles.get(`${S.file}/${level + up}/${r >> up}/${c >> up}`)?.image;
    if (!found) continue;
    // a coarser tile stands in until the fine one is there: the part of it that lies here
    const part = p.tile / 2 ** up, sx = (c - ((c >> up) << up)) * part, sy = (r - ((r >> up) << up)) * part;
    const sw = Math.min(part, found.width - sx), sh = Math.min(part, found.height - sy);
    if (sw <= 0 || sh <= 0) continue;
    const px = 2 ** (level + up) * p.pixel[0] / F.mpp, py = 2 ** (level + up) * p.pixel[1] / F.mpp;
    const [x, y] = toScreen(F, p.left + c * step * p.pixel[0], p.top - r * step * p.pixel[1]);
    g.setTransform(ratio * px * F.cos, ratio * px * F.sin, -ratio * py * F.sin, ratio * py * F.cos, ratio * x, ratio * y);
    g.imageSmoothingEnabled = px < 3;
    g.drawImage(found, sx, sy, sw, sh, 0, 0, sw + .6 / px, sh + .6 / py);
  }
  g.restore();
}

/* The track's runs of one colour; for the beam in hand as two rails, so that the ground between them is seen. */
function drawTrack(g, F, beam, mine) {
  const course = S.courses.get(beam.name);
  if (!course || course.x.length < 2) return;
  let from, to;
  if (S.north) {
    const inside = course.x.filter((x, i) => { const [sx, sy] = toScreen(F, course.east[i] + moved()[0], course.north[i] + moved()[1]); return sx > -200 && sy > -200 && sx < F.w + 200 && sy < F.h + 200; });
    if (!inside.length) return;
    const step = (course.x[course.x.length - 1] - course.x[0]) / course.x.length * 2;
    [from, to] = [inside[0] - step, inside[inside.length - 1] + step];
  } else { const pad = (S.view[1] - S.view[0]) * .1; [from, to] = [S.view[0] - pad, S.view[1] + pad]; }
  const data = feed("map", beam, from, to, Math.ceil(F.w));
  if (!data) return;
  const p = toScreen(F, ...place(course, course.x[0])), q = toScreen(F, ...place(course, course.x[course.x.length - 1])), long = Math.hypot(q[0] - p[0], q[1] - p[1]) || 1;
  const nx = -(q[1] - p[1]) / long, ny = (q[0] - p[0]) / long, reach = data.single ? 12 : (data.to - data.from) / data.columns * 2.5;
  const rails = mine ? [-6.5, 6.5] : [0], runs = [];
  let last = null;
  for (let i = 0; i < data.x.length; i++) {
    const x = data.x[i], kind = data.kindOf(i);
    if (x < from || x > to) continue;
    if (last && last.kind === kind && x - last.end <= reach) last.end = x;
    else { if (last && x - last.end <= reach) { last.end = (last.end + x) / 2; runs.push(last = { kind, start: last.end, end: x }); } else runs.push(last = { kind, start: x - reach / 5, end: x }); }
  }
  for (const rail of rails) for (const pass of [0, 1]) {
    g.lineWidth = pass ? (mine ? 4 : 2.5) : (mine ? 5.5 : 4);
    for (const r of runs) {
      g.strokeStyle = pass ? COLOURS[r.kind] : "rgba(28,36,48,.55)";
      g.beginPath();
      const n = Math.max(1, Math.min(12, Math.ceil((r.end - r.start) / F.mpp / 60)));
      for (let k = 0; k <= n; k++) {
        const [x, y] = toScreen(F, ...place(course, r.start + (r.end - r.start) * k / n));
        if (k) g.lineTo(x + rail * nx, y + rail * ny); else g.moveTo(x + rail * nx, y + rail * ny);
      }
      g.stroke();
    }
  }
  nameBeam(g, F, course, beam, nx, ny);
}

/* Names stand left of left beams and right of right ones, seen along the flight. */
function nameBeam(g, F, course, beam, nx, ny) {
  const side = beam.name.endsWith("r") ? 1 : -1, dx = nx * side * 15, dy = ny * side * 15;
  for (let i = 0; i < course.x.length; i += 2) {
    const [x, y] = toScreen(F, course.east[i] + moved()[0], course.north[i] + moved()[1]);
    if (x < 8 || y < 52 || x > F.w - 44 || y > F.h - 20) continue;
    g.textAlign = dx < -8 ? "right" : "left"; g.strokeStyle = "rgba(255,255,255,.9)"; g.lineWidth = 3; g.fillStyle = INK;
    g.strokeText(beam.name, x + dx, y + dy + 4); g.fillText(beam.name, x + dx, y + dy + 4);
    return;
  }
}

function scaleBar(g, F) {
  const most = 160 * F.mpp, power = 10 ** Math.floor(Math.log10(most)), size = power * [5, 2, 1].find(m => m * power <= most), px = size / F.mpp;
  const x = F.w - px - 14, y = F.h - 12, text = size >= 1000 ? size / 1000 + " km" : size + " m";
  g.fillStyle = "rgba(255,255,255,.88)"; g.fillRect(x - 8, y - 20, px + 16, 28);
  g.strokeStyle = INK; g.lineWidth = 1.5; g.beginPath(); g.moveTo(x, y - 4); g.lineTo(x, y); g.lineTo(x + px, y); g.lineTo(x + px, y - 4); g.stroke();
  g.fillStyle = INK; g.textAlign = "center"; g.fillText(text, x + px / 2, y - 6);
  const ax = F.w - 28, ay = 28; // where north is
  g.fillStyle = "rgba(255,255,255,.88)"; g.beginPath(); g.arc(ax, ay, 19, 0, 7); g.fill();
  const [ux, uy] = [F.sin, -F.cos];
  g.strokeStyle = g.fillStyle = INK; g.beginPath(); g.moveTo(ax - ux * 9, ay - uy * 9); g.lineTo(ax + ux * 3, ay + uy * 3); g.stroke();
  g.beginPath(); g.moveTo(ax + ux * 7, ay + uy * 7); g.lineTo(ax + uy * 3.5, ay - ux * 3.5); g.lineTo(ax - uy * 3.5, ay + ux * 3.5); g.fill();
  g.fillText("N", ax + ux * 13, ay + uy * 13 + 4);
}

/* ---- the profile --------------------------------------------------------------------------- */
function plotShape() {
  const box = $("plot").getBoundingClientRect(), base = box.height - 36, rate = Math.max(44, Math.round((base - 40) * .24));
  return { w: box.width, wide: box.width - LEFT - RIGHT, base, top: 6, tall: base - rate - 46, ribbon: base - rate - 32, ribbonTall: 15, rateTop: base - rate, rateTall: rate };
}
const px = x => LEFT + (x - S.view[0]) / (S.view[1] - S.view[0]) * (plotShape().wide);
const atPx = p => S.view[0] + (p - LEFT) / plotShape().wide * (S.view[1] - S.view[0]);

function quantile(values, q) {
  const a = Float64Array.from(values.filter(Number.isFinite)).sort();
  return a.length ? a[Math.min(a.length - 1, Math.max(0, Math.round(q * (a.length - 1))))] : NaN;
}

function drawPlot() {
  const { g } = prepare($("plot")), P = plotShape(), beam = S.state.beams.find(b => b.name === S.beam), origin = S.origin;
  if (P.tall < 30) return;
  const data = feed("plot", beam, S.view[0], S.view[1], Math.ceil(P.wide));
  const along = ticks((S.view[0] - origin) / 1000, (S.view[1] - origin) / 1000, P.wide / 110);
  g.textAlign = "center";
  for (const [v, name] of along) {
    const x = Math.round(px(v * 1000 + origin)) + .5;
    g.strokeStyle = GRID; g.beginPath(); g.moveTo(x, P.top); g.lineTo(x, P.base); g.stroke();
    g.fillStyle = INK; g.fillText(name, x, P.base + 15);
  }
  g.fillStyle = SOFT; g.fillText("distance along the track from the file's first segment, km", LEFT + P.wide / 2, P.base + 31);
  const scale = data && scales(data);
  S.scale = scale;
  if (scale) {
    const hy = v => P.top + P.tall - (v - scale.low) / (scale.high - scale.low) * P.tall, ry = v => P.base - Math.min(1.02, v / scale.rate) * P.rateTall;
    g.textAlign = "right";
    for (const [list, y] of [[ticks(scale.low, scale.high, P.tall / 30), hy], [ticks(0, scale.rate, P.rateTall / 30), ry]]) for (const [v, name] of list) {
      const at = Math.round(y(v)) + .5;
      g.strokeStyle = GRID; g.beginPath(); g.moveTo(LEFT, at); g.lineTo(LEFT + P.wide, at); g.stroke();
      g.fillStyle = INK; g.fillText(name, LEFT - 6, at + 4);
    }
    g.save(); g.beginPath(); g.rect(LEFT, P.top, P.wide, P.base - P.top); g.clip();
    (data.single ? drawSingles : drawColumns)(g, data, P, hy, ry);
    g.restore();
  }
  for (const [top, tall, name] of [[P.top, P.tall, "height, m"], [P.ribbon, P.ribbonTall, "labels"], [P.rateTop, P.rateTall, "photons"]]) {
    g.strokeStyle = "#9aa5b1"; g.strokeRect(LEFT + .5, top + .5, P.wide - 1, tall - 1);
    g.fillStyle = SOFT; g.save();
    if (tall > 30) { g.translate(12, top + tall / 2); g.rotate(-Math.PI / 2); g.textAlign = "center"; g.fillText(name, 0, 0); if (name === "photons") g.fillText("per shot", 0, 13); }
    else { g.textAlign = "right"; g.fillText(name, LEFT - 6, top + 12); }
    g.restore();
  }
}

function scales(d) {
  const a = lower(d.x, S.view[0]), b = lower(d.x, S.view[1]);
  if (b <= a) return null;
  const part = n => Array.from(d[n].subarray(a, b));
  let low = quantile(part(d.single ? "height" : "low"), .005), high = quantile(part(d.single ? "height" : "high"), .995);
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  const pad = Math.max(.05, (high - low) * .08), rate = quantile(part(d.single ? "rate" : "rate_high"), .995);
  return { low: low - pad, high: high + pad, rate: rate > 0 ? rate * 1.08 : 1 };
}

function drawSingles(g, d, P, hy, ry) {
  const a = Math.max(0, lower(d.x, S.view[0]) - 1), b = Math.min(d.x.length, lower(d.x, S.view[1]) + 1), scale = P.wide / (S.view[1] - S.view[0]);
  const size = Math.min(6, Math.max(b - a < 500 ? 4 : b - a < 1200 ? 3 : 2.4, 2 * scale * .8));
  for (let i = a; i < b; i++) {
    // a bar reaches halfway to its neighbours, but not over a hole, in whole pixels: no seams
    const x = px(d.x[i]), half = j => Math.min(2, Math.abs((d.x[j] ?? Infinity) - d.x[i]) / 2) * scale, left = Math.round(x - half(i - 1)), bar = Math.max(1, Math.round(x + half(i + 1)) - left);
    g.fillStyle = "#5d7f9c"; g.fillRect(left, ry(d.rate[i]), bar, P.base - ry(d.rate[i]));
    g.fillStyle = COLOURS[d.kind[i]]; g.fillRect(left, P.ribbon, bar, P.ribbonTall);
    if (d.person[i]) { g.fillStyle = INK; g.fillRect(left, P.ribbon - 4, bar, 3); }
    if (Number.isFinite(d.height[i])) { g.fillStyle = COLOURS[d.kind[i]]; g.fillRect(x - size / 2, hy(d.height[i]) - size / 2, size, size); }
  }
}

function drawColumns(g, d, P, hy, ry) {
  const thin = (d.to - d.from) / d.columns * P.wide / (S.view[1] - S.view[0]), a = Math.max(0, lower(d.x, S.view[0]) - 1), b = Math.min(d.x.length, lower(d.x, S.view[1]) + 1);
  for (let i = a; i < b; i++) {
    const x = Math.round(px(d.x[i]) - thin / 2), wide = Math.max(1, Math.round(px(d.x[i]) + thin / 2) - x), counts = [0, 1, 2, 3, 4].map(k => d["n" + k][i]), all = counts.reduce((s, v) => s + v, 0);
    g.fillStyle = "#b9cad8"; g.fillRect(x, ry(d.rate_high[i]), wide, P.base - ry(d.rate_high[i]));
    g.fillStyle = "#5d7f9c"; g.fillRect(x, ry(d.rate[i]), wide, P.base - ry(d.rate[i]));
    g.fillStyle = SPREAD; g.fillRect(x, hy(d.high[i]), wide, Math.max(1, hy(d.low[i]) - hy(d.high[i])));
    for (const k of [4, 3, 0, 1, 2]) if (counts[k] && Number.isFinite(d["mean" + k][i])) { g.fillStyle = COLOURS[k]; g.fillRect(x - .5, hy(d["mean" + k][i]) - 1.5, wide + 1.2, 3); }
    let y = P.ribbon + P.ribbonTall;
    for (const k of [2, 1, 0, 3, 4]) if (counts[k]) { const tall = Math.min(y - P.ribbon, Math.max(k === 2 || k === 1 ? 2.5 : 0, P.ribbonTall * counts[k] / all)); g.fillStyle = COLOURS[k]; g.fillRect(x, y - tall, wide, tall); y -= tall; }
    if (d.person[i]) { g.fillStyle = INK; g.fillRect(x, P.ribbon - 4, wide, 3); }
  }
}

/* ---- the strip, and what follows the cursor -------------------------------------------------- */
function drawStrip() {
  const { g, w } = prepare($("strip")), beam = S.state.beams.find(b => b.name === S.beam), [x0, x1] = S.extent, wide = w - LEFT - RIGHT, scale = wide / (x1 - x0);
  const data = feed("strip", beam, x0, x1, Math.ceil(wide));
  g.fillStyle = "#f4f7fa"; g.fillRect(LEFT, 6, wide, 16);
  if (data) {
    const cell = data.single ? Math.max(1, 3 * scale) : Math.max(1, (data.to - data.from) / data.columns * scale + .3);
    for (let i = 0; i < data.x.length; i++) {
      const x = LEFT + (data.x[i] - x0) * scale;
      g.fillStyle = COLOURS[data.kindOf(i)]; g.fillRect(x - cell / 2, 6, cell, 16);
      if (data.person[i]) { g.fillStyle = INK; g.fillRect(x - cell / 2, 3, cell, 2.5); }
    }
  }
  const a = LEFT + (S.view[0] - x0) * scale, b = LEFT + (S.view[1] - x0) * scale;
  g.fillStyle = "rgba(255,255,255,.55)"; g.fillRect(LEFT, 6, Math.max(0, a - LEFT), 16); g.fillRect(b, 6, Math.max(0, LEFT + wide - b), 16);
  g.strokeStyle = MARK; g.lineWidth = 1.5; g.strokeRect(a, 5, Math.max(4, b - a), 18);
  g.fillStyle = SOFT; g.textAlign = "right"; g.fillText("all", LEFT - 6, 18);
}

function drawCursor() {
  const { g } = prepare($("plot-over")), P = plotShape(), map = prepare($("map-over")), F = mapFrame(), course = myCourse();
  const held = draw => { g.save(); g.beginPath(); g.rect(LEFT, 0, P.wide, P.base); g.clip(); draw(); g.restore(); };
  if (S.selection) {
    const a = px(S.selection[0]), b = Math.max(a + 1.5, px(S.selection[1]));
    held(() => {
      g.fillStyle = MARK; g.globalAlpha = .13; g.fillRect(a, P.top, b - a, P.base - P.top); g.globalAlpha = 1;
      g.strokeStyle = MARK; g.lineWidth = 1.5; g.strokeRect(a, P.top, b - a, P.base - P.top);
    });
    if (F && course) {
      const m = map.g, n = 24, line = rail => { for (let k = 0; k <= n; k++) { const [x, y] = toScreen(F, ...place(course, S.selection[0] + (S.selection[1] - S.selection[0]) * k / n)); const [tx, ty] = across(F, course, rail); if (k) m.lineTo(x + tx, y + ty); else m.moveTo(x + tx, y + ty); } };
      for (const [wide, colour] of [[5, "rgba(255,255,255,.9)"], [2.5, MARK]]) for (const rail of [-13, 13]) { m.strokeStyle = colour; m.lineWidth = wide; m.beginPath(); line(rail); m.stroke(); }
    }
  }
  for (const [at, colour, size] of [[S.hover, SOFT, 6], [S.cursor, MARK, 10]]) if (at !== null) { // the mouse and the cursor, in both
    const x = px(at);
    held(() => { g.strokeStyle = colour; g.lineWidth = 1; g.beginPath(); g.moveTo(x, P.top); g.lineTo(x, P.base); g.stroke(); });
    if (F && course) {
      const [mx, my] = toScreen(F, ...place(course, at)), m = map.g;
      for (const [wide, ring] of [[4.5, "rgba(255,255,255,.9)"], [2, colour]]) { m.strokeStyle = ring; m.lineWidth = wide; m.beginPath(); m.arc(mx, my, size, 0, 7); m.stroke(); }
    }
  }
}

function across(F, course, rail) {
  const p = toScreen(F, ...place(course, S.view[0])), q = toScreen(F, ...place(course, S.view[1])), long = Math.hypot(q[0] - p[0], q[1] - p[1]) || 1;
  return [-(q[1] - p[1]) / long * rail, (q[0] - p[0]) / long * rail];
}
