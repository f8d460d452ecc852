"""The command that makes training tiles from glacier scenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def tiles(
    scene: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help=(
                "Scene folders, one per scene; or the files of one scene: .SAFE, Landsat folder, STAC items, GeoTIFFs,"
                " dem=FILE, sar:descending=FILE."
            ),
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.h5", help="The tiles; NAME.run.json goes beside it.")
    ],
    outlines: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Glacier outlines (RGI 6 or 7, GLIMS); else truth.tif of a scene folder, or --mask."
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Raster of 0 other, 1 glacier, 255 unlabelled; or polygons of the labelled area."
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Region of the scenes: ALP ANT AWA CAU GRL HMA TRP NZL SAN SCA SVAL.")
    ] = None,
    tile: Annotated[int, typer.Option(min=64, help="Side of a tile, pixels.")] = 384,
    append: Annotated[bool, typer.Option("--append", help="Add to FILE.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Make training tiles from glacier scenes and outlines (HDF5, layout of the published set).

    \b
    polynya tiles S2A_MSIL1C_scene.SAFE dem=copdem.tif --outlines rgi7_alps.gpkg --region ALP -o tiles.h5
    polynya tiles simulated/*/date1 -o tiles.h5
    """
    from ..workflows import tiles as workflow

    config = workflow.Config.checked(outlines=outlines, mask=mask, region=region, tile=tile)
    result = workflow.run(scene, out=out, config=config, append=append, overwrite=overwrite)
    print(json.dumps(result.as_json(), indent=1) if as_json else workflow.as_text(result))
