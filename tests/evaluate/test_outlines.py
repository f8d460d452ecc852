"""Outlines against outlines: closed forms for squares, and the fixed case of Hintereisferner."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely import box

from polynya.errors import ProductError
from polynya.evaluate import outlines, scene_rows
from polynya.io import polygons
from tests.real_files import real

X, Y = 640_000.0, 5_184_000.0  # on a corner of blocks: multiples of 3.2 km


def frame(*boxes, crs="EPSG:32632"):
    return gpd.GeoDataFrame(geometry=[box(X + a, Y + b, X + c, Y + d) for a, b, c, d in boxes], crs=crs)


def values(rows):
    return {r.metric: r.estimate.value for r in rows}


def test_a_shifted_square():
    """Side 1000, shifted by 100 to the east. Points of one boundary lie 0 (where the long sides overlap), up to 100, or
    100 from the other."""
    found = values(
        outlines.compare(frame((100, 0, 1100, 1000)), frame((0, 0, 1000, 1000)), densify_m=1.0, pixel_m=50.0)
    )
    assert found["iou"] == pytest.approx(900 / 1100) and found["f1"] == pytest.approx(0.9)
    assert (
        found["precision"] == pytest.approx(0.9)
        and found["recall"] == pytest.approx(0.9)
        and found["area_deviation"] == pytest.approx(0.0, abs=1e-12)
    )
    assert found["area_map"] == pytest.approx(1.0)
    # of 4000 m: 2 x 900 on the other's edge, 2 x 100 sticking out at distance 0..100, one side of 1000 at 100 outside;
    # the side inside: the
    # other's long edges are nearer than its short one over the first and last 100 m of it
    mean = (2 * 100 * 50 + 1000 * 100 + 800 * 100 + 2 * 100 * 50) / 4000
    assert found["polis"] == pytest.approx(mean, rel=2e-3) and found["mean_distance_to_reference"] == pytest.approx(
        mean, rel=2e-3
    )
    # within 50 m: the overlap, half of what sticks out, and 50 m at each end of the inner side
    assert found["boundary_f1_1px"] == pytest.approx((1800 + 100 + 100) / 4000, abs=2e-3)
    assert found["boundary_f1_2px"] == pytest.approx(1.0)
    assert found["p95_distance"] == pytest.approx(100.0) and found["median_distance"] == pytest.approx(50.0, abs=1.5)


def test_divides_do_not_count_and_degrees_are_projected():
    one, halves = frame((0, 0, 1000, 1000)), frame((0, 0, 500, 1000), (500, 0, 1000, 1000))
    found = values(outlines.compare(halves, one))
    assert found["polis"] == pytest.approx(0.0, abs=1e-6) and found["iou"] == pytest.approx(1.0)
    found = values(
        outlines.compare(frame((100, 0, 1100, 1000)).to_crs("EPSG:4326"), one.to_crs("EPSG:4326"), densify_m=1.0)
    )
    assert found["iou"] == pytest.approx(900 / 1100, abs=1e-4) and found["mean_distance_to_reference"] == pytest.approx(
        50.0, abs=0.2
    )


def test_only_the_common_ground_counts():
    """The reference goes on beyond the scene: what is cut away is no error, and the cut no boundary."""
    ours, theirs, ground = frame((0, 0, 500, 1000)), frame((0, 0, 5000, 1000)), frame((-500, -500, 500, 1500)).geometry
    found = values(outlines.compare(ours, theirs, within=ground))
    assert found["iou"] == pytest.approx(1.0) and found["area_map_of_reference"] == pytest.approx(0.5)
    assert found["p95_distance"] == pytest.approx(0.0, abs=1e-6) and found["boundary_f1_1px"] == 1.0
    with pytest.raises(ProductError, match="holds no area on the ground"):
        outlines.compare(ours, frame((10_000, 0, 11_000, 500)), within=ground)


def test_nothing_mapped_is_a_miss():
    found = values(outlines.compare(frame((0, 0, 1, 1)).iloc[:0], frame((0, 0, 1000, 1000))))
    assert found["iou"] == 0.0 and found["recall"] == 0.0 and found["area_deviation"] == -1.0
    assert np.isnan(found["precision"]) and np.isnan(found["polis"])


def test_intervals_follow_the_blocks():
    """Sixteen glaciers in sixteen blocks, all mapped alike, leave no doubt; half of them missed leaves the
    binomial's."""
    places = [
        (3200.0 * i + 100, 3200.0 * j + 100, 3200.0 * i + 1100, 3200.0 * j + 1100) for i in range(4) for j in range(4)
    ]
    sure = {r.metric: r.estimate for r in outlines.compare(frame(*places), frame(*places))}
    assert sure["iou"].low == pytest.approx(1.0) and sure["iou"].high == pytest.approx(1.0)
    half = {
        r.metric: r.estimate
        for r in outlines.compare(frame(*places[::2]), frame(*places), bootstrap=scene_rows.Bootstrap(n_resamples=2000))
    }["recall"]
    spread = 2.13 * np.sqrt(16 / 15) * np.sqrt(0.25 / 16)  # Student's t of 15 degrees; see metrics.estimate
    assert half.value == pytest.approx(0.5) and (half.high - half.low) / 2 == pytest.approx(spread, rel=0.15)


@pytest.mark.real
def test_hintereisferner_2003_and_2018():
    """The fixed case; values from the method's section 6."""
    old = polygons.read(real("../glaciers/hintereisferner/Hintereisferner_RGI6.shp"))
    new = polygons.read(real("../glaciers/hintereisferner/HEF_Flaeche2018.shp"))
    found = values(outlines.compare(new, old, densify_m=20.0))
    assert found["area_map_of_reference"] == pytest.approx(8.033, rel=1e-3) and found["area_map"] == pytest.approx(
        6.394, rel=1e-3
    )
    assert found["area_ellipsoid_of_reference"] == pytest.approx(8.036, rel=1e-3) and found[
        "area_ellipsoid"
    ] == pytest.approx(6.396, rel=1e-3)
    assert found["iou"] == pytest.approx(0.758, abs=0.002)
    assert found["mean_distance_from_reference"] == pytest.approx(101.0, abs=2.0)
    assert found["mean_distance_to_reference"] == pytest.approx(68.0, abs=2.0)
    assert found["polis"] == pytest.approx(84.5, abs=2.0)


def test_quantiles_are_exact_and_their_intervals_cover():
    rng = np.random.default_rng(0)
    inside = 0
    for k in range(60):
        values = rng.gamma(2.0, size=(40, 50))
        blocks = scene_rows.draw_blocks(40, index=np.repeat(np.arange(40), 50), n_resamples=300, seed=k)
        found = scene_rows.quantile(values.ravel(), blocks, 0.95)
        assert found.value == pytest.approx(np.quantile(values, 0.95))
        inside += found.low <= 4.743865 <= found.high  # of the gamma distribution
    assert inside >= 52
