"""The command that labels segments from a scene."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def label(
    granule: Annotated[
        Path | None, typer.Argument(metavar="[ATL03.h5]", help="The granule; none with --pairs.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.parquet",
            help="The label table; with --pairs the folder of the tables. Also s3://BUCKET/NAME, gs://.",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="SCENE", help="Sentinel-2 .SAFE folder (1C or 2A), or a GeoTIFF with red, green, blue."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead of a scene: the _truth.parquet of a simulated granule.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|PARQUET",
            help=(
                "Many pairs: columns granule, image (or truth), and optionally shift_east, shift_north, corrections,"
                " name."
            ),
        ),
    ] = None,
    shift: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="EAST NORTH", help="Metres to add to the track; estimated by default."),
    ] = None,
    max_shift_m: Annotated[
        float, typer.Option(min=50.0, max=5000.0, help="Largest shift in the search, east and north.")
    ] = 1000.0,
    max_minutes: Annotated[float, typer.Option(min=0.0, help="Largest time between granule and scene.")] = 80.0,
    beams: Annotated[str, typer.Option(help="strong, all, weak, or names: gt1r,gt3r.")] = "strong",
    method: Annotated[
        str,
        typer.Option(
            help="How the scene is classified: published, filtered, percentile, sun or unet; see polynya segment."
        ),
    ] = "published",
    cloud_mask: Annotated[str, typer.Option(help="auto, scl, s2cloudless or none.")] = "auto",
    weights: Annotated[Path | None, typer.Option(metavar="FILE.onnx", help="The network of --method unet.")] = None,
    image_time: Annotated[
        str | None, typer.Option(metavar="UTC", help="Time of the scene, for files without one.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Corrections that polynya review saved; they have priority.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Pairs at a time; 0 means one per core.")] = 0,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Label finished pairs again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Label 2 m segments from the Sentinel-2 scene under the track; the ice drift is removed.

    Writes the table, NAME.run.json and NAME_shift.html (check it: it shows whether the shift is right). Where the
    shift is uncertain, no segment is labelled. Many pairs also give FOLDER/index.html (map, failures, links) and
    runs.parquet.

    \b
    polynya label ATL03_granule.h5 --image S2B_MSIL1C_scene.SAFE -o labels.parquet
    polynya label ATL03_granule.h5 --image scene.tif --shift 240 -130 -o labels.parquet --overwrite
    polynya label --pairs pairs.csv -o labels --workers 4
    polynya label --pairs pairs.parquet -o labels --engine spark --master spark://HOST:7077
    """
    from ..engine import protocol as records_as
    from ..errors import UsageError
    from ..report import label as report
    from ..workflows import label as workflow

    config = workflow.Config.checked(
        beams=beams,
        max_shift_m=max_shift_m,
        max_minutes=max_minutes,
        method=method,
        cloud_mask=cloud_mask,
        image_time=image_time,
        weights=str(weights) if weights else None,
    )
    if out is None:
        raise UsageError(
            "-o: is missing; expected where the labels go. Pass -o labels.parquet, or -o FOLDER with --pairs."
        )
    if pairs is not None:
        if granule or image or truth or shift or corrections:
            raise UsageError(
                "--pairs: goes with no granule, --image, --truth, --shift or --corrections of its own; expected these"
                " as columns. Put them into the table."
            )
        items = workflow.read_pairs(pairs, out=out)
    else:
        if granule is None or (image is None) == (truth is None):
            raise UsageError(
                "ATL03.h5: a granule and one of --image and --truth are needed; expected both, or --pairs. See polynya"
                " label --help."
            )
        items = [
            workflow.Pair(
                granule=str(granule),
                out=str(out),
                image=str(image or ""),
                truth=str(truth or ""),
                shift=shift,
                corrections=str(corrections or ""),
            )
        ]
    runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
    records = workflow.run(
        items,
        config=config,
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        print(json.dumps({"exit_code": code, "pairs": [records_as.as_json(r) for r in records]}, indent=1))
    for record in records:
        if record.status == "failed":
            say(f"polynya: {record.message}")
        elif not as_json:
            print(report.text(record))
    raise typer.Exit(code)
