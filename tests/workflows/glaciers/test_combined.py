"""Several dates of one ground give one map: snow and cloud of single dates do not enter it; and cloud of one date."""

from __future__ import annotations

import numpy as np
import pytest

from polynya import io
from polynya.errors import ProductError, UsageError
from polynya.workflows import glaciers

from . import pieces

SHAPE, PIXEL, CENTRE, RADIUS = (150, 170), 20.0, (1700.0, 1500.0), 900.0
TRUTH = np.pi * RADIUS**2 * 1e-6
NOISE = 20.0
"""Error of the position of a date's margin, m, and what the network says of it."""


def date(folder, *, snow: float, cloud: slice | None = None, seed: int = 0, day: int = 1, rows: int = 0):
    """Write a date of a disc of ice on rock. Right of it lies seasonal snow on a share of the width; it looks like the
    ice. The network takes green less SWIR1: Phi of the distance to the margin on ice and snow alike.
    """
    rng = np.random.default_rng(seed)
    inside = pieces.discs(SHAPE, pixel_m=PIXEL, centres=[CENTRE], radius_m=RADIUS + rng.normal(0, NOISE))
    inside[:, SHAPE[1] - round(snow * SHAPE[1]) :] = 200.0
    logit = np.clip(inside / NOISE * 1.7, -6, 6)
    optical = np.stack([np.full(SHAPE, v) for v in (0.3, 0.3, 0.3, 0.3, 0.3, 0.3)])
    optical[1], optical[4] = 0.3 + logit / 24.0, 0.3 - logit / 24.0  # NDSI from -0.83 to 0.83
    if cloud is not None:
        optical[:, cloud] = np.array([0.6, 0.6, 0.6, 0.6, 0.6, 0.5])[:, None, None]
    about = {"time": f"2021-08-{day:02d}T10:00:00Z"}
    box = pieces.grid(*SHAPE, pixel_m=PIXEL, top=5_190_000.0 + rows * PIXEL)
    return pieces.write_scene(folder, box, optical=np.roll(optical, rows, axis=1), about=about)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return pieces.linear_network(tmp_path_factory.mktemp("network") / "snow.onnx", pieces.BRIGHT)


def run(network, scenes, out, **more):
    config = glaciers.Config.checked(network=(str(network),), runtime="onnxruntime", **more)
    return glaciers.run(scenes, out=out, config=config)


@pytest.fixture(scope="module")
def season(network, tmp_path_factory):
    """Five dates, two of them under snow, two with a cloud over a part of the ice, each with a margin error."""
    base = tmp_path_factory.mktemp("season")
    kinds = [(0.0, None), (0.3, None), (0.0, slice(60, 80)), (0.25, slice(0, 70)), (0.0, None)]
    scenes = [
        date(base / f"d{k}", snow=snow, cloud=cloud, seed=k, day=1 + 5 * k) for k, (snow, cloud) in enumerate(kinds)
    ]
    single = [run(network, [s], base / f"single{k}").total.value for k, s in enumerate(scenes)]
    return base, scenes, single, run(network, scenes, base / "combined", combine=True)


def test_snow_of_some_dates_does_not_widen_the_glacier(season):
    base, _, single, result = season
    assert max(single) > 1.5 * TRUTH, "a snowy date by itself is far off"
    error, others = abs(result.total.value - TRUTH), np.abs(np.array(single) - TRUTH)
    assert error < others.mean() and error < abs(np.mean(single) - TRUTH)
    assert result.total.value == pytest.approx(TRUTH, rel=0.05)
    assert result.total.low < TRUTH < result.total.high
    probability = pieces.values_of(base / "combined/probability.tif")
    assert np.nanmax(probability[:, -20:]) < 0.5, "under snow at two of five dates, never glacier"


def test_layers_and_record_say_what_counted(season):
    base, scenes, _, result = season
    n = pieces.values_of(base / "combined/clear_dates.tif")
    counted = np.full(SHAPE, 5)
    counted[60:80] -= 1
    counted[0:70] -= 1
    np.testing.assert_array_equal(n, counted)
    spread = pieces.values_of(base / "combined/spread.tif")
    assert np.nanmax(spread) > 0.05 and np.nanmin(spread) >= 0.0
    told = io.read_json(base / "combined/run.json")["dates"]
    weights = {d["scene"]: d["weight"] for d in told["scenes"]}
    assert set(weights) == {s.name for s in scenes} and sum(weights.values()) == pytest.approx(1.0)
    assert weights["d3"] == min(weights.values()), "the date with snow and the larger cloud"
    assert [d["is_main"] for d in told["scenes"]].count(True) == 1
    page = (base / "combined/report.html").read_text()
    assert "dates combined" in page and all(s.name in page for s in scenes)
    assert "5 dates combined" in " ".join(result.notes)


def test_the_same_dates_again_are_done_before(season, network):
    base, scenes, *_ = season
    config = glaciers.Config.checked(network=(str(network),), runtime="onnxruntime", combine=True)
    assert glaciers.done_before(scenes, out=base / "combined", config=config) is not None


def test_dates_on_shifted_grids_lie_on_one(network, tmp_path):
    """A date whose grid begins three pixels further north shows the same ground: the map is that of one date."""
    scenes = [
        date(tmp_path / "a", snow=0.0, seed=1, day=2),
        date(tmp_path / "b", snow=0.0, seed=1, day=3, rows=3),
    ]
    run(network, scenes, tmp_path / "both", combine=True)
    run(network, scenes[:1], tmp_path / "one")
    both, one = (pieces.values_of(tmp_path / f"{n}/probability.tif") for n in ("both", "one"))
    np.testing.assert_allclose(both[:-4], one[:-4], atol=2e-3)


def test_one_date_and_other_places_are_errors(network, tmp_path):
    scene = date(tmp_path / "a", snow=0.0)
    with pytest.raises(UsageError, match="two or more"):
        run(network, [scene], tmp_path / "out", combine=True)
    away = pieces.write_scene(
        tmp_path / "b",
        pieces.grid(*SHAPE, left=800_000.0),
        optical=pieces.optical_of(np.zeros(SHAPE)),
    )
    with pytest.raises(ProductError, match="shares no ground"):
        run(network, [scene, away], tmp_path / "out", combine=True)


def test_cloud_lowers_confidence_or_is_no_data(network, tmp_path):
    scene = date(tmp_path / "a", snow=0.0, cloud=slice(60, 80))
    run(network, [date(tmp_path / "b", snow=0.0)], tmp_path / "free")
    default = run(network, [scene], tmp_path / "default")
    masked = run(network, [scene], tmp_path / "masked", mask_clouds=True)
    sure, free = (pieces.values_of(tmp_path / f"{n}/confidence.tif") for n in ("default", "free"))
    assert sure[60:80].max() <= 0.75 and sure[:60].max() > 0.95
    np.testing.assert_array_equal(sure[:60], free[:60])
    assert not (tmp_path / "default/not_seen.tif").is_file() and any("--mask-clouds" in n for n in default.notes)
    unseen = pieces.values_of(tmp_path / "masked/not_seen.tif")
    assert (unseen[60:80] == 1).all() and unseen.sum() == 20 * SHAPE[1]
    assert np.isnan(pieces.values_of(tmp_path / "masked/probability.tif")[60:80]).all()
    assert "cloud was masked" in masked.unseen.text and masked.total.value < TRUTH
    assert masked.unseen.area_km2 == pytest.approx(masked.unseen.cloud_km2)
