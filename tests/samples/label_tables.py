"""Small label tables with classes that the features tell apart as far as a test wants; no simulator, no skill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from polynya import io, schema

LEVEL = np.array([0.45, 0.12, 0.0])
RATE = np.array([7.0, 5.0, 14.0])


def label_table(
    granule: str,
    *,
    n: int = 600,
    beams: tuple[str, ...] = ("gt1r",),
    seed: int = 0,
    noise: float = 0.1,
    gaps: bool = True,
    start_m: float = 1000.0,
    any_ice: bool = False,
) -> pa.Table:
    """Return a table of :data:`polynya.schema.LABELS`: stretches of ~20 cells of one class, some cells missing, a long
    gap, some unlabelled."""
    pieces = []
    for b, beam in enumerate(beams):
        rng = np.random.default_rng([seed, b])
        classes = np.repeat(rng.choice(3, n // 20 + 1, p=[0.6, 0.2, 0.2]), 20)[:n]
        x = start_m + 2.0 * np.arange(n) + rng.uniform(0.2, 1.8, n)
        if gaps:
            x[n // 3 :] += 2.0 * 30  # 60 m: ends every stretch
            keep = rng.random(n) > 0.02
            classes, x = classes[keep], x[keep]
        m = x.size
        columns: dict[str, object] = {v.name: rng.normal(size=m) for v in schema.FEATURES.variables}
        columns |= {
            "height": LEVEL[classes] + noise * rng.normal(size=m),
            "photon_rate_high": RATE[classes] * np.exp(noise * rng.normal(size=m)),
            "solar_elevation": np.full(m, -12.0),
        }
        columns["background_rate"] = 5e6 + 1e6 * rng.normal(size=m)
        label = classes.astype(np.int8)
        if any_ice:
            label[label < 2] = schema.ANY_ICE
        label[rng.random(m) < 0.05] = -1
        columns |= {
            "granule": granule,
            "beam": beam,
            "is_strong": np.full(m, beam.endswith("r")),
            "time": np.full(m, np.datetime64("2019-11-04T00:00:00", "ns")),
            "latitude": np.full(m, -70.0),
            "longitude": np.full(m, -170.0),
            "x_atc": x,
            "easting": np.full(m, np.nan),
            "northing": np.full(m, np.nan),
            "image_value": np.full(m, -1),
            "label": label,
            "label_source": np.full(m, 3),
            "label_flag": np.where(label < 0, 1, 0),
        }
        pieces.append(schema.table(schema.LABELS, columns))
    return (
        pa.concat_tables([p.unify_dictionaries() for p in pieces]).unify_dictionaries()
        if len(pieces) > 1
        else pieces[0]
    )


def write_labels(
    folder: Path,
    *,
    granules: int = 6,
    n: int = 600,
    beams: tuple[str, ...] = ("gt1r",),
    seed: int = 0,
    noise: float = 0.1,
    any_ice: bool = False,
    about: dict | None = None,
) -> Path:
    """Write one file per granule, ``g0.parquet`` ..., into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(granules):
        table = label_table(f"g{k}", n=n, beams=beams, seed=seed + 100 * k, noise=noise, any_ice=any_ice)
        io.write_table(table, folder / f"g{k}.parquet", spec=schema.LABELS, about={"granule": f"g{k}", **(about or {})})
    return folder
