"""Write sets of simulated optical images: GeoTIFFs with their true classes and labels as people draw them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ... import __version__, io
from ...errors import UsageError
from ...io import rasters
from .presets import CLASSES, KINDS, UNKNOWN
from .scene import Scene, draw_scene

RECORD = "optical_ice.json"
IMAGE, TRUTH, LABELS = ".tif", "_truth.tif", "_labels.tif"
MOST = 10_000
SIDES = (64, 8192)
MARK = {"simulated_by": "polynya; no measurement"}
COLOURS = {
    0: (20, 60, 120, 255),
    1: (125, 170, 200, 255),
    2: (242, 242, 246, 255),
    3: (40, 200, 220, 255),
    4: (110, 90, 50, 255),
    5: (200, 120, 180, 255),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to simulate.

    Attributes
    ----------
    seed : int
        The same options and seed give the same files; image k has the seed ``seed + k``.
    count : int
        Images.
    side : int
        Pixels a side.
    kind : str, optional
        Of ``presets.KINDS``; drawn for each image by default.
    """

    seed: int = 0
    count: int = 1
    side: int = 512
    kind: str | None = None


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a simulation wrote: its files, the record last, and what the record says."""

    paths: tuple[Path, ...]
    about: dict[str, object] = field(default_factory=dict)


def simulate_images(
    out: Path | str,
    options: Options | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write images, their truth and labels.

    Each has ``NAME.tif`` (red, green, blue, near infrared, 8 bit), ``NAME_truth.tif`` (class of every pixel) and
    ``NAME_labels.tif`` (what a person would draw). The places on the map (EPSG:3413) are invented.

    Parameters
    ----------
    out : Path or str
        New or empty; or an earlier simulation, with ``overwrite``.
    options : Options, optional
        What to simulate; the defaults if left out.
    overwrite : bool
        Replace the earlier simulation.
    say : callable
        Receives a line of progress now and then.

    Raises
    ------
    UsageError
        If an option is not what is expected.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    options, out = options or Options(), Path(out)
    _check(options)
    io.check_place(out, overwrite=overwrite, record=RECORD)
    names = [f"optical_{options.seed + k:06d}" for k in range(options.count)]
    with io.writing_folder(out, overwrite=overwrite, record=RECORD) as folder:
        rows = []
        for k, name in enumerate(names):
            drawn = draw_scene(options.seed + k, size=(options.side, options.side), kind=options.kind)
            write_image(folder, name, drawn)
            rows.append({"image": name + IMAGE, "truth": name + TRUTH, "labels": name + LABELS, **drawn.about})
            if (k + 1) % 10 == 0 or k + 1 == options.count:
                say(f"{k + 1} of {options.count} images")
        about = {
            "polynya": __version__,
            "simulated": "polynya; no measurement",
            "seed": options.seed,
            "classes": dict(enumerate(CLASSES)),
            "images": rows,
        }
        io.write_json(json.loads(json.dumps(io.plain(about))), folder / RECORD)
    return Written(paths=(*(out / (n + IMAGE) for n in names), out / RECORD), about=about)


def write_image(folder: Path, name: str, scene: Scene) -> None:
    """Write the three files of an image.

    Parameters
    ----------
    folder : Path
        Is there.
    name : str
        Stem of the files.
    scene : Scene
        The image.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    pixel = float(scene.about["pixel_m"])
    left = 250_000.0 + 1000.0 * float(scene.about["seed"])
    geobox = GeoBox(scene.classes.shape, Affine(pixel, 0.0, left, 0.0, -pixel, -900_000.0), "EPSG:3413")
    tags = {**MARK, "sun_elevation": f"{scene.about['sun_elevation']:.2f}"}
    with rasters.create(folder / (name + IMAGE), geobox=geobox, dtype="uint8", bands=4) as file:
        file.write(scene.counts)
        for k, band in enumerate(("red", "green", "blue", "nir"), start=1):
            file.set_band_description(k, band)
        file.update_tags(**tags)
    for ending, values in ((TRUTH, scene.classes), (LABELS, scene.labels)):
        with rasters.create(folder / (name + ending), geobox=geobox, dtype="uint8", nodata=UNKNOWN) as file:
            file.write(values.astype(np.uint8), 1)
            file.write_colormap(1, COLOURS)
            file.update_tags(**MARK, classes=", ".join(f"{k} {c}" for k, c in enumerate(CLASSES)))


def _check(options: Options) -> None:
    if options.seed < 0 or not 1 <= options.count <= MOST:
        raise UsageError(
            f"seed {options.seed}, count {options.count}: expected a seed of 0 or more and 1 to {MOST} images. Choose"
            " others."
        )
    if not SIDES[0] <= options.side <= SIDES[1]:
        raise UsageError(f"--size {options.side}: expected {SIDES[0]} to {SIDES[1]} pixels a side. Choose another.")
    if options.kind is not None and options.kind not in KINDS:
        raise UsageError(f"--kind {options.kind}: not known; expected {', '.join(KINDS)}. Choose one.")
