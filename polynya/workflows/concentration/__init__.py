"""``polynya concentration``: Sentinel-1 scenes to sea-ice concentration with its uncertainty, ice edge and zones.

The story of one scene is :func:`.scene.process`; of many, :func:`run`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from ... import engine as engines
from ... import io
from ...engine.protocol import FAILED, Engine, Record
from .. import each, run_page
from . import amsr2 as amsr2_files
from . import mapper
from .config import DEFAULT, RULE, Config
from .scene import Item, process

__all__ = ["DEFAULT", "RULE", "Config", "Item", "as_text", "process", "run"]

ENDINGS = (".SAFE", ".zip")


def run(
    scenes: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    land: Path | str | None = None,
    amsr2: Sequence[Path | str] = (),
    workers: int = 1,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Map scenes, each into its own folder below ``out``.

    Parameters
    ----------
    scenes : sequence of Path or str
        SAFE folders or zip files; zip files may be at addresses (``s3://``, ``https://``), they are fetched one by one.
    out : Path or str
        One folder a scene is made in it; a scene whose result is there is skipped. Or the address of an object store.
    config : Config, optional
        Settings.
    land : Path or str, optional
        Polygons of land, which is left out; by default pixels near the shipped coastline are flagged.
    amsr2 : sequence of Path or str
        Files of AMSR2 brightness temperatures beside scenes, for networks that take them.
    workers : int
        Scenes at a time.
    overwrite : bool
        Map finished scenes again.
    engine : Engine or str
        What runs the scenes, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A bar on stderr.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two scenes have the same name, there is no such network or engine, or what maps takes no AMSR2.
    ProductError
        If the network's file is missing, or no network of sea-ice concentration.
    """
    config = config or Config()
    amsr2_files.check(amsr2, mapper.load(config))  # a network that is none fails once, not with every scene
    names = [name_of(io.name_of(str(s))) for s in scenes]
    each.check_names(names, what="SCENE")
    beside = amsr2_files.assign(names, amsr2)
    items = [
        Item(
            path=str(s),
            folder=str(io.place(out) / n),
            land="" if land is None else str(land),
            amsr2=beside.get(n, ""),
        )
        for s, n in zip(scenes, names, strict=True)
    ]
    task = functools.partial(process, config=config, overwrite=overwrite)
    is_shown = show_progress and len(items) > 1
    found = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    folders = {i.name: i.folder for i in items}
    run_page.write(found, out=out, command="concentration", results=folders, quantity=run_page.ICE_AREA)
    return found


def name_of(scene: Path | str) -> str:
    """Return the name of a scene's folder: that of the product without its ending.

    Parameters
    ----------
    scene : Path or str
        As given.

    Raises
    ------
    UsageError
        If that names no folder.
    """
    name = Path(scene).name
    for ending in (".zip", ".SAFE"):
        name = name.removesuffix(ending)
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
        n = record.numbers
        lines.append(f"{name_of(record.item)}: {record.status}")
        if "ice_area_km2" in n:
            lines.append(
                f"  ice area {n['ice_area_km2']:,.0f} km\u00b2 ("
                f"\u00b1{n['ice_area_uncertainty_km2']:,.0f}, if all pixels err alike),"
                f" extent {n['ice_extent_km2']:,.0f} km\u00b2, ice edge"
                f" {n['ice_edge_km']:,.0f} km, marginal ice zone {n['marginal_ice_zone_km2']:,.0f} km\u00b2"
                f" ({n['marginal_ice_zone_low_km2']:,.0f} to {n['marginal_ice_zone_high_km2']:,.0f})"
            )
        if record.message and record.status != "skipped":
            lines += [f"  {m}" for m in record.message.split("\n")]
        lines.append(f"  {record.outputs['report']}")
    return "\n".join(lines)
