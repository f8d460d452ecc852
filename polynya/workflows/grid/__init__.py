"""``polynya grid``: many granules' results to maps per cell and period, with random and correlated errors apart.

The story: :func:`find` the results, sum each on its own (:func:`.granule.process`, the task that engines repeat), merge
the sums (integers: any order and any partition give the same bits), turn them into means, and write the maps.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ... import __version__, io, schema
from ... import engine as engines
from ...engine.protocol import FAILED, Engine, Record
from ...errors import OutputError, ProductError
from ...io import grids
from ...physics import gridding
from ...report import terminal
from . import products
from .config import RESULTS_VERSION, Config, period_name
from .granule import Item, process, read_sums
from .inputs import Inputs, find

__all__ = ["Config", "Inputs", "Item", "Outputs", "find", "process", "run"]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run wrote.

    Attributes
    ----------
    folder : Path
        The maps.
    files : dict of str to str
        ``netcdf``, ``page``, ``cog`` (a folder, where it was asked for) and ``run``.
    records : tuple of Record
        One per granule, in the order of the names.
    periods : tuple of dict
        One per period: its name, cells, passes, days, and the mean over all its segments with its parts.
    messages : tuple of str
        What a user should know.
    is_new : bool
        False where the same maps were there.
    """

    folder: Path
    files: dict[str, str]
    records: tuple[Record, ...]
    periods: tuple[dict, ...]
    messages: tuple[str, ...]
    is_new: bool


def run(
    results: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> Outputs:
    """Make the maps of a season.

    Parameters
    ----------
    results : sequence of path
        Folders of granules that ``polynya freeboard`` wrote, or folders of such.
    out : path
        Gets ``maps`` (NetCDF, GeoTIFFs, page) and ``sums`` (one small folder per granule, used again by the next run).
    config : Config, optional
        Settings.
    workers : int
        Granules at a time. 0: one per core.
    overwrite : bool
        Replace maps of other granules or settings; sums that are still right are kept.
    engine : Engine or str
        What sums the granules, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    Outputs

    Raises
    ------
    UsageError
        If a granule is given twice, or results differ in what decides their numbers.
    ProductError
        If a folder is missing or holds no result, no granule can be summed, or none has a segment on the grid.
    OutputError
        If the maps cannot be written, or the folder holds other maps.
    """
    inputs = find(results, sums=Path(out) / "sums")
    config = (config or Config()).with_crs(is_north=inputs.is_north)
    if not overwrite:
        _check_granules(Path(out) / "maps", inputs)
    cores = workers or engines.cores()
    if isinstance(engine, str):
        engine = engines.load(engine, workers=min(cores, len(inputs.items)))
    task = functools.partial(process, config=config, overwrite=overwrite)
    found: dict[str, Record] = {}
    with terminal.progress(len(inputs.items), show=show_progress) as bar:
        for record in engine.map(task, inputs.items):
            found[record.item] = record
            bar.advance(text=f"{Path(record.item).name[:40]} {record.status}")
    records = [found[i.name] for i in inputs.items]
    good = [(i, r) for i, r in zip(inputs.items, records, strict=True) if r.status != FAILED]
    if not good:
        others = f" None of {len(records)} granules could be summed." if len(records) > 1 else ""
        raise ProductError(records[0].message + others)
    return _write_maps(Path(out) / "maps", inputs, config, records=records, good=good, overwrite=overwrite)


def _write_maps(
    folder: Path,
    inputs: Inputs,
    config: Config,
    *,
    records: list[Record],
    good: list[tuple[Item, Record]],
    overwrite: bool,
) -> Outputs:
    key = io.Key(
        workflow="grid",
        version=RESULTS_VERSION,
        settings={**config.settings(), "about": dict(inputs.about), "cog": config.cog},
        inputs={f"sums of {i.granule}": Path(r.outputs["sums"]) for i, r in good},
    )
    files = {"netcdf": "grid.nc", "page": "index.html", "cog": "cog", "run": "run.json"}
    files = {k: str(folder / v) for k, v in files.items() if k != "cog" or config.cog}
    try:
        old = io.finished(folder, key)
    except OutputError:
        if not overwrite and not _lacks_granules(folder):
            raise
        old, overwrite = None, True
    if old is not None:
        periods, messages = tuple(old.get("periods", ())), tuple(old.get("messages", ()))
        return Outputs(
            folder=folder, files=files, records=tuple(records), periods=periods, messages=messages, is_new=False
        )
    sums = gridding.merge([read_sums(r.outputs["sums"]) for _, r in good])
    if sums.cell.size == 0:
        raise ProductError(
            f"{good[0][0].granule}: no segment of {schema.counted(len(good), 'granule')} lies on the grid"
            f" {config.crs}; expected one of its hemisphere. Give another --crs."
        )
    days = (int(sums.day.min()), int(sums.day.max()))
    estimates = gridding.estimates(sums)
    totals = gridding.estimates(gridding.merge([replace(sums, cell=np.zeros_like(sums.cell))]))
    periods = tuple(_periods(estimates, totals, config))
    messages = tuple(_messages(inputs, records))
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        about = _about(inputs, [i for i, _ in good])
        data = products.dataset(estimates, config=config, days=days, about=about)
        grids.write_netcdf(data, temporary / "grid.nc")
        if config.cog:
            products.write_cogs(data, temporary / "cog", config=config)
        from ...report import season

        page = season.Season(
            grid=config.grid(),
            estimates=estimates,
            names={int(p): period_name(int(p), period=config.period) for p in np.unique(estimates.period)},
            periods=periods,
            granules=tuple(_granule_rows(inputs, records)),
            messages=messages,
            leave_out=config.leave_out,
        )
        season.write(temporary / "index.html", page)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"granule": i.granule} for i, _ in good],
            key=hashed(),
            n_failed=len(records) - len(good),
            periods=periods,
            messages=messages,
            about=dict(inputs.about),
        )
        io.write_json(record, temporary / "run.json")
    return Outputs(folder=folder, files=files, records=tuple(records), periods=periods, messages=messages, is_new=True)


def _about(inputs: Inputs, used: Sequence[Item]) -> dict[str, object]:
    """Return what the file says of its granules."""
    n = sum(i.granule in inputs.simulated for i in used)
    what = "simulated ICESat-2 ATL03, not satellite data" if n == len(used) else "ICESat-2 ATL03"
    some = f", {n} of them simulated, not satellite data" if 0 < n < len(used) else ""
    source = f"polynya {__version__}, {schema.counted(len(used), 'granule')} of {what}{some}"
    return {**inputs.about, "source": source, "n_granules": len(used), "n_simulated_granules": n}


def _check_granules(folder: Path, inputs: Inputs) -> None:
    """Raise, before granules are summed, where maps of other granules are in the way."""
    if not (folder / "run.json").is_file() or _lacks_granules(folder):
        return
    held = io.read_json(folder / "run.json").get("inputs", [])
    old, new = {g.get("granule") for g in held}, {i.granule for i in inputs.items}
    if old != new:
        raise OutputError(
            f"{folder}: holds maps of {schema.counted(len(old), 'granule')}, {len(new - old)} of those given now not"
            f" among them, {len(old - new)} of them not given; expected the same granules. Pass --overwrite to make the"
            " maps again, or another -o."
        )


def _lacks_granules(folder: Path) -> bool:
    """Return whether the maps that are there were made while granules failed: the same command makes them whole."""
    try:
        return bool(io.read_json(folder / "run.json").get("n_failed"))
    except ProductError:
        return False


def _periods(cells: gridding.Estimates, totals: gridding.Estimates, config: Config) -> list[dict]:
    out = []
    for k, period in enumerate(totals.period.tolist()):
        here = cells.period == period
        has = np.isfinite(cells.values["total_freeboard"]) & here
        flagged = has & (cells.values["sampling_flag"] != 0)
        row = {"period": period_name(period, period=config.period), "n_cells": int(has.sum())}
        row["n_cells_flagged"] = int(flagged.sum())
        for name in (
            "n_segments",
            "n_classified",
            "n_left_out",
            "n_unclassified",
            "n_tracks",
            "n_days",
            "n_leads",
            "n_floes",
        ):
            row[name] = int(totals.values[name][k])
        for name in ("total_freeboard", "sea_surface_height", "roughness", "lead_fraction", "thin_ice_fraction"):
            for part in ("", "_uncertainty", "_uncertainty_random", "_uncertainty_track", "_uncertainty_common"):
                if f"{name}{part}" in totals.values:
                    row[f"{name}{part}"] = float(totals.values[f"{name}{part}"][k])
        out.append(row)
    return out


def _messages(inputs: Inputs, records: Sequence[Record]) -> list[str]:
    failed = [r for r in records if r.status == FAILED]
    out = list(inputs.messages)
    if failed:
        out.append(
            f"{len(failed)} of {schema.counted(len(records), 'granule')} failed and"
            f" {'is' if len(failed) == 1 else 'are'} NOT in the maps: the same command tries again."
        )
    outside = sum(int(r.numbers.get("n_outside", 0)) for r in records)
    if outside:
        out.append(f"Left out: {schema.counted(outside, 'segment')} outside the grid or in the other hemisphere.")
    return out


def _granule_rows(inputs: Inputs, records: Sequence[Record]) -> list[dict]:
    return [
        {"granule": i.granule, "status": r.status, "message": r.message, "numbers": dict(r.numbers)}
        for i, r in zip(inputs.items, records, strict=True)
    ]


def as_text(outputs: Outputs) -> str:
    """Return what became of a run, for people.

    Parameters
    ----------
    outputs : Outputs
        Of :func:`run`.
    """
    lines = []
    for p in outputs.periods:
        mean = p.get("total_freeboard")
        board = "no freeboard"
        if mean is not None and mean == mean:
            board = (
                f"mean total freeboard {mean:.3f} ± {p['total_freeboard_uncertainty']:.3f} m (random"
                f" {p['total_freeboard_uncertainty_random']:.5f}, per pass"
                f" {p['total_freeboard_uncertainty_track']:.4f}, common {p['total_freeboard_uncertainty_common']:.4f})"
            )
        lines.append(
            f"{p['period']}: {schema.counted(p['n_cells'], 'cell')} ({p['n_cells_flagged']:,} flagged),"
            f" {schema.counted(p['n_tracks'], 'pass')} on {schema.counted(p['n_days'], 'day')}, {board}"
        )
    if not outputs.is_new:
        lines.append("The maps were there already.")
    return "\n  ".join([*lines, *outputs.messages, *outputs.files.values()])


def as_json(outputs: Outputs) -> dict[str, object]:
    """Return a run for machines.

    Parameters
    ----------
    outputs : Outputs
        Of :func:`run`.
    """
    from ...engine import protocol

    return dict(
        io.plain(
            {
                "files": outputs.files,
                "is_new": outputs.is_new,
                "periods": list(outputs.periods),
                "messages": list(outputs.messages),
                "granules": [protocol.as_json(r) for r in outputs.records],
            }
        )
    )
