"""benchmarks/score_concentration.py: scenes of every kind, scores with known values, rules, and files in both parts."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.predict.halo import Uncertain
from polynya.readers.ai4arctic_preparation import STATISTICS
from polynya.samples import physical_tiles
from polynya.simulate.sentinel1 import product
from tests.readers import ai4arctic_files

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("score_concentration")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def scenes(benchmark):
    return importlib.import_module("concentration_scenes")


@pytest.fixture(scope="module")
def tables(benchmark):
    return importlib.import_module("concentration_tables")


def easy(seed: int, *, side: int = 72) -> dict[str, np.ndarray]:
    """Draw ice of -10 / -18 dB in dark water, with an edge across."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((side, side), np.float32)
    truth[:, side // 3 + seed % 7 :] = 1.0
    noise = rng.normal(0.0, 0.3, (2, side, side))
    channels = np.where(truth > 0, np.array([-10.0, -18.0])[:, None, None], np.array([-22.0, -32.0])[:, None, None])
    angle = np.broadcast_to(np.linspace(20.0, 45.0, side, dtype=np.float32), (side, side))
    return {"channels": (channels + noise).astype(np.float32), "incidence": angle, "truth": truth}


def write_tiles(path: Path, seeds) -> Path:
    with h5py.File(path, "w") as file:
        for seed in seeds:
            drawn = easy(seed)
            physical_tiles.write(
                file,
                f"scene{seed}",
                sensors={
                    "hh": drawn["channels"][:1],
                    "hv": drawn["channels"][1:],
                    "incidence": drawn["incidence"][None],
                },
                labels={
                    "concentration": drawn["truth"][None],
                    "stage": physical_tiles.one_hot(np.where(drawn["truth"] > 0, 4, 0), 6),
                },
                scene=f"scene{seed}",
            )
    return path


def test_tiles_are_read_as_written(scenes, tmp_path):
    path = write_tiles(tmp_path / "a.h5", (3, 4))
    one, two = scenes.scenes([tmp_path])
    assert (one.name, two.name) == ("scene3", "scene4") and scenes.found([tmp_path]) == [(path, "tiles")]
    drawn = easy(3)
    for name in ("channels", "incidence", "truth"):
        np.testing.assert_array_equal(getattr(one, name), drawn[name])
    assert set(np.unique(one.stage)) == {0, 4} and not one.is_chart


def test_a_simulated_product_lies_on_its_truth(scenes, tmp_path):
    """Where ice and water are pure, HV of ice must be the brighter one, cell by cell: a truth one cell off would not
    fit along the edge."""
    product.simulate_product(tmp_path / "p", product.Options(seed=5, size=(400, 500), kind="edge"))
    (scene,) = scenes.scenes([tmp_path / "p"])
    with_truth = np.isfinite(scene.truth) & np.isfinite(scene.channels).all(axis=0)
    assert with_truth.sum() > 0.8 * np.isfinite(scene.channels).all(axis=0).sum()
    assert scene.channels.shape == (2, *scene.truth.shape) and np.nanmax(scene.truth) <= 1.0
    (kept,) = scenes.scenes([tmp_path / "p"], keep_noise=True)
    assert np.nanmean(kept.channels[1]) > np.nanmean(scene.channels[1]) + 1.0
    hv, truth = scene.channels[1], scene.truth

    def fits(rows: int, columns: int) -> float:
        moved = np.roll(truth, (rows, columns), (0, 1))[3:-3, 3:-3]
        good = np.isfinite(moved) & np.isfinite(hv[3:-3, 3:-3])
        return float(np.corrcoef(moved[good], hv[3:-3, 3:-3][good])[0, 1])

    own = fits(0, 0)
    assert all(own > fits(r, c) for r, c in ((0, 1), (1, 0), (-1, 0), (0, -1)))


def test_scores_are_those_of_a_plain_computation(scenes, tables):
    rng = np.random.default_rng(8)
    tally, all_truth, all_found = tables.Tally(), [], []
    for seed in (4, 5, 6):
        truth = easy(seed)["truth"]
        found = np.clip(truth + rng.normal(0.0, 0.1, truth.shape), 0.0, 1.0).astype(np.float32)
        spread = np.full(truth.shape, 0.1, np.float32)
        ends = np.array([0.05, 1.1], np.float32)[:, None, None]
        more = Uncertain(value=found, spread=spread, levels=(0.68, 0.95), lower=found - ends, upper=found + ends)
        scene = scenes.Radar(name=f"{seed}", channels=easy(seed)["channels"], incidence=truth, truth=truth)
        tally.add(scene, found, more, good=np.ones(truth.shape, bool))
        all_truth.append(truth)
        all_found.append(found)
    truth, found = (np.stack(v).astype(np.float64) for v in (all_truth, all_found))
    result = tally.result()
    assert result["r2"] == pytest.approx(1 - ((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
    assert result["mae"] == pytest.approx(np.abs(found - truth).mean())
    assert result["coverage"][95] == 1.0
    assert result["coverage"][68] == pytest.approx((np.abs(found - truth) <= 0.05).mean(), abs=2e-3)
    means = [v.reshape(3, 6, 12, 6, 12).mean(axis=(2, 4)) for v in (truth, found)]
    marginal = (means[0] >= 0.15) & (means[0] <= 0.8)
    assert result["rmse_miz_5_km"] == pytest.approx(np.sqrt(((means[1] - means[0])[marginal] ** 2).mean()), rel=1e-6)
    assert result["ice_or_water_5_km"] == ((means[0] >= 0.15) == (means[1] >= 0.15)).mean()
    assert sum(b["n"] for b in result["sigma_bins"]) == truth.size
    assert result["sigma_bins"][0]["sigma"] == pytest.approx(0.1)
    assert result["sigma_bins"][0]["rms_error"] == pytest.approx(np.sqrt(((found - truth) ** 2).mean()), rel=1e-5)
    assert result["r2_interval"][0] <= result["r2"] <= result["r2_interval"][1]


def test_rules_find_ice_that_is_bright(benchmark, scenes, tmp_path):
    train, test = write_tiles(tmp_path / "train.h5", range(4)), write_tiles(tmp_path / "test.h5", (11, 12))
    methods = benchmark.teach([train], seed=0)
    assert set(methods) == {"training_mean", "gaussian_classes", "forest", "forest_with_surroundings"}
    found = benchmark.run(scenes.scenes([test]), methods, maps=tmp_path, n_maps=1)
    r2 = {name: t.result()["r2"] for name, t in found.items()}
    assert r2["forest"] > 0.99 and r2["gaussian_classes"] > 0.9 and r2["training_mean"] < 0.1
    assert (tmp_path / "scene11.png").stat().st_size > 1000 and not (tmp_path / "scene12.png").exists()


def with_microwave(scenes, seed: int, *, has: bool = True):
    """Return an easy scene; ice and water at 18.7 and 36.5 GHz differ by 60 and 40 K, ice has two ages."""
    drawn = easy(seed)
    age = np.where(np.arange(72) % 2 == 0, 0.0, 1.0)[:, None]
    tb = [184.0 + drawn["truth"] * (60 - 30 * age), 210.0 + drawn["truth"] * (40 - 60 * age)]
    return scenes.Radar(name=f"scene{seed}", **drawn, microwave=np.stack(tb).astype(np.float32) if has else None)


def test_amsr2_is_a_method_where_the_training_scenes_have_it(benchmark, scenes, monkeypatch):
    held = {"with": [with_microwave(scenes, k) for k in range(3)], "without": [with_microwave(scenes, 3, has=False)]}
    monkeypatch.setattr(scenes, "scenes", lambda paths: iter(held[paths[0]]))
    methods = benchmark.teach(["with"], seed=0)
    assert "amsr2_bootstrap" in methods and "amsr2_bootstrap" not in benchmark.teach(["without"], seed=0)
    scene = with_microwave(scenes, 9)
    assert np.allclose(methods["amsr2_bootstrap"](scene)[0], scene.truth, atol=1e-4)
    assert np.isnan(methods["amsr2_bootstrap"](held["without"][0])[0]).all()


def test_amsr2_cells_of_a_scene_to_train_on_lie_on_its_cells(scenes, tmp_path):
    path = ai4arctic_files.prepared(tmp_path / ai4arctic_files.NAME, statistics=STATISTICS)
    scene = next(iter(scenes.scenes([path])))
    assert scene.truth.shape == (12, 13)  # 60 x 69 pixels of 80 m
    expected = [150.0 + ai4arctic_files.CHANNELS.index(c) for c in scenes.MICROWAVE]
    assert np.allclose(scene.microwave[:, :10, :10], np.reshape(expected, (2, 1, 1)), atol=1e-3)  # 2 x 2 cells of 2 km
    assert np.isnan(scene.microwave[:, 10:]).all() and np.isnan(scene.microwave[:, :, 10:]).all()


def test_areas_of_one_concentration_have_numbers_of_their_own(benchmark):
    truth = np.array([[0.0, 0.0, 0.3], [0.3, 0.0, np.nan], [0.3, 0.7, 0.3]])
    found = benchmark._regions(truth)
    assert found[1, 2] == -1 and len(np.unique(found)) == 6
    assert found[0, 0] == found[1, 1] and found[1, 0] == found[2, 0] and found[0, 2] != found[2, 2]


@pytest.mark.parametrize("noise", [False, True], ids=["test", "noisy"])
def test_a_training_scene_under_another_name_is_found(benchmark, scenes, tmp_path, noise):
    """A copy in another file, with another noise: the scene is the same, and its score would be that of training."""
    seen: set[str] = set()
    methods = benchmark.teach([write_tiles(tmp_path / "train.h5", range(3))], seed=0, seen=seen)
    (copy,) = (s for s in scenes.scenes([write_tiles(tmp_path / "copy.h5", (2,))]))
    copy = dataclasses.replace(copy, name="other", channels=copy.channels + np.float32(0.5 * noise))
    others = list(scenes.scenes([write_tiles(tmp_path / "test.h5", (11,))]))
    assert len(seen) == 3 and benchmark.run(iter(others), methods, maps=None, n_maps=0, seen=seen)
    with pytest.raises(ProductError, match="other: is in --train and in --test"):
        benchmark.run(iter([*others, copy]), methods, maps=None, n_maps=0, seen=seen)


def test_tiles_of_other_scenes_are_other_files(benchmark, scenes, tmp_path):
    """A folder of results that is used again must not give the network the scenes of the last run."""
    one, two = (write_tiles(tmp_path / f"{k}.h5", (k,)) for k in (1, 2))
    first, second = (benchmark._as_tiles([p], tmp_path) for p in (one, two))
    assert first != second and benchmark._as_tiles([one], tmp_path) == first
    assert [s.name for p in (first, second) for s in scenes.scenes([p])] == ["scene1", "scene2"]


def test_a_network_is_never_taken_from_a_folder_unasked(benchmark, tmp_path, monkeypatch):
    """Whether the one that is there has learned from these scenes is for the training to say."""
    train, asked = write_tiles(tmp_path / "train.h5", (1,)), []
    (tmp_path / "concentration-0").mkdir()
    (tmp_path / "concentration-0/run.json").write_text("{}")
    done = SimpleNamespace(returncode=1, stderr="holds a result of another data")
    monkeypatch.setattr(benchmark.subprocess, "run", lambda command, **_: asked.append(command) or done)
    with pytest.raises(ProductError, match="of another data"):
        benchmark.train_network([train], tmp_path, recipe="concentration", epochs=None, seed=0)
    assert str(train) in asked[0]


def test_cells_left_out_and_edges_not_found_are_counted(scenes, tables):
    """A map that is unknown where it would be wrong has a share to show, and one without ice an edge that it missed."""
    drawn = easy(4)
    scene = scenes.Radar(name="a", channels=drawn["channels"], incidence=drawn["incidence"], truth=drawn["truth"])
    tally = tables.Tally()
    good, water = np.ones(drawn["truth"].shape, bool), np.zeros(drawn["truth"].shape, np.float32)
    tally.add(scene, np.where(drawn["truth"] > 0, np.nan, water), None, good=good)
    tally.add(scene, water, None, good=good)
    result = tally.result()
    assert result["share_without_prediction"] == pytest.approx(drawn["truth"].mean() / 2)
    assert (result["scenes_with_edge"], result["scenes_with_edge_missed"]) == (1, 1)


@pytest.mark.parametrize("doubt, share", [(0.0, 0.0), (1.0, 1.0)])
def test_ranges_of_zones_and_limits_of_the_edge_are_counted(scenes, tables, doubt, share):
    """A map whose ice begins four cells too late: limits that are the map miss the edge, those without end hold it."""
    drawn = easy(4)
    scene = scenes.Radar(name="a", channels=drawn["channels"], incidence=drawn["incidence"], truth=drawn["truth"])
    value = np.roll(drawn["truth"], 4, axis=1)
    value[:, :4] = 0.0
    ends = [np.clip(value + s * doubt, 0.0, 1.0)[None].repeat(2, axis=0) for s in (-1, 1)]
    more = Uncertain(value=value, spread=np.full(value.shape, 0.1), levels=(0.68, 0.95), lower=ends[0], upper=ends[1])
    tally = tables.Tally()
    tally.add(scene, value, more, good=np.ones(value.shape, bool))
    result = tally.result()
    assert result["edge_within_limits"] == share
    assert result["zone_areas_in_range"]["pack_ice"] == result["zone_areas_in_range"]["open_water"] == share


@pytest.mark.parametrize("what", ["same", "nothing", "missing"])
def test_other_files_are_one_line(benchmark, tmp_path, monkeypatch, capsys, what):
    train = write_tiles(tmp_path / "train.h5", (1,))
    (tmp_path / "empty").mkdir()
    test = {"same": train, "nothing": tmp_path / "empty", "missing": tmp_path / "nowhere.h5"}[what]
    monkeypatch.setattr(sys, "argv", ["score_concentration.py", "--train", str(train), "--test", str(test)])
    assert benchmark.main() == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "expected" in error
    assert ("in --train and in --test" if what == "same" else "holds no scene") in error


def test_the_text_names_every_method(benchmark):
    one = {"r2": 0.5, "r2_interval": [0.4, 0.6], "rmse": 0.1, "r2_5_km": 0.6, "rmse_miz_5_km": 0.2}
    one |= {"ice_or_water_5_km": 0.9, "edge_km_median": 1.0}
    held = {"coverage": {68: 0.67, 95: 0.95}, "coverage_miz_5_km_cells": {68: 0.6, 95: 0.9}}
    held["sigma_bins"] = [{"n": 1, "sigma": 0.1, "rms_error": 0.2}]
    one |= {"mae": 0.1, "bias": 0.0}
    lines = benchmark.as_text({"methods": {"network": one | held, "forest": one}, "noise_kept": {"forest": one}})
    assert any("forest" in line for line in lines) and any("noise kept" in line for line in lines)
    assert any("67.0 % within the 68 % interval" in line and "2.00" in line for line in lines)
    json.dumps(lines)
