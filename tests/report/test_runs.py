"""Maps and tables of a run's page."""

from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest

from polynya.report import runs
from polynya.report.polar_map import VIRIDIS
from polynya.report.runs.map import RED, maps
from polynya.report.runs.timeline import timeline

from .test_browser import BROWSER, opened
from .test_season import singular


def row(name, *, state="done", value=0.3, latitude=(80.0, 80.5, 81.0), longitude=(0.0, 0.0, 0.0), **more):
    return {
        "command": "freeboard",
        "name": name,
        "item": name,
        "state": state,
        "reason": "",
        "report": f"{name}/report.html" if state == "done" else "",
        "data_time": None,
        "finished": None,
        "seconds": 1.0,
        "quantity": "mean total freeboard",
        "units": "m",
        "value": value,
        "weight": 1.0,
        "uncertainty_random": 0.0,
        "uncertainty_correlated": 0.02,
        "is_simulated": False,
        "track_latitude": list(latitude),
        "track_longitude": list(longitude),
        "is_area": False,
        "batch": None,
        "started": None,
        "worker": "",
        "tries": 1,
        **more,
    }


def colour_of(text, name):
    group = re.search(rf"<title>{name}: .*?</g>", text).group()
    return re.findall(r'stroke="(#[0-9a-f]{6})"', group)[-1]


def test_tracks_have_the_colour_of_their_result():
    text = maps(
        [
            row("low", value=0.1),
            row("high", value=0.5, longitude=(5.0,) * 3),
            row("none", value=None, longitude=(10.0,) * 3),
            row("bad", value=None, state="failed", longitude=(15.0,) * 3),
        ]
    )
    assert colour_of(text, "high") == VIRIDIS[-1] and colour_of(text, "low") == VIRIDIS[6]
    assert colour_of(text, "bad") == RED and colour_of(text, "none") not in VIRIDIS
    assert text.count('href="low/report.html"') == 1 and "bad/report" not in text


def ticks(text):
    """The numbers under the first colour bar, in order."""
    bar = re.search(r'<svg class="bar".*?</svg>', text, re.DOTALL)[0]
    return [float(t) for t in re.findall(r'y="29" text-anchor="middle">([^<]*)<', bar)]


@pytest.mark.parametrize("values", [(0.33,), (0.33, 0.33), (0.0,), (0.31, 0.34), (0.05, 0.5)])
def test_a_freeboard_scale_never_begins_below_zero(values):
    text = maps([row(f"r{k}", value=v) for k, v in enumerate(values)])
    low, *_, high = ticks(text)
    assert 0.0 <= low <= min(values) and high >= max(values) and high > low
    steps = {round(b - a, 6) for a, b in itertools.pairwise(ticks(text))}
    assert len(steps) == 1  # the ticks are written exactly


def test_two_quantities_have_no_colour_in_common():
    """A folder that freeboard and label wrote into: 20,000 labels must not make every freeboard dark."""
    labels = {"command": "label", "quantity": "labelled segments", "units": "1"}
    text = maps([row("a", value=0.2), row("b", value=0.4), row("c", value=20_000.0, **labels)])
    assert colour_of(text, "b") == VIRIDIS[-1] and colour_of(text, "c") == VIRIDIS[-1]
    assert 'id="map-north"' in text and 'id="map-north-2"' in text and text.count('class="bar"') == 2
    assert "mean total freeboard, m<" in text and "labelled segments<" in text


def test_shares_and_scores_are_no_whole_numbers():
    """Shares of leads of 0.09 and 0.26, with weights of three to one: their mean is 0.1325."""
    share = {"command": "leads", "quantity": "share of leads", "units": "1", "uncertainty_correlated": None}
    rows = [row("a", value=0.09, weight=3.0, **share), row("b", value=0.26, **share)]
    text = runs.render(rows, is_sum={"share of leads": False}, folder="x")
    assert re.search(r"<dd>0\.13[23]</dd><dt>share of leads, mean over 2 items", text)
    assert ">0.090<" in text and ">0.260<" in text
    assert 0.26 <= max(ticks(text)) < 0.5 and colour_of(text, "a") != colour_of(text, "b")
    count = {**share, "quantity": "labelled echoes", "command": "label"}
    whole = runs.render([row("a", value=41.0, **count)], is_sum={"labelled echoes": True}, folder="x")
    assert "<dd>41</dd>" in whole


def test_both_hemispheres_and_items_without_a_place():
    text = maps([row("a"), row("b", latitude=(-70.0, -71.0, -72.0)), row("c", latitude=(), longitude=())])
    assert 'id="map-north"' in text and 'id="map-south"' in text and "1 item without a place" in text
    assert maps([row("c", latitude=(), longitude=())]) == ""


def test_a_gap_is_not_bridged_by_a_line():
    text = maps([row("a", latitude=(75.0, 76.0, None, 82.0, 83.0), longitude=(0.0, 0.0, None, 0.0, 0.0))])
    group = re.search(r"<title>a: .*?</g>", text).group()
    assert re.findall(r' d="([^"]+)"', group)[-1].count("M") == 2


def test_names_are_escaped_and_links_are_quoted():
    text = runs.render([row("a <b> #1"), row("c")], is_sum={}, folder="x & y")
    assert "a &lt;b&gt; #1" in text and "<b>" not in text and 'href="a%20%3Cb%3E%20%231/report.html"' in text
    assert "<h1>x &amp; y</h1>" in text


@pytest.mark.parametrize(
    ("state", "words"), [("done", "2 of 2 items have a result."), ("failed", "1 failed, see below")]
)
def test_the_first_line_says_what_became_of_all(state, words):
    text = runs.render([row("a"), row("b", state=state, reason="b.h5: why; expected this.")], is_sum={}, folder="x")
    assert words in text and ("Failures" in text) == (state == "failed")


def test_one_item_is_in_the_singular():
    text = runs.render([row("a")], is_sum={}, folder="x")
    assert "1 of 1 item has a result." in text and "mean over 1 item<" in text and "x: 1 item<" in text
    assert singular(text) == []


def test_the_timeline_shows_who_worked_when_how_evenly_and_how_often():
    def at(name, worker, begin, seconds, *, tries=1, hour=12):
        batch = dt.datetime(2026, 1, 1, hour, tzinfo=dt.UTC)
        started = batch + dt.timedelta(seconds=begin)
        return row(name, batch=batch, started=started, worker=worker, seconds=seconds, tries=tries)

    rows = [at("a", "one", 0, 10), at("b", "two", 0, 20), at("c", "one", 10, 30, tries=3)]
    text = timeline([*rows, at("old", "three", 0, 999, hour=11), row("skipped", batch=rows[0]["batch"])])
    assert "3 items on 2 workers in 40" in text and "60" in text and "old" not in text
    assert "longest 30.0" in text and "1.5 times the median" in text and "2 retries" in text
    bars = {n: float(w) for w, n in re.findall(r'width="([0-9.]+)"[^>]*><title>([abc])', text)}
    assert bars["b"] == pytest.approx(2 * bars["a"], abs=0.2) and bars["c"] == pytest.approx(3 * bars["a"], abs=0.2)
    assert timeline([row("x")]) == "" and timeline([at("x", "one", 0, 5)]) == ""


PRESSES = """
const said = [], body = document.querySelector("#runs-table tbody"), names = () => [...body.rows].filter(r => !r.hidden)
  .map(r => r.querySelector("[data-item]").textContent).join("");
const head = [...document.querySelectorAll("#runs-table th button")].find(b => b.textContent.startsWith("mean"));
said.push("first:" + names()); head.click(); said.push("up:" + names()); head.click(); said.push("down:" + names());
document.querySelector('button[data-state="failed"]').click(); said.push("failed:" + names());
document.querySelector('button[data-state=""]').click();
const box = document.getElementById("filter"); box.value = "cloud b"; box.dispatchEvent(new Event("input"));
said.push("filter:" + names()); said.push("shown:" + document.getElementById("shown").textContent);
document.body.dataset.said = said.join("|");
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to run the page's script in")
def test_the_table_sorts_and_filters(tmp_path):
    rows = [
        row("a", value=0.30),
        row("b", value=0.4, reason="thick cloud"),
        row("c", state="failed", value=None, reason="cloud"),
        row("d", value=0.05),
    ]
    page = tmp_path / "index.html"
    page.write_text(runs.render(rows, is_sum={}, folder="x"), encoding="utf-8")
    dom = opened(page, tmp_path, script=PRESSES)
    said = dict(s.split(":", 1) for s in re.search(r'data-said="([^"]*)"', dom).group(1).split("|"))
    assert said["first"] == "abcd" and said["up"] == "dabc" and said["down"] == "badc"  # what is missing comes last
    assert said["failed"] == "c" and said["filter"] == "b" and said["shown"] == "1 of 4"


def test_no_column_is_empty_where_a_quantity_has_no_uncertainty():
    share = {"command": "leads", "quantity": "share of leads", "units": "1", "uncertainty_random": None}
    rows = [row(f"r{k}", **share, uncertainty_correlated=None) for k in range(3)]
    text = runs.render(rows, is_sum={"share of leads": False}, folder="out")
    assert "\u00b1" not in text and "correlated" not in text.partition("<script")[0]
    both = runs.render([*rows, row("f")], is_sum={"share of leads": False, "mean total freeboard": False}, folder="out")
    assert "<th" in both and "\u00b1" in both and "correlated" in both.partition("<script")[0]
    cells = [part.count("<td") for part in both.partition('id="runs-table"')[2].split("<tr")[2:6]]
    assert len(set(cells)) == 1
