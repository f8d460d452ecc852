"""Training samples along tracks: windows of neighbouring segments, and stretches on the grid of cells.

A sample never reaches across a gap, into another beam, or into another part of the split (only the leaky random split
lets it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import class_bits
from .labelled_tracks import UNKNOWN, Tracks
from .splits import Split


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one step sees.

    Attributes
    ----------
    inputs : numpy.ndarray of float32
        (batch, length, features) windows, or (batch, features + 1, length) stretches whose last channel is 1 where
        there is a segment.
    targets : numpy.ndarray of uint32
        (batch,) or (batch, length): admissible classes as bits, 0 where the loss ignores the step.
    where : numpy.ndarray of int64
        Same shape: row in the tracks, -1 where there is none.
    """

    inputs: np.ndarray
    targets: np.ndarray
    where: np.ndarray


def breaks(tracks: Tracks, *, part: np.ndarray | None, gap_m: float | None) -> np.ndarray:
    """Return where stretches start, and the end.

    Parameters
    ----------
    tracks : Tracks
        The segments.
    part : numpy.ndarray or None
        A stretch ends where the part changes; None where parts may mix (the leaky split).
    gap_m : float or None
        A stretch ends at a gap longer than this; None for stretches of neighbouring cells only.

    Returns
    -------
    numpy.ndarray of int64, shape (stretches + 1,)
    """
    n = len(tracks)
    if n == 0:
        return np.zeros(1, np.int64)
    cut = np.diff(tracks.track) != 0
    cut |= np.diff(tracks.cell) != 1 if gap_m is None else np.diff(tracks.x) > gap_m
    if part is not None:
        cut |= np.diff(part) != 0
    return np.concatenate([[0], np.flatnonzero(cut) + 1, [n]]).astype(np.int64)


class WindowSource:
    """Windows of ``length`` neighbouring cells around the labelled segments of one part.

    Parameters
    ----------
    tracks : Tracks
    inputs : numpy.ndarray of float32, shape (n, features)
        Scaled.
    split : Split
    part : int
    length : int
        Odd.
    fill_edges : bool
        True to keep windows that reach a gap, filled with the run's own edge segment, as prediction does; False to
        leave them out, as training does.
    weights : numpy.ndarray or None
        (n,) how often a segment is drawn, for balanced epochs; None to take each once.
    """

    def __init__(
        self,
        tracks: Tracks,
        *,
        inputs: np.ndarray,
        split: Split,
        part: int,
        length: int,
        fill_edges: bool,
        weights: np.ndarray | None = None,
    ):
        starts = breaks(tracks, part=None if split.is_leaky else split.part, gap_m=None)
        run = np.repeat(np.arange(starts.size - 1), np.diff(starts))
        self._first, self._last = starts[:-1][run], starts[1:][run] - 1
        row = np.arange(len(tracks))
        half = length // 2
        wanted = (split.part == part) & (tracks.targets != UNKNOWN)
        if not fill_edges:
            wanted &= (row - half >= self._first) & (row + half <= self._last)
        self._rows = np.flatnonzero(wanted)
        self._offsets = np.arange(-half, half + 1)
        self._inputs, self._targets = inputs, tracks.targets
        self._weights = None if weights is None else weights[self._rows] / max(weights[self._rows].sum(), 1e-300)

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return an epoch's samples in order; shuffled and balanced with a generator, else once each in track order."""
        if rng is None:
            return self._rows
        if self._weights is not None:
            return rng.choice(self._rows, self._rows.size, p=self._weights)
        return rng.permutation(self._rows)

    def batch(self, items: np.ndarray) -> Batch:
        """Return the windows around these rows."""
        index = np.clip(items[:, None] + self._offsets, self._first[items, None], self._last[items, None])
        return Batch(inputs=self._inputs[index], targets=self._targets[items], where=items)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How stretches of track are laid into rows.

    Attributes
    ----------
    length : int
        Cells that a row adds to the loss.
    gap_m : float
        A longer gap ends a stretch; cells missing inside stay empty.
    halo, stride : int
        Cells that the network sees to one side, and its total stride. Stretches of one row lie a halo apart. Rows of an
        ordered plan have a halo on both sides and keep the phase of the cells, so that scores are those of the whole
        track as :func:`polynya.predict.tracks.classify` sees it.
    separation : int or None
        Empty cells that keep stretches of one row from knowing of each other; the halo by default.
    """

    length: int
    gap_m: float
    halo: int
    stride: int = 1
    separation: int | None = None


class SequenceSource:
    """Stretches of track on the grid of cells, cut to ``length`` cells; short ones share a row with room between them.

    Parameters
    ----------
    tracks, inputs, split, part
        As for :class:`WindowSource`.
    layout : Layout
        How stretches are laid into rows.
    weights : numpy.ndarray or None
        (n,) per segment; a row is drawn in proportion to the mean over its labelled segments.
    jitter : tuple of Shift
        Constants added to mixed rows.
    mirror : bool
        Half of the mixed rows run backwards.
    """

    def __init__(
        self,
        tracks: Tracks,
        *,
        inputs: np.ndarray,
        split: Split,
        part: int,
        layout: Layout,
        weights: np.ndarray | None = None,
        jitter: tuple[Shift, ...] = (),
        mirror: bool = False,
    ):
        starts = breaks(tracks, part=None if split.is_leaky else split.part, gap_m=layout.gap_m)
        self._targets = np.where(split.part == part, tracks.targets, UNKNOWN).astype(class_bits.DTYPE)
        self._labelled = np.concatenate([[0], np.cumsum(self._targets != UNKNOWN)])
        has = self._labelled[starts[1:]] > self._labelled[starts[:-1]]
        self._starts, self._stops = starts[:-1][has], starts[1:][has]
        self._cell, self._inputs = tracks.cell, inputs
        self._length, self._halo, self._stride, self._weights = layout.length, layout.halo, layout.stride, weights
        self._apart = layout.halo if layout.separation is None else layout.separation
        self._jitter, self._mirror = jitter, mirror

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return an epoch's rows, each a tuple of :class:`Cut`; with a generator cut and mixed anew, without a halo."""
        around = 0 if rng is not None else self._halo
        cuts = []
        for a, b in zip(self._starts.tolist(), self._stops.tolist(), strict=True):
            cells = self._cell[a:b]
            begin, end = int(cells[0]), int(cells[-1]) + 1
            if rng is not None and end - begin > self._length:
                begin -= int(rng.integers(self._length))
            for first in range(begin, end, self._length):
                seen, low, high, stop = (
                    a
                    + np.searchsorted(
                        cells, [first - around, first, first + self._length, first + self._length + around]
                    )
                ).tolist()
                if self._labelled[high] > self._labelled[low]:
                    cuts.append(Cut(seen=seen, low=low, high=high, stop=stop))
        if rng is not None:
            cuts = [cuts[k] for k in rng.permutation(len(cuts))]
        rows = self._pack(cuts, edge=around)
        if rng is not None and self._jitter:
            rows = [replace(row, constant=self._constant(rng)) for row in rows]
        if rng is not None and self._mirror:
            rows = [replace(row, is_mirrored=bool(m)) for row, m in zip(rows, rng.random(len(rows)) < 0.5, strict=True)]
        out = np.empty(len(rows), object)
        out[:] = rows
        if rng is None or self._weights is None or not rows:
            return out
        chance = np.array(
            [
                np.mean(
                    np.concatenate(
                        [self._weights[c.low : c.high][self._targets[c.low : c.high] != UNKNOWN] for c in row.cuts]
                    )
                )
                for row in rows
            ]
        )
        return out[rng.choice(len(rows), len(rows), p=chance / chance.sum())]

    def _constant(self, rng: np.random.Generator) -> np.ndarray:
        out = np.zeros(self._inputs.shape[1], np.float32)
        for shift in self._jitter:
            draw, chance = rng.standard_normal(), rng.random()
            if chance < shift.chance:
                out[list(shift.columns)] += np.float32(draw) * np.asarray(shift.sd, np.float32)
        return out

    def _pack(self, cuts: list[Cut], *, edge: int) -> list[Row]:
        """Lay cuts one after another, a halo apart; with an edge, what counts keeps it to both ends of the row."""
        length = self._length + 2 * edge + (self._stride if edge else 0)
        rows: list[Row] = []
        row: list[Cut] = []
        places: list[int] = []
        for cut in cuts:
            seen, low, high, stop = (int(self._cell[k]) for k in (cut.seen, cut.low, cut.high - 1, cut.stop - 1))
            while True:
                place = max(edge - (low - seen), places[-1] + self._reach(row[-1]) + self._apart if row else 0)
                if edge:
                    place += (seen - place) % self._stride
                if not row or (place + stop - seen < length and place + high - seen < length - edge):
                    break
                rows.append(Row(cuts=tuple(row), places=tuple(places), length=length))
                row, places = [], []
            row.append(cut)
            places.append(place)
        return [*rows, Row(cuts=tuple(row), places=tuple(places), length=length)] if row else rows

    def _reach(self, cut: Cut) -> int:
        """Cells from a cut's first to its last, that one included."""
        return int(self._cell[cut.stop - 1] - self._cell[cut.seen]) + 1

    def batch(self, items: np.ndarray) -> Batch:
        """Return these rows on the grid; targets only where a row counts."""
        n, f = len(items), self._inputs.shape[1]
        length = max(row.length for row in items)
        inputs = np.zeros((n, f + 1, length), np.float32)
        targets = np.full((n, length), UNKNOWN, class_bits.DTYPE)
        where = np.full((n, length), -1, np.int64)
        for k, row in enumerate(items):
            for cut, place in zip(row.cuts, row.places, strict=True):
                to_place = place - self._cell[cut.seen]
                at = self._cell[cut.seen : cut.stop] + to_place
                seen = self._inputs[cut.seen : cut.stop]
                inputs[k, :f, at] = seen if row.constant is None else seen + row.constant
                inputs[k, f, at] = 1.0
                at = self._cell[cut.low : cut.high] + to_place
                targets[k, at] = self._targets[cut.low : cut.high]
                where[k, at] = np.arange(cut.low, cut.high)
            if row.is_mirrored:
                inputs[k], targets[k], where[k] = (
                    inputs[k, :, ::-1].copy(),
                    targets[k, ::-1].copy(),
                    where[k, ::-1].copy(),
                )
        return Batch(inputs=inputs, targets=targets, where=where)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Rows ``seen:stop`` of the tracks are inputs, rows ``low:high`` of them count."""

    seen: int
    low: int
    high: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cuts and the cell of the row where each begins; a constant to add to the scaled features; whether it runs
    backwards."""

    cuts: tuple[Cut, ...]
    places: tuple[int, ...]
    length: int
    constant: np.ndarray | None = None
    is_mirrored: bool = False


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A random constant for some columns of the scaled inputs: ``sd`` of each, drawn together, with a chance a row."""

    columns: tuple[int, ...]
    sd: tuple[float, ...]
    chance: float
