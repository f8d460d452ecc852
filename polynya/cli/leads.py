"""The command that finds leads along tracks of radar-altimeter echoes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def leads(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="AltiKa SGDR, CryoSat-2 L1b or L2i, Sentinel-3 SRAL enhanced: NetCDF, SEN3 folders; folders of them,"
            " patterns in quotes, lists (NAME.txt, a file a line); also at s3://, gs://, https://.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="One folder per file is made in it; or s3://BUCKET/NAME, gs://."
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.onnx",
            help="What answers: an .onnx file of polynya train, a shipped name, or rule. By default the shipped network"
            " leads for AltiKa, a published rule or the product's class for the other missions.",
        ),
    ] = None,
    rule: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The published rule beside, which answers where no network does: auto, cpom, pysiral, maximum-power or"
            " product.",
        ),
    ] = "auto",
    lead_probability: Annotated[
        float, typer.Option(metavar="P", help="From this probability on an echo is a lead.")
    ] = 0.5,
    ice_probability: Annotated[
        float, typer.Option(metavar="P", help="Up to this probability it is ice; between the two it is unknown.")
    ] = 0.2,
    lead_db: Annotated[
        float | None,
        typer.Option(metavar="DB", help="AltiKa: maximum power of leads; none is published, so there is no default."),
    ] = None,
    ice_db: Annotated[
        float | None, typer.Option(metavar="DB", help="AltiKa: ice is below this; by default below --lead-db.")
    ] = None,
    concentration: Annotated[
        Path | None,
        typer.Option(metavar="GRID", help="Sea-ice concentration (GeoTIFF, NetCDF) in place of the product's."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Files at a time.")] = 1,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Find the leads of finished files again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Find leads along tracks of radar-altimeter echoes, and how far from nadir they lie.

    Each file's folder gets leads.parquet (GeoParquet, a row per echo: class, probability, distance with its 68 %
    interval, width, quality, the rule's and the product's class), report.html and run.json. Echoes whose range a lead
    beside nadir makes too long are flagged (range_flag) and counted. Unknown echoes are counted with their causes.

    \b
    polynya leads SRL_GPS_2PTP*.nc -o leads
    polynya leads passes -o leads --workers 2
    polynya leads CS_OFFL_SIR_SAR_1B_*.nc -o leads --concentration amsr2.nc
    polynya leads track.nc -o leads --network trained/echoes.onnx --lead-db 38
    polynya grid leads -o lead_fraction
    """
    from ..engine import protocol as records_as
    from ..readers import echo_files
    from ..workflows import leads as workflow

    config = workflow.Config.checked(
        network=network,
        rule=rule,
        lead_probability=lead_probability,
        ice_probability=ice_probability,
        lead_db=lead_db,
        ice_db=ice_db,
        concentration=None if concentration is None else str(concentration),
    )
    runner = engines.load(
        engine, workers=0 if engine == "spark" else workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb
    )
    records = workflow.run(
        echo_files.named(files),
        out=out,
        config=config,
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if failed and len(records) == 1 else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        answer = {"exit_code": code, "files": [records_as.as_json(r) for r in records]}
        print(json.dumps(answer, indent=1))
    for record in failed:
        say(f"polynya: {record.message}")
    if not as_json:
        text = workflow.as_text(records)
        if text:
            print(text)
    raise typer.Exit(code)
