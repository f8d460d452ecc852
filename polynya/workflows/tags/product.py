"""One product or folder of imagettes: blocks to answers, answers to a table, a page and a record. The task that engines
repeat."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ... import __version__, io
from ...engine.protocol import DONE, SKIPPED, Record
from ...errors import ProductError, UsageError
from ...readers import imagette_products
from ...report import terminal
from ...schema.imagette_tags import IMAGETTE_TAGS
from ...schema.imagettes import UNREADABLE, Imagette
from . import answers, messages, network, summary
from .config import Config

RESULTS_VERSION = 2
"""Raised only when the same inputs and settings give other answers."""
BLOCK = 32
"""Imagettes in memory at once: memory grows with it, not with the product."""
FILES = {"tags": "tags.parquet", "report": "report.html", "run": "run.json"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One product of a run.

    Attributes
    ----------
    path : str
        Product, or folder of images.
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

    @property
    def source(self) -> Path:
        """The product's folder or archive, also where its manifest was named."""
        path = Path(self.path)
        return path.resolve().parent if path.name == "manifest.safe" else path

    def key(self, config: Config, used: network.Used) -> io.Key:
        """Return everything that decides the answers."""
        return io.Key(
            workflow="tags",
            version=RESULTS_VERSION,
            settings=config.settings(),
            inputs={"imagettes": self.source},
            networks={"network": used.sha256},
        )


def process(
    item: Item, *, config: Config, overwrite: bool = False, threads: int = 1, show_progress: bool = False
) -> Record:
    """Tag the imagettes of one product.

    Parameters
    ----------
    item : Item
        The product and its folder.
    config : Config
        Settings.
    overwrite : bool
        Replace an earlier result.
    threads : int
        Imagettes are prepared and tagged beside each other.
    show_progress : bool
        A bar over the imagettes, on stderr.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If the product cannot be read or is none of wave mode, or the folder holds something else.
    """
    folder, used = io.place(item.folder), network.load(config, threads=threads)
    _check_apart(item)
    key = item.key(config, used)
    outputs = {"folder": item.folder, **{name: str(folder / file) for name, file in FILES.items()}}
    held = io.finished(folder, key) if item.source.exists() and not overwrite else None
    if held is not None:
        text = "\n".join([f"done before: {folder}", *held.get("messages", [])])
        return Record(item=item.name, status=SKIPPED, message=text, outputs=outputs, numbers=held.get("numbers", {}))
    total = imagette_products.count(item.source)
    with terminal.progress(total, show=show_progress, text=item.source.name[:40]) as bar:
        said, numbers = _tag(item, key, used, config, overwrite=overwrite, threads=threads, bar=bar)
    return Record(item=item.name, status=DONE, message="\n".join(said), outputs=outputs, numbers=numbers)


def _check_apart(item: Item) -> None:
    """Raise where a result would lie in its own input: the next run would read it as an image."""
    if io.is_address(item.folder) or not item.source.is_dir():
        return
    if Path(item.folder).resolve().is_relative_to(item.source.resolve()):
        raise UsageError(
            f"-o: {item.folder} lies in the input {item.source.name}; expected another folder. Choose another with -o."
        )


def _tag(
    item: Item,
    key: io.Key,
    used: network.Used,
    config: Config,
    *,
    overwrite: bool,
    threads: int,
    bar: terminal.Bar,
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Tag a product and write what comes of it; return messages and numbers."""
    from ...report import imagettes as report

    started, folder, total = time.monotonic(), io.place(item.folder), summary.Summary()
    source = iter(imagette_products.read(item.source, keep_damaged=True))
    begun = _to_first_whole(source, item.source.name)
    first = begun[-1]
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        about = _about(first, item, used, config)
        writer = io.TableWriter(temporary / FILES["tags"], spec=IMAGETTE_TAGS, about=about)
        try:
            for block in _blocks(itertools.chain(begun, source)):
                found = answers.answer(block, used, config, first=total.n, threads=threads)
                writer.write(found.table)
                total.add(found)
                bar.advance(len(block))
        finally:
            writer.close()
        said = messages.sentences(used, config, total)
        numbers = {**total.numbers(), "seconds": time.monotonic() - started}
        page = report.Page(
            title=first.source,
            facts=messages.facts(used, total, product=first.product),
            counts=total.counted(),
            numbers=numbers,
            shown=total.shown(),
            messages=said,
            is_simulated=total.n_simulated > 0,
        )
        report.write(temporary / FILES["report"], page)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[
                {
                    "source": first.source,
                    "product": first.product,
                    "imagettes": total.n,
                    "is_simulated": total.n_simulated > 0,
                }
            ],
            key=hashed(),
            network=used.about,
            counts=total.counted(),
            numbers=numbers,
            messages=list(said),
        )
        io.write_json(record, temporary / FILES["run"])
    return said, numbers


def _to_first_whole(source: Iterator[Imagette], name: str) -> list[Imagette]:
    """Return imagettes up to the first with a picture; raise where there is none."""
    begun = []
    for one in source:
        begun.append(one)
        if one.is_readable:
            return begun
    why = [n.text for one in begun for n in one.notes if n.code == UNREADABLE]
    if len(why) == 1:
        raise ProductError(why[0])
    if why:
        raise ProductError(f"{name}: none of its {len(why):,} pictures can be read. The first: {why[0]}")
    raise ProductError(f"{name}: holds no imagette; expected some. Check the product.")


def _blocks(imagettes: Iterator[Imagette]) -> Iterator[list[Imagette]]:
    while block := list(itertools.islice(imagettes, BLOCK)):
        yield block


def _about(first: Imagette, item: Item, used: network.Used, config: Config) -> dict[str, object]:
    """Return what the table's metadata say."""
    d = used.description
    decision = d.decision
    simulated = [
        t
        for t, on in ((messages.SIMULATED_INPUT, first.is_simulated), (messages.SIMULATED_NETWORK, d.is_simulated))
        if on
    ]
    return {
        "source": first.source,
        "source_path": str(item.source.resolve()),
        "product": first.product,
        "polynya": __version__,
        "network": used.name,
        "network_sha256": used.sha256,
        "thresholds": {} if decision is None else dict(zip(d.classes, decision.best_f1, strict=True)),
        "precise_thresholds": {} if decision is None else dict(zip(d.classes, decision.precise, strict=True)),
        "precision": None if decision is None else decision.precision,
        "land_km": config.land_km,
        "is_simulated": first.is_simulated,
        "is_network_simulated": d.is_simulated,
        "comment": " ".join(simulated),
    }
