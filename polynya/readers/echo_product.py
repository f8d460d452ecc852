"""What the readers of radar-altimeter echoes share: names by a table of aliases, blocks of records, and the checks.

A reader gives a :class:`Layout` (which variable has which names) and a function that turns a block into columns of
:class:`polynya.schema.echoes.Echoes`. A variable that is missing leaves a column of NaN unless the layout requires it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ProductError, UsageError
from ..io import opening
from ..io.packed_netcdf import ALL, PackedFile, PackedVariable, open_packed
from ..schema import Note, counted
from ..schema.echoes import COLUMNS, Echoes
from .leap_seconds import utc_from_tai

BLOCK = 20_000
"""Echoes that are read at once."""
MOST_ECHOES, MOST_GATES = 100_000_000, 8192
"""More is no track but a damaged header."""
_SINCE = re.compile(r"^\s*(seconds|days)\s+since\s+(\d{4}-\d{2}-\d{2})[T ]?(\d{2}:\d{2}:\d{2}(?:\.\d+)?)?", re.I)
FLAGS = ("mode", "quality_flag", "surface_type", "surface_class", "product_class_flag")
FLOATS = tuple(n for n in COLUMNS if n not in (*FLAGS, "time"))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The table of a product.

    Attributes
    ----------
    product : str
        Its name.
    expected : str
        What should be there and what to do, for errors.
    names : dict of str to tuple of str
        Names in files, by what the reader calls a variable; the first that a file has is taken.
    required : tuple of str
        Of the keys of ``names``.
    per_row : int
        Echoes in a row of the file: 40 where arrays are (1 Hz, 40).
    is_tai : bool
        Whether times count TAI seconds.
    """

    product: str
    expected: str
    names: dict[str, tuple[str, ...]]
    required: tuple[str, ...]
    per_row: int = 1
    is_tai: bool = False

    def find(self, names: Sequence[str]) -> dict[str, str]:
        """Return which variable of a file serves each key, for those that it has."""
        held = set(names)
        return {key: n for key, aliases in self.names.items() if (n := next((a for a in aliases if a in held), ""))}


@dataclass(frozen=True, kw_only=True)
class Source:
    """An open file of a product.

    Attributes
    ----------
    file : PackedFile
    layout : Layout
    found : dict of str to str
        Variable that serves each key of the layout.
    rows : int
        Rows of the file; each has ``layout.per_row`` echoes.
    gates : int
    """

    file: PackedFile
    layout: Layout
    found: dict[str, str]
    rows: int
    gates: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.file.path.name

    @property
    def count(self) -> int:
        """Number of echoes."""
        return self.rows * self.layout.per_row

    def variable(self, key: str) -> PackedVariable | None:
        """Return the variable that serves a key, None where the file has none."""
        return self.file.variables[self.found[key]] if key in self.found else None

    def values(self, key: str, rows: slice) -> np.ndarray:
        """Return unpacked numbers of a key, one per echo of some rows; NaN where the file has none."""
        found = self.variable(key)
        return np.full(self.size(rows), np.nan) if found is None else self.numbers(found, rows)

    def size(self, rows: slice) -> int:
        """Return the number of echoes of some rows."""
        return len(range(*rows.indices(self.rows))) * self.layout.per_row

    def numbers(self, variable: PackedVariable, rows: slice) -> np.ndarray:
        """Return unpacked numbers of a variable, one per echo of some rows."""
        return self._spread(variable.values(rows), rows, variable, np.nan)

    def flags(self, key: str, rows: slice) -> np.ndarray:
        """Return stored flags of a key as int64, -1 where the file has none or its fill."""
        found = self.variable(key)
        if found is None:
            return np.full(self.size(rows), -1, np.int64)
        return self._spread(flags_of(found, rows), rows, found, -1)

    def counts(self, rows: slice) -> np.ndarray:
        """Return stored counts of the echoes of some rows, shape (k, gates)."""
        found = self.variable("waveform")
        count = self.size(rows)
        if found is None:
            return np.zeros((count, 0), np.uint16)
        stored = found.raw(rows).reshape(count, self.gates)
        if stored.dtype.kind == "f":
            fill = np.nan if found.fill is None else found.fill
            return np.where(stored == fill, np.nan, stored).astype(np.float32)
        # NetCDF 3 has no unsigned numbers: a negative fill value becomes the one that fill_count returns
        return stored.astype(np.uint16 if stored.dtype.itemsize <= 2 else np.uint32, copy=False)

    def fill_count(self) -> int | None:
        """Return the stored count that means "no value", as :meth:`counts` gives it; None where there is none."""
        found = self.variable("waveform")
        if found is None or found.fill is None:
            return None
        kind = found.raw(slice(0, 0)).dtype
        return None if kind.kind == "f" else int(found.fill) % (1 << (16 if kind.itemsize <= 2 else 32))

    def _spread(self, found: np.ndarray, rows: slice, variable: PackedVariable, missing: float) -> np.ndarray:
        """Return one number per echo: values of 1 Hz are repeated, rows that were never written are missing."""
        count, per_row = self.size(rows), self.layout.per_row
        if found.ndim == 1 and found.size * per_row == count:
            return np.repeat(found, per_row)
        if found.ndim == (2 if per_row > 1 else 1):
            absent = count - found.size
            if absent == 0:
                return found.reshape(-1)
            if absent > 0 and variable.may_grow and found.shape[1:] in ((), (per_row,)):
                return np.concatenate([found.reshape(-1), np.full(absent, missing, found.dtype)])
        raise ProductError(
            f"{self.name}: {variable.name} has the shape {variable.shape} where the file states"
            f" {counted(self.count, 'echo')}; expected"
            " one number per echo. The file is damaged: get it again."
        )


Build = Callable[[Source, slice], dict[str, Any]]
"""Columns of a block: from an open file and rows. Those that are not returned are taken by their key."""


def flags_of(variable: PackedVariable, rows: slice = ALL) -> np.ndarray:
    """Return stored flags as int64, -1 where the file has its fill.

    Parameters
    ----------
    variable : PackedVariable
        Of whole numbers.
    rows : slice
        Along the first dimension.
    """
    packed = variable.raw(rows)
    missing = ~np.isfinite(packed) if packed.dtype.kind == "f" else np.zeros(packed.shape, bool)
    if variable.fill is not None:
        missing = missing | (packed == variable.fill)
    return np.where(missing, -1, np.where(missing, 0, packed).astype(np.int64))


@contextlib.contextmanager
def open_source(path: Path | str, layout: Layout) -> Iterator[Source]:
    """Open a file of a product and check its variables and positions.

    Raises
    ------
    ProductError
        If it is damaged, another product, lacks a required variable, or has no usable positions.
    """
    with open_packed(file_of(path), expected=layout.expected) as file:
        found = layout.find(file.names)
        known = set(layout.required) & set(found)
        if not known:
            raise ProductError(
                f"{file.path.name}: holds {', '.join(file.names[:6]) or 'no variable'}; expected {layout.expected}."
            )
        for key in layout.required:
            if key not in found:
                raise ProductError(
                    f"{file.path.name}: {layout.names[key][0]} is missing; a file of {layout.product} must have it."
                    " Order the file without a subset of variables."
                )
        yield _checked(file, layout, found)


def _checked(file: PackedFile, layout: Layout, found: dict[str, str]) -> Source:
    """Return the source after its sizes and positions were checked."""
    echo = file.variables[found.get("waveform", found["latitude"])]
    latitude = file.variables[found["latitude"]]
    grid = (layout.per_row,) if layout.per_row > 1 else ()
    gates = echo.shape[-1] if "waveform" in found else 0
    expected = (latitude.shape[:1] + grid + ((gates,) if "waveform" in found else ())) if latitude.shape else None
    if echo.shape != expected or latitude.shape != echo.shape[: 1 + len(grid)]:
        raise ProductError(
            f"{file.path.name}: {echo.name} has the shape {echo.shape} and {latitude.name} {latitude.shape}; expected"
            f" (rows{', 40' if grid else ''}{', gates' if 'waveform' in found else ''}) and the same rows. Get the file"
            " again."
        )
    rows = latitude.shape[0]
    if rows * layout.per_row > MOST_ECHOES or gates > MOST_GATES:
        raise ProductError(
            f"{file.path.name}: states {rows * layout.per_row} echoes of {gates} gates; expected at most {MOST_ECHOES}"
            f" of {MOST_GATES}. The file is damaged: get it again."
        )
    if rows == 0:
        raise ProductError(f"{file.path.name}: has no echo; expected {layout.expected}.")
    return Source(file=file, layout=layout, found=found, rows=rows, gates=gates)


def file_of(path: Path | str) -> Path:
    """Return the file to read: ``enhanced_measurement.nc`` of a SEN3 folder, or the path itself."""
    path = Path(path)
    inner = path / "enhanced_measurement.nc"
    return inner if path.is_dir() and inner.is_file() else path


@dataclass(frozen=True, kw_only=True)
class About:
    """What is one per file: the attributes of :class:`Echoes` of the same names."""

    mission: str
    release: str
    units: str
    saturation: float | None = None
    gate_width_m: float = np.nan
    nominal_gate: float = np.nan
    notes: tuple[Note, ...] = ()


def simulated_notes(source: Source) -> tuple[Note, ...]:
    """Return a note if the file's title or source says that no satellite measured it."""
    if "SIMULATED" not in (source.file.text("title") + source.file.text("source")).upper():
        return ()
    return (Note(code="simulated", text="simulated echoes, not satellite data: no evidence of skill"),)


def blocks(
    path: Path | str,
    layout: Layout,
    *,
    about: Callable[[Source], About],
    build: Build,
    extra: Sequence[str] = (),
    records: int = BLOCK,
) -> Iterator[Echoes]:
    """Read a file in blocks: memory grows with ``records``, not with the file.

    Parameters
    ----------
    path : Path or str
        The file.
    layout : Layout
        Of the product.
    about, build : callable
        What is one per file; columns of a block.
    extra : sequence of str
        Names of more variables to give, one number per echo.
    records : int
        Echoes in a block, about.

    Yields
    ------
    Echoes

    Raises
    ------
    ProductError
        As :func:`open_source`; if an echo has no position or time; if no echo has any power.
    UsageError
        If the file has no variable of a name in ``extra``, or ``records`` is below 1.
    """
    if records < 1:
        raise UsageError(f"blocks of {records} echoes; expected 1 or more. Give another number.")
    with open_source(path, layout) as source:
        missing = [n for n in extra if n not in source.file.variables]
        if missing:
            raise UsageError(f"{source.name}: has no variable {', '.join(missing)}; expected one of its own. See info.")
        step = max(records // layout.per_row, 1)
        of_file, has_power = about(source), source.gates == 0
        for start in range(0, source.rows, step):
            block = _block(source, slice(start, min(start + step, source.rows)), of_file, build=build, extra=extra)
            has_power = has_power or _has_power(block)
            yield block
    if not has_power:
        raise ProductError(
            f"{source.name}: none of its {counted(source.count, 'echo')} has a sample above zero; expected waveforms"
            " with power."
            " Choose another file."
        )


def times(path: Path | str, layout: Layout) -> np.ndarray:
    """Read the times of a file's echoes and nothing else.

    Parameters
    ----------
    path : Path or str
        The file.
    layout : Layout
        Of the product.

    Returns
    -------
    numpy.ndarray of datetime64[ns], shape (n,)
        UTC, NaT where missing.

    Raises
    ------
    ProductError
        As :func:`open_source`.
    """
    with open_source(path, layout) as source:
        return _time(source, slice(0, source.rows))


def _block(source: Source, rows: slice, of_file: About, *, build: Build, extra: Sequence[str]) -> Echoes:
    own = build(source, rows)
    columns: dict[str, Any] = {n: own.pop(n) if n in own else source.values(n, rows) for n in FLOATS}
    for name in FLAGS:
        kind = np.int64 if name in ("quality_flag", "product_class_flag") else np.int8
        columns[name] = np.asarray(own.pop(name) if name in own else source.flags(name, rows)).astype(kind)
    for name in ("mode", "surface_class"):
        columns[name] = np.maximum(columns[name], 0)
    columns["time"] = _time(source, rows)
    east = columns["longitude"]
    columns["longitude"] = np.where(np.abs(east) <= 360.0, (east + 180.0) % 360.0 - 180.0, np.nan)
    waveform = source.counts(rows)
    _check_positions(source, columns, waveform, first=rows.start * source.layout.per_row)
    kept = {n: source.numbers(source.file.variables[n], rows) for n in extra}
    return Echoes(
        source=source.name,
        product=source.layout.product,
        **vars(of_file),
        **columns,
        **own,
        waveform=waveform,
        fill=source.fill_count(),
        extra=kept,
        unknown=unknown(source, extra),
        absent=tuple(n for n in source.layout.names if n not in source.found),
    )


def _time(source: Source, rows: slice) -> np.ndarray:
    """Return UTC times, datetime64[ns], NaT where missing."""
    found = source.variable("time")
    match = _SINCE.match(found.units) if found is not None else None
    if found is None or match is None:
        words = "is missing" if found is None else f"has the units {found.units[:60]!r}"
        raise ProductError(f"{source.name}: time {words}; expected seconds or days since a date. Get the file again.")
    unit, day, clock = match[1].lower(), match[2], match[3] or "00:00:00"
    seconds = source.values("time", rows) * (86400.0 if unit == "days" else 1.0)
    epoch = np.datetime64(f"{day}T{clock}", "ns")
    usable = np.isfinite(seconds) & (np.abs(seconds) < 5e9)
    whole = np.floor(np.where(usable, seconds, 0.0))
    parts = np.round((np.where(usable, seconds, 0.0) - whole) * 1e9).astype(np.int64)
    out = epoch + whole.astype(np.int64) * np.timedelta64(1_000_000_000, "ns") + parts.astype("timedelta64[ns]")
    out = utc_from_tai(out) if source.layout.is_tai else out
    return np.where(usable, out, np.datetime64("NaT", "ns"))


def _check_positions(source: Source, columns: dict[str, Any], waveform: np.ndarray, *, first: int) -> None:
    """Reject echoes without a position or a time; a row without position, time and waveform is a gap and stays."""
    latitude, longitude = columns["latitude"], columns["longitude"]
    bad = ~(np.isfinite(latitude) & np.isfinite(longitude) & (np.abs(latitude) <= 90.0)) | np.isnat(columns["time"])
    if waveform.shape[1]:
        empty = waveform == 0
        if (fill := source.fill_count()) is not None:
            empty |= waveform == fill
        if waveform.dtype.kind == "f":
            empty |= ~np.isfinite(waveform)
        bad &= ~empty.all(axis=1)
    if bad.any():
        raise ProductError(
            f"{source.name}: echo {first + int(np.flatnonzero(bad)[0])} has latitude {latitude[bad][0]:g}, longitude"
            f" {longitude[bad][0]:g} and time {columns['time'][bad][0]}; expected a position and a time for every echo."
            " Get the file again, or cut such echoes out."
        )


def _has_power(block: Echoes) -> bool:
    usable = block.waveform > 0
    if block.fill is not None:
        usable &= block.waveform != block.fill
    return bool(usable.any())


@cache
def documented(product: str) -> frozenset[str]:
    """Return names of variables that a product is known to have, from real files and its documents.

    Parameters
    ----------
    product : str
        Name of the reader's module.
    """
    with resources.as_file(resources.files("polynya") / "data" / "echo_variables.json") as path:
        return frozenset(json.loads(opening.read_text(path))[product].split())


def unknown(source: Source, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """Return variables of a file that neither the layout nor the product's documents have."""
    known = documented(source.layout.product) | {a for names in source.layout.names.values() for a in names}
    return tuple(n for n in source.file.names if n not in known and n not in extra)
