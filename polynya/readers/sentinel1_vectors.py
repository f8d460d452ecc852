"""Calibration and noise of a Sentinel-1 image: vectors of look-up values along its lines.

Checked on the annotation of the same products as :mod:`.sentinel1_annotation`. Two generations of noise files are read:
``noiseVectorList`` (before IPF 2.9), and ``noiseRangeVectorList`` with ``noiseAzimuthVectorList``, which may be empty.
"""

from __future__ import annotations

import numpy as np

from ..errors import ProductError
from ..io.product_files import ProductFiles
from ..physics.line_vectors import Vector
from ..physics.thermal_noise import Block
from .sentinel1_annotation import block_of
from .sentinel1_xml import Element, root_of

RANGE_NOISE = (
    ("noiseRangeVectorList/noiseRangeVector", "noiseRangeLut"),
    ("noiseVectorList/noiseVector", "noiseLut"),
)
"""Where the range noise stands: since IPF 2.9, and before."""


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
    root = root_of(files, name)
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
    root = root_of(files, name)
    found: list[Vector] = []
    for path, lut in RANGE_NOISE:
        found += [_vector(v, lut) for v in root.all(path)]
    if not found:
        raise ProductError(f"{root.where}: holds no range noise vector; expected at least one. Download it again.")
    if not min(float(v.values.min()) for v in found) >= 0.0:
        raise ProductError(
            f"{root.where}: range noise is below 0; expected a power in every vector. Download the product again."
        )
    return tuple(found), tuple(_azimuth(v) for v in root.all("noiseAzimuthVectorList/noiseAzimuthVector"))


def _azimuth(element: Element) -> Block:
    lines, factors = element.wholes("line"), element.numbers("noiseAzimuthLut")
    if lines.size != factors.size:
        raise ProductError(
            f"{element.where}: an azimuth noise vector has {lines.size} lines and {factors.size} values; expected as"
            " many of each. Download the product again."
        )
    lines, first = np.unique(lines, return_index=True)
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
    return block_of(element, swath=element.text("swath"), lines=lines, factors=factors)


def _vector(element: Element, lut: str) -> Vector:
    pixels, values = element.wholes("pixel"), element.numbers(lut)
    line = element.whole("line")
    if pixels.size != values.size:
        raise ProductError(
            f"{element.where}: the vector at line {line} has {pixels.size} pixels and {values.size} values of {lut};"
            " expected as many of each. Download the product again."
        )
    return Vector(line=line, pixels=pixels, values=values)
