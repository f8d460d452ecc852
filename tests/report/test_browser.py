"""The panel's script in a real browser, where one is installed: the values it shows are those of the table."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from polynya.report import beams, freeboard, profile

from . import tables

BROWSER = next((b for b in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if b), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium to run the page's script in")
CLASSES = {0: "thick or snow-covered ice", 1: "thin ice", 2: "open water", -1: "unclassified"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    where = tables.write_folder(
        tmp_path_factory.mktemp("out") / "granule",
        beams={"gt1l": tables.with_gaps(20e3, seed=1), "gt2r": tables.with_gaps(20e3, seed=2)},
        run=tables.RUN,
    )
    freeboard.write(where)
    return where


def opened(page: Path, tmp_path: Path, *, address: str = "", script: str = "") -> str:
    """Return the page's DOM after its script, and another one, ran."""
    copy = tmp_path / "page.html"
    copy.write_text(
        page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8"
    )
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1300,2000",
        "--virtual-time-budget=3000",
        "--dump-dom",
        f"file://{copy}#{address}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if not done.stdout:
        pytest.skip(f"the browser does not start here: {done.stderr[-200:]}")
    return done.stdout


def readout(dom: str) -> dict[str, str]:
    block = dom.split('id="readout"')[1].split('id="panel"')[0]
    return {
        unescape(k): unescape(v)
        for k, v in re.findall(r'data-name="([^"]*)"[^>]*><span>[^<]*</span>([^<]*)</div>', block)
    }


def value(text: str) -> float:
    return float(text.replace("\u2212", "-").split()[0].rstrip("\u00b0"))


@pytest.mark.parametrize("seed", [0, 1])
def test_cursor_shows_the_segment_of_the_table(folder, tmp_path, seed):
    data = pq.read_table(folder / "segments.parquet").to_pandas()
    origin = data.x_atc.min()
    part = data[(data.beam == "gt2r") & data.total_freeboard.notna()]
    row = part.iloc[int(np.random.default_rng(seed).integers(len(part)))]
    km = (row.x_atc - origin) / 1000
    dom = opened(folder / "report.html", tmp_path, address=f"beam=gt2r&x0={km - 0.4:.4f}&x1={km + 0.6:.4f}&x={km:.4f}")
    assert 'data-ready="yes"' in dom
    found = readout(dom)
    assert value(found["km"]) == pytest.approx(km, abs=6e-5)
    assert found["class"] == CLASSES[row.surface_class]
    assert value(found["height"]) == pytest.approx(row.height, abs=0.00051)
    free, sigma = found["freeboard"].removesuffix(" m").split(" \u00b1 ")
    assert value(free) == pytest.approx(row.total_freeboard, abs=0.00051)
    assert value(sigma) == pytest.approx(row.total_freeboard_uncertainty, abs=0.00051)
    assert value(found["latitude"]) == pytest.approx(row.latitude, abs=1.1e-5)
    assert value(found["longitude"]) == pytest.approx(row.longitude, abs=2e-5)
    assert abs(
        np.datetime64(found["UTC"].replace(" ", "T")) - row.time.tz_localize(None).to_datetime64()
    ) <= np.timedelta64(2, "ms")
    assert value(found["photons per shot"]) == pytest.approx(row.photon_rate, abs=0.11)
    assert value(found["background"]) == pytest.approx(row.background_rate / 1e6, abs=0.01)
    assert value(found["sea surface"]) == pytest.approx(row.sea_surface_height, abs=0.0011)
    assert re.search(r'class="here"[^>]* cx="\d', dom)  # the ring on the maps


def test_view_from_the_address_says_how_many_segments_it_shows(folder, tmp_path):
    data = pq.read_table(folder / "segments.parquet").to_pandas()
    at = (data[data.beam == "gt1l"].x_atc - data.x_atc.min()) / 1000
    n = int(((at >= 3.0) & (at < 4.0)).sum())
    dom = opened(folder / "report.html", tmp_path, address="beam=gt1l&x0=3.0000&x1=4.0000")
    note = re.search(r'id="view-note">([^<]*)<', dom).group(1)
    assert re.match(r"\d+ single segments in view", note)
    assert abs(int(note.split()[0]) - n) <= 1
    assert re.search(r'aria-checked="true" data-beam="gt1l"', dom)


PRESSES = """
const key = k => document.getElementById("plot").dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true}));
const said = [];
const note = name => said.push(name + ":" + view.map(v => (v / 10).toFixed(1)).join(","));
key("Home"); note("all"); key("+"); note("in"); key("ArrowRight"); note("right"); key("-"); note("out");
document.querySelector('button[data-beam="gt1l"]').click(); said.push("beam:" + beam.head.name);
key("n"); said.push("lead:" + beam.head.leads.x.includes(cursorAt));
const box = plot.getBoundingClientRect();
key("Home");
const mouse = Math.round(box.left + 400), before = unitsAt({clientX: mouse});
plot.dispatchEvent(new WheelEvent("wheel", {deltaY: -200, clientX: mouse, clientY: box.top + 50, cancelable: true}));
const isFixed = Math.abs(unitsAt({clientX: mouse}) - before) < 1;
const isNarrower = view[1] - view[0] < extent()[1] - extent()[0];
said.push("wheel:" + isFixed + ":" + isNarrower);
const head = document.querySelectorAll("#lead-table th button")[6];
const rows = () => [...document.querySelectorAll("#lead-table tbody tr")];
const column = () => rows().map(r => +r.cells[6].textContent.replace(",", ""));
head.click(); said.push("up:" + column().every((v, i, a) => !i || a[i - 1] <= v));
head.click(); said.push("down:" + column().every((v, i, a) => !i || a[i - 1] >= v));
document.querySelector("#lead-table tbody a").click(); said.push("row:" + (Math.abs(view[1] - view[0] - 10000) < 1));
document.body.dataset.said = said.join("|");
"""


def test_keys_buttons_wheel_and_sorting_work(folder, tmp_path):
    dom = opened(folder / "report.html", tmp_path, script=PRESSES)
    said = dict(s.split(":", 1) for s in unescape(re.search(r'data-said="([^"]*)"', dom).group(1)).split("|"))
    spans = {k: [float(v) for v in said[k].split(",")] for k in ("all", "in", "right", "out")}
    whole = spans["all"][1] - spans["all"][0]
    assert spans["in"][1] - spans["in"][0] == pytest.approx(whole / 2, abs=0.2)
    assert spans["right"][0] - spans["in"][0] == pytest.approx(0.4 * whole / 2, abs=0.2)
    assert spans["out"] == pytest.approx(spans["all"], abs=0.2)  # held inside the track
    assert said["beam"] == "gt1l" and said["lead"] == "true" and said["wheel"] == "true:true"
    assert said["up"] == said["down"] == said["row"] == "true"


def test_bins_of_a_large_granule_are_read_back(folder, tmp_path, monkeypatch):
    plan = profile.plan
    monkeypatch.setattr(profile, "plan", lambda b: plan(b, fine_segments=100, bins=700, fine_beside_bins=1500))
    page = freeboard.write(folder, out=tmp_path / "bins.html")
    table = next(b for b in beams.split(pq.read_table(folder / "segments.parquet")) if b.name == "gt2r")
    origin = min(b.columns["x_atc"][0] for b in beams.split(pq.read_table(folder / "segments.parquet")))
    index = np.floor(np.rint((table.columns["x_atc"] - origin) * 10) / 640).astype(int)
    leads = pq.read_table(folder / "leads.parquet").to_pandas()
    mine = leads[leads.beam == "gt2r"].x_atc.to_numpy()
    cell = next(
        k for k in np.unique(index) if np.abs(mine - origin - (k + 0.5) * 64).min() > 400 and (index == k).sum() > 25
    )
    km = (cell + 0.5) * 0.064
    dom = opened(page, tmp_path, address=f"beam=gt2r&x0={km - 1:.4f}&x1={km + 1:.4f}&x={km:.4f}")
    found = readout(dom)
    heights = np.sort(table.columns["height"][index == cell])
    assert found["64 m bin"] == f"{len(heights)} segments"
    assert value(found["height, median"]) == pytest.approx(heights[round(0.5 * (len(heights) - 1))], abs=0.00051)
    assert "bins of 64 m in view" in dom


@pytest.mark.parametrize("odd", ["no leads", "two pieces"])
def test_odd_granules_draw_without_an_error(tmp_path, odd):
    distance = (
        np.concatenate([np.linspace(1, 720, 32), 403e3 + np.linspace(1, 80, 8)])
        if odd == "two pieces"
        else tables.with_gaps(4e3)
    )
    tables.write_folder(tmp_path, beams={"gt1l": distance}, leads=False, start=(87.29, 120.0))
    dom = opened(freeboard.write(tmp_path), tmp_path)
    assert 'data-ready="yes"' in dom
    if odd == "two pieces":  # the view starts on the longer piece
        assert "32 single segments in view" in dom
