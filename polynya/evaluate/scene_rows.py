"""What evaluations of scenes share: the tidy table, blocks of 3.2 km that are drawn again, and quantiles with
intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .. import schema
from ..metrics import Blocks, Estimate, estimate

BLOCK_M = 3200.0
"""Side of a block of the bootstrap, metres: longer than errors along a margin hang together."""

SCENE_EVALUATION = schema.TableSpec(
    name="scene_evaluation",
    title="Scores of a map of a scene, with intervals",
    variables=(
        schema.variable("metric", schema.TEXT, "", "what was measured"),
        schema.variable("class", schema.TEXT, "", "class that was evaluated"),
        schema.variable("region", schema.TEXT, "", "glacier region, or all"),
        schema.variable(
            "stratum", schema.TEXT, "", "part of the scene: all, clean_ice, debris_covered_ice, seasonal_snow, ..."
        ),
        schema.variable("prediction", schema.TEXT, "", "whose map: given, or a rule that it must beat"),
        schema.variable("value", pa.float64(), "", "the value, in the metric's units"),
        schema.variable("low", pa.float64(), "", "lower end of the 95 % interval, NaN where none is given"),
        schema.variable("high", pa.float64(), "", "upper end of the 95 % interval"),
        schema.variable("n", pa.int64(), "1", "samples the value rests on: pixels, boundary points or outlines"),
        schema.variable("units", schema.TEXT, "", "units of the value"),
        schema.variable("reference", schema.TEXT, "", "what the value was measured against"),
    ),
)
"""The table of an evaluation of scenes; :data:`polynya.schema.EVALUATION` with stratum and prediction."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How intervals are resampled.

    Attributes
    ----------
    block_m : float
        Side of a block of ground, m.
    n_resamples : int
        Replicates.
    seed : int
        Of the random numbers.
    """

    block_m: float = BLOCK_M
    n_resamples: int = 500
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One score."""

    metric: str
    estimate: Estimate
    units: str = "1"
    stratum: str = "all"
    prediction: str = "given"
    name: str = "glacier"


def tidy(rows: Iterable[Row], *, region: str, reference: str, about: dict[str, object] | None = None) -> pa.Table:
    """Build the table of :data:`SCENE_EVALUATION` from rows."""
    rows = list(rows)
    return schema.table(
        SCENE_EVALUATION,
        {
            "metric": [r.metric for r in rows],
            "class": [r.name for r in rows],
            "region": [region] * len(rows),
            "stratum": [r.stratum for r in rows],
            "prediction": [r.prediction for r in rows],
            "value": np.array([r.estimate.value for r in rows], np.float64),
            "low": np.array([r.estimate.low for r in rows], np.float64),
            "high": np.array([r.estimate.high for r in rows], np.float64),
            "n": np.array([r.estimate.n for r in rows], np.int64),
            "units": [r.units for r in rows],
            "reference": [reference] * len(rows),
        },
        about=about,
    )


def draw_blocks(count: int, *, index: np.ndarray | None = None, n_resamples: int = 500, seed: int = 0) -> Blocks:
    """Return blocks that are drawn again with replacement.

    Parameters
    ----------
    count : int
        Number of blocks, those that hold a sample.
    index : numpy.ndarray, optional
        Block of every sample; the blocks themselves by default.
    n_resamples : int
        Replicates.
    seed : int
        Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    weights = (
        rng.multinomial(count, np.full(count, 1.0 / count), size=n_resamples).astype(np.float64)
        if count
        else np.zeros((n_resamples, 0))
    )
    return Blocks(
        index=np.arange(count) if index is None else np.asarray(index, np.int64), count=count, weights=weights
    )


def over(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            np.asarray(denominator) > 0, numerator / np.where(np.asarray(denominator) > 0, denominator, 1.0), np.nan
        )


# Sums of a binary map: true positives, false positives, false negatives, true negatives on the last axis.
SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "iou": lambda s: over(s[..., 0], s[..., 0] + s[..., 1] + s[..., 2]),
    "f1": lambda s: over(2.0 * s[..., 0], 2.0 * s[..., 0] + s[..., 1] + s[..., 2]),
    "precision": lambda s: over(s[..., 0], s[..., 0] + s[..., 1]),
    "recall": lambda s: over(s[..., 0], s[..., 0] + s[..., 2]),
    "false_alarm_rate": lambda s: over(s[..., 1], s[..., 1] + s[..., 3]),
    "area_deviation": lambda s: over(s[..., 1] - s[..., 2], s[..., 0] + s[..., 2]),
    "share_of_reference": lambda s: over(s[..., 0] + s[..., 2], s.sum(axis=-1)),
}
"""Scores of a map of glacier and other. ``area_deviation`` is (mapped - true) / true; ``false_alarm_rate`` the share of
what is no ice that was called ice."""


def map_rows(
    areas: np.ndarray,
    blocks: Blocks,
    *,
    counts: np.ndarray | None = None,
    stratum: str = "all",
    prediction: str = "given",
    only: tuple[str, ...] = tuple(SCORES),
) -> list[Row]:
    """Give the scores of a map from sums a block.

    Parameters
    ----------
    areas : numpy.ndarray, shape (count, 4)
        Area, or pixels, of true positives, false positives, false negatives, true negatives.
    blocks : metrics.Blocks
        Of :func:`draw_blocks`.
    counts : numpy.ndarray, optional
        (count,) samples, where the sums are not counts themselves.
    stratum : str
        Which pixels are scored.
    prediction : str
        Whose map is scored.
    only : tuple of str
        Names in :data:`SCORES`.
    """
    n = areas.sum(axis=1) if counts is None else counts
    return [
        Row(
            metric=name,
            estimate=estimate(areas, SCORES[name], blocks=blocks, n=n),
            stratum=stratum,
            prediction=prediction,
        )
        for name in only
    ]


def quantile(values: np.ndarray, blocks: Blocks, q: float, *, n_levels: int = 512) -> Estimate:
    """Give a quantile with a block-bootstrap interval; the value is exact, the replicates' are read from a histogram of
    ``n_levels`` steps."""
    values = np.asarray(values, np.float64)
    if not values.size:
        return Estimate(value=np.nan, low=np.nan, high=np.nan, n=0)
    value = float(np.quantile(values, q))
    levels = np.unique(np.quantile(values, np.linspace(0.0, 1.0, n_levels)))
    n = np.bincount(blocks.index, minlength=blocks.count).astype(np.float64)
    position = np.searchsorted(levels, values, side="left")
    counts = (
        np.bincount(blocks.index * levels.size + position, minlength=blocks.count * levels.size)
        .reshape(blocks.count, levels.size)
        .astype(np.float64)
    )

    def at(c: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.atleast_2d(c), axis=-1)
        found = levels[np.minimum((total < q * total[:, -1:]).sum(axis=-1), levels.size - 1)]
        found = np.where(total[:, -1] > 0, found, np.nan)
        return found if np.ndim(c) > 1 else found[0]

    rough = estimate(counts, at, blocks=blocks, n=n)
    return (
        Estimate(value=value, low=min(rough.low, value), high=max(rough.high, value), n=values.size)
        if np.isfinite(rough.low)
        else Estimate(value=value, low=np.nan, high=np.nan, n=values.size)
    )


def distance_rows(
    ours: np.ndarray,
    theirs: np.ndarray,
    our_blocks: Blocks,
    their_blocks: Blocks,
    *,
    tolerances_m: dict[str, float],
    prediction: str = "given",
) -> list[Row]:
    """Give the scores of two boundaries from the distances between them.

    PoLiS is the mean of the two directed mean distances (Avbelj, Müller, Bamler 2015, doi:10.1109/LGRS.2014.2330695),
    here over points at equal spacing; median and 95th percentile are of both directions pooled. Boundary F1 (Csurka et
    al. 2013, doi:10.5244/C.27.32) is the harmonic mean of the shares of our boundary near theirs and of theirs near
    ours.

    Parameters
    ----------
    ours, theirs : numpy.ndarray
        Distance of every point of our boundary to theirs, and of theirs to ours, m.
    our_blocks, their_blocks : metrics.Blocks
        The same blocks for both.
    tolerances_m : dict of str to float
        Name and size of every tolerance of the boundary F1.
    prediction : str
        Whose outlines are scored.
    """
    both = Blocks(
        index=np.concatenate([our_blocks.index, their_blocks.index]), count=our_blocks.count, weights=our_blocks.weights
    )
    pooled = np.concatenate([ours, theirs])
    if not len(ours) or not len(theirs):
        nothing = Estimate(value=np.nan, low=np.nan, high=np.nan, n=0)
        names = (
            "polis",
            "mean_distance_to_reference",
            "mean_distance_from_reference",
            "median_distance",
            "p95_distance",
        )
        return [Row(metric=n, estimate=nothing, units="m", prediction=prediction) for n in names] + [
            Row(metric=f"boundary_f1_{t}", estimate=nothing, prediction=prediction) for t in tolerances_m
        ]
    count = our_blocks.count

    def total(index: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(index, weights=weights, minlength=count).astype(np.float64)

    sums = np.stack(
        [
            total(our_blocks.index),
            total(our_blocks.index, ours),
            total(their_blocks.index),
            total(their_blocks.index, theirs),
        ],
        axis=-1,
    )
    n = sums[:, 0] + sums[:, 2]
    rows = [
        Row(
            metric="polis",
            estimate=estimate(
                sums, lambda s: 0.5 * (over(s[..., 1], s[..., 0]) + over(s[..., 3], s[..., 2])), blocks=both, n=n
            ),
            units="m",
        ),
        Row(
            metric="mean_distance_to_reference",
            estimate=estimate(sums, lambda s: over(s[..., 1], s[..., 0]), blocks=both, n=sums[:, 0]),
            units="m",
        ),
        Row(
            metric="mean_distance_from_reference",
            estimate=estimate(sums, lambda s: over(s[..., 3], s[..., 2]), blocks=both, n=sums[:, 2]),
            units="m",
        ),
        Row(metric="median_distance", estimate=quantile(pooled, both, 0.5), units="m"),
        Row(metric="p95_distance", estimate=quantile(pooled, both, 0.95), units="m"),
    ]
    for name, tolerance in tolerances_m.items():
        near = np.stack(
            [
                sums[:, 0],
                total(our_blocks.index, ours <= tolerance),
                sums[:, 2],
                total(their_blocks.index, theirs <= tolerance),
            ],
            axis=-1,
        )
        rows.append(Row(metric=f"boundary_f1_{name}", estimate=estimate(near, _boundary_f1, blocks=both, n=n)))
    return [
        Row(metric=r.metric, estimate=r.estimate, units=r.units, stratum=r.stratum, prediction=prediction, name=r.name)
        for r in rows
    ]


def _boundary_f1(s: np.ndarray) -> np.ndarray:
    precision, recall = over(s[..., 1], s[..., 0]), over(s[..., 3], s[..., 2])
    return np.where(precision + recall == 0, 0.0, over(2.0 * precision * recall, precision + recall))
