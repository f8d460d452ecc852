"""One pass over an image: classes, confidence, probabilities and flags as cloud-optimised GeoTIFFs, and the sums that
the numbers come from."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from ...errors import OutputError, ProductError, one_line
from ...io import rasters
from ...physics.common_cause import Shares
from ...readers.ice_images import IceImage
from ...scenes.image_plane import Plane
from ...schema.optical_ice_maps import (
    BITS,
    CONFIDENCE_SCALE,
    ICE,
    LAND,
    NO_CLASS,
    PROBABILITY_SCALE,
    QUALITY,
    colour,
)
from . import quality
from .mapper import RULE_CLASSES, Mapper, Strip, rule_codes

CLASSES, PROBABILITIES, FLAGS = "classes.tif", "probabilities.tif", "quality_flag.tif"
PICTURE_PX = 900
"""Longer side of the picture that the page shows, at most."""


class Sums:
    """What one pass over an image adds up.

    Attributes
    ----------
    area : numpy.ndarray
        Area by class, in the square of the plane's unit.
    by_rule : numpy.ndarray
        The same by the thresholds of brightness, where no mask says land or cloud.
    shares : Shares
        Probabilities of ice of the pixels that are no land.
    seen : quality.Seen
        Flags.
    picture : numpy.ndarray of uint8, shape (h, w, 3)
        The image with fewer pixels, every one of ``step``; 0 where nothing was seen.

    Parameters
    ----------
    classes : int
        How many.
    shape : (int, int)
        Rows and columns of the image.
    """

    def __init__(self, classes: int, shape: tuple[int, int]) -> None:
        self.step = max(1, -(-max(shape) // PICTURE_PX))
        self.area, self.by_rule = np.zeros(classes), np.zeros(len(RULE_CLASSES))
        self.picture = np.zeros((*(-(-n // self.step) for n in shape), 3), np.uint8)
        self.shares, self.seen = Shares(), quality.Seen()


def write(
    image: IceImage, mapper: Mapper, *, plane: Plane, folder: Path, scratch: Path, tags: Mapping[str, str]
) -> Sums:
    """Map an image and write its rasters.

    Parameters
    ----------
    image : IceImage
        Open for reading.
    mapper : Mapper
        What maps it.
    plane : Plane
        Its grid.
    folder, scratch : Path
        For the finished files, and for the plain ones.
    tags : mapping of str to str
        Of all files.

    Raises
    ------
    ProductError
        If no pixel can be mapped.
    OutputError
        If there is no room.
    """
    sums = Sums(len(mapper.classes), plane.shape)
    geobox = GeoBox(plane.shape, plane.transform, plane.crs if plane.has_place else None)
    has_probability = bool(mapper.networks)
    try:
        with contextlib.ExitStack() as stack:

            def new(name: str, bands: int, nodata: int | None) -> DatasetWriter:
                return stack.enter_context(
                    rasters.create(scratch / name, geobox=geobox, dtype="uint8", bands=bands, nodata=nodata)
                )

            classes, bits = new(CLASSES, 2, NO_CLASS), new(FLAGS, 1, None)
            planes = new(PROBABILITIES, len(mapper.classes), NO_CLASS) if has_probability else None
            _describe(classes, bits, planes, mapper, tags)
            for strip in mapper.strips(image):
                _add(strip, image, mapper, plane, sums, (classes, bits, planes))
        if not sums.seen.mapped:
            raise ProductError(
                f"{image.name}: no pixel can be mapped; expected some with data that no mask hides. Look at the image."
            )
        if quality.unlike(sums.seen):
            _mark_all(scratch / FLAGS)
        for name in (CLASSES, FLAGS, *((PROBABILITIES,) if has_probability else ())):
            rasters.to_cog(scratch / name, folder / name, overviews="NEAREST")
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{image.name}: maps cannot be written ({one_line(error)[:140]}); expected room for 16 bytes per pixel."
            " Free space, or set TMPDIR."
        ) from error
    return sums


def _describe(
    classes: DatasetWriter,
    bits: DatasetWriter,
    planes: DatasetWriter | None,
    mapper: Mapper,
    tags: Mapping[str, str],
) -> None:
    """Say in the files what they hold."""
    table = {k: (*colour(c, r), 255) for k, (c, r) in enumerate(zip(mapper.classes, mapper.roles, strict=True))}
    classes.write_colormap(1, {**table, NO_CLASS: (0, 0, 0, 0)})
    classes.scales, classes.offsets = (1.0, CONFIDENCE_SCALE), (0.0, 0.0)
    meanings = {
        "flag_values": " ".join(map(str, range(len(mapper.classes)))),
        "flag_meanings": " ".join(mapper.classes),
        "classes": ", ".join(f"{k} {c}" for k, c in enumerate(mapper.classes)),
    }
    classes.update_tags(**meanings, **tags)
    classes.set_band_description(1, "class")
    classes.update_tags(1, long_name="most probable class", units="1", **meanings)
    classes.set_band_description(2, "confidence")
    classes.update_tags(2, long_name="probability that the class is right", units="1", scale=str(CONFIDENCE_SCALE))
    bits.set_band_description(1, QUALITY.name)
    bits.update_tags(**{k: str(v) for k, v in QUALITY.attributes().items()}, **tags)
    if planes is not None:
        planes.scales = (PROBABILITY_SCALE,) * len(mapper.classes)
        planes.update_tags(long_name="calibrated probability of each class", units="1", **tags)
        for k, name in enumerate(mapper.classes, start=1):
            planes.set_band_description(k, name)


def _add(
    strip: Strip,
    image: IceImage,
    mapper: Mapper,
    plane: Plane,
    sums: Sums,
    files: tuple[DatasetWriter, DatasetWriter, DatasetWriter | None],
) -> None:
    """Write finished rows and add them up."""
    height, width = strip.codes.shape
    rows, columns = slice(strip.row, strip.row + height), slice(0, width)
    window = Window(0, strip.row, width, height)
    cloud, land = (_mask(m, rows, columns, image.name) for m in (image.cloud, image.land))
    pixel_m = plane.side if plane.unit == "m" else float("nan")
    bits = quality.flags(
        strip.rgb,
        strip.codes,
        strip.confidence,
        cloud=cloud,
        land=land,
        is_other_size=quality.is_other_size(mapper, pixel_m),
    )
    codes = strip.codes.copy()
    hidden = np.zeros(codes.shape, bool) if cloud is None else cloud.copy()
    if land is not None:
        lands = mapper.codes(LAND)
        codes[land] = lands[0] if lands else NO_CLASS
        hidden |= land
    if cloud is not None:
        codes[cloud] = NO_CLASS
    confidence = _scaled(strip.confidence, CONFIDENCE_SCALE, hidden, codes.shape)
    classes, flags, planes = files
    classes.write(np.stack([codes, confidence]), window=window)
    flags.write(bits, 1, window=window)
    if planes is not None and strip.probability is not None:
        planes.write(
            np.stack([_scaled(p, PROBABILITY_SCALE, hidden, codes.shape) for p in strip.probability]), window=window
        )
    _sum(strip, codes, bits, hidden, mapper, plane.row_areas(rows), sums, image.full_scale)


def _mask(read, rows: slice, columns: slice, name: str) -> np.ndarray | None:
    """Return a mask of a window, bool (h, w); None where the image has none."""
    if read is None:
        return None
    values = np.asarray(read(rows, columns))
    values = values[0] if values.ndim == 3 else values
    wanted = (rows.stop - rows.start, columns.stop - columns.start)
    if values.shape != wanted:
        raise ProductError(
            f"{name}: a mask has {values.shape[0]} x {values.shape[1]} pixels where the image has {wanted[0]} x"
            f" {wanted[1]}; expected one of the image's size. Give the mask of this image."
        )
    return np.nan_to_num(values).astype(bool)


def _scaled(values: np.ndarray | None, scale: float, hidden: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return values in steps of a scale, 255 where there are none."""
    if values is None:
        return np.full(shape, NO_CLASS, np.uint8)
    known = np.isfinite(values) & ~hidden
    return np.where(known, np.rint(np.where(known, values, 0.0) / scale), NO_CLASS).astype(np.uint8)


def _sum(
    strip: Strip,
    codes: np.ndarray,
    bits: np.ndarray,
    hidden: np.ndarray,
    mapper: Mapper,
    row_area: np.ndarray,
    sums: Sums,
    full_scale: float | None,
) -> None:
    area = np.broadcast_to(row_area[:, None], codes.shape)
    has = codes != NO_CLASS
    sums.area += np.bincount(codes[has], area[has], len(mapper.classes))
    by_rule = rule_codes(strip.rgb, full_scale)
    known = (by_rule != NO_CLASS) & ~hidden
    sums.by_rule += np.bincount(by_rule[known], area[known], len(RULE_CLASSES))
    sums.seen.add(bits, strip.rgb, codes, strip.confidence)
    if strip.probability is not None:
        sea = has & ~hidden & ~np.isin(codes, mapper.codes(LAND))
        ice = strip.probability[list(mapper.codes(*ICE))].sum(axis=0)[sea]
        water = strip.probability[list(mapper.codes("water"))].sum(axis=0)[sea]
        doubtful = (bits[sea] & (BITS["saturated"] | BITS["pixel_size_not_learned"])) > 0
        sums.shares.add(ice / np.maximum(ice + water, 1e-9), area[sea], doubtful)
    step = sums.step
    first = -strip.row % step
    shown = strip.rgb[:, first::step, ::step]
    seen = np.isfinite(shown).all(axis=0)
    start = (strip.row + first) // step
    picture = np.where(seen, np.clip(np.nan_to_num(shown), 1, 255), 0).astype(np.uint8)
    sums.picture[start : start + shown.shape[1]] = np.moveaxis(picture, 0, -1)


def _mark_all(path: Path) -> None:
    """Set the bit of images unlike the training wherever a pixel was seen."""
    import rasterio

    with rasterio.open(path, "r+") as file:
        for _, window in file.block_windows(1):
            bits = file.read(1, window=window)
            bits[(bits & BITS["no_data"]) == 0] |= BITS["unlike_training"]
            file.write(bits, 1, window=window)
