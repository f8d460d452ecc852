"""``polynya grid`` for leads of radar altimeters: many files' tables to the share of leads per cell and period."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .... import __version__, io, schema
from .... import engine as engines
from ....engine.protocol import FAILED, Engine, Record
from ....errors import ProductError, UsageError
from ....io import grids
from ....physics.gridding import lead_share
from ....schema.lead_labels import LEADS
from .. import tables
from ..config import period_name
from ..tables import Item, Outputs, as_json
from . import maps
from .config import LeadConfig
from .file_sums import RESULTS_VERSION, TABLE, process, read_sums

__all__ = ["Item", "LeadConfig", "Outputs", "as_json", "as_text", "is_leads", "process", "run"]

ALIKE = ("network", "network_sha256", "rule", "lead_probability_limit", "ice_probability_limit")
"""What the tables of one map share, as their metadata have it."""
RULES_BY_MODE = ("CPOM:", "pysiral:")
"""Rules that have thresholds of their own for each mode of CryoSat-2: they begin so, and are one rule."""


def is_leads(results: Sequence[Path | str]) -> bool:
    """Tell whether results are tables of leads along tracks of echoes: by the first one.

    Parameters
    ----------
    results : sequence of path
        Folders, or folders of folders.
    """
    return bool(results) and any(tables.is_table(p, LEADS) for p in _tables(Path(results[0]))[:1])


def _tables(path: Path) -> list[Path]:
    return [p for p in tables.tables_in(path, TABLE) if not (p.parent / "segments.parquet").exists()]


def run(
    results: Sequence[Path | str],
    *,
    out: Path | str,
    config: LeadConfig | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> Outputs:
    """Make maps of the share of leads.

    Parameters
    ----------
    results : sequence of path
        Folders that ``polynya leads`` wrote, or folders of such.
    out : path
        Gets ``maps`` (NetCDF, GeoTIFFs, page) and ``sums`` (one small folder per file, used again by the next run).
    config : LeadConfig, optional
        Settings.
    workers : int
        Files at a time. 0: one per core.
    overwrite : bool
        Replace maps of other files or settings.
    engine : Engine or str
        What counts the files, or its name.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    Outputs

    Raises
    ------
    UsageError
        If a file is given twice, or tables differ in what answered.
    ProductError
        If a folder holds no result, none can be read, or no echo is on the grid.
    OutputError
        If the maps cannot be written, or the folder holds other maps.
    """
    folders, about, is_north = _inputs(results)
    config = (config or LeadConfig()).with_crs(is_north=is_north)
    items = tables.items_of(folders, Path(out))
    task = functools.partial(process, config=config, overwrite=overwrite)
    records = tables.summed(items, task, engine=engine, workers=workers, show_progress=show_progress)
    good = [(i, r) for i, r in zip(items, records, strict=True) if r.status != FAILED]
    return _write(Path(out) / "maps", config, records=records, good=good, about=about, overwrite=overwrite)


def _inputs(results: Sequence[Path | str]) -> tuple[list[Path], dict[str, object], bool]:
    """Return the folders, what their tables share, and whether the first echo lies north."""
    found = list(dict.fromkeys(p.resolve() for r in results for p in _checked(Path(r))))
    names = [p.parent.name for p in found]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise UsageError(
            f"OUT: {double[0]} is there twice; expected each file once, or it counts twice. Leave one out."
        )
    same: dict[str, str] = {}
    missions, all_rules, thresholds, n_simulated = set(), set(), set(), 0
    for path in found:
        meta = {k.decode(): v.decode() for k, v in io.table_metadata(path).items()}
        mine = {k: meta.get(k, "") for k in ALIKE}
        mission = meta.get("mission", "")
        differing = next((k for k in ALIKE if same and same[k] != mine[k]), None)
        if differing == "rule" and missions == {mission} and _rule_of(mine["rule"]) == _rule_of(same["rule"]) != "":
            differing = None
        if differing:
            raise UsageError(
                f"{path.parent.name}: has {differing.replace('_', ' ')} {mine[differing]}, but {found[0].parent.name}"
                f" has {same[differing]}; expected results of one kind. Grid them apart."
            )
        same = same or mine
        missions.add(mission)
        all_rules.update(mine["rule"].split(" / "))
        thresholds |= {meta["threshold_m"]} - {"null"} if "threshold_m" in meta else set()
        n_simulated += meta.get("is_simulated") == "true"
    latitude = next((v for p in found if (v := _latitudes(p)).size), np.zeros(1))
    same["rule"] = " / ".join(sorted(all_rules))
    same["threshold_m"] = ", ".join(sorted(thresholds))
    about: dict[str, object] = {**same, "missions": ", ".join(sorted(missions)), "n_files": len(found)}
    return [p.parent for p in found], about | {"n_simulated_files": n_simulated}, bool(np.median(latitude) >= 0)


def _rule_of(words: str) -> str:
    """Return which of the rules that differ by mode these thresholds are of, empty for others."""
    return next((r for r in RULES_BY_MODE if words.startswith(r)), "")


def _latitudes(path: Path) -> np.ndarray:
    try:
        values = schema.to_numpy(io.read_table(path, columns=["latitude"])["latitude"])
    except ProductError:
        return np.zeros(0)
    return values[np.isfinite(values)]


def _checked(path: Path) -> list[Path]:
    found = _tables(path)
    tables.check_found(found, path, command="leads")
    return found


def _write(
    folder: Path,
    config: LeadConfig,
    *,
    records: tuple[Record, ...],
    good: list[tuple[Item, Record]],
    about: dict[str, object],
    overwrite: bool,
) -> Outputs:
    from ....report import lead_fraction as report

    files = {"netcdf": "grid.nc", "page": "index.html", "cog": "cog", "run": "run.json"}
    files = {k: str(folder / v) for k, v in files.items() if k != "cog" or config.cog}
    key = io.Key(
        workflow="lead grid",
        version=RESULTS_VERSION,
        settings={**config.settings(), "cog": config.cog},
        inputs={f"sums of {i.file}": Path(r.outputs["sums"]) for i, r in good},
    )
    old = None if overwrite else io.finished(folder, key)
    if old is not None:
        periods, messages = tuple(old.get("periods", ())), tuple(old.get("messages", ()))
        return Outputs(folder=folder, files=files, records=records, periods=periods, messages=messages)
    counts = lead_share.merged([read_sums(r.outputs["sums"]) for _, r in good])
    if not counts.cell.size:
        raise ProductError(
            f"{good[0][0].file}: no echo lies on the grid {config.crs}; expected one of its hemisphere. Give another"
            " --crs."
        )
    found = lead_share.shares(counts)
    periods = tuple(_periods(found, config))
    messages = tuple(_messages(about, records, found, crs=str(config.crs)))
    days = (int(counts.day.min()), int(counts.day.max()))
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        more = {**about, "source": f"polynya {__version__}, radar-altimeter echoes of {about['missions']}"}
        data = maps.dataset(found, config=config, days=days, about=more | {"messages": " ".join(messages)})
        grids.write_netcdf(data, temporary / "grid.nc")
        if config.cog:
            maps.write_cogs(data, temporary / "cog", config=config)
        names = {int(p): period_name(int(p), period=config.period) for p in np.unique(found.period)}
        facts = {"files": str(len(good)), "missions": about["missions"], "answered by": answered(about)}
        facts |= {"cells": f"{config.cell:g} km, {config.crs}", "left out": ", ".join(config.leave_out) or "nothing"}
        page = report.Page(
            grid=config.grid(), shares=found, names=names, periods=periods, facts=facts, messages=messages
        )
        report.write(temporary / "index.html", page)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"file": i.file} for i, _ in good],
            key=hashed(),
            n_failed=len(records) - len(good),
            periods=periods,
            messages=messages,
            about=about,
        )
        io.write_json(record, temporary / "run.json")
    return Outputs(folder=folder, files=files, records=records, periods=periods, messages=messages)


def answered(about: dict[str, object]) -> str:
    """Return what gave the classes."""
    if about["network"] == "none":
        return str(about["rule"])
    near = f", a lead is nearer than {float(str(about['threshold_m'])):g} m" if about.get("threshold_m") else ""
    return f"network {about['network']}{near}"


def _periods(found: lead_share.LeadShares, config: LeadConfig) -> list[dict]:
    out = []
    for period in np.unique(found.period).tolist():
        v = {k: x[found.period == period] for k, x in found.values.items()}
        n, lead = int(v["n_echoes"].sum()), int(v["n_lead"].sum())
        row = {
            "period": period_name(period, period=config.period),
            "n_cells": int(np.isfinite(v["lead_fraction"]).sum()),
        }
        row |= {"n_cells_masked": int(v["n_echoes"].size) - row["n_cells"], "n_echoes": n, "n_lead": lead}
        row |= {k: int(v[k].sum()) for k in ("n_ocean", "n_unknown", "n_left_out")}
        everything = n + row["n_ocean"] + row["n_unknown"]
        row["lead_fraction"] = lead / n if n else float("nan")
        row["unknown_share"] = row["n_unknown"] / everything if everything else float("nan")
        row["design_effect"] = found.design_effect[period]
        out.append(row)
    return out


def _messages(
    about: dict[str, object], records: Sequence[Record], found: lead_share.LeadShares, *, crs: str
) -> list[str]:
    out = []
    if about["n_simulated_files"]:
        out.append(
            f"Simulated, not satellite data: {about['n_simulated_files']} of"
            f" {schema.counted(int(str(about['n_files'])), 'file')}."
        )
    if about["network"] == "none":
        out.append("Classes are those of a published rule or of the product, the output of thresholds.")
        if " / " in str(about["rule"]):
            out.append(f"The rule has other thresholds for each mode of the radar: {about['rule']}.")
    elif about.get("threshold_m"):
        near = float(str(about["threshold_m"]))
        out.append(f"The network was taught that a lead is nearer to nadir than {near:g} m.")
    failed = sum(r.status == FAILED for r in records)
    if failed:
        out.append(
            f"{failed} of {schema.counted(len(records), 'file')} failed and {'is' if failed == 1 else 'are'} NOT in the"
            " maps: the same command tries again."
        )
    outside = int(sum(r.numbers.get("n_ice_outside", 0) for r in records))
    if outside:
        out.append(
            f"{schema.counted(outside, 'echo')} of leads and ice {'lies' if outside == 1 else 'lie'} outside the grid"
            f" {crs} and {'is' if outside == 1 else 'are'} NOT in the maps: --crs"
            f" {'EPSG:3976' if crs == 'EPSG:3413' else 'EPSG:3413'} maps those of the other hemisphere."
        )
    if int(found.values["n_left_out"].sum()):
        n = int(found.values["n_left_out"].sum())
        out.append(f"Left out by their quality bits (melt season and the like): {schema.counted(n, 'echo')}.")
    if not np.isfinite(found.values["lead_fraction"]).any():
        out.append("No cell has enough lead and ice echoes for a share: larger cells (--cell) or more files may help.")
    return out


def as_text(outputs: Outputs) -> str:
    """Return what became of a run, for people.

    Parameters
    ----------
    outputs : Outputs
        Of :func:`run`.
    """
    lines = [
        f"{p['period']}: {schema.counted(p['n_cells'], 'cell')} with a share ({p['n_cells_masked']:,} masked),"
        f" {schema.counted(p['n_echoes'], 'lead and ice echo')}, {_percent(p['lead_fraction'])} leads,"
        f" {_percent(p['unknown_share'])}"
        " of all unknown"
        for p in outputs.periods
    ]
    return "\n  ".join([*lines, *outputs.messages, *outputs.files.values()])


def _percent(share: float | None) -> str:
    return "-" if share is None or share != share else f"{100 * share:.1f} %"
