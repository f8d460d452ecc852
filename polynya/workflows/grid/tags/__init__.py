"""``polynya grid`` for tags of imagettes: many products' tables to the share of each phenomenon per cell and period."""

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
from ....physics.gridding import occurrence
from ....schema.imagette_tags import IMAGETTE_TAGS
from ....schema.imagettes import TAGS
from .. import tables
from ..config import period_name
from ..tables import Item, Outputs, as_json
from . import maps
from .config import TagConfig
from .file_sums import RESULTS_VERSION, TABLE, process, read_sums

__all__ = ["Item", "Outputs", "TagConfig", "as_json", "as_text", "is_tags", "process", "run"]

ALIKE = ("network", "network_sha256", "land_km")
"""What the tables of one map share, as their metadata have it."""


def is_tags(results: Sequence[Path | str]) -> bool:
    """Tell whether results are tags of imagettes: by the first one.

    Parameters
    ----------
    results : sequence of path
        Folders, or folders of folders.
    """
    return bool(results) and any(
        tables.is_table(p, IMAGETTE_TAGS) for p in tables.tables_in(Path(results[0]), TABLE)[:1]
    )


def run(
    results: Sequence[Path | str],
    *,
    out: Path | str,
    config: TagConfig | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> Outputs:
    """Make maps of the occurrence of tags.

    Parameters
    ----------
    results : sequence of path
        Folders that ``polynya tags`` wrote, or folders of such.
    out : path
        Gets ``maps`` (NetCDF, GeoTIFFs, page) and ``sums`` (one small folder per product, used again by the next run).
    config : TagConfig, optional
        Settings.
    workers : int
        Products at a time. 0: one per core.
    overwrite : bool
        Replace maps of other products or settings.
    engine : Engine or str
        What counts the products, or its name.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    Outputs

    Raises
    ------
    UsageError
        If a product is given twice, or tables differ in what tagged.
    ProductError
        If a folder holds no result, none can be read, or no imagette has a place and a time.
    OutputError
        If the maps cannot be written, or the folder holds other maps.
    """
    folders, about = _inputs(results)
    config = config or TagConfig()
    items = tables.items_of(folders, Path(out))
    task = functools.partial(process, config=config, overwrite=overwrite)
    records = tables.summed(items, task, engine=engine, workers=workers, show_progress=show_progress)
    good = [(i, r) for i, r in zip(items, records, strict=True) if r.status != FAILED]
    return _write(Path(out) / "maps", config, records=records, good=good, about=about, overwrite=overwrite)


def _inputs(results: Sequence[Path | str]) -> tuple[list[Path], dict[str, object]]:
    """Return the folders, and what their tables share."""
    found = list(dict.fromkeys(p.resolve() for r in results for p in _checked(Path(r))))
    names = [p.parent.name for p in found]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise UsageError(
            f"OUT: {double[0]} is there twice; expected each product once, or it counts twice. Leave one out."
        )
    same: dict[str, str] = {}
    products, n_simulated, is_network_simulated = set(), 0, False
    for path in found:
        meta = {k.decode(): v.decode() for k, v in io.table_metadata(path).items()}
        mine = {k: meta.get(k, "") for k in ALIKE}
        differing = next((k for k in ALIKE if same and same[k] != mine[k]), None)
        if differing:
            raise UsageError(
                f"{path.parent.name}: has {differing.replace('_', ' ')} {mine[differing]}, but {found[0].parent.name}"
                f" has {same[differing]}; expected results of one kind. Grid them apart."
            )
        same = same or mine
        products.add(meta.get("product", ""))
        n_simulated += meta.get("is_simulated") == "true"
        is_network_simulated |= meta.get("is_network_simulated") == "true"
    about: dict[str, object] = {**same, "products": ", ".join(sorted(products)), "n_products": len(found)}
    about |= {"n_simulated_products": n_simulated, "is_network_simulated": str(is_network_simulated).lower()}
    return [p.parent for p in found], about


def _checked(path: Path) -> list[Path]:
    found = [p for p in tables.tables_in(path, TABLE) if tables.is_table(p, IMAGETTE_TAGS)]
    tables.check_found(found, path, command="tags")
    return found


def _write(
    folder: Path,
    config: TagConfig,
    *,
    records: tuple[Record, ...],
    good: list[tuple[Item, Record]],
    about: dict[str, object],
    overwrite: bool,
) -> Outputs:
    from ....report import occurrence as report

    files = {"netcdf": "grid.nc", "page": "index.html", "cog": "cog", "run": "run.json"}
    files = {k: str(folder / v) for k, v in files.items() if k != "cog" or config.cog}
    key = io.Key(
        workflow="tag grid",
        version=RESULTS_VERSION,
        settings={**config.settings(), "cog": config.cog},
        inputs={f"sums of {i.file}": Path(r.outputs["sums"]) for i, r in good},
    )
    old = None if overwrite else io.finished(folder, key)
    if old is not None:
        periods, messages = tuple(old.get("periods", ())), tuple(old.get("messages", ()))
        return Outputs(folder=folder, files=files, records=records, periods=periods, messages=messages)
    counts = occurrence.merged([read_sums(r.outputs["sums"]) for _, r in good])
    if not counts.cell.size:
        raise ProductError(
            f"{good[0][0].file}: no imagette has a place and a time; expected some. Tag products, or a folder whose"
            " table has latitudes and longitudes, and names in the agency's form."
        )
    found = occurrence.occurrences(counts)
    periods = tuple(_periods(found, counts, config))
    messages = tuple(_messages(about, records, found))
    days = (int(counts.day.min()), int(counts.day.max()))
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        more = {**about, "source": f"polynya {__version__}, tags of {about['products']}"}
        data = maps.dataset(found, config=config, days=days, about=more | {"messages": " ".join(messages)})
        grids.write_netcdf(data, temporary / "grid.nc")
        if config.cog:
            maps.write_cogs(data, temporary / "cog", config=config)
        names = {int(p): period_name(int(p), period=config.period) for p in np.unique(found.period)}
        facts = {"products": str(len(good)), "of": about["products"], "network": about["network"]}
        facts |= {"cells": f"{config.cell:g}\u00b0", "tags": "precise only" if config.precise else "all"}
        page = report.Page(
            grid=config.grid(), found=found, names=names, periods=periods, facts=facts, messages=messages
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


def _periods(found: occurrence.Occurrences, counts: occurrence.TagCounts, config: TagConfig) -> list[dict]:
    out = []
    for period in np.unique(found.period).tolist():
        v = {k: x[found.period == period] for k, x in found.values.items()}
        mine = (counts.period == period) & (counts.counts["n_imagettes"] > 0)
        is_masked = v["n_imagettes"] < occurrence.LEAST_IMAGETTES
        row: dict[str, object] = {"period": period_name(period, period=config.period)}
        row |= {"n_cells": int((~is_masked).sum()), "n_cells_masked": int(is_masked.sum())}
        row |= {"n_tracks": int(np.unique(counts.track[mine]).size)}
        row |= {k: int(v[k].sum()) for k in ("n_imagettes", "n_not_assessed", *(f"n_{t}" for t in TAGS))}
        out.append(row)
    return out


def _messages(about: dict[str, object], records: Sequence[Record], found: occurrence.Occurrences) -> list[str]:
    out = []
    if about["n_simulated_products"]:
        n, of = about["n_simulated_products"], about["n_products"]
        out.append(f"Simulated, not satellite data: {n} of {of} products. Their places are drawn, on land too.")
    if about["is_network_simulated"] == "true":
        out.append(
            "The network has learned from simulated imagettes only: the maps show its tags, not proven phenomena."
        )
    failed = sum(r.status == FAILED for r in records)
    if failed:
        out.append(f"{failed} of {len(records)} products failed and are NOT in the maps: the same command tries again.")
    lost = int(sum(r.numbers.get("n_without_place_or_time", 0) for r in records))
    if lost:
        out.append(f"Left out: {schema.counted(lost, 'imagette')} without a place or a time.")
    if int(found.values["n_not_assessed"].sum()):
        n = int(found.values["n_not_assessed"].sum())
        out.append(f"Not assessed, and in no share: {schema.counted(n, 'imagette')} near land, or unlike the training.")
    if (found.values["n_imagettes"] < occurrence.LEAST_IMAGETTES).all():
        out.append(
            f"No cell has {occurrence.LEAST_IMAGETTES} assessed imagettes in a period, so all shares are masked: larger"
            " cells (--cell 5deg), --period all or more products may help."
        )
    return out


def as_text(outputs: Outputs) -> str:
    """Return what became of a run, for people.

    Parameters
    ----------
    outputs : Outputs
        Of :func:`run`.
    """
    lines = []
    for p in outputs.periods:
        often = sorted(((p[f"n_{t}"], t.replace("_", " ")) for t in TAGS), reverse=True)[:3]
        words = ", ".join(f"{t} {100 * n / p['n_imagettes']:.1f} %" for n, t in often if n)
        masked = f"{schema.counted(p['n_cells_masked'], 'cell')} of fewer than {occurrence.LEAST_IMAGETTES} masked"
        shares = f"{schema.counted(p['n_cells'], 'cell')} with shares" if p["n_cells"] else "no cell with shares"
        lines.append(
            f"{p['period']}: {schema.counted(p['n_imagettes'], 'imagette')} of {schema.counted(p['n_tracks'], 'pass')};"
            f" {shares}, {masked}" + (f"; of all imagettes together: {words}" if words else "")
        )
    return "\n  ".join([*lines, *outputs.messages, *outputs.files.values()])
