"""Labels for radar-altimeter echoes from maps of leads: ``polynya label ECHOES --lead-map MAP``.

Files of echoes and maps pair themselves: a map belongs to a file if it lies under the track and within the largest
time. One table of all files (``-o NAME.parquet``), with ``NAME.run.json`` beside it; or a folder with a table for each
file, which engines make side by side.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from .... import engine as engines
from .... import io
from ....engine.protocol import DONE, SKIPPED, Engine, Record
from ....errors import ProductError, UsageError
from ....readers import echo_files, lead_map
from ....schema import TableSpec
from ... import each, run_page
from . import table as label_table
from .config import Config

__all__ = ["Config", "Item", "process", "run"]

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give other labels."""
MAP_ENDINGS = (".tif", ".tiff")
TABLE = ".parquet"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One table: the files that it is made from, and where it goes; an item of an engine.

    Attributes
    ----------
    echoes, maps : tuple of str
        Files; echoes also at addresses.
    out : str
        The table.
    concentration : str
        File of a grid, or empty.
    """

    echoes: tuple[str, ...]
    maps: tuple[str, ...]
    out: str
    concentration: str = ""

    @property
    def name(self) -> str:
        """The first file; a table has at least one, and no two tables share one."""
        return self.echoes[0]

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.out


def run(
    echoes: Sequence[Path | str],
    *,
    maps: Sequence[Path | str],
    out: Path | str,
    config: Config | None = None,
    concentration: Path | str | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Label files of echoes.

    Parameters
    ----------
    echoes : sequence of Path or str
        Files of :mod:`polynya.readers.echo_files`, folders or patterns of them.
    maps : sequence of Path or str
        Maps of leads of :mod:`polynya.readers.lead_map`, folders or patterns of them.
    out : Path or str
        ``NAME.parquet`` for one table of all files; a folder for a table of each.
    config : Config, optional
        Settings.
    concentration : Path or str, optional
        Grid of sea-ice concentration; without one the product's own is used, if it has any.
    workers : int
        Files at a time; 0: one per core.
    overwrite : bool
        Label again.
    engine : Engine or str
        What runs the files, or its name.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    list of Record
        One per table; failures are records, not exceptions.

    Raises
    ------
    ProductError
        If a folder or a pattern names nothing.
    UsageError
        If outputs collide, are no tables, or the time of a map goes with several maps.
    """
    config = config or Config()
    files = echo_files.named(echoes)
    found = tuple(io.expand(maps, endings=MAP_ENDINGS))
    if config.map_time is not None and len(found) > 1:
        raise UsageError(
            f"--map-time: goes with {len(found)} maps; expected one map. Set the tag time of each (gdal_edit -mo"
            " time=...)."
        )
    items = _items(files, found, out=str(out), concentration="" if concentration is None else str(concentration))
    is_folder = not str(out).endswith(TABLE)
    folder = io.place(out) if is_folder else io.place(out).parent
    io.check_writable(folder)
    task = functools.partial(process, config=config, overwrite=overwrite)
    is_shown, workers = show_progress and len(items) > 1, workers or engines.cores()
    results = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    places = {i.name: i.out for i in items}
    run_page.write(results, out=folder, command="label", results=places, quantity=run_page.LABELLED_ECHOES)
    return results


def _items(files: Sequence[str], maps: tuple[str, ...], *, out: str, concentration: str) -> list[Item]:
    """Return the tables to make, after a look at their names."""
    twice = sorted({f for f in files if files.count(f) > 1})
    if twice:
        raise UsageError(f"ECHOES: {twice[0]} is given more than once; expected each file once. Leave it out.")
    if out.endswith(TABLE):
        place = io.place(out)
        if place.is_dir():
            raise UsageError(
                f"-o {out}: is a folder; expected a file to write. Rename it, or pass a name of no folder."
            )
        blocked = next((p for p in place.parents if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise UsageError(
                f"-o {out}: {blocked.name} is a file; expected a folder to write into. Choose another place."
            )
        return [Item(echoes=tuple(files), maps=maps, out=out, concentration=concentration)]
    place = io.place(out)
    if place.exists() and not place.is_dir():
        raise UsageError(
            f"-o {out}: is a file that does not end in {TABLE}; expected a table, or a folder of tables. Choose"
            " another."
        )
    names = [_name_of(f) for f in files]
    same = sorted({n for n in names if names.count(n) > 1})
    if same:
        raise UsageError(f"ECHOES: two files are named {same[0]}; expected names that differ. Rename one of them.")
    return [
        Item(echoes=(f,), maps=maps, out=str(place / f"{n}{TABLE}"), concentration=concentration)
        for f, n in zip(files, names, strict=True)
    ]


def _name_of(file: str) -> str:
    path = Path(io.name_of(file))
    is_sen3 = path.name == "enhanced_measurement.nc"
    return Path(file).parent.stem if is_sen3 else path.stem


def process(item: Item, *, config: Config, overwrite: bool = False) -> Record:
    """Make one table: the task that engines repeat.

    Parameters
    ----------
    item : Item
        Inputs and output.
    config : Config
        Settings.
    overwrite : bool
        Replace an earlier result.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If an input cannot be read, echoes and maps do not fit, or the output cannot be written.
    """
    started = time.perf_counter()
    out = io.place(item.out)
    outputs = {"labels": str(out), "run": str(out.with_name(f"{out.stem}.run.json"))}
    io.check_files([out], record=io.place(outputs["run"]), overwrite=overwrite or not out.exists() or _is_ours(out))
    with contextlib.ExitStack() as stack:
        local = [Path(stack.enter_context(io.fetched(e))) for e in item.echoes]
        headers = [lead_map.header(m, time=config.time_of_map()) for m in item.maps]
        tracks = [label_table.read_track(p, headers, config=config) for p in local]
        key = _key(item, tracks, config)
        held = io.finished(io.place(outputs["run"]), key) if out.exists() and not overwrite else None
        if held is not None and _digest_in(out) == held.get("digest"):
            return Record(
                item=item.name,
                status=SKIPPED,
                message="\n".join([f"done before: {out}", *held.get("messages", [])]),
                outputs=outputs,
                numbers=held.get("numbers", {}),
            )
        with io.hashing(key) as hashed:
            grid = Path(item.concentration) if item.concentration else None
            table, spec = label_table.make(tracks, config=config, grid=grid)
            numbers = _numbers(table, tracks) | {"seconds": time.perf_counter() - started}
            _write(table, spec, outputs, key=hashed(), config=config, numbers=numbers, tracks=tracks)
    notes = json.loads((table.schema.metadata or {})[b"label_notes"])
    return Record(item=item.name, status=DONE, message="\n".join(notes), outputs=outputs, numbers=numbers)


def _key(item: Item, tracks: Sequence[label_table.Track], config: Config) -> io.Key:
    """Return everything that decides the labels: settings, and the content of every file that is used."""
    maps = list(dict.fromkeys(h.path for t in tracks for h in t.maps))
    inputs = {f"echoes{'' if k == 1 else f' {k}'}": t.path for k, t in enumerate(tracks, 1)}
    inputs |= {f"lead map{'' if k == 1 else f' {k}'}": p for k, p in enumerate(maps, 1)}
    if item.concentration:
        inputs["concentration"] = Path(item.concentration)
    return io.Key(
        workflow="label_echoes", version=RESULTS_VERSION, settings=config.model_dump(mode="json"), inputs=inputs
    )


def _is_ours(out: io.Place) -> bool:
    return _digest_in(out) is not None


def _digest_in(table: io.Place) -> str | None:
    """Return what a table of labelled echoes says of its record; None for another file."""
    try:
        metadata = io.table_metadata(table)
    except ProductError:
        return None
    return metadata.get(b"digest", b"").decode() if metadata.get(b"polynya_table") == b"lead_labels" else None


def _write(
    table: pa.Table,
    spec: TableSpec,
    outputs: dict[str, str],
    *,
    key: dict,
    config: Config,
    numbers: dict[str, float],
    tracks: Sequence[label_table.Track],
) -> None:
    """Write the record, and last the table: it is done when the table is there."""
    out, run = io.place(outputs["labels"]), io.place(outputs["run"])
    digest = io.digest_of(key)
    about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    record = io.run_record(
        command=io.command_line(),
        config=config.model_dump(mode="json"),
        inputs=[_input(t) for t in tracks],
        key=key,
        digest=digest,
        contents=[out.name],
        lead_maps=json.loads(about["lead_maps"]),
        label_counts=json.loads(about["label_counts"]),
        flag_counts=json.loads(about["flag_counts"]),
        numbers=numbers,
        messages=json.loads(about["label_notes"]),
    )
    rest = {k: v for k, v in about.items() if k not in ("polynya_table", "datum")}
    with io.writing(out) as temporary, contextlib.ExitStack() as beside:
        with contextlib.closing(io.TableWriter(temporary, spec=spec, about={**rest, "digest": digest})) as writer:
            writer.write(table)
        io.write_json(record, beside.enter_context(io.writing(run)), files={out.name: temporary})


def _input(track: label_table.Track) -> dict[str, object]:
    echoes = track.echoes
    known = echoes.time[~np.isnat(echoes.time)]
    return {
        "echoes": echoes.source,
        "pass_id": track.pass_id,
        "product": echoes.product,
        "mission": echoes.mission,
        "release": echoes.release,
        "time": f"{np.datetime_as_string(known.min(), unit='s')}Z" if known.size else "",
        "is_simulated": echoes.is_simulated,
        "lead_maps": [h.name for h in track.maps],
        "notes": [n.text for n in echoes.notes],
    }


def _numbers(table: pa.Table, tracks: Sequence[label_table.Track]) -> dict[str, float]:
    about = table.schema.metadata or {}
    labels, flags = (json.loads(about[n]) for n in (b"label_counts", b"flag_counts"))
    n = table.num_rows
    lag = np.abs(np.asarray(table["map_time_lag"].to_numpy()))[table["label_flag"].to_numpy() == 0]
    return {
        "n_files": float(len(tracks)),
        "n_maps": float(len({h.path for t in tracks for h in t.maps})),
        "n_echoes": float(n),
        "n_labelled": float(n - labels["unlabelled"]),
        **{f"n_{k}": float(v) for k, v in labels.items()},
        **{f"flag_{k}": float(v) for k, v in flags.items() if k != "labelled"},
        "median_hours": float(np.median(lag)) / 3600.0 if lag.size else float("nan"),
        "threshold_m": json.loads(about[b"threshold_m"]),
    }
