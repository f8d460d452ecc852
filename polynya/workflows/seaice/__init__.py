"""``polynya seaice``: optical images to classes of sea ice, floes, leads and the share of ice.

The story of one image is :func:`.scene.process`; of many, :func:`run`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from ... import engine as engines
from ... import io
from ...engine.protocol import FAILED, Engine, Record
from .. import each, run_page
from . import mapper
from .config import DEFAULT, Config, roles_of
from .scene import Item, process

__all__ = ["DEFAULT", "Config", "Item", "as_text", "name_of", "process", "roles_of", "run"]

ENDINGS = (".zip", ".safe", ".sen3", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".json", ".nc", ".vrt")


def run(
    scenes: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    chart: Path | str | None = None,
    workers: int = 1,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Map images, each into its own folder below ``out``.

    Parameters
    ----------
    scenes : sequence of Path or str
        Files or folders of :func:`polynya.readers.ice_images.open_image`; files may be at addresses (``s3://``).
    out : Path or str
        One folder per image is made in it; an image whose result is there is skipped. Or an address of a store.
    config : Config, optional
        Settings.
    chart : Path or str, optional
        A SIGRID-3 ice chart to compare with.
    workers : int
        Images at a time.
    overwrite : bool
        Map finished images again.
    engine : Engine or str
        What runs the images, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A bar on stderr.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two images have the same name, or there is no such network or engine.
    ProductError
        If the network's file is missing, or no network of optical sea ice.
    """
    config = config or Config()
    mapper.load(config)  # a network that is none fails once, not with every image
    names = [name_of(io.name_of(str(s))) for s in scenes]
    each.check_names(names, what="SCENE")
    items = [
        Item(path=str(s), folder=str(io.place(out) / n), chart="" if chart is None else str(chart))
        for s, n in zip(scenes, names, strict=True)
    ]
    task = functools.partial(process, config=config, overwrite=overwrite)
    is_shown = show_progress and len(items) > 1
    found = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    folders = {i.name: i.folder for i in items}
    run_page.write(found, out=out, command="seaice", results=folders, quantity=run_page.ICE_FRACTION)
    return found


def name_of(scene: Path | str) -> str:
    """Return the name of an image's folder: that of the file without its ending.

    Parameters
    ----------
    scene : Path or str
        As given.

    Raises
    ------
    UsageError
        If that names no folder.
    """
    path = Path(scene)
    name = path.stem if path.suffix.lower() in ENDINGS else path.name
    return name if name.strip() not in ("", ".", "..") else io.folder_name(scene)


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
        if "n_floes" in record.numbers:
            lines.append(f"  {_line(record.numbers)}")
        if record.message and record.status != "skipped":
            lines += [f"  {m}" for m in record.message.split("\n")]
        lines.append(f"  {record.outputs['report']}")
    return "\n".join(lines)


def _line(n: dict[str, float]) -> str:
    """Return the result of an image in one line."""

    def known(name: str) -> bool:
        return n.get(name) is not None and n[name] == n[name]

    ice = f"ice {100 * n['ice_fraction']:.1f} % of the sea" if known("ice_fraction") else "no sea"
    if known("ice_fraction_low"):
        ice += f" ({100 * n['ice_fraction_low']:.1f} to {100 * n['ice_fraction_high']:.1f}, if all pixels err alike)"
    elif known("ice_fraction"):
        ice += " (uncertainty unknown: thresholds of brightness)"
    parts = [ice, f"{n['n_floes']:,.0f} floes"]
    if known("floe_exponent"):
        parts.append(
            f"size exponent {n['floe_exponent']:.2f} ({n['floe_exponent_low']:.2f} to {n['floe_exponent_high']:.2f})"
        )
    parts.append(f"{n['n_leads']:,.0f} leads")
    if known("map_minus_chart_percent"):
        parts.append(f"map minus chart {n['map_minus_chart_percent']:+.0f} %")
    return ", ".join(parts)
