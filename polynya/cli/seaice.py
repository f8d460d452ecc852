"""The command that maps classes of sea ice in optical images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def seaice(
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="Optical images of sea ice with red, green, blue and perhaps near infrared: GeoTIFF, JPEG 2000, PNG,"
            " JPEG, products that polynya reads; files also at s3://, gs://, https://. Several dates are several"
            " scenes.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="One folder per scene is made in it; or s3://BUCKET/NAME, gs://."
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            metavar="auto|network|rule",
            help="What maps; rule: thresholds of brightness, 30 and 204; auto: the network, or the rule where none is"
            " named or shipped.",
        ),
    ] = "auto",
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.onnx", help="A shipped network, or an .onnx file of polynya train seaice."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=ROLE",
            help="What a class of the network means: water, thin, thick, pond or land. Names such as thin_ice are"
            " known. Repeat it.",
        ),
    ] = None,
    pixel_m: Annotated[
        float | None,
        typer.Option(metavar="M", help="Side of a pixel of pictures without a place on the map; else pixels count."),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A SIGRID-3 ice chart to compare the map with.")
    ] = None,
    thin_floes: Annotated[bool, typer.Option("--thin-floes", help="Thin ice is part of floes, too.")] = False,
    part_px: Annotated[
        float,
        typer.Option(
            metavar="PX", help="Floes are parted at necks narrower than 2 PX + 1 pixels; 0 parts nothing that touches."
        ),
    ] = 2.0,
    floe_px: Annotated[int, typer.Option(metavar="N", help="Smaller floes are left out, pixels.")] = 30,
    resolvable_px: Annotated[
        float,
        typer.Option(metavar="PX", help="Mean caliper from which floes count in the size distribution, pixels."),
    ] = 10.0,
    lead_px: Annotated[int, typer.Option(metavar="PX", help="Wider water is no lead, pixels.")] = 40,
    workers: Annotated[int, typer.Option(min=1, help="Scenes at a time; each takes about 1 GB.")] = 1,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Map finished scenes again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Map sea ice in optical images: water, thin ice, thick ice, melt ponds, land; floes, leads, the share of ice.

    Each scene's folder gets classes.tif (class and confidence), probabilities.tif, quality_flag.tif, floes.gpkg and
    .parquet (polygons with area, perimeter, calipers), leads.gpkg and .parquet (lines with length, width, direction),
    report.html and run.json. The page shows the shares of the classes by thresholds of brightness, too.

    A floe is thick ice and melt ponds that stay connected when thin necks are cut (--part-px). The size distribution
    is a power law, fitted to floes that no border cuts. The interval of the ice fraction takes all pixels to err
    alike; it is wider where pixels have a size that the network did not learn, or are saturated, or the image looks
    unlike those of the training. This release ships no network of optical sea ice: train one (polynya train seaice) and
    name it (--network), else thresholds of brightness map, which know neither land nor melt ponds.

    \b
    polynya seaice S2_20240412.tif -o ice
    polynya seaice days/*.tif -o ice --workers 2
    polynya seaice picture.png -o ice --pixel-m 4
    polynya seaice image.tif -o ice --chart chart_20240412.gpkg
    polynya seaice image.tif -o ice --network trained/bohai.onnx --classes pond_grid=land
    """
    from ..engine import protocol as records_as
    from ..workflows import seaice as workflow

    config = workflow.Config.checked(
        method=method,
        network=network or workflow.DEFAULT,
        roles=workflow.roles_of(classes or []),
        pixel_m=pixel_m,
        thin_floes=thin_floes,
        part_px=part_px,
        least_px=floe_px,
        resolvable_px=resolvable_px,
        lead_px=lead_px,
    )
    runner = engines.load(
        engine, workers=0 if engine == "spark" else workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb
    )
    records = workflow.run(
        scenes,
        out=out,
        config=config,
        chart=chart,
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if failed and len(records) == 1 else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        print(json.dumps({"exit_code": code, "scenes": [records_as.as_json(r) for r in records]}, indent=1))
    for record in failed:
        say(f"polynya: {record.message}")
    if not as_json:
        text = workflow.as_text(records)
        if text:
            print(text)
    raise typer.Exit(code)
