"""A spread that means what it says: how large errors are where a network states a spread, and intervals that hold as
many values as they say.

Errors of a share of ice are nothing like Gaussian: nearly 0 almost everywhere, nearly 1 at edges. So the spread that a
network gives is mapped to the root mean square error of samples with such a spread, and half widths of intervals are
quantiles of the errors, in units of that spread, of bins of spread and value (conformal prediction by bins: Vovk,
Gammerman and Shafer 2005, doi:10.1007/b106715, chapter 4). Both are fitted on samples that the network was not trained
on; samples of one scene err alike, so it is the number of scenes that makes them sure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .errors import ProductError

LEVELS = (0.68, 0.95)
"""Shares of the values that lie within the intervals."""
FEWEST = 400
"""Samples of a bin; bins with fewer take what holds for their spread, whatever the value."""
NODES = 24
"""Of the map from the stated spread to the error."""
ROWS = 12
"""Bins of the spread, and at most so many."""
VALUE_EDGES = (0.02, 0.1, 0.3, 0.7, 0.9, 0.98)
"""Borders of the bins of the value, as shares of its range."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Fitted errors and intervals of one value.

    Attributes
    ----------
    stated, error : tuple of float
        Nodes, increasing: the spread that the network states, and the root mean square error there.
    spread_edges, value_edges : tuple of float
        Borders of the bins: of the spread after that map, and of the value.
    half_widths : tuple of tuple of tuple of float
        For every level, bin of spread and bin of value: half the width of the interval in units of the spread.
    levels : tuple of float
        Shares of the values within the intervals.
    limits : tuple of float
        Possible values; intervals end there.
    n : int
        Samples it was fitted on.
    """

    stated: tuple[float, ...]
    error: tuple[float, ...]
    spread_edges: tuple[float, ...]
    value_edges: tuple[float, ...]
    half_widths: tuple[tuple[tuple[float, ...], ...], ...]
    levels: tuple[float, ...] = LEVELS
    limits: tuple[float, float] = (0.0, 1.0)
    n: int = 0

    def of(self, stated: np.ndarray) -> np.ndarray:
        """Return the spread: root mean square errors where a network states a spread; NaN stays NaN.

        Parameters
        ----------
        stated : numpy.ndarray
            Spread by the network, above 0.
        """
        x = np.log(np.maximum(np.asarray(stated, np.float64), 1e-12))
        return np.exp(np.interp(x, np.log(self.stated), np.log(self.error)))

    def intervals(self, value: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return the ends of the intervals, shape (levels, 2, ...): lower and upper, within the limits.

        Parameters
        ----------
        value : numpy.ndarray
            What the network gives.
        spread : numpy.ndarray
            Of :meth:`of`.
        """
        value, spread = np.asarray(value, np.float64), np.asarray(spread, np.float64)
        row, column = np.searchsorted(self.spread_edges, spread), np.searchsorted(self.value_edges, value)
        half = np.array(self.half_widths)[:, row, column] * spread
        return np.clip(np.stack([value - half, value + half], axis=1), *self.limits)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def fit(
    value: np.ndarray, stated: np.ndarray, truth: np.ndarray, *, limits: tuple[float, float] = (0.0, 1.0)
) -> Spread:
    """Fit errors and intervals on samples that the network was not trained on.

    Parameters
    ----------
    value, stated : numpy.ndarray, shape (n,)
        Value and spread by the network.
    truth : numpy.ndarray, shape (n,)
        The true values.
    limits : tuple of float
        Possible values.

    Returns
    -------
    Spread

    Raises
    ------
    ProductError
        If there are too few samples.
    """
    if truth.size < FEWEST:
        raise ProductError(
            f"calibration: {truth.size} known values; expected {FEWEST} or more to tell how they spread. Give more"
            " data, or a larger share."
        )
    value, stated, truth = (np.asarray(v, np.float64) for v in (value, stated, truth))
    error = np.abs(truth - value)
    nodes = _nodes(stated, error)
    value_edges = tuple(limits[0] + (limits[1] - limits[0]) * np.array(VALUE_EDGES))
    empty = Spread(
        stated=nodes[0], error=nodes[1], spread_edges=(), value_edges=value_edges, half_widths=(), limits=limits
    )
    spread = empty.of(stated)
    edges = tuple(np.unique(np.quantile(spread, np.arange(1, ROWS) / ROWS)).tolist())
    row, column = np.searchsorted(edges, spread), np.searchsorted(value_edges, value)
    table = np.array(
        [
            [_half_widths(error, spread, row == r, column == c) for c in range(len(value_edges) + 1)]
            for r in range(len(edges) + 1)
        ]
    )  # (rows, columns, levels)
    return Spread(
        stated=nodes[0],
        error=nodes[1],
        spread_edges=edges,
        value_edges=value_edges,
        half_widths=tuple(tuple(map(tuple, level.tolist())) for level in np.moveaxis(table, 2, 0)),
        limits=limits,
        n=int(truth.size),
    )


def scores(fitted: Spread, value: np.ndarray, stated: np.ndarray, truth: np.ndarray) -> dict[str, object]:
    """Return how many values lie within the intervals, and errors beside the spread in bins of it.

    Parameters
    ----------
    fitted : Spread
        Fitted on other samples.
    value, stated, truth : numpy.ndarray, shape (n,)
        Value and spread by the network, and the true value.

    Returns
    -------
    dict
        ``levels`` and ``coverage``; ``bins``: ``n``, ``spread`` (root mean square) and ``rms_error`` of eight bins with
        as many samples each.
    """
    spread, error = fitted.of(stated), np.asarray(truth, np.float64) - value
    ends = fitted.intervals(value, spread)
    bins = []
    for part in np.array_split(np.argsort(spread, kind="stable"), min(8, max(error.size, 1))):
        rms = [float(np.sqrt((v[part] ** 2).mean())) if part.size else float("nan") for v in (spread, error)]
        bins.append({"n": int(part.size), "spread": rms[0], "rms_error": rms[1]})
    return {
        "levels": list(fitted.levels),
        "coverage": [float(((truth >= low) & (truth <= high)).mean()) for low, high in ends],
        "bins": bins,
    }


def _half_widths(error: np.ndarray, spread: np.ndarray, in_row: np.ndarray, in_column: np.ndarray) -> list[float]:
    """Return the half widths of a bin in units of the spread, one per level."""
    every = np.ones(error.shape, bool)
    mine = next(m for m in (in_row & in_column, in_row, every) if m.sum() >= FEWEST or m is every)
    ratio = np.sort(error[mine] / spread[mine])
    ranks = [min(int(np.ceil(level * (ratio.size + 1))) - 1, ratio.size - 1) for level in LEVELS]
    return [float(ratio[k]) for k in ranks]


def _nodes(stated: np.ndarray, error: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return stated spread and error of bins, both increasing: half of the bins hold as many samples each, half share
    out the logarithm of the spread, for the few with large errors are what the spread is about."""
    order = np.argsort(stated, kind="stable")
    s, squares = np.maximum(stated[order], 1e-9), error[order] ** 2
    even = s[np.linspace(0, s.size - 1, NODES // 2 + 1).round().astype(int)]
    kept = [0]
    for cut in np.unique(np.searchsorted(s, [*even, *np.geomspace(s[0], s[-1], NODES // 2 + 1)])):  # no value is split
        if cut - kept[-1] >= FEWEST and s.size - cut >= FEWEST:
            kept.append(int(cut))
    begin = np.array(kept)
    n = np.diff([*kept, s.size])
    x = np.exp(np.add.reduceat(np.log(s), begin) / n)
    y = _increasing(np.add.reduceat(squares, begin) / n, n)
    return tuple(x.tolist()), tuple(np.sqrt(np.maximum(y, 1e-12)).tolist())


def _increasing(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the increasing values that are closest: neighbours out of order are averaged (Ayer et al. 1955)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append([float(value), float(weight), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            b, a = blocks.pop(), blocks.pop()
            total = a[1] + b[1]
            blocks.append([(a[0] * a[1] + b[0] * b[1]) / total, total, a[2] + b[2]])
    return np.repeat([b[0] for b in blocks], [int(b[2]) for b in blocks])
