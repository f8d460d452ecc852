"""How heights and freeboards are spread on the track that both products cover."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ... import schema
from ...tracks import collocation
from . import tables
from .matching import Pair, Result

EDGES = {
    "height": np.round(np.arange(-100, 401, 5) / 100.0, 2),
    "freeboard": np.round(np.arange(0, 301, 5) / 100.0, 2),
    "freeboard_difference": np.round(np.arange(-60, 61, 2) / 100.0, 2),
}
"""Edges of the bins, m; what lies beyond counts in the first and last one."""


def distributions(pair: Pair, matched: pa.Table) -> pa.Table:
    """Return the distributions of heights, freeboards and freeboard differences, weighted by length of track.

    Ours as they are count where they lie in a matched segment of NASA's (with a freeboard, for freeboards).

    Parameters
    ----------
    pair : Pair
        The two to compare.
    matched : pyarrow.Table
        Of :func:`.matching.segments`.

    Returns
    -------
    pyarrow.Table
        Of :data:`.tables.DISTRIBUTIONS`; a distribution without a sample has no rows.
    """
    rows: dict[str, list] = {n: [] for n in ("quantity", "source", "low", "high", "share")}
    for quantity, source, values, weights in _samples(pair.ours, matched):
        edges = EDGES[quantity]
        good = np.isfinite(values) & (weights > 0)
        if not good.any():
            continue
        index = np.clip(np.searchsorted(edges, values[good], side="right") - 1, 0, edges.size - 2)
        counts = np.bincount(index, weights=weights[good], minlength=edges.size - 1)
        rows["quantity"] += [quantity] * counts.size
        rows["source"] += [source] * counts.size
        rows["low"] += edges[:-1].tolist()
        rows["high"] += edges[1:].tolist()
        rows["share"] += (counts / counts.sum()).tolist()
    return schema.table(tables.DISTRIBUTIONS, {**rows, **pair.about})


def _samples(ours: Result, matched: pa.Table) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield quantity, source, values and lengths of track."""
    length = schema.to_numpy(matched["length"]).astype(np.float64)
    for quantity, own in (("height", "height"), ("freeboard", "total_freeboard")):
        theirs, mine = (schema.to_numpy(matched[f"{quantity}_{n}"]).astype(np.float64) for n in ("theirs", "ours"))
        both = np.isfinite(theirs) & np.isfinite(mine)
        yield quantity, "theirs", theirs[both], length[both]
        yield quantity, "ours_averaged", mine[both], length[both]
        inside = _inside(ours, matched, both)
        values = ours.segments[own][inside].astype(np.float64)
        yield quantity, "ours", values, np.ones(values.size)
        if quantity == "freeboard":
            yield "freeboard_difference", "ours_minus_theirs", mine[both] - theirs[both], length[both]


def _inside(ours: Result, matched: pa.Table, chosen: np.ndarray) -> np.ndarray:
    """Return which of our segments lie in one of the chosen segments of NASA's, shape (n,)."""
    beam = np.array(matched["beam"].to_pylist(), dtype=str)
    centre = schema.to_numpy(matched["x_atc"])
    half = 0.5 * schema.to_numpy(matched["length"]).astype(np.float64)
    out = np.zeros(len(ours.segments), bool)
    for name, where in ours.segments.slices.items():
        rows = chosen & (beam == name)
        x = ours.segments["x_atc"][where]
        out[where] = collocation.covered(x, (centre - half)[rows], (centre + half)[rows])
    return out
