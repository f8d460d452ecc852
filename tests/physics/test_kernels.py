"""Compiled kernels against the same functions run by Python, which notices an index outside an array."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polynya.compiled import Compiled
from polynya.physics import first_photon_bias, heights, leads, segments, tracks
from polynya.physics.segments import resampling, statistics

MODULES = (first_photon_bias, heights, leads, tracks, resampling, statistics)


def python_runs_it(monkeypatch) -> None:
    """Put the Python functions in the place of the kernels."""
    for module in MODULES:
        for name, found in list(vars(module).items()):
            if isinstance(found, Compiled):
                monkeypatch.setattr(module, name, found.function)


def photons(seed: int, *, per_shot: float, n_shots: int = 120) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Photons of a short beam with a gap, and first and count of those in each 20 m segment."""
    rng = np.random.default_rng(seed)
    shot = np.repeat(np.arange(n_shots), rng.poisson(per_shot, n_shots))
    shot = shot[(shot < 50) | (shot > 75)]
    x = np.maximum(shot * 0.7 + rng.uniform(-0.3, 0.3, shot.size), 0.0)
    stored = np.argsort(np.floor(x / 20.0), kind="stable")
    shot, x = shot[stored], x[stored]
    n = shot.size
    found = {
        "h_ph": (0.3 * rng.standard_normal(n)).astype(np.float32),
        "dist_ph_along": (x % 20.0).astype(np.float32),
        "lat_ph": 70.0 + x * 1e-5,
        "lon_ph": (179.9999 + x * 1e-4 + 180.0) % 360.0 - 180.0,
        "delta_time": 6e7 + shot * 1e-4,
        "signal_conf_ph": rng.choice(np.array([-2, 1, 3, 4], np.int8), n, p=[0.05, 0.15, 0.2, 0.6]),
        "quality_ph": np.zeros(n, np.int8),
        "pce_mframe_cnt": (1000 + shot // 200).astype(np.uint32),
        "ph_id_pulse": (1 + shot % 200).astype(np.uint8),
    }
    return found, *np.unique(np.floor(x / 20.0), return_counts=True)


def of_beam(seed: int, per_shot: float, resolution: float | segments.PhotonRuns) -> dict[str, np.ndarray]:
    """Everything that the kernels of segments and heights compute for a short beam."""
    found, ids, count = photons(seed, per_shot=per_shot)
    cut = segments.resample(
        found,
        geosegments=segments.Geosegments(first=np.cumsum(count) - count, count=count, x=20.0 * ids),
        reference=segments.Reference(x=20.0 * ids, height=0.001 * ids),
        background={
            "delta_time": 6e7 + 0.005 * np.arange(3),
            "bckgrd_counts": np.array([3, 4, 5], np.int32),
            "bckgrd_rate": np.array([1e5, 2e5, 3e5], np.float32),
        },
        resolution_m=resolution,
    )
    table = first_photon_bias.CalibrationTable(
        strength=np.array([0.1, 2.0, 9.0]),
        width_ns=np.array([0.1, 3.0]),
        bias_m=np.arange(6.0).reshape(3, 2) / 100.0,
        dead_time_ns=3.0,
    )
    starts = tracks.pieces(cut.x_atc, gap_m=20.0)
    surface = heights.surface_heights(cut, table=table, starts=starts)
    ratio = tracks.pooled_ratio(cut.n_photons.astype(float), cut.n_shots.astype(float), starts, 20.0, 3)
    bodies = leads.find_leads(
        cut.x_atc,
        surface.height,
        uncertainty=surface.uncertainty,
        n_photons=surface.n_photons,
        is_water=surface.height < 0.02,
        cell_m=cut.length,
    )
    columns = {**vars(cut), **vars(surface), **{f"lead_{k}": v for k, v in vars(bodies).items() if v is not None}}
    return {**columns, "ratio": ratio}


CASES = [
    *itertools.product(range(2), (6.0, 0.6), (2.0,)),
    (2, 8.0, 20.0),
    (3, 20.0, 0.5),
    (4, 6.0, segments.PhotonRuns(n_photons=40, max_length_m=30.0)),
    (5, 20.0, segments.PhotonRuns(n_photons=150)),
]


@pytest.mark.parametrize(("seed", "per_shot", "resolution"), CASES)
def test_python_gives_the_same_and_stays_inside_the_arrays(seed, per_shot, resolution, monkeypatch):
    with monkeypatch.context() as patch, np.errstate(all="ignore"):
        python_runs_it(patch)  # first: an index outside an array is an error here, and no crash
        by_python = of_beam(seed, per_shot, resolution)
    compiled = of_beam(seed, per_shot, resolution)
    assert compiled["n_photons"].size > 2
    for name, values in by_python.items():  # Python adds up float32 in float32
        np.testing.assert_allclose(compiled[name], values, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("half_count", [0, 1, 5])
@pytest.mark.parametrize("n", [1, 4, 30])
def test_windows_at_the_ends_of_a_track_stay_inside(n, half_count, monkeypatch):
    rng = np.random.default_rng(n)
    x, values = np.cumsum(rng.uniform(1.0, 9.0, n)), rng.normal(size=n)
    starts = np.array([0, n // 2, n]) if n > 1 else np.array([0, n])

    def found() -> list[np.ndarray]:
        return [
            tracks.running_median(values, starts, half_count),
            *tracks.running_mean(x, values, np.ones(n), starts, float(half_count)),
            tracks.pooled_ratio(np.ones(n), np.ones(n), starts, 4.0, half_count),
            tracks.block_quantile(x, values, block_m=7.0, window_m=1.0 + half_count, inner=0.5, outer=0.25),
        ]

    with monkeypatch.context() as patch, np.errstate(all="ignore"):
        python_runs_it(patch)
        by_python = found()
    for one, other in zip(found(), by_python, strict=True):
        np.testing.assert_array_equal(one, other)
