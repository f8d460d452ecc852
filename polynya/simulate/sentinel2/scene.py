"""Write a simulated scene: a SAFE folder of Level-1C or Level-2A, GeoTIFFs, and the truth raster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from ...errors import OutputError, one_line
from ...schema import SURFACE_CLASSES
from ..sea_ice.picture import Surfaces
from . import metadata
from .frame import Frame
from .sky import CLOUD_NAMES, SHADOW, THICK_CLOUD, THIN_CLOUD, Light, Sky, band_reflectance, surface_reflectance

TRUE_COLOUR_SATURATION = {"1C": 0.3558, "2A": 0.2}
"""Reflectance that a true-colour image (TCI) shows as 255; 1-255 is linear, 0 no data (Sentinel-2 Products
Specification Document)."""
RGB = ("B04", "B03", "B02")


def true_colour(reflectance: np.ndarray, *, level: str = "1C") -> np.ndarray:
    """Return the 8-bit true-colour value of reflectances, any shape, uint8."""
    return np.clip(np.rint(255.0 / TRUE_COLOUR_SATURATION[level] * reflectance), 1, 255).astype(np.uint8)


def digital_numbers(reflectance: np.ndarray) -> np.ndarray:
    """Return ``10000 reflectance + 1000``, at least 1, uint16: 0 is no data."""
    return np.clip(np.rint(reflectance * metadata.QUANTIFICATION - metadata.OFFSET), 1, 32767).astype(np.uint16)


def bands(
    part: Light, sky: Sky, seed: np.random.SeedSequence, *, level: str, wanted: tuple[str, ...] = metadata.BANDS
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the bands in the metadata's order: name, reflectance at the band's own resolution.

    Parameters
    ----------
    part : Light
        What the camera receives.
    sky : Sky
        Sun, haze and cloud.
    seed : numpy.random.SeedSequence
        Each band has its own noise, whichever bands are asked for.
    level : str
        ``1C`` (top of atmosphere) or ``2A`` (bottom of atmosphere; without B10).
    wanted : tuple of str
        Bands to yield.
    """
    for band, child in zip(metadata.BANDS, seed.spawn(len(metadata.BANDS)), strict=True):
        if band not in wanted or (level == "2A" and band == "B10"):
            continue
        rng = np.random.Generator(np.random.PCG64(child))
        top = band_reflectance(part, sky, band, step=metadata.RESOLUTION[band] // 10, rng=rng)
        yield band, top if level == "1C" else surface_reflectance(top, sky, band)


def write_safe(
    folder: Path,
    product: metadata.Product,
    frame: Frame,
    *,
    surfaces: Surfaces,
    part: Light,
    sky: Sky,
    seed: np.random.SeedSequence,
    settings: str,
) -> np.ndarray:
    """Write the product's folder in ``folder`` and return its true colour, uint8, shape (3, rows, columns).

    Parameters
    ----------
    folder : Path
        Of the pair.
    product : metadata.Product
        Level, time and names.
    frame : Frame
        The scene's grid.
    surfaces : Surfaces
        The ice, for the scene classification of a Level-2A product.
    part : Light
        What the camera receives.
    sky : Sky
        Sun, haze and cloud.
    seed : numpy.random.SeedSequence
        Of the bands' noise.
    settings : str
        What the scene was simulated from, for the metadata.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    level = product.level
    root = folder / product.name
    images = root / "GRANULE" / product.granule / "IMG_DATA"
    files, colour = [], np.empty((3, frame.rows, frame.columns), np.uint8)
    for band, reflectance in bands(part, sky, seed, level=level):
        resolution = metadata.RESOLUTION[band]
        path = _image_path(images, product.prefix, band, level, resolution)
        _jp2(path, digital_numbers(reflectance)[None], frame, resolution)
        files.append(path)
        if band in RGB:
            colour[RGB.index(band)] = true_colour(reflectance, level=level)
    path = _image_path(images, product.prefix, "TCI", level, 10)
    _jp2(path, colour, frame, 10)
    files.append(path)
    if level == "2A":
        path = _image_path(images, product.prefix, "SCL", level, 20)
        _jp2(path, scene_classification(surfaces, part)[None], frame, 20)
        files.append(path)
    relative = [str(f.relative_to(root).with_suffix("")) for f in files]
    cloud = 100.0 * float(np.mean((part.mask == THIN_CLOUD) | (part.mask == THICK_CLOUD)))
    (root / f"MTD_MSIL{level}.xml").write_bytes(
        metadata.user_product(product, files=relative, cloud_percent=cloud, settings=settings)
    )
    (root / "GRANULE" / product.granule / "MTD_TL.xml").write_bytes(
        metadata.tile(product, frame, sun=(sky.sun_elevation, sky.sun_azimuth))
    )
    return colour


def scene_classification(surfaces: Surfaces, part: Light) -> np.ndarray:
    """Return a Level-2A scene classification at 20 m: 3 shadow, 6 water, 8 and 9 cloud, 10 thin cirrus, 11 snow or ice.

    Dark thin ice counts as water, as in classifications by colour.
    """
    coarse = (slice(None, None, 2), slice(None, None, 2))
    reflectance = (surfaces.snow + surfaces.thin + surfaces.water)[coarse]
    out = np.where(reflectance < 0.12, 6, 11).astype(np.uint8)
    mask, cloud = part.mask[coarse], part.cloud[coarse]
    out[mask == SHADOW] = 3
    out[mask == THIN_CLOUD] = 10
    out[(mask == THIN_CLOUD) & (cloud > 0.15)] = 8
    out[mask == THICK_CLOUD] = 9
    return out


def write_geotiff(
    folder: Path, stem: str, frame: Frame, *, part: Light, sky: Sky, time: str, seed: np.random.SeedSequence
) -> tuple[Path, Path]:
    """Write ``STEM_bands.tif`` (B04, B03, B02, B08 as reflectance times 10000) and ``STEM_tci.tif`` (8-bit true
    colour), top of atmosphere.

    Returns
    -------
    bands, colour : Path
    """
    reflectance = dict(bands(part, sky, seed, level="1C", wanted=(*RGB, "B08")))
    sun = {"sun_elevation": f"{sky.sun_elevation:.4f}", "sun_azimuth": f"{sky.sun_azimuth:.4f}"}
    tags = {"simulated_by": "polynya; no measurement", "acquisition_time": time[:19] + "Z", **sun}
    numbers = np.stack([np.clip(np.rint(reflectance[b] * 1e4), 1, 32767).astype(np.uint16) for b in (*RGB, "B08")])
    colour = np.stack([true_colour(reflectance[b]) for b in RGB])
    return (
        write_tiff(folder / f"{stem}_bands.tif", numbers, frame, tags=tags, names=(*RGB, "B08"), scale=1e-4),
        write_tiff(folder / f"{stem}_tci.tif", colour, frame, tags=tags, names=RGB),
    )


def write_truth(folder: Path, stem: str, frame: Frame, *, surfaces: Surfaces, part: Light) -> Path:
    """Write ``STEM_truth.tif``: band 1 the surface class below all cloud, band 2 the cloud mask, uint8."""
    tags = {"simulated_by": "polynya; no measurement"}
    for name, values in (("surface_class", [c for c in SURFACE_CLASSES if c[0] >= 0]), ("cloud", CLOUD_NAMES)):
        tags[f"{name}_flags"] = ", ".join(f"{value} {meaning}" for value, meaning in values)
    planes = np.stack([surfaces.surface_class.astype(np.uint8), part.mask])
    return write_tiff(
        folder / f"{stem}_truth.tif", planes, frame, tags=tags, names=("surface_class", "cloud"), nodata=255
    )


def write_tiff(
    path: Path,
    planes: np.ndarray,
    frame: Frame,
    *,
    tags: dict[str, str],
    names: tuple[str, ...],
    scale: float | None = None,
    nodata: int = 0,
) -> Path:
    """Write planes, shape (bands, rows, columns), as a tiled, deflated GeoTIFF."""
    profile = {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 2,
        "zlevel": 1,
        "nodata": nodata,
    }
    with _opened(path, planes, frame, 10, profile) as handle:
        handle.write(planes)
        handle.descriptions = names
        handle.update_tags(**tags)
        if scale is not None:
            handle.scales = (scale,) * len(names)
    return path


def _image_path(images: Path, prefix: str, band: str, level: str, resolution: int) -> Path:
    if level == "1C":
        return images / f"{prefix}_{band}.jp2"
    return images / f"R{resolution}m" / f"{prefix}_{band}_{resolution}m.jp2"


def _jp2(path: Path, planes: np.ndarray, frame: Frame, resolution: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": 1024, "BLOCKYSIZE": 1024}
    with _opened(path, planes, frame, resolution, profile) as handle:
        handle.write(planes)


def _opened(
    path: Path, planes: np.ndarray, frame: Frame, resolution: int, profile: dict[str, object]
) -> rasterio.io.DatasetWriter:
    try:
        return rasterio.open(
            path,
            "w",
            width=planes.shape[2],
            height=planes.shape[1],
            count=planes.shape[0],
            dtype=planes.dtype.name,
            crs=f"EPSG:{frame.epsg}",
            transform=from_origin(frame.left, frame.top, resolution, resolution),
            **profile,
        )
    except rasterio.errors.RasterioError as error:
        raise OutputError(
            f"{path.name}: cannot be written ({one_line(error)}); expected room on the disk. Free some or write"
            " elsewhere."
        ) from error
