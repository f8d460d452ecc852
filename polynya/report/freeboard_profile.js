"use strict";
/* The along-track panel: heights by class, class shares, freeboard, photon rate, background; zoom, pan, cursor. */
const about = JSON.parse(document.getElementById("about").textContent);
const NONE = -32768, KM = 1000, UNIT = about.beams[0].unit;
const css = getComputedStyle(document.documentElement);
const COLOURS = [0, 1, 2, 3].map(k => css.getPropertyValue("--c" + k).trim());
const SEA = css.getPropertyValue("--sea").trim();
const INK = "#1c2430", SOFT = "#5b6675", LINE = "#dfe4ea", SPREAD = "#c9d3dd";
const plot = document.getElementById("plot"), overlay = document.getElementById("cursor"), strip = document.getElementById("strip");
const readout = document.getElementById("readout"), viewNote = document.getElementById("view-note");
const MARGIN = { left: 58, right: 14 };
const PANELS = [
  { key: "height", label: "height above mean sea surface, m", top: 14, tall: 240 },
  { key: "kind", label: "class", top: 262, tall: 20 },
  { key: "freeboard", label: "total freeboard, m", top: 296, tall: 160 },
  { key: "rate", label: "photons/shot", top: 470, tall: 70 },
  { key: "background", label: "background, MHz", top: 554, tall: 64 },
];
const BASE = 618, TALL = 656;
let beam = null, view = null, cursorAt = null, width = 0, drawn = null;
const store = new Map();

/* ---- data ---------------------------------------------------------------------------------- */
function arraysOf(k) {
  if (store.has(k)) return store.get(k);
  const head = about.beams[k], text = atob(document.getElementById("data-" + k).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const kinds = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, f4: Float32Array };
  const out = {};
  for (const [name, [type, offset, n]] of Object.entries(head.arrays)) out[name] = new kinds[type](bytes.buffer, offset, n);
  out.fine_x = positions(out.fine_step, out.fine_jump);
  if (about.bin_m) {
    out.bin_x = positions(out.bin_step, out.bin_jump);
    const per = about.bin_m / UNIT;
    for (let i = 0; i < out.bin_x.length; i++) out.bin_x[i] = (out.bin_x[i] + 0.5) * per;
  }
  out.head = head;
  store.set(k, out);
  return out;
}

function positions(step, jump) {
  const x = new Float64Array(step.length);
  let at = 0, j = 0;
  for (let i = 0; i < x.length; i++) { at = step[i] === 255 ? jump[j++] : at + step[i]; x[i] = at; }
  return x;
}

function lower(x, value) {
  let a = 0, b = x.length;
  while (a < b) { const m = (a + b) >> 1; if (x[m] < value) a = m + 1; else b = m; }
  return a;
}

function extent() {
  let low = Infinity, high = -Infinity;
  for (const head of about.beams) for (const [a, b] of head.stretches) { low = Math.min(low, a); high = Math.max(high, b); }
  const pad = Math.max((high - low) * 0.01, 100);
  return [low - pad, high + pad];
}

/* ---- one view as records: single segments, or bins where those are finer than the screen asks for ---- */
function records() {
  const d = beam, per = (view[1] - view[0]) / (width - MARGIN.left - MARGIN.right);
  const out = { fine: [lower(d.fine_x, view[0]), lower(d.fine_x, view[1])], bins: null };
  if (about.bin_m) {
    const b = [lower(d.bin_x, view[0]), lower(d.bin_x, view[1])];
    if (per * 2 > about.bin_m / UNIT) { out.fine = [0, 0]; out.bins = b; out.skip = null; }
    else { out.bins = b; out.skip = d.head.fine_windows; }
  }
  return out;
}

const inside = (windows, x) => windows && windows.some(([a, b]) => x >= a && x <= b);

/* Columns of a screen pixel: order statistics of what lies in them. */
function columns(r) {
  const left = MARGIN.left, n = width - MARGIN.left - MARGIN.right, scale = n / (view[1] - view[0]), d = beam;
  const out = [];
  if (r.bins) {
    let i = r.bins[0];
    while (i < r.bins[1]) {
      const c = Math.floor((d.bin_x[i] - view[0]) * scale);
      let j = i, count = 0, sigma = 0, ns = 0, rate = 0, nr = 0;
      const h = [0, 0, 0, 0, 0], nh = [0], f = [0, 0, 0], nf = [0], kinds = [0, 0, 0, 0];
      let low = 32767, high = NONE;
      while (j < r.bins[1] && Math.floor((d.bin_x[j] - view[0]) * scale) === c) {
        const m = d.bin_n[j];
        count += m;
        if (d.bin_height_mid[j] !== NONE) {
          low = Math.min(low, d.bin_height_min[j]); high = Math.max(high, d.bin_height_max[j]);
          h[1] += m * d.bin_height_low[j]; h[2] += m * d.bin_height_mid[j]; h[3] += m * d.bin_height_high[j]; nh[0] += m;
        }
        if (d.bin_freeboard_mid[j] !== NONE) {
          f[0] += m * d.bin_freeboard_low[j]; f[1] += m * d.bin_freeboard_mid[j]; f[2] += m * d.bin_freeboard_high[j]; nf[0] += m;
        }
        if (d.bin_sigma[j] !== 65535) { sigma += m * d.bin_sigma[j]; ns += m; }
        if (d.bin_rate[j] !== 255) { rate += m * d.bin_rate[j]; nr += m; }
        const a = d.bin_thick[j] * m, b = d.bin_thin[j] * m, w = d.bin_water[j] * m;
        kinds[0] += a; kinds[1] += b; kinds[2] += w; kinds[3] += Math.max(0, 255 * m - a - b - w);
        j++;
      }
      out.push({
        x: left + c, n: count, kinds,
        h: nh[0] ? [low, h[1] / nh[0], h[2] / nh[0], h[3] / nh[0], high] : null,
        f: nf[0] ? f.map(v => v / nf[0]) : null, sigma: ns ? sigma / ns : NaN, rate: nr ? rate / nr * about.rate_unit : NaN,
      });
      i = j;
    }
    return out;
  }
  let i = r.fine[0];
  while (i < r.fine[1]) {
    const c = Math.floor((d.fine_x[i] - view[0]) * scale);
    let j = i, sigma = 0, ns = 0, rate = 0, nr = 0;
    const kinds = [0, 0, 0, 0], h = [], f = [];
    while (j < r.fine[1] && Math.floor((d.fine_x[j] - view[0]) * scale) === c) {
      kinds[d.fine_kind[j] & 3]++;
      if (d.fine_height[j] !== NONE) h.push(d.fine_height[j]);
      if (d.fine_freeboard[j] !== NONE) f.push(d.fine_freeboard[j]);
      if (d.fine_sigma[j] !== 65535) { sigma += d.fine_sigma[j]; ns++; }
      if (d.fine_rate[j] !== 255) { rate += d.fine_rate[j]; nr++; }
      j++;
    }
    h.sort((a, b) => a - b); f.sort((a, b) => a - b);
    const at = (v, q) => v[Math.round(q * (v.length - 1))];
    out.push({
      x: left + c, n: j - i, kinds, h: h.length ? [h[0], at(h, .1), at(h, .5), at(h, .9), h[h.length - 1]] : null,
      f: f.length ? [at(f, .1), at(f, .5), at(f, .9)] : null, sigma: ns ? sigma / ns : NaN, rate: nr ? rate / nr * about.rate_unit : NaN,
    });
    i = j;
  }
  return out;
}

/* ---- drawing ------------------------------------------------------------------------------- */
function prepare(canvas, wide, tall) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(tall * ratio)) {
    canvas.width = Math.round(wide * ratio); canvas.height = Math.round(tall * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, wide, tall);
  g.font = '11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';
  return g;
}

function ticks(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted), power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 2.5, 5, 10].map(m => m * power).find(s => s >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) out.push(k * step);
  const places = Math.max(0, Math.min(4, -Math.floor(Math.log10(step) + 1e-9) + (Math.abs(step / power - 2.5) < 1e-6 ? 1 : 0)));
  return out.map(v => [v, v.toFixed(places).replace("-0", v === 0 ? "0" : "-0").replace("-", "\u2212")]);
}

function spanOf(values, low, high, pad) {
  const v = Float64Array.from(values.filter(Number.isFinite)).sort();
  if (!v.length) return [low, high];
  let a = v[Math.floor((v.length - 1) * 0.002)], b = v[Math.ceil((v.length - 1) * 0.998)];
  const room = Math.max((b - a) * pad, 0.04);
  return [a - room, b + room];
}

function draw() {
  width = Math.max(320, Math.round(plot.parentElement.clientWidth));
  const g = prepare(plot, width, TALL), r = records(), d = beam;
  const wide = width - MARGIN.left - MARGIN.right, scale = wide / (view[1] - view[0]);
  const px = x => MARGIN.left + (x - view[0]) * scale;
  const nFine = r.fine[1] - r.fine[0];
  const single = r.skip !== null && (r.bins ? true : nFine <= wide * 4);
  const cols = single ? null : columns(r);
  const marks = single ? singles(r) : null;
  const leads = d.head.leads, leadRange = [lower(leads.x, view[0] - 2000), lower(leads.x, view[1] + 2000)];
  const sea = seaLine();

  const heights = [], free = [0], rates = [0];
  if (single) {
    for (const m of marks) { if (m.h) { heights.push(m.h[1], m.h[3]); } if (m.f) free.push(m.f[2] + (m.bin ? 0 : m.sigma || 0)); rates.push(m.rate); }
  } else for (const c of cols) { if (c.h) heights.push(c.h[1], c.h[3], 0.7 * c.h[4] + 0.3 * c.h[3]); if (c.f) free.push(c.f[2] * 1.15); rates.push(c.rate); }
  for (const s of sea) for (const p of s) heights.push((p.y - p.s) * 1000, (p.y + p.s) * 1000);
  const hs = spanOf(heights.map(v => v / 1000), -0.5, 0.5, 0.06);
  let fs = spanOf(free.map(v => v / 1000), 0, 1, 0.06); fs = [Math.min(-0.02, -fs[1] * 0.02), Math.max(fs[1], 0.1)];
  const rs = [0, Math.max(2, spanOf(rates, 0, 2, 0.1)[1])];
  const bg = backgrounds();
  const bs = [0, Math.max(0.1, ...bg.flat().map(p => p.y)) * 1.15];
  const spans = { height: hs, freeboard: fs, rate: rs, background: bs };
  const py = {};
  for (const p of PANELS) if (spans[p.key]) py[p.key] = v => p.top + p.tall * (1 - (v - spans[p.key][0]) / (spans[p.key][1] - spans[p.key][0]));

  frame(g, wide, spans, py, px);
  for (const p of PANELS) {
    g.save(); g.beginPath(); g.rect(MARGIN.left, p.top, wide, p.tall); g.clip();
    if (p.key === "height") {
      if (single) dots(g, marks, px, py.height, "h", scale); else bands(g, cols, py.height, "h");
      seaBand(g, sea, px, py.height);
      if (view[1] - view[0] < 4e6) sections(g, px, py.height);
      leadMarks(g, leads, leadRange, px, py.height);
    } else if (p.key === "kind") ribbon(g, single ? marks : cols, px, p, scale, single);
    else if (p.key === "freeboard") {
      g.strokeStyle = SEA; g.globalAlpha = .6; g.beginPath(); g.moveTo(MARGIN.left, py.freeboard(0)); g.lineTo(MARGIN.left + wide, py.freeboard(0)); g.stroke(); g.globalAlpha = 1;
      if (single) dots(g, marks, px, py.freeboard, "f", scale); else bands(g, cols, py.freeboard, "f");
      if (!(single ? marks : cols).some(c => c.f)) { g.fillStyle = SOFT; g.textAlign = "left"; g.fillText("no freeboard here: no sea surface within reach", MARGIN.left + 10, p.top + 18); }
    } else if (p.key === "rate") {
      for (const c of (single ? marks : cols)) {
        if (!Number.isFinite(c.rate)) continue;
        g.fillStyle = single ? COLOURS[c.kind] : "#5d7fa0";
        g.fillRect(single ? px(c.at) - 1 : c.x, py.rate(c.rate), single ? Math.max(2, 20 * scale * .9) : 1.2, single ? 2 : Math.max(1, p.top + p.tall - py.rate(c.rate)));
      }
    } else {
      g.strokeStyle = "#7a6a2f"; g.lineWidth = 1.3;
      for (const part of bg) { g.beginPath(); part.forEach((q, k) => k ? g.lineTo(px(q.x), py.background(q.y)) : g.moveTo(px(q.x), py.background(q.y))); g.stroke(); }
    }
    g.restore();
  }
  drawn = { px, py, scale };
  const nBins = r.bins ? r.bins[1] - r.bins[0] : 0, say = v => v.toLocaleString("en");
  let words;
  if (single && !r.bins) words = `${say(nFine)} single segments in view, freeboard with \u00b11\u03c3.`;
  else if (single) words = `${say(nFine)} single segments and ${say(marks.filter(m => m.bin).length)} bins of ${about.bin_m} m in view.`;
  else if (r.bins) words = `${say(nBins)} bins of ${about.bin_m} m in view: dark, mean of their 10\u201390 % ranges and their medians; light, lowest to highest segment.`;
  else words = `${say(nFine)} segments in view, one column per pixel: dark, 10\u201390 % and median; light, lowest to highest; freeboard line with its mean \u00b11\u03c3.`;
  viewNote.textContent = words;
  drawStrip(); drawCursor();
}

function frame(g, wide, spans, py, px) {
  g.lineWidth = 1;
  g.textAlign = "center";
  const along = ticks(view[0] * UNIT / KM, view[1] * UNIT / KM, wide / 110);
  for (const [v, name] of along) {
    const x = Math.round(px(v * KM / UNIT)) + .5;
    g.strokeStyle = LINE; g.beginPath(); g.moveTo(x, PANELS[0].top); g.lineTo(x, BASE); g.stroke();
    g.fillStyle = INK; g.fillText(name, x, BASE + 16);
  }
  g.fillText("distance along the track from the granule's first segment, km", MARGIN.left + wide / 2, BASE + 33);
  for (const p of PANELS) {
    g.textAlign = "right";
    if (spans[p.key]) for (const [v, name] of ticks(spans[p.key][0], spans[p.key][1], p.tall / 34)) {
      const y = Math.round(py[p.key](v)) + .5;
      g.strokeStyle = LINE; g.beginPath(); g.moveTo(MARGIN.left, y); g.lineTo(MARGIN.left + wide, y); g.stroke();
      g.fillStyle = INK; g.fillText(name, MARGIN.left - 6, y + 4);
    }
    g.strokeStyle = "#9aa5b1"; g.strokeRect(MARGIN.left + .5, p.top + .5, wide - 1, p.tall - 1);
    g.save(); g.translate(12, p.top + p.tall / 2); g.textAlign = "center"; g.fillStyle = SOFT;
    if (p.tall > 30) { g.rotate(-Math.PI / 2); g.fillText(p.tall < 100 ? p.label.split(",")[0] : p.label, 0, 0); if (p.tall < 100 && p.label.includes(",")) g.fillText(p.label.split(", ")[1], 0, 12); }
    else { g.textAlign = "left"; g.fillText(p.label, 4, 4); }
    g.restore();
  }
}

function singles(r) {
  const d = beam, out = [];
  for (let i = r.fine[0]; i < r.fine[1]; i++) {
    const h = d.fine_height[i], f = d.fine_freeboard[i], s = d.fine_sigma[i];
    out.push({
      at: d.fine_x[i], kind: d.fine_kind[i] & 3, bin: false, h: h === NONE ? null : [h, h, h, h, h], f: f === NONE ? null : [f, f, f],
      sigma: s === 65535 ? NaN : s, rate: d.fine_rate[i] === 255 ? NaN : d.fine_rate[i] * about.rate_unit,
    });
  }
  if (r.bins) for (let i = r.bins[0]; i < r.bins[1]; i++) if (!inside(r.skip, d.bin_x[i])) {
    const shares = [d.bin_thick[i], d.bin_thin[i], d.bin_water[i]];
    shares.push(255 - shares[0] - shares[1] - shares[2]);
    out.push({
      at: d.bin_x[i], kind: shares.indexOf(Math.max(...shares)), bin: true,
      h: d.bin_height_mid[i] === NONE ? null : [d.bin_height_min[i], d.bin_height_low[i], d.bin_height_mid[i], d.bin_height_high[i], d.bin_height_max[i]],
      f: d.bin_freeboard_mid[i] === NONE ? null : [d.bin_freeboard_low[i], d.bin_freeboard_mid[i], d.bin_freeboard_high[i]],
      sigma: d.bin_sigma[i] === 65535 ? NaN : d.bin_sigma[i], rate: d.bin_rate[i] === 255 ? NaN : d.bin_rate[i] * about.rate_unit,
    });
  }
  return out;
}

function dots(g, marks, px, py, key, scale) {
  const size = Math.min(6, Math.max(marks.length < 400 ? 4 : 2, 20 * scale * .8));
  for (const m of marks) {
    const v = m[key];
    if (!v) continue;
    const x = px(m.at), middle = key === "h" ? v[2] : v[1];
    g.fillStyle = g.strokeStyle = COLOURS[m.kind];
    if (m.bin) {
      const half = Math.max(1, about.bin_m / UNIT * scale / 2 - .5);
      g.globalAlpha = .45; g.fillRect(x - half, py(v[key === "h" ? 3 : 2] / 1000), 2 * half, Math.max(1, py(v[key === "h" ? 1 : 0] / 1000) - py(v[key === "h" ? 3 : 2] / 1000))); g.globalAlpha = 1;
      g.fillRect(x - half, py(middle / 1000) - 1, 2 * half, 2);
      continue;
    }
    if (key === "f" && Number.isFinite(m.sigma)) {
      g.globalAlpha = .4; g.lineWidth = Math.max(1, size / 3); g.beginPath();
      g.moveTo(x, py((middle - m.sigma) / 1000)); g.lineTo(x, py((middle + m.sigma) / 1000)); g.stroke(); g.globalAlpha = 1;
    }
    g.fillRect(x - size / 2, py(middle / 1000) - size / 2, size, size);
  }
}

function bands(g, cols, py, key) {
  for (const c of cols) {
    const v = c[key];
    if (!v) continue;
    const most = c.kinds.indexOf(Math.max(...c.kinds));
    if (key === "h") {
      g.fillStyle = SPREAD; g.globalAlpha = .55; g.fillRect(c.x, py(v[4] / 1000), 1.05, Math.max(1, py(v[0] / 1000) - py(v[4] / 1000))); g.globalAlpha = 1;
      g.fillStyle = COLOURS[most]; g.fillRect(c.x, py(v[3] / 1000), 1.05, Math.max(1.5, py(v[1] / 1000) - py(v[3] / 1000)));
    } else {
      g.fillStyle = SPREAD; g.globalAlpha = .6; g.fillRect(c.x, py(v[2] / 1000), 1.05, Math.max(1, py(v[0] / 1000) - py(v[2] / 1000))); g.globalAlpha = 1;
      if (Number.isFinite(c.sigma)) { g.fillStyle = "#5d9bc9"; g.globalAlpha = .6; g.fillRect(c.x, py((v[1] + c.sigma) / 1000), 1.05, py((v[1] - c.sigma) / 1000) - py((v[1] + c.sigma) / 1000)); g.globalAlpha = 1; }
    }
  }
  g.strokeStyle = key === "h" ? "#2f4a63" : "#0b3c6e"; g.lineWidth = 1; g.beginPath();
  let last = -9;
  for (const c of cols) {
    const v = c[key];
    if (!v) { last = -9; continue; }
    const y = py(v[key === "h" ? 2 : 1] / 1000);
    if (c.x - last > 2) g.moveTo(c.x, y); else g.lineTo(c.x + .5, y);
    last = c.x;
  }
  g.stroke();
}

function ribbon(g, marks, px, p, scale, single) {
  const half = Math.max(.6, 20 * scale / 2);
  for (const m of marks) {
    if (single) { const w = m.bin ? about.bin_m / UNIT * scale / 2 : half; g.fillStyle = COLOURS[m.kind]; g.fillRect(px(m.at) - w, p.top, 2 * w, p.tall); continue; }
    const total = m.kinds.reduce((a, b) => a + b, 0);
    let y = p.top + p.tall;
    for (const k of [2, 1, 0, 3]) { // water from below
      let tall = p.tall * m.kinds[k] / total;
      if (tall > 0) { if (k === 2) tall = Math.max(tall, 3); g.fillStyle = COLOURS[k]; g.fillRect(m.x, y - tall, 1.05, tall); y -= tall; }
    }
  }
}

/* The sea surface as unbroken parts of points {x, y, s} in view. */
function seaLine() { return parts(i => beam.anchor_sea[i], i => beam.anchor_sea_sigma[i] === 65535 ? 0 : beam.anchor_sea_sigma[i] / 1000); }
function backgrounds() { return parts(i => beam.anchor_background[i] === 65535 ? NaN : beam.anchor_background[i] / 1000, () => 0); }
function parts(value, spread) {
  const d = beam, from = Math.max(0, lower(d.anchor_x, view[0]) - 1), to = Math.min(d.anchor_x.length, lower(d.anchor_x, view[1]) + 1);
  const out = []; let now = null;
  const skip = Math.max(1, Math.floor((to - from) / 6000));
  for (let i = from; i < to; i++) {
    const y = value(i);
    if (!Number.isFinite(y)) { now = null; continue; }
    if (!now || d.anchor_start[i]) { now = []; out.push(now); } else if (skip > 1 && i % skip && !(i + 1 < to && d.anchor_start[i + 1])) continue;
    now.push({ x: d.anchor_x[i], y, s: spread(i) });
  }
  return out;
}

function seaBand(g, sea, px, py) {
  for (const part of sea) {
    if (!part.length) continue;
    g.fillStyle = SEA; g.globalAlpha = .25; g.beginPath();
    part.forEach((p, k) => k ? g.lineTo(px(p.x), py(p.y + p.s)) : g.moveTo(px(p.x), py(p.y + p.s)));
    for (let k = part.length - 1; k >= 0; k--) g.lineTo(px(part[k].x), py(part[k].y - part[k].s));
    g.closePath(); g.fill(); g.globalAlpha = 1;
    g.strokeStyle = SEA; g.lineWidth = 1.8; g.beginPath();
    part.forEach((p, k) => k ? g.lineTo(px(p.x), py(p.y)) : g.moveTo(px(p.x), py(p.y)));
    g.stroke();
  }
}

function sections(g, px, py) {
  for (const [x, h, s, source] of beam.head.sections) {
    if (x < view[0] || x > view[1] || h === null) continue;
    g.strokeStyle = SEA; g.lineWidth = 1.4; g.beginPath();
    if (s !== null) { g.moveTo(px(x), py(h - s)); g.lineTo(px(x), py(h + s)); }
    g.moveTo(px(x) + 4, py(h)); g.arc(px(x), py(h), 4, 0, 7); g.stroke();
    g.fillStyle = source === 1 ? SEA : "#fff"; g.fill();
  }
}

function leadMarks(g, leads, range, px, py) {
  let last = -9;
  for (let i = range[0]; i < range[1]; i++) {
    const x = px(leads.x[i]);
    if (range[1] - range[0] > 400 && x - last < 2) continue;
    last = x;
    const y = PANELS[0].top + 12;
    g.beginPath(); g.moveTo(x - 4, y - 8); g.lineTo(x + 4, y - 8); g.lineTo(x, y); g.closePath();
    g.fillStyle = leads.used[i] ? COLOURS[2] : "#fff"; g.strokeStyle = COLOURS[2]; g.lineWidth = 1; g.fill(); g.stroke();
    if (leads.h[i] === null || range[1] - range[0] > 60) continue;
    const half = Math.max(3, px(leads.x[i] + leads.l[i] / UNIT / 2) - x), s = leads.s[i] || 0;
    g.strokeStyle = COLOURS[2]; g.lineWidth = 1.5;
    g.strokeRect(x - half, py(leads.h[i] + s), 2 * half, Math.max(2, py(leads.h[i] - s) - py(leads.h[i] + s)));
  }
}

function drawStrip() {
  const g = prepare(strip, width, 34), all = extent(), wide = width - MARGIN.left - MARGIN.right, scale = wide / (all[1] - all[0]), d = beam;
  g.fillStyle = "#f4f7fa"; g.fillRect(MARGIN.left, 6, wide, 16);
  g.fillStyle = COLOURS[0];
  for (const [a, b] of d.head.stretches) g.fillRect(MARGIN.left + (a - all[0]) * scale, 6, Math.max(1.5, (b - a) * scale), 16);
  g.fillStyle = COLOURS[2];
  for (const x of d.head.leads.x) g.fillRect(MARGIN.left + (x - all[0]) * scale, 6, 1, 16);
  const a = MARGIN.left + (view[0] - all[0]) * scale, b = MARGIN.left + (view[1] - all[0]) * scale;
  g.fillStyle = "rgba(255,255,255,.6)"; g.fillRect(MARGIN.left, 4, Math.max(0, a - MARGIN.left), 20); g.fillRect(b, 4, Math.max(0, MARGIN.left + wide - b), 20);
  g.strokeStyle = "#c2185b"; g.lineWidth = 1.5; g.strokeRect(Math.max(a, MARGIN.left), 4, Math.max(3, Math.min(b, MARGIN.left + wide) - Math.max(a, MARGIN.left)), 20);
  g.fillStyle = SOFT; g.textAlign = "right"; g.fillText("leads", MARGIN.left - 6, 18);
}

/* ---- the cursor and its values ------------------------------------------------------------- */
function place(x) {
  const d = beam, a = d.anchor_x;
  if (!a.length) return null;
  let j = Math.min(a.length - 1, lower(a, x)), i = Math.max(0, j - 1);
  if (j > 0 && d.anchor_start[j] && x < a[j]) j = i; // between stretches: the nearer end
  if (a[i] > x) j = i;
  const t = a[j] === a[i] ? 0 : Math.min(1, Math.max(0, (x - a[i]) / (a[j] - a[i]))), mix = v => v[i] + (v[j] - v[i]) * t;
  const mx = d.head.map_x + mix(d.anchor_map_x), my = d.head.map_y + mix(d.anchor_map_y), p = about.projection;
  const chi = Math.PI / 2 - 2 * Math.atan(Math.hypot(mx, my) / p.radius);
  let phi = chi;
  about.series.forEach((c, k) => { phi += c * Math.sin(2 * (k + 1) * chi); });
  let lon = Math.atan2(mx, -p.sign * my) * 180 / Math.PI + p.central;
  lon = ((lon + 180) % 360 + 360) % 360 - 180;
  const seconds = mix(d.anchor_time), sea = t < .5 ? i : j;
  return {
    mx, my, lat: p.sign * phi * 180 / Math.PI, lon, time: Number.isFinite(seconds) ? Number(BigInt(d.head.time) / 1000000n) + seconds * 1000 : NaN,
    sea: mix(d.anchor_sea), seaSigma: d.anchor_sea_sigma[sea] === 65535 ? NaN : d.anchor_sea_sigma[sea] / 1000,
    background: d.anchor_background[sea] === 65535 ? NaN : d.anchor_background[sea] / 1000, sun: d.anchor_sun[sea] === NONE ? NaN : d.anchor_sun[sea] / 100,
  };
}

function nearest(x, at) {
  let k = lower(x, at);
  if (k === x.length || (k > 0 && at - x[k - 1] < x[k] - at)) k--;
  return k;
}

function drawCursor() {
  const g = prepare(overlay, width, TALL);
  readout.textContent = "";
  if (cursorAt === null || !beam) { follow(null); say([["cursor", "move over the panel for values"]]); return; }
  const d = beam, fmt = (v, n) => Number.isFinite(v) ? v.toFixed(n).replace("-", "\u2212") : "\u2013";
  let rows = [], at = cursorAt;
  const k = d.fine_x.length ? nearest(d.fine_x, cursorAt) : -1, b = about.bin_m && d.bin_x.length ? nearest(d.bin_x, cursorAt) : -1;
  const gapK = k >= 0 ? Math.abs(d.fine_x[k] - cursorAt) : Infinity, gapB = b >= 0 ? Math.max(0, Math.abs(d.bin_x[b] - cursorAt) - about.bin_m / UNIT / 2) : Infinity;
  const far = Math.max(300, 6 / (drawn ? drawn.scale : 1));
  if (Math.min(gapK, gapB) > far) rows.push(["here", "no data"]);
  else if (gapK <= gapB + 15) {
    at = d.fine_x[k];
    const kind = d.fine_kind[k] & 3, h = d.fine_height[k], f = d.fine_freeboard[k], s = d.fine_sigma[k], q = d.fine_quality[k];
    rows.push(["class", about.classes[kind]], ["height", h === NONE ? "\u2013" : fmt(h / 1000, 3) + " m"],
      ["freeboard", f === NONE ? "\u2013 (no sea surface)" : `${fmt(f / 1000, 3)} \u00b1 ${fmt(s === 65535 ? NaN : s / 1000, 3)} m`],
      ["photons per shot", d.fine_rate[k] === 255 ? "\u2013" : fmt(d.fine_rate[k] * about.rate_unit, 1)],
      ["sea surface from", about.sources[d.fine_kind[k] >> 2 & 3].replaceAll("_", " ")],
      ["quality", q ? about.quality.filter(([bit]) => q & bit).map(([, name]) => name.replaceAll("_", " ")).join(", ") : "no flag"]);
  } else {
    at = d.bin_x[b];
    const v = n => d["bin_" + n][b], mm = x => x === NONE ? "\u2013" : fmt(x / 1000, 3);
    rows.push([`${about.bin_m} m bin`, `${v("n")} segments`], ["water", (v("water") / 2.55).toFixed(0) + " %"], ["height, median", mm(v("height_mid")) + " m"], ["10\u201390 %", `${mm(v("height_low"))} to ${mm(v("height_high"))} m`],
      ["freeboard, median", mm(v("freeboard_mid")) + " m"], ["mean \u03c3 of a segment", v("sigma") === 65535 ? "\u2013" : fmt(v("sigma") / 1000, 3) + " m"]);
  }
  const p = place(at);
  rows.unshift(["km", fmt(at * UNIT / KM, 4)]);
  if (p) rows.push(["sea surface", Number.isFinite(p.sea) ? `${fmt(p.sea, 3)} \u00b1 ${fmt(p.seaSigma, 3)} m` : "\u2013"], ["background", fmt(p.background, 2) + " MHz"], ["sun", fmt(p.sun, 1) + "\u00b0"],
    ["latitude", fmt(p.lat, 5) + "\u00b0"], ["longitude", fmt(p.lon, 5) + "\u00b0"], ["UTC", Number.isFinite(p.time) ? new Date(p.time).toISOString().slice(0, 23).replace("T", " ") : "\u2013"]);
  say(rows);
  follow(p);
  if (!drawn) return;
  const x = drawn.px(at);
  if (x < MARGIN.left || x > width - MARGIN.right) return;
  g.strokeStyle = "#c2185b"; g.globalAlpha = .8; g.lineWidth = 1; g.beginPath(); g.moveTo(x, PANELS[0].top); g.lineTo(x, BASE); g.stroke();
}

function say(rows) {
  for (const [name, value] of rows) {
    const cell = document.createElement("div"), label = document.createElement("span");
    label.textContent = name; cell.append(label, value); cell.dataset.name = name; cell.title = value; readout.append(cell);
  }
}

function follow(p) {
  for (const map of document.querySelectorAll("svg.map")) {
    const ring = map.querySelector(".here"), s = map.dataset;
    ring.setAttribute("cx", p ? (p.mx - s.left) * s.scale : -99);
    ring.setAttribute("cy", p ? (s.top - p.my) * s.scale : -99);
  }
}
