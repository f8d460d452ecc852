"""What is kept of a product while its blocks go by: counts, and the pictures that the page shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ... import schema
from ...report.imagettes import Shown, thumbnail
from ...schema.imagette_tags import NOT_ASSESSED, QUALITY
from ...schema.imagettes import TAGS
from .answers import Block

MOST_SHOWN = 600
"""Pictures on the page; of more imagettes some are chosen, spread over the tags."""
MOST_REASONS = 3
"""Pictures that could not be read of which it is said why."""
NONE, ASIDE = "none", "not_assessed"
"""Groups of imagettes without a tag: assessed, and not."""


@dataclass
class Summary:
    """What is known of the imagettes so far; it changes while blocks are added."""

    most: int = MOST_SHOWN
    n: int = 0
    tags: Counter[str] = field(default_factory=Counter)
    precise: Counter[str] = field(default_factory=Counter)
    bits: Counter[str] = field(default_factory=Counter)
    together: Counter[int] = field(default_factory=Counter)
    sums: dict[str, list[float]] = field(default_factory=dict)
    n_not_assessed: int = 0
    n_unknown: int = 0
    n_simulated: int = 0
    damaged: list[str] = field(default_factory=list)
    n_damaged: int = 0
    satellites: Counter[str] = field(default_factory=Counter)
    beams: Counter[str] = field(default_factory=Counter)
    orbits: set[int] = field(default_factory=set)
    start: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))
    end: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))
    notes: dict[str, None] = field(default_factory=dict)
    _kept: dict[str, list[Shown]] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def add(self, block: Block) -> None:
        """Count a block's imagettes, and keep some of their pictures.

        Parameters
        ----------
        block : Block
            The next one.
        """
        is_assessed = (block.quality & NOT_ASSESSED) == 0
        self.n += len(block.quality)
        self.n_not_assessed += int((~is_assessed).sum())
        self.n_unknown += int((~block.given.any(axis=1)).sum())
        self.n_simulated += block.simulated
        self.n_damaged += len(block.damaged)
        self.damaged += block.damaged[: MOST_REASONS - len(self.damaged)]
        for k, tag in enumerate(TAGS):
            self.tags[tag] += int(block.given[:, k].sum())
            self.precise[tag] += int(block.precise[:, k].sum())
        for bit, name in QUALITY.items():
            self.bits[name] += int(((block.quality & bit) > 0).sum())
        self.together.update(block.given.sum(axis=1)[is_assessed].tolist())
        self.notes.update(dict.fromkeys(block.notes))
        self._count_sources(block)
        self._keep(block, is_assessed)

    def _count_sources(self, block: Block) -> None:
        for counter, name in ((self.satellites, "satellite"), (self.beams, "beam")):
            counter.update(v for v in block.table[name].to_pylist() if v)
        self.orbits |= {v for v in block.table["absolute_orbit"].to_pylist() if v >= 0}
        times = schema.to_numpy(block.table["time"]).astype("datetime64[ns]")
        times = times[~np.isnat(times)]
        if times.size:
            self.start, self.end = np.fmin(self.start, times.min()), np.fmax(self.end, times.max())

    def _keep(self, block: Block, is_assessed: np.ndarray) -> None:
        times = schema.to_numpy(block.table["time"]).astype("datetime64[s]")
        rows = block.table.drop_columns(["time"]).to_pylist()
        for row, time in zip(rows, times, strict=True):
            row["time"] = "" if np.isnat(time) else f"{time}Z"
        for row, grey, is_good in zip(rows, block.greys, is_assessed.tolist(), strict=True):
            group = (_top(row) if row["tags"] else NONE) if is_good else ASIDE
            self._seen[group] += 1
            mine = self._kept.setdefault(group, [])
            if sum(map(len, self._kept.values())) >= self.most:
                largest = max(self._kept, key=lambda g: (len(self._kept[g]), g))
                if len(mine) >= len(self._kept[largest]):  # one of the group goes, each with the same chance
                    at = int(self._rng.integers(self._seen[group]))
                    if at < len(mine):
                        mine[at] = shown_of(row, grey)
                    continue
                other = self._kept[largest]
                other.pop(int(self._rng.integers(len(other))))
            mine.append(shown_of(row, grey))

    def shown(self) -> tuple[Shown, ...]:
        """Return the pictures of the page, in the order of the source."""
        return tuple(sorted((s for g in self._kept.values() for s in g), key=lambda s: s.number))

    def numbers(self) -> dict[str, float]:
        """Return counts for the record."""
        out: dict[str, float] = {
            "n_imagettes": self.n,
            "n_tagged": self.n - self.n_unknown,
            "n_unknown": self.n_unknown,
            "n_not_assessed": self.n_not_assessed,
            "n_damaged": self.n_damaged,
            "n_simulated": self.n_simulated,
            "n_orbits": len(self.orbits),
        }
        return out | {f"n_{t}": self.tags[t] for t in TAGS}

    def counted(self) -> dict[str, dict[str, int]]:
        """Return imagettes by tag, by precise tag, by bit and by number of tags."""
        together = {str(k): self.together[k] for k in sorted(self.together)}
        return {
            "tags": {t: self.tags[t] for t in TAGS},
            "precise_tags": {t: self.precise[t] for t in TAGS},
            "quality": {n: v for n, v in self.bits.items() if v},
            "tags_per_imagette": together,
        }


def _top(row: dict) -> str:
    return max(row["tags"], key=lambda t: row[f"probability_{t}"])


def shown_of(row: dict, grey: np.ndarray) -> Shown:
    """Return what the page shows of an imagette.

    Parameters
    ----------
    row : dict
        Of the table, its time as text.
    grey : numpy.ndarray of uint8, shape (h, w)
        The picture as the network saw it.
    """
    return Shown(
        number=row["number"],
        name=row["name"],
        time=row["time"],
        satellite=row["satellite"],
        beam=row["beam"],
        place=(row["latitude"], row["longitude"]),
        incidence=row["incidence_angle"],
        probability=tuple(row[f"probability_{t}"] for t in TAGS),
        tags=tuple(TAGS.index(t) for t in row["tags"]),
        precise=tuple(TAGS.index(t) for t in row["precise_tags"]),
        confidence=row["confidence"],
        quality=row["tag_quality"],
        jpeg=thumbnail(grey),
    )
