"""Simulated imagettes as a wave-mode SLC product: a SAFE folder with complex numbers and annotation."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
from scipy import ndimage

from ... import __version__
from ...errors import OutputError, one_line
from ...physics import cmod5n
from .imagette import Drawn
from .names import Place, moved, name_of
from .presets import PIXEL_M, SIZE

GAIN = 400.0
"""A of sigma nought = DN² / A² at the first sample; it grows along the line."""
NOISE_DB = {"wv1": -29.0, "wv2": -27.0}
"""Noise-equivalent sigma nought."""
LINE_SPACING_M = 5.0
"""Between lines, and between samples on the ground: about those of real products."""
INCIDENCE_SPAN = 1.4
"""Change of the incidence angle across the imagette, degrees."""
SPACES = {
    "xfdu": "urn:ccsds:schema:xfdu:1",
    "gml": "http://www.opengis.net/gml",
    "safe": "http://www.esa.int/safe/sentinel-1.0",
    "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
}
KINDS = {
    "annotation/{}.xml": "s1Level1ProductSchema",
    "annotation/calibration/calibration-{}.xml": "s1Level1CalibrationSchema",
    "annotation/calibration/noise-{}.xml": "s1Level1NoiseSchema",
    "measurement/{}.tiff": "s1Level1MeasurementSchema",
}
IPF = "003.71"


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Pixels of an SLC imagette: lines and samples, spacings (slant range and azimuth, m), incidence angles."""

    count: int
    spacing_m: float
    angles: np.ndarray

    @property
    def slant_m(self) -> float:
        """Distance between samples in slant range."""
        return self.spacing_m * float(np.sin(np.radians(self.angles.mean())))


def geometry_of(drawn: Drawn, spacing_m: float) -> Geometry:
    """Return the pixels of an imagette.

    Parameters
    ----------
    drawn : Drawn
        The imagette, 20 km on a side.
    spacing_m : float
        Distance of lines and, on the ground, of samples, m.
    """
    count = round(SIZE * PIXEL_M / spacing_m)
    return Geometry(
        count=count,
        spacing_m=spacing_m,
        angles=drawn.incidence_angle + INCIDENCE_SPAN * (np.arange(count) / (count - 1) - 0.5),
    )


def gain(samples: np.ndarray, count: int) -> np.ndarray:
    """Return A at samples."""
    return GAIN * (1.0 + 0.05 * np.asarray(samples) / count)


def noise(samples: np.ndarray, count: int, beam: str) -> np.ndarray:
    """Return the noise at samples, squared digital numbers."""
    at = np.asarray(samples) / count
    return 10.0 ** (NOISE_DB[beam] / 10.0) * GAIN**2 * (1.0 + 0.3 * at)


def write_imagette(safe: Path, drawn: Drawn, place: Place, *, seed: int, spacing_m: float = LINE_SPACING_M) -> str:
    """Write measurement, annotation, calibration and noise of one imagette; return its name.

    Parameters
    ----------
    safe : Path
        The product's folder.
    drawn : Drawn
        The imagette.
    place : Place
        Time, position, name.
    seed : int
        Of the speckle.
    spacing_m : float
        Of the pixels, m.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    name = name_of(place, drawn.beam)
    pixels = geometry_of(drawn, spacing_m)
    for kind in KINDS:
        (safe / kind.format(name)).parent.mkdir(parents=True, exist_ok=True)
    _write_numbers(safe / f"measurement/{name}.tiff", drawn, pixels, seed)
    parts = {
        "annotation/{}.xml": _annotation(drawn, place, pixels),
        "annotation/calibration/calibration-{}.xml": _calibration(drawn, place, pixels),
        "annotation/calibration/noise-{}.xml": _noise(drawn, place, pixels),
    }
    for kind, root in parts.items():
        xml.indent(root)
        (safe / kind.format(name)).write_bytes(xml.tostring(root, encoding="UTF-8", xml_declaration=True))
    return name


def _write_numbers(path: Path, drawn: Drawn, pixels: Geometry, seed: int) -> None:
    """Write complex numbers: circular normal, with the power of backscatter and noise; 0 on land."""
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    n, rng = pixels.count, np.random.default_rng([seed, 91])
    samples = np.arange(n)
    model = cmod5n.sigma_nought(pixels.angles, cmod5n.REFERENCE_SPEED, cmod5n.REFERENCE_ANGLE)
    squared, ground = gain(samples, n) ** 2, noise(samples, n, drawn.beam)
    at = (samples + 0.5) * pixels.spacing_m / PIXEL_M - 0.5
    options = {"height": n, "width": n, "count": 1, "dtype": "complex_int16"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(path, "w", driver="GTiff", **options) as file:
                for first in range(0, n, 400):
                    stop = min(first + 400, n)
                    places = np.meshgrid(at[first:stop], at, indexing="ij")
                    surface = ndimage.map_coordinates(drawn.surface, places, order=0, mode="nearest")
                    power = surface * model * squared + ground
                    white = rng.standard_normal((2, *power.shape), dtype=np.float32)
                    numbers = np.round(np.sqrt(0.5 * power) * (white[0] + 1j * white[1]))
                    is_sea = ndimage.map_coordinates(drawn.mask.astype(np.uint8), places, order=0, mode="nearest")
                    file.write(
                        np.where(is_sea > 0, numbers, 0).astype(np.complex64),
                        1,
                        window=Window(0, first, n, stop - first),
                    )
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{path.name}: cannot be written ({one_line(error)[:120]}); expected room on the disk. Free some."
        ) from error


def _add(parent: xml.Element, path: str, text: object = None) -> xml.Element:
    """Add elements of a path below another, the last with a text; return the last."""
    for tag in path.split("/"):
        parent = xml.SubElement(parent, tag)
    if text is not None:
        parent.text = str(text)
    return parent


def _header(root: xml.Element, drawn: Drawn, place: Place) -> None:
    header = _add(root, "adsHeader")
    time = place.time.astype("datetime64[us]")
    for tag, text in {
        "missionId": "S1A",
        "productType": "SLC",
        "polarisation": "VV",
        "mode": "WV",
        "swath": drawn.beam.upper(),
        "startTime": time,
        "stopTime": time + np.timedelta64(3, "s"),
        "absoluteOrbitNumber": place.orbit,
        "missionDataTakeId": place.orbit,
        "imageNumber": f"{place.number:03d}",
    }.items():
        _add(header, tag, text)


def positions(place: Place, pixels: Geometry, lines: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude of lines and samples, degrees, shape (lines, samples)."""
    middle = 0.5 * (pixels.count - 1)
    down = (np.asarray(lines) - middle)[:, None] * pixels.spacing_m
    right = (np.asarray(samples) - middle)[None, :] * pixels.spacing_m
    latitude, longitude = moved(place.latitude, place.longitude, place.heading, down + 0.0 * right)
    return moved(latitude, longitude, place.heading + 90.0, right + 0.0 * down)


def _annotation(drawn: Drawn, place: Place, pixels: Geometry) -> xml.Element:
    root = xml.Element("product")
    _header(root, drawn, place)
    about = _add(root, "generalAnnotation/productInformation")
    _add(about, "pass", "Ascending" if abs(place.heading) < 90.0 else "Descending")
    _add(about, "platformHeading", f"{place.heading:.9e}")
    _add(about, "projection", "Slant Range")
    image = _add(root, "imageAnnotation/imageInformation")
    _add(image, "rangePixelSpacing", f"{pixels.slant_m:.9e}")
    _add(image, "azimuthPixelSpacing", f"{pixels.spacing_m:.9e}")
    _add(image, "numberOfSamples", pixels.count)
    _add(image, "numberOfLines", pixels.count)
    points = _add(root, "geolocationGrid/geolocationGridPointList")
    at = np.unique(np.linspace(0, pixels.count - 1, 6).round().astype(int))
    latitude, longitude = positions(place, pixels, at, at)
    for i, line in enumerate(at):
        for j, sample in enumerate(at):
            point = _add(points, "geolocationGridPoint")
            _add(point, "line", line)
            _add(point, "pixel", sample)
            _add(point, "latitude", f"{latitude[i, j]:.9e}")
            _add(point, "longitude", f"{longitude[i, j]:.9e}")
            _add(point, "height", "0.0")
            _add(point, "incidenceAngle", f"{pixels.angles[sample]:.9e}")
            _add(point, "elevationAngle", f"{pixels.angles[sample] - 3.0:.9e}")
    return root


def _words(values: np.ndarray) -> str:
    return " ".join(f"{v:.6e}" for v in values)


def _calibration(drawn: Drawn, place: Place, pixels: Geometry) -> xml.Element:
    root = xml.Element("calibration")
    _header(root, drawn, place)
    vectors = _add(root, "calibrationVectorList")
    nodes = np.unique(np.append(np.arange(0, pixels.count, 40), pixels.count - 1))
    for line in (0, pixels.count - 1):
        vector = _add(vectors, "calibrationVector")
        _add(vector, "line", line)
        _add(vector, "pixel", " ".join(map(str, nodes)))
        _add(vector, "sigmaNought", _words(gain(nodes, pixels.count)))
    return root


def _noise(drawn: Drawn, place: Place, pixels: Geometry) -> xml.Element:
    """Return the noise; its azimuth block ends before the image does, as real ones may."""
    root = xml.Element("noise")
    _header(root, drawn, place)
    nodes = np.unique(np.append(np.arange(0, pixels.count, 40), pixels.count - 1))
    vector = _add(root, "noiseRangeVectorList/noiseRangeVector")
    _add(vector, "line", 0)
    _add(vector, "pixel", " ".join(map(str, nodes)))
    _add(vector, "noiseRangeLut", _words(noise(nodes, pixels.count, drawn.beam)))
    vector = _add(root, "noiseAzimuthVectorList/noiseAzimuthVector")
    last = int(0.97 * pixels.count)
    for tag, text in {
        "swath": drawn.beam.upper(),
        "firstAzimuthLine": 0,
        "firstRangeSample": 0,
        "lastAzimuthLine": last,
        "lastRangeSample": pixels.count - 1,
        "line": f"0 {last}",
        "noiseAzimuthLut": "1.0 1.0",
    }.items():
        _add(vector, tag, text)
    return root


def write_manifest(safe: Path, shown: Sequence[tuple[Drawn, Place]], *, spacing_m: float, settings: str) -> None:
    """Write ``manifest.safe`` of a product whose other files are there.

    Parameters
    ----------
    safe : Path
        The product's folder.
    shown : sequence of (Drawn, Place)
        Its imagettes, in order.
    spacing_m : float
        Of their pixels, m.
    settings : str
        What it was simulated from.
    """
    for prefix, uri in SPACES.items():
        xml.register_namespace(prefix, uri)
    q = {prefix: f"{{{uri}}}" for prefix, uri in SPACES.items()}
    root = xml.Element(f"{q['xfdu']}XFDU", version="esa/safe/sentinel-1.0/sentinel-1/sar/level-1/slc/standard/wvsp")
    section = xml.SubElement(root, "metadataSection")
    facility = xml.SubElement(
        xml.SubElement(section, f"{q['safe']}processing"),
        f"{q['safe']}facility",
        name="polynya",
        site=f"polynya {__version__}: a simulation, no measurement. {settings}",
    )
    xml.SubElement(facility, f"{q['safe']}software", name="Sentinel-1 IPF", version=IPF)
    platform = xml.SubElement(section, f"{q['safe']}platform")
    xml.SubElement(platform, f"{q['safe']}familyName").text = "SENTINEL-1"
    xml.SubElement(platform, f"{q['safe']}number").text = "A"
    orbit = xml.SubElement(section, f"{q['safe']}orbitReference")
    first = shown[0][1]
    xml.SubElement(orbit, f"{q['safe']}orbitNumber", type="start").text = str(first.orbit)
    xml.SubElement(orbit, f"{q['safe']}relativeOrbitNumber", type="start").text = str((first.orbit - 73) % 175 + 1)
    xml.SubElement(orbit, f"{q['s1']}pass").text = "ASCENDING" if abs(first.heading) < 90.0 else "DESCENDING"
    frames = xml.SubElement(section, f"{q['safe']}frameSet")
    objects = xml.SubElement(root, "dataObjectSection")
    for drawn, place in shown:
        ends = np.array([0, geometry_of(drawn, spacing_m).count - 1])
        latitude, longitude = positions(place, geometry_of(drawn, spacing_m), ends, ends)
        corners = ((1, 1), (1, 0), (0, 0), (0, 1))
        outline = xml.SubElement(xml.SubElement(frames, f"{q['safe']}frame"), f"{q['safe']}footPrint")
        xml.SubElement(outline, f"{q['gml']}coordinates").text = " ".join(
            f"{latitude[c]:.6f},{longitude[c]:.6f}" for c in corners
        )
        name = name_of(place, drawn.beam)
        for kind, schema in KINDS.items():
            _list_file(objects, safe, kind.format(name), schema)
    xml.indent(root)
    (safe / "manifest.safe").write_bytes(xml.tostring(root, encoding="UTF-8", xml_declaration=True))


def _list_file(objects: xml.Element, safe: Path, path: str, schema: str) -> None:
    data = (safe / path).read_bytes()
    one = xml.SubElement(objects, "dataObject", ID=Path(path).stem.replace("-", "") + schema, repID=schema)
    stream = xml.SubElement(one, "byteStream", size=str(len(data)))
    xml.SubElement(stream, "fileLocation", locatorType="URL", href=f"./{path}")
    xml.SubElement(stream, "checksum", checksumName="MD5").text = hashlib.md5(data, usedforsecurity=False).hexdigest()
