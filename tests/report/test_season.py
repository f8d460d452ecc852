"""The page of a season: what it says, and that it needs no network."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from polynya.physics import gridding
from polynya.report import season
from polynya.report.polar_map import VIRIDIS
from tests.physics.gridding.beams import beam, sums_of


def made(**changed) -> season.Season:
    grid = gridding.nsidc_grid("EPSG:3976", cell_m=25_000)
    leads = gridding.BeamLeads(x=1e6 + np.array([100.0, 900.0]), length=np.array([30.0, 60.0]))
    cells = [grid.columns * 200 + 90 + k for k in range(3)]
    board = (0.2, 0.35, 0.5)
    rng = np.random.default_rng(1)
    parts = [
        sums_of(
            beam(cell=np.full(1000, c), freeboard=np.full(1000, b), height=rng.normal(0, 0.1, 1000)), leads, track=t
        )
        for c, b in zip(cells, board, strict=True)
        for t in "ab"
    ]
    found = gridding.estimates(gridding.merge(parts))
    numbers = {k: v[0] for k, v in found.values.items()}
    row = {k: float(v) for k, v in numbers.items()} | {
        "period": "2020-01",
        "n_cells": 3,
        "n_cells_flagged": 3,
        **{
            k: int(numbers[k])
            for k in ("n_segments", "n_classified", "n_left_out", "n_unclassified", "n_tracks", "n_days")
        },
    }
    values = {
        "grid": grid,
        "estimates": found,
        "names": {18262: "2020-01"},
        "periods": (row,),
        "granules": (
            {"granule": "ATL03_a", "status": "done", "message": "", "numbers": {"n_cells": 3, "n_segments": 6000}},
            {"granule": "ATL03_<b>", "status": "failed", "message": "b: is <damaged>.", "numbers": {}},
        ),
        "messages": ("1 of 2 granules failed & is not in the maps",),
        "leave_out": ("few_photons",),
    }
    return season.Season(**{**values, **changed})


@pytest.fixture(scope="module")
def page() -> str:
    return season.render(made())


def test_the_page_needs_no_network(page):
    assert page.startswith("<!DOCTYPE html>") and "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page) and "http" not in page.replace("http-equiv", "")


def test_the_page_says_the_mean_with_its_parts(page):
    assert re.search(r"2020-01: mean total freeboard <strong>0\.200 ± 0\.04\d.m</strong>", page)
    for word in ("random", "per pass", "common"):
        assert word in page
    assert "1 of 2 granules failed &amp; is not in the maps" in page
    assert "failed: b: is &lt;damaged&gt;." in page and "ATL03_&lt;b&gt;" in page
    assert "few_photons" in page


def test_every_map_has_its_cells_and_flagged_ones_a_dot(page):
    for shown in season.MAPS:
        figure = re.search(rf'<svg id="map-2020-01-{shown.name}".*?</svg>', page, re.DOTALL)
        if shown.name == "floe_length":
            assert figure  # two leads: one floe of each beam
        assert figure is not None, shown.name
        cells = re.search(r'<g class="cells">(.*?)</g>', figure[0], re.DOTALL)[1]
        assert cells.count("M") == 3, shown.name
        # All three cells have two passes, so every mean of theirs is marked; the map of passes says it itself.
        assert len(re.findall(r"<circle cx=", figure[0])) == (0 if shown.name == "n_tracks" else 3), shown.name
    board = re.search(r'<svg id="map-2020-01-total_freeboard".*?</svg>', page, re.DOTALL)[0]
    fills = re.findall(r'fill="(#\w{6})"', re.search(r'<g class="cells">(.*?)</g>', board, re.DOTALL)[1])
    assert len(set(fills)) == 3  # 0.2, 0.35 and 0.5 m have three colours


def test_small_cells_that_are_flagged_are_muted_and_keep_their_colour():
    """A hemisphere in cells of 25 km: a dot would cover a cell of 2 pixels."""
    grid = gridding.nsidc_grid("EPSG:3976", cell_m=25_000)
    few, many = grid.columns * 30 + 40, grid.columns * 300 + 270
    parts = [sums_of(beam(cell=np.full(1000, few)), track="a")]
    for k, track in enumerate("abc"):
        parts.append(sums_of(beam(cell=np.full(1000, many), day=np.full(1000, 18265 + k)), track=track))
    text = season.render(made(estimates=gridding.estimates(gridding.merge(parts))))
    board = re.search(r'<svg id="map-2020-01-total_freeboard".*?</svg>', text, re.DOTALL)[0]
    colours = re.findall(r'fill="(#\w{6})"', re.search(r'<g class="cells">(.*?)</g>', board, re.DOTALL)[1])
    assert len(colours) == 2 and sum(c in VIRIDIS for c in colours) == 1  # the same freeboard, one of them greyish
    grey = next(c for c in colours if c not in VIRIDIS)
    full = next(c for c in colours if c in VIRIDIS)
    for k in (1, 3, 5):
        assert int(grey[k : k + 2], 16) == pytest.approx((int(full[k : k + 2], 16) + 0xC4) / 2, abs=1)
    assert "Greyish colours mark a flagged cell" in text and "A dot marks" not in text
    passes = re.search(r'<svg id="map-2020-01-n_tracks".*?</svg>', text, re.DOTALL)[0]
    assert all(
        c in VIRIDIS
        for c in re.findall(r'fill="(#\w{6})"', re.search(r'<g class="cells">(.*?)</g>', passes, re.DOTALL)[1])
    )


def test_labels_of_lengths_do_not_overlap(page):
    """Eleven pixels high, a letter is at most 7 pixels wide."""
    for title in ("Chords of leads", "Chords of floes"):
        figure = re.search(rf'<svg viewBox="0 0 (\d+) \d+" role="img" aria-label="{title}">.*?</svg>', page, re.DOTALL)
        found = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)">([\d.]+ k?m\+?)<', figure[0])
        assert len(found) >= 9
        spans = []
        for x, anchor, text in found:
            wide = 7.0 * len(text)
            left = float(x) - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
            spans.append((left, left + wide))
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans)), (title, spans)
        assert spans[-1][1] <= float(figure[1])


def test_ticks_of_a_colour_bar_are_round(page):
    for bar in re.findall(r'<svg class="bar".*?</svg>', page, re.DOTALL):
        ticks = [float(t) for t in re.findall(r'y="29" text-anchor="middle">([^<]*)<', bar)]
        assert len({round(b - a, 6) for a, b in itertools.pairwise(ticks)}) == 1, ticks


def test_chords_are_counted_in_bars(page):
    assert "12 leads." in page and re.search(r"<title>20-50 m: 6</title>", page)
    assert "6 whole floes; 12 more cut" in page


def test_one_of_everything_is_in_the_singular():
    leads = gridding.BeamLeads(x=1e6 + np.array([100.0, 900.0]), length=np.array([30.0, 60.0]))
    here = beam(cell=np.full(1000, 63290), height=np.random.default_rng(1).normal(0, 0.1, 1000))
    found = gridding.estimates(sums_of(here, leads))
    one = {k: 1 for k in ("n_cells", "n_cells_flagged", "n_tracks", "n_days")}
    text = season.render(made(estimates=found, periods=({**made().periods[0], **one},)))
    assert "1 pass on 1 day, in 1 cell; 1 flagged" in text and "1 cell; median" in text and "1 whole floe;" in text
    assert singular(text) == []


def singular(text: str) -> list[str]:
    """Return the plurals that follow a 1."""
    return re.findall(
        r"(?<![\d.,])1 (?:whole )?(?:pass|day|cell|lead|floe|item|section|segment|granule|row)e?s\b", text
    )


def test_a_period_without_freeboard_says_so():
    nothing = np.full(1000, np.nan)
    silent = beam(freeboard=nothing, sea_surface=nothing, sea_surface_uncertainty=nothing, cell=np.full(1000, 63290))
    found = gridding.estimates(sums_of(silent))
    row = {**made().periods[0], "total_freeboard": float("nan"), "n_cells": 0}
    text = season.render(made(estimates=found, periods=(row,)))
    assert "no freeboard: no ice segment has a sea surface" in text
    assert "Total freeboard of ice: no cell has a value." in text
    assert "Chords of leads: none." in text


def test_a_page_of_one_map_is_not_named_after_a_period():
    text = season.render(made(names={18262: "all"}, periods=({**made().periods[0], "period": "all"},)))
    assert "<h1>Sea ice of the whole season</h1>" in text and "<h2>Maps</h2>" in text
