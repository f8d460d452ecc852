"""Class or probability rasters against a truth raster, window by window: pixel scores by stratum, calibration, and
boundary distances.

Unlabelled truth (255) counts nowhere. A pixel without a prediction is called other: where it is ice it is a miss, never
dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from .. import metrics
from ..errors import ProductError, UsageError
from ..glaciers.outlines import with_halo
from ..metrics import Blocks, Estimate, estimate
from ..scenes.areas import pixel_size_m, row_areas_m2
from ..sensors import UNLABELLED
from .scene_rows import BLOCK_M, SCORES, Bootstrap, Row, distance_rows, draw_blocks, map_rows

Read = Callable[[slice, slice], np.ndarray]
"""Takes rows and columns of the grid, returns that part."""

STRATA = {"seasonal_snow": 1, "cast_shadow": 2, "cloud": 4, "water": 8, "sar_layover": 16}
"""Bits of a strata raster."""
KINDS = ("clean_ice", "debris_covered_ice", "away_from_ice")
"""Strata of a truth that tells clean (1) from debris-covered ice (2): every pixel belongs to the kind of ice nearest to
it."""
NEAR_M = 1000.0
"""Pixels further from all ice belong to ``away_from_ice``."""
WINDOW_BLOCKS = 6


@dataclass
class Sums:
    """What is added up over windows.

    Attributes
    ----------
    counts : dict of (str, str) to numpy.ndarray
        By prediction and stratum: (blocks, 4) pixels right, false alarm, missed, rightly not.
    areas : dict of str to numpy.ndarray
        By prediction: the same in km², whole scene.
    reliability : numpy.ndarray or None
        (blocks, bins, 4) of :func:`polynya.metrics.reliability_sums`.
    points : tuple of two lists of numpy.ndarray
        Boundary points (row, column, block) of the given prediction and of the truth.
    unpredicted : numpy.ndarray, shape (blocks,)
        Labelled pixels without a prediction.
    """

    counts: dict[tuple[str, str], np.ndarray]
    areas: dict[str, np.ndarray]
    reliability: np.ndarray | None
    points: tuple[list[np.ndarray], list[np.ndarray]]
    unpredicted: np.ndarray


def compare(
    predicted: Read,
    truth: Read,
    *,
    geobox: GeoBox,
    strata: Read | None = None,
    rules: dict[str, Read] | None = None,
    threshold: float = 0.5,
    bootstrap: Bootstrap | None = None,
) -> list[Row]:
    """Score a map of glaciers against a truth on the same grid.

    Parameters
    ----------
    predicted : callable
        Probability of glacier (floating point, NaN where missing), or classes (integers: 0 other, 1 and 2 glacier, 255
        missing).
    truth : callable
        0 other, 1 clean ice (or any), 2 debris-covered ice, 255 unlabelled.
    geobox : odc.geo.GeoBox
        Grid of both.
    strata : callable, optional
        Bits of :data:`STRATA`.
    rules : dict of str to callable, optional
        Maps (bool) to score beside the prediction; all-glacier is always there.
    threshold : float
        Probability from which a pixel is glacier.
    bootstrap : Bootstrap, optional
        Of the intervals.

    Returns
    -------
    list of Row
        Scores by stratum for the given map, scores of the rules, area, calibration (of probabilities), distances
        between boundaries at the pixels' edges (between points, so at most half a pixel too long).

    Raises
    ------
    ProductError
        If nothing is labelled, or the truth holds another value.
    """
    bootstrap = bootstrap or Bootstrap()
    n_resamples, seed = bootstrap.n_resamples, bootstrap.seed
    total = _add_up(
        predicted,
        truth,
        geobox=geobox,
        strata=strata,
        rules=rules or {},
        threshold=threshold,
        block_m=bootstrap.block_m,
    )
    whole = total.counts[("given", "all")]
    seen = whole.sum(axis=1) > 0
    if not seen.any():
        raise ProductError(
            "truth: no pixel is labelled; expected 0, 1 or 2 somewhere. Check that prediction and truth cover the same"
            " place."
        )
    blocks = draw_blocks(int(seen.sum()), n_resamples=n_resamples, seed=seed)
    rows: list[Row] = []
    pixel_scores = tuple(n for n in SCORES if n != "area_deviation")
    for (prediction, stratum), counts in total.counts.items():
        if prediction == "given":
            rows += map_rows(counts[seen], blocks, stratum=stratum, only=pixel_scores)
    rows += _area_rows(total.areas["given"][seen], blocks, whole[seen].sum(axis=1))
    share = np.column_stack([whole[seen].sum(axis=1), total.unpredicted[seen]])
    rows.append(Row(metric="share_without_prediction", estimate=estimate(share, metrics.ratio, blocks=blocks)))
    if total.reliability is not None:
        sums = total.reliability[seen]
        n = sums[..., 0].sum(axis=1)
        scores = (
            ("calibration_error", metrics.calibration_error),
            ("brier_score", metrics.brier_score),
            ("brier_skill", metrics.brier_skill),
        )
        rows += [Row(metric=name, estimate=estimate(sums, score, blocks=blocks, n=n)) for name, score in scores]
    rows += _boundary_rows(total, geobox, n_resamples=n_resamples, seed=seed)
    for prediction in total.areas:
        if prediction != "given":
            counts = total.counts[(prediction, "all")][seen]
            rows += map_rows(counts, blocks, prediction=prediction, only=("iou", "f1", "precision", "recall"))
            rows += map_rows(
                total.areas[prediction][seen],
                blocks,
                counts=counts.sum(axis=1),
                prediction=prediction,
                only=("area_deviation",),
            )
    return rows


def reliability(predicted: Read, truth: Read, *, geobox: GeoBox) -> list[tuple[float, float, float]]:
    """Return pixels, mean probability and frequency of glacier of every bin that holds a pixel, for a reliability
    diagram.

    Parameters
    ----------
    predicted : callable
        Probability of glacier, NaN where missing.
    truth : callable
        As in :func:`compare`.
    geobox : odc.geo.GeoBox
        Grid of both.
    """
    total = _add_up(predicted, truth, geobox=geobox, strata=None, rules={}, threshold=0.5, block_m=BLOCK_M)
    if total.reliability is None:
        raise UsageError(
            "reliability: the prediction holds classes; expected probabilities. Give the probability raster."
        )
    sums = total.reliability.sum(axis=0)
    return [(float(n), float(p / n), float(e / n)) for n, p, e, _ in sums if n > 0]


def _area_rows(areas: np.ndarray, blocks: Blocks, n: np.ndarray) -> list[Row]:
    out = map_rows(areas, blocks, counts=n, only=("area_deviation",))
    for name, column in (("area_ellipsoid", 1), ("area_ellipsoid_of_reference", 2)):
        value = float(areas[:, 0].sum() + areas[:, column].sum())
        out.append(
            Row(
                metric=name,
                estimate=Estimate(value=value, low=np.nan, high=np.nan, n=round(float(n.sum()))),
                units="km2",
            )
        )
    return out


def _windows(shape: tuple[int, int], side: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    for top in range(0, shape[0], side[0] * WINDOW_BLOCKS):
        for left in range(0, shape[1], side[1] * WINDOW_BLOCKS):
            yield (
                slice(top, min(top + side[0] * WINDOW_BLOCKS, shape[0])),
                slice(left, min(left + side[1] * WINDOW_BLOCKS, shape[1])),
            )


def _add_up(
    predicted: Read,
    truth: Read,
    *,
    geobox: GeoBox,
    strata: Read | None,
    rules: dict[str, Read],
    threshold: float,
    block_m: float,
) -> Sums:
    shape = tuple(int(v) for v in geobox.shape)
    wide, tall = pixel_size_m(geobox)
    side = (max(round(block_m / tall), 1), max(round(block_m / wide), 1))
    across = math.ceil(shape[1] / side[1])
    count = across * math.ceil(shape[0] / side[0])
    halo = math.ceil(NEAR_M / min(wide, tall)) + 1
    names = ["given", "all_glacier", *rules]
    total = Sums(
        counts={(n, "all"): np.zeros((count, 4)) for n in names},
        areas={n: np.zeros((count, 4)) for n in names},
        reliability=None,
        points=([], []),
        unpredicted=np.zeros(count),
    )
    for rows, columns in _windows(shape, side):
        wide_rows, wide_columns, own = with_halo(rows, columns, shape, halo)
        known = np.asarray(truth(wide_rows, wide_columns))
        strange = known[(known > 2) & (known != UNLABELLED)]
        if strange.size:
            raise ProductError(
                f"truth: holds the value {int(strange[0])}; expected 0 other, 1 clean ice, 2 debris-covered ice, 255"
                " unlabelled. Give another raster, or bring it to these."
            )
        labelled = (known != UNLABELLED)[own]
        if not labelled.any():
            continue
        number = np.add.outer(
            np.arange(rows.start, rows.stop) // side[0] * across, np.arange(columns.start, columns.stop) // side[1]
        )
        block = number[labelled]
        area = np.broadcast_to(
            row_areas_m2(geobox, rows, 0.5 * (columns.start + columns.stop))[:, None] * 1e-6, number.shape
        )[labelled]
        ice = ((known == 1) | (known == 2))[own]
        edge_rows, edge_columns, inner = with_halo(rows, columns, shape, 1)
        values = np.asarray(predicted(edge_rows, edge_columns))
        found, missing = _called(values, threshold)
        maps = {
            "given": found[inner],
            "all_glacier": np.ones_like(ice),
            **{n: np.asarray(r(rows, columns), bool) for n, r in rules.items()},
        }
        members = _members(known, own, labelled, strata(rows, columns) if strata is not None else None, (tall, wide))
        for name, called in maps.items():
            kind = np.where(ice, np.where(called, 0, 2), np.where(called, 1, 3))[labelled]
            key = block * 4 + kind
            total.areas[name] += np.bincount(key, weights=area, minlength=count * 4).reshape(count, 4)
            for stratum, member in {"all": slice(None), **(members if name == "given" else {})}.items():
                sums = total.counts.setdefault((name, stratum), np.zeros((count, 4)))
                sums += np.bincount(key[member], minlength=count * 4).reshape(count, 4)
        good = ~missing[inner][labelled]
        total.unpredicted += np.bincount(block[~good], minlength=count)
        if np.issubdtype(values.dtype, np.floating):
            sums = metrics.reliability_sums(
                values[inner][labelled][good],
                ice[labelled][good],
                Blocks(index=block[good], count=count, weights=np.zeros((0, count))),
            )
            total.reliability = sums if total.reliability is None else total.reliability + sums
        near_truth = known[
            tuple(
                slice(e.start - w.start, e.stop - w.start)
                for e, w in ((edge_rows, wide_rows), (edge_columns, wide_columns))
            )
        ]
        for glacier, points in ((found, total.points[0]), ((near_truth == 1) | (near_truth == 2), total.points[1])):
            points.append(
                _edges(glacier, near_truth != UNLABELLED, rows, columns, (edge_rows, edge_columns), side, across)
            )
    debris = total.counts.get(("given", "debris_covered_ice"))
    if debris is not None and not debris[:, [0, 2]].any():  # a truth that does not tell kinds of ice
        del total.counts[("given", "debris_covered_ice")], total.counts[("given", "clean_ice")]
    return total


def _called(values: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what is called glacier, and where nothing was predicted."""
    if np.issubdtype(values.dtype, np.floating):
        with np.errstate(invalid="ignore"):
            return values >= threshold, ~np.isfinite(values)
    return (values == 1) | (values == 2), values == UNLABELLED


def _members(
    known: np.ndarray,
    own: tuple[slice, slice],
    labelled: np.ndarray,
    bits: np.ndarray | None,
    pixel: tuple[float, float],
) -> dict[str, np.ndarray]:
    """Return, for every stratum, which of the labelled pixels belong to it."""
    out: dict[str, np.ndarray] = {}
    ice = (known == 1) | (known == 2)
    if ice.any():
        distance, at = distance_transform_edt(~ice, sampling=pixel, return_indices=True)
        kind = np.where(distance <= NEAR_M, known[at[0], at[1]], 3)[own][labelled]
    else:
        kind = np.full(int(labelled.sum()), 3)
    out.update({name: kind == k + 1 for k, name in enumerate(KINDS)})
    if bits is not None:
        values = np.asarray(bits)[labelled]
        out.update({name: (values & bit) > 0 for name, bit in STRATA.items()})
    return out


def _edges(
    values: np.ndarray,
    labelled: np.ndarray,
    rows: slice,
    columns: slice,
    wide: tuple[slice, slice],
    side: tuple[int, int],
    across: int,
) -> np.ndarray:
    """Return row, column (of the whole grid, in pixels) and block of the middles of edges between glacier and other,
    both labelled; an edge belongs to the pixel above or left of it.
    """
    out = []
    for step in ((0, 1), (1, 0)):
        first = (slice(0, values.shape[0] - step[0]), slice(0, values.shape[1] - step[1]))
        second = (slice(step[0], None), slice(step[1], None))
        row, column = np.nonzero((values[first] != values[second]) & labelled[first] & labelled[second])
        row, column = row + wide[0].start, column + wide[1].start
        mine = (row >= rows.start) & (row < rows.stop) & (column >= columns.start) & (column < columns.stop)
        row, column = row[mine], column[mine]
        middle = (0.5, 1.0) if step == (0, 1) else (1.0, 0.5)
        out.append(np.column_stack([row + middle[0], column + middle[1], row // side[0] * across + column // side[1]]))
    return np.concatenate(out)


def _boundary_rows(total: Sums, geobox: GeoBox, *, n_resamples: int, seed: int) -> list[Row]:
    wide, tall = pixel_size_m(geobox)
    ours, theirs = (np.concatenate(p) if p else np.zeros((0, 3)) for p in total.points)
    xy = [np.column_stack([p[:, 1] * wide, p[:, 0] * tall]) for p in (ours, theirs)]
    to_theirs = cKDTree(xy[1]).query(xy[0])[0] if len(ours) and len(theirs) else np.zeros(0)
    to_ours = cKDTree(xy[0]).query(xy[1])[0] if len(ours) and len(theirs) else np.zeros(0)
    _, index = np.unique(np.concatenate([ours[:, 2], theirs[:, 2]]).astype(np.int64), return_inverse=True)
    blocks = draw_blocks(int(index.max()) + 1 if index.size else 0, index=index, n_resamples=n_resamples, seed=seed)
    pixel = 0.5 * (wide + tall)
    first = len(ours)
    return distance_rows(
        to_theirs,
        to_ours,
        blocks.take(slice(0, first)),
        blocks.take(slice(first, None)),
        tolerances_m={"1px": 1.001 * pixel, "2px": 2.001 * pixel},
    )
