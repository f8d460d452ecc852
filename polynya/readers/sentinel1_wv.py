"""Sentinel-1 wave mode, Level-1 SLC: imagettes of 20 km as sigma nought or roughness in pixels of about 50 m.

Checked on the manifest of a real product (S1B, IPF 003.31, 60 imagettes), which came without its images; the
annotation of SLC was checked on that of IW (002.36). Images were checked on files that polynya simulates. The manifest
alone gives the footprints; an imagette needs its annotation, calibration, noise and measurement too.

sigma nought = (|DN|² - n) / A², as :mod:`.sentinel1_grd`; means over rectangles of pixels of about 50 m follow, and
then roughness: sigma nought over that of CMOD5.N at 10 m/s and 45 degrees. Noise blocks that end inside the image are
continued to its borders. In products whose annotated noise lies far above the signal it is divided by a constant of the
satellite and the beam (:data:`NOISE_DB`), and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..errors import ProductError, UsageError, one_line
from ..io.product_files import ProductFiles, open_product_files
from ..physics import boxcar, cmod5n
from ..physics.line_vectors import Vector
from ..physics.swath import middle_of
from ..physics.thermal_noise import ThermalNoise, extended
from ..schema import Note, counted
from ..schema.imagettes import ROUGHNESS, SIGMA0, Imagette
from . import sentinel1_grd
from .sentinel1_annotation import Annotation, read_annotation
from .sentinel1_files import read_manifest
from .sentinel1_product import SIMULATED, Image, Product
from .sentinel1_vectors import read_noise
from .sentinel1_xml import AGAIN, root_of
from .wave_mode_names import WaveName, parse

PRODUCT = "Sentinel-1 WV SLC"
RELEASES = ("002.36", "002.90", "003.31", "003.52", "003.90")
CHECKED = ("003.31",)
DOI = ""
EXPECTED = "a Sentinel-1 wave-mode SLC product: its .SAFE folder, manifest.safe, or a zip archive of it. Check the path"
INTACT = "the imagette's whole GeoTIFF. Download the product again"
NOISE_DB = {("S1A", "wv1"): 38.13, ("S1A", "wv2"): 36.84, ("S1B", "wv1"): 39.30, ("S1B", "wv2"): 37.44}
"""What the annotated noise of some products since IPF 2.9 is too large by, dB (umr-lops/xsar, issues 3 and 61)."""
PIXEL_M = 50.0
STRIP_PIXELS = 4_000_000
"""Complex numbers that are read at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WaveProduct:
    """A product as its manifest describes it.

    Attributes
    ----------
    files : ProductFiles
    product_id, satellite, ipf, orbit_pass : str
    absolute_orbit : int
    relative_orbit : int or None
    start, stop : numpy.datetime64
        UTC, ns.
    imagettes : tuple of Imagette
        Without pictures: name, time, beam, footprint; in the order of their numbers.
    notes : tuple of Note
    """

    files: ProductFiles
    product_id: str
    satellite: str
    ipf: str
    orbit_pass: str
    absolute_orbit: int
    relative_orbit: int | None
    start: np.datetime64
    stop: np.datetime64
    imagettes: tuple[Imagette, ...]
    notes: tuple[Note, ...]

    @property
    def has_images(self) -> bool:
        """Whether measurement files are there."""
        return any(n.startswith("measurement/") for n in self.files.names)


def is_product(path: Path | str) -> bool:
    """Return whether a path looks like a wave-mode SLC product, by the name of its folder or archive.

    Parameters
    ----------
    path : Path or str
        Any path.
    """
    path = Path(path)
    name = path.resolve().parent.name if path.name == "manifest.safe" else path.name
    return "_WV_SLC" in name.upper() and name.upper().startswith("S1") and path.exists()


def open_product(path: Path | str) -> WaveProduct:
    """Describe a product from its manifest.

    Parameters
    ----------
    path : Path or str
        A SAFE folder, its ``manifest.safe``, or a zip archive of it.

    Returns
    -------
    WaveProduct

    Raises
    ------
    ProductError
        If there is none, it is another mode or level, or the manifest is damaged.
    """
    path = Path(path)
    if path.name == "manifest.safe" and path.is_file():
        path = path.resolve().parent
    files = open_product_files(path, marker="manifest.safe", expected=EXPECTED)
    if "manifest.safe" not in files.names:
        raise ProductError(f"{files.name}: holds no manifest.safe; expected {EXPECTED}.")
    root = files.read_xml("manifest.safe", expected=AGAIN)
    about = read_manifest(files)
    names = _names(root, files.name)
    frames = _frames(root, files.name)
    if len(names) != len(frames):
        raise ProductError(
            f"{files.name}/manifest.safe: {len(frames)} footprints of {len(names)} imagettes; expected one of each."
            " Download the product again."
        )
    notes = (Note(code=SIMULATED, text="the product is simulated: no measurement"),) if about.is_simulated else ()
    imagettes = [_imagette(n, w, f, files, notes) for (n, w), f in zip(names, frames, strict=True)]
    return WaveProduct(
        files=files,
        product_id=files.name,
        satellite=names[0][1].satellite,
        ipf=about.ipf,
        orbit_pass=about.orbit_pass,
        absolute_orbit=names[0][1].absolute_orbit,
        relative_orbit=about.relative_orbit,
        start=min(w.start for _, w in names),
        stop=max(w.stop for _, w in names),
        imagettes=tuple(imagettes),
        notes=notes,
    )


def _names(root: ElementTree.Element, where: str) -> list[tuple[str, WaveName]]:
    """Return names of the annotation files and their parts, in the order of the imagettes' numbers."""
    found = []
    for item in root.iter("dataObject"):
        place = item.find(".//fileLocation")
        href = (place.get("href") or "") if place is not None else ""
        if item.get("repID") != "s1Level1ProductSchema" or not href.lower().endswith(".xml"):
            continue
        name = href.rpartition("/")[2].rpartition(".")[0]
        parts = parse(name)
        if parts is None or parts.kind != "slc":
            raise ProductError(
                f"{where}/manifest.safe: lists {name[:80]}; expected imagettes of wave mode as"
                " s1a-wv1-slc-vv-.... Give a WV SLC product."
            )
        found.append((name, parts))
    if not found:
        raise ProductError(f"{where}/manifest.safe: lists no imagette; expected {EXPECTED}.")
    return sorted(found, key=lambda f: f[1].number)


def _frames(root: ElementTree.Element, where: str) -> list[np.ndarray]:
    """Return corners of the footprints, longitude and latitude, (n, 2) each."""
    found: list[np.ndarray] = []
    for element in root.iter():
        if not isinstance(element.tag, str) or element.tag.rpartition("}")[2] != "coordinates":
            continue
        try:
            corners = np.array([pair.split(",") for pair in (element.text or "").split()], np.float64)
        except ValueError:
            corners = np.empty((0, 2))
        possible = corners.ndim == 2 and corners.shape[1:] == (2,) and len(corners) >= 3
        if not possible or not (np.isfinite(corners).all() and (np.abs(corners) <= (90.0, 360.0)).all()):
            raise ProductError(
                f"{where}/manifest.safe: footprint {len(found) + 1} is {(element.text or '')[:60]!r}; expected"
                " latitude,longitude of its corners. Download the product again."
            )
        found.append(corners[:, ::-1])
    return found


def _imagette(
    name: str, parts: WaveName, corners: np.ndarray, files: ProductFiles, notes: tuple[Note, ...]
) -> Imagette:
    latitude, longitude = middle_of(corners[:, 1], corners[:, 0])
    return Imagette(
        name=name,
        source=files.name,
        product=PRODUCT,
        picture=np.empty((0, 0), np.float32),
        quantity=SIGMA0,
        azimuth_pixel_m=np.nan,
        range_pixel_m=np.nan,
        mask=np.empty((0, 0), bool),
        time=parts.start,
        satellite=parts.satellite,
        beam=parts.beam,
        polarisation=parts.polarisation,
        absolute_orbit=parts.absolute_orbit,
        latitude=latitude,
        longitude=longitude,
        footprint=corners,
        notes=notes,
    )


def read(
    path: Path | str, *, pixel_m: float = PIXEL_M, quantity: str = ROUGHNESS, keep_damaged: bool = False
) -> Iterator[Imagette]:
    """Read the imagettes of a product, one after the other.

    Parameters
    ----------
    path : Path or str
        As :func:`open_product` takes it.
    pixel_m : float
        Side that the pixels shall have, m; whole numbers of the product's own pixels are averaged.
    quantity : str
        ``roughness`` or ``sigma0``.
    keep_damaged : bool
        Give an imagette that cannot be read without its picture (:meth:`Imagette.unreadable`), and go on.

    Yields
    ------
    Imagette

    Raises
    ------
    ProductError, UsageError
        As :func:`open_product` and :func:`read_imagette`; or if there is no measurement file at all.
    """
    product = open_product(path)
    if not product.has_images:
        raise ProductError(
            f"{product.product_id}: no measurement files, footprints only: the manifest lists"
            f" {counted(len(product.imagettes), 'imagette')}; expected measurement/*.tiff and their annotation."
            " Download the product whole."
        )
    for imagette in product.imagettes:
        try:
            found = read_imagette(product, imagette.name, pixel_m=pixel_m, quantity=quantity)
        except ProductError as error:
            if not keep_damaged:
                raise
            found = imagette.unreadable(error)
        yield found


def read_imagette(product: WaveProduct, name: str, *, pixel_m: float = PIXEL_M, quantity: str = ROUGHNESS) -> Imagette:
    """Read one imagette: noise removed, calibrated, averaged.

    Parameters
    ----------
    product : WaveProduct
        Of :func:`open_product`.
    name : str
        Of one of its imagettes.
    pixel_m, quantity
        As of :func:`read`.

    Returns
    -------
    Imagette

    Raises
    ------
    ProductError
        If a file is missing, damaged or of another mode, or no pixel is valid.
    UsageError
        If there is no such imagette or quantity, or pixels are smaller than the product's.
    """
    found = next((i for i in product.imagettes if i.name == name), None)
    if found is None or quantity not in (ROUGHNESS, SIGMA0):
        raise UsageError(
            f"{product.product_id}: has no {name if found is None else quantity}; expected one of its"
            f" {len(product.imagettes)} imagettes, as {ROUGHNESS} or {SIGMA0}. Name one of these."
        )
    whole = _one_image(product, found)
    about = whole.images[0].about
    known = sentinel1_grd.radiometry_of(whole, whole.images[0])
    known, notes = _noise(known, whole, found)
    angles = np.interp(
        np.arange(about.shape[1]), about.grid.samples, about.grid.incidence_angle.mean(axis=0)
    )  # along lines it hardly changes
    ground_m = about.range_spacing_m / np.sin(np.radians(float(angles.mean())))
    lines, samples = (boxcar.window_of(p, pixel_m) for p in (about.azimuth_spacing_m, ground_m))
    if pixel_m < 0.5 * max(about.azimuth_spacing_m, ground_m) or min(about.shape) < max(lines, samples):
        raise UsageError(
            f"{name}: pixels of {pixel_m:g} m; expected at least {max(about.azimuth_spacing_m, ground_m):.3g} m and"
            " less than the imagette. Choose another size."
        )
    sigma0 = _averaged(whole, known, lines, samples)
    if not np.isfinite(sigma0).any():
        raise ProductError(f"{product.product_id}/{name}: no pixel is valid; expected an image. Leave it out.")
    if quantity == ROUGHNESS:
        at = boxcar.block_means(np.ascontiguousarray(angles[None, :]), 1, samples)
        sigma0 = cmod5n.roughness(sigma0, at).astype(np.float32)
        if found.polarisation != "VV":
            words = f"roughness of {found.polarisation} is over a model of VV: its level is too low by some dB"
            notes += (Note(code="polarisation", text=words),)
    mask = np.isfinite(sigma0)
    return replace(
        found,
        picture=sigma0,
        mask=mask,
        quantity=quantity,
        azimuth_pixel_m=lines * about.azimuth_spacing_m,
        range_pixel_m=samples * ground_m,
        incidence_angle=float(angles.mean()),
        heading=root_of(product.files, about.file).number("generalAnnotation/productInformation/platformHeading"),
        notes=found.notes + notes,
    )


def _one_image(product: WaveProduct, imagette: Imagette) -> Product:
    """Return a product of one image, as :mod:`.sentinel1_grd` takes it."""
    name = imagette.name
    about = read_annotation(product.files, f"annotation/{name}.xml")
    _check(product.product_id, name, about)
    held = {n.lower(): n for n in product.files.names}
    place = {
        "calibration": f"annotation/calibration/calibration-{name}.xml",
        "noise": f"annotation/calibration/noise-{name}.xml",
        "measurement": f"measurement/{name}.tiff",
    }
    missing = [n for n in place.values() if n not in held]
    if missing:
        raise ProductError(
            f"{product.product_id}: {missing[0]} is missing; expected it beside the annotation. Download the product"
            " again, whole."
        )
    image = Image(about=about, **{kind: held[n] for kind, n in place.items()})
    return Product(
        files=product.files,
        product_id=product.product_id,
        satellite=about.header.satellite,
        product_type=about.header.product_type,
        mode=about.header.mode,
        ipf=product.ipf,
        start=about.header.start,
        stop=about.header.stop,
        absolute_orbit=about.header.absolute_orbit,
        relative_orbit=product.relative_orbit,
        orbit_pass=product.orbit_pass,
        images=(image,),
        notes=product.notes,
    )


def _check(product: str, name: str, about: Annotation) -> None:
    if (about.header.mode, about.header.product_type) != ("WV", "SLC"):
        raise ProductError(
            f"{product}/{name}: its annotation says {about.header.mode} {about.header.product_type}; expected WV SLC."
            " Download the product again."
        )


def _noise(
    known: sentinel1_grd.Radiometry, whole: Product, imagette: Imagette
) -> tuple[sentinel1_grd.Radiometry, tuple[Note, ...]]:
    """Return the radiometry with noise up to the borders of the image, and in the image's units."""
    image = whole.images[0]
    noise = replace(known.noise, blocks=extended(known.noise.blocks, image.about.shape))
    known = replace(known, noise=noise)
    if known.is_noise_known:
        return known, ()
    vectors, _ = read_noise(whole.files, image.noise)
    constant = NOISE_DB.get((whole.satellite, imagette.beam))
    strongest = max(float(v.values.max()) for v in vectors)
    if constant is None or strongest <= 0.0:
        return known, (Note(code="noise_unknown", text="noise is zero or in other units: it was not subtracted"),)
    smaller = tuple(Vector(line=v.line, pixels=v.pixels, values=v.values / 10.0 ** (constant / 10.0)) for v in vectors)
    power = float(np.median(known.gain.values)) ** 2
    typical = float(np.median([np.median(v.values) for v in smaller])) / power
    if not sentinel1_grd.NOISE_FLOOR < typical < sentinel1_grd.NOISE_CEILING:
        return known, (Note(code="noise_unknown", text="noise is in other units: it was not subtracted"),)
    scaled = ThermalNoise(shape=noise.shape, vectors=smaller, blocks=noise.blocks, scale=noise.scale)
    words = f"annotated noise was divided by {constant} dB, a constant of the satellite and the beam"
    return replace(known, noise=scaled, is_noise_known=True), (Note(code="noise_scaled", text=words),)


def _averaged(whole: Product, known: sentinel1_grd.Radiometry, lines: int, samples: int) -> np.ndarray:
    """Return means of sigma nought over rectangles of pixels, a strip of lines at a time."""
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    image = whole.images[0]
    rows, columns = image.about.shape
    name = f"{whole.product_id}/{image.measurement}"
    out = np.full((rows // lines, columns // samples), np.nan, np.float32)
    step = max(1, STRIP_PIXELS // (columns * lines)) * lines
    with whole.files.open_raster(image.measurement, expected=INTACT) as source:
        if (source.height, source.width) != (rows, columns) or not source.dtypes[0].startswith("complex"):
            raise ProductError(
                f"{name}: {source.height} x {source.width} pixels of {source.dtypes[0]}; expected {rows} x {columns}"
                " complex ones, as its annotation says. Download the product again."
            )
        try:
            source.read(1, window=Window(0, rows - 1, columns, 1))  # a cut file is found at once
            for first in range(0, rows // lines * lines, step):
                stop = min(first + step, rows // lines * lines)
                numbers = source.read(1, window=Window(0, first, columns, stop - first))
                sigma0, _ = sentinel1_grd.sigma_nought(
                    np.abs(numbers), known, rows=slice(first, stop), columns=slice(0, columns)
                )
                out[first // lines : stop // lines] = boxcar.block_means(sigma0, lines, samples)
        except (RasterioError, OSError) as error:
            raise ProductError(
                f"{name}: cannot be read, the file may be cut ({one_line(error)[:120]}); expected {INTACT}."
            ) from error
    return out
