"""What is kept of a file while its blocks go by: counts, a thinned track, and the stretches that the page shows."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ...physics import altimeter_tracks
from ...physics.peakiness import ZAKHAROVA_128
from ...physics.tracks import running_median
from ...report.leads import Places, Stretch
from ...schema.echoes import CLASS_NAMES, LEAD, OCEAN, SEA_ICE, UNKNOWN, Echoes
from ...schema.lead_labels import BITS, HAS_CLASS, INPUT_MISSING, OFF_NADIR, RANGE_FLAGS, UNKNOWN_CAUSES
from .answers import Block
from .halo import Padded

STRETCH = 800
"""Echoes of a stretch that the page draws."""
MOST_STRETCHES = 3
MOST_PLACES = 4000
"""Points of the track on the map; where there are more, every second one is dropped."""
GATES = 128
"""Most gates of a picture."""
SMOOTH = 25
"""Echoes to each side over which the tracker's place is taken as that of the surface."""
BEFORE = 6
"""Gates of a picture before the first in which most echoes have power."""
COLUMNS = (
    "surface_class",
    "lead_probability",
    "lead_distance",
    "lead_distance_low",
    "lead_distance_high",
    "maximum_power_db",
    "peakiness",
    "range_flag",
)


@dataclass
class Summary:
    """What is known of the echoes so far; it changes while blocks are added."""

    rule: str = "none"
    definition: str = ZAKHAROVA_128
    n: int = 0
    classes: Counter[int] = field(default_factory=Counter)
    causes: Counter[int] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    ranges: Counter[int] = field(default_factory=Counter)
    rule_classes: Counter[int] = field(default_factory=Counter)
    product_classes: Counter[int] = field(default_factory=Counter)
    bits: Counter[str] = field(default_factory=Counter)
    n_leads: int = 0
    n_with_share: int = 0
    n_without_gain: int = 0
    n_rule_agrees: int = 0
    n_rule_both: int = 0
    is_range_checked: bool = True
    is_sorted: bool = False
    start: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))
    end: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))
    _was_lead: bool = False
    _kept: list[tuple[int, int, Stretch]] = field(default_factory=list)
    _points: list[np.ndarray] = field(default_factory=list)
    _every: int = 1

    def begin(self, found: Block) -> None:
        """Take what is one per file from the first block."""
        self.rule, self.definition = found.ruled.name, found.ruled.definition

    def add(self, part: Padded, found: Block) -> None:
        """Count a block's own echoes.

        Parameters
        ----------
        part : Padded
            The block.
        found : Block
            Its answers, those of its neighbours too.
        """
        own = {name: values[part.own] for name, values in found.columns.items()}
        n = own["time"].size
        self.n += n
        for counter, name in (
            (self.classes, "surface_class"),
            (self.causes, "unknown_cause"),
            (self.ranges, "range_flag"),
            (self.rule_classes, "rule_class"),
            (self.product_classes, "product_class"),
        ):
            values, counts = np.unique(own[name], return_counts=True)
            counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        for name, bit in BITS.items():
            self.bits[name] += int(((own["lead_quality"] & bit) > 0).sum())
        for name, where in found.ruled.lacking.items():
            self.lacking[name] += int((where[part.own] & (own["unknown_cause"] == INPUT_MISSING)).sum())
        is_lead = own["surface_class"] == LEAD
        self.n_leads += int((is_lead & ~np.concatenate([[self._was_lead], is_lead[:-1]])).sum())
        self._was_lead = bool(is_lead[-1]) if n else self._was_lead
        self.n_with_share += int(np.isfinite(found.share[part.own]).sum())
        self.n_without_gain += int(np.isnan(part.echoes.gain()[part.own]).sum())
        both = (own["rule_class"] != UNKNOWN) & (own["surface_class"] != UNKNOWN)
        self.n_rule_both += int(both.sum())
        self.n_rule_agrees += int((both & (own["rule_class"] == own["surface_class"])).sum())
        self.is_range_checked &= found.is_range_checked
        known = own["time"][~np.isnat(own["time"])]
        if known.size:
            self.start = known.min() if np.isnat(self.start) else min(self.start, known.min())
            self.end = known.max() if np.isnat(self.end) else max(self.end, known.max())
        self._add_points(own)
        self._add_stretches(part, own)

    def _add_points(self, own: dict[str, np.ndarray]) -> None:
        columns = np.stack(
            [own[c].astype(np.float64) for c in ("latitude", "longitude", "surface_class", "lead_probability")]
        )
        self._points.append(_thinned(columns, self._every))
        while sum(p.shape[1] for p in self._points) > MOST_PLACES:
            self._every *= 2
            self._points = [_thinned(np.concatenate(self._points, axis=1), 2)]

    def _add_stretches(self, part: Padded, own: dict[str, np.ndarray]) -> None:
        """Keep the stretches with the most leads, each with its echoes as a small picture."""
        n = own["time"].size
        for start in range(0, n, STRETCH):
            rows = slice(start, min(start + STRETCH, n))
            if rows.stop - rows.start < min(STRETCH // 4, n):
                continue
            is_lead = own["surface_class"][rows] == LEAD
            score = int(is_lead.sum()) + int((own["range_flag"][rows] == OFF_NADIR).sum())
            place = part.first + start
            if len(self._kept) == MOST_STRETCHES and score <= self._kept[0][0]:
                continue
            columns = {name: own[name][rows].copy() for name in COLUMNS}
            inside = slice(part.own.start + rows.start, part.own.start + rows.stop)
            entry = (score, -place, stretch_of(part.echoes, inside, columns, first_echo=place))
            if len(self._kept) == MOST_STRETCHES:
                heapq.heapreplace(self._kept, entry)
            else:
                heapq.heappush(self._kept, entry)

    def stretches(self) -> tuple[Stretch, ...]:
        """Return the kept stretches with leads in the order of the track; the first one where none has any."""
        held = sorted(self._kept, key=lambda k: -k[1])
        return tuple(s for score, _, s in held if score) or tuple(s for _, _, s in held[:1])

    def places(self) -> Places:
        """Return the thinned track."""
        latitude, longitude, classes, probability = np.concatenate(self._points, axis=1)
        return Places(latitude=latitude, longitude=longitude, classes=classes.astype(np.int8), probability=probability)

    def numbers(self) -> dict[str, float]:
        """Return counts for the record, by name."""
        out: dict[str, float] = {"n_echoes": self.n}
        for value, name in CLASS_NAMES.items():
            out[f"n_{name}"] = self.classes[value]
        out["n_leads"] = self.n_leads
        decided = self.classes[LEAD] + self.classes[SEA_ICE]
        out["lead_fraction"] = self.classes[LEAD] / decided if decided else np.nan
        out["unknown_share"] = self.classes[UNKNOWN] / self.n if self.n else np.nan
        out["n_off_nadir"] = self.ranges[OFF_NADIR]
        out["n_remove"] = sum(self.ranges[v] for v, name in RANGE_FLAGS if name.startswith("remove"))
        return out

    def counted(self) -> dict[str, dict[str, int]]:
        """Return counts by class, cause of unknown, quality bit, flag of the range, rule's and product's class."""
        has_rule = self.rule != "none"
        has_product = any(self.product_classes[c] for c in (OCEAN, LEAD, SEA_ICE))
        return {
            "classes": {name: self.classes[value] for value, name in CLASS_NAMES.items()},
            "unknown_by_cause": {n: c for v, n in UNKNOWN_CAUSES if v != HAS_CLASS and (c := self.causes[v])},
            "quality": {n: c for n, c in self.bits.items() if c},
            "range": {n: c for v, n in RANGE_FLAGS if (c := self.ranges[v])},
            "rule": {n: self.rule_classes[v] for v, n in CLASS_NAMES.items()} if has_rule else {},
            "product": {n: self.product_classes[v] for v, n in CLASS_NAMES.items()} if has_product else {},
        }


def _thinned(columns: np.ndarray, every: int) -> np.ndarray:
    """Return one point of each few: a lead among them where there is one."""
    n = columns.shape[1]
    if every == 1 or n < every:
        return columns
    whole = n // every * every
    groups = columns[:, :whole].reshape(len(columns), -1, every)
    pick = np.argmax(groups[2] == LEAD, axis=1)
    return np.take_along_axis(groups, pick[None, :, None], axis=2)[:, :, 0]


def stretch_of(echoes: Echoes, rows: slice, columns: dict[str, np.ndarray], *, first_echo: int) -> Stretch:
    """Return what the page draws of a stretch.

    Parameters
    ----------
    echoes : Echoes
        A block with its neighbours.
    rows : slice
        The stretch among them.
    columns : dict of str to numpy.ndarray
        Its answers, those of :data:`COLUMNS`.
    first_echo : int
        Number of its first echo in the file.
    """
    latitude, longitude = (getattr(echoes, n)[rows].copy() for n in ("latitude", "longitude"))
    length = altimeter_tracks.step_lengths(latitude, longitude, starts=np.zeros(1, np.int64))
    return Stretch(
        first_echo=first_echo,
        time=echoes.time[rows].copy(),
        distance_km=np.concatenate([[0.0], np.nancumsum(length)[:-1]]) / 1000.0,
        latitude=latitude,
        longitude=longitude,
        columns=columns,
        power_db=echogram(echoes, rows),
        gate_width_m=echoes.gate_width_m,
    )


def echogram(echoes: Echoes, rows: slice) -> np.ndarray:
    """Return echoes of a stretch in dB, float32 (gates, n), NaN without power; no gates for products without echoes.

    Gates are shifted by what the tracker moved against the smooth height of the surface, so hyperbolas stay whole.
    """
    if not echoes.gates:
        return np.zeros((0, len(range(*rows.indices(len(echoes))))), np.float32)
    power = echoes.power(rows)
    gates = power.shape[1]
    agc = np.nan_to_num(echoes.agc[rows]) if echoes.units == "count" else np.zeros(len(power))
    shift = _shifts(echoes, rows)
    place = np.arange(gates)[None, :] + shift[:, None]
    inside = (place >= 0) & (place < gates)
    power = np.where(inside, np.take_along_axis(power, np.clip(place, 0, gates - 1), axis=1), np.nan)
    if gates > GATES:
        middle = int(np.nanmedian(np.argmax(np.nan_to_num(power), axis=1)))
        low = int(np.clip(middle - GATES // 2, 0, gates - GATES))
        power = power[:, low : low + GATES]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (10.0 * np.log10(np.where(power > 0, power, np.nan)) + agc[:, None]).T
    seen = np.flatnonzero(np.isfinite(found).mean(axis=1) > 0.5)
    return found[max(int(seen[0]) - BEFORE, 0) if seen.size else 0 :].astype(np.float32)


def _shifts(echoes: Echoes, rows: slice) -> np.ndarray:
    """Return by how many gates each echo is moved: tracker against altitude, a slow change taken off."""
    height = echoes.altitude[rows] - echoes.tracker[rows]
    n = height.size
    known = np.isfinite(height)
    if known.sum() < 10 or not np.isfinite(echoes.gate_width_m):
        return np.zeros(n, np.int64)
    there = np.flatnonzero(known)
    level = running_median(np.ascontiguousarray(height[there]), np.array([0, there.size]), SMOOTH)
    moved = np.zeros(n)
    moved[there] = (height[there] - level) / echoes.gate_width_m
    return np.clip(np.rint(moved), -40, 40).astype(np.int64)
