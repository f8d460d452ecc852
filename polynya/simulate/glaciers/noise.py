"""Random fields with a power-law spectrum, and resampling: used for terrain, snow, debris and clouds."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.ndimage import zoom


def fractal(
    rng: np.random.Generator, shape: tuple[int, int], *, longest: float, shortest: float = 2.0, beta: float = 3.0
) -> np.ndarray:
    """Draw a Gaussian field whose power falls as wavenumber ** -beta between two wavelengths.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the field.
    shape : tuple of int
        Rows and columns.
    longest, shortest : float
        Wavelengths in cells; the spectrum is flat beyond ``longest`` and empty below ``shortest``.
    beta : float
        Natural terrain has 2 to 4 (Turcotte 1997, Fractals and Chaos in Geology and Geophysics).

    Returns
    -------
    numpy.ndarray, float32
        Mean 0, standard deviation 1; not periodic.
    """
    rows, columns = (fft.next_fast_len(n + max(int(min(longest, n) / 4), 1), real=True) for n in shape)
    noise = fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32))
    k = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(columns)[None, :]).astype(np.float32)
    noise *= np.maximum(k, np.float32(1.0 / longest)) ** np.float32(-beta / 2.0) * (k <= 1.0 / shortest)
    field = fft.irfft2(noise, s=(rows, columns))[: shape[0], : shape[1]]
    field = field - field.mean()
    return (field / (field.std() + 1e-12)).astype(np.float32)


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 0 below ``low``, 1 above ``high``, a cubic between; reversed if ``low`` is the larger."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def resize(field: np.ndarray, shape: tuple[int, int], *, order: int = 1) -> np.ndarray:
    """Resample a field to another number of cells over the same area, float32."""
    scale = (shape[0] / field.shape[0], shape[1] / field.shape[1])
    out = zoom(field.astype(np.float32), scale, order=order, mode="nearest", grid_mode=True)
    if out.shape != tuple(shape):
        out = np.pad(out, [(0, max(n - m, 0)) for n, m in zip(shape, out.shape, strict=True)], mode="edge")[
            : shape[0], : shape[1]
        ]
    return out


def gradient(surface: np.ndarray, pixel_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope to the east and to the north (rows run south), m/m, by Horn's weights.

    Horn (1981, doi:10.1109/PROC.1981.11918).
    """
    z = np.pad(surface, 1, mode="edge")
    east = (z[:-2, 2:] + 2 * z[1:-1, 2:] + z[2:, 2:] - z[:-2, :-2] - 2 * z[1:-1, :-2] - z[2:, :-2]) / (8.0 * pixel_m)
    north = (z[:-2, :-2] + 2 * z[:-2, 1:-1] + z[:-2, 2:] - z[2:, :-2] - 2 * z[2:, 1:-1] - z[2:, 2:]) / (8.0 * pixel_m)
    return east.astype(np.float32), north.astype(np.float32)
