"""Labels, and networks that learn from them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def label(
    granule: Annotated[Path | None, typer.Argument(metavar="[ATL03.h5]", help="The granule; none with --pairs.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE.parquet", help="The label table; with --pairs the folder of the tables.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="SCENE", help="Sentinel-2 .SAFE folder (1C or 2A), or a GeoTIFF with red, green, blue.")] = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of a scene: the _truth.parquet of a simulated granule.")] = None,
    pairs: Annotated[Path | None, typer.Option(metavar="CSV", help="Many: columns granule, image (or truth), and perhaps shift_east, shift_north, corrections, name.")] = None,
    shift: Annotated[tuple[float, float] | None, typer.Option(metavar="EAST NORTH", help="Metres to add to the track; estimated by default.")] = None,
    max_shift_m: Annotated[float, typer.Option(min=50.0, max=5000.0, help="Largest shift looked for, east and north.")] = 1000.0,
    max_minutes: Annotated[float, typer.Option(min=0.0, help="Largest time between granule and scene.")] = 80.0,
    beams: Annotated[str, typer.Option(help="strong, all, weak, or names: gt1r,gt3r.")] = "strong",
    method: Annotated[str, typer.Option(help="How the scene is classified: published, filtered, percentile, sun or unet; see polynya segment.")] = "published",
    cloud_mask: Annotated[str, typer.Option(help="auto, scl, s2cloudless or none.")] = "auto",
    weights: Annotated[Path | None, typer.Option(metavar="FILE.onnx", help="The network of --method unet.")] = None,
    image_time: Annotated[str | None, typer.Option(metavar="UTC", help="When the scene was taken, for files that do not say.")] = None,
    corrections: Annotated[Path | None, typer.Option(metavar="FILE", help="Corrections that polynya review saved: they win.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Pairs at a time; 0 means one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do again what is already done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Labels for 2 m segments from the Sentinel-2 scene under the track, drift between the two passes taken out.

    Writes the table, NAME.run.json and NAME_shift.html (look at it: it shows whether the shift is right). Where the
    shift is not sure no segment is labelled.

    \b
    polynya label ATL03_granule.h5 --image S2B_MSIL1C_scene.SAFE -o labels.parquet
    polynya label ATL03_granule.h5 --image scene.tif --shift 240 -130 -o labels.parquet --overwrite
    polynya label --pairs pairs.csv -o labels --workers 4
    """
    from ..engine import protocol as records_as
    from ..errors import UsageError
    from ..report import label as report
    from ..workflows import label as workflow

    config = workflow.Config.checked(
        beams=beams, max_shift_m=max_shift_m, max_minutes=max_minutes, method=method, cloud_mask=cloud_mask, image_time=image_time,
        weights=str(weights) if weights else None,
    )
    if out is None:
        raise UsageError("-o: is missing; expected where the labels go. Pass -o labels.parquet, or -o FOLDER with --pairs.")
    if pairs is not None:
        if granule or image or truth or shift or corrections:
            raise UsageError("--pairs: goes with no granule, --image, --truth, --shift or --corrections of its own; expected these as columns. Put them into the table.")
        items = workflow.read_pairs(pairs, out=out)
    else:
        if granule is None or (image is None) == (truth is None):
            raise UsageError("ATL03.h5: a granule and one of --image and --truth are needed; expected both, or --pairs. See polynya label --help.")
        items = [workflow.Pair(str(granule), str(out), str(image or ""), str(truth or ""), shift, str(corrections or ""))]
    records = workflow.run(items, config=config, workers=workers, overwrite=overwrite, show_progress=sys.stderr.isatty())
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        print(json.dumps({"exit_code": code, "pairs": [records_as.as_json(r) for r in records]}, indent=1))
    for record in records:
        if record.status == "failed":
            say(f"polynya: {record.message}")
        elif not as_json:
            print(report.text(record))
    raise typer.Exit(code)


@app.command()
def review(
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Label tables (.parquet) that polynya label wrote, or folders of them.")],
    who: Annotated[str, typer.Option(metavar="NAME", help="Written into every correction; your login name by default.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this computer; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the default browser.")] = True,
) -> None:
    """Correct labels by hand in a page on this computer: scene and profile, stretch by stretch, saved at once.

    Changes go to NAME.corrections.jsonl beside NAME.parquet, which stays as it is. Merge them with polynya label --corrections.
    Ctrl-C ends it; nothing is lost however it ends, and the same command goes on.

    \b
    polynya review labels.parquet
    polynya review ross/ --who "A. Reviewer" --port 8765 --no-browser
    """
    import webbrowser

    from ..workflows import review as workflow

    def tell(started: workflow.Started) -> None:
        for name in started.torn:
            say(f"polynya: {name}: the last line was never finished and is left out; all before it holds")
        for path in started.corrections[:5]:
            print(f"corrections: {path}")
        if len(started.corrections) > 5:
            print(f"corrections: and {len(started.corrections) - 5} more, beside their labels")
        print(f"open {started.address}  (this computer only; Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(started.address)

    workflow.run(labels, who=who, port=port, on_start=tell)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a recipe (mlp, lstm-paper, lstm-notebook, track-unet, ice-unet, glavitu-small ...), or a YAML file.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="PATH", help="Label table, tile set (HDF5) or image with classes, or a folder of them; may be given again.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the network, its report and its scores go.")],
    also: Annotated[list[Path] | None, typer.Option("--also", metavar="PATH", help="Others that are trained on whatever the split, and judged on never.")] = None,
    start_from: Annotated[Path | None, typer.Option(metavar="FILE", help="NAME.safetensors of a network of the same shape to start from (finetuning).")] = None,
    kept_back: Annotated[list[str] | None, typer.Option("--kept-back", metavar="NETWORK=TILES", help="NAME.safetensors of a network of this recipe and tiles of --also that it did not see: a third of the calibration is fitted on its answers there, and they are scored. May be given again.")] = None,
    split: Annotated[str, typer.Option(help="granule (of scenes: scene), block (of track or ground, with gaps), or random (leaks; to compare with publications that split so).")] = "granule",
    shares: Annotated[tuple[float, float, float, float], typer.Option(metavar="TRAIN VALID CALIB TEST", help="Shares of the parts.")] = (0.7, 0.1, 0.1, 0.1),
    block_km: Annotated[float, typer.Option(help="Length of a block.")] = 10.0,
    gap_km: Annotated[float, typer.Option(help="Least distance between blocks of different parts.")] = 1.0,
    split_seed: Annotated[int, typer.Option(min=0, help="Which groups go where; apart from --seed, so that trainings can share a split.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and dropout.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes one for window networks, a core each for others.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last whole epoch, to the same result.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Throw an earlier training in FOLDER away.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Train a network on label tables or tiles of scenes, calibrate its probabilities, score it and export it to ONNX. Needs the extra [train].

    FOLDER gets NAME.onnx (all that freeboard, glaciers and segment need), NAME.safetensors, NAME.json, history.json, report.html and run.json.
    Under torchrun the processes share every batch: torchrun --nproc_per_node 2 -m polynya train ...

    \b
    polynya train track-unet --data labels -o trained/track-unet
    polynya train lstm-paper --data labels --split random --shares 0.7 0.05 0.05 0.2 -o trained/paper
    polynya train glavitu-small --data tiles.h5 --split block --block-km 3 -o trained/glaciers
    """
    from .. import io
    from ..report import training as report
    from ..workflows import train as workflow

    config = workflow.split_config(method=split, shares=shares, block_km=block_km, gap_km=gap_km, seed=split_seed)
    result = workflow.run(
        recipe, data=data, also=also or (), start_from=start_from, held_out=kept_back or (), out=out, split=config, seed=seed, epochs=epochs, resume=resume, overwrite=overwrite, device=device, threads=threads, show_progress=not as_json,
    )
    if result.is_leader:
        outputs = {k: str(v) for k, v in result.outputs.items()}
        print(json.dumps(io.plain({"outputs": outputs, "numbers": result.numbers}), indent=1) if as_json else report.text(result.numbers, outputs))
