"""Glacier outlines of a scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def glaciers(
    scene: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="A scene folder, .SAFE, Landsat folder, STAC items, GeoTIFFs; dem=FILE says what a file is.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where maps, outlines and the report go.")],
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Shipped network or .onnx file, given again to average several; 'rule' for the classical rule.",
        ),
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option(metavar="FILE", help="RGI or GLIMS outlines: their divides and identifiers are kept.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help="Outlines or a truth raster: the report and evaluation.parquet judge the map against it.",
        ),
    ] = None,
    region: Annotated[
        str, typer.Option(help="Region told to a network that wants one: ALP, HMA ..., auto, unknown, or optimised.")
    ] = "auto",
    rgi_region: Annotated[
        str,
        typer.Option(
            metavar="NN",
            help=(
                "First-order region of the RGI for outlines_oggm.gpkg, where no inventory tells it (11 is Central"
                " Europe)."
            ),
        ),
    ] = "",
    sensor: Annotated[
        list[str] | None,
        typer.Option(
            help="Use this sensor only (optical, dem, co_pol_sar, cross_pol_sar, in_sar, thermal); may be given again."
        ),
    ] = None,
    use_misregistered: Annotated[
        bool, typer.Option("--use-misregistered", help="Use misregistered sensors, too.")
    ] = False,
    threshold: Annotated[float, typer.Option(help="Probability from which a pixel is glacier.")] = 0.5,
    min_area_km2: Annotated[float, typer.Option(help="Smaller outlines are left out.")] = 0.01,
    tta: Annotated[
        bool,
        typer.Option("--tta", help="Test-time augmentation: average the eight rotated and mirrored predictions."),
    ] = False,
    mc_dropout: Annotated[
        int,
        typer.Option(
            metavar="N",
            help=(
                "Monte-Carlo dropout: average N predictions of a network that was trained with dropout; spread.tif"
                " gives their standard deviation."
            ),
        ),
    ] = 1,
    between_blocks: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=(
                "Correlation of errors between blocks of 3.2 km, for the areas' intervals; the network's own by"
                " default."
            ),
        ),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Every SCENE is a scene of its own; FOLDER gets a folder for each.")
    ] = False,
    date: Annotated[
        str,
        typer.Option(
            metavar="YYYY-MM-DD", help="When the images were taken, where no file says: src_date, and rates of change."
        ),
    ] = "",
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime or openvino.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Windows at a time.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the interval's draws.")] = 0,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="With --each, what runs the scenes: local, or a module of your own with build()."
        ),
    ] = "local",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Map glaciers in an optical scene with what else is there: DEM, radar, coherence, thermal.

    FOLDER gets probability.tif, confidence.tif, outlines.gpkg and .parquet (RGI 7 names), outlines_oggm.gpkg,
    uncertainty_band.gpkg, report.html and run.json, spread.tif where answers were averaged, evaluation.parquet with
    --reference. Sensors that are missing, or that lie out of register, are left out and named. More: docs/glaciers.md.

    \b
    polynya glaciers scene -o mapped --inventory RGI2000-v7.0-G-11.gpkg
    polynya glaciers S2A_MSIL2A.SAFE dem=copdem.tif -o mapped
    polynya glaciers scenes/* --each -o mapped
    """
    from ..engine import protocol
    from ..errors import UsageError
    from ..workflows import glaciers as workflow
    from ..workflows.glaciers import batch

    config = workflow.Config.checked(
        network=tuple(network or (workflow.DEFAULT,)),
        region=region,
        rgi_region=rgi_region,
        sensors=tuple(sensor or ()),
        keep_flagged=use_misregistered,
        threshold=threshold,
        min_area_km2=min_area_km2,
        turns=8 if tta else 1,
        draws=mc_dropout,
        between_blocks=between_blocks,
        date=date,
        runtime=runtime,
        seed=seed,
    )
    if not each:
        result = workflow.run(
            scene,
            out=out,
            config=config,
            inventory=inventory,
            reference=reference,
            overwrite=overwrite,
            threads=threads,
            show_progress=not as_json,
        )
        print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))
        return
    if reference is not None:
        raise UsageError(
            "--reference: is for one scene; expected none of it with --each. Leave it out, or judge each with polynya"
            " evaluate."
        )
    records = batch.run_each(
        scene,
        out=out,
        config=config,
        inventory=inventory,
        overwrite=overwrite,
        threads=threads,
        engine=engine,
        show_progress=not as_json,
    )
    print(json.dumps([protocol.as_json(r) for r in records], indent=1) if as_json else batch.records_text(records))
    if any(r.status == "failed" for r in records):
        raise typer.Exit(3 if any(r.status != "failed" for r in records) else 1)
