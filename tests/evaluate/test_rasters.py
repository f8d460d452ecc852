"""Rasters against truth: counted by hand, the same whatever the windows, strata and distances as defined."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from polynya.errors import ProductError
from polynya.evaluate import outlines, rasters
from polynya.evaluate.scene_rows import Bootstrap
from polynya.glaciers.outlines import vectorise


def grid(rows: int, columns: int, pixel: float = 20.0) -> GeoBox:
    return GeoBox((rows, columns), Affine(pixel, 0, 500_000.0, 0, -pixel, 5_200_000.0), "EPSG:32632")


def read(values: np.ndarray):
    return lambda rows, columns: values[rows, columns]


def lookup(rows):
    return {(r.prediction, r.stratum, r.metric): r.estimate for r in rows}


def scene(seed: int, shape=(400, 330)):
    rng = np.random.default_rng(seed)
    height = gaussian_filter(rng.standard_normal(shape), 15)
    kind = np.where(
        height > 0.6 * height.std(), np.where(gaussian_filter(rng.standard_normal(shape), 20) > 0, 2, 1), 0
    ).astype(np.uint8)
    kind[:, :20] = 255
    probability = 1 / (
        1
        + np.exp(
            -(height + 0.3 * height.std() * gaussian_filter(rng.standard_normal(shape), 3) * 10 - 0.6 * height.std())
            / (0.3 * height.std())
        )
    )
    probability[380:] = np.nan
    return kind, probability.astype(np.float32)


def test_counts_by_hand():
    truth = np.array([[1, 1, 0, 0, 255], [2, 2, 0, 0, 255], [0, 0, 0, 0, 1]], np.uint8)
    called = np.array([[1, 0, 1, 0, 1], [1, 1, 0, 0, 0], [0, 255, 0, 0, 1]], np.uint8)
    found = lookup(rasters.compare(read(called), read(truth), geobox=grid(3, 5)))
    all_ = {
        m: found[("given", "all", m)].value
        for m in ("iou", "precision", "recall", "f1", "false_alarm_rate", "share_of_reference")
    }
    assert all_ == pytest.approx(
        {
            "iou": 4 / 6,
            "precision": 4 / 5,
            "recall": 4 / 5,
            "f1": 0.8,
            "false_alarm_rate": 1 / 8,
            "share_of_reference": 5 / 13,
        }
    )
    assert found[("given", "all", "iou")].n == 13 and found[
        ("given", "all", "share_without_prediction")
    ].value == pytest.approx(1 / 13)
    assert found[("given", "all", "area_deviation")].value == pytest.approx(0.0, abs=1e-6)
    assert found[("given", "all", "area_ellipsoid")].value == pytest.approx(5 * 400e-6, rel=1e-3)
    assert (
        found[("all_glacier", "all", "iou")].value == pytest.approx(5 / 13)
        and found[("all_glacier", "all", "recall")].value == 1.0
    )
    assert found[("given", "debris_covered_ice", "recall")].value == 1.0 and found[
        ("given", "clean_ice", "recall")
    ].value == pytest.approx(2 / 3)
    assert ("given", "all", "brier_score") not in found, "classes have no calibration"


def test_every_pixel_belongs_to_the_nearest_kind_of_ice():
    truth = np.zeros((5, 300), np.uint8)
    truth[:, 50:60], truth[:, 100:110] = 1, 2
    called = np.zeros_like(truth)
    called[:, 50:110] = 1  # the gap of 40 columns between them is called ice: half of it beside each
    found = lookup(rasters.compare(read(called), read(truth), geobox=grid(5, 300)))
    assert found[("given", "clean_ice", "iou")].value == pytest.approx(10 / 30) and found[
        ("given", "debris_covered_ice", "iou")
    ].value == pytest.approx(10 / 30)
    assert found[("given", "clean_ice", "iou")].n == 5 * (49 + 10 + 20)  # within 1 km: 49 pixels of 20.008 m
    assert found[("given", "away_from_ice", "iou")].n == 5 * (300 - 60 - 2 * 49)
    truth[truth == 2] = 1
    plain = lookup(rasters.compare(read(called), read(truth), geobox=grid(5, 300)))
    assert ("given", "clean_ice", "iou") not in plain, "a truth that does not tell kinds has none"


def test_windows_and_blocks_leave_no_trace(monkeypatch):
    truth, p = scene(1)
    strata = (np.random.default_rng(0).random(truth.shape) < 0.1).astype(np.uint8) * 5
    g = grid(*truth.shape)
    results = []
    for at_once in (1, 50):
        monkeypatch.setattr(rasters, "WINDOW_BLOCKS", at_once)
        results.append(
            lookup(
                rasters.compare(
                    read(p),
                    read(truth),
                    geobox=g,
                    strata=read(strata),
                    rules={"rule": read(p > 0.8)},
                    bootstrap=Bootstrap(block_m=1000.0),
                )
            )
        )
    assert results[0].keys() == results[1].keys()
    for key, one in results[0].items():
        two = results[1][key]
        assert one.n == two.n and (one.value, one.low, one.high) == pytest.approx(
            (two.value, two.low, two.high), rel=1e-6, nan_ok=True
        ), key


def test_pixel_scores_calibration_and_strata_agree_with_whole_arrays():
    truth, p = scene(2)
    bits = np.where(np.arange(330)[None] < 200, 1, 2).astype(np.uint8) * np.ones((400, 1), np.uint8)
    found = lookup(rasters.compare(read(p), read(truth), geobox=grid(*truth.shape), strata=read(bits)))
    known, ice = truth != 255, (truth == 1) | (truth == 2)
    called = np.nan_to_num(p) >= 0.5
    for stratum, member in (
        ("all", known),
        ("seasonal_snow", known & (bits == 1)),
        ("cast_shadow", known & (bits == 2)),
    ):
        expected = (ice & called & member).sum() / ((ice | called) & member).sum()
        assert found[("given", stratum, "iou")].value == pytest.approx(expected)
    assert found[("given", "cloud", "iou")].n == 0
    use = known & np.isfinite(p)
    assert found[("given", "all", "brier_score")].value == pytest.approx(np.mean((p[use] - ice[use]) ** 2), rel=1e-5)
    bins = rasters.reliability(read(p), read(truth), geobox=grid(*truth.shape))
    assert sum(n for n, _, _ in bins) == use.sum() and sum(n * f for n, _, f in bins) == pytest.approx(ice[use].sum())


def test_boundary_distances_agree_with_those_of_the_outlines():
    truth = (gaussian_filter(np.random.default_rng(5).standard_normal((300, 300)), 14) > 0.02).astype(np.uint8)
    called = (
        gaussian_filter(np.random.default_rng(5).standard_normal((300, 300)), 14)
        + 0.006 * gaussian_filter(np.random.default_rng(6).standard_normal((300, 300)), 6) * 12
        > 0.02
    ).astype(np.uint8)
    g = grid(300, 300)
    pixels = lookup(rasters.compare(read(called), read(truth), geobox=g))
    frames = [vectorise(m, geobox=g, min_area_km2=0.0, is_smoothed=False) for m in (called, truth)]
    inside = g.pad(-1).extent.geom
    lines = {
        r.metric: r.estimate
        for r in outlines.compare(
            *frames, within=gpd.GeoSeries([inside], crs="EPSG:32632"), densify_m=5.0, pixel_m=20.0
        )
    }
    assert lines["polis"].value > 8.0
    assert 0.0 <= pixels[("given", "all", "polis")].value - lines["polis"].value < 10.0  # half a pixel
    assert pixels[("given", "all", "p95_distance")].value == pytest.approx(lines["p95_distance"].value, abs=12.0)


def test_a_shifted_edge():
    """A straight edge three pixels off: all distances are 60 m, except across the ends."""
    truth, called = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    truth[:, :50], called[:, :53] = 1, 1
    found = lookup(rasters.compare(read(called), read(truth), geobox=grid(100, 100)))
    for metric in ("polis", "median_distance", "p95_distance", "mean_distance_to_reference"):
        assert found[("given", "all", metric)].value == pytest.approx(60.0, rel=2e-3)  # the map's scale
    assert found[("given", "all", "boundary_f1_2px")].value == 0.0
    called[:, 51:] = 0
    near = lookup(rasters.compare(read(called), read(truth), geobox=grid(100, 100)))
    assert near[("given", "all", "boundary_f1_1px")].value == 1.0
    truth[:, 45:60] = 255  # nobody knows where the edge is
    unknown = lookup(rasters.compare(read(called), read(truth), geobox=grid(100, 100)))
    assert unknown[("given", "all", "polis")].n == 0 and unknown[("given", "all", "iou")].value == 1.0


def test_no_label_is_refused():
    with pytest.raises(ProductError, match="no pixel is labelled"):
        rasters.compare(read(np.zeros((9, 9), np.uint8)), read(np.full((9, 9), 255, np.uint8)), geobox=grid(9, 9))
