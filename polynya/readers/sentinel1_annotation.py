"""The annotation of a Sentinel-1 Level-1 product: one image's header, size, geolocation grid, calibration and noise.

Checked on the annotation of real products: IPF 002.36 (S1A, IW, SLC), 003.52 (S1A, EW, GRD) and 003.90 (S1C, S4, GRD).
Element names follow the Sentinel-1 Product Specification (S1-RS-MDA-52-7441). Two generations of noise files are read:
``noiseVectorList`` (before IPF 2.9), and ``noiseRangeVectorList`` with ``noiseAzimuthVectorList``, which may be empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from ..errors import ProductError
from ..io.product_files import ProductFiles
from ..physics.line_vectors import Vector
from ..physics.thermal_noise import Block

AGAIN = "the product's annotation. Download the product again"
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
RANGE_NOISE = (
    ("noiseRangeVectorList/noiseRangeVector", "noiseRangeLut"),
    ("noiseVectorList/noiseVector", "noiseLut"),
)
"""Where the range noise stands: since IPF 2.9, and before."""


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


@dataclass(frozen=True, kw_only=True)
class _Element:
    """An element with the words for a message about it."""

    node: ElementTree.Element
    where: str

    def text(self, path: str) -> str:
        """Return the text of an element below."""
        found = self.node.findtext(path)
        if found is None or not found.strip():
            raise ProductError(f"{self.where}: {path} is missing; expected {AGAIN}.")
        return found.strip()

    def number(self, path: str) -> float:
        """Return a finite number."""
        return float(self.numbers(path)[0])

    def numbers(self, path: str) -> np.ndarray:
        """Return numbers separated by spaces, float64, shape (n,), at least one."""
        text = self.text(path)
        try:
            found = np.array(text.split(), np.float64)
        except ValueError as error:
            raise ProductError(f"{self.where}: {path} holds {text[:40]!r}; expected numbers. Get it again.") from error
        if not np.isfinite(found).all():
            raise ProductError(
                f"{self.where}: {path} holds {int((~np.isfinite(found)).sum())} values that are not finite; expected"
                f" {AGAIN}."
            )
        return found

    def all(self, path: str) -> list[_Element]:
        """Return the elements of a path."""
        return [_Element(node=n, where=self.where) for n in self.node.findall(path)]


def _root(files: ProductFiles, name: str) -> _Element:
    return _Element(node=files.read_xml(name, expected=AGAIN), where=f"{files.name}/{name}")


def _header(root: _Element) -> Header:
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
        absolute_orbit=int(root.number("adsHeader/absoluteOrbitNumber")),
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
    return _header(_root(files, name))


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
    root = _root(files, name)
    image = "imageAnnotation/imageInformation"
    shape = (int(root.number(f"{image}/numberOfLines")), int(root.number(f"{image}/numberOfSamples")))
    if min(shape) < 1:
        raise ProductError(f"{root.where}: an image of {shape[0]} x {shape[1]} pixels; expected {AGAIN}.")
    merges = root.all("swathMerging/swathMergeList/swathMerge")
    return Annotation(
        file=name,
        header=_header(root),
        shape=shape,
        range_spacing_m=root.number(f"{image}/rangePixelSpacing"),
        azimuth_spacing_m=root.number(f"{image}/azimuthPixelSpacing"),
        orbit_pass=(root.node.findtext("generalAnnotation/productInformation/pass") or "").strip().lower(),
        bounds=tuple(
            _block(b, swath=merge.text("swath")) for merge in merges for b in merge.all("swathBoundsList/swathBounds")
        ),
        grid=_grid(root),
    )


def _block(
    element: _Element, *, swath: str, lines: np.ndarray | None = None, factors: np.ndarray | None = None
) -> Block:
    names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
    top, bottom, left, right = (int(element.number(n)) for n in names)
    return Block(
        swath=swath.upper(),
        first_line=top,
        last_line=bottom,
        first_sample=left,
        last_sample=right,
        lines=np.empty(0, np.int64) if lines is None else lines,
        factors=np.empty(0) if factors is None else factors,
    )


def _grid(root: _Element) -> GeolocationGrid:
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


def read_calibration(files: ProductFiles, name: str) -> tuple[Vector, ...]:
    """Read the sigma nought vectors of one image.

    Parameters
    ----------
    files : ProductFiles
        The product.
    name : str
        Its calibration file.

    Returns
    -------
    tuple of Vector
        Values A, with sigma nought = DN² / A².

    Raises
    ------
    ProductError
        If the file is damaged or a value is not positive.
    """
    root = _root(files, name)
    found = [_vector(v, "sigmaNought") for v in root.all("calibrationVectorList/calibrationVector")]
    if not found or min(float(v.values.min()) for v in found) <= 0.0:
        raise ProductError(
            f"{root.where}: {len(found)} sigmaNought vectors"
            + (", some with values of 0 or below; expected positive ones" if found else "; expected at least one")
            + ". Download the product again."
        )
    return tuple(found)


def read_noise(files: ProductFiles, name: str) -> tuple[tuple[Vector, ...], tuple[Block, ...]]:
    """Read the noise of one image.

    Parameters
    ----------
    files : ProductFiles
        The product.
    name : str
        Its noise file.

    Returns
    -------
    vectors : tuple of Vector
        Range noise.
    blocks : tuple of Block
        Azimuth factors; empty where the product has none, or gives them for the image as a whole without borders and
        all are 1.

    Raises
    ------
    ProductError
        If the file is damaged or holds no range noise.
    """
    root = _root(files, name)
    found: list[Vector] = []
    for path, lut in RANGE_NOISE:
        found += [_vector(v, lut) for v in root.all(path)]
    if not found:
        raise ProductError(f"{root.where}: holds no range noise vector; expected at least one. Download it again.")
    return tuple(found), tuple(_azimuth(v) for v in root.all("noiseAzimuthVectorList/noiseAzimuthVector"))


def _azimuth(element: _Element) -> Block:
    lines, factors = element.numbers("line"), element.numbers("noiseAzimuthLut")
    if lines.size != factors.size:
        raise ProductError(
            f"{element.where}: an azimuth noise vector has {lines.size} lines and {factors.size} values; expected as"
            " many of each. Download the product again."
        )
    lines, first = np.unique(lines.astype(np.int64), return_index=True)
    factors = factors[first]
    if element.node.find("firstAzimuthLine") is None:  # of an image that is one sub-swath
        everywhere = np.iinfo(np.int32).max
        return Block(
            swath=(element.node.findtext("swath") or "").strip().upper(),
            first_line=0,
            last_line=everywhere,
            first_sample=0,
            last_sample=everywhere,
            lines=lines,
            factors=factors,
        )
    return _block(element, swath=element.text("swath"), lines=lines, factors=factors)


def _vector(element: _Element, lut: str) -> Vector:
    pixels, values = element.numbers("pixel"), element.numbers(lut)
    line = int(element.number("line"))
    if pixels.size != values.size:
        raise ProductError(
            f"{element.where}: the vector at line {line} has {pixels.size} pixels and {values.size} values of {lut};"
            " expected as many of each. Download the product again."
        )
    return Vector(line=line, pixels=pixels.astype(np.int64), values=values)
