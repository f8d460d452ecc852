"""A person's corrections of labels: one JSON line per change, appended and never deleted, and their merge into a label
table.

The file lies beside the labels (``labels.parquet`` → ``labels.corrections.jsonl``). The labels themselves are not
touched: what holds now follows from the labels and the lines. An undo is a line that names the line it takes back, and
taking an undo back is a redo. Stretches are kept as ``x_atc``, so they stay in place when labels are made again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import os
import secrets
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import schema
from ..errors import OutputError, ProductError, UsageError, one_line
from ..io import opening

LABEL, SHIFT, UNDO, DONE = "label", "shift", "undo", "done"
ACTIONS = (LABEL, SHIFT, UNDO, DONE)
SETTABLE = (schema.THICK_ICE, schema.THIN_ICE, schema.OPEN_WATER, schema.UNCLASSIFIED)
"""Classes that a person gives; -1 sets a stretch aside."""
SET_ASIDE_FLAG = 6
SNAP_M = 0.01
"""A segment belongs to a stretch that reaches it within this."""
TORN = "torn"


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One line of a corrections file.

    Attributes
    ----------
    action : str
        ``label``, ``shift``, ``undo`` or ``done``.
    granule : str
    who : str
    to : int, bool, str or (float, float)
        ``label``: the class 0, 1, 2, or -1 for set aside. ``shift``: east and north, m, that are added to the track's
        position in the scene's CRS. ``done``: whether the file is reviewed. ``undo``: the ``id`` that is taken back.
    beam : str
        ``label`` only, else empty.
    x_from, x_to : float
        ``label`` only, else NaN: ``x_atc`` of the first and the last segment, m, both inside.
    was : dict, (float, float), bool or None
        What held before: segments of each label; the shift; the mark. Written as ``from``.
    id : str
        Unique in the file.
    time : str
        UTC, ISO 8601.
    """

    action: str
    granule: str
    who: str
    to: int | bool | str | tuple[float, float]
    beam: str = ""
    x_from: float = math.nan
    x_to: float = math.nan
    was: dict[str, int] | tuple[float, float] | bool | None = None
    id: str = ""
    time: str = ""


@dataclass(frozen=True, kw_only=True)
class Log:
    """A corrections file as read.

    Attributes
    ----------
    corrections : tuple of Correction
        In the file's order.
    torn : str
        The incomplete last line; empty for a file that is whole.
    """

    corrections: tuple[Correction, ...]
    torn: str = ""


def beside(labels: Path | str) -> Path:
    """Return where the corrections of a label table lie."""
    path = Path(labels)
    return path.with_name(f"{path.stem}.corrections.jsonl")


def stamped(correction: Correction) -> Correction:
    """Return a checked correction with a new id and the time now.

    Raises
    ------
    UsageError
        If a field does not fit the action.
    """
    values = asdict(correction) | {
        "id": secrets.token_hex(6),
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
    }
    try:
        return _parsed(_line(Correction(**values)))
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"correction: {error}; expected the fields of polynya.labels.corrections.Correction. Nothing was written."
        ) from error


def _line(c: Correction) -> str:
    out: dict[str, object] = {"id": c.id, "time": c.time, "who": c.who, "granule": c.granule, "action": c.action}
    if c.action == LABEL:
        out |= {"beam": c.beam, "x_atc": [float(c.x_from), float(c.x_to)]}
    return json.dumps(out | {"from": c.was, "to": c.to}, ensure_ascii=True, allow_nan=False)


def _parsed(line: str | bytes) -> Correction:
    raw = json.loads(line)
    action, to, was = raw["action"], raw["to"], raw.get("from")
    x_from = x_to = math.nan
    if action == LABEL:
        x_from, x_to = (_finite(v) for v in raw["x_atc"])
        if x_from > x_to:
            raise ValueError(f"the stretch ends ({x_to}) before it starts ({x_from})")
        if isinstance(to, bool) or to not in SETTABLE:
            raise ValueError(f"class {to!r} is none of {SETTABLE}")
        if not isinstance(raw["beam"], str) or not raw["beam"]:
            raise ValueError("the beam is missing")
    elif action == SHIFT:
        east, north = to
        to = (_finite(east), _finite(north))
        was = tuple(_finite(v) for v in was) if was is not None else None
    elif action == DONE:
        if not isinstance(to, bool):
            raise ValueError(f"done is {to!r}, neither true nor false")
    elif action == UNDO:
        if not isinstance(to, str) or not to:
            raise ValueError("an undo names no line")
    else:
        raise ValueError(f"action {action!r} is none of {ACTIONS}")
    texts = [raw[k] for k in ("id", "time", "who", "granule")]
    if not all(isinstance(t, str) for t in texts):
        raise ValueError("id, time, who and granule are text")
    return Correction(
        action=action,
        granule=raw["granule"],
        who=raw["who"],
        to=to,
        beam=raw.get("beam", ""),
        x_from=x_from,
        x_to=x_to,
        was=was,
        id=raw["id"],
        time=raw["time"],
    )


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


# ---- the file ------------------------------------------------------------------------------------


def read_log(path: Path | str) -> Log:
    """Read a corrections file; a file that does not exist holds none.

    Raises
    ------
    ProductError
        If a line is broken that is not what a stopped writer leaves, or two lines have one id.
    """
    path = Path(path)
    if not os.path.lexists(path):
        return Log(corrections=())
    raw = opening.read_bytes(path, expected="a corrections file. Check the path and its permissions")
    out: list[Correction] = []
    broken: list[tuple[int, str, str]] = []
    seen: set[str] = set()
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            if json.loads(line).get("action") == TORN:  # says that the broken line before it is known
                broken = []
                continue
            found = _parsed(line)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            broken.append((number, line.decode("utf-8", "replace"), one_line(error)))
            continue
        if broken:
            break
        if found.id in seen:
            raise ProductError(
                f"{path.name}: line {number} has the id {found.id} of an earlier line; expected one line per change."
                " Remove the copied line."
            )
        seen.add(found.id)
        out.append(found)
    else:
        return Log(corrections=tuple(out), torn="".join(text for _, text, _ in broken))
    number, _, why = broken[0]
    raise ProductError(
        f"{path.name}: line {number} is no correction ({why}), and good lines follow; expected one JSON object per"
        " line. The file was edited or damaged: correct or remove that line."
    )


def read(path: Path | str) -> list[Correction]:
    """Return the corrections of a file, undone ones and undos too; an incomplete last line is ignored with a warning.

    Parameters
    ----------
    path : Path or str
        The corrections file.

    Raises
    ------
    ProductError
        As :func:`read_log`, and if the file does not exist.
    """
    if not Path(path).exists():
        raise ProductError(
            f"{Path(path).name}: no such file at {path}; expected corrections that polynya review wrote. Check the"
            " path."
        )
    log = read_log(path)
    if log.torn:
        warnings.warn(f"{Path(path).name}: the last line is incomplete and is ignored: {log.torn[:80]}", stacklevel=2)
    return list(log.corrections)


def append(path: Path | str, correction: Correction) -> Correction:
    """Write one correction to the end of a file and return it as written, with id and time; on disk when this returns.

    Parameters
    ----------
    path : Path or str
        The corrections file; made if it is not there.
    correction : Correction
        ``id`` and ``time`` are given here.

    Raises
    ------
    UsageError
        If a field does not fit the action.
    OutputError
        If it cannot be written; the file is then as it was.
    """
    path = Path(path)
    new = stamped(correction)
    try:
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            size = os.fstat(handle).st_size
            try:
                _write(handle, _completed(path, handle, size) + _line(new).encode() + b"\n")
                os.fsync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        if is_new:
            _sync_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"{path.name}: the correction cannot be written in {path.parent} ({one_line(error)}); expected a folder"
            " with room and write permission. It is NOT saved."
        ) from error
    return new


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _completed(path: Path, handle: int, size: int) -> bytes:
    """Return what must come before the next line: an end for a torn one, and a note that makes it known."""
    if not size:
        return b""
    os.lseek(handle, size - 1, os.SEEK_SET)
    end = b"" if os.read(handle, 1) == b"\n" else b"\n"
    note = {"action": TORN, "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")}
    return end + (json.dumps(note).encode() + b"\n" if read_log(path).torn else b"")


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system lets a folder be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# ---- what holds ----------------------------------------------------------------------------------


def active(corrections: Sequence[Correction]) -> list[Correction]:
    """Return the label, shift and done lines that hold: those that no undo in force takes back, in the file's order."""
    undone: set[str] = set()
    out = []
    for c in reversed(corrections):
        if c.id in undone:
            continue
        if c.action == UNDO:
            undone.add(str(c.to))
        else:
            out.append(c)
    return out[::-1]


def history(corrections: Sequence[Correction]) -> tuple[list[Correction], list[tuple[Correction, Correction]]]:
    """Return what can be undone and what can be redone, the next one last.

    Returns
    -------
    list of Correction
        Lines in force.
    list of (Correction, Correction)
        The line taken back, and the undo to take back for a redo. A new change after an undo empties it.
    """
    by_id = {c.id: c for c in corrections}
    done: list[Correction] = []
    undone: list[tuple[Correction, Correction]] = []
    for c in corrections:
        if c.action != UNDO:
            done.append(c)
            undone = []
            continue
        target = by_id.get(str(c.to))
        if target is None:
            continue
        if target.action == UNDO:  # a redo
            pair = next((p for p in undone if p[1].id == target.id), None)
            if pair:
                undone.remove(pair)
                done.append(pair[0])
        elif target in done:
            done.remove(target)
            undone.append((target, c))
    return done, undone


def shift(corrections: Sequence[Correction], *, granule: str) -> tuple[float, float] | None:
    """Return the last shift in force, east and north in metres, or None where nobody set one."""
    found = [c for c in active(corrections) if c.action == SHIFT and c.granule == granule]
    return found[-1].to if found else None  # type: ignore[return-value]


def is_done(corrections: Sequence[Correction], *, granule: str) -> bool:
    """Return whether the file is marked as reviewed."""
    found = [c for c in active(corrections) if c.action == DONE and c.granule == granule]
    return bool(found and found[-1].to)


def stretch(x_atc: np.ndarray, x_from: float, *, x_to: float) -> slice:
    """Return the segments of a stretch.

    Parameters
    ----------
    x_atc : numpy.ndarray, shape (n,)
        Ascending, m.
    x_from, x_to : float
        First and last segment, m, both inside.
    """
    return slice(
        int(np.searchsorted(x_atc, x_from - SNAP_M, "left")), int(np.searchsorted(x_atc, x_to + SNAP_M, "right"))
    )


def apply(table: pa.Table, corrections: Sequence[Correction]) -> pa.Table:
    """Return a label table with the corrections in force merged; later ones win.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.schema.LABELS`, rows in any order.
    corrections : sequence of Correction
        In the file's order. Those of other granules or beams change nothing here.

    Returns
    -------
    pyarrow.Table
        The same rows, columns and metadata; ``label``, ``label_source`` (person) and ``label_flag`` changed inside the
        stretches. A shift moves nothing here: labels have to be sampled again with it (:func:`shift`).

    Raises
    ------
    UsageError
        If the table is no label table.
    """
    missing = [
        n for n in ("granule", "beam", "x_atc", "label", "label_source", "label_flag") if n not in table.column_names
    ]
    if missing:
        raise UsageError(
            f"corrections: columns {missing} are missing in the table; expected labels that polynya label wrote. Give"
            " that table."
        )
    lines = [c for c in active(corrections) if c.action == LABEL]
    if not lines:
        return table
    x = schema.to_numpy(table["x_atc"])
    columns = {n: np.array(schema.to_numpy(table[n])) for n in ("label", "label_source", "label_flag")}
    for granule, beam in dict.fromkeys((c.granule, c.beam) for c in lines):
        here = pc.and_(
            pc.equal(table["granule"].cast(pa.string()), granule), pc.equal(table["beam"].cast(pa.string()), beam)
        )
        rows = np.flatnonzero(here.to_numpy(zero_copy_only=False) if isinstance(here, pa.Array) else here.to_numpy())
        rows = rows[np.argsort(x[rows], kind="stable")]
        along = x[rows]
        for c in lines:
            if (c.granule, c.beam) == (granule, beam):
                overwrite(
                    c,
                    rows[stretch(along, c.x_from, x_to=c.x_to)],
                    label=columns["label"],
                    source=columns["label_source"],
                    flag=columns["label_flag"],
                )
    for name, values in columns.items():
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), schema.from_numpy(values))
    return table


def overwrite(
    correction: Correction, rows: np.ndarray | slice, *, label: np.ndarray, source: np.ndarray, flag: np.ndarray
) -> None:
    """Give rows of three columns, each of shape (n,), what a label correction says, in place."""
    label[rows], source[rows] = correction.to, schema.LABEL_PERSON
    flag[rows] = SET_ASIDE_FLAG if correction.to == schema.UNCLASSIFIED else 0


def counts(label: np.ndarray) -> dict[str, int]:
    """Return how many segments carry each label, by its number as text; labels that do not occur are left out."""
    values, n = np.unique(label, return_counts=True)
    return {str(int(v)): int(k) for v, k in zip(values, n, strict=True)}
