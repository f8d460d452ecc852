"""The command that tags wave-mode imagettes."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def tags(
    products: Annotated[
        list[str],
        typer.Argument(
            metavar="PRODUCT|FOLDER...",
            help="Sentinel-1 WV SLC products (SAFE folder, manifest.safe, zip archive), the folder of TenGeoP-SARwv,"
            " folders of images (PNG, JPEG, GeoTIFF) with or without tags.csv; folders that hold such products,"
            " patterns in quotes, lists (NAME.txt, one product per line).",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="One folder per product is made in it; or s3://BUCKET/NAME, gs://."
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.onnx",
            help="What tags: an .onnx file of polynya train (recipe tags), or a shipped name; by default tags.",
        ),
    ] = None,
    land_km: Annotated[
        float,
        typer.Option(
            metavar="KM",
            help="An imagette whose middle is on land or nearer to it is not assessed; the outlines of land may be 5 km"
            " off and lack small islands. 0 asks nothing.",
        ),
    ] = 20.0,
    workers: Annotated[int, typer.Option(min=1, help="Products at a time.")] = 1,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Tag finished products again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Tag imagettes of Sentinel-1 wave mode with ten phenomena: several per image, each with a probability.

    The phenomena: pure ocean waves, wind streaks, micro-convective cells, rain cells, biological slicks, sea ice,
    icebergs, low wind area, atmospheric front, oceanic front.

    Each product's folder gets tags.parquet (GeoParquet, one row per imagette: footprint, time, beam, incidence angle,
    probability per tag, tags, confidence), report.html (the contact sheet, with filters) and run.json. An imagette
    near land, of another beam, size or kind than the training's is not assessed: unknown, and counted with its cause.
    So is one whose picture cannot be read; the others are tagged, and the exit code is 3.
    The shipped network has learned from simulated imagettes only: look at the pictures.

    \b
    polynya tags S1B_WV_SLC__1SSV_20210403T083025_....SAFE -o tags
    polynya tags january/ -o tags --workers 2
    polynya tags quicklooks/ -o tags --network trained/tags.onnx
    polynya review tags/quicklooks          # confirm, add, remove tags in the browser
    polynya grid tags -o occurrence         # monthly maps
    """
    from ..engine import protocol as records_as
    from ..readers import imagette_products
    from ..workflows import tags as workflow

    config = workflow.Config.checked(network=network, land_km=land_km)
    runner = engines.load(
        engine, workers=0 if engine == "spark" else workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb
    )
    records = workflow.run(
        imagette_products.named(products),
        out=out,
        config=config,
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    failed = [r for r in records if r.status == "failed"]
    damaged = [r for r in records if workflow.n_damaged(r)]
    code = failed[0].exit_code if failed and len(records) == 1 else FINISHED_WITH_FAILURES if failed or damaged else 0
    if as_json:
        answer = {"exit_code": code, "products": [records_as.as_json(r) for r in records]}
        print(json.dumps(answer, indent=1))
    for record in failed:
        say(f"polynya: {record.message}")
    for record in damaged:
        name, n = workflow.name_of(record.item), int(record.numbers["n_imagettes"])
        say(f"polynya: {name}: {workflow.n_damaged(record):,} of {n:,} pictures cannot be read; the others are tagged.")
    if not as_json:
        text = workflow.as_text(records)
        if text:
            print(text)
    raise typer.Exit(code)
