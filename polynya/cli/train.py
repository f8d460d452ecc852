"""Networks that learn from labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app


@app.command()
def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help=(
                "Name of a recipe (mlp, lstm-paper, lstm-notebook, track-unet, ice-unet, glavitu-small ...), or a YAML"
                " file."
            ),
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="PATH",
            help="Label table, tile set (HDF5) or image with classes, or a folder of them; repeat it for more.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the network, its report and its scores.")
    ],
    train_only: Annotated[
        list[Path] | None,
        typer.Option(
            "--train-only", metavar="PATH", help="More data for training only, whatever the split; never scored."
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="NAME.safetensors of a network of the same shape to start from (finetuning)."
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "NAME.safetensors of a large network of the same features, data and split: the recipe's small one"
                " learns its probabilities beside the labels (distillation)."
            ),
        ),
    ] = None,
    cross_fit: Annotated[
        list[str] | None,
        typer.Option(
            "--cross-fit",
            metavar="NETWORK=TILES",
            help=(
                "NAME.safetensors of a network of this recipe, and tiles of --train-only that it was not trained on:"
                " its out-of-fold predictions are scored, and a third of the calibration is fitted on them. Repeat it"
                " for more."
            ),
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help=(
                "granule (for scenes: scene), block (of track or ground, with gaps), or random (leaks; only to compare"
                " with publications that use it)."
            )
        ),
    ] = "granule",
    shares: Annotated[
        tuple[float, float, float, float],
        typer.Option(metavar="TRAIN VALID CALIB TEST", help="Shares of training, validation, calibration and test."),
    ] = (0.7, 0.1, 0.1, 0.1),
    block_km: Annotated[float, typer.Option(help="Length of a block.")] = 10.0,
    gap_km: Annotated[float, typer.Option(help="Smallest distance between blocks of different parts.")] = 1.0,
    split_seed: Annotated[
        int,
        typer.Option(
            min=0, help="Random seed of the split; separate from --seed, so that trainings can share a split."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed (weights, order, dropout).")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of epochs (default: the recipe's).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[
        int, typer.Option(min=0, help="CPU threads; 0 means one for window networks, one per core for others.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last complete epoch, with the same result.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard an existing training in FOLDER.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Train a network, calibrate and score it, and export it to ONNX.

    The data are label tables of tracks, or tiles of scenes. Needs the extra [train].

    FOLDER gets NAME.onnx (all that freeboard, glaciers and segment need), NAME.safetensors, NAME.json, history.json,
    report.html and run.json. Under torchrun the processes share every batch: torchrun --nproc_per_node 2 -m polynya
    train ...

    \b
    polynya train track-unet --data labels -o trained/track-unet
    polynya train lstm-paper --data labels --split random --shares 0.7 0.05 0.05 0.2 -o trained/paper
    polynya train leads --data labels -o trained/leads
    polynya train glavitu-small --data tiles.h5 --split block --block-km 3 -o trained/glaciers
    """
    from .. import io
    from ..report import training as report
    from ..workflows import train as workflow

    config = workflow.split_config(method=split, shares=shares, block_km=block_km, gap_km=gap_km, seed=split_seed)
    result = workflow.run(
        recipe,
        data=data,
        train_only=train_only or (),
        start_from=start_from,
        teacher=teacher,
        cross_fit=cross_fit or (),
        out=out,
        split=config,
        seed=seed,
        epochs=epochs,
        resume=resume,
        overwrite=overwrite,
        device=device,
        threads=threads,
        show_progress=not as_json,
    )
    if result.is_leader:
        outputs = {k: str(v) for k, v in result.outputs.items()}
        print(
            json.dumps(io.plain({"outputs": outputs, "numbers": result.numbers}), indent=1)
            if as_json
            else report.text(result.numbers, outputs)
        )
