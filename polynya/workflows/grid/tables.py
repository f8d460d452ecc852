"""What maps of leads and of tags share: how results are found, counted one by one and kept, and what a run returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel

from ... import engine as engines
from ... import io, schema
from ...engine import protocol
from ...engine.protocol import DONE, FAILED, SKIPPED, Engine, Record, Task
from ...errors import OutputError, PolynyaError, ProductError
from .. import each

SUMS = "sums.parquet"


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run wrote.

    Attributes
    ----------
    folder : Path
        The maps.
    files : dict of str to str
        ``netcdf``, ``page``, ``cog`` (where it was asked for) and ``run``.
    records : tuple of Record
        One per result, sorted by name.
    periods : tuple of dict
        One per period: cells, passes, counts.
    messages : tuple of str
    """

    folder: Path
    files: dict[str, str]
    records: tuple[Record, ...]
    periods: tuple[dict, ...]
    messages: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Item:
    """One result whose table is counted.

    Attributes
    ----------
    path : str
        Its folder.
    folder : str
        Where its sums go.
    file : str
        Name of the file or product.
    """

    path: str
    folder: str
    file: str

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def place(self) -> str:
        """Folder of its sums."""
        return self.folder


class Counts(Protocol):
    """Whole numbers per period, cell, pass and day: arrays of one shape."""

    @property
    def period(self) -> np.ndarray:
        """First day."""

    @property
    def cell(self) -> np.ndarray:
        """Number."""

    @property
    def track(self) -> np.ndarray:
        """Name of the pass."""

    @property
    def day(self) -> np.ndarray:
        """Since 1970."""

    @property
    def counts(self) -> dict[str, np.ndarray]:
        """By name."""


def tables_in(path: Path, name: str) -> list[Path]:
    """Return the tables of a name in a folder, or in the folders in it, sorted.

    Parameters
    ----------
    path : Path
        Any path.
    name : str
        Of the files.
    """
    if (path / name).is_file():
        return [path / name]
    return sorted(path.glob(f"*/{name}")) if path.is_dir() else []


def is_table(path: Path, spec: schema.TableSpec) -> bool:
    """Tell whether a file is a table of a kind, by its metadata."""
    try:
        return io.table_metadata(path).get(b"polynya_table", b"").decode() == spec.name
    except (PolynyaError, OSError):
        return False


def check_found(found: Sequence[Path], path: Path, *, command: str) -> None:
    """Raise where no table was found.

    Parameters
    ----------
    found : sequence of Path
        The tables.
    path : Path
        Where they were looked for.
    command : str
        Which writes them.

    Raises
    ------
    ProductError
        If there is none.
    """
    if not found:
        raise ProductError(
            f"{path}: {f'holds no result of polynya {command}' if path.exists() else 'no such folder'}; expected a"
            " folder that it wrote. Run it first, or check the path."
        )


def items_of(folders: Sequence[Path], out: Path) -> list[Item]:
    """Return what engines get for results, sorted by name; their sums go below ``out``."""
    ordered = sorted(folders, key=lambda p: p.name)
    return [Item(path=str(f), folder=str(out / "sums" / f.name), file=f.name) for f in ordered]


def summed(
    items: Sequence[Item], task: Task[Item], *, engine: Engine | str, workers: int, show_progress: bool
) -> tuple[Record, ...]:
    """Count every result; return the records in the order of the items.

    Parameters
    ----------
    items : sequence of Item
        Of :func:`items_of`.
    task : callable
        Counts one.
    engine : Engine or str
        What runs it, or its name.
    workers : int
        Results at a time. 0: one per core.
    show_progress : bool
        A progress bar on stderr.

    Raises
    ------
    ProductError
        If none can be counted.
    """
    workers = workers or engines.cores()
    records = tuple(each.records_of(items, task, engine=engine, workers=workers, show_progress=show_progress))
    if all(r.status == FAILED for r in records):
        raise ProductError(records[0].message)
    return records


def kept(
    item: Item,
    key: io.Key,
    *,
    config: BaseModel,
    spec: schema.TableSpec,
    about: Mapping[str, object],
    count: Callable[[], tuple[Counts, dict[str, float]]],
    overwrite: bool,
) -> Record:
    """Count one result, unless its sums are there; write them with their record.

    Parameters
    ----------
    item : Item
        The result.
    key : io.Key
        Everything that decides the sums.
    config : pydantic.BaseModel
        Settings, for the record.
    spec : TableSpec
        Of the sums.
    about : mapping of str to object
        Metadata of the sums.
    count : callable
        Reads and counts; returns the sums and numbers worth printing.
    overwrite : bool
        Replace sums of other settings or of another state of the result.

    Raises
    ------
    OutputError
        If the folder holds something else.
    """
    started, folder = time.perf_counter(), Path(item.folder)
    outputs = {"sums": str(folder / SUMS)}
    try:
        old = io.finished(folder, key)
    except OutputError:
        if not overwrite:
            raise
        old = None
    if old is not None:
        numbers = old.get("numbers", {})
        return Record(item=item.name, status=SKIPPED, message="summed before", outputs=outputs, numbers=numbers)
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        found, numbers = count()
        columns = {n: getattr(found, n) for n in ("period", "cell", "track", "day")} | found.counts
        io.write_table(schema.table(spec, columns), temporary / SUMS, spec=spec, about=about)
        numbers["seconds"] = round(time.perf_counter() - started, 3)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"file": item.file, "folder": Path(item.path).name}],
            key=hashed(),
            numbers=numbers,
        )
        io.write_json(record, temporary / "run.json")
    return Record(item=item.name, status=DONE, outputs=outputs, numbers=numbers)


def columns_of(path: Path | str, spec: schema.TableSpec) -> dict[str, np.ndarray]:
    """Return the columns of a file of sums.

    Raises
    ------
    ProductError
        If it is missing or no such table.
    """
    table = schema.check(io.read_table(path), spec)
    out = {n: schema.to_numpy(table[n]) for n in table.column_names if n != "track"}
    out |= {n: out[n].astype(np.int64) for n in ("period", "cell", "day")}
    return out | {"track": np.array(table["track"].to_pylist(), dtype=str)}


def as_json(outputs: Outputs) -> dict[str, object]:
    """Return a run for machines.

    Parameters
    ----------
    outputs : Outputs
        What it wrote.
    """
    return dict(
        io.plain(
            {
                "files": outputs.files,
                "periods": list(outputs.periods),
                "messages": list(outputs.messages),
                "results": [protocol.as_json(r) for r in outputs.records],
            }
        )
    )
