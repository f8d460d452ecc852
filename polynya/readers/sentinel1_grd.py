"""Sentinel-1 Level-1 ground-range images (GRD; EW, IW and SM): sigma nought with the thermal noise removed, in windows.

Checked on the annotation of real products, which came without their images: S1A EW GRDM of IPF 003.52, S1C S4 GRDH of
003.90, and an SLC of 002.36, whose annotation is described too. Images were checked on files that the tests make from
that annotation. A product is a SAFE folder, a zip archive of it, or the variant whose images are cloud-optimised
GeoTIFFs. Satellite, mode, polarisation and times are those of each file's ``adsHeader``, never of its name.

sigma nought = (DN² - n_r n_a) / A² with A from the calibration vectors, and range noise n_r and azimuth factor n_a as
:mod:`polynya.physics.thermal_noise` says. Values stay linear: the noise is right in the mean only, so power below zero
is information until it has been averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError, one_line
from ..physics import backscatter, line_vectors
from ..physics.thermal_noise import Block, ThermalNoise
from .scene_layer import as_window
from .sentinel1_product import Image, Product, attributes, is_product, open_product
from .sentinel1_vectors import read_calibration, read_noise

if TYPE_CHECKING:
    import rasterio
    import xarray

    from .scene_layer import AnyWindow

__all__ = [
    "NOISE_SCALE_S1A_EW",
    "Image",
    "OpenImage",
    "Product",
    "Radiometry",
    "attributes",
    "is_product",
    "open_image",
    "open_product",
    "radiometry",
    "radiometry_of",
    "read",
    "sigma_nought",
]
PRODUCT = "Sentinel-1 GRD"
RELEASES = ("002.36", "002.90", "003.31", "003.52", "003.90")
"""Generations of the processor (IPF) whose annotation is known."""
CHECKED = ("002.36", "003.52", "003.90")
DOI = ""
INTACT = "the product's whole GeoTIFF. Download the product again"
SATURATED = 65535
"""Largest number that 16 bits hold: the power of such a pixel is not known."""
NOISE_FLOOR = 1e-7
"""Noise-equivalent sigma nought below this (-70 dB) is no noise of this instrument, but a vector in other units."""
NOISE_CEILING = 0.1
"""So is a typical one above this (-10 dB): real ones lie at -34 to -19 dB."""
NOISE_SCALE_S1A_EW = {"HV": {"EW1": 1.2227, "EW2": 0.9616, "EW3": 1.0292, "EW4": 1.0065, "EW5": 0.9219}}
"""Factors of the annotated noise by channel and sub-swath that flatten ocean scenes of S1A EW of IPF 2.4 (Park et al.
2018, doi:10.1109/TGRS.2017.2765248). They differ with processor and satellite; none are used by default."""
SIGMA0 = {
    "units": "1",
    "long_name": "sigma nought, linear",
    "standard_name": "surface_backwards_scattering_coefficient_of_radar_wave",
}
INCIDENCE = {"units": "degree", "long_name": "incidence angle, from the normal of the ellipsoid"}
NESZ = {"units": "1", "long_name": "noise-equivalent sigma nought, linear"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Radiometry:
    """What turns the digital numbers of one image into sigma nought.

    Attributes
    ----------
    gain : polynya.physics.line_vectors.Table
        A of ``sigma nought = DN² / A²``.
    noise : ThermalNoise
    is_noise_known : bool
        False where the annotated noise is zero everywhere or in other units, as before IPF 2.5: nothing is subtracted.
    """

    gain: line_vectors.Table
    noise: ThermalNoise
    is_noise_known: bool


def radiometry(product: Product, channel: str, *, noise_scale: Mapping[str, float] | None = None) -> Radiometry:
    """Read calibration and noise of a channel.

    Parameters
    ----------
    product : Product
        Of :func:`open_product`.
    channel : str
        Of ``product.channels``.
    noise_scale : mapping of str to float, optional
        Factors of the annotated noise by sub-swath, such as those of :data:`NOISE_SCALE_S1A_EW`.

    Returns
    -------
    Radiometry

    Raises
    ------
    ProductError
        If a file is missing or damaged.
    UsageError
        If the product has no such channel, or a factor is for no sub-swath of it.
    """
    return radiometry_of(product, product.image(channel), noise_scale=noise_scale)


def radiometry_of(product: Product, image: Image, *, noise_scale: Mapping[str, float] | None = None) -> Radiometry:
    """Read calibration and noise of one image, as :func:`radiometry`; an SLC has several of one channel.

    Parameters
    ----------
    product : Product
        Of :func:`open_product`.
    image : Image
        Of ``product.images``.
    noise_scale : mapping of str to float, optional
        As :func:`radiometry`.

    Raises
    ------
    ProductError, UsageError
        As :func:`radiometry`.
    """
    for what in ("calibration", "noise"):
        if not getattr(image, what):
            raise ProductError(
                f"{product.product_id}: the {what} of {image.channel} is missing; expected an XML file of this"
                " polarisation in annotation/calibration. Download the product again, whole."
            )
    shape = image.about.shape
    gain = line_vectors.table(read_calibration(product.files, image.calibration), columns=slice(0, shape[1]))
    vectors, blocks = read_noise(product.files, image.noise)
    blocks = tuple(_clipped(b, shape) for b in blocks or image.about.bounds)
    scale = {k.upper(): float(v) for k, v in (noise_scale or {}).items()}
    unknown = set(scale) - {b.swath for b in blocks}
    if unknown:
        raise UsageError(
            f"{product.product_id}: noise factors for {', '.join(sorted(unknown))}; expected some of"
            f" {', '.join(sorted({b.swath for b in blocks})) or 'no sub-swath'}. Leave the others out."
        )
    strongest, typical = (float(f([f(v.values) for v in vectors])) for f in (np.max, np.median))
    power = float(np.median(gain.values)) ** 2
    known = strongest > NOISE_FLOOR * power and typical < NOISE_CEILING * power
    return Radiometry(
        gain=gain,
        noise=ThermalNoise(shape=shape, vectors=vectors, blocks=blocks, scale=scale),
        is_noise_known=known,
    )


def _clipped(block: Block, shape: tuple[int, int]) -> Block:
    return replace(
        block,
        first_line=max(block.first_line, 0),
        last_line=min(block.last_line, shape[0] - 1),
        first_sample=max(block.first_sample, 0),
        last_sample=min(block.last_sample, shape[1] - 1),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenImage:
    """The open GeoTIFF of one channel.

    Attributes
    ----------
    source : rasterio.DatasetReader
    name : str
        Product and file, for messages.
    """

    source: rasterio.DatasetReader
    name: str

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Read digital numbers, uint16, shape (h, w); 0 is no data.

        Parameters
        ----------
        rows, columns : slice
            Start and stop, inside the image.

        Raises
        ------
        ProductError
            If the file is damaged there.
        """
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        place = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        try:
            return self.source.read(1, window=place)
        except (RasterioError, OSError) as error:
            raise ProductError(
                f"{self.name}: lines {rows.start} to {rows.stop - 1} cannot be read, the file may be cut"
                f" ({one_line(error)[:120]}); expected {INTACT}."
            ) from error


@contextmanager
def open_image(product: Product, channel: str) -> Iterator[OpenImage]:
    """Open the image of a channel, after a look at its size and its last line: a cut file is found at once.

    Parameters
    ----------
    product : Product
        Of :func:`open_product`.
    channel : str
        Of ``product.channels``.

    Yields
    ------
    OpenImage

    Raises
    ------
    ProductError
        If there is no image, it is no ground-range image, or it is damaged.
    """
    image = product.image(channel)
    if product.product_type != "GRD":
        raise ProductError(
            f"{product.product_id}: is {product.product_type}, complex or raw; expected a ground-range product (GRD)."
            " Download the GRD product of the same time."
        )
    if not image.measurement:
        raise ProductError(
            f"{product.product_id}: the image of {channel} is missing; expected its GeoTIFF in measurement. Download"
            " the product again, whole."
        )
    rows, columns = image.about.shape
    name = f"{product.product_id}/{image.measurement}"
    with product.files.open_raster(image.measurement, expected=INTACT) as source:
        if (source.height, source.width) != (rows, columns):
            raise ProductError(
                f"{name}: {source.height} x {source.width} pixels; expected {rows} x {columns}, as its annotation says."
                " Download the product again."
            )
        if source.dtypes[0] != "uint16":
            raise ProductError(
                f"{name}: holds {source.dtypes[0]}; expected uint16 amplitudes. Download the product again."
            )
        opened = OpenImage(source=source, name=name)
        opened.read(slice(rows - 1, rows), slice(0, columns))
        yield opened


def sigma_nought(
    digital_numbers: np.ndarray, radiometry: Radiometry, *, rows: slice, columns: slice, is_denoised: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return sigma nought and noise-equivalent sigma nought of a window.

    Parameters
    ----------
    digital_numbers : numpy.ndarray of uint16, shape (h, w)
        0 is no data.
    radiometry : Radiometry
        Of :func:`radiometry`.
    rows, columns : slice
        The window in the image.
    is_denoised : bool
        Whether the noise is subtracted.

    Returns
    -------
    sigma0 : numpy.ndarray of float64, shape (h, w)
        Linear; may be negative. NaN without data, at the largest number that 16 bits hold, outside the sub-swaths'
        blocks, and where the noise is not valid.
    nesz : numpy.ndarray of float64, shape (h, w)
        Linear; NaN also where the noise is not known.
    """
    gain = radiometry.gain.window(rows, columns)
    is_cut = digital_numbers >= SATURATED
    if is_cut.any():  # the power is larger than it says
        digital_numbers = np.where(is_cut, 0, digital_numbers)
    if radiometry.is_noise_known:
        noise = radiometry.noise.window(rows, columns)
        return backscatter.sigma_nought(digital_numbers, gain, noise, is_denoised=is_denoised)
    nothing = np.where(radiometry.noise.subswath(rows, columns) > 0, 0.0, np.nan)
    sigma0, nesz = backscatter.sigma_nought(digital_numbers, gain, nothing)
    nesz[:] = np.nan
    return sigma0, nesz


def read(path: Path | str, *, window: AnyWindow = None, is_denoised: bool = True) -> xarray.Dataset:
    """Read a window of a product in its own lines and samples.

    Parameters
    ----------
    path : Path or str
        As :func:`open_product` takes it.
    window : optional
        Lines and samples; the whole image by default, which is large.
    is_denoised : bool
        Whether the thermal noise is subtracted.

    Returns
    -------
    xarray.Dataset
        ``sigma0`` and ``nesz`` (channel, line, sample), linear, NaN where not valid; ``incidence_angle``, ``latitude``
        and ``longitude`` (line, sample), degrees.

    Raises
    ------
    ProductError, UsageError
        As :func:`open_product`, :func:`radiometry` and :func:`open_image`; a window that reaches outside.
    """
    import xarray as xr

    product = open_product(path)
    place = as_window(product.shape, window, name=product.product_id)
    rows = slice(place.row_off, place.row_off + place.height)
    columns = slice(place.col_off, place.col_off + place.width)
    found = []
    for channel in product.channels:
        with open_image(product, channel) as source:
            numbers = source.read(rows, columns)
        found.append(
            sigma_nought(numbers, radiometry(product, channel), rows=rows, columns=columns, is_denoised=is_denoised)
        )
    lines, samples = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    latitude, longitude = product.swath.window(rows, columns)
    place_of = ("line", "sample")
    return xr.Dataset(
        {
            "sigma0": (("channel", *place_of), np.stack([f[0] for f in found]).astype(np.float32), SIGMA0),
            "nesz": (("channel", *place_of), np.stack([f[1] for f in found]).astype(np.float32), NESZ),
            "incidence_angle": (place_of, product.incidence_angle(lines, samples).astype(np.float32), INCIDENCE),
            "latitude": (place_of, latitude, {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": (place_of, longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        },
        coords={"channel": list(product.channels), "line": lines, "sample": samples},
        attrs=attributes(product),
    )
