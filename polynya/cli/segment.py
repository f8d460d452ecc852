"""The command that classifies a Sentinel-2 scene, or finds the leads of a Sentinel-1 scene."""

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
            metavar="SCENE",
            help=(
                "Sentinel-2 .SAFE folder (Level-1C or 2A), or a GeoTIFF with red, green, blue; with --what leads a"
                " Sentinel-1 .SAFE folder or .zip (GRD with HH)."
            ),
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
    what: Annotated[
        str, typer.Option(help="classes (thick ice, thin ice, open water from colour) or leads (from radar).")
    ] = "classes",
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
        bool,
        typer.Option("--with-value", help="Also write what the rule uses as NAME_value.tif: V; leads: contrast in HH."),
    ] = False,
    pixel_m: Annotated[float, typer.Option(help="Leads: pixel of the polar grid, 80 to 400 m.")] = 80.0,
    contrast_db: Annotated[
        float, typer.Option(help="Leads: how much darker than the ice around the darkest pixels of a lead are in HH.")
    ] = 7.0,
    min_concentration: Annotated[
        float, typer.Option(metavar="PERCENT", help="Leads: less ice than this around gives no data.")
    ] = 50.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the map.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Classify a Sentinel-2 scene by colour: thick ice, thin ice, open water; or find the leads of a Sentinel-1 scene.

    The map has 0 thick ice, 1 thin ice, 2 open water, 3 cloud or shadow, 255 no data. Which method to choose:
    docs/labels.md. A map of leads has 0 ice, 1 lead, 255 no data, on the polar grid; both kinds label echoes, see
    polynya label --lead-map. What the detector misses: docs/lead_labels.md.

    \b
    polynya segment S2B_MSIL1C_scene.SAFE -o classes.tif
    polynya segment S2B_MSIL2A_scene.SAFE -o classes.tif --method percentile --cloud-mask scl
    polynya segment S1A_EW_GRDM_1SDH_scene.SAFE --what leads -o leads.tif
    """
    from ..errors import UsageError
    from ..workflows import segment as workflow

    if what == "leads":
        from ..workflows.segment import leads

        if method != "published" or cloud_mask != "auto" or weights:
            raise UsageError(
                "--what leads: goes with no --method, --cloud-mask or --weights; expected a radar image. Leave them"
                " out."
            )
        of_leads = leads.Config.checked(
            pixel_m=pixel_m, contrast_db=contrast_db, min_concentration=min_concentration, with_value=with_value
        )
        found = leads.map_leads(scene, out=out, config=of_leads, overwrite=overwrite)
        print(json.dumps(leads.as_json(found), indent=1) if as_json else leads.as_text(found))
        return
    if what != "classes":
        raise UsageError(f"--what {what}: is not known; expected classes or leads. Choose one of them.")

    config = workflow.Config.checked(method=method, cloud_mask=cloud_mask, weights=weights, with_value=with_value)
    result = workflow.run(scene, out=out, config=config, overwrite=overwrite, show_progress=sys.stderr.isatty())
    print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))
