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
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Outlines of the second date.")],
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Compute glacier area change between two dates, per glacier and in total, with 95 % intervals.

    \b
    polynya change outlines_2003.gpkg outlines_2018.gpkg
    polynya change mapped/date1 mapped/date2
    polynya change rgi.shp new/outlines.gpkg --position-error-m 15 --within scene_extent.gpkg
    """
    from .. import io
    from ..workflows import change as workflow

    result = workflow.run(old, new, within=within, position_error_m=position_error_m)
    print(json.dumps(io.plain(workflow.as_json(result)), indent=1) if as_json else workflow.as_text(result))
