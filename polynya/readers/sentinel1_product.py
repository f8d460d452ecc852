"""A Sentinel-1 product described from its metadata: satellite, mode, time, orbit, processor, its images and where their
pixels lie. Pixels are read by :mod:`.sentinel1_grd`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import RectBivariateSpline

from ..errors import ProductError, UsageError
from ..io.product_files import ProductFiles, is_zip, open_product_files
from ..physics.swath import Swath, degrees, n_vector
from ..schema import Note
from .sentinel1_annotation import Annotation, GeolocationGrid, read_annotation
from .sentinel1_files import Manifest, Parts, find_parts, read_manifest

NEWEST = (3, 99)
"""Annotation of processors up to this version is taken as that of the newest known one."""
EXPECTED = "a Sentinel-1 SAFE folder or a zip archive of one, with annotation/*.xml. Check the path"
LAND_M = 1.0
"""Height above which a geolocation point lies on land: the sea has heights of millimetres."""
SIMULATED = "simulated"
"""Code of the note on a product whose manifest says that it is a simulation."""
STRIPMAP = ("S1", "S2", "S3", "S4", "S5", "S6")
"""Modes of stripmap images in ``adsHeader``."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image of a product: its annotation and the files that belong to it.

    Attributes
    ----------
    about : Annotation
    calibration, noise, measurement : str
        Names of files in the product; empty where there is none.
    """

    about: Annotation
    calibration: str
    noise: str
    measurement: str

    @property
    def channel(self) -> str:
        """Polarisation, ``HH`` and the like."""
        return self.about.header.polarisation


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product as its metadata describe it; holds no pixels and no open files.

    Attributes
    ----------
    files : ProductFiles
    product_id : str
        Name without ``.SAFE``.
    satellite : str
        ``S1A`` ...
    product_type : str
        ``GRD`` or ``SLC``.
    mode : str
        ``EW``, ``IW``, ``WV`` or ``SM``.
    ipf : str
        Version of the processor, ``003.52``; empty where no file says it.
    start, stop : numpy.datetime64
        UTC, ns.
    absolute_orbit : int
    relative_orbit : int or None
    orbit_pass : str
        ``ascending``, ``descending``, or empty.
    images : tuple of Image
        Co-polarised first.
    notes : tuple of polynya.schema.Note
    """

    files: ProductFiles
    product_id: str
    satellite: str
    product_type: str
    mode: str
    ipf: str
    start: np.datetime64
    stop: np.datetime64
    absolute_orbit: int
    relative_orbit: int | None
    orbit_pass: str
    images: tuple[Image, ...]
    notes: tuple[Note, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """Polarisations, co-polarised first."""
        return tuple(dict.fromkeys(i.channel for i in self.images))

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and samples of the first image."""
        return self.images[0].about.shape

    @property
    def spacing_m(self) -> tuple[float, float]:
        """Distances between samples and between lines on the ground, m."""
        return self.images[0].about.range_spacing_m, self.images[0].about.azimuth_spacing_m

    @property
    def time(self) -> np.datetime64:
        """UTC, ns: the middle of the acquisition."""
        return self.start + (self.stop - self.start) // 2

    @property
    def land_share(self) -> float:
        """Share of the geolocation points that lie on land or ice sheets, by the processor's height."""
        return float(np.mean(np.concatenate([i.about.grid.height.ravel() for i in self.images]) > LAND_M))

    @functools.cached_property
    def swath(self) -> Swath:
        """Where the pixels of the first image lie: bilinear between the points, right to 2 m in an EW scene.

        Raises
        ------
        ProductError
            If the points leave out a part of the image.
        """
        grid = self.images[0].about.grid
        try:
            return swath_of(self.shape, grid)
        except ProductError as error:
            raise ProductError(f"{self.product_id}: {error}") from error

    @functools.cached_property
    def _incidence(self) -> RectBivariateSpline:
        grid = self.images[0].about.grid
        return RectBivariateSpline(grid.lines, grid.samples, grid.incidence_angle, kx=1, ky=1)

    def incidence_angle(self, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Return the incidence angle where lines and samples cross.

        Parameters
        ----------
        lines, samples : numpy.ndarray, shapes (h,) and (w,)
            Increasing; fractions lie between the middles of pixels.

        Returns
        -------
        numpy.ndarray of float64, shape (h, w)
            Degrees, from the normal of the ellipsoid.
        """
        return self._incidence(np.asarray(lines, float), np.asarray(samples, float))

    def image(self, channel: str) -> Image:
        """Return the image of a channel.

        Parameters
        ----------
        channel : str
            Of :attr:`channels`.

        Raises
        ------
        UsageError
            If the product has no such channel.
        """
        found = next((i for i in self.images if i.channel == channel.upper()), None)
        if found is None:
            raise UsageError(
                f"{self.product_id}: has no channel {channel}; found {', '.join(self.channels)}. Name one of these."
            )
        return found


def swath_of(shape: tuple[int, int], grid: GeolocationGrid) -> Swath:
    """Return the swath of an image; points that end before the image does are continued for at most one interval.

    Parameters
    ----------
    shape : (int, int)
        Lines and samples of the image.
    grid : GeolocationGrid
        Its points.

    Returns
    -------
    Swath

    Raises
    ------
    ProductError
        If the points leave out more of the image.
    """
    x, y, z = n_vector(grid.latitude, grid.longitude)
    lines, samples, vectors = grid.lines, grid.samples, np.stack([x, y, z])
    lines, vectors = _continued(lines, vectors, shape[0], what="lines")
    samples, turned = _continued(samples, vectors.transpose(0, 2, 1), shape[1], what="samples")
    latitude, longitude = degrees(turned.transpose(0, 2, 1))
    return Swath(shape=shape, lines=lines, samples=samples, latitude=latitude, longitude=longitude, degree=1)


def _continued(known: np.ndarray, vectors: np.ndarray, count: int, *, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Continue points along their first axis, in a straight line, to the first and the last pixel."""
    if known.size < 2:
        raise ProductError(
            f"geolocation points at {known.size} of the {what}; expected two or more. Download it again."
        )
    first, last = known[0], known[-1]
    if first > known[1] - first or count - 1 - last > last - known[-2]:
        raise ProductError(
            f"geolocation points at {what} {first:g} to {last:g} of {count}; expected all of the image. Download the"
            " product again."
        )
    if first > 0:
        t = first / (known[1] - first)
        vectors = np.concatenate([vectors[:, :1] * (1 + t) - vectors[:, 1:2] * t, vectors], axis=1)
        known = np.append(0.0, known)
    if last < count - 1:
        t = (count - 1 - last) / (last - known[-2])
        vectors = np.concatenate([vectors, vectors[:, -1:] * (1 + t) - vectors[:, -2:-1] * t], axis=1)
        known = np.append(known, count - 1.0)
    return known, vectors


def is_product(path: Path | str) -> bool:
    """Return whether a path looks like a Sentinel-1 product: a folder with annotation, or a zip archive.

    Parameters
    ----------
    path : Path or str
        Any path.
    """
    path = Path(path)
    if path.is_dir():
        return any((path / "annotation").glob("*.xml")) or re.match(r"S1[A-Z]_", path.name.upper()) is not None
    return path.name == "manifest.safe" or (path.is_file() and is_zip(path))


def open_product(path: Path | str) -> Product:
    """Describe a product from its metadata.

    Parameters
    ----------
    path : Path or str
        A SAFE folder, its ``manifest.safe``, or a zip archive of it. Without images its annotation is described; SLC
        too.

    Returns
    -------
    Product

    Raises
    ------
    ProductError
        If there is none, or metadata are damaged, or a position is missing.
    """
    path = Path(path)
    if path.name == "manifest.safe" and path.is_file():
        path = path.resolve().parent
    files = open_product_files(path, marker="annotation", expected=EXPECTED)
    parts = find_parts(files)
    manifest = read_manifest(files)
    found = [_image(files, name, parts) for name in parts.annotations]
    images = tuple(sorted(found, key=lambda i: (i.channel[0] != i.channel[-1], i.channel, i.about.header.image_number)))
    headers = [i.about.header for i in images]
    mode = "SM" if headers[0].mode in STRIPMAP else headers[0].mode
    return Product(
        files=files,
        product_id=files.name,
        satellite=headers[0].satellite,
        product_type=headers[0].product_type,
        mode=mode,
        ipf=manifest.ipf,
        start=min(h.start for h in headers),
        stop=max(h.stop for h in headers),
        absolute_orbit=headers[0].absolute_orbit,
        relative_orbit=manifest.relative_orbit,
        orbit_pass=images[0].about.orbit_pass or manifest.orbit_pass,
        images=images,
        notes=_notes(images, manifest, mode),
    )


def _image(files: ProductFiles, name: str, parts: Parts) -> Image:
    about = read_annotation(files, name)
    return Image(
        about=about,
        calibration=parts.beside("calibration", about.header),
        noise=parts.beside("noise", about.header),
        measurement=parts.measurement.get(name, ""),
    )


def _notes(images: tuple[Image, ...], manifest: Manifest, mode: str) -> tuple[Note, ...]:
    notes = []
    if manifest.is_simulated:
        notes.append(Note(code=SIMULATED, text="the product is simulated: no measurement"))
    if not manifest.ipf:
        notes.append(Note(code="ipf_unknown", text="no manifest.safe says which processor (IPF) made the product"))
    elif not _is_known(manifest.ipf):
        text = f"IPF {manifest.ipf} is newer than the processors that are known here; read as the newest of them"
        notes.append(Note(code="ipf_unknown", text=text))
    if mode not in ("EW", "IW", "SM"):
        notes.append(Note(code="mode", text=f"mode {mode}: annotation only; images are read of EW, IW and SM"))
    elif mode != "EW":
        notes.append(
            Note(code="mode", text=f"mode {mode}: sea ice is imaged in EW, and networks for it were trained on EW")
        )
    channels = tuple(dict.fromkeys(i.channel for i in images))
    if len(channels) == 1:
        notes.append(Note(code="one_channel", text=f"one polarisation: {channels[0]}"))
    land = np.mean(np.concatenate([i.about.grid.height.ravel() for i in images]) > LAND_M)
    if land > 0.5:
        notes.append(Note(code="land", text=f"{land:.0%} of the geolocation points lie on land or ice sheets"))
    for what in ("measurement", "calibration", "noise"):
        lacking = [f"{i.channel} {i.about.header.swath}" for i in images if not getattr(i, what)]
        if lacking:
            notes.append(Note(code=f"{what}_missing", text=f"no {what} file of {', '.join(dict.fromkeys(lacking))}"))
    return tuple(notes)


def _is_known(ipf: str) -> bool:
    try:
        major, minor = (int(n) for n in ipf.split(".")[:2])
    except ValueError:
        return False
    return (2, 0) <= (major, minor) <= NEWEST


def attributes(product: Product) -> dict[str, str]:
    """Return what a dataset made of a product says of it.

    Parameters
    ----------
    product : Product
        Of :func:`open_product`.
    """
    return {
        "Conventions": "CF-1.11",
        "product": product.product_id,
        "satellite": product.satellite,
        "mode": product.mode,
        "ipf": product.ipf or "unknown",
        "time_coverage_start": f"{np.datetime_as_string(product.start, unit='ms')}Z",
        "time_coverage_end": f"{np.datetime_as_string(product.stop, unit='ms')}Z",
        "orbit_pass": product.orbit_pass or "unknown",
        "source": origin(product),
    }


def origin(product: Product) -> str:
    """Return where the data come from, as Copernicus wants it to be said; of a simulated product, that it is one.

    Parameters
    ----------
    product : Product
        Of :func:`open_product`.
    """
    if any(note.code == SIMULATED for note in product.notes):
        return "simulated by polynya; no measurement"
    return f"contains modified Copernicus Sentinel data {np.datetime_as_string(product.start, unit='Y')}"
