"""``polynya glaciers --network rule``: no probability, no interval, no steps between strips."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polynya.workflows import glaciers

from . import pieces
from .pieces import cli


def test_the_rule_has_no_probability_and_no_interval(disc, tmp_path):
    bright = pieces.optical_of(np.zeros((40, 60)))
    bright[1:4, 10:30, 20:50] = 0.8
    scene = pieces.write_scene(tmp_path / "snow", pieces.grid(40, 60), optical=bright)
    code, said, _ = cli("glaciers", scene, "-o", tmp_path / "out", "--network", "rule", "--json")
    told = json.loads(said)
    assert (
        code == 0
        and told["area_km2"] == pytest.approx(20 * 30 * 400e-6, rel=0.01)
        and told["area_low_km2"] is None
        and told["by_colour"] == {}
    )
    assert set(np.unique(pieces.values_of(tmp_path / "out/probability.tif"))) == {0.0, 1.0}
    assert "No intervals" in (tmp_path / "out/report.html").read_text()


def test_the_rule_of_heights_leaves_no_steps_between_strips(tmp_path):
    """Without optical bands the rule is the upper half of the whole scene, not of each strip of 512 rows."""
    height = np.linspace(2000.0, 4000.0, 1100)[:, None] * np.ones((1, 30))
    scene = pieces.write_scene(
        tmp_path / "heights", pieces.grid(1100, 30), dem=np.stack([height, np.full(height.shape, 5.0)])
    )
    glaciers.run([scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",)))
    found = pieces.values_of(tmp_path / "out/probability.tif")
    edge = int(np.flatnonzero(found[:, 0] == 1)[0])
    assert abs(edge - 550) <= 16 and (found[edge:] == 1).all() and (found[:edge] == 0).all()


def test_the_rule_leaves_empty_what_the_optical_image_did_not_see(tmp_path):
    """The first strip of 512 rows has heights only: alone it would be mapped by the DEM."""
    optical = np.full((6, 700, 30), 0.1)
    optical[:4, 600:] = 0.8
    optical[:, :540] = np.nan
    scene = pieces.write_scene(
        tmp_path / "half",
        pieces.grid(700, 30),
        optical=optical,
        dem=np.stack([np.full((700, 30), 3000.0), np.full((700, 30), 5.0)]),
    )
    glaciers.run([scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",)))
    found = pieces.values_of(tmp_path / "out/probability.tif")
    assert np.isnan(found[:540]).all() and (found[540:600] == 0).all() and (found[600:] == 1).all()


def test_the_rule_says_when_it_has_no_infrared_to_go_by(tmp_path):
    optical = np.full((6, 60, 60), 0.5)
    optical[3:] = np.nan
    scene = pieces.write_scene(
        tmp_path / "rgb",
        pieces.grid(60, 60),
        optical=optical,
        dem=np.stack([np.full((60, 60), 3000.0), np.full((60, 60), 5.0)]),
    )
    notes = glaciers.run([scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",))).notes
    assert any("by the DEM alone" in n and "above 3000 m" in n for n in notes)
