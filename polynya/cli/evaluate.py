"""Results against truth, tracks and scenes alike."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from ..engine.protocol import Engine
    from ..schema import TableSpec

    Scored = tuple[pa.Table, TableSpec, Callable[[pa.Table], str]]


@app.command()
def evaluate(
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[OUT]",
            help=(
                "A granule's folder that polynya freeboard wrote; glacier outlines, a raster of glacier probability or"
                " classes, or a folder with them; a map of sea-ice concentration (NetCDF, GeoTIFF), predictions of the"
                " AutoICE challenge; leads of echoes (a folder of polynya leads, or of many); tags of imagettes (a"
                " folder of polynya tags, or of many). None with --pairs."
            ),
        ),
    ] = None,
    references: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help=(
                "Truth of a simulation (parquet), ATL07 or ATL10; for glaciers outlines (gpkg, shp, parquet) or a truth"
                " raster (repeat it with outlines of several experts for the spread among them); for concentration an"
                " ice chart (gpkg, shp), a grid, or an AI4Arctic scene (a folder of them"
                " for predictions); for leads a label table, the truth of a simulation (or its folder), hand-labelled"
                " echoes, CryoSat-2 L2i, a CPOM table; for tags a folder with tags.csv, the folder of TenGeoP-SARwv, or"
                " what polynya review wrote."
            ),
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|PARQUET",
            help=(
                "Many results: columns result and reference, for glaciers perhaps scene, strata, within, region, and"
                " name."
            ),
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="With --pairs: where the tables of scores go, a folder or s3://BUCKET/NAME, gs://.",
        ),
    ] = None,
    scene: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCENE",
            help=(
                "Glaciers: also score the classical and the DEM-only map of this scene; repeat it for each of its"
                " files (--scene s2.tif --scene dem=dem.tif)."
            ),
        ),
    ] = None,
    strata: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.tif",
            help="Glaciers: bits of snow, shadow, cloud, water, layover; by default the scene's strata.tif.",
        ),
    ] = None,
    within: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Glaciers: polygons of the labelled ground; nothing else counts."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="Glaciers, concentration: the name in the column region.")] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Also write the tidy table; replaces only such a table.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap intervals.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="With --pairs: results at a time; 0 means one per core.")] = 0,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="With --pairs: score finished pairs again.")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Freeboard: only the main numbers.")] = False,
    reference_date: Annotated[
        str,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="Of several GLIMS analyses of a glacier take the one nearest to this date; by default to the scene.",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> None:
    """Compare a result with a reference.

    Freeboard is compared with simulation truth, ATL07 or ATL10; glaciers with outlines or a truth raster; sea-ice
    concentration with an ice chart, another grid or an AI4Arctic scene; leads with labels or simulation truth; tags of
    imagettes with tags of people, classes or simulation truth. Intervals of the last two are over passes. Many results
    (--pairs) give a table each, scores.parquet with all of them, and the page of the batch.

    \b
    polynya evaluate ross/ATL03_granule -r ATL10_granule.h5
    polynya evaluate outlines.gpkg -r rgi.gpkg --scene scene1
    polynya evaluate probability.tif -r truth.tif --scene scene1 --table scores.parquet
    polynya evaluate mapped -r expert1.gpkg -r expert2.gpkg -r expert3.gpkg
    polynya evaluate --pairs pairs.csv -o scores --workers 2
    polynya evaluate concentration.nc -r ice_chart.gpkg
    polynya evaluate leads -r tracks/truth
    polynya evaluate tags -r quicklooks/
    """
    from .. import io, schema
    from ..errors import UsageError
    from ..workflows import evaluate as workflow

    reference = (references or [None])[0]
    if pairs is not None:
        if out or reference or scene or strata or within or region or table or brief:
            raise UsageError(
                "--pairs: goes with no OUT, --reference, --scene, --strata, --within, --region, --table or --brief;"
                " expected these as columns. Put them into the table."
            )
        runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
        _many(pairs, folder, seed=seed, workers=workers, overwrite=overwrite, engine=runner, as_json=as_json)
    out, reference = _one(out, reference, folder)
    if references and len(references) > 1:
        others = bool(scene or strata or region or table or brief)
        _experts(out, references, within=within, reference_date=reference_date, as_json=as_json, has_others=others)
        return
    if table is not None:
        _check_table(table, specs=(schema.EVALUATION.name, "scene_evaluation"))
    from ..workflows.evaluate import concentration as evaluate_concentration
    from ..workflows.evaluate import leads as evaluate_leads
    from ..workflows.evaluate import tags as evaluate_tags

    others = bool(brief or scene or strata or within or reference_date)
    kinds = ((evaluate_leads.is_leads, _leads), (evaluate_tags.is_tags, _tags))
    by_reference = next((scored for is_one, scored in kinds if is_one(out)), None)
    if by_reference is not None:
        result, spec, as_text = by_reference(out, reference, seed=seed, has_others=others or region is not None)
    elif evaluate_concentration.is_concentration(out):
        result, spec, as_text = _concentration(out, reference, region=region, seed=seed, has_others=others)
    elif workflow.is_scene(out):
        if brief:
            raise UsageError("--brief: applies to freeboard only; found glaciers. Leave it out.")
        ground = _Ground(scene=scene or None, strata=strata, within=within, region=region)
        result, spec, as_text = _glaciers(out, reference, ground, reference_date=reference_date, seed=seed)
    else:
        from .. import evaluate as evaluation

        if scene or strata or within or region or reference_date:
            raise UsageError(
                f"{out}: is no outlines file and no raster, so --scene, --strata, --within and --region do not apply;"
                " expected glaciers. Leave them out."
            )
        result = workflow.run(out, reference=reference, seed=seed)
        spec, as_text = schema.EVALUATION, evaluation.brief if brief else evaluation.summary
    if table is not None:
        io.write_table(result, table, spec=spec)
        say(f"wrote {table}")
    print(json.dumps(io.plain(result.to_pylist())) if as_json else as_text(result))


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """Scene, strata and ground on which glaciers are evaluated."""

    scene: list[str] | None
    strata: Path | None
    within: Path | None
    region: str | None


def _glaciers(out: Path, reference: Path, ground: _Ground, *, reference_date: str, seed: int) -> Scored:
    """Compare a map of glaciers with a reference; say on stderr what was chosen and cut of it."""
    from ..evaluate import scene_rows, scene_text
    from ..workflows.evaluate import scene as evaluate_scene

    result = evaluate_scene.run(
        out,
        reference=reference,
        scene=ground.scene,
        strata=ground.strata,
        within=ground.within,
        region=ground.region,
        reference_date=evaluate_scene.date_of(reference_date),
        seed=seed,
    )
    for line in evaluate_scene.lines_of(result):
        say(f"note: {line}")
    return result, scene_rows.SCENE_EVALUATION, scene_text.summary


def _one(out: Path | None, reference: Path | None, folder: str | None) -> tuple[Path, Path]:
    """Return a result and its reference, both of which are needed without --pairs."""
    from ..errors import UsageError

    if out is None or reference is None:
        raise UsageError(
            "OUT: a result and its --reference are needed; expected both, or --pairs with -o. See polynya evaluate"
            " --help."
        )
    if folder is not None:
        raise UsageError("-o: goes with --pairs only; expected --table FILE.parquet for one result. Use that.")
    return out, reference


def _experts(
    out: Path, references: list[Path], *, within: Path | None, reference_date: str, as_json: bool, has_others: bool
) -> None:
    """Compare a map of glaciers with the references of several experts, and these with each other."""
    from .. import io
    from ..errors import UsageError
    from ..workflows import evaluate as workflow
    from ..workflows.evaluate import experts
    from ..workflows.evaluate import scene as evaluate_scene

    if has_others or not workflow.is_scene(out):
        raise UsageError(
            "--reference: several go with outlines of glaciers, --within and --reference-date only; expected one for"
            " everything else. Give one."
        )
    spread = experts.run(
        out, references=references, within=within, reference_date=evaluate_scene.date_of(reference_date)
    )
    print(json.dumps(io.plain(experts.as_json(spread)), indent=1) if as_json else experts.as_text(spread))


def _leads(out: Path, reference: Path, *, seed: int, has_others: bool) -> Scored:
    from ..errors import UsageError
    from ..evaluate import scene_rows
    from ..evaluate.leads import text
    from ..workflows.evaluate import leads

    if has_others:
        raise UsageError(
            f"{out}: holds leads of radar-altimeter echoes, so --brief, --scene, --strata, --within and --region do not"
            " apply; expected --reference alone. Leave them out."
        )
    return leads.run(out, reference=reference, seed=seed), scene_rows.SCENE_EVALUATION, text.summary


def _tags(out: Path, reference: Path, *, seed: int, has_others: bool) -> Scored:
    from ..errors import UsageError
    from ..evaluate import scene_rows
    from ..evaluate.tags import text
    from ..workflows.evaluate import tags

    if has_others:
        raise UsageError(
            f"{out}: holds tags of imagettes, so --brief, --scene, --strata, --within and --region do not apply;"
            " expected --reference alone. Leave them out."
        )
    return tags.run(out, reference=reference, seed=seed), scene_rows.SCENE_EVALUATION, text.summary


def _concentration(out: Path, reference: Path, *, region: str | None, seed: int, has_others: bool) -> Scored:
    from ..errors import UsageError
    from ..evaluate import scene_rows
    from ..evaluate.concentration import text
    from ..workflows.evaluate import concentration

    if has_others:
        raise UsageError(
            f"{out}: is a map of sea-ice concentration, so --brief, --scene, --strata and --within do not apply;"
            " expected --reference and --region. Leave them out."
        )
    result = concentration.run(out, reference=reference, region=region, seed=seed)
    return result, scene_rows.SCENE_EVALUATION, text.summary


def _many(
    pairs: Path, folder: str | None, *, seed: int, workers: int, overwrite: bool, engine: Engine, as_json: bool
) -> NoReturn:
    from ..engine import protocol as records_as
    from ..errors import UsageError
    from ..workflows.evaluate import batch

    if folder is None:
        raise UsageError("-o: is missing; expected where the tables of scores go. Pass -o FOLDER with --pairs.")
    records = batch.run(
        batch.read_pairs(pairs, out=folder),
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        engine=engine,
        show_progress=sys.stderr.isatty(),
    )
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if failed and len(records) == 1 else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        print(json.dumps({"exit_code": code, "pairs": [records_as.as_json(r) for r in records]}, indent=1))
    for record in failed:
        say(f"polynya: {record.message}")
    if not as_json:
        print(batch.text(records))
    raise typer.Exit(code)


def _check_table(path: Path, *, specs: tuple[str, ...]) -> None:
    """Raise unless a name is free, or that of a table of an earlier evaluation."""
    from .. import io
    from ..errors import OutputError, ProductError

    if not path.exists() and not path.is_symlink():
        return
    try:
        metadata = io.read_table(path, columns=["metric"]).schema.metadata or {}
    except ProductError:
        metadata = {}
    if metadata.get(b"polynya_table", b"").decode() not in specs:
        raise OutputError(
            f"--table {path}: exists already and is no table that polynya evaluate wrote; expected a new name: it is"
            " not replaced. Choose another name."
        )
