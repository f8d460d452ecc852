"""Scenes: glaciers and their change, classes of sea ice, tiles to train on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def glaciers(
    scene: Annotated[list[str], typer.Argument(metavar="SCENE...", help="A scene folder, .SAFE, Landsat folder, STAC items, GeoTIFFs; dem=FILE says what a file is.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where maps, outlines and the report go.")],
    network: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Shipped network or .onnx file, given again to average several; 'rule' for the classical rule.")] = None,
    inventory: Annotated[Path | None, typer.Option(metavar="FILE", help="RGI or GLIMS outlines: their divides and identifiers are kept.")] = None,
    reference: Annotated[Path | None, typer.Option("--reference", "-r", metavar="FILE", help="Outlines or a truth raster: the report and evaluation.parquet judge the map against it.")] = None,
    region: Annotated[str, typer.Option(help="Region told to a network that wants one: ALP, HMA ..., auto, unknown, or optimised.")] = "auto",
    rgi_region: Annotated[str, typer.Option(metavar="NN", help="First-order region of the RGI for outlines_oggm.gpkg, where no inventory tells it (11 is Central Europe).")] = "",
    sensor: Annotated[list[str] | None, typer.Option(help="Use this sensor only (optical, dem, co_pol_sar, cross_pol_sar, in_sar, thermal); may be given again.")] = None,
    keep_flagged: Annotated[bool, typer.Option("--keep-flagged", help="Use sensors that lie out of register, too.")] = False,
    threshold: Annotated[float, typer.Option(help="Probability from which a pixel is glacier.")] = 0.5,
    min_area_km2: Annotated[float, typer.Option(help="Smaller outlines are left out.")] = 0.01,
    turns: Annotated[int, typer.Option(help="8 averages all turns and mirror images (test-time augmentation); 1 does not.")] = 1,
    draws: Annotated[int, typer.Option(help="Draws of a network that was trained with dropout (Monte-Carlo dropout); spread.tif shows how they differ.")] = 1,
    between_blocks: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Correlation of errors between blocks of 3.2 km, for the areas' intervals; the network's own by default.")] = None,
    each: Annotated[bool, typer.Option("--each", help="Every SCENE is a scene of its own; FOLDER gets a folder for each.")] = False,
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="When the images were taken, where no file says: src_date, and rates of change.")] = "",
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime or openvino.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Windows at a time.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the interval's draws.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FOLDER.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Map glaciers in an optical scene with what else is there: DEM, radar, coherence, thermal.

    FOLDER gets probability.tif, confidence.tif, outlines.gpkg and .parquet (RGI 7 names), outlines_oggm.gpkg, uncertainty_band.gpkg,
    report.html and run.json, spread.tif where answers were averaged, evaluation.parquet with --reference. Sensors that are missing, or
    that lie out of register, are left out and named. More: docs/glaciers.md.

    \b
    polynya glaciers scene -o mapped --inventory RGI2000-v7.0-G-11.gpkg
    polynya glaciers S2A_MSIL2A.SAFE dem=copdem.tif -o mapped
    polynya glaciers scenes/* --each -o mapped
    """
    from ..engine import protocol
    from ..errors import UsageError
    from ..workflows import glacier_batch
    from ..workflows import glaciers as workflow

    config = workflow.Config.checked(
        network=tuple(network or (workflow.DEFAULT,)), region=region, rgi_region=rgi_region, sensors=tuple(sensor or ()), keep_flagged=keep_flagged, threshold=threshold, min_area_km2=min_area_km2, turns=turns, draws=draws,
        between_blocks=between_blocks, date=date, runtime=runtime, seed=seed,
    )
    if not each:
        result = workflow.run(scene, out=out, config=config, inventory=inventory, reference=reference, overwrite=overwrite, threads=threads, show_progress=not as_json)
        print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))
        return
    if reference is not None:
        raise UsageError("--reference: is for one scene; expected none of it with --each. Leave it out, or judge each with polynya evaluate.")
    records = glacier_batch.run_each(scene, out=out, config=config, inventory=inventory, overwrite=overwrite, threads=threads, show_progress=not as_json)
    print(json.dumps([protocol.as_json(r) for r in records], indent=1) if as_json else glacier_batch.records_text(records))
    if any(r.status == "failed" for r in records):
        raise typer.Exit(3 if any(r.status != "failed" for r in records) else 1)


@app.command()
def change(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Outlines of the first date: gpkg, parquet, shp, or a folder that polynya glaciers wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Outlines of the second date.")],
    within: Annotated[Path | None, typer.Option(metavar="FILE", help="Polygons of the ground that both dates cover; ice elsewhere does not count.")] = None,
    position_error_m: Annotated[float | None, typer.Option(help="Standard error of an outline's position, for outlines without intervals of their own; half a pixel is usual.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Glacier area change between two dates, each glacier and in total, with its 95 % interval.

    \b
    polynya change outlines_2003.gpkg outlines_2018.gpkg
    polynya change mapped/date1 mapped/date2
    polynya change rgi.shp new/outlines.gpkg --position-error-m 15 --within scene_extent.gpkg
    """
    from .. import io
    from ..workflows import change as workflow

    result = workflow.run(old, new, within=within, position_error_m=position_error_m)
    print(json.dumps(io.plain(workflow.as_json(result)), indent=1) if as_json else workflow.as_text(result))


@app.command()
def segment(
    scene: Annotated[Path, typer.Argument(metavar="SCENE", help="Sentinel-2 .SAFE folder (Level-1C or 2A), or a GeoTIFF with red, green, blue.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.tif", help="The map (cloud-optimised GeoTIFF); NAME.png and NAME.run.json go beside it.")],
    method: Annotated[str, typer.Option(help="published (V against 30 and 204), filtered (thin cloud and shadow removed), percentile or sun (thresholds scaled), unet.")] = "published",
    cloud_mask: Annotated[str, typer.Option(help="auto (scl where there is one), scl, s2cloudless (needs polynya[cloud]) or none.")] = "auto",
    weights: Annotated[str | None, typer.Option(metavar="FILE.onnx", help="The network, for --method unet; none is shipped.")] = None,
    with_value: Annotated[bool, typer.Option("--with-value", help="Also write V, the brightness the rule looks at, as NAME_value.tif.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the map.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """A Sentinel-2 scene to a map of thick ice, thin ice and open water, by colour.

    0 thick ice, 1 thin ice, 2 open water, 3 cloud or shadow, 255 no data. Which method when: docs/labels.md.

    \b
    polynya segment S2B_MSIL1C_scene.SAFE -o classes.tif
    polynya segment S2B_MSIL2A_scene.SAFE -o classes.tif --method percentile --cloud-mask scl
    """
    from ..workflows import segment as workflow

    config = workflow.Config.checked(method=method, cloud_mask=cloud_mask, weights=weights, with_value=with_value)
    result = workflow.run(scene, out=out, config=config, overwrite=overwrite, show_progress=sys.stderr.isatty())
    print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))


@app.command()
def tiles(
    scene: Annotated[list[str], typer.Argument(metavar="SCENE...", help="Scene folders, each a scene; or the files of one scene: .SAFE, Landsat folder, STAC items, GeoTIFFs, dem=FILE, sar:descending=FILE.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.h5", help="The tiles; NAME.run.json goes beside it.")],
    outlines: Annotated[Path | None, typer.Option(metavar="FILE", help="Glacier outlines (RGI 6 or 7, GLIMS); else truth.tif of a scene folder, or --mask.")] = None,
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="Raster of 0 other, 1 glacier, 255 unlabelled; or polygons of the labelled area.")] = None,
    region: Annotated[str | None, typer.Option(help="ALP ANT AWA CAU GRL HMA TRP NZL SAN SCA SVAL.")] = None,
    tile: Annotated[int, typer.Option(min=64, help="Side of a tile, pixels.")] = 384,
    append: Annotated[bool, typer.Option("--append", help="Add to FILE.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Glacier scenes and outlines to training tiles (HDF5, as the published set has them).

    \b
    polynya tiles S2A_MSIL1C_scene.SAFE dem=copdem.tif --outlines rgi7_alps.gpkg --region ALP -o tiles.h5
    polynya tiles simulated/*/date1 -o tiles.h5
    """
    from ..workflows import tiles as workflow

    config = workflow.Config.checked(outlines=outlines, mask=mask, region=region, tile=tile)
    result = workflow.run(scene, out=out, config=config, append=append, overwrite=overwrite)
    print(json.dumps(result.as_json(), indent=1) if as_json else workflow.as_text(result))
