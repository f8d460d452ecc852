"""Radar scenes as tile sets: what is written is what targets and sensors read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from affine import Affine

from polynya import recipes
from polynya.errors import UsageError
from polynya.families import scenes as family
from polynya.samples import physical_tiles, splits, tile_sets
from polynya.sensors import table
from polynya.targets import Concentration

SHAPE = (40, 36)
EVERY = tuple(slice(0, n) for n in SHAPE)
GRID = ("EPSG:3413", Affine(400.0, 0.0, 1e6, 0.0, -400.0, -5e5))


def scene(seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return sensors and labels; a corner without data, stages partly unknown."""
    rng = np.random.default_rng(seed)
    valid = np.ones(SHAPE, bool)
    valid[:5, :7] = False
    share = np.where(valid, rng.random(SHAPE).round(2), np.nan).astype(np.float32)
    codes = np.where(valid, rng.integers(0, 6, SHAPE), 255)
    codes[20] = 255
    sensors = {n: np.where(valid, rng.normal(-20, 3, SHAPE), np.nan)[None] for n in ("hh", "hv", "incidence")}
    labels = {
        "concentration": share[None],
        "stage": physical_tiles.one_hot(codes, 6),
        "floe": physical_tiles.one_hot(np.where(valid, 3, 255), 7),
        "chart_concentration": np.where(valid, 0.5, np.nan)[None],
        "polygon": np.where(rng.random(SHAPE) < 0.5, 2, -1)[None],
        "codes": codes[None],
    }
    return sensors, labels


def make(path, n: int = 6):
    with h5py.File(path, "w") as file:
        for k in range(n):
            sensors, labels = scene(k)
            del labels["codes"]
            physical_tiles.write(
                file, f"t{k}", sensors=sensors, labels=labels, scene=f"s{k}", grid=GRID, simulated="by a test"
            )
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return make(tmp_path_factory.mktemp("tiles") / "tiles.h5")


def test_what_is_written_is_read(file):
    found = tile_sets.open_all(
        [file], target="concentration", classes=(), table=table("radar_ice"), recipe="r", option="--data"
    )
    assert [t.name for t in found] == [f"t{k}" for k in range(6)]
    sensors, labels = scene(2)
    tile = found[2]
    assert tile.is_simulated and tile.scene == "s2" and tile.shape == SHAPE and tile.pixel == (400.0, 400.0)
    assert tile.grid == "EPSG:3413" and tile.corner == (1e6, -5e5)
    values = tile.values(("hv", "hh", "amsr2"), *EVERY)
    np.testing.assert_allclose(values[0], sensors["hv"][0].astype(np.float32))
    assert values.shape == (6, *SHAPE) and np.isnan(values[2:]).all(), "a sensor that the tile does not have"
    np.testing.assert_array_equal(tile.plane("concentration", *EVERY), labels["concentration"][0])
    codes = labels["codes"][0]
    np.testing.assert_array_equal(tile.target("stage", *EVERY), np.where(codes < 255, 1 << (codes % 32), 0))
    regions = Concentration(regions="polygon").of_tile(tile, "chart_concentration", *EVERY)
    assert np.array_equal(regions["region"] >= 0, labels["polygon"][0] >= 0)
    assert len(np.unique(regions["region"])) == 2


@pytest.mark.parametrize("name", ["concentration", "concentration-charts", "concentration-heads"])
def test_the_recipes_read_them(file, name):
    plan = recipes.load(name)
    plan = plan.model_copy(update={"scene": plan.scene.model_copy(update={"size": 32})})
    about = family.network(plan)
    split = splits.Config(method="granule", train=0.5, validation=0.2, calibration=0.1, test=0.2, seed=0)
    data = family.data(plan, about, data=[file], train_only=(), split=split)
    source = data.source(splits.TRAIN, is_scored=False)
    batch = source.batch(source.plan(np.random.default_rng(0))[:3])
    assert batch.inputs.shape == (3, 6, 32, 32) and np.isfinite(batch.inputs).all()
    assert about.predicts.known(batch.targets).any() and batch.targets.dtype == about.predicts.dtype
    labelled = SHAPE[0] * SHAPE[1] - 35
    assert data.about()["labels"]["train"][next(iter(about.predicts.tally(batch.targets)))] == 3 * labelled


def test_what_does_not_fit_is_refused(tmp_path):
    sensors, labels = scene(0)
    with h5py.File(tmp_path / "x.h5", "w") as out:
        write = {"sensors": sensors, "labels": labels, "scene": "s"}
        physical_tiles.write(out, "t", **write)
        with pytest.raises(UsageError, match="t: the file has a tile of this name"):
            physical_tiles.write(out, "t", **write)
        with pytest.raises(UsageError, match=r"u: vv found .*; expected sensors of hh, hv, incidence"):
            physical_tiles.write(out, "u", **{**write, "sensors": {"vv": sensors["hh"]}})
        with pytest.raises(UsageError, match=r"u: shapes found \[\(20, 36\), \(40, 36\)\]"):
            physical_tiles.write(out, "u", **{**write, "labels": {"concentration": labels["concentration"][:, :20]}})
        with pytest.raises(UsageError, match="u: hh found"):
            physical_tiles.write(out, "u", **{**write, "labels": {"hh": labels["concentration"]}})
