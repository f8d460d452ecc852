"""``polynya concentration --mosaic``: the maps of a folder as one map per UTC day and hemisphere.

Maps lie on polar grids that begin at whole multiples of the pixel, so nothing is resampled. Their mean has weights
1/sigma²; flagged pixels count only where there is no other. The uncertainty and what it rests on:
:mod:`polynya.physics.overlaps`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .... import engine as engines
from .... import io
from ....engine.protocol import DONE, FAILED, SKIPPED, Engine, Record
from ....errors import OutputError
from ....io import atomic
from ....schema import counted, mosaics
from ....schema.sea_ice_maps import CONCENTRATION, QUALITY, UNCERTAINTY
from ... import each
from .. import ice_chart, products
from ..config import Config
from ..scene import SIMULATED
from . import day
from .inputs import LAYERS, OWN, Found, Source, check, find

if TYPE_CHECKING:
    import xarray

__all__ = ["Found", "Item", "Outputs", "Source", "as_text", "check", "find", "process", "run"]

RESULTS_VERSION = 1
PREFIX = "mosaic_"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One mosaic.

    Attributes
    ----------
    name : str
        ``mosaic_YYYYMMDD_north`` or ``_south``.
    place : str
        Its folder.
    sources : tuple of Source
        The scenes, by time.
    about : dict
        What they share.
    """

    name: str
    place: str
    sources: tuple[Source, ...]
    about: Mapping[str, object] = field(default_factory=dict)

    def key(self, config: Config) -> io.Key:
        """Return everything that decides the mosaic.

        Parameters
        ----------
        config : Config
            Settings.
        """
        times = {s.name: s.time for s in self.sources}
        return io.Key(
            workflow=OWN,
            version=RESULTS_VERSION,
            settings={"edge": config.edge, "pack": config.pack, "times": times, "about": dict(self.about)},
            inputs={f"{layer} of {s.name}": s.file(layer) for s in self.sources for layer in LAYERS},
        )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run made.

    Attributes
    ----------
    records : tuple of Record
        One per mosaic, by day.
    messages : tuple of str
        What was left out.
    """

    records: tuple[Record, ...]
    messages: tuple[str, ...]


def run(
    out: Path | str,
    *,
    config: Config | None = None,
    workers: int = 1,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> Outputs:
    """Make the mosaics of all maps in a folder; those whose maps did not change are kept.

    Parameters
    ----------
    out : Path or str
        Folder with results of :func:`polynya.workflows.concentration.run`; gets a folder for each mosaic.
    config : Config, optional
        ``edge``, ``pack`` and ``sigrid3`` are used.
    workers : int
        Mosaics at a time.
    overwrite : bool
        Make all again.
    engine : Engine or str
        What makes them, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A bar on stderr.

    Raises
    ------
    ProductError
        If the folder holds no map, or maps of different kinds.
    UsageError
        If it is an address.
    """
    found = find(out)
    items = [
        Item(name=f"{PREFIX}{name}", place=str(Path(out) / f"{PREFIX}{name}"), sources=sources, about=found.about)
        for name, sources in found.groups.items()
    ]
    task = functools.partial(process, config=config or Config(), overwrite=overwrite)
    is_shown = show_progress and len(items) > 1
    records = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    return Outputs(records=tuple(records), messages=found.messages)


def process(item: Item, *, config: Config, overwrite: bool = False) -> Record:
    """Make one mosaic, unless the same one is there; one of other maps is replaced.

    Parameters
    ----------
    item : Item
        The mosaic.
    config : Config
        Settings.
    overwrite : bool
        Make it again.

    Raises
    ------
    PolynyaError
        If a map cannot be read, or the folder holds something else.
    """
    folder, key = Path(item.place), item.key(config)
    outputs = {"folder": item.place, "report": str(folder / "report.html")}
    held = None if overwrite else _finished(folder, key)
    if held is not None and (ice_chart.is_in(held) or not config.sigrid3):
        numbers = held.get("numbers", {})
        return Record(
            item=item.name, status=SKIPPED, message=f"done before: {folder}", outputs=outputs, numbers=numbers
        )
    messages, numbers = _make(item, key=key, config=config)
    return Record(item=item.name, status=DONE, message="\n".join(messages), outputs=outputs, numbers=numbers)


def _finished(folder: Path, key: io.Key) -> dict | None:
    """Return the record of the same mosaic; None where it is missing, or is to be replaced by one of other maps."""
    try:
        return io.finished(folder, key)
    except OutputError:
        record = atomic.read_record(folder / "run.json") or {}
        own = record.get("key")
        if not isinstance(own, dict) or own.get("workflow") != OWN:
            raise
        return None


def _make(item: Item, *, key: io.Key, config: Config) -> tuple[tuple[str, ...], dict[str, float]]:
    """Write a mosaic; return messages and numbers."""
    from ....report import mosaic as report

    started, folder = time.monotonic(), Path(item.place)
    with io.hashing(key) as hashed, io.writing_folder(folder, overwrite=True) as temporary:
        held = day.layout(item.sources)
        start = np.datetime64(item.sources[0].time[:10], "ns")
        times = np.array([np.datetime64(s.time, "ns") for s in item.sources])
        hours = ((times - start) / np.timedelta64(1, "h")).tolist()
        frame = _frame(item, held, start)
        found = day.write(temporary, item.sources, held, hours=hours, frame=frame, edge_at=config.edge)
        c, sigma, bits = (found.layers[v.name] for v in (CONCENTRATION, UNCERTAINTY, QUALITY))
        bounds = products.ends(c, sigma, None)
        drawn = products.lines(c, bounds, held.coarse, edge_at=config.edge, pack_at=config.pack)
        products.write_lines(temporary, drawn)
        if config.sigrid3:
            ice_chart.write(temporary, c, uncertainty=sigma, bits=bits, geobox=held.coarse)
        totals = {**found.totals, **drawn.numbers, "n_scenes": len(item.sources)}
        messages = (
            *_messages(totals),
            *_about_land(item),
            *((SIMULATED,) if any(s.is_of_simulations for s in item.sources) else ()),
        )
        numbers = {**totals, "seconds": time.monotonic() - started}
        report.write(
            temporary / "report.html",
            report.Page(
                title=_title(item),
                facts=_facts(item, held),
                geobox=held.coarse,
                layers=found.layers,
                edge=drawn.edge,
                totals=totals,
                scenes=tuple((s.name, s.time, share) for s, share in zip(item.sources, found.share, strict=True)),
                messages=messages,
            ),
        )
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"scene": s.name, "time": s.time} for s in item.sources],
            key=hashed(),
            numbers=numbers,
            messages=list(messages),
        )
        io.write_json(record, temporary / "run.json")
    return messages, numbers


def _title(item: Item) -> str:
    date, hemisphere = item.name.removeprefix(PREFIX).split("_")
    return f"Sea-ice concentration of {date[:4]}-{date[4:6]}-{date[6:]}, {hemisphere}"


def _facts(item: Item, held: day.Layout) -> dict[str, object]:
    rows, columns = held.geobox.shape
    first, last = item.sources[0].time, item.sources[-1].time
    return {
        "scenes": f"{counted(len(item.sources), 'scene')}, {first[11:16]} to {last[11:16]} UTC",
        "grid": f"{rows} x {columns} pixels of {held.geobox.affine.a:g} m, EPSG:{held.geobox.crs.epsg}",
        "mapped by": item.about.get("network", "unknown"),
        "data": _origin(item),
    }


def _origin(item: Item) -> str:
    """Return where the data of all scenes come from."""
    return "; ".join(sorted({s.origin for s in item.sources if s.origin})) or "unknown"


def _frame(item: Item, held: day.Layout, start: np.datetime64) -> xarray.Dataset:
    """Return the NetCDF file's coordinates and attributes."""
    end = start + np.timedelta64(1, "D")
    about = {
        "time_coverage_start": f"{np.datetime_as_string(start, unit='s')}Z",
        "time_coverage_end": f"{np.datetime_as_string(end, unit='s')}Z",
        "source": _origin(item),
        "comment": "Mean of scenes with weights 1/uncertainty^2; flagged pixels count where no other is. The"
        " uncertainty takes errors of scenes as shared, and adds the variance among them.",
        "scenes": " ".join(s.name for s in item.sources),
    }
    return products.dataset((), held.geobox, about, title=_title(item))


def _messages(totals: Mapping[str, float]) -> tuple[str, ...]:
    out = []
    if totals["share_disagreeing"] > 0:
        out.append(
            f"Scenes differ by more than their uncertainty on {100 * totals['share_disagreeing']:.1f} % of the area"
            f" that several cover: ice moved between them, or one is wrong ({mosaics.DISAGREEMENT.name})."
        )
    if totals["share_doubtful"] > 0:
        out.append(
            f"{100 * totals['share_doubtful']:.0f} % of the area rests on flagged pixels, as no other was there"
            f" ({QUALITY.name})."
        )
    return tuple(out)


def _about_land(item: Item) -> tuple[str, ...]:
    masks = {s.land for s in item.sources}
    if len(masks) < 2:
        return ()
    without = counted(sum(not s.land for s in item.sources), "scene")
    return (
        f"Scenes were mapped with different land ({without} without --land): where they overlap, land of one holds"
        " numbers of another.",
    )


def as_text(outputs: Outputs) -> str:
    """Return mosaics as text for a terminal; failed ones are left out.

    Parameters
    ----------
    outputs : Outputs
        Of :func:`run`.
    """
    lines = list(outputs.messages)
    for record in outputs.records:
        if record.status == FAILED:
            continue
        n = record.numbers
        lines.append(f"{record.item}: {record.status}, {counted(int(n['n_scenes']), 'scene')}")
        lines.append(
            f"  ice area {n['ice_area_km2']:,.0f} km² (±{n['ice_area_uncertainty_km2']:,.0f} if all"
            f" pixels err alike), extent"
            f" {n['ice_extent_km2']:,.0f} km² of {n['mapped_area_km2']:,.0f} km², seen twice or more"
            f" {n['overlap_area_km2']:,.0f} km²"
        )
        if record.message and record.status == DONE:
            lines += [f"  {m}" for m in record.message.split("\n")]
        lines.append(f"  {record.outputs['report']}")
    return "\n".join(lines)
