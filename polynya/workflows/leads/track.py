"""One file of echoes: blocks to answers, answers to a table, a page and a record. The task that engines repeat."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import __version__, io, schema
from ...engine.protocol import DONE, SKIPPED, Record
from ...schema.echoes import Echoes
from ...schema.lead_labels import LEADS
from . import answers, halo, messages, network, ordered, rules, summary
from .config import Config

RESULTS_VERSION = 3
"""Raised only when the same inputs and settings give other answers."""
RECORDS = 20_000
"""Echoes in a block: memory grows with it, not with the file."""
LEAST_RECORDS = 2 * halo.HALO
FILES = {"leads": "leads.parquet", "report": "report.html", "run": "run.json"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file of a run.

    Attributes
    ----------
    path : str
        NetCDF, a SEN3 folder, or the address of a file.
    folder : str
        Where its result goes, a path or an address.
    """

    path: str
    folder: str

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.folder

    def key(self, config: Config, used: network.Used | None) -> io.Key:
        """Return everything that decides the answers."""
        more = {"concentration": Path(config.concentration)} if config.concentration else {}
        return io.Key(
            workflow="leads",
            version=RESULTS_VERSION,
            settings=config.settings(),
            inputs={"echoes": io.local_path(self.path), **more},
            networks={} if used is None else {"network": used.sha256},
        )


def process(item: Item, *, config: Config, overwrite: bool = False, records: int = RECORDS) -> Record:
    """Find the leads of one file.

    Parameters
    ----------
    item : Item
        The file and its folder.
    config : Config
        Settings.
    overwrite : bool
        Replace an earlier result.
    records : int
        Echoes in a block.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If the file cannot be read or is of no product that is known, or the folder holds something else.
    """
    folder, used = io.place(item.folder), network.load(config)
    key = item.key(config, used)
    outputs = {"folder": item.folder, **{name: str(folder / file) for name, file in FILES.items()}}
    is_there = io.is_address(item.path) or Path(item.path).exists()
    held = io.finished(folder, key) if is_there and not overwrite else None
    if held is not None:
        numbers = held.get("numbers", {})
        text = "\n".join([f"done before: {folder}", *held.get("messages", [])])
        return Record(item=item.name, status=SKIPPED, message=text, outputs=outputs, numbers=numbers)
    with io.fetched(item.path) as path:
        said, numbers = _find(path, item=item, key=key, config=config, used=used, overwrite=overwrite, records=records)
    return Record(item=item.name, status=DONE, message="\n".join(said), outputs=outputs, numbers=numbers)


def _find(
    path: Path,
    *,
    item: Item,
    key: io.Key,
    config: Config,
    used: network.Used | None,
    overwrite: bool,
    records: int,
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Find leads in a file on this computer and write what comes of it; return messages and numbers."""
    from ...report import leads as report

    started, folder = time.monotonic(), io.place(item.folder)
    with contextlib.ExitStack() as stack:
        track = ordered.open_track(path, records=max(records, LEAST_RECORDS))
        blocks = track.blocks
        stack.callback(getattr(blocks, "close", lambda: None))  # the file is closed now, whatever happens
        first = next(blocks)
        setting = setting_of(first, config, used)
        with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
            total = _write(temporary / FILES["leads"], replace(track, blocks=_all(first, blocks)), setting)
            said = messages.sentences(first, setting, total)
            numbers = {**total.numbers(), "seconds": time.monotonic() - started}
            facts = messages.facts(first, setting, total)
            page = report.Page(
                title=first.source,
                facts=facts,
                counts=total.counted(),
                numbers=numbers,
                stretches=total.stretches(),
                places=total.places(),
                messages=said,
                limits=(config.ice_probability, config.lead_probability),
                is_simulated=first.is_simulated,
            )
            report.write(temporary / FILES["report"], page)
            record = io.run_record(
                command=io.command_line(),
                config=config.model_dump(mode="json"),
                inputs=[messages.input_of(first, total)],
                key=hashed(),
                network=None if setting.used is None else setting.used.about,
                rule=total.rule,
                peakiness=rules.definition_in_words(total.definition),
                counts=total.counted(),
                numbers=numbers,
                messages=list(said),
            )
            io.write_json(record, temporary / FILES["run"])
    return said, numbers


def _all(first: Echoes, rest: Iterator[Echoes]) -> Iterator[Echoes]:
    yield first
    yield from rest


def setting_of(first: Echoes, config: Config, used: network.Used | None) -> answers.Setting:
    """Return what answers for a file.

    Parameters
    ----------
    first : Echoes
        Its first block.
    config : Config
        Settings.
    used : network.Used or None
        Of :func:`network.load`.
    """
    return answers.Setting(
        config=config,
        rule=rules.rule_for(first, config),
        used=network.for_file(used, first),
        grid=answers.read_grid(config.concentration) if config.concentration else None,
    )


def _write(path: Path, track: ordered.Track, setting: answers.Setting) -> summary.Summary:
    """Write the table block by block; return what the page and the record say of it."""
    total = summary.Summary(is_sorted=track.order is not None)
    writer: io.TableWriter | None = None
    try:
        for part in halo.padded(track.blocks, stride=1 if setting.used is None else setting.used.stride):
            found = answers.answer(part.echoes, setting)
            if writer is None:
                total.begin(found)
                writer = io.TableWriter(path, spec=LEADS, about=about(part.echoes, setting, total))
            own = {name: values[part.own] for name, values in found.columns.items()}
            echo = track.numbers(part.first, len(own["time"]))
            writer.write(table_of(own, source=part.echoes.source, echo=echo))
            total.add(part, found)
    finally:
        if writer is not None:
            writer.close()
    return total


def table_of(columns: dict[str, np.ndarray], *, source: str, echo: np.ndarray) -> pa.Table:
    """Return columns of a block as a table of :data:`polynya.schema.lead_labels.LEADS`.

    Parameters
    ----------
    columns : dict of str to numpy.ndarray, shape (n,)
        Of :class:`answers.Block`.
    source : str
        Name of the file.
    echo : numpy.ndarray of int64, shape (n,)
        Numbers of the echoes in it.
    """
    return schema.table(LEADS, {**columns, "source": source, "echo": echo})


def about(echoes: Echoes, setting: answers.Setting, total: summary.Summary) -> dict[str, object]:
    """Return what the table's metadata say."""
    used, config = setting.used, setting.config
    return {
        "source_file": echoes.source,
        "mission": echoes.mission,
        "product": echoes.product,
        "release": echoes.release,
        "polynya": __version__,
        "network": "none" if used is None else used.name,
        "network_sha256": "" if used is None else used.sha256,
        "threshold_m": None if used is None else used.threshold_m,
        "rule": total.rule,
        "peakiness_definition": rules.definition_in_words(total.definition),
        "lead_probability_limit": config.lead_probability,
        "ice_probability_limit": config.ice_probability,
        "is_simulated": echoes.is_simulated,
        "comment": messages.SIMULATED_INPUT if echoes.is_simulated else "",
    }
