"""The rasters of ``polynya glaciers``: written strip by strip, then as cloud-optimised GeoTIFFs, and read back
reduced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from ...errors import OutputError, one_line
from ...io import opening, rasters
from ...scenes.areas import row_areas_m2
from .strips import Strip

MEANING = {
    "probability": "calibrated probability that the pixel is glacier",
    "confidence": "probability that the mapped class is right",
    "spread": "standard deviation of the probability over networks, rotations and dropout, or over dates",
}


DATES = "clear_dates"
"""Name of the number of dates without cloud; written only for maps of several dates."""
NOT_SEEN = "not_seen"
"""Name of the mask of pixels without an image; written only where there are some."""


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Ground of a scene that its image does not show.

    Attributes
    ----------
    area_km2 : float
        On the ellipsoid; part of no outline, area or interval.
    share : float
        Of the scene.
    known_km2 : float
        Part of it of which other sensors know something.
    ice_km2 : float
        Expected area of ice there, by these alone: the sum of probability times area. NaN where nothing is known.
    cloud_km2 : float
        Ground under cloud.
    is_cloud_masked : bool
        Whether that is part of what was not seen.
    """

    area_km2: float
    share: float
    known_km2: float
    ice_km2: float
    cloud_km2: float = 0.0
    is_cloud_masked: bool = False

    @property
    def text(self) -> str:
        """One sentence; empty where everything was seen."""
        if not self.area_km2 > 0:
            return ""
        expected = (
            "no other sensor says what lies there"
            if not np.isfinite(self.ice_km2)
            else f"of which {self.ice_km2:.2f} km² expected ice, by the other sensors alone"
        )
        if np.isfinite(self.ice_km2) and self.known_km2 < 0.99 * self.area_km2:
            expected += f" on the {self.known_km2:.2f} km² that they cover"
        why = (
            f"The image has no data there, or cloud was masked ({self.cloud_km2:.2f} km²)"
            if self.is_cloud_masked and self.cloud_km2 > 0
            else "The image has no data there"
        )
        return (
            f"not seen: {self.area_km2:.2f} km² ({_share(self.share)} of the scene), {expected}. {why}; no outline,"
            " area or interval contains it"
        )

    @property
    def cloud_text(self) -> str:
        """What cloud did to the map where it was not masked; empty without cloud."""
        if self.is_cloud_masked or not self.cloud_km2 > 0:
            return ""
        return (
            f"cloud over {self.cloud_km2:.2f} km²: it is mapped with less confidence (0.75 at most), and no interval"
            " contains what cloud hides; --mask-clouds makes it no data"
        )


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1%"


def write(
    strips: Iterable[Strip],
    *,
    name: str,
    geobox: GeoBox,
    scratch: Path,
    folder: Path,
    about: dict[str, str],
    is_cloud_masked: bool = False,
) -> tuple[bool, Unseen]:
    """Write probability, confidence and, where several predictions were averaged, spread; where the image has gaps
    the mask of them.

    Parameters
    ----------
    strips : iterable of Strip
        Rows in order.
    name : str
        Of the scene, for messages.
    geobox : odc.geo.GeoBox
        Grid of the scene.
    scratch, folder : Path
        For the plain files, and for the finished ones.
    about : dict of str to str
        Tags of the files.
    is_cloud_masked : bool
        Whether cloud is among what was not seen.

    Returns
    -------
    has_data : bool
        Whether any pixel has data.
    unseen : Unseen
        Ground that the image does not show.

    Raises
    ------
    OutputError
        If there is no room.
    """
    width = int(geobox.shape[1])
    has_data, varies = False, False
    sums = np.zeros(5)  # km²: all, not seen, of that with a probability, expected ice, cloud
    dates = scratch / f"{DATES}.tif"
    try:
        with contextlib.ExitStack() as stack:
            files = {
                n: stack.enter_context(
                    rasters.create(scratch / f"{n}.tif", geobox=geobox, dtype="float32", nodata=np.nan)
                )
                for n in MEANING
            }
            mask = stack.enter_context(rasters.create(scratch / f"{NOT_SEEN}.tif", geobox=geobox, dtype="uint8"))
            numbers: DatasetWriter | None = None
            for s in strips:
                window = Window(0, s.row, width, s.probability.shape[0])
                if s.n_clear is not None:
                    numbers = numbers or stack.enter_context(rasters.create(dates, geobox=geobox, dtype="uint8"))
                    numbers.write(s.n_clear, 1, window=window)
                for key in MEANING:
                    files[key].write(getattr(s, key), 1, window=window)
                mask.write((~s.is_seen).astype(np.uint8), 1, window=window)
                has_data |= bool(np.isfinite(s.probability).any())
                varies |= bool((np.nan_to_num(s.spread) > 0).any())
                sums += _areas(s, geobox)
            mask.update_tags(long_name="1 where the image of the scene shows nothing, else 0", units="1", **about)
            mask.set_band_description(1, NOT_SEEN)
            if numbers is not None:
                numbers.update_tags(long_name="number of dates without cloud", units="1", **about)
                numbers.set_band_description(1, DATES)
            for key, file in files.items():
                file.update_tags(long_name=MEANING[key], units="1", **about)
                file.set_band_description(1, key)
        for key in MEANING:
            if key != "spread" or varies:
                rasters.to_cog(scratch / f"{key}.tif", folder / f"{key}.tif", overviews="AVERAGE")
        if dates.is_file():
            rasters.to_cog(dates, folder / f"{DATES}.tif", overviews="MODE")
        if sums[1] > 0:
            rasters.to_cog(scratch / f"{NOT_SEEN}.tif", folder / f"{NOT_SEEN}.tif", overviews="MODE")
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{name}: maps cannot be written ({one_line(error)[:140]}); expected room for 13 bytes per pixel. Free"
            " space, or set TMPDIR."
        ) from error
    return has_data, Unseen(
        area_km2=float(sums[1]),
        share=float(sums[1] / sums[0]) if sums[0] > 0 else 0.0,
        known_km2=float(sums[2]),
        ice_km2=float(sums[3]) if sums[2] > 0 else float("nan"),
        cloud_km2=float(sums[4]),
        is_cloud_masked=is_cloud_masked,
    )


def _areas(strip: Strip, geobox: GeoBox) -> np.ndarray:
    """Return km² of a strip: all of it, not seen, of that with a probability, expected ice there, cloud."""
    height, width = strip.probability.shape
    row_km2 = row_areas_m2(geobox, slice(strip.row, strip.row + height), 0.5 * width) * 1e-6
    known = np.isfinite(strip.unseen_probability)
    counts = (np.full(height, width), (~strip.is_seen).sum(axis=1), known.sum(axis=1))
    cloud = np.zeros(height) if strip.is_cloud is None else strip.is_cloud.sum(axis=1)
    ice = np.where(known, strip.unseen_probability, 0.0).sum(axis=1, dtype=np.float64)
    return np.array([float((row_km2 * c).sum()) for c in (*counts, ice, cloud)])


def reduced(path: Path, shape: tuple[int, int], *, is_classes: bool = False) -> np.ndarray:
    """Return a raster's first band averaged to fewer pixels, NaN where missing; of classes the most frequent one.

    Parameters
    ----------
    path : Path
        The raster.
    shape : (int, int)
        Rows and columns of the result.
    is_classes : bool
        Whether its numbers are classes.
    """
    resampling = Resampling.mode if is_classes else Resampling.average
    with opening.open_raster(path) as source:
        return source.read(1, out_shape=shape, resampling=resampling)
