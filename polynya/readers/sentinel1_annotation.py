"""The annotation of a Sentinel-1 Level-1 product: one image's header, size, sub-swaths and
geolocation grid.

Checked on the annotation of real products: IPF 002.36 (S1A, IW, SLC), 003.52 (S1A, EW, GRD) and 003.90 (S1C, S4, GRD).
Element names follow the Sentinel-1 Product Specification (S1-RS-MDA-52-7441).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ProductError
from ..io.product_files import ProductFiles
from ..physics.swath import cartesian_m
from ..physics.thermal_noise import Block
from .sentinel1_xml import AGAIN, Element, root_of

HEADER = {
    "satellite": "missionId",
    "product_type": "productType",
    "polarisation": "polarisation",
    "mode": "mode",
    "swath": "swath",
    "start": "startTime",
    "stop": "stopTime",
    "absolute_orbit": "absoluteOrbitNumber",
    "image_number": "imageNumber",
}
"""Field of :class:`Header` to the element of ``adsHeader`` that holds it."""
GRID = {
    "latitude": "latitude",
    "longitude": "longitude",
    "height": "height",
    "incidence_angle": "incidenceAngle",
    "elevation_angle": "elevationAngle",
}
"""Field of :class:`GeolocationGrid` to the element of ``geolocationGridPoint``; degrees, height in m."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What ``adsHeader`` says of an image; the one source of polarisation and swath.

    Attributes
    ----------
    satellite : str
        ``S1A``, ``S1B``, ``S1C`` ...
    product_type : str
        ``GRD`` or ``SLC``.
    polarisation : str
        ``HH``, ``HV``, ``VV`` or ``VH``.
    mode : str
        ``EW``, ``IW``, ``WV``, ``S1`` to ``S6``.
    swath : str
        The mode for ground-range images, a sub-swath such as ``IW1`` for SLC.
    start, stop : numpy.datetime64
        UTC, ns.
    absolute_orbit : int
    image_number : str
    """

    satellite: str
    product_type: str
    polarisation: str
    mode: str
    swath: str
    start: np.datetime64
    stop: np.datetime64
    absolute_orbit: int
    image_number: str


@dataclass(frozen=True, kw_only=True, eq=False)
class GeolocationGrid:
    """The geolocation points of an image.

    Attributes
    ----------
    lines : numpy.ndarray of float64, shape (n,)
    samples : numpy.ndarray of float64, shape (m,)
    latitude, longitude, incidence_angle, elevation_angle : numpy.ndarray of float64, shape (n, m)
        Degrees, WGS 84.
    height : numpy.ndarray of float64, shape (n, m)
        Height of the surface that the processor assumed, m.
    """

    lines: np.ndarray
    samples: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    height: np.ndarray
    incidence_angle: np.ndarray
    elevation_angle: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotation:
    """One image as its annotation describes it.

    Attributes
    ----------
    file : str
        Name in the product.
    header : Header
    shape : (int, int)
        Lines and samples.
    range_spacing_m, azimuth_spacing_m : float
    orbit_pass : str
        ``ascending``, ``descending``, or empty.
    bounds : tuple of Block
        Sub-swaths of a merged image, without azimuth factors.
    grid : GeolocationGrid
    """

    file: str
    header: Header
    shape: tuple[int, int]
    range_spacing_m: float
    azimuth_spacing_m: float
    orbit_pass: str
    bounds: tuple[Block, ...]
    grid: GeolocationGrid


def _header(root: Element) -> Header:
    words = {key: root.text(f"adsHeader/{tag}") for key, tag in HEADER.items()}
    times = {}
    for key in ("start", "stop"):
        try:
            times[key] = np.datetime64(words[key].removesuffix("Z"), "ns")
        except ValueError as error:
            raise ProductError(
                f"{root.where}: adsHeader/{HEADER[key]} is {words[key]!r}; expected a time in UTC. Download it again."
            ) from error
    return Header(
        satellite=words["satellite"].upper(),
        product_type=words["product_type"].upper(),
        polarisation=words["polarisation"].upper(),
        mode=words["mode"].upper(),
        swath=words["swath"].upper(),
        start=times["start"],
        stop=times["stop"],
        absolute_orbit=root.whole("adsHeader/absoluteOrbitNumber"),
        image_number=words["image_number"],
    )


def read_header(files: ProductFiles, name: str) -> Header:
    """Read the header of an annotation, calibration or noise file.

    Parameters
    ----------
    files : ProductFiles
        The product.
    name : str
        One of its files.

    Raises
    ------
    ProductError
        If the file is damaged or has no ``adsHeader``.
    """
    return _header(root_of(files, name))


def read_annotation(files: ProductFiles, name: str) -> Annotation:
    """Read the annotation of one image.

    Parameters
    ----------
    files : ProductFiles
        The product.
    name : str
        One of its files in ``annotation``.

    Raises
    ------
    ProductError
        If the file is damaged, or an element is missing.
    """
    root = root_of(files, name)
    image = "imageAnnotation/imageInformation"
    shape = (root.whole(f"{image}/numberOfLines"), root.whole(f"{image}/numberOfSamples"))
    if min(shape) < 1:
        raise ProductError(f"{root.where}: an image of {shape[0]} x {shape[1]} pixels; expected {AGAIN}.")
    spacing = (root.number(f"{image}/rangePixelSpacing"), root.number(f"{image}/azimuthPixelSpacing"))
    if not all(1e-3 < v < 1e4 for v in spacing):
        raise ProductError(f"{root.where}: pixels of {spacing[0]:g} x {spacing[1]:g} m; expected {AGAIN}.")
    grid = _grid(root)
    _check_distances(root.where, grid, spacing)
    merges = root.all("swathMerging/swathMergeList/swathMerge")
    return Annotation(
        file=name,
        header=_header(root),
        shape=shape,
        range_spacing_m=spacing[0],
        azimuth_spacing_m=spacing[1],
        orbit_pass=(root.node.findtext("generalAnnotation/productInformation/pass") or "").strip().lower(),
        bounds=tuple(
            block_of(b, swath=merge.text("swath")) for merge in merges for b in merge.all("swathBoundsList/swathBounds")
        ),
        grid=grid,
    )


def block_of(
    element: Element, *, swath: str, lines: np.ndarray | None = None, factors: np.ndarray | None = None
) -> Block:
    """Return the block that an element with its first and last line and sample gives.

    Parameters
    ----------
    element : Element
        Of ``swathBounds`` or ``noiseAzimuthVector``.
    swath : str
        Name of the sub-swath.
    lines, factors : numpy.ndarray, shape (n,), optional
        Azimuth factors.
    """
    names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
    top, bottom, left, right = (element.whole(n) for n in names)
    return Block(
        swath=swath.upper(),
        first_line=top,
        last_line=bottom,
        first_sample=left,
        last_sample=right,
        lines=np.empty(0, np.int64) if lines is None else lines,
        factors=np.empty(0) if factors is None else factors,
    )


def _grid(root: Element) -> GeolocationGrid:
    points = root.all("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    names = ("line", "pixel", *GRID.values())
    try:
        table = np.array([[p.node.findtext(n) or "nan" for n in names] for p in points], np.float64)
    except ValueError as error:
        raise ProductError(
            f"{root.where}: the geolocation grid holds words; expected numbers. Get it again."
        ) from error
    if not points or not np.isfinite(table[:, :2]).all():
        raise ProductError(f"{root.where}: the geolocation grid has no points with line and pixel; expected {AGAIN}.")
    lines, row = np.unique(table[:, 0], return_inverse=True)
    samples, column = np.unique(table[:, 1], return_inverse=True)
    shape = (lines.size, samples.size)
    if len(points) != lines.size * samples.size or np.unique(row * samples.size + column).size != len(points):
        raise ProductError(
            f"{root.where}: {len(points)} geolocation points at {lines.size} lines and {samples.size} samples; expected"
            " one at each line and sample. Download the product again."
        )
    bad = ~np.isfinite(table[:, 2:4]).all(axis=1) | (np.abs(table[:, 2]) > 90.0)
    bad |= np.abs(table[:, 3]) > 360.0
    bad |= ~((table[:, 5] > 0.0) & (table[:, 5] < 90.0))
    if bad.any():
        raise ProductError(
            f"{root.where}: {int(bad.sum())} of {len(points)} geolocation points have no possible latitude, longitude"
            " or incidence angle; expected numbers. Download the product again."
        )
    values = {}
    for i, key in enumerate(GRID):
        values[key] = np.empty(shape)
        values[key][row, column] = table[:, i + 2]
    return GeolocationGrid(lines=lines, samples=samples, **values)


def _check_distances(where: str, grid: GeolocationGrid, spacing: tuple[float, float]) -> None:
    """Reject points that lie much farther apart than the pixels between them: a damaged latitude or longitude.

    On the ground a pixel of slant range is a few times as wide, and terrain moves a point by up to 10 km.
    """
    place = cartesian_m(grid.latitude, grid.longitude)
    for axis, pixel_m in ((1, spacing[1]), (2, spacing[0])):
        apart = np.linalg.norm(np.diff(place, axis=axis), axis=0)
        step = np.diff(grid.lines)[:, None] if axis == 1 else np.diff(grid.samples)[None, :]
        if (apart > 5.0 * pixel_m * step + 20_000.0).any():
            raise ProductError(
                f"{where}: neighbouring geolocation points lie up to {apart.max() / 1000:.0f} km apart; expected about"
                f" {pixel_m * step.max() / 1000:.0f} km. Download the product again."
            )
