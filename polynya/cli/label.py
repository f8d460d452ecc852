"""The command that labels segments from a scene, and echoes from maps of leads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from . import engines
from .root import FINISHED_WITH_FAILURES, app, say

if TYPE_CHECKING:
    from ..engine.protocol import Record


@app.command()
def label(
    items: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ATL03.h5 | ECHOES...]",
            help=(
                "The granule; none with --pairs. With --lead-map: files of radar-altimeter echoes (AltiKa, CryoSat-2,"
                " Sentinel-3), folders or patterns of them."
            ),
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.parquet",
            help=(
                "The label table; with --pairs the folder of the tables; with --lead-map one table of all echoes, or a"
                " folder with a table of each file. Also s3://BUCKET/NAME, gs://."
            ),
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="SCENE", help="Sentinel-2 .SAFE folder (1C or 2A), or a GeoTIFF with red, green, blue."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead of a scene: the _truth.parquet of a simulated granule.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|PARQUET",
            help=(
                "Many pairs: columns granule, image (or truth), and optionally shift_east, shift_north, corrections,"
                " name."
            ),
        ),
    ] = None,
    shift: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="EAST NORTH", help="Metres to add to the track; estimated by default."),
    ] = None,
    max_shift_m: Annotated[
        float, typer.Option(min=50.0, max=5000.0, help="Largest shift in the search, east and north.")
    ] = 1000.0,
    max_minutes: Annotated[float, typer.Option(min=0.0, help="Largest time between granule and scene.")] = 80.0,
    beams: Annotated[str, typer.Option(help="strong, all, weak, or names: gt1r,gt3r.")] = "strong",
    method: Annotated[
        str,
        typer.Option(
            help="How the scene is classified: published, filtered, percentile, sun or unet; see polynya segment."
        ),
    ] = "published",
    cloud_mask: Annotated[str, typer.Option(help="auto, scl, s2cloudless or none.")] = "auto",
    weights: Annotated[Path | None, typer.Option(metavar="FILE.onnx", help="The network of --method unet.")] = None,
    image_time: Annotated[
        str | None, typer.Option(metavar="UTC", help="Time of the scene, for files without one.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Corrections that polynya review saved; they have priority.")
    ] = None,
    lead_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MAP",
            help=(
                "Label echoes from this map of leads: a GeoTIFF with 1 lead, 0 ice, and no data, or of polynya segment."
                " Several by repeating, a folder or a pattern in quotes; each goes to the tracks over it."
            ),
        ),
    ] = None,
    threshold_m: Annotated[
        float, typer.Option(help="Echoes: a lead nearer to nadir makes the label lead; up to 3 times that: ambiguous.")
    ] = 300.0,
    drift: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="EAST NORTH",
            help="Echoes: metres that the ice moved from the map to the echoes, to the true east and north.",
        ),
    ] = None,
    drift_xy: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="X Y", help="Echoes: the same along x and y of the map's polar grid."),
    ] = None,
    drift_velocity: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="EAST NORTH",
            help="Echoes: velocity of the ice, m/s; the time from map to echo makes the displacement.",
        ),
    ] = None,
    max_hours: Annotated[float, typer.Option(help="Echoes: largest time between map and echo.")] = 3.0,
    concentration: Annotated[
        Path | None,
        typer.Option(metavar="GRID", help="Echoes: sea-ice concentration (NetCDF or GeoTIFF); else the product's own."),
    ] = None,
    min_concentration: Annotated[
        float, typer.Option(metavar="PERCENT", help="Echoes: below it, and where it is not known, there is no label.")
    ] = 50.0,
    lead_class: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Echoes: classes of the map that are lead, names or values with commas."),
    ] = "",
    map_time: Annotated[
        str | None, typer.Option(metavar="UTC", help="Echoes: time of the map, for a file without one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Pairs at a time; 0 means one per core.")] = 0,
    engine: engines.Name = "local",
    master: engines.Master = "",
    timeout_s: engines.Timeout = 0.0,
    memory_gb: engines.Memory = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Label finished pairs again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Label 2 m segments from the Sentinel-2 scene under the track; or altimeter echoes from maps of leads.

    Segments: writes the table, NAME.run.json and NAME_shift.html (check it: it shows whether the shift is right). Where
    the shift is uncertain, no segment is labelled. Many pairs also give FOLDER/index.html (map, failures, links) and
    runs.parquet.

    Echoes: for each echo the distance from nadir to the nearest lead of the map, on its polar grid. Nearer than
    --threshold-m is lead, up to three times that ambiguous, beyond no_lead. No label where the circle of 5 km around
    nadir leaves the map, the map is too old, or the ice too thin. Leads drift: give --drift. See docs/lead_labels.md.

    \b
    polynya label ATL03_granule.h5 --image S2B_MSIL1C_scene.SAFE -o labels.parquet
    polynya label ATL03_granule.h5 --image scene.tif --shift 240 -130 -o labels.parquet --overwrite
    polynya label --pairs pairs.csv -o labels --workers 4
    polynya label --pairs pairs.parquet -o labels --engine spark --master spark://HOST:7077
    polynya label SRL_GPS_2PTP021_0424_....nc --lead-map leads.tif --drift 240 -130 -o labels.parquet
    polynya label tracks --lead-map 'tracks/truth/*_sar_leads.tif' -o labels.parquet
    """
    from ..errors import UsageError
    from ..report import label as report
    from ..workflows import label as workflow

    if lead_map:
        from ..report import lead_labels
        from ..workflows.label import echoes as of_echoes

        if not items or out is None or image or truth or pairs or shift or corrections:
            raise UsageError(
                "--lead-map: expected files of echoes and -o labels.parquet with it, and none of --image, --truth,"
                " --pairs, --shift and --corrections. See polynya label --help."
            )
        of_maps = of_echoes.Config.checked(
            threshold_m=threshold_m,
            max_hours=max_hours,
            min_concentration=min_concentration,
            drift=drift,
            drift_xy=drift_xy,
            drift_velocity=drift_velocity,
            lead_class=tuple(n.strip() for n in lead_class.split(",") if n.strip()),
            map_time=map_time,
        )
        records = of_echoes.run(
            items,
            maps=lead_map,
            out=out,
            config=of_maps,
            concentration=concentration,
            workers=workers,
            overwrite=overwrite,
            engine=engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb),
            show_progress=sys.stderr.isatty(),
        )
        _finish(records, key="tables", as_json=as_json, text=lead_labels.text)
    of_leads: dict[str, object] = {
        "--drift": drift,
        "--drift-xy": drift_xy,
        "--drift-velocity": drift_velocity,
        "--map-time": map_time,
    }
    of_leads |= {"--concentration": concentration, "--lead-class": lead_class or None}
    alone = next((n for n, v in of_leads.items() if v is not None), None)
    if alone is not None:
        raise UsageError(f"{alone}: belongs to echoes; expected --lead-map MAP with it. Leave it out, or add the map.")
    if len(items or ()) > 1:
        raise UsageError(
            f"ATL03.h5: {len(items or ())} granules are given; expected one, or a table of pairs. Write a table for"
            " --pairs, or give --lead-map with files of echoes."
        )
    granule = Path(items[0]) if items else None
    config = workflow.Config.checked(
        beams=beams,
        max_shift_m=max_shift_m,
        max_minutes=max_minutes,
        method=method,
        cloud_mask=cloud_mask,
        image_time=image_time,
        weights=str(weights) if weights else None,
    )
    if out is None:
        raise UsageError(
            "-o: is missing; expected where the labels go. Pass -o labels.parquet, or -o FOLDER with --pairs."
        )
    if pairs is not None:
        if granule or image or truth or shift or corrections:
            raise UsageError(
                "--pairs: goes with no granule, --image, --truth, --shift or --corrections of its own; expected these"
                " as columns. Put them into the table."
            )
        wanted = workflow.read_pairs(pairs, out=out)
    else:
        if granule is None or (image is None) == (truth is None):
            raise UsageError(
                "ATL03.h5: a granule and one of --image and --truth are needed; expected both, or --pairs. See polynya"
                " label --help."
            )
        wanted = [
            workflow.Pair(
                granule=str(granule),
                out=str(out),
                image=str(image or ""),
                truth=str(truth or ""),
                shift=shift,
                corrections=str(corrections or ""),
            )
        ]
    runner = engines.load(engine, workers=workers, master=master, timeout_s=timeout_s, memory_gb=memory_gb)
    records = workflow.run(
        wanted,
        config=config,
        workers=workers,
        overwrite=overwrite,
        engine=runner,
        show_progress=sys.stderr.isatty(),
    )
    _finish(records, key="pairs", as_json=as_json, text=report.text)


def _finish(records: list[Record], *, key: str, as_json: bool, text: Callable[[Record], str]) -> NoReturn:
    """Print what became of each item, and end with the code of it all."""
    from ..engine import protocol as records_as

    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        print(json.dumps({"exit_code": code, key: [records_as.as_json(r) for r in records]}, indent=1))
    for record in records:
        if record.status == "failed":
            say(f"polynya: {record.message}")
        elif not as_json:
            print(text(record))
    raise typer.Exit(code)
