"""Results against truth, tracks and scenes alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app, say


@app.command()
def evaluate(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help=(
                "A granule's folder that polynya freeboard wrote; or glacier outlines, a raster of glacier probability"
                " or classes, or a folder with them."
            ),
        ),
    ],
    reference: Annotated[
        Path,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help=(
                "Truth of a simulation (parquet), ATL07 or ATL10; for glaciers outlines (gpkg, shp, parquet) or a truth"
                " raster."
            ),
        ),
    ],
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
    region: Annotated[str | None, typer.Option(help="Glaciers: the name in the column region.")] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Also write the tidy table; replaces only such a table.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap intervals.")] = 0,
    brief: Annotated[bool, typer.Option("--brief", help="Freeboard: only the main numbers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> None:
    """Compare a result with a reference.

    Freeboard is compared with simulation truth, ATL07 or ATL10; glaciers with outlines or a truth raster.

    \b
    polynya evaluate ross/ATL03_granule -r ATL10_granule.h5
    polynya evaluate outlines.gpkg -r rgi.gpkg --scene scene1
    polynya evaluate probability.tif -r truth.tif --scene scene1 --table scores.parquet
    """
    from .. import io, schema
    from ..errors import UsageError
    from ..workflows import evaluate as workflow

    if table is not None:
        _check_table(table, specs=(schema.EVALUATION.name, "scene_evaluation"))
    if workflow.is_scene(out):
        from ..evaluate import scene_rows, scene_text
        from ..workflows.evaluate import scene as evaluate_scene

        if brief:
            raise UsageError("--brief: applies to freeboard only; found glaciers. Leave it out.")
        result = evaluate_scene.run(
            out, reference=reference, scene=scene or None, strata=strata, within=within, region=region, seed=seed
        )
        spec, as_text = scene_rows.SCENE_EVALUATION, scene_text.summary
    else:
        from .. import evaluate as evaluation

        if scene or strata or within or region:
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
