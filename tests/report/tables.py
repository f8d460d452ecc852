"""Plausible output tables to draw: floes, thin ice, leads, a sea surface from the leads, gaps. Not a simulator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polynya import schema

RADIUS = 6371007.0


def great_circle(start: tuple[float, float], bearing: float, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude in degrees along a great circle on a sphere."""
    lat, lon, turn, arc = np.radians(start[0]), np.radians(start[1]), np.radians(bearing), distance / RADIUS
    phi = np.arcsin(np.sin(lat) * np.cos(arc) + np.cos(lat) * np.sin(arc) * np.cos(turn))
    lam = lon + np.arctan2(np.sin(turn) * np.sin(arc) * np.cos(lat), np.cos(arc) - np.sin(lat) * np.sin(phi))
    return np.degrees(phi), (np.degrees(lam) + 180.0) % 360.0 - 180.0


def beam_columns(
    *,
    beam: str,
    strong: bool,
    distance: np.ndarray,
    start: tuple[float, float] = (-72.0, -170.0),
    bearing: float = 20.0,
    leads: bool = True,
    seed: int = 0,
    granule: str = "ATL03_20191104195311_05940510_006_01",
) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """Return the columns of segments, leads and sea surface of one beam at the given distances (m)."""
    rng = np.random.default_rng(seed)
    n = len(distance)
    lat, lon = great_circle(start, bearing, distance)
    x_atc = 2.1e7 + distance
    time = np.datetime64("2019-11-04T19:53:11.25", "ns") + np.rint(distance / 6900.0 * 1e9).astype("timedelta64[ns]")
    # floes of log-normal length, every fifth followed by a lead, every fourth of thin ice
    lengths = np.maximum(rng.lognormal(6.0, 1.0, size=max(int(np.ptp(distance) / 250), 4) if n else 1), 20.0)
    lengths[::5] = rng.uniform(20, 160, lengths[::5].size)
    edge = np.concatenate([[0], np.cumsum(lengths)])
    kind = np.where(np.arange(len(lengths)) % 5 == 0, 2, np.where(rng.random(len(lengths)) < 0.2, 1, 0))
    if not leads:
        kind[kind == 2] = 0
    which = np.clip(np.searchsorted(edge, distance - (distance[0] if n else 0), side="right") - 1, 0, len(lengths) - 1)
    surface = kind[which] if n else np.zeros(0, int)
    thickness = np.where(
        kind == 2, 0.0, np.where(kind == 1, rng.uniform(0.04, 0.15, len(kind)), rng.lognormal(-1.1, 0.45, len(kind)))
    )
    free = thickness[which] if n else np.zeros(0)
    ridges = (
        np.convolve(np.abs(rng.standard_normal(n)) ** 6 * 0.002, np.ones(6) / 3, mode="same")[:n] if n else np.zeros(0)
    )
    free = free + np.where(surface == 0, np.minimum(ridges, 3.0), 0.0)
    sea = 0.08 * np.sin(distance / 9000.0) + 0.02
    sigma = 0.05 if strong else 0.09
    height = sea + free + rng.normal(0, sigma * np.where(surface == 2, 0.4, 1.0), n)
    surface = np.where(rng.random(n) < 0.004, -1, surface)
    rate = np.where(
        surface == 2, rng.uniform(9, 18, n), np.where(surface == 1, rng.uniform(2, 7, n), rng.normal(9.2, 2.0, n))
    ) * (1.0 if strong else 0.25)
    quality = np.where(rng.random(n) < 0.01, 1, 0) + np.where(rng.random(n) < 0.02, 32, 0) + 4
    lead_rows = _leads(surface, distance, height, which)
    has_sea = np.zeros(n, bool)
    if len(lead_rows):
        nearest = (
            np.abs(distance[:, None] - lead_rows[None, :, 0]).min(axis=1) if n * len(lead_rows) < 3e7 else np.zeros(n)
        )
        has_sea = nearest < 10_000.0
    spread = np.where(has_sea, 0.012 + 0.01 * np.abs(np.sin(distance / 5000.0)), np.nan)
    height_sigma = np.full(n, sigma)
    source = np.where(has_sea, np.where(np.sin(distance / 5000.0) > 0.9, 2, 1), 0)
    probability = np.select([surface == 0, surface == 1, surface == 2], [0.9, 0.1, 0.05], 1 / 3)
    common = {"granule": granule, "beam": beam, "is_strong": strong}
    segments = {
        **common,
        "time": time,
        "latitude": lat,
        "longitude": lon,
        "x_atc": x_atc,
        "n_photons": rng.poisson(16 if strong else 4, n) + 1,
        "height_mean": height - 55.0,
        "height_median": height - 55.0,
        "height_sd": np.full(n, 0.15),
        "height": height,
        "height_uncertainty": height_sigma,
        "photon_rate": np.maximum(rate, 0.2),
        "photon_rate_high": np.maximum(rate * 0.7, 0.1),
        "background_rate": 5.9e6 + 1e6 * np.sin(distance / 7000.0),
        "solar_elevation": 20.0 + distance / 1e5,
        "surface_class": surface,
        "probability_thick": probability,
        "probability_thin": (1 - probability) / 2,
        "probability_water": (1 - probability) / 2,
        "sea_surface_height": np.where(has_sea, sea, np.nan),
        "sea_surface_uncertainty": spread,
        "sea_surface_uncertainty_common": 0.0 * spread,
        "sea_surface_source": source,
        "total_freeboard": np.where(has_sea & (surface >= 0), np.maximum(height - sea, 0.0), np.nan),
        "total_freeboard_uncertainty": np.where(has_sea & (surface >= 0), np.hypot(height_sigma, spread), np.nan),
        "quality_flag": quality,
        "mean_sea_surface": np.full(n, -55.0),
        "tide_ocean": np.full(n, 0.1),
        "tide_equilibrium": np.full(n, 0.01),
        "dac": np.full(n, -0.05),
        "first_photon_bias": np.full(n, np.nan),
    }
    middle = lead_rows[:, 0] if len(lead_rows) else np.zeros(0)
    lead_lat, lead_lon = great_circle(start, bearing, middle)
    m = len(lead_rows)
    lead = {
        **common,
        "time": (
            np.datetime64("2019-11-04T19:53:11.25", "ns") + np.rint(middle / 6900.0 * 1e9).astype("timedelta64[ns]")
        ),
        "latitude": lead_lat,
        "longitude": lead_lon,
        "x_atc": 2.1e7 + middle,
        "length": lead_rows[:, 1] if m else np.zeros(0),
        "n_segments": lead_rows[:, 2] if m else np.zeros(0),
        "n_photons": lead_rows[:, 2] * 16 if m else np.zeros(0),
        "height": lead_rows[:, 3] if m else np.zeros(0),
        "height_uncertainty": np.full(m, 0.015),
        "photon_rate": np.full(m, 14.0),
        "is_specular": np.arange(m) % 2 == 0,
        "probability_water": np.full(m, 0.9),
        "is_used": np.arange(m) % 3 != 0,
    }
    centres = np.arange(5000.0, distance[-1] if n else 0.0, 10_000.0)
    c_lat, c_lon = great_circle(start, bearing, centres)
    k = len(centres)
    empty = not leads
    section = {
        **common,
        "time": (
            np.datetime64("2019-11-04T19:53:11.25", "ns") + np.rint(centres / 6900.0 * 1e9).astype("timedelta64[ns]")
        ),
        "latitude": c_lat,
        "longitude": c_lon,
        "x_atc": 2.1e7 + centres,
        "section_length": np.full(k, 10_000.0),
        "n_leads": np.full(k, 0 if empty else 3),
        "sea_surface_height": np.full(k, np.nan) if empty else 0.08 * np.sin(centres / 9000.0) + 0.02,
        "sea_surface_uncertainty": np.full(k, np.nan if empty else 0.012),
        "sea_surface_uncertainty_common": np.full(k, np.nan if empty else 0.0),
        "sea_surface_source": np.full(k, 0 if empty else 1),
        "height_unsmoothed": np.full(k, np.nan) if empty else 0.08 * np.sin(centres / 9000.0) + 0.025,
    }
    return segments, lead, section


def _leads(surface: np.ndarray, distance: np.ndarray, height: np.ndarray, which: np.ndarray) -> np.ndarray:
    rows = []
    water = np.flatnonzero(surface == 2)
    if len(water):
        cuts = np.flatnonzero(np.diff(which[water]) != 0) + 1
        for part in np.split(water, cuts):
            rows.append((distance[part].mean(), 2.0 * len(part), len(part), height[part].mean()))
    return np.array(rows, float).reshape(-1, 4)


RUN = {
    "polynya": "0.1.0",
    "command": ["polynya", "freeboard", "ATL03_20191104195311_05940510_006_01.h5", "-o", "out"],
    "config": {
        "beams": "all",
        "resolution_m": 2.0,
        "sea_surface": {"method": "coarse", "window_m": 10000.0},
        "dac": True,
    },
    "inputs": [
        {
            "granule": "ATL03_20191104195311_05940510_006_01",
            "product": "ATL03",
            "release": "006",
            "sha256": "ab" * 32,
            "size": 123456789,
        }
    ],
    "seed": 0,
    "time": "2026-11-21T03:29:00Z",
    "host_independent versions": {"python": "3.11.9", "numpy": "2.3.0"},
    "messages": [],
    "means": [
        {
            "beam": b,
            "length_km": k,
            "n": 480 * k,
            "n_bins": 60 // k,
            "freeboard": 0.345 + 0.01 * i,
            "uncertainty": 0.03,
            "uncertainty_random": 0.012 / k,
            "uncertainty_correlated": 0.0275,
        }
        for i, b in enumerate(("gt1r", "gt2r", "gt3r"))
        for k in (1, 10, 25)
    ],
    "beam_differences": [{"beam_a": "gt1r", "beam_b": "gt2r", "n": 5, "mean": 0.0061, "sd": 0.0142}],
    "classifier": "NASA's tree at 2 m",
    "sea_surface_method": "coarse leads",
}


def write_folder(
    folder: Path, *, beams: dict[str, np.ndarray], leads: bool = True, run: dict | None = None, **where: object
) -> Path:
    """Write an output folder with the given beams (name: distances in metres); right beams are strong."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: tuple[list, list, list] = ([], [], [])
    for k, (beam, distance) in enumerate(beams.items()):
        parts = beam_columns(beam=beam, strong=beam.endswith("r"), distance=distance, leads=leads, seed=k, **where)
        for out, columns, spec in zip(tables, parts, (schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE), strict=True):
            out.append(schema.table(spec, columns, about={"granule": "g", "product": "ATL03", "release": "006"}))
    for name, parts, spec in zip(
        ("segments", "leads", "sea_surface"), tables, (schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE), strict=True
    ):
        data = pa.concat_tables(parts).unify_dictionaries() if parts else spec.schema().empty_table()
        pq.write_table(data, folder / f"{name}.parquet", compression="zstd")
    if run is not None:
        (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


def with_gaps(length: float, *, step: float = 2.0, seed: int = 0, share: float = 0.06) -> np.ndarray:
    """Return distances at cell centres with some gaps of 100 m to 2 km."""
    rng = np.random.default_rng(seed)
    x = np.arange(step / 2, length, step)
    keep = rng.random(len(x)) > 0.01
    gap = 0.0
    while gap < share * length:
        start, size = rng.uniform(0, length), rng.uniform(100, 2000)
        keep &= ~((x > start) & (x < start + size))
        gap += size
    return x[keep]
