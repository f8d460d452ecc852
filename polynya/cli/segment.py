"""The command that classifies a Sentinel-2 scene."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def segment(
    scene: Annotated[
        Path,
        typer.Argument(
            metavar="SCENE", help="Sentinel-2 .SAFE folder (Level-1C or 2A), or a GeoTIFF with red, green, blue."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.tif",
            help="The map (cloud-optimised GeoTIFF); NAME.png and NAME.run.json go beside it.",
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            help=(
                "published (V against 30 and 204), filtered (thin cloud and shadow removed), percentile or sun"
                " (thresholds scaled), unet."
            )
        ),
    ] = "published",
    cloud_mask: Annotated[
        str, typer.Option(help="auto (scl where available), scl, s2cloudless (needs polynya[cloud]) or none.")
    ] = "auto",
    weights: Annotated[
        str | None, typer.Option(metavar="FILE.onnx", help="The network, for --method unet; none is shipped.")
    ] = None,
    with_value: Annotated[
        bool, typer.Option("--with-value", help="Also write V, the brightness that the rule uses, as NAME_value.tif.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the map.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Classify a Sentinel-2 scene by colour: thick ice, thin ice, open water.

    The map has 0 thick ice, 1 thin ice, 2 open water, 3 cloud or shadow, 255 no data. Which method to choose:
    docs/labels.md.

    \b
    polynya segment S2B_MSIL1C_scene.SAFE -o classes.tif
    polynya segment S2B_MSIL2A_scene.SAFE -o classes.tif --method percentile --cloud-mask scl
    """
    from ..workflows import segment as workflow

    config = workflow.Config.checked(method=method, cloud_mask=cloud_mask, weights=weights, with_value=with_value)
    result = workflow.run(scene, out=out, config=config, overwrite=overwrite, show_progress=sys.stderr.isatty())
    print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))
