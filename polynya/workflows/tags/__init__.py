"""``polynya tags``: wave-mode imagettes to ten phenomena, several per image, with a confidence.

The story of one product is :func:`.product.process`; of a block of its imagettes :func:`.answers.answer`; of many
products :func:`run`.
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
from .config import DEFAULT, Config
from .product import Item, process

__all__ = ["DEFAULT", "Config", "Item", "as_text", "n_damaged", "name_of", "process", "run"]


def run(
    products: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    workers: int = 1,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Tag the imagettes of products, each into its own folder below ``out``.

    Parameters
    ----------
    products : sequence of Path or str
        WV SLC products (SAFE folder, ``manifest.safe``, zip archive), the folder of TenGeoP-SARwv, folders of images.
    out : Path or str
        One folder per product is made in it; a product whose result is there is skipped. Or the address of an object
        store.
    config : Config, optional
        Settings.
    workers : int
        Products at a time.
    overwrite : bool
        Replace earlier results.
    engine : Engine or str
        What runs the products, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A bar on stderr.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two products have the same name, or there is no such network or engine.
    ProductError
        If the network's file is missing, or no network of imagettes.
    """
    config = config or Config()
    network.load(config)  # a network that is none fails once, not with every product
    names = [name_of(f) for f in products]
    each.check_names(names, what="PRODUCT")
    below = io.place(out)
    items = [Item(path=str(f), folder=str(below / n)) for f, n in zip(products, names, strict=True)]
    io.check_writable(below)
    workers = min(max(workers, 1), len(items))
    alone, threads = len(items) == 1 and show_progress, max(1, engines.cores() // workers)
    task = functools.partial(process, config=config, overwrite=overwrite, threads=threads, show_progress=alone)
    is_shown = show_progress and not alone
    ordered = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    folders = {i.name: i.folder for i in items}
    run_page.write(ordered, out=out, command="tags", results=folders, quantity=run_page.TAGGED_SHARE)
    return ordered


def name_of(product: Path | str) -> str:
    """Return the name of a product's folder: the product's without its ending.

    Parameters
    ----------
    product : Path or str
        As given.

    Raises
    ------
    UsageError
        If that names no folder.
    """
    path = Path(product)
    name = (path.resolve().parent if path.name == "manifest.safe" else path.resolve()).name
    for ending in (".SAFE", ".safe", ".zip"):
        name = name.removesuffix(ending)
    return name if name.strip() not in ("", ".", "..") else io.folder_name(product)


def n_damaged(record: Record) -> int:
    """Return how many pictures of a product could not be read; 0 of one that failed whole.

    Parameters
    ----------
    record : Record
        Of :func:`run`.
    """
    return int(record.numbers.get("n_damaged", 0))


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
        was_done = record.status == SKIPPED
        lines.append(f"{name_of(record.item)}: {'done before' if was_done else record.status}")
        if "n_imagettes" in record.numbers:
            lines.append(f"  {messages.line(record.numbers)}")
        said = record.message.split("\n")[was_done:] if record.message else []
        lines += [f"  - {m}" for m in said]
        lines.append(f"  {record.outputs['report']}")
    return "\n".join(lines)
