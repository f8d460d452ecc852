"""The XML of a simulated Sentinel-1 product: annotation, calibration and noise of one polarisation.

Elements and nesting as in the Sentinel-1 Product Specification (S1-RS-MDA-52-7441, 3/11), the parts that readers use.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as xml

import numpy as np

from .annotation import Annotation, Block
from .orbit import ground_range, state_vectors, time_of

SWATHS = ("EW1", "EW2", "EW3", "EW4", "EW5")


@dataclass(frozen=True, kw_only=True)
class Image:
    """One polarisation's image, as its annotation names it: place in the product, mean and deviation of its DN."""

    polarisation: str
    number: int
    mean: float
    deviation: float


def product_xml(annotation: Annotation, image: Image) -> bytes:
    """Return the annotation of one image.

    Parameters
    ----------
    annotation : Annotation
        The product.
    image : Image
        Which of its images.
    """
    root = xml.Element("product")
    _header(root, annotation, image)
    _quality(root, annotation, image)
    _general(root, annotation)
    _image(root, annotation, image)
    centroid = _add(root, "dopplerCentroid")
    _add(centroid, "dcEstimateList", count="0")
    _add(_add(root, "antennaPattern"), "antennaPatternList", count="0")
    timing = _add(root, "swathTiming")
    _add(timing, "linesPerBurst", "0")
    _add(timing, "samplesPerBurst", "0")
    _add(timing, "burstList", count="0")
    _points(root, annotation)
    _conversion(root, annotation)
    _merging(root, annotation)
    return _bytes(root)


def calibration_xml(annotation: Annotation, image: Image) -> bytes:
    """Return the calibration vectors of one image.

    Parameters
    ----------
    annotation : Annotation
        The product.
    image : Image
        Which of its images.
    """
    root = xml.Element("calibration")
    _header(root, annotation, image)
    _add(_add(root, "calibrationInformation"), "absoluteCalibrationConstant", _number(1.0))
    c = annotation.calibration
    vectors = _add(root, "calibrationVectorList", count=str(len(c.lines)))
    flat = [_number(c.beta)] * len(c.pixels)
    for line, sigma, gamma in zip(c.lines, c.sigma, c.gamma, strict=True):
        vector = _add(vectors, "calibrationVector")
        _add(vector, "azimuthTime", time_of(annotation.orbit, line))
        _add(vector, "line", str(int(line)))
        _list(vector, "pixel", [str(int(p)) for p in c.pixels])
        _list(vector, "sigmaNought", [_number(v) for v in sigma])
        _list(vector, "betaNought", flat)
        _list(vector, "gamma", [_number(v) for v in gamma])
        _list(vector, "dn", flat)
    return _bytes(root)


def noise_xml(annotation: Annotation, image: Image) -> bytes:
    """Return the range and the azimuth noise of one image.

    Parameters
    ----------
    annotation : Annotation
        The product.
    image : Image
        Which of its images.
    """
    root = xml.Element("noise")
    _header(root, annotation, image)
    vectors = _add(root, "noiseRangeVectorList", count=str(len(annotation.noise)))
    for noise in annotation.noise:
        vector = _add(vectors, "noiseRangeVector")
        _add(vector, "azimuthTime", time_of(annotation.orbit, noise.line))
        _add(vector, "line", str(noise.line))
        _list(vector, "pixel", [str(int(p)) for p in noise.pixels])
        _list(vector, "noiseRangeLut", [_number(v) for v in noise.values[image.polarisation]])
    blocks = [b for b in annotation.blocks if len(b.lines)]
    of_azimuth = _add(root, "noiseAzimuthVectorList", count=str(len(blocks)))
    for block in blocks:
        vector = _add(of_azimuth, "noiseAzimuthVector")
        _add(vector, "swath", SWATHS[block.swath - 1])
        _limits(vector, block)
        _list(vector, "line", [str(int(n)) for n in block.lines])
        _list(vector, "noiseAzimuthLut", [_number(v) for v in block.factors[image.polarisation]])
    return _bytes(root)


def _header(root: xml.Element, annotation: Annotation, image: Image) -> None:
    orbit = annotation.orbit
    header = _add(root, "adsHeader")
    for name, text in {
        "missionId": orbit.mission,
        "productType": "GRD",
        "polarisation": image.polarisation,
        "mode": "EW",
        "swath": "EW",
        "startTime": time_of(orbit, 0),
        "stopTime": time_of(orbit, annotation.lines - 1),
        "absoluteOrbitNumber": str(orbit.number),
        "missionDataTakeId": str(orbit.data_take),
        "imageNumber": f"{image.number:03d}",
    }.items():
        _add(header, name, text)


def _quality(root: xml.Element, annotation: Annotation, image: Image) -> None:
    quality = _add(root, "qualityInformation")
    _add(quality, "productQualityIndex", _precise(0.0))
    data = _add(_add(quality, "qualityDataList", count="1"), "qualityData")
    _add(data, "azimuthTime", time_of(annotation.orbit, 0))
    _statistics(_add(data, "imageQuality"), image)


def _statistics(parent: xml.Element, image: Image) -> None:
    statistics = _add(parent, "imageStatistics")
    for name, value in (("outputDataMean", image.mean), ("outputDataStdDev", image.deviation)):
        node = _add(statistics, name)
        _add(node, "re", _number(value))
        _add(node, "im", _number(0.0))


def _general(root: xml.Element, annotation: Annotation) -> None:
    orbit = annotation.orbit
    general = _add(root, "generalAnnotation")
    information = _add(general, "productInformation")
    for name, text in {
        "pass": "Ascending" if orbit.ascending else "Descending",
        "timelinessCategory": "Fast-24h",
        "platformHeading": _precise(orbit.heading),
        "projection": "Ground Range",
        "rangeSamplingRate": _precise(2.502314816e7),
        "radarFrequency": _precise(5.405000454334350e9),
        "azimuthSteeringRate": _precise(2.390895448),
    }.items():
        _add(information, name, text)
    _add(general, "downlinkInformationList", count="0")
    vectors = state_vectors(annotation)
    orbits = _add(general, "orbitList", count=str(len(vectors)))
    for time, position, velocity in vectors:
        node = _add(orbits, "orbit")
        _add(node, "time", time)
        _add(node, "frame", "Earth Fixed")
        for name, value in (("position", position), ("velocity", velocity)):
            part = _add(node, name)
            for axis, number in zip("xyz", value, strict=True):
                _add(part, axis, _precise(number))
    _add(general, "attitudeList", count="0")
    for name in ("rawDataAnalysisList", "replicaInformationList", "noiseList"):
        _add(general, name, count="0")
    heights = _add(general, "terrainHeightList", count="1")
    height = _add(heights, "terrainHeight")
    _add(height, "azimuthTime", time_of(orbit, 0))
    _add(height, "value", _precise(0.0))
    _add(general, "azimuthFmRateList", count="0")


def _image(root: xml.Element, annotation: Annotation, image: Image) -> None:
    orbit, points = annotation.orbit, annotation.points
    whole = _add(root, "imageAnnotation")
    information = _add(whole, "imageInformation")
    for name, text in {
        "productFirstLineUtcTime": time_of(orbit, 0),
        "productLastLineUtcTime": time_of(orbit, annotation.lines - 1),
        "ascendingNodeTime": time_of(orbit, -250000),
        "anchorTime": time_of(orbit, 0),
        "productComposition": "Individual",
        "sliceNumber": "0",
    }.items():
        _add(information, name, text)
    _add(information, "sliceList", count="0")
    middle = points.incidence[len(points.lines) // 2, len(points.pixels) // 2]
    for name, text in {
        "slantRangeTime": _precise(points.slant_range_time[0, 0]),
        "pixelValue": "Detected",
        "outputPixels": "16 bit Unsigned Integer",
        "rangePixelSpacing": _number(40.0),
        "azimuthPixelSpacing": _number(40.0),
        "azimuthTimeInterval": _precise(orbit.line_s),
        "azimuthFrequency": _precise(1.0 / orbit.line_s),
        "numberOfSamples": str(annotation.samples),
        "numberOfLines": str(annotation.lines),
        "zeroDopMinusAcqTime": _precise(0.0),
        "incidenceAngleMidSwath": _precise(middle),
    }.items():
        _add(information, name, text)
    _statistics(information, image)
    _processing(whole)


def _processing(whole: xml.Element) -> None:
    processing = _add(whole, "processingInformation")
    for name, text in {
        "rawDataAnalysisUsed": "true",
        "orbitDataFileUsed": "true",
        "attitudeDataFileUsed": "false",
        "rxVariationCorrectionApplied": "true",
        "antennaElevationPatternApplied": "true",
        "antennaAzimuthPatternApplied": "true",
        "antennaAzimuthElementPatternApplied": "true",
        "dcMethod": "Data Analysis",
        "dcInputData": "Range Compressed",
        "rangeSpreadingLossCompensationApplied": "true",
        "srgrConversionApplied": "true",
        "detectionPerformed": "true",
        "thermalNoiseCorrectionPerformed": "false",
    }.items():
        _add(processing, name, text)
    swaths = _add(processing, "swathProcParamsList", count=str(len(SWATHS)))
    for swath in SWATHS:
        params = _add(swaths, "swathProcParams")
        _add(params, "swath", swath)
        for name, looks in (("rangeProcessing", "6"), ("azimuthProcessing", "2")):
            _add(_add(params, name), "numberOfLooks", looks)
    for name, text in {
        "referenceRange": _precise(8.0e5),
        "ellipsoidName": "WGS84",
        "ellipsoidSemiMajorAxis": _precise(6.378137e6),
        "ellipsoidSemiMinorAxis": _precise(6.356752314245e6),
        "bistaticDelayCorrectionApplied": "true",
    }.items():
        _add(processing, name, text)


def _points(root: xml.Element, annotation: Annotation) -> None:
    p = annotation.points
    points = _add(_add(root, "geolocationGrid"), "geolocationGridPointList", count=str(p.latitude.size))
    for i, line in enumerate(p.lines):
        time = time_of(annotation.orbit, line)
        for j, pixel in enumerate(p.pixels):
            point = _add(points, "geolocationGridPoint")
            _add(point, "azimuthTime", time)
            _add(point, "slantRangeTime", _precise(p.slant_range_time[i, j]))
            _add(point, "line", str(int(line)))
            _add(point, "pixel", str(int(pixel)))
            for name, grid in (
                ("latitude", p.latitude),
                ("longitude", p.longitude),
                ("height", p.height),
                ("incidenceAngle", p.incidence),
                ("elevationAngle", p.elevation),
            ):
                _add(point, name, _precise(grid[i, j]))


def _conversion(root: xml.Element, annotation: Annotation) -> None:
    rows = np.unique(np.linspace(0, len(annotation.points.lines) - 1, 5).astype(int))
    conversions = _add(_add(root, "coordinateConversion"), "coordinateConversionList", count=str(len(rows)))
    for row in rows:
        found = ground_range(annotation, int(row))
        node = _add(conversions, "coordinateConversion")
        _add(node, "azimuthTime", time_of(annotation.orbit, annotation.points.lines[row]))
        _add(node, "slantRangeTime", _precise(annotation.points.slant_range_time[row, 0]))
        _add(node, "sr0", _precise(found.first))
        _list(node, "srgrCoefficients", [_precise(c) for c in found.to_ground])
        _add(node, "gr0", _precise(0.0))
        _list(node, "grsrCoefficients", [_precise(c) for c in found.to_slant])


def _merging(root: xml.Element, annotation: Annotation) -> None:
    merges = _add(_add(root, "swathMerging"), "swathMergeList", count=str(len(SWATHS)))
    for k, swath in enumerate(SWATHS, 1):
        blocks = [b for b in annotation.blocks if b.swath == k]
        merge = _add(merges, "swathMerge")
        _add(merge, "swath", swath)
        bounds = _add(merge, "swathBoundsList", count=str(len(blocks)))
        for block in blocks:
            bound = _add(bounds, "swathBounds")
            _add(bound, "azimuthTime", time_of(annotation.orbit, block.first_line))
            _limits(bound, block)


def _limits(parent: xml.Element, block: Block) -> None:
    _add(parent, "firstAzimuthLine", str(block.first_line))
    _add(parent, "firstRangeSample", str(block.first_sample))
    _add(parent, "lastAzimuthLine", str(block.last_line))
    _add(parent, "lastRangeSample", str(block.last_sample))


def _list(parent: xml.Element, name: str, words: list[str]) -> None:
    _add(parent, name, " ".join(words), count=str(len(words)))


def _number(value: float) -> str:
    return f"{value:.6e}"


def _precise(value: float) -> str:
    return f"{value:.15e}"


def _add(parent: xml.Element, name: str, text: str | None = None, /, **attributes: str) -> xml.Element:
    node = xml.SubElement(parent, name, attributes)
    node.text = text
    return node


def _bytes(root: xml.Element) -> bytes:
    xml.indent(root)
    return xml.tostring(root, encoding="UTF-8", xml_declaration=True)
