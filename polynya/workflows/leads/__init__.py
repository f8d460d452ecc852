"""``polynya leads``: radar-altimeter echoes to lead, ice and ocean, with the distance of the nearest lead.

The story of one file is :func:`.track.process`; of a block of its echoes :func:`.answers.answer`; of many files
:func:`run`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from ... import engine as engines
from ... import io
from ...engine.protocol import FAILED, SKIPPED, Engine, Record
from .. import each, run_page
from . import messages, network
from .config import DEFAULT, RULE, Config
from .track import RECORDS, Item, process

__all__ = ["DEFAULT", "RULE", "Config", "Item", "as_text", "name_of", "process", "run"]


def run(
    files: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    workers: int = 1,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
    records: int = RECORDS,
) -> list[Record]:
    """Find the leads of files of echoes, each into its own folder below ``out``.

    Parameters
    ----------
    files : sequence of Path or str
        NetCDF of AltiKa, CryoSat-2 or Sentinel-3, SEN3 folders, or addresses of files, which are fetched one by one.
    out : Path or str
        One folder a file is made in it; a file whose result is there is skipped. Or the address of an object store.
    config : Config, optional
        Settings.
    workers : int
        Files at a time.
    overwrite : bool
        Replace earlier results.
    engine : Engine or str
        What runs the files, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A bar on stderr.
    records : int
        Echoes in memory at once, per file.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two files have the same name, or there is no such network or engine.
    ProductError
        If the network's file is missing, or no network of echoes.
    """
    config = config or Config()
    network.load(config)  # a network that is none fails once, not with every file
    names = [name_of(f) for f in files]
    each.check_names(names, what="FILE")
    below = io.place(out)
    items = [Item(path=str(f), folder=str(below / n)) for f, n in zip(files, names, strict=True)]
    io.check_writable(below)
    task = functools.partial(process, config=config, overwrite=overwrite, records=records)
    is_shown = show_progress and len(items) > 1
    ordered = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    folders = {i.name: i.folder for i in items}
    run_page.write(ordered, out=out, command="leads", results=folders, quantity=run_page.LEAD_FRACTION)
    return ordered


def name_of(file: Path | str) -> str:
    """Return the name of a file's folder: the file's without its ending.

    Parameters
    ----------
    file : Path or str
        As given.

    Raises
    ------
    UsageError
        If that names no folder.
    """
    name = io.name_of(str(file))
    for ending in (".nc", ".nc4", ".cdf", ".SEN3"):
        name = name.removesuffix(ending)
    return name if name.strip() not in ("", ".", "..") else io.folder_name(file)


def as_text(records: Sequence[Record]) -> str:
    """Return a run as text for a terminal.

    Parameters
    ----------
    records : sequence of Record
        Of :func:`run`; failed ones are left out.
    """
    lines = []
    for record in records:
        if record.status == FAILED:
            continue
        lines.append(f"{name_of(record.item)}: {record.status}")
        if "n_echoes" in record.numbers:
            lines.append(f"  {messages.line(record.numbers)}")
        said = record.message.split("\n")[record.status == SKIPPED :] if record.message else []
        lines += [f"  - {m}" for m in said]
        lines.append(f"  {record.outputs['report']}")
    return "\n".join(lines)
