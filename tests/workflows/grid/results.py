"""Results of granules in the real schema, whose every number is known: written in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj

from polynya import io, schema

START_X, LENGTH = 28_000_000.0, 2.0


def name_of(day: str, *, track: int, cycle: int = 5, region: int = 10, revision: int = 1) -> str:
    """Return the name of a granule."""
    return f"ATL03_{day.replace('-', '')}120000_{track:04d}{cycle:02d}{region:02d}_006_{revision:02d}"


def write(
    out: Path,
    granule: str,
    *,
    start: tuple[float, float] = (-2_000_000.0 + 1_000.0, -300_000.0 + 1_000.0),
    heading: tuple[float, float] = (0.3, 0.954),
    n: int = 9_000,
    beams: tuple[str, ...] = ("gt1l", "gt1r"),
    board: float = 0.3,
    epsg: int = 3976,
    time: str | None = None,
    changed: dict | None = None,
    config: dict | None = None,
) -> Path:
    """Write one granule's result: beams 90 m apart along a straight line on the grid; a lead of 60 m every 6 km.

    ``changed`` replaces columns of the segments, ``config`` entries of the settings.
    """
    folder = out / granule
    folder.mkdir(parents=True)
    when = np.datetime64(time or f"{granule[6:10]}-{granule[10:12]}-{granule[12:14]}T12:00:00", "ns")
    to_degrees = pyproj.Transformer.from_crs(epsg, 4326, always_xy=True)
    segments, leads = [], []
    for k, beam in enumerate(beams):
        along = LENGTH * (np.arange(n) + 0.5)
        lon, lat = to_degrees.transform(
            start[0] + heading[0] * along + 90.0 * k * heading[1], start[1] + heading[1] * along - 90.0 * k * heading[0]
        )
        phase = along % 6_000.0
        water = (phase > 1_000.0) & (phase < 1_060.0)
        classes = np.where(water, schema.OPEN_WATER, schema.THICK_ICE)
        chance = np.zeros((n, 3))
        chance[np.arange(n), np.where(water, 2, 0)] = 1.0
        height = np.where(water, 0.05, 0.05 + board)
        columns: dict[str, object] = {v.name: np.zeros(n) for v in schema.SEGMENTS.variables} | {
            "granule": granule,
            "beam": beam,
            "is_strong": np.full(n, k % 2 == 1),
            "time": when + (along / 7000.0 * 1e9).astype("timedelta64[ns]"),
            "latitude": lat,
            "longitude": lon,
            "x_atc": START_X + along,
            "n_photons": np.full(n, 16),
            "height": height,
            "height_uncertainty": np.full(n, 0.05),
            "surface_class": classes,
            **{f"probability_{w}": chance[:, j] for j, w in enumerate(("thick", "thin", "water"))},
            "sea_surface_height": np.full(n, 0.05),
            "sea_surface_uncertainty": np.full(n, 0.05),
            "sea_surface_uncertainty_common": np.full(n, 0.03),
            "sea_surface_source": np.ones(n),
            "total_freeboard": np.where(water, 0.0, board),
            "total_freeboard_uncertainty": np.full(n, 0.07),
            **(changed or {}),
        }
        segments.append(schema.table(schema.SEGMENTS, columns))
        middle = np.arange(START_X + 1_030.0, START_X + LENGTH * n, 6_000.0)
        m = middle.size
        lead = {v.name: np.zeros(m) for v in schema.LEADS.variables} | {
            "granule": granule,
            "beam": beam,
            "is_strong": np.zeros(m, bool),
            "time": np.full(m, when),
            "x_atc": middle,
            "length": np.full(m, 60.0),
            "is_specular": np.ones(m, bool),
            "is_used": np.ones(m, bool),
        }
        leads.append(schema.table(schema.LEADS, lead))
    for spec, parts in ((schema.SEGMENTS, segments), (schema.LEADS, leads)):
        writer = io.TableWriter(folder / f"{spec.name}.parquet", spec=spec, about={"granule": granule})
        for part in parts:
            writer.write(part.replace_schema_metadata(spec.schema(about={"granule": granule}).metadata))
        writer.close()
    settings = {"resolution": "2", "sea_surface": "leads", "classifier": None, "mss": None, "dac": True}
    record = {
        "config": {**settings, **(config or {})},
        "classifier": "track-unet",
        "inputs": [{"granule": granule, "is_simulated": True}],
    }
    io.write_json(record, folder / "run.json")
    return folder


def rows(folder: Path) -> pa.Table:
    """Return the segments of a result."""
    return io.read_table(folder / "segments.parquet")
