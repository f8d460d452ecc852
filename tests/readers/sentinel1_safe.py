"""Small Sentinel-1 products in the real format with chosen calibration, noise and positions, and real annotation cut to
a few lines; the noise rule written out once more, pixel by pixel."""

from __future__ import annotations

import functools
import itertools
import re
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from tests.real_files import ROOT

EW = "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15"
SM = "S1C_S4_GRDH_1SDH_20250118T171404_20250118T171421_000638_000538_4B8B.SAFE"
SLC = "S1A_IW_SL1__1_SH_20141031T095929_20141031T100002_003072_003842_91FC.SAFE"
LINES, SAMPLES, SPACING_M = 120, 160, 40.0
BLOCKS = (
    ("EW1", 0, 59, 0, 79),
    ("EW2", 20, 59, 80, 159),
    ("EW1", 60, 119, 0, 69),
    ("EW2", 60, 119, 70, 159),
)
"""Sub-swath, first and last line, first and last sample: the second starts late, the border moves at line 60."""
LAST_POSITIVE = 150
"""Samples after this have range noise 0: the image ends there."""


def real_safe(name: str) -> Path:
    """Return a real product's folder, or skip the test with the reason."""
    path = ROOT / "sar" / "safe" / name
    if not path.exists():
        pytest.skip(f"the real annotation {name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path


@dataclass(frozen=True, kw_only=True)
class Small:
    """What a small product is made of; every function takes arrays of lines and samples."""

    corner: tuple[float, float] = (600_000.0, -500_000.0)
    epsg: int = 3413
    turn: float = 35.0
    mode: str = "EW"
    satellite: str = "S1A"
    product_type: str = "GRD"
    ipf: str = "003.52"
    channels: tuple[str, ...] = ("HH", "HV")
    noise: str = "azimuth"  # "azimuth", "empty azimuth list", "before 2.9"
    noise_factor: float = 1.0
    driver: dict[str, object] = field(default_factory=dict)
    suffix: str = ".tiff"

    def gain(self, channel, line, sample):
        """A."""
        return 1500.0 - 2.0 * sample + (0.5 * line if channel == "HH" else 0.0)

    def range_noise(self, channel, swath, line, sample):
        """Range noise, linear in both."""
        first = {"EW1": 9000.0 + 10.0 * sample, "EW2": 2000.0 + 5.0 * sample}[swath] + 3.0 * line
        return (first if channel == "HH" else 0.8 * first) * self.noise_factor

    def azimuth(self, swath, line):
        """Azimuth factor."""
        return {"EW1": 1.1, "EW2": 0.9}[swath] + 0.001 * line

    def plane(self, line, sample):
        """Map coordinates of pixels."""
        angle = np.radians(self.turn)
        right, down = np.asarray(sample) * SPACING_M, np.asarray(line) * SPACING_M
        return (
            self.corner[0] + right * np.cos(angle) + down * np.sin(angle),
            self.corner[1] + right * np.sin(angle) - down * np.cos(angle),
        )

    def positions(self, line, sample):
        """Latitude and longitude of pixels."""
        back = Transformer.from_crs(f"EPSG:{self.epsg}", "EPSG:4326", always_xy=True)
        longitude, latitude = back.transform(*self.plane(line, sample))
        return latitude, longitude

    def incidence(self, sample):
        """Incidence angle."""
        return 20.0 + 0.05 * np.asarray(sample, float)

    def noise_power(self, channel):
        """Noise of every pixel, NaN where it is not valid: the rule in closed form."""
        out = np.full((LINES, SAMPLES), np.nan)
        has_azimuth = self.noise == "azimuth"
        for swath, top, bottom, left, right in BLOCKS:
            line, sample = np.mgrid[top : bottom + 1, left : right + 1]
            # Vectors lie at lines 0, 30, 60, 90 and 119. The second sub-swath has none of line 0; and where the border
            # moves, the vector before holds fewer or more samples than the block: the nearest node stands in.
            value = np.stack([self._between(channel, swath, at, sample[0]) for at in range(top, bottom + 1)])
            factor = self.azimuth(swath, line) if has_azimuth else 1.0
            out[top : bottom + 1, left : right + 1] = value * factor
        out[:, LAST_POSITIVE + 1 :] = np.nan
        return out

    def _between(self, channel, swath, line, sample):
        known = [v for v in VECTOR_LINES if _span(swath, v) is not None]
        before = max([v for v in known if v <= line], default=known[0])
        after = min([v for v in known if v >= line], default=known[-1])
        ends = []
        for at in (before, after):
            low, high = _span(swath, at)
            ends.append(self.range_noise(channel, swath, at, np.clip(sample, low, min(high, LAST_POSITIVE))))
        return ends[0] if before == after else ends[0] + (line - before) / (after - before) * (ends[1] - ends[0])


VECTOR_LINES = (0, 30, 60, 90, 119)


def _span(swath, line):
    """Return first and last sample of a sub-swath at a line."""
    found = [(b[3], b[4]) for b in BLOCKS if b[0] == swath and b[1] <= line <= b[2]]
    return found[0] if found else None


def _words(values) -> str:
    return " ".join(f"{v:.9e}" if isinstance(v, float) else str(v) for v in np.asarray(values).tolist())


def _header(small: Small, channel: str) -> str:
    number = small.channels.index(channel) + 1
    swath = small.mode if small.product_type == "GRD" else f"{small.mode}1"
    return (
        f"<adsHeader><missionId>{small.satellite}</missionId><productType>{small.product_type}</productType>"
        f"<polarisation>{channel}</polarisation><mode>{small.mode}</mode><swath>{swath}</swath>"
        "<startTime>2022-11-30T01:43:42.546629</startTime><stopTime>2022-11-30T01:43:43.546629</stopTime>"
        f"<absoluteOrbitNumber>46117</absoluteOrbitNumber><imageNumber>{number:03d}</imageNumber></adsHeader>"
    )


def annotation_xml(small: Small, channel: str) -> str:
    """Return the annotation of an image."""
    points = []
    for line in (0, 40, 80, LINES - 1):
        for sample in (0, 40, 80, 120, SAMPLES - 1):
            latitude, longitude = small.positions(line, sample)
            points.append(
                f"<geolocationGridPoint><azimuthTime>2022-11-30T01:43:42</azimuthTime><line>{line}</line>"
                f"<pixel>{sample}</pixel><latitude>{latitude:.15e}</latitude><longitude>{longitude:.15e}</longitude>"
                f"<height>1.0e-04</height><incidenceAngle>{small.incidence(sample):.15e}</incidenceAngle>"
                "<elevationAngle>1.8e+01</elevationAngle></geolocationGridPoint>"
            )
    merges = []
    for swath in ("EW1", "EW2"):
        bounds = "".join(f"<swathBounds>{_bounds(b)}</swathBounds>" for b in BLOCKS if b[0] == swath)
        merges.append(f"<swathMerge><swath>{swath}</swath><swathBoundsList>{bounds}</swathBoundsList></swathMerge>")
    return (
        f"<?xml version='1.0'?><product>{_header(small, channel)}<generalAnnotation><productInformation>"
        "<pass>Descending</pass></productInformation></generalAnnotation><imageAnnotation><imageInformation>"
        f"<rangePixelSpacing>{SPACING_M:e}</rangePixelSpacing><azimuthPixelSpacing>{SPACING_M:e}</azimuthPixelSpacing>"
        f"<numberOfSamples>{SAMPLES}</numberOfSamples><numberOfLines>{LINES}</numberOfLines></imageInformation>"
        "</imageAnnotation><geolocationGrid><geolocationGridPointList>"
        + "".join(points)
        + "</geolocationGridPointList></geolocationGrid><swathMerging><swathMergeList>"
        + "".join(merges)
        + "</swathMergeList></swathMerging></product>"
    )


def _bounds(block) -> str:
    _, top, bottom, left, right = block
    return (
        f"<firstAzimuthLine>{top}</firstAzimuthLine><firstRangeSample>{left}</firstRangeSample>"
        f"<lastAzimuthLine>{bottom}</lastAzimuthLine><lastRangeSample>{right}</lastRangeSample>"
    )


def calibration_xml(small: Small, channel: str) -> str:
    """Return the calibration of an image; the last vector lies behind the image."""
    pixels = np.array([0, 50, 100, SAMPLES - 1])
    vectors = "".join(
        f"<calibrationVector><line>{line}</line><pixel>{_words(pixels)}</pixel>"
        f"<sigmaNought>{_words(small.gain(channel, line, pixels.astype(float)))}</sigmaNought></calibrationVector>"
        for line in (0, 60, 140)
    )
    return (
        f"<?xml version='1.0'?><calibration>{_header(small, channel)}<calibrationVectorList>{vectors}"
        "</calibrationVectorList></calibration>"
    )


def noise_xml(small: Small, channel: str) -> str:
    """Return the noise of an image in one of three generations."""
    old = small.noise == "before 2.9"
    vector, lut = ("noiseVector", "noiseLut") if old else ("noiseRangeVector", "noiseRangeLut")
    vectors = []
    for line in VECTOR_LINES:
        pixels, values = [], []
        for swath in ("EW1", "EW2"):
            span = _span(swath, line)
            for pixel in range(80, 160, 20) if span is None else sorted({*range(span[0], span[1], 20), span[1], 150}):
                if span is not None and not span[0] <= pixel <= span[1]:
                    continue
                pixels.append(pixel)
                is_zero = span is None or pixel > LAST_POSITIVE
                values.append(0.0 if is_zero else float(small.range_noise(channel, swath, line, float(pixel))))
        vectors.append(
            f"<{vector}><line>{line}</line><pixel>{_words(pixels)}</pixel><{lut}>{_words(values)}</{lut}></{vector}>"
        )
    azimuth = []
    for block in BLOCKS if small.noise == "azimuth" else ():
        lines = np.array(sorted({*range(block[1], block[2], 10), block[2]}))
        factors = _words(small.azimuth(block[0], lines.astype(float)))
        azimuth.append(
            f"<noiseAzimuthVector><swath>{block[0]}</swath>{_bounds(block)}<line>{_words(lines)}</line>"
            f"<noiseAzimuthLut>{factors}</noiseAzimuthLut></noiseAzimuthVector>"
        )
    body = "".join(vectors)
    if old:
        parts = f"<noiseVectorList>{body}</noiseVectorList>"
    else:
        parts = (
            f"<noiseRangeVectorList>{body}</noiseRangeVectorList>"
            f"<noiseAzimuthVectorList count='{len(azimuth)}'>{''.join(azimuth)}</noiseAzimuthVectorList>"
        )
    return f"<?xml version='1.0'?><noise>{_header(small, channel)}{parts}</noise>"


def numbers_of(sigma0: np.ndarray, gain: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the whole amplitudes nearest to a sigma nought; 0 where there is no noise."""
    return np.nan_to_num(np.rint(np.sqrt(np.maximum(sigma0 * gain**2 + noise, 0.0)))).astype(np.uint16)


def write_safe(folder: Path, small: Small, numbers: dict[str, np.ndarray]) -> Path:
    """Write a product; channels without numbers have no image."""
    (folder / "annotation" / "calibration").mkdir(parents=True)
    (folder / "measurement").mkdir()
    for channel in small.channels:
        stem = f"{small.satellite.lower()}-{small.mode.lower()}-grd-{channel.lower()}-20221130t014342-001"
        inner = folder / "annotation"
        (inner / f"{stem}.xml").write_text(annotation_xml(small, channel))
        (inner / "calibration" / f"calibration-{stem}.xml").write_text(calibration_xml(small, channel))
        (inner / "calibration" / f"noise-{stem}.xml").write_text(noise_xml(small, channel))
        if channel in numbers:
            write_image(folder / "measurement" / f"{stem}{small.suffix}", numbers[channel], **small.driver)
    (folder / "manifest.safe").write_text(
        "<?xml version='1.0'?><xfdu:XFDU xmlns:xfdu='urn:ccsds:schema:xfdu:1' xmlns:safe='http://www.esa.int/safe'>"
        f"<safe:software name='Sentinel-1 IPF' version='{small.ipf}'/>"
        "<safe:relativeOrbitNumber type='start'>20</safe:relativeOrbitNumber></xfdu:XFDU>"
    )
    return folder


def write_image(path: Path, numbers: np.ndarray, **driver) -> Path:
    """Write amplitudes as GeoTIFF without coordinates, as the agency's are."""
    options = {"driver": "GTiff", "height": numbers.shape[0], "width": numbers.shape[1], "count": 1, "dtype": "uint16"}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path, "w", **options, **driver) as file:
        file.write(numbers, 1)
    return path


def zipped(folder: Path, path: Path, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Pack a SAFE folder as the agency does: the folder itself inside."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder).as_posix()}")
    return path


def cut_real(folder: Path, name: str, *, lines: int) -> Path:
    """Copy real annotation, cut to its first lines, without images."""
    shutil.copytree(real_safe(name), folder, copy_function=shutil.copyfile)
    for found in [folder, *folder.rglob("*")]:
        found.chmod(0o755 if found.is_dir() else 0o644)
    for path in (folder / "annotation").glob("*.xml"):
        tree = ElementTree.parse(path)
        tree.find(".//imageInformation/numberOfLines").text = str(lines)
        points = tree.find(".//geolocationGridPointList")
        for point in list(points):
            if float(point.findtext("line")) > lines + 600:
                points.remove(point)
        tree.write(path)
    (folder / "measurement").mkdir()
    return folder


class PlainNoise:
    """The noise rule from the XML of one image, pixel by pixel, in plain Python."""

    def __init__(self, noise_file: Path, lines: int):
        root = ElementTree.parse(noise_file).getroot()
        self.lines, self.blocks, self.vectors, self.found = lines, [], {}, {}
        for element in root.iter("noiseAzimuthVector"):
            number = {k: int(element.findtext(k)) for k in ("firstAzimuthLine", "lastAzimuthLine")}
            number |= {k: int(element.findtext(k)) for k in ("firstRangeSample", "lastRangeSample")}
            lut = dict(zip(element.findtext("line").split(), element.findtext("noiseAzimuthLut").split(), strict=True))
            self.blocks.append((element.findtext("swath"), number, {int(k): float(v) for k, v in lut.items()}))
        for element in root.iter("noiseRangeVector"):
            nodes = zip(element.findtext("pixel").split(), element.findtext("noiseRangeLut").split(), strict=True)
            self.vectors[int(element.findtext("line"))] = [(int(p), float(v)) for p, v in nodes]

    def block(self, line, sample):
        """Return the block that holds a pixel."""
        for swath, n, lut in self.blocks:
            in_lines = n["firstAzimuthLine"] <= line <= n["lastAzimuthLine"]
            if in_lines and n["firstRangeSample"] <= sample <= n["lastRangeSample"]:
                return swath, n, lut
        return None

    def own(self, swath, line):
        """Return the nodes of a vector that lie in a block of a sub-swath."""
        if (swath, line) in self.found:
            return self.found[swath, line]
        out = self.found[swath, line] = []
        for pixel, value in self.vectors[line]:
            found = self.block(min(max(line, 0), self.lines - 1), pixel)
            if found is not None and found[0] == swath:
                out.append((pixel, value))
        return out

    def along(self, swath, line, sample):
        """Return the noise along one vector: None without nodes, NaN after the last positive one."""
        own = self.own(swath, line)
        positive = [(p, v) for p, v in own if v > 0]
        if not positive:
            return None
        if sample > positive[-1][0] and own[-1][0] > positive[-1][0]:
            return float("nan")
        return linear(positive, sample)

    def row(self, swath, line, samples):
        """Return :meth:`along` at many samples."""
        own = self.own(swath, line)
        positive = [(p, v) for p, v in own if v > 0]
        found = np.interp(samples, *zip(*positive, strict=True))
        if own[-1][0] > positive[-1][0]:
            found[samples > positive[-1][0]] = np.nan
        return found

    def field(self, rows, samples):
        """Return the noise of whole lines, range times azimuth, NaN where it is not valid."""
        out = np.full((len(rows), samples), np.nan)
        for swath, n, lut in self.blocks:
            columns = np.arange(n["firstRangeSample"], n["lastRangeSample"] + 1)
            known = [v for v in sorted(self.vectors) if any(value > 0 for _, value in self.own(swath, v))]
            vector = functools.cache(lambda line, s=swath, c=columns: self.row(s, line, c))
            for i, line in enumerate(rows):
                if not n["firstAzimuthLine"] <= line <= n["lastAzimuthLine"]:
                    continue
                before = max([v for v in known if v <= line], default=known[0])
                after = min([v for v in known if v >= line], default=known[-1])
                t = 0.0 if before == after else (line - before) / (after - before)
                value = vector(before) if t == 0.0 else (1 - t) * vector(before) + t * vector(after)
                out[i, columns] = value * linear(sorted(lut.items()), line)
        return out

    def at(self, line, sample):
        """Return range noise and azimuth factor of a pixel, NaN where not valid."""
        found = self.block(line, sample)
        if found is None:
            return float("nan"), float("nan")
        nodes = [(at, self.along(found[0], at, sample)) for at in sorted(self.vectors)]
        nodes = [(at, v) for at, v in nodes if v is not None]
        return linear(nodes, line), linear(sorted(found[2].items()), line)


def linear(nodes, x):
    """Interpolate sorted nodes, the nearest beyond them."""
    if x <= nodes[0][0]:
        return nodes[0][1]
    for (a, u), (b, v) in itertools.pairwise(nodes):
        if a <= x <= b:
            return u if x == a else v if x == b else u + (x - a) / (b - a) * (v - u)
    return nodes[-1][1]


def replace_in(path: Path, pattern: str, by: str, *, count: int = 0) -> None:
    """Change a text file by a regular expression that must match."""
    text, n = re.subn(pattern, by, path.read_text(), count=count, flags=re.DOTALL)
    assert n, f"{pattern} is not in {path.name}"
    path.write_text(text)
