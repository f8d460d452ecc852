"""A folder's page and table: rows of this batch, those of earlier ones, and who may write them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import filelock
import numpy as np
import pyarrow as pa

from ... import __version__, io, schema
from ...engine.protocol import FAILED, Record
from ...errors import OutputError, ProductError
from ...report import runs as report
from ...schema.runs import DONE, RUNS
from ...schema.runs import FAILED as FAILED_ROW
from . import places
from .measures import QUANTITIES, Quantity

PAGE, TABLE, RECORD = "index.html", "runs.parquet", "index.run.json"
WAIT_S = 60.0
"""How long another command that writes the same page is waited for."""
_SUMS = {q.name: q.is_sum for q in QUANTITIES}


@contextlib.contextmanager
def alone(out: io.Place) -> Iterator[None]:
    """Hold the page for this process: two commands may write into one folder.

    Nothing holds it at an address: there the last of two commands writes the page.

    Parameters
    ----------
    out : Path or Address
        The folder.

    Raises
    ------
    OutputError
        If another process does not let it go.
    """
    if isinstance(out, io.Address):
        yield
        return
    out.mkdir(parents=True, exist_ok=True)
    lock = filelock.SoftFileLock(out / f".{PAGE}.lock", timeout=WAIT_S, poll_interval=0.1)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise OutputError(
            f"{out / PAGE}: another polynya has been writing it for {WAIT_S:.0f} s; expected it to finish. If none"
            f" runs,"
            f" remove {out / f'.{PAGE}.lock'}, and run the same command again."
        ) from error


def write(
    records: Sequence[Record], *, out: io.Place, command: str, results: Mapping[str, str], quantity: Quantity
) -> io.Place:
    """Write page and table; parameters as those of :func:`polynya.workflows.run_page.write`.

    Parameters
    ----------
    records : sequence of Record
        What the engine gave.
    out : Path or Address
        The folder.
    command : str
        Whose batch it is.
    results : mapping of str to str
        Item -> its folder or table.
    quantity : Quantity
        The number by which items are ranked.

    Returns
    -------
    Path or Address
        The page.

    Raises
    ------
    OutputError
        If a file that polynya did not write has one of the names.
    """
    io.check_files([out / PAGE, out / TABLE], record=out / RECORD, overwrite=True)
    held = _held(out / TABLE)
    old = {(r["command"], r["name"]): r for r in held}
    rows = dict(old)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for record in records:
        result = io.place(results[record.item])
        row = _row(record, out=out, command=command, result=result, quantity=quantity, old=old, now=now)
        rows[command, row["name"]] = row
    is_there = _looking(out)
    kept = [r for k, r in rows.items() if k not in old or r is not old[k] or _says_something(r, is_there)]
    if kept == held and (out / PAGE).exists():
        return out / PAGE  # nothing is new
    table = schema.table(RUNS, {n: _column(kept, n) for n in RUNS.names}, about={"polynya": __version__})
    record_of_page = io.run_record(
        command=io.command_line(), config={}, inputs=[], key={"workflow": "run_page"}, contents=[PAGE, TABLE]
    )
    text = report.render(kept, is_sum={quantity.name: quantity.is_sum, **_SUMS}, folder=_name(out))
    with io.writing(out / RECORD) as temporary:
        io.write_json(record_of_page, temporary)
    with io.writing(out / TABLE) as temporary:
        io.write_table(table, temporary, spec=RUNS, about={"polynya": __version__})
    with io.writing(out / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out / PAGE


def _held(path: io.Place) -> list[dict]:
    """Return the rows of earlier batches, numbers that are missing as None; none of a table that cannot be used."""
    if not path.exists():
        return []
    with io.fetched(str(path)) as there:
        try:
            table = io.read_table(there)
        except ProductError:
            return []
    rows = table.to_pylist() if table.column_names == RUNS.names else []
    return [{n: None if isinstance(v, float) and np.isnan(v) else v for n, v in row.items()} for row in rows]


def _says_something(row: dict, is_there: Callable[[str], bool]) -> bool:
    """Return whether an earlier row still says something: a failure, or a result that is there."""
    return row["state"] == FAILED_ROW or is_there(row["name"]) or is_there(f"{row['name']}.parquet")


def _looking(out: io.Place) -> Callable[[str], bool]:
    """Return what tells whether a result is in a folder; a store is asked once for all of them."""
    if isinstance(out, io.Address):
        names = io.children(out)
        return lambda name: name.partition("/")[0] in names
    return lambda name: (out / name).exists()


def _name(out: io.Place) -> str:
    return out.name if isinstance(out, io.Address) else out.resolve().name


def _column(rows: list[dict], name: str) -> object:
    values = [r[name] for r in rows]
    dtype = RUNS[name].dtype
    if pa.types.is_timestamp(dtype) or pa.types.is_list(dtype):
        return pa.array(values, dtype)
    return values


def _row(
    record: Record,
    *,
    out: io.Place,
    command: str,
    result: io.Place,
    quantity: Quantity,
    old: Mapping[tuple[str, str], dict],
    now: dt.datetime,
) -> dict:
    """Return an item's row: that of an earlier batch where the result is the same."""
    name = _relative(result.with_suffix("") if result.suffix == ".parquet" else result, out)
    earlier = old.get((command, name))
    row = {
        "command": command,
        "name": name,
        "item": record.item,
        "state": FAILED_ROW if record.status == FAILED else DONE,
        "reason": record.message.replace("\n", " "),
        "report": "",
        "data_time": None,
        "finished": now,
        "seconds": float(record.seconds),
        "batch": now,
        "started": _time(record.started, fraction=True),
        "worker": record.worker,
        "tries": record.tries,
        "quantity": quantity.name,
        "units": quantity.units,
        "value": None,
        "weight": 0.0,
        "uncertainty_random": None,
        "uncertainty_correlated": None,
        "is_simulated": False,
        "polynya": __version__,
        "versions": "{}",
        "numbers": "{}",
        "track_latitude": [],
        "track_longitude": [],
        "is_area": False,
    }
    if record.status == FAILED:
        return row | _placed(places.of_granule(Path(record.item)))
    run, files = _files_of(result)
    finished = _time(run.get("time"))
    if earlier is not None and earlier["state"] == DONE and earlier["finished"] == finished:
        return earlier
    numbers = record.numbers or run.get("numbers") or {}
    found = quantity.measure(numbers, run)
    inputs = run.get("inputs") or [{}]
    seconds = numbers.get("seconds", record.seconds)
    return row | {
        "reason": " ".join(run.get("messages") or run.get("notes") or []),
        "report": next((_relative(f, out) for f in files if f.suffix == ".html"), ""),
        "finished": finished,
        "seconds": float(seconds if seconds is not None else record.seconds),
        "value": _known(found.value),
        "weight": _known(found.weight) or 0.0,
        "uncertainty_random": _known(found.random),
        "uncertainty_correlated": _known(found.correlated),
        "is_simulated": bool(inputs[0].get("is_simulated")),
        "polynya": str(run.get("polynya", "")),
        "versions": json.dumps(run.get("versions", {})),
        "numbers": json.dumps(io.plain(dict(numbers))),
        **_placed(places.of_result([*files, *_located_by(record)]), otherwise=_time(inputs[0].get("time"))),
    }


def _located_by(record: Record) -> list[Path]:
    """Return what says where an item lies if its own files do not: scores have no position."""
    return [Path(p) for name, p in record.outputs.items() if name == "located_by" and Path(p).is_file()]


def _files_of(result: io.Place) -> tuple[dict, list[io.Place]]:
    """Return a result's record, and its files; nothing of one that cannot be read."""
    is_table = result.suffix == ".parquet" and not result.is_dir()
    record = result.with_suffix(".run.json") if is_table else result / "run.json"
    try:
        run = io.read_json(record)
    except ProductError:  # gone since, or damaged
        return {}, []
    listed = [record.parent / str(n) for n in run.get("contents", [])]
    order = {"segments.parquet": 0, "probability.tif": 0, "report.html": 0}
    files = [f for f in listed if isinstance(f, io.Address) or f.is_file()]  # in a store, the record came last
    return run, sorted(files, key=lambda f: (order.get(f.name, 1), f.name))


def _placed(place: places.Place, *, otherwise: dt.datetime | None = None) -> dict:
    time = None if place.time is None else place.time.astype("datetime64[s]").item().replace(tzinfo=dt.UTC)
    return {
        "track_latitude": [None if np.isnan(v) else float(np.float32(v)) for v in place.latitude.tolist()],
        "track_longitude": [None if np.isnan(v) else float(np.float32(v)) for v in place.longitude.tolist()],
        "is_area": place.is_area,
        "data_time": time or otherwise,
    }


def _time(text: object, *, fraction: bool = False) -> dt.datetime | None:
    """Return a time that a record states, UTC; in whole seconds, or with their fraction."""
    try:
        found = dt.datetime.fromisoformat(str(text)[: 23 if fraction else 19])
    except ValueError:
        return None
    return found.replace(tzinfo=dt.UTC)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _relative(path: io.Place, out: io.Place) -> str:
    """Return a path as seen from the folder, with ``/``."""
    if isinstance(path, io.Address) or isinstance(out, io.Address):
        return str(path).removeprefix(f"{out}/")
    try:
        return path.resolve().relative_to(out.resolve()).as_posix()
    except ValueError:
        return path.resolve().as_posix()
