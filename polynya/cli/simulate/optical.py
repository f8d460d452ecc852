"""Command that simulates optical images of sea ice with known classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..root import say, simulate_app


@simulate_app.command("optical-ice")
def simulate_optical_ice(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the images.")],
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the first image; the next have SEED + 1 ...")] = 0,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Number of images.")] = 1,
    size: Annotated[int, typer.Option(min=64, max=8192, help="Pixels a side.")] = 512,
    kind: Annotated[
        str | None,
        typer.Option(help="pack, marginal, coast, melt or water; drawn for each image by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier simulation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record instead of the paths.")] = False,
) -> None:
    """Simulate optical images of sea ice (red, green, blue, near infrared; pixels of 1 to 50 m) with known classes.

    Water, thin ice, thick ice, melt ponds, land, and grids of frozen ponds on land. Beside each image stand the true
    classes and labels as a person would draw them: smoother, and wrong in 3 % of the area. Numbers from simulated
    images are never skill on real data.

    \b
    polynya simulate optical-ice train --count 200 --seed 1
    polynya simulate optical-ice coast --kind coast --size 1024
    """
    from ... import io
    from ...simulate.optical_ice.product import Options, simulate_images

    options = Options(seed=seed, count=count, side=size, kind=kind)
    written = simulate_images(out, options, overwrite=overwrite, say=say)
    print(json.dumps(io.plain(written.about), indent=1) if as_json else "\n".join(str(p) for p in written.paths))
