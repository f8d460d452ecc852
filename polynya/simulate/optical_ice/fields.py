"""Random fields of a given spectrum, by Fourier transform: mean 0, standard deviation 1."""

from __future__ import annotations

import numpy as np
from scipy import fft


def rough(rng: np.random.Generator, shape: tuple[int, int], *, exponent: float, longest_px: float) -> np.ndarray:
    """Draw a field whose power falls with wavenumber.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the field.
    shape : tuple of int
        Rows and columns.
    exponent : float
        Power falls as the wavenumber to minus this; 2 to 4 for natural shapes, larger is smoother.
    longest_px : float
        Longest wave, pixels: beyond it the power is constant.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        It repeats nowhere within the window: twice the window is drawn.
    """
    rows, columns = 2 * shape[0], 2 * shape[1]
    ky, kx = (f.astype(np.float32) for f in (fft.fftfreq(rows)[:, None], fft.rfftfreq(columns)[None, :]))
    square = np.maximum(ky * ky + kx * kx, np.float32(longest_px**-2.0))
    noise = fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32))  # single numbers stay single
    noise *= square ** np.float32(-0.25 * exponent)
    field = fft.irfft2(noise, s=(rows, columns), overwrite_x=True)[: shape[0], : shape[1]]
    return ((field - field.mean(dtype=np.float64)) / max(float(field.std(dtype=np.float64)), 1e-9)).astype(np.float32)


def share_above(field: np.ndarray, share: float) -> np.ndarray:
    """Return where a field is among its largest values: about this share of the pixels."""
    if share <= 0.0:
        return np.zeros(field.shape, bool)
    return field > np.quantile(field, 1.0 - min(share, 1.0))
