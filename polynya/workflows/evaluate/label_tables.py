"""Label tables as the reference of many tables of leads: each is read once, and few are in memory at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import io, schema
from ...errors import ProductError
from ...samples import labelled_echoes
from ...schema.lead_labels import LABELLED, LEAD_LABELS, LEAD_NEAR, NO_LEAD
from ...schema.runs import RUNS
from .echo_matching import MISSING, PLACE, TOLERANCE_NS, OtherTrackError, Reference, matched, times_of

COLUMNS = ("time", *PLACE, "label", "label_flag", "lead_distance", "pass_id")
MOST_HELD = 8
"""Label tables in memory: those of a pass and of its neighbours."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A label table, and when its first and last echo were measured, nanoseconds."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class LabelTables:
    """Label tables by their times.

    Attributes
    ----------
    name : str
        Of the table, or of their folder.
    spans : tuple of Span
    thresholds_m : tuple of float
        Of the tables that state one.
    read : callable
        Reads a table; keeps the last :data:`MOST_HELD`.
    """

    name: str
    spans: tuple[Span, ...]
    thresholds_m: tuple[float, ...]
    read: Callable[[Path], pa.Table]

    @classmethod
    def of(cls, reference: Path, *, expected: str) -> LabelTables:
        """Look at the times of the tables; their labels are read when a table of leads needs them.

        Parameters
        ----------
        reference : Path
            A table, or a folder of them.
        expected : str
            What should be there, for errors.

        Raises
        ------
        ProductError
            If one is another table or cannot be read, or there is none.
        """
        spans, thresholds = [], set()
        for path in labelled_echoes.tables_in(reference) if reference.is_dir() else [reference]:
            about = io.table_metadata(path)
            kind = about.get(b"polynya_table", b"").decode()
            if kind == RUNS.name and reference.is_dir():
                continue  # polynya label writes it beside the tables
            if kind != LEAD_LABELS.name:
                raise ProductError(
                    f"{path.name}: is a table of {kind or 'unknown'} (metadata polynya_table); expected"
                    f" {LEAD_LABELS.name}, as polynya label writes it. Give that one."
                )
            time = times_of(io.read_table(path, columns=["time"])["time"])
            time = time[time != MISSING]
            if time.size:
                spans.append(Span(path=path, first=int(time.min()), last=int(time.max())))
            if about.get(b"threshold_m"):
                thresholds.add(float(about[b"threshold_m"]))
        if not spans:
            raise ProductError(
                f"{reference.name}: is a folder without label tables; expected {expected}. Check the path."
            )
        read = functools.lru_cache(maxsize=MOST_HELD)(_read)
        return cls(name=reference.name, spans=tuple(spans), thresholds_m=tuple(sorted(thresholds)), read=read)

    def reference_of(self, table: pa.Table, source: str) -> Reference:
        """Return labels of the echoes of a table of leads: by time and place.

        Parameters
        ----------
        table : pyarrow.Table
            Of :data:`polynya.schema.lead_labels.LEADS`, n echoes.
        source : str
            Name of its file, for errors.

        Raises
        ------
        OtherTrackError
            If no echo has a label.
        """
        mine = times_of(table["time"])
        mine = mine[mine != MISSING]
        near = [
            s.path
            for s in self.spans
            if mine.size and s.first - TOLERANCE_NS <= mine.max() and s.last + TOLERANCE_NS >= mine.min()
        ]
        where = f"{self.name} and {source}"
        if not near:
            raise OtherTrackError(
                f"{where}: no echo of the one has the time of one of the other, within 5 ms; expected the same track."
                " Check the files."
            )
        parts = [self.read(path) for path in near]
        labels = pa.concat_tables([p.cast(parts[0].schema) for p in parts])
        return _reference(labels, table, where=where)


def _read(path: Path) -> pa.Table:
    return io.read_table(path, columns=list(COLUMNS))


def _reference(labels: pa.Table, table: pa.Table, *, where: str) -> Reference:
    place = matched(table, times_of(labels["time"]), *(schema.to_numpy(labels[n]) for n in PLACE), where=where)
    there = place >= 0
    label, flag = (schema.to_numpy(labels[n])[place] for n in ("label", "label_flag"))
    known = there & (flag == LABELLED)
    truth = np.where(known & (label == LEAD_NEAR), 1, np.where(known & (label == NO_LEAD), 0, -1)).astype(np.int8)
    distance = np.where(known, schema.to_numpy(labels["lead_distance"])[place], np.nan)
    distance[(truth == 0) & np.isnan(distance)] = np.inf  # the map has no lead at all
    names = np.array(labels["pass_id"].cast(pa.string()).to_pylist(), dtype=str)[place]
    n = len(table)
    return Reference(
        truth=truth,
        distance=distance,
        classes=np.zeros(n, np.int8),
        is_bright_ice=np.zeros(n, bool),
        pass_id=np.where(there, names, ""),
    )
