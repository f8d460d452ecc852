"""Describe a file."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def info(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help=(
                "ICESat-2 granules (ATL03, ATL07, ATL10), Sentinel-1 products (SAFE folders or zip archives; wave mode"
                " too), folders of wave-mode images, glacier inventories and tile sets, any number of them; the files"
                " of one glacier scene, as polynya glaciers takes them (folders, archives, STAC items); or an ice"
                " chart, a grid of sea-ice concentration, an AI4Arctic scene, AMSR2 channels, radar-altimeter echoes"
                " (AltiKa SGDR, CryoSat-2 L1b and L2i, Sentinel-3 SRAL enhanced) or a folder of such files."
            ),
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe files: product, release, beams or sensors, extent, time, counts, what is missing, what to run next.

    \b
    polynya info granules/ATL03_*.h5
    polynya info S2A_MSIL1C_scene.SAFE dem=copdem.tif
    polynya info S1A_EW_GRDM_1SDH_*.SAFE
    polynya info S1B_WV_SLC__1SSV_*.SAFE
    polynya info ice_chart.gpkg
    polynya info CS_OFFL_SIR_SAR_1B_*.nc
    polynya info passes
    """
    from ..errors import PolynyaError, one_line
    from ..workflows import info as workflow

    parts, found, failures = workflow.parts(files), [], 0
    for part in parts:
        try:
            found.append(workflow.describe(part))
        except PolynyaError as error:
            if len(parts) == 1:
                raise
            failures += 1
            say(f"polynya: {one_line(error)}")
    if as_json:
        rows = [about for about, _ in found]
        print(json.dumps(rows[0] if len(parts) == 1 else rows, indent=1))
    elif found:
        print("\n\n".join(text for _, text in found))
    raise typer.Exit(0 if not failures else FINISHED_WITH_FAILURES if found else 1)
