"""Clean and debris-covered ice of a map: ``ice_class.tif``, and areas with intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ... import io
from ...errors import OutputError, one_line
from ...glaciers import ice_cover, outlines
from ...io import rasters
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene, only_sensors
from .mapped_outlines import BLOCK, Outlined

NAME = "ice_class"
MEANING = "0 no ice, 1 clean ice or snow on ice, 2 debris-covered ice, 3 ice of unknown cover, 255 not seen"


def split(outlined: Outlined, folder: Path, *, scene: Scene, about: dict[str, str]) -> ice_cover.Cover | None:
    """Split the mapped ice by what covers it, and write the classes; None for a scene without an image.

    Parameters
    ----------
    outlined : Outlined
        Outlines with intervals.
    folder : Path
        With ``probability.tif``.
    scene : Scene
        The scene that was mapped.
    about : dict of str to str
        Tags of the raster.

    Raises
    ------
    ProductError
        If a file cannot be read.
    OutputError
        If there is no room.
    """
    image = scene.table.of("reflectance")
    if image is None or image.name not in scene.sensors:
        return None
    only = only_sensors(scene, (image.name,))
    probability, _ = outlines.from_raster(folder / "probability.tif")

    def window(rows: slice, columns: slice) -> tuple[tuple[int, int], tuple[int, int]]:
        return (rows.start, rows.stop), (columns.start, columns.stop)

    def cloud(rows: slice, columns: slice) -> np.ndarray:
        return glacier_scene.read_cloud(scene, window=window(rows, columns)) == glacier_scene.CLOUD

    try:
        with io.scratch() as scratch:
            plain = scratch / f"{NAME}.tif"
            with rasters.create(plain, geobox=scene.geobox, dtype="uint8", nodata=ice_cover.MISSING) as file:

                def write(rows: slice, columns: slice, kind: np.ndarray) -> None:
                    file.write(
                        kind, 1, window=Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop))
                    )

                found = ice_cover.split(
                    outlined.table,
                    total=outlined.areas.total,
                    geobox=scene.geobox,
                    optical=lambda rows, columns: glacier_scene.read(only, window=window(rows, columns))[image.name],
                    cloud=cloud,
                    probability=probability,
                    write=write,
                    block=BLOCK,
                )
                file.update_tags(long_name=MEANING, rule=ice_cover.RULE, **about)
                file.set_band_description(1, NAME)
            rasters.to_cog(plain, folder / f"{NAME}.tif", overviews="MODE")
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{NAME}.tif: cannot be written ({one_line(error)[:140]}); expected room for 1 byte per pixel. Free space,"
            " or set TMPDIR."
        ) from error
    return found


def text(found: ice_cover.Cover | None) -> str:
    """Return clean and debris-covered ice in words; empty where nothing is known.

    Parameters
    ----------
    found : Cover or None
        Of :func:`split`.
    """
    if found is None or not np.isfinite(found.clean.value):
        return ""
    parts = []
    for words, e in (("clean", found.clean), ("debris-covered", found.debris)):
        interval = f" ({e.low:.3f} to {e.high:.3f})" if np.isfinite(e.low) else ""
        parts.append(f"{words} {e.value:.3f} km2{interval}")
    if found.unknown_km2 > 0.0005:
        parts.append(f"unknown {found.unknown_km2:.3f} km2 (cloud, or no red or SWIR1)")
    return ", ".join(parts)


def as_json(found: ice_cover.Cover | None) -> dict[str, object] | None:
    """Return clean and debris-covered ice for run.json.

    Parameters
    ----------
    found : Cover or None
        Of :func:`split`.
    """
    if found is None:
        return None
    parts = {"clean": found.clean, "debris_covered": found.debris}
    return {
        "rule": ice_cover.RULE,
        **{n: {"area_km2": e.value, "low_km2": e.low, "high_km2": e.high} for n, e in parts.items()},
        "unknown_km2": found.unknown_km2,
    }
