"""Maps of a season."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def grid(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="OUT...",
            help="Folders of granules that polynya freeboard wrote, of files that polynya leads wrote, of products that"
            " polynya tags wrote, or folders of such folders.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="GRID", help="Gets maps (NetCDF, GeoTIFFs, page) and sums (per granule)."),
    ],
    what: Annotated[
        str,
        typer.Option(metavar="KIND", help="freeboard, leads or tags; auto takes what the first folder holds."),
    ] = "auto",
    cell: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Side of a cell, 10km to 200km, by default 25km, the grid of ATL20; for tags 0.5deg to 10deg, by"
            " default 2deg.",
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(
            metavar="EPSG:N",
            help=(
                "EPSG:3413 (north) or EPSG:3976 (south), by default that of the first granule; EPSG:3411 or EPSG:3412"
                " for the cells of ATL20 itself."
            ),
        ),
    ] = None,
    period: Annotated[str, typer.Option(help="month, day, or all for one map of everything.")] = "month",
    leave_out: Annotated[
        str | None,
        typer.Option(
            metavar="BIT,BIT",
            help=(
                "Quality bits whose segments do not count, with commas; by default few_photons,"
                " geoid_instead_of_mean_sea_surface, correction_missing, background_contaminated, degraded_pointing."
                " Add sea_surface_filled to be strict; none keeps all. For leads by default no_echo, melt_season."
            ),
        ),
    ] = None,
    precise: Annotated[
        bool, typer.Option("--precise", help="Tags: count only those that reach the threshold of the wanted precision.")
    ] = False,
    cog: Annotated[
        bool, typer.Option("--cog/--no-cog", help="Also write each variable of each period as a GeoTIFF.")
    ] = True,
    workers: Annotated[int, typer.Option(min=0, help="Granules at a time; 0 means one per core.")] = 0,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace maps of other granules or settings; sums that still hold are kept."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Make monthly maps of freeboard, classes, leads, floes and sea surface, with the uncertainty of every mean.

    Results of polynya leads become maps of the share of lead echoes, with its interval between passes. Results of
    polynya tags become maps of the globe: the share of imagettes with each phenomenon in cells of 2 degrees, with
    Wilson's interval; cells with fewer than 10 imagettes are masked.

    Each granule is summed once; the sums are whole numbers, so any number of workers and any order give the same maps.
    The same command resumes where it stopped. With more granules, pass --overwrite: only the new ones are summed.

    The uncertainty of a cell has a random part, a part that the beams of one pass share (passes average it), and a
    common part (nothing averages it). Cells of few passes or one day are flagged.

    \b
    polynya freeboard granules/*.h5 -o ross
    polynya grid ross -o ross_season
    polynya grid leads -o lead_fraction
    polynya grid tags --what tags -o occurrence
    polynya grid ross --cell 50km --crs EPSG:3976 --period day -o ross_days
    polynya grid ross -o ross_season --engine spark --master spark://HOST:7077
    """
    from ..errors import UsageError
    from ..workflows import grid as workflow
    from ..workflows.grid import leads
    from ..workflows.grid import tags as of_tags

    if what not in ("auto", "freeboard", "leads", "tags"):
        raise UsageError(f"--what {what}: expected auto, freeboard, leads or tags. Choose one.")
    if what == "auto":
        what = "leads" if leads.is_leads(results) else "tags" if of_tags.is_tags(results) else "freeboard"
    options = {"workers": workers, "overwrite": overwrite, "show_progress": sys.stderr.isatty()}
    asked = {"cell": cell, "crs": crs, "period": period, "leave_out": leave_out, "cog": cog}
    if precise and what != "tags":
        raise UsageError(f"--precise: applies to tags only; found {what}. Leave it out.")
    if what == "leads":
        config = leads.LeadConfig.checked(**asked)
        runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
        lead_maps = leads.run(results, out=out, config=config, engine=runner, **options)
        records, found, text = lead_maps.records, leads.as_json(lead_maps), leads.as_text(lead_maps)
    elif what == "tags":
        tag_config = of_tags.TagConfig.checked(**asked, precise=precise)
        runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
        tag_maps = of_tags.run(results, out=out, config=tag_config, engine=runner, **options)
        records, found, text = tag_maps.records, of_tags.as_json(tag_maps), of_tags.as_text(tag_maps)
    else:
        settings = workflow.Config.checked(**asked)
        runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
        outputs = workflow.run(results, out=out, config=settings, engine=runner, **options)
        records, found, text = outputs.records, workflow.as_json(outputs), workflow.as_text(outputs)
    failed = [r for r in records if r.status == "failed"]
    for record in failed:
        say(f"polynya: {record.message}")
    print(json.dumps(found, indent=1) if as_json else text)
    raise typer.Exit(FINISHED_WITH_FAILURES if failed else 0)
