"""Cloud masks of a scene: the Level-2A scene classification, or s2cloudless on Level-1C reflectances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..readers import sentinel2
from . import tiling

if TYPE_CHECKING:
    from rasterio.windows import Window

MASKS = ("auto", "scl", "s2cloudless", "none")
SCL_CLOUD = (3, 8, 9, 10)
"""Shadow, cloud of medium and high probability, thin cirrus: Level-2A values that count as cloud."""
S2CLOUDLESS_BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
S2CLOUDLESS_CELL = 6
"""s2cloudless works on cells of 6 x 6 pixels of 10 m: 60 m, the size of its coarsest bands."""
THRESHOLD, AVERAGE_OVER, DILATION = 0.4, 4, 2
"""Probability, and radii in cells of 60 m, as the package's authors give them in their example."""


def resolve(scene: sentinel2.Scene, mask: str) -> str:
    """Return which mask ``auto`` means for a scene, and check that it is available.

    Parameters
    ----------
    scene : sentinel2.Scene
        The scene.
    mask : str
        ``auto``: the scene classification of Level-2A, none elsewhere. It never depends on what is installed.

    Returns
    -------
    str
        ``scl``, ``s2cloudless`` or ``none``.

    Raises
    ------
    UsageError
        If there is no such mask, or the scene or the installation lacks what it needs.
    """
    if mask not in MASKS:
        raise UsageError(f"cloud mask {mask}: unknown; expected one of {', '.join(MASKS)}. Choose one.")
    if mask == "auto":
        return "scl" if scene.has_classification else "none"
    if mask == "scl" and not scene.has_classification:
        raise UsageError(
            f"{scene.scene_id}: has no scene classification (product {scene.product}); expected a Level-2A product for"
            " the mask scl. Take another mask."
        )
    if mask == "s2cloudless":
        missing = [b for b in S2CLOUDLESS_BANDS if b not in scene.bands]
        if missing or scene.product == "S2MSI2A":
            why = f"lacks {', '.join(missing)}" if missing else "is Level-2A"
            raise UsageError(
                f"{scene.scene_id}: {why}; s2cloudless expected top-of-atmosphere reflectance in"
                f" {', '.join(S2CLOUDLESS_BANDS)}. Take a Level-1C product or another mask."
            )
        _detector()
    return mask


def _detector():
    try:
        from s2cloudless import S2PixelCloudDetector
    except ImportError as error:
        raise UsageError(
            f"cloud mask s2cloudless: the package cannot be imported ({error}); expected it to be installed. Run: pip"
            " install 'polynya[cloud]'"
        ) from error
    return S2PixelCloudDetector(threshold=THRESHOLD, average_over=AVERAGE_OVER, dilation_size=DILATION)


def from_classification(classification: np.ndarray) -> np.ndarray:
    """Return where a Level-2A scene classification has cloud or shadow.

    Parameters
    ----------
    classification : numpy.ndarray of uint8
        Values of the Level-2A scene classification.

    Returns
    -------
    numpy.ndarray of bool, same shape
    """
    return np.isin(classification, SCL_CLOUD)


def s2cloudless(scene: sentinel2.Scene, *, advance: Callable[[int], None] | None = None) -> np.ndarray:
    """Compute the s2cloudless mask of a whole scene on 60 m cells.

    Parameters
    ----------
    scene : sentinel2.Scene
        Level-1C, all ten bands.
    advance : callable, optional
        Called with the number of 10 m pixels done since its last call.

    Returns
    -------
    numpy.ndarray of bool, shape (ceil(rows / 6), ceil(columns / 6))
        True is cloud. No shadow: the detector knows none.

    Raises
    ------
    UsageError
        If the package is missing.

    Notes
    -----
    Zupanc (2017), https://github.com/sentinel-hub/sentinel2-cloud-detector; Skakun et al. (2022,
    doi:10.1016/j.rse.2022.112990). It was trained over land; over bright ice expect false clouds. Cells average their
    pixels; the whole scene's probabilities are smoothed and grown at once, so tiles leave no seam.
    """
    detector = _detector()
    rows, columns = scene.geobox.shape
    cell = S2CLOUDLESS_CELL
    probability = np.zeros((-(-rows // cell), -(-columns // cell)), np.float32)
    size = 512 * cell  # three of the agency's tiles
    for window in tiling.parts(sentinel2.whole(scene), size):
        r0, c0 = window.row_off // cell, window.col_off // cell
        means = [_cells(sentinel2.reflectance(scene, [b], window=window)[0], cell) for b in S2CLOUDLESS_BANDS]
        data = np.stack(means, axis=-1)  # (h, w, 10)
        there = np.isfinite(data).all(axis=-1)
        found = detector.get_cloud_probability_maps(np.where(there[..., None], data, 0.0)[None])[0]
        probability[r0 : r0 + data.shape[0], c0 : c0 + data.shape[1]] = np.where(there, found, 0.0)
        if advance:
            advance(window.height * window.width)
    return detector.get_mask_from_prob(probability[None])[0].astype(bool)


def _cells(band: np.ndarray, cell: int) -> np.ndarray:
    """Return means of ``cell`` x ``cell`` pixels, NaN left out; cells at the far edges may hold fewer."""
    h, w = band.shape
    padded = np.pad(band, ((0, -h % cell), (0, -w % cell)), constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // cell, cell, padded.shape[1] // cell, cell)
    count = np.isfinite(blocks).sum(axis=(1, 3))
    with np.errstate(invalid="ignore"):
        return (np.nansum(blocks, axis=(1, 3)) / np.where(count, count, np.nan)).astype(np.float32)


def on_window(cells: np.ndarray, window: Window) -> np.ndarray:
    """Return a mask of 60 m cells on the 10 m pixels of a window.

    Parameters
    ----------
    cells : numpy.ndarray of bool
        Of :func:`s2cloudless`.
    window : rasterio.windows.Window
        In 10 m pixels.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
    """
    rows = np.arange(window.row_off, window.row_off + window.height) // S2CLOUDLESS_CELL
    columns = np.arange(window.col_off, window.col_off + window.width) // S2CLOUDLESS_CELL
    return cells[np.ix_(rows, columns)]
