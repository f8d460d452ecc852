"""Describe a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def info(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help=(
                "An ICESat-2 granule (ATL03, ATL07, ATL10); the files of one glacier scene, as polynya glaciers takes"
                " them; or a tile set."
            ),
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe a file: product, release, beams or sensors, extent, time, counts, what is missing, what to run next.

    \b
    polynya info ATL03_granule.h5
    polynya info S2A_MSIL1C_scene.SAFE dem=copdem.tif
    """
    from ..workflows.info import scene

    if scene.is_scene(files):
        about = scene.run(files)
        print(json.dumps(about, indent=1) if as_json else scene.as_text(about))
        return
    from ..workflows import info as workflow

    result = workflow.run(Path(files[0]))
    print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))
