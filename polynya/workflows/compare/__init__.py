"""``polynya compare``: one granule's results beside NASA's ATL07 and ATL10 of the same track, on one page."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ... import io
from ...errors import UsageError
from ...evaluate import comparison
from ...evaluate.section_bias import FROM_BOOTSTRAP
from ...report import comparison as report
from ...schema import counted
from . import inputs
from .inputs import Ours, Theirs

VERSION = 1
"""Of the method; raised when its numbers change."""
PAGE, JSON = "comparison.html", "comparison.json"
AS_CSV = ("comparison", "compared_leads", "compared_sections")
"""Tables that are written as CSV, too; the others are long."""
LEVEL_M = 0.02
"""Mean sea surfaces further apart than this are named: heights and sea levels then differ by as much."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a comparison gave.

    Attributes
    ----------
    folder : Path
        Where it lies.
    tables : dict of str to pyarrow.Table
        By the name of their specification in :data:`polynya.evaluate.comparison.TABLES`.
    messages : tuple of str
        What a reader of the numbers must know.
    was_done : bool
        True where an earlier result of the same inputs was read again.
    """

    folder: Path
    tables: dict[str, pa.Table]
    messages: tuple[str, ...]
    was_done: bool = False


def run(
    outs: Sequence[Path | str],
    *,
    out: Path | str,
    atl07: Path | str | None = None,
    atl10: Path | str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Outputs:
    """Compare a granule's results with NASA's products, and write tables and a page.

    Parameters
    ----------
    outs : sequence of Path or str
        Folders that polynya freeboard wrote for one granule: one, or one per resolution (2 m and ``150ph``).
    out : Path or str
        New folder for the page, ``comparison.json``, and the tables as Parquet and CSV.
    atl07, atl10 : Path or str, optional
        NASA's granules of the same pass; at least one.
    seed : int
        Of the bootstrap.
    overwrite : bool
        Replace an earlier comparison.

    Returns
    -------
    Outputs

    Raises
    ------
    UsageError
        If neither product is given, or the folders are of several granules or of the same resolution.
    ProductError
        If a file is missing, damaged, or of another granule, orbit, orientation, beam, place or time.
    OutputError
        If the folder cannot be written, or holds something else.
    """
    given = {"ATL07": atl07, "ATL10": atl10}
    if atl07 is None and atl10 is None:
        raise UsageError(
            "--atl07, --atl10: neither is given; expected NASA's granule of the same pass. Give one or both."
        )
    folders, folder = inputs.folders(outs), Path(out)
    key = _key(folders, given, seed)
    if not overwrite and io.finished(folder, key) is not None:
        return _stored(folder)
    io.atomic.check_place(folder, overwrite=overwrite)
    with io.hashing(key) as hashed:
        ours = [inputs.read_ours(f) for f in folders]
        inputs.check_same(ours)
        theirs = [inputs.read_theirs(path, product=product) for product, path in given.items() if path is not None]
        for product in theirs:
            inputs.check_pass(ours[0], product)
        tables = comparison.compare([o.result for o in ours], [t.reference for t in theirs], seed=seed)
        messages = tuple(_messages(ours, theirs, tables))
        with io.writing_folder(folder, overwrite=overwrite) as temporary:
            _write(temporary, ours, theirs, tables, messages)
            record = io.run_record(
                command=io.command_line(),
                config={"atl07": str(atl07 or ""), "atl10": str(atl10 or ""), "seed": seed},
                inputs=[_about(t) for t in theirs],
                seed=seed,
                key=hashed(),
                results=[str(f) for f in folders],
                messages=list(messages),
            )
            io.write_json(record, temporary / "run.json")
    return Outputs(folder=folder, tables=tables, messages=messages)


def _key(folders: Sequence[Path], given: dict[str, Path | str | None], seed: int) -> io.Key:
    files = {
        f"{name} of result {k}": folder / name
        for k, folder in enumerate(folders, start=1)
        for name in inputs.TABLES[:2]
    }
    products = {product: Path(path) for product, path in given.items() if path is not None}
    return io.Key(workflow="compare", version=VERSION, settings={"seed": seed}, inputs={**files, **products})


def _stored(folder: Path) -> Outputs:
    """Return an earlier comparison."""
    tables = {spec.name: io.read_table(folder / f"{spec.name}.parquet") for spec in comparison.TABLES}
    messages = io.read_json(folder / "run.json").get("messages", [])
    return Outputs(folder=folder, tables=tables, messages=tuple(map(str, messages)), was_done=True)


def _about(theirs: Theirs) -> dict[str, object]:
    granule = theirs.granule
    return {
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "orientation": theirs.orbit.orientation or "unknown",
        "is_simulated": granule.is_simulated,
    }


def _write(
    folder: Path, ours: list[Ours], theirs: list[Theirs], tables: dict[str, pa.Table], messages: tuple[str, ...]
) -> None:
    for spec in comparison.TABLES:
        table = tables[spec.name]
        about = {"granule": ours[0].granule}
        with contextlib.closing(io.TableWriter(folder / f"{spec.name}.parquet", spec=spec, about=about)) as writer:
            writer.write(table)
        if spec.name in AS_CSV:
            pyarrow.csv.write_csv(table, folder / f"{spec.name}.csv")
    about_all = {
        "granule": ours[0].granule,
        "results": [{"folder": str(o.folder), "resolution": o.result.label} for o in ours],
        "references": [_about(t) for t in theirs],
        "messages": list(messages),
    }
    scores = tables[comparison.SCORES.name].to_pylist()
    io.write_json(io.plain({**about_all, "scores": scores}), folder / JSON)
    tracks = {o.result.label: _along(o) for o in ours}
    report.write(folder / PAGE, tables=tables, tracks=tracks, about=about_all)


def _along(ours: Ours) -> dict[str, dict[str, np.ndarray]]:
    """Return our sea level and freeboard along each beam, for the figures: by beam, then by column."""
    names = ("x_atc", "sea_surface_height", "sea_surface_uncertainty", "total_freeboard")
    track = ours.result.segments
    return {beam: {n: track[n][where] for n in names} for beam, where in track.slices.items()}


def _messages(ours: list[Ours], theirs: list[Theirs], tables: dict[str, pa.Table]) -> list[str]:
    """Return what a reader of the numbers must know, each a sentence."""
    out = []
    first = ours[0]
    made = [first.granule] if any(i.get("is_simulated") for i in first.run.get("inputs", [])[:1]) else []
    made += [t.granule.granule_id for t in theirs if t.granule.is_simulated]
    if made:
        out.append(f"{' and '.join(made)}: simulated, not satellite data.")
    for t in theirs:
        product = t.reference.product
        shared = comparison.Pair(ours=first.result, reference=t.reference).beams
        alone = [b for b in first.result.segments.slices if b not in shared]
        if alone:
            out.append(f"{product} has no segment on {', '.join(alone)}: only the other beams are compared.")
        out += _of_mean_sea_surface(tables, product, first.result.label)
        out += [m for o in ours for m in _of_level(tables, product, o.result.label)]
    if any(t.reference.product == "ATL07" for t in theirs):
        out.append(
            "ATL07 stores no sea level: NASA's formulas are applied to its sea surface segments, in 10 km sections."
        )
    return out


def _of_mean_sea_surface(tables: dict[str, pa.Table], product: str, label: str) -> list[str]:
    """Return that the two use other mean sea surfaces, where they do."""
    found = _scores(tables, product, label)
    shift, rms = (found["mean_sea_surface", n]["value"] for n in ("bias", "rmse"))
    if not rms > LEVEL_M:
        return []
    return [
        f"{product}: our mean sea surface is another than NASA's ({shift:+.3f} m on average, RMS"
        f" {rms:.3f} m);"
        " heights and sea levels above it differ by as much the other way, freeboards do not."
    ]


def _of_level(tables: dict[str, pa.Table], product: str, label: str) -> list[str]:
    """Return what limits one comparison: no freeboard, few sections."""
    out = []
    found = _scores(tables, product, label)
    if product == "ATL10":
        mine, theirs = (found["coverage_freeboard", f"{n}_km"]["value"] for n in ("ours", "theirs"))
        for name, km in (("ours", mine), ("ATL10", theirs)):
            if not km > 0:
                out.append(f"{product}, {label}: {name} has no freeboard where both have segments: none is compared.")
    level = found["sea_level", "bias"]
    if level["n"] and level["uncertainty_from"] != FROM_BOOTSTRAP:
        out.append(
            f"{product}, {label}: a sea level in both in only {counted(level['n_sections'], 'section')} of 10 km: the"
            " uncertainty of its difference is what the products state, taken as one shared error."
        )
    return out


def _scores(tables: dict[str, pa.Table], product: str, label: str) -> dict[tuple[str, str], dict]:
    """Return the scores of one comparison over all beams and surfaces, by quantity and statistic."""
    table = tables[comparison.SCORES.name]
    chosen = pc.and_(pc.equal(table["reference"], product), pc.equal(table["resolution"], label))
    rows = table.filter(pc.and_(chosen, pc.equal(table["region"], "all"))).to_pylist()
    order = {"all": 0, "ice": 1}
    rows.sort(key=lambda r: -order.get(r["surface"], 2))  # "all" last: it stays
    return {(r["quantity"], r["statistic"]): r for r in rows}


__all__ = ["Outputs", "run"]
