"""Photons to freeboard."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def freeboard(
    granules: Annotated[
        list[str],
        typer.Argument(
            metavar="GRANULE...",
            help=(
                "ATL03 granules (HDF5), as the archive delivers them: files, a folder, a pattern in quotes, a .txt"
                " list, or addresses (s3://, gs://, https://)."
            ),
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where results go: one folder per granule; or s3://BUCKET/NAME, gs://.",
        ),
    ],
    beams: Annotated[str, typer.Option(help="strong, weak, all (those present), or names: gt1r,gt3r.")] = "all",
    bbox: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(metavar="W S E N", help="Only this box, degrees; W > E crosses the antimeridian."),
    ] = None,
    resolution: Annotated[
        str, typer.Option(help="Segments: 2, 10 or 30 metres, or 150ph for 150-photon segments as ATL07/ATL10 have.")
    ] = "2",
    sea_surface: Annotated[
        str,
        typer.Option(help="leads (default: unbiased at 2 m, with an error floor), or nasa, minimum, mean, nearest."),
    ] = "leads",
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.onnx|rule",
            help=(
                "A shipped network, one that polynya train exported, or the rule; by default the shipped network at 2"
                " m, else the rule."
            ),
        ),
    ] = None,
    mss: Annotated[
        str | None,
        typer.Option(
            metavar="FILE[:VAR]", help="Mean sea surface grid (GeoTIFF, NetCDF) instead of the granule's dem_h."
        ),
    ] = None,
    mss_tide_system: Annotated[
        str, typer.Option(help="Permanent-tide system of the mean sea surface: mean or free.")
    ] = "mean",
    tide_ocean: Annotated[bool, typer.Option("--tide-ocean/--no-tide-ocean", help="Subtract the ocean tide.")] = True,
    tide_equilibrium: Annotated[
        bool,
        typer.Option("--tide-equilibrium/--no-tide-equilibrium", help="Subtract the long-period equilibrium tide."),
    ] = True,
    dac: Annotated[
        bool, typer.Option("--dac/--no-dac", help="Subtract the dynamic atmosphere correction (inverted barometer).")
    ] = True,
    first_photon_bias: Annotated[
        bool,
        typer.Option(
            "--first-photon-bias/--no-first-photon-bias",
            help="Subtract the first-photon bias where the granule carries CAL-19.",
        ),
    ] = True,
    land: Annotated[
        str | None,
        typer.Option(metavar="FILE[:VAR]", help="Land mask (not 0 = land): no sea surface within 25 km of it."),
    ] = None,
    ice_concentration: Annotated[
        str | None,
        typer.Option(
            metavar="FILE[:VAR]",
            help="Ice concentration (0-1 or 0-100): stricter screening below 0.8, none kept below 0.5.",
        ),
    ] = None,
    keep_degraded: Annotated[
        bool,
        typer.Option(
            "--keep-degraded",
            help="Keep stretches whose podppd_flag says that orbit or pointing is degraded, with a quality bit.",
        ),
    ] = False,
    signal_class: Annotated[
        str | None,
        typer.Option(
            metavar="N,N",
            help="Heights only from photons of these signal_class_ph (release 007): 4,5 is primary and fitted signal.",
        ),
    ] = None,
    min_weight: Annotated[
        int | None, typer.Option(metavar="N", help="Heights only from photons of at least this weight_ph.")
    ] = None,
    join: Annotated[
        bool,
        typer.Option(
            "--join", help="Granules given together that follow each other along an orbit share leads at their border."
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=0, help="Granules at a time (threads for a single one); 0 means one per core.")
    ] = 0,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Process finished granules again.")] = False,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="Also write the tables as CF NetCDF.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Compute 2 m surface classes, local sea surface and freeboard from ATL03 photons.

    For every granule FOLDER gets a folder with segments.parquet, leads.parquet, sea_surface.parquet (GeoParquet),
    report.html (open it in a browser) and run.json; several granules also give index.html (map, totals, failures) and
    runs.parquet. The same command resumes where it stopped.

    \b
    polynya freeboard ATL03_granule.h5 -o ross
    polynya freeboard granules/*.h5 -o ross --beams strong --workers 8
    polynya freeboard granules.txt -o ross --engine spark --master spark://HOST:7077
    polynya freeboard ATL03_granule.h5 -o ross --classifier rule
    """
    from .. import io
    from ..engine import protocol as records_as
    from ..report import terminal
    from ..workflows import freeboard as workflow

    config = workflow.Config.checked(
        beams=beams,
        bbox=bbox,
        resolution=resolution,
        sea_surface=sea_surface,
        classifier=classifier,
        mss=mss,
        mss_tide_system=mss_tide_system,
        tide_ocean=tide_ocean,
        tide_equilibrium=tide_equilibrium,
        dac=dac,
        first_photon_bias=first_photon_bias,
        land=land,
        ice_concentration=ice_concentration,
        keep_degraded=keep_degraded,
        signal_class=signal_class,
        min_weight=min_weight,
        join=join,
        netcdf=netcdf,
    )
    runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
    records = workflow.run(
        io.expand(granules, endings=(".h5", ".hdf5")),
        out=out,
        config=config,
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if failed and len(failed) == len(records) and all(r.exit_code == 2 for r in failed):
        code = 2
    if as_json:
        print(json.dumps({"exit_code": code, "granules": [records_as.as_json(r) for r in records]}, indent=1))
    for record in records:
        if record.status == "failed":
            say(f"polynya: {record.message}")
        elif not as_json:
            print(terminal.granule_text(record))
    if len(records) > 1 and not as_json:
        done = len(records) - len(failed)
        print(
            f"{done} of {len(records)} granules {'is' if done == 1 else 'are'} in {out}"
            + (f"; {len(failed)} failed, see above. The same command tries them again." if failed else ".")
        )
        page = io.place(out) / "index.html"
        if io.lists(page.with_name("index.run.json"), page):
            print(f"all of them on one page: {page}")
    raise typer.Exit(code)
