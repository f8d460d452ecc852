"""benchmarks/score_amsr2.py: cells, bands of rows, plain regressions, and a scene whose concentration is known."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from polynya.errors import ProductError
from polynya.readers import amsr2_swath

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAME = "AMSR2_S1A_EW_GRDM_1SDH_20190823T033023_20190823T033127_028691_033F56_7A1D.nc"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("score_amsr2")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def models(benchmark):
    return importlib.import_module("plain_models")


def write_scene(folder: Path, *, rows=(0, 499, 999), seed=1) -> Path:
    """Write a scene of 40 x 36 cells in two parts: channels see concentration and, from afar, an island."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=(40, 36)), 3.0)
    percent = np.clip(300.0 * (field / field.std() - 0.3) / 3.0, 0.0, 100.0)
    land = np.zeros((40, 36))
    land[8:14, 10:16] = land[26:32, 20:27] = 1.0
    spill = gaussian_filter(land, 3.0)
    channels = {}
    for k, name in enumerate(amsr2_swath.CHANNELS):
        seen = gaussian_filter(percent, 0.5 + 0.1 * k)
        channels[name.replace("_", ".", 2).replace("btemp.", "btemp_")] = (
            ("dim_0", "dim_1"),
            180.0 + (0.4 + 0.02 * k) * seen + 60.0 * spill + rng.normal(0, 1.0, percent.shape),
        )
    folder.mkdir(parents=True, exist_ok=True)
    xr.Dataset(channels).to_netcdf(folder / NAME, engine="h5netcdf")
    fine = np.repeat(np.repeat(percent, 25, axis=0), 25, axis=1).round().astype(np.uint8)
    fine[np.repeat(np.repeat(land, 25, axis=0), 25, axis=1) == 1] = 254
    fine[:, :30] = 255
    for first, last in zip((rows[0], *(r + 1 for r in rows[1:-1])), rows[1:], strict=True):
        np.savez_compressed(folder / f"sic_rows_{first}_{last}.npz", sic=fine[first : last + 1])
    return folder


def test_cells_are_means_of_known_pixels_in_whole_cells(tmp_path, benchmark):
    rng = np.random.default_rng(0)
    sic = rng.choice(np.array([0, 40, 100, 254, 255], np.uint8), (60, 77))
    write_scene(tmp_path)
    for file in tmp_path.glob("*.npz"):
        file.unlink()
    np.savez(tmp_path / "sic_rows_40_99.npz", sic=sic)
    (part,) = benchmark.parts_of([tmp_path])
    assert part.rows.tolist() == [2, 3]  # lines 50-99; the cell of 25-49 is not whole
    for k, row in enumerate((2, 3)):
        for column in range(3):
            block = sic[25 * row - 40 : 25 * row - 15, 25 * column : 25 * column + 25].astype(float)
            known = block[block <= 100]
            expected = known.mean() if known.size >= 312.5 else np.nan
            assert part.percent[k, column] == pytest.approx(expected, nan_ok=True)
            assert part.land[k, column] == pytest.approx((block == 254).mean())
    (some,) = benchmark.parts_of([tmp_path], rows=(75, 2000))
    assert some.rows.tolist() == [3] and np.array_equal(some.percent, part.percent[1:], equal_nan=True)


def test_bands_hold_out_every_row_once_and_keep_a_gap(benchmark):
    row, column = np.divmod(np.arange(53 * 4), 4)
    row = np.concatenate([row, row])
    scene = np.repeat([0, 1], 53 * 4)
    empty = np.zeros((len(row), 0))
    sample = benchmark.Sample(
        plain=empty, wide=empty, percent=row * 1.0, scene=scene, row=row, column=np.tile(column, 2)
    )
    found = benchmark.bands(sample)
    assert len(found) == 2 * benchmark.BANDS
    assert np.array_equal(sum(held.astype(int) for _, held in found), np.ones(len(row), int))
    for train, held in found:
        near = (scene[:, None] == scene[held]) & (np.abs(row[:, None] - row[held]) <= benchmark.GAP)
        assert not (train & near.any(axis=1)).any() and train.sum() > len(row) / 2


def test_regressions_find_what_they_can(models):
    rng = np.random.default_rng(3)
    x, new = rng.normal(size=(1500, 6)), rng.normal(size=(500, 6))

    def error(fit, target):
        return np.mean((fit(x, target(x))(new) - target(new)) ** 2) / target(new).var()

    def line(a):
        return 3.0 * a[:, 0] - a[:, 1] + 5.0

    def step(a):
        return np.where(a[:, 2] > 0.3, 10.0, -2.0)

    def ridge(f, t):
        return models.fit_ridge(f, t, penalty=1e-6)

    def kernel(f, t):
        return models.fit_kernel(f, t, penalty=1e-4, width=1.0)

    def forest(f, t):
        return models.fit_forest(f, t, trees=10, least=5)

    assert error(ridge, line) < 1e-9 and error(kernel, line) < 1e-2
    assert error(forest, step) < 0.05 < error(ridge, step)
    assert error(lambda f, t: models.fit_constant(f, t), line) == pytest.approx(1.0, abs=0.05)
    same = [models.fit_forest(x, step(x), trees=3, least=5, seed=4)(new) for _ in range(2)]
    assert np.array_equal(*same)
    leaf = models.fit_forest(x[:20], line(x[:20]), trees=1, least=20)(new)
    assert np.ptp(leaf) == 0.0  # one leaf: the mean of a bootstrap sample


def test_a_scene_is_learned_from_its_other_rows(tmp_path, benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "TREES", 10)
    monkeypatch.setattr(benchmark, "TREES_WHILE_CHOOSING", 4)
    monkeypatch.setattr(benchmark, "KERNELS", ((3e-3, 1.0),))
    folder = write_scene(tmp_path / "scene")
    train, test = folder / "sic_rows_0_499.npz", folder / "sic_rows_500_999.npz"
    found = benchmark.run([train], [test])
    r2 = {name: m["r2"] for name, m in found["models"].items()}
    assert r2["constant"] <= 0.0 and r2["neighbourhood"] > max(0.8, r2["constant"])
    assert found["features"] == {"channels": 14, "neighbourhood": 14 + 13 + 28 + 5}
    without = benchmark.run([train], [test], use_land=False)
    assert without["features"]["neighbourhood"] == 14 + 13 + 28
    some = benchmark.run([train], [test], rows=(500, 749))
    assert 0 < some["cells"]["test"] < found["cells"]["test"] and some["cells"]["train"] == found["cells"]["train"]
    text = benchmark.as_text(found)
    assert "neighbourhood" in text and "sic_rows_500_999.npz" in text and json.dumps(found)


def test_test_labels_change_no_prediction(tmp_path, benchmark, monkeypatch):
    """Settings and networks come from training rows: with other test labels the errors move by the labels alone."""
    monkeypatch.setattr(benchmark, "KERNELS", ((3e-3, 1.0),))
    monkeypatch.setattr(benchmark, "TREES", 3)
    monkeypatch.setattr(benchmark, "TREES_WHILE_CHOOSING", 2)
    folder = write_scene(tmp_path / "scene")
    test = folder / "sic_rows_500_999.npz"
    kept = []
    monkeypatch.setattr(
        benchmark, "score", lambda sample, predicted, seed: kept.append(predicted) or {"r2": 0, "ice_water": 0}
    )
    benchmark.run([folder / "sic_rows_0_499.npz"], [test])
    first, kept[:] = list(kept), []
    sic = np.load(test)["sic"]
    np.savez(test, sic=np.where(sic <= 100, 100 - sic, sic).astype(np.uint8))
    benchmark.run([folder / "sic_rows_0_499.npz"], [test])
    assert len(first) == len(kept) == 7 and all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


def test_other_files_are_one_line(tmp_path, benchmark):
    folder = write_scene(tmp_path / "scene")
    with pytest.raises(ProductError, match=r"no sic_rows_FIRST_LAST\.npz; expected labels beside AMSR2_S1"):
        benchmark.parts_of([folder / NAME])
    (folder / "labels.npz").write_bytes((folder / "sic_rows_0_499.npz").read_bytes())
    with pytest.raises(
        ProductError, match=r"labels\.npz: 1 AMSR2 files belong to it; expected one, and a name such as"
    ):
        benchmark.parts_of([folder / "labels.npz"])
    np.savez(folder / "sic_rows_0_10.npz", sic=np.zeros((5, 5), np.uint8))
    with pytest.raises(ProductError, match=r"sic has the shape \(5, 5\); expected 11 rows by its name"):
        benchmark.parts_of([folder / "sic_rows_0_10.npz"])
    (folder / "sic_rows_0_10.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ProductError, match=r"sic_rows_0_10\.npz: cannot be read"):
        benchmark.parts_of([folder / "sic_rows_0_10.npz"])
    program = [sys.executable, str(BENCHMARKS / "score_amsr2.py"), "--train", "gone", "--test", "gone", "--json"]
    place = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=place)
    assert done.returncode == 1 and done.stderr.startswith("score_amsr2: gone: no such file") and not done.stdout
