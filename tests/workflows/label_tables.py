"""Small label tables in the real schema, and a scene under them whose every pixel says where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from polynya import io, schema

GRANULE = "ATL03_20191104195311_05940510_006_01"
LEFT, TOP, PIXEL = 500_000.0, 2_000_000.0, 10.0
START = 28_000_000.0


def beam(n: int, *, seed: int = 0, offset: float = 0.0, gap_at: int | None = None) -> dict[str, np.ndarray]:
    """Return one beam's columns: 2 m segments with leads every 400 segments, the track slanting through the scene."""
    rng = np.random.default_rng(seed)
    x = START + 1.0 + 2.0 * np.arange(n)
    if gap_at is not None:
        x[gap_at:] += 1000.0
    phase = np.arange(n) % 400
    label = np.where(phase < 30, 2, np.where(phase < 50, 1, np.where(phase < 55, -1, 0))).astype(np.int8)
    height = np.where(label == 2, 0.0, np.where(label == 1, 0.1, 0.4)) + 0.03 * rng.standard_normal(n)
    along = x - START
    return {
        "x_atc": x,
        "label": label,
        "height": height,
        "photon_rate": np.where(label == 2, 9.0, 6.0) + rng.standard_normal(n) * 0.3,
        "easting": LEFT + 800.0 + offset + 0.2 * along,
        "northing": TOP - 300.0 - 0.95 * along,
        "latitude": -74.0 - along / 111e3,
        "longitude": np.full(n, -150.0 + offset / 30e3),
        "image_value": np.where(label == 2, 20, np.where(label == 1, 120, 240)).astype(np.int16),
    }


def write(
    path: Path,
    *,
    beams: dict[str, dict[str, np.ndarray]],
    scene: Path | None = None,
    shift: tuple[float, float] = (120.0, -40.0),
    granule: str = GRANULE,
    about: dict | None = None,
) -> Path:
    """Write a label table."""
    import pyarrow as pa

    pieces = []
    for name, values in beams.items():
        n = len(values["x_atc"])
        nowhere = np.full(n, np.nan)
        label = values["label"]
        columns: dict[str, object] = {v: nowhere for v in schema.FEATURES.names} | {
            "granule": granule,
            "beam": name,
            "is_strong": name.endswith("r"),
            "time": (
                np.datetime64("2019-11-04T19:53:11", "ns")
                + ((values["x_atc"] - START) / 7000.0 * 1e9).astype("timedelta64[ns]")
            ),
            "label_source": np.where(label >= 0, schema.LABEL_IMAGE, schema.LABEL_NONE),
            "label_flag": np.where(label >= 0, 0, 1),
            "n_photons": np.full(n, 40),
            **values,
        }
        if scene is None:
            columns |= {"easting": nowhere, "northing": nowhere, "image_value": np.full(n, -1)}
        pieces.append(schema.table(schema.LABELS, columns))
    told: dict[str, object] = {
        "granule": granule,
        "shift_east_m": shift[0],
        "shift_north_m": shift[1],
        "minutes": 12.5,
        "is_shift_sure": True,
        "is_simulated": True,
    }
    if scene is not None:
        told |= {"scene": str(scene), "crs": "EPSG:3976"}
    return io.write_table(
        pa.concat_tables(pieces).unify_dictionaries(), path, spec=schema.LABELS, about=told | (about or {})
    )


def write_scene(path: Path, *, size: int = 700) -> Path:
    """Write a scene: red is the row over 4, green the column over 4, blue 200; a corner has no data."""
    rows, columns = np.indices((size, size))
    bands = np.stack([rows // 4 % 256, columns // 4 % 256, np.full((size, size), 200)]).astype(np.uint8)
    bands[:, -20:, -20:] = 0
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=size,
        height=size,
        count=3,
        dtype="uint8",
        crs="EPSG:3976",
        transform=from_origin(LEFT, TOP, PIXEL, PIXEL),
        photometric="RGB",
    ) as out:
        out.write(bands)
    return path
