"""ATL03 photons to surface classes, local sea surface and freeboard: the main workflow.

The story of one beam is :func:`.beam.beam_tables`; of one granule, :func:`.granule.process`; of many, :func:`run`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from ... import engine as engines
from ... import io
from ...engine.protocol import Engine, Record
from ...errors import UsageError
from ...predict import tracks as predict_tracks
from ...report import terminal
from .. import run_page
from . import joining
from .beam import BeamSettings, BeamTables, Grids, beam_tables
from .config import Config, read_grids, split_grid
from .granule import Item, process

__all__ = [
    "BeamSettings",
    "BeamTables",
    "Config",
    "Grids",
    "Item",
    "beam_tables",
    "process",
    "read_grids",
    "run",
    "split_grid",
]


def run(
    granules: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Process granules, each into its own folder below ``out``.

    Parameters
    ----------
    granules : sequence of path
        ATL03 files, or their addresses (``s3://``, ``gs://``, ``https://``), which are fetched one by one.
    out : path
        One folder per granule is made in it; a granule whose result is there is skipped. Or the address of an object
        store (``s3://BUCKET/NAME``).
    config : Config, optional
        Settings.
    workers : int
        Granules at a time; threads where there is only one. 0: one per core.
    overwrite : bool
        Process finished granules again.
    engine : Engine or str
        What runs the granules, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two granules have the same name or one's name names no folder, one at an address is to be joined, or there
        is no such classifier or engine.
    ProductError
        If the classifier's file is no network.
    """
    config, below = config or Config(), io.place(out)
    network = config.classifier_used().path
    if network is not None:
        predict_tracks.check(network)  # a file that is none fails once, not with every granule
    granules = [g if io.is_address(g) else str(Path(g)) for g in granules]
    names = [io.folder_name(io.name_of(g)) for g in granules]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise UsageError(
            f"GRANULE: {', '.join(double[:3])} is given more than once; expected names that differ, since each gets its"
            " own folder. Name it once."
        )
    remote = next((g for g in granules if io.is_address(g)), None)
    if config.join and remote is not None:
        raise UsageError(f"--join: {remote} is an address; expected files on this computer. Fetch them first.")
    around = joining.find(granules) if config.join else [()] * len(names)
    items = [
        Item(path=g, folder=str(below / n), neighbours=others)
        for g, n, others in zip(granules, names, around, strict=True)
    ]
    io.check_writable(below)
    cores = workers or engines.cores()
    if isinstance(engine, str):
        engine = engines.load(engine, workers=min(cores, len(items)))
    task = functools.partial(process, config=config, overwrite=overwrite, threads=cores if len(items) == 1 else 1)
    records = {}
    with terminal.progress(len(items), show=show_progress and len(items) > 1) as bar:
        for record in engine.map(task, items):
            records[record.item] = record
            bar.advance(text=f"{Path(record.item).stem[:40]} {record.status}")
    found = [records[i.name] for i in items]
    folders = {i.name: i.folder for i in items}
    run_page.write(found, out=out, command="freeboard", results=folders, quantity=run_page.FREEBOARD)
    return found
