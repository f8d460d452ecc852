"""The command that maps sea-ice concentration from Sentinel-1."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def concentration(
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="Sentinel-1 GRD products, EW: .SAFE folders or .zip files; zip files also at s3://, gs://, https://.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="One folder per scene is made in it; or s3://BUCKET/NAME, gs://."
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.onnx",
            help="What maps: a shipped network, an .onnx file of polynya train, or rule (classes that depend on the"
            " angle). By default the shipped network where there is one, else the rule.",
        ),
    ] = None,
    pixel_m: Annotated[
        float, typer.Option(metavar="M", help="Pixel of the polar grid, 80 to 800 m. Networks learned from 400 m.")
    ] = 400.0,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="HH|HV", help="Use only this channel; all by default.")
    ] = None,
    land: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Polygons of land, which is left out; the shipped coastline only sets flags.",
        ),
    ] = None,
    amsr2: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="AMSR2 brightness temperatures made for the scene (NetCDF), for networks that take them; repeat it"
            " for several scenes.",
        ),
    ] = None,
    near_land_km: Annotated[
        float | None,
        typer.Option(metavar="KM", help="Pixels nearer to land are flagged; 2 km with --land, else 10 km."),
    ] = None,
    noise_scale: Annotated[
        str, typer.Option(metavar="NAME", help="none, or s1a-ew: factors of the HV noise by sub-swath (IPF 2.4).")
    ] = "none",
    keep_noise: Annotated[
        bool, typer.Option("--keep-noise", help="Do not subtract the thermal noise, to see what it does.")
    ] = False,
    sigrid3: Annotated[
        bool,
        typer.Option(
            "--sigrid3",
            help="Also write ice_chart.gpkg: polygons in tenths with SIGRID-3 codes (CT; stage and form undetermined),"
            " of 100 km² or more.",
        ),
    ] = False,
    mosaic: Annotated[
        bool,
        typer.Option(
            "--mosaic",
            help="Then put all maps in FOLDER together, one map per UTC day and hemisphere: mosaic_YYYYMMDD_north.",
        ),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Scenes at a time; each takes about 2 GB.")] = 1,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Map finished scenes again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Map sea-ice concentration, its uncertainty, the ice edge and the marginal ice zone from Sentinel-1 EW scenes.

    Each scene's folder gets GeoTIFFs of concentration, uncertainty and quality flags on the polar grid (EPSG:3413 or
    3976), by a network also intervals of 68 and 95 % and its classes, the same as CF NetCDF, ice_edge.gpkg,
    ice_edge_limits.gpkg, ice_zones.gpkg and report.html.

    A mosaic is the mean of a day's maps with weights 1/sigma²; pixels with flags count where no other is. Its sigma
    does not fall with the number of scenes, and grows with what they differ by. Mosaics take in all maps in FOLDER,
    earlier ones too, and are made again only when their maps changed.

    \b
    polynya concentration S1A_EW_GRDM_1SDH_....SAFE -o maps
    polynya concentration scenes/*.zip -o maps --land land.gpkg --network trained/concentration.onnx
    polynya concentration scenes/*.zip -o maps --mosaic --sigrid3
    """
    from ..engine import protocol as records_as
    from ..workflows import concentration as workflow
    from ..workflows.concentration import mosaic as mosaics

    config = workflow.Config.checked(
        network=network or workflow.DEFAULT,
        pixel_m=pixel_m,
        channels=tuple(c.upper() for c in channel or ()),
        near_land_km=near_land_km,
        noise_scale=noise_scale,
        is_denoised=not keep_noise,
        sigrid3=sigrid3,
    )
    runner = engines.load(
        engine, workers=0 if engine == "spark" else workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb
    )
    if mosaic:
        mosaics.check(out, config=config, names=[workflow.name_of(s) for s in scenes])
    records = workflow.run(
        scenes,
        out=out,
        config=config,
        land=land,
        amsr2=amsr2 or (),
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    days = mosaics.Outputs(records=(), messages=())
    if mosaic and any(r.status != "failed" for r in records):
        days = mosaics.run(
            out,
            config=config,
            workers=workers,
            overwrite=overwrite,
            engine=runner,
            show_progress=sys.stderr.isatty(),
        )
    failed = [r for r in (*records, *days.records) if r.status == "failed"]
    code = failed[0].exit_code if failed and len(records) == 1 else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        answer: dict[str, object] = {"exit_code": code, "scenes": [records_as.as_json(r) for r in records]}
        if mosaic:
            answer |= {"mosaics": [records_as.as_json(r) for r in days.records], "messages": list(days.messages)}
        print(json.dumps(answer, indent=1))
    for record in failed:
        say(f"polynya: {record.message}")
    if not as_json:
        print("\n".join(t for t in (workflow.as_text(records), mosaics.as_text(days)) if t))
    raise typer.Exit(code)
