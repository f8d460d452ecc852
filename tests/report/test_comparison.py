"""Figures of a comparison: where values land, and what is not drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest

from polynya.report.comparison import figures, text
from polynya.report.comparison.figures import BOTTOM, LEFT, RIGHT, TOP, Axes, Line, along, binned, bridged, steps


def test_values_land_where_the_axes_say():
    axes = Axes(x0=0.0, x1=10.0, y0=-1.0, y1=1.0, width=566, height=264)
    x, y = axes.pixels(np.array([0.0, 5.0, 10.0, 20.0]), np.array([-1.0, 0.0, 1.0, 5.0]))
    wide, tall = 566 - LEFT - RIGHT, 264 - TOP - BOTTOM
    np.testing.assert_allclose(x, [LEFT, LEFT + wide / 2, LEFT + wide, LEFT + wide])
    np.testing.assert_allclose(y, [TOP + tall, TOP + tall / 2, TOP, TOP])


def test_bins_hold_weighted_means_and_stay_empty():
    at, mean = binned(np.array([0.1, 0.2, 99.0]), np.array([1.0, 4.0, np.nan]), x_range=(0.0, 100.0))
    assert at.size == figures.BINS and mean[0] == 2.5 and np.isnan(mean[1:]).all()
    _, mean = binned(np.array([0.1, 0.2]), np.array([1.0, 4.0]), x_range=(0.0, 100.0), weights=np.array([3.0, 1.0]))
    assert mean[0] == pytest.approx(1.75)


def test_short_gaps_are_bridged_and_long_ones_are_not():
    x = np.array([0.0, 2.0, 4.0, 20.0, 22.0])
    y = np.array([1.0, np.nan, 3.0, np.nan, 5.0])
    np.testing.assert_allclose(bridged(x, y, gap_km=10.0), [1.0, 2.0, 3.0, np.nan, 5.0])
    np.testing.assert_array_equal(bridged(x, np.full(5, np.nan), gap_km=10.0), np.full(5, np.nan))


def test_a_line_breaks_at_a_gap_and_empty_ones_are_left_out():
    x = np.arange(6.0)
    line = Line(name="ours <2 m>", style="2 m", x=x, y=np.array([0, 1, np.nan, 1, 0, np.nan]))
    empty = Line(name="nothing", style="ATL10", x=x, y=np.full(6, np.nan))
    text = along([line, empty], x_range=(0.0, 5.0), title="t", y_label="m")
    d = re.search(r'<path d="([^"]+)" fill="none" stroke="#14507a"', text).group(1)
    assert d.count("M") == 2 and "ours &lt;2 m&gt;" in text and "nothing" not in text
    assert "no value" in along([empty], x_range=(0.0, 5.0), title="t", y_label="m")


def test_steps_are_percent_of_the_whole():
    edges = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    text = steps([("NASA", "ATL10", np.array([0.0, 0.5, 0.5, 0.0]))], edges, title="t", x_label="m")
    assert "% of the track per 10 cm" in text and ">50<" in text


def test_one_section_is_in_the_singular():
    base = {"reference": "ATL10", "resolution": "2 m", "region": "all", "surface": "all", "quantity": "height", "n": 4}
    rows = [
        {**base, "statistic": s, "value": 0.1, "uncertainty": 0.02, "n_sections": 1}
        for s in ("bias", "median", "rmse", "robust_sd")
    ]
    assert "(n 4 in 1 section)" in text.text(rows)
