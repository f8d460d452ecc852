"""Tables of tags as ``polynya tags`` writes them, made of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polynya import io, schema
from polynya.schema.imagette_tags import IMAGETTE_TAGS, NOT_ASSESSED, PROBABILITIES
from polynya.schema.imagettes import TAGS
from polynya.workflows.tags.answers import words

ABOUT = {"network": "near", "network_sha256": "ab", "land_km": 20.0, "product": "made", "is_simulated": False}


def write(folder: Path, called: str, /, *, tags: np.ndarray, **columns: object) -> Path:
    """Write a result: ``tags`` bool (n, 10), other columns as named, or as nothing is known; return its folder."""
    n = len(tags)
    quality = np.asarray(columns.get("tag_quality", np.zeros(n, int)))
    given = tags & ((quality & NOT_ASSESSED) == 0)[:, None]
    whole: dict[str, object] = {}
    for v in IMAGETTE_TAGS.variables:
        kind = str(v.dtype)
        whole[v.name] = [""] * n if kind == "string" else [[]] * n if "list" in kind else np.zeros(n)
    whole |= {"time": np.full(n, np.datetime64("2016-01-10T00:00", "ns")), "absolute_orbit": np.full(n, -1)}
    whole |= {"latitude": np.full(n, np.nan), "longitude": np.full(n, np.nan), "source": [called] * n}
    whole |= {"name": [f"{called}-{k}" for k in range(n)], "number": np.arange(n), "unknown": ~given.any(axis=1)}
    whole |= {p: tags[:, k] * 0.8 + 0.1 for k, p in enumerate(PROBABILITIES)}
    whole |= {"tags": words(given), "precise_tags": words(given), "confidence": np.full(n, 0.9)}
    about = {**ABOUT, **columns.pop("about", {})}
    path = folder / called / "tags.parquet"
    path.parent.mkdir(parents=True)
    io.write_table(schema.table(IMAGETTE_TAGS, whole | columns), path, spec=IMAGETTE_TAGS, about=about)
    return path.parent


def drawn(n: int, *, seed: int = 0, passes: int = 40) -> dict[str, object]:
    """Return columns and tags of n imagettes of 2016: half of them in few cells, the others anywhere."""
    rng = np.random.default_rng(seed)
    near = rng.random(n) < 0.5
    latitude = np.where(near, rng.uniform(-4, 4, n), rng.uniform(-90, 90, n))
    longitude = np.where(near, rng.uniform(-182, -174, n) % 360 - 360, rng.uniform(-180, 180, n))
    longitude = np.where(longitude < -180, longitude + 360, longitude)
    day = rng.integers(0, 60, n)
    return {
        "tags": rng.random((n, len(TAGS))) < np.linspace(0.0, 0.6, len(TAGS)),
        "latitude": latitude,
        "longitude": longitude,
        "time": np.datetime64("2016-01-01", "ns") + day * np.timedelta64(86_400_000_000_000, "ns"),
        "satellite": ["S1A"] * n,
        "absolute_orbit": rng.integers(1, passes, n),
        "tag_quality": np.where(rng.random(n) < 0.2, 16, 0),
    }
