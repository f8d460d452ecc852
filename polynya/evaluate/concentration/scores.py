"""A map of sea-ice concentration and a reference on the same cells, to rows of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ... import metrics
from ...errors import ProductError
from ...metrics import Blocks, Estimate, block_sums, estimate
from .. import values
from ..scene_rows import Bootstrap, Row, draw_blocks, over, quantile
from . import autoice, edges
from .edges import ICE_PERCENT, EdgeRules

NAME = "sea_ice_concentration"
MIZ_PERCENT = (15.0, 80.0)
"""The marginal ice zone: from the first to the second of these in the reference, ends included."""
BLOCK_M = 25_000.0
"""Side of a block of the bootstrap: errors along an ice edge hang together over some tens of kilometres."""
COARSE_M, LEAST_KNOWN = 5000.0, 0.5
"""Maps of finer cells are scored on means over squares of this side too, where at least this share of one is known."""
MEAN = "mean_of_reference"
"""The map that gives the reference's own mean everywhere: what any map must beat."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A map and its reference, cell by cell.

    Attributes
    ----------
    percent, reference : numpy.ndarray of float, shape (rows, columns) or (n,)
        Concentrations, percent; NaN where unknown.
    x, y : numpy.ndarray of float, same shape
        Where the cells lie, m, in any plane.
    sigma : numpy.ndarray of float or None, same shape
        Stated standard uncertainty of the map, percent.
    bounds : mapping of int to (numpy.ndarray, numpy.ndarray)
        Intervals of the map by the share in percent that they should hold.
    charts : mapping of str to (numpy.ndarray, numpy.ndarray)
        ``SIC``, ``SOD``, ``FLOE``: classes of the reference and of the map, for AutoICE.
    cell_m : float or None
        Width of a cell where the cells are a grid in metres: its ice edge is compared then.
    """

    percent: np.ndarray
    reference: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray | None = None
    bounds: Mapping[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    charts: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    cell_m: float | None = None


def compare(pair: Pair, *, bootstrap: Bootstrap | None = None, edge_rules: EdgeRules | None = None) -> list[Row]:
    """Score a map against its reference.

    Parameters
    ----------
    pair : Pair
        Both.
    bootstrap : Bootstrap, optional
        Of the intervals; blocks of 25 km by default.
    edge_rules : EdgeRules, optional
        How ice edges are drawn.

    Returns
    -------
    list of Row
        R², RMSE, MAE and bias over everything and in the marginal ice zone, of cells and of means over 5 km; ice and
        water at 15 %; calibration of the stated uncertainty; distances between the ice edges; AutoICE; scores of the
        reference's mean.

    Raises
    ------
    ProductError
        If no cell is known in both.
    """
    bootstrap = bootstrap or Bootstrap(block_m=BLOCK_M)
    known = np.isfinite(pair.reference)
    both = known & np.isfinite(pair.percent)
    if not both.any():
        raise ProductError(
            f"concentration: {int(known.sum())} cells have a reference and none of them a concentration; expected some"
            " that have both. Check that map and reference show the same place."
        )
    blocks = ground_blocks(pair.x[both], pair.y[both], bootstrap)
    percent, reference = (a[both].astype(np.float64) for a in (pair.percent, pair.reference))
    rows = [_counted("share_without_prediction", 1.0 - both.sum() / known.sum(), int(known.sum()))]
    strata = {"all": np.ones(percent.size, bool), "miz": _is_miz(reference)}
    for stratum, chosen in strata.items():
        mine = blocks.take(chosen)
        rows += _value_rows(percent[chosen], reference[chosen], mine, stratum, "given")
        if pair.sigma is not None:
            rows += _sigma_rows(percent[chosen] - reference[chosen], pair.sigma[both][chosen], mine, stratum)
        for share, (low, high) in pair.bounds.items():
            held = values.interval_score(reference[chosen], low[both][chosen], high[both][chosen], mine)
            rows.append(Row(metric=f"share_in_{share}_percent_interval", estimate=held, stratum=stratum, name=NAME))
    rows += _ice_rows(percent, reference, blocks, "given")
    mean = np.full(percent.size, reference.mean())
    for stratum, chosen in strata.items():
        rows += _value_rows(mean[chosen], reference[chosen], blocks.take(chosen), stratum, MEAN)
    rows += _ice_rows(mean, reference, blocks, MEAN)
    if pair.cell_m is not None:
        rows += _coarse_rows(pair, bootstrap)
        rows += _edge_rows(pair, bootstrap, edge_rules or EdgeRules())
    return rows + autoice_rows({k: autoice.counts(t, p, chart=k) for k, (t, p) in pair.charts.items()})


def coarse_means(values: np.ndarray, known: np.ndarray, *, cells: int) -> np.ndarray:
    """Return means over squares of cells; NaN where less than half of a square is known.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (rows, columns)
        Rows and columns that fill no square are left out.
    known : numpy.ndarray of bool, same shape
        Cells that count.
    cells : int
        Along a side of a square.
    """
    rows, columns = (n // cells for n in values.shape)

    def summed(a: np.ndarray) -> np.ndarray:
        return a[: rows * cells, : columns * cells].reshape(rows, cells, columns, cells).sum(axis=(1, 3))

    n = summed(known.astype(np.float64))
    total = summed(np.where(known, values, 0.0).astype(np.float64))
    return np.where(n >= LEAST_KNOWN * cells**2, total / np.maximum(n, 1.0), np.nan)


def ground_blocks(x: np.ndarray, y: np.ndarray, bootstrap: Bootstrap) -> Blocks:
    """Return square blocks of ground.

    Parameters
    ----------
    x, y : numpy.ndarray of float, shape (n,)
        Places, m.
    bootstrap : Bootstrap
        Side of a block, replicates, seed.
    """
    column, row = (np.floor(a / bootstrap.block_m).astype(np.int64) for a in (x, y))
    column, row = column - column.min(initial=0), row - row.min(initial=0)
    key = row * (int(column.max(initial=0)) + 1) + column
    there = np.bincount(key) > 0
    index = (np.cumsum(there) - 1)[key]
    return draw_blocks(int(there.sum()), index=index, n_resamples=bootstrap.n_resamples, seed=bootstrap.seed)


def autoice_rows(tables: Mapping[str, np.ndarray]) -> list[Row]:
    """Return the challenge's scores, percent, from counts of :func:`polynya.evaluate.concentration.autoice.counts`."""
    rows = []
    for name, score in autoice.scores(tables).items():
        n = int(sum(c.sum() for c in tables.values()) if name == "combined" else tables[name].sum())
        rows.append(Row(metric=f"autoice_{name}", estimate=_certain(score, n), units="%", name=NAME))
    return rows


def _is_miz(reference: np.ndarray) -> np.ndarray:
    return (reference >= MIZ_PERCENT[0]) & (reference <= MIZ_PERCENT[1])


def _value_rows(percent: np.ndarray, reference: np.ndarray, blocks: Blocks, stratum: str, prediction: str) -> list[Row]:
    found = values.value_scores(percent, reference, blocks)
    return [
        Row(metric=m, estimate=e, units="1" if m == "r2" else "%", stratum=stratum, prediction=prediction, name=NAME)
        for m, e in found.items()
    ]


def _coarse_rows(pair: Pair, bootstrap: Bootstrap) -> list[Row]:
    """Return the scores of means over 5 km, where cells are finer: what charts and passive microwave can resolve."""
    cells = round(COARSE_M / pair.cell_m)
    if cells < 2:
        return []
    both = np.isfinite(pair.percent) & np.isfinite(pair.reference)
    planes = [coarse_means(a, both, cells=cells) for a in (pair.percent, pair.reference, pair.x, pair.y)]
    there = np.isfinite(planes[0])
    percent, reference, x, y = (a[there] for a in planes)
    blocks = ground_blocks(x, y, bootstrap)
    rows = []
    for stratum, chosen in (("5_km_means", np.ones(percent.size, bool)), ("5_km_means_miz", _is_miz(reference))):
        rows += _value_rows(percent[chosen], reference[chosen], blocks.take(chosen), stratum, "given")
    ice = _ice_rows(percent, reference, blocks, "given", stratum="5_km_means")
    return rows + ice


def _sigma_rows(difference: np.ndarray, sigma: np.ndarray, blocks: Blocks, stratum: str) -> list[Row]:
    found = values.coverage_scores(difference, sigma, blocks)
    rows = [Row(metric=m, estimate=e, stratum=stratum, name=NAME) for m, e in found.items()]
    if stratum != "all":
        return rows
    for low, high, ratio in values.sigma_bins(difference, sigma, blocks):
        words = f"sigma {low:.2f} to {high:.2f} %"
        rows.append(Row(metric="rms_error_over_sigma", estimate=ratio, stratum=stratum, name=words))
    return rows


def _ice_rows(
    percent: np.ndarray, reference: np.ndarray, blocks: Blocks, prediction: str, *, stratum: str = "all"
) -> list[Row]:
    """Return how well ice (15 % and more) and water are separated."""
    truth, called = reference >= ICE_PERCENT, percent >= ICE_PERCENT
    sums = block_sums(blocks, truth & called, ~truth & called, truth & ~called, ~truth & ~called)
    n = sums.sum(axis=1)
    scores = (
        ("accuracy_at_15_percent", "ice and water", lambda s: over(s[..., 0] + s[..., 3], s.sum(axis=-1))),
        ("recall", "ice", lambda s: over(s[..., 0], s[..., 0] + s[..., 2])),
        ("recall", "water", lambda s: over(s[..., 3], s[..., 1] + s[..., 3])),
        ("precision", "ice", lambda s: over(s[..., 0], s[..., 0] + s[..., 1])),
        ("share_of_reference", "ice", lambda s: over(s[..., 0] + s[..., 2], s.sum(axis=-1))),
    )
    return [
        Row(metric=m, estimate=estimate(sums, f, blocks=blocks, n=n), stratum=stratum, prediction=prediction, name=name)
        for m, name, f in scores
    ]


def _edge_rows(pair: Pair, bootstrap: Bootstrap, rules: EdgeRules) -> list[Row]:
    """Return distances between the edges of map and reference where both are known, and the area between them."""
    both = np.isfinite(pair.percent) & np.isfinite(pair.reference)
    fields = [np.where(both, a, np.nan) for a in (pair.percent, pair.reference)]
    ours, theirs = (edges.edge_points(f, cell_m=pair.cell_m, rules=rules) for f in fields)
    there, back = edges.distances_km(ours, theirs, cell_m=pair.cell_m)
    pooled = np.concatenate([there, back])
    place = np.concatenate([ours, theirs])[: pooled.size] * pair.cell_m
    rows = []
    blocks = ground_blocks(place[:, 1], place[:, 0], bootstrap)
    for name, q in (("median", 0.5), ("p95", 0.95)):
        rows.append(
            Row(metric=f"ice_edge_distance_{name}", estimate=quantile(pooled, blocks, q), units="km", name=NAME)
        )
    sums = block_sums(blocks, np.ones(pooled.size), pooled)
    mean = estimate(sums, metrics.ratio, blocks=blocks)
    rows.append(Row(metric="ice_edge_distance_mean", estimate=mean, units="km", name=NAME))
    differs = both & ((pair.percent >= rules.ice_percent) != (pair.reference >= rules.ice_percent))
    area = float(differs.sum()) * (pair.cell_m / 1000.0) ** 2
    return [
        *rows,
        Row(metric="integrated_ice_edge_error", estimate=_certain(area, int(both.sum())), units="km2", name=NAME),
    ]


def _certain(value: float, n: int) -> Estimate:
    return Estimate(value=float(value), low=np.nan, high=np.nan, n=n)


def _counted(metric: str, value: float, n: int) -> Row:
    return Row(metric=metric, estimate=_certain(value, n), name=NAME)
