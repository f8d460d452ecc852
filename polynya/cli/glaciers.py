"""Glacier outlines of a scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..sensors import table
from . import engines
from .root import app


@app.command()
def glaciers(
    scene: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help=(
                "The files of one scene: a scene folder, .SAFE, Landsat folder, STAC items, GeoTIFFs, or a .zip or .tar"
                " of one of them; dem=FILE names the sensor of a file. GeoTIFFs may be at addresses (s3://, gs://,"
                " https://)."
            ),
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder for maps, outlines and the report; or s3://BUCKET/NAME, gs://.",
        ),
    ],
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=(
                "Shipped network or .onnx file; repeat it to average several. By default the shipped network that fits"
                " the image; 'rule' is the classical rule."
            ),
        ),
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="RGI or GLIMS outlines (FILE.gpkg/LAYER, .zip too); their divides and identifiers are used.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help=(
                "Reference outlines or a truth raster; the map is scored against it in the report and in"
                " evaluation.parquet."
            ),
        ),
    ] = None,
    region: Annotated[
        str,
        typer.Option(help="Region name, for networks with region encoding: ALP, HMA ..., auto, unknown, or optimised."),
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
        typer.Option(help=f"Use only this sensor ({', '.join(table('glaciers').names)}); repeat it for more."),
    ] = None,
    use_misregistered: Annotated[
        bool, typer.Option("--use-misregistered", help="Use misregistered sensors too.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="A pixel is glacier from this probability on; by default the network's own, mostly 0.5."),
    ] = None,
    min_area_km2: Annotated[float, typer.Option(help="Leave out smaller outlines.")] = 0.01,
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
                "Between-block correlation (blocks of 3.2 km) for the intervals of areas; by default the network's own."
            ),
        ),
    ] = None,
    divides: Annotated[
        str,
        typer.Option(
            metavar="none|dem",
            help="dem: cut ice that no inventory names into glaciers along the ice divides of the DEM.",
        ),
    ] = "none",
    complexes: Annotated[
        bool,
        typer.Option(
            "--complexes",
            help="Also write complexes.gpkg (glaciers that touch, dissolved) and intersects.gpkg (common edges).",
        ),
    ] = False,
    combine: Annotated[
        bool,
        typer.Option(
            "--combine",
            help=(
                "Every SCENE is a date of one ground: one map of them all, without seasonal snow and cloud where a date"
                " is free of them; dem=FILE goes to every date."
            ),
        ),
    ] = False,
    mask_clouds: Annotated[
        bool,
        typer.Option("--mask-clouds", help="Cloud is no data (not seen); by default it lowers the confidence."),
    ] = False,
    each: Annotated[
        bool, typer.Option("--each", help="Every SCENE is one scene; FOLDER gets a folder for each.")
    ] = False,
    date: Annotated[
        str,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="Date of the images, where no file gives it; used for src_date and rates of change.",
        ),
    ] = "",
    reference_date: Annotated[
        str,
        typer.Option(
            metavar="YYYY-MM-DD",
            help=(
                "Where GLIMS outlines (--inventory, --reference) hold several analyses of a glacier: take the one"
                " nearest to this date; by default nearest to the scene."
            ),
        ),
    ] = "",
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime or openvino.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Number of windows that run in parallel.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the intervals.")] = 0,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Map glaciers in an optical scene, with DEM, radar, coherence and thermal images where available.

    FOLDER gets probability.tif, confidence.tif, ice_class.tif (clean, debris-covered), outlines.gpkg and .parquet
    (RGI 7 names), outlines_oggm.gpkg, uncertainty_band.gpkg, report.html, run.json and QGIS styles; spread.tif if
    predictions were averaged; evaluation.parquet with --reference. Missing and misregistered sensors are left out and
    named. --each also gives index.html (map, totals, failures, links) and runs.parquet. More: docs/glaciers.md.

    \b
    polynya glaciers scene -o mapped --inventory RGI2000-v7.0-G-11.gpkg
    polynya glaciers S2A_MSIL2A.SAFE dem=copdem.tif -o mapped
    polynya glaciers scenes/* --each -o mapped
    polynya glaciers 2020.SAFE 2021.SAFE 2022.SAFE dem=copdem.tif --combine -o mapped
    """
    from .. import io
    from ..engine import protocol
    from ..errors import UsageError
    from ..workflows import glaciers as workflow
    from ..workflows.glaciers import batch

    config = workflow.Config.checked(
        network=tuple(network or (workflow.DEFAULT,)),
        region=region,
        rgi_region=rgi_region,
        divides=divides,
        complexes=complexes,
        sensors=tuple(sensor or ()),
        keep_flagged=use_misregistered,
        combine=combine,
        mask_clouds=mask_clouds,
        threshold=threshold,
        min_area_km2=min_area_km2,
        turns=8 if tta else 1,
        draws=mc_dropout,
        between_blocks=between_blocks,
        date=date,
        reference_date=reference_date,
        runtime=runtime,
        seed=seed,
    )
    if each and combine:
        raise UsageError(
            "--each: maps every SCENE by itself, --combine all to one map; expected one of them. Leave one out."
        )
    if not each:
        old = (
            None
            if overwrite
            else workflow.done_before(scene, out=out, config=config, inventory=inventory, reference=reference)
        )
        if old is not None:
            text = f"{out}: done before from the same files and settings; pass --overwrite to map it again"
            print(json.dumps({"status": protocol.SKIPPED, "folder": str(out), **old}, indent=1) if as_json else text)
            return
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
            "--reference: is for one scene; expected none of it with --each. Leave it out, or score each with polynya"
            " evaluate."
        )
    runner = engines.load(
        engine, workers=int(engine != "spark"), master=master, timeout_s=timeout_s, memory_gb=memory_gb
    )
    records = batch.run_each(
        [s for given in scene for s in (io.expand([given], endings=()) if io.is_address(given) else [given])],
        out=out,
        config=config,
        inventory=inventory,
        overwrite=overwrite,
        threads=threads,
        engine=runner,
        show_progress=not as_json,
    )
    print(json.dumps([protocol.as_json(r) for r in records], indent=1) if as_json else batch.records_text(records))
    if any(r.status == "failed" for r in records):
        raise typer.Exit(3 if any(r.status != "failed" for r in records) else 1)
