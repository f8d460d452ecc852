"""Glacier area change between two dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def change(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD",
            help="Outlines of the first date: gpkg, parquet, shp, or a folder that polynya glaciers wrote.",
        ),
    ],
    new: Annotated[
        list[Path],
        typer.Argument(
            metavar="NEW...", help="Outlines of the second date; of more dates, in any order, for a series."
        ),
    ],
    within: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Polygons of the ground that both dates cover; ice outside them does not count."
        ),
    ] = None,
    position_error_m: Annotated[
        float | None,
        typer.Option(
            help=(
                "Standard error of the position of an outline, for outlines without intervals; half a pixel is usual."
            )
        ),
    ] = None,
    shared_error: Annotated[
        float | None,
        typer.Option(
            help=(
                "Series: share of the error variance that all dates have in common (0 to 1); by default 0.5 for maps of"
                " one network, else 0."
            )
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Series: folder for series.csv, rates.csv, report.html and run.json."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in FOLDER.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Compute glacier area change between two dates, per glacier and in total, with 95 % intervals.

    Three dates or more give a series: areas at every date, and rates with standard errors by weighted regression; a
    date that did not see a glacier is a gap.

    \b
    polynya change outlines_2003.gpkg outlines_2018.gpkg
    polynya change mapped/date1 mapped/date2
    polynya change mapped/2003 mapped/2010 mapped/2018 mapped/2024 -o series
    polynya change rgi.shp new/outlines.gpkg --position-error-m 15 --within scene_extent.gpkg
    """
    from .. import io
    from ..errors import UsageError
    from ..workflows import change as workflow

    if len(new) > 1:
        from ..workflows.change import series as series_workflow

        series = series_workflow.run([old, *new], within=within, position_error_m=position_error_m, shared=shared_error)
        if out is not None:
            series_workflow.write(series, out, overwrite=overwrite)
        found = io.plain(series_workflow.as_json(series))
        print(json.dumps(found, indent=1) if as_json else series_workflow.as_text(series))
        return
    if out is not None or shared_error is not None:
        raise UsageError(
            "--out, --shared-error: are for a series; expected three dates or more. Leave them out, or give more dates."
        )
    result = workflow.run(old, new[0], within=within, position_error_m=position_error_m)
    print(json.dumps(io.plain(workflow.as_json(result)), indent=1) if as_json else workflow.as_text(result))
