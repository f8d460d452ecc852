"""``polynya segment``: a Sentinel-2 scene to a map of thick ice, thin ice and open water.

The scene is decoded once, gone over once for what is global, and classified in tiles that are written as they come, so
memory does not grow with the scene. Beside ``NAME.tif`` go ``NAME.png`` (true colour and classes) and
``NAME.run.json``.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ... import io
from ...errors import OutputError, UsageError, one_line
from ...io import opening, rasters
from ...readers import sentinel2
from ...report import terminal
from ...scenes import tiling
from ...scenes.classes import METHODS, SceneClasses, SceneStatistics, scene_classes, scene_statistics
from ..options import validated

if TYPE_CHECKING:
    from rasterio.windows import Window

CLOUD, MISSING = 3, 255
FLAGS = ((0, "thick_ice"), (1, "thin_ice"), (2, "open_water"), (CLOUD, "cloud_or_shadow"))
"""Values of the written map; 255 is no data."""
COLOURS = {0: (143, 184, 216), 1: (230, 159, 0), 2: (8, 48, 107), CLOUD: (201, 201, 201), MISSING: (0, 0, 0)}
PICTURE_PX = 1000
GLOBAL_METHODS = ("filtered", "percentile", "unet")
"""Methods that read a pixel more than once: for them the scene is decoded to a scratch file first."""


class Config(BaseModel):
    """How a scene is classified. Frozen; unknown keys are rejected.

    Attributes
    ----------
    method : str
        ``published``, ``filtered``, ``percentile``, ``sun`` or ``unet``.
    cloud_mask : str
        ``auto``, ``scl``, ``s2cloudless`` or ``none``.
    weights : str, optional
        ONNX file of the network, for ``unet``.
    with_value : bool
        Also write V (0 to 255, 0 is no data).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["published", "filtered", "percentile", "sun", "unet"] = "published"
    cloud_mask: Literal["auto", "scl", "s2cloudless", "none"] = "auto"
    weights: str | None = None
    with_value: bool = False

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist, or weights are given for a method without a network.
        """
        config = validated(cls, values, command="segment")
        if (config.weights is not None) != (config.method == "unet"):
            raise UsageError(
                f"--weights: is {config.weights or 'missing'} with --method {config.method}; expected an ONNX file with"
                f" unet, and none with {', '.join(METHODS[:-1])}. Pass both or neither."
            )
        return config


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run wrote and found.

    Attributes
    ----------
    classes, picture, run : Path
    value : Path or None
    scene : sentinel2.Scene
    statistics : SceneStatistics
    counts : dict of str to int
        Pixels of every class, and ``no_data``.
    seconds : float
    """

    classes: Path
    picture: Path
    run: Path
    value: Path | None
    scene: sentinel2.Scene
    statistics: SceneStatistics
    counts: dict[str, int]
    seconds: float


def run(
    path: Path | str, *, out: Path, config: Config, overwrite: bool = False, show_progress: bool = False
) -> Outputs:
    """Classify a scene and write the map.

    Parameters
    ----------
    path : Path or str
        A ``.SAFE`` folder, or a GeoTIFF with red, green, blue.
    out : Path
        GeoTIFF (cloud optimised) to write: unsigned bytes, :data:`FLAGS` and 255 where there is no data.
    config : Config
        Settings.
    overwrite : bool
        Replace the files of an earlier map.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    Outputs

    Raises
    ------
    ProductError
        If the scene cannot be read.
    UsageError
        If ``out`` is an earlier map or does not end in ``.tif``, or scene and method do not fit.
    OutputError
        If it cannot be written, or a file is in the way that is no earlier map.
    """
    started = time.monotonic()
    out = Path(out)
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise UsageError(f"{out.name}: the map is a GeoTIFF; expected a name that ends in .tif. Change -o.")
    scene = sentinel2.open_scene(path)
    places = {"classes": out, "picture": out.with_suffix(".png"), "run": out.with_suffix(".run.json")}
    if config.with_value:
        places["value"] = out.with_name(f"{out.stem}_value.tif")
    files = [p for name, p in places.items() if name != "run"]
    io.check_files(files, record=places["run"], overwrite=overwrite)
    rows, columns = scene.geobox.shape
    passes = 2 if config.method in GLOBAL_METHODS else 1
    passes += (config.method in ("filtered", "percentile")) + (config.cloud_mask == "s2cloudless")
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(terminal.progress(passes * rows * columns, show=show_progress, text="scene"))
        advance = bar.advance
        ready = (
            stack.enter_context(tiling.unpacked(scene, advance=advance)) if config.method in GLOBAL_METHODS else scene
        )
        statistics = scene_statistics(ready, method=config.method, cloud_mask=config.cloud_mask, advance=advance)
        scratch = stack.enter_context(io.scratch(out))
        counts = _classify(ready, statistics, config, scratch, advance)
        about = _about(scene, statistics, config)
        parts = {name: stack.enter_context(io.writing(places[name])) for name in places if name != "run"}
        for name in ("classes", *(["value"] if config.with_value else [])):
            _to_cog(scratch / f"{name}.tif", parts[name], about=about, is_classes=name == "classes")
        _picture(scene, parts["classes"], parts["picture"])
        record = _record(scene, statistics, config, counts, places)
        # The record gets its name first, the map last: by that a run that was stopped is known.
        io.write_json(
            record,
            stack.enter_context(io.writing(places["run"])),
            files={p.name: parts[n] for n, p in places.items() if n in parts},
        )
    return Outputs(
        classes=out,
        picture=places["picture"],
        run=places["run"],
        value=places.get("value"),
        scene=scene,
        statistics=statistics,
        counts=counts,
        seconds=time.monotonic() - started,
    )


def _record(
    scene: sentinel2.Scene,
    statistics: SceneStatistics,
    config: Config,
    counts: dict[str, int],
    places: dict[str, Path],
) -> dict[str, object]:
    """Return what the map is."""
    files = {k: v.name for k, v in places.items() if k != "run"}
    return io.run_record(
        command=io.command_line(),
        config=config.model_dump(),
        inputs=[
            {
                "scene": scene.scene_id,
                "product": scene.product,
                "time": str(scene.time),
                "sun_elevation": scene.sun_elevation,
                "notes": [n.text for n in scene.notes],
            }
        ],
        cloud_mask=statistics.cloud_mask,
        thresholds=list(statistics.thresholds),
        pixels=counts,
        flags=dict(FLAGS),
        colours={str(k): v for k, v in COLOURS.items()},
        outputs=files,
        contents=list(files.values()),
    )


def _classify(
    scene: sentinel2.Scene, statistics: SceneStatistics, config: Config, scratch: Path, advance: Callable[[int], None]
) -> dict[str, int]:
    """Write classes, and V where asked for, tile by tile into plain GeoTIFFs; return pixels of every class."""
    from rasterio.errors import RasterioError

    weights = Path(config.weights) if config.weights else None
    tiles = tiling.parts(sentinel2.whole(scene), tiling.TILE)

    def tile(window: Window) -> SceneClasses:
        return scene_classes(
            scene,
            method=statistics.method,
            cloud_mask=statistics.cloud_mask,
            window=window,
            statistics=statistics,
            weights=weights,
        )

    total = np.zeros(256, np.int64)
    try:
        with contextlib.ExitStack() as stack:
            files = {
                n: stack.enter_context(rasters.create(scratch / f"{n}.tif", geobox=scene.geobox, dtype="uint8"))
                for n in ("classes", *(["value"] if config.with_value else []))
            }
            for window, found in zip(tiles, tiling.each(tile, tiles), strict=True):
                classes = found.classes.astype(np.uint8)
                classes[found.is_cloud] = CLOUD
                classes[found.classes < 0] = MISSING
                total += np.bincount(classes.ravel(), minlength=256)
                files["classes"].write(classes, 1, window=window)
                if config.with_value:
                    files["value"].write(found.value, 1, window=window)
                advance(window.height * window.width)
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{scene.scene_id}: tiles cannot be written to {scratch} ({one_line(error)[:120]}); expected room for"
            " one byte per pixel. Free space there, or set TMPDIR."
        ) from error
    return {**{name: int(total[v]) for v, name in FLAGS}, "no_data": int(total[MISSING])}


def _about(scene: sentinel2.Scene, statistics: SceneStatistics, config: Config) -> dict[str, str]:
    return {
        "scene": scene.scene_id,
        "product": scene.product,
        "time": str(scene.time),
        "method": statistics.method,
        "cloud_mask": statistics.cloud_mask,
        "thresholds": " ".join(map(str, statistics.thresholds)),
        "weights": Path(config.weights).name if config.weights else "",
    }


def _to_cog(plain: Path, target: Path, *, about: dict[str, str], is_classes: bool) -> None:
    """Turn a plain GeoTIFF into a cloud-optimised one with meaning: flags, colours, no data, overviews."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(plain, "r+") as source:
            if is_classes:
                source.nodata = MISSING
                source.write_colormap(1, {**COLOURS, MISSING: (0, 0, 0, 0)})
                source.set_band_description(1, "surface_class")
                source.update_tags(
                    flag_values=" ".join(str(v) for v, _ in FLAGS), flag_meanings=" ".join(n for _, n in FLAGS), **about
                )
            else:
                source.nodata = 0
                source.set_band_description(1, "value")
                source.update_tags(long_name="V of hue, saturation, value of the 8-bit true colour", **about)
    except RasterioError as error:
        raise OutputError(
            f"{target.name}: cannot be written ({one_line(error)[:120]}); expected a folder with room. Choose another"
            " with -o, or free space."
        ) from error
    rasters.to_cog(plain, target, overviews="MODE" if is_classes else "AVERAGE")


def _picture(scene: sentinel2.Scene, classes: Path, target: Path) -> None:
    """Write true colour and classes side by side."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    rgb, small = sentinel2.overview(scene, most=PICTURE_PX)
    with opening.open_raster(classes) as source:
        found = source.read(1, out_shape=tuple(small.shape))
    table = np.zeros((256, 3), np.uint8)
    for v, colour in COLOURS.items():
        table[v] = colour
    gap = np.full((rgb.shape[0], 10, 3), 255, np.uint8)
    both = np.concatenate([rgb, gap, table[found]], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            target, "w", driver="PNG", width=both.shape[1], height=both.shape[0], count=3, dtype="uint8"
        ) as out:
            out.write(np.moveaxis(both, -1, 0))


def as_json(result: Outputs) -> dict:
    """Return a run as plain data.

    Parameters
    ----------
    result : Outputs
        Of a run.
    """
    return {
        "scene": result.scene.scene_id,
        "product": result.scene.product,
        "time": str(result.scene.time),
        "method": result.statistics.method,
        "cloud_mask": result.statistics.cloud_mask,
        "thresholds": list(result.statistics.thresholds),
        "pixels": result.counts,
        "outputs": {
            k: str(v)
            for k, v in (
                ("classes", result.classes),
                ("value", result.value),
                ("picture", result.picture),
                ("run", result.run),
            )
            if v
        },
        "seconds": round(result.seconds, 2),
    }


def as_text(result: Outputs) -> str:
    """Return a run for people: shares of the classes, what was used, what was written.

    Parameters
    ----------
    result : Outputs
        Of a run.
    """
    s = result.statistics
    seen = sum(v for k, v in result.counts.items() if k != "no_data")
    clear = max(sum(result.counts[n] for _, n in FLAGS[:3]), 1)
    rule = (
        f"V <= {s.thresholds[0]} water, <= {s.thresholds[1]} thin ice"
        if s.method in ("published", "percentile", "sun")
        else s.method
    )
    lines = [
        (
            f"{result.scene.scene_id}  {result.scene.product} "
            f" {str(result.scene.time)[:19] if result.scene.time is not None else 'time unknown'}"
        ),
        f"  method {s.method} ({rule}), cloud mask {s.cloud_mask}, {result.seconds:.1f} s",
        "  "
        + ", ".join(f"{n.replace('_', ' ')} {100 * result.counts[n] / clear:.1f} %" for _, n in FLAGS[:3])
        + f" of the clear pixels; cloud {100 * result.counts['cloud_or_shadow'] / max(seen, 1):.1f} % of those with"
        " data",
        *(f"  note: {n}" for n in result.scene.notes),
        *(f"  wrote {p}" for p in (result.classes, result.value, result.picture, result.run) if p),
    ]
    return "\n".join(lines)
