"""Smooth random fields on a grid of cells."""

from __future__ import annotations

import numpy as np


def smooth(rng: np.random.Generator, shape: tuple[int, int], *, length: float) -> np.ndarray:
    """Draw a Gaussian field of mean 0 and variance 1, not forced to either within the window.

    White noise on knots under a Gaussian of its own at every cell, first along the columns, then along the rows.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the field.
    shape : tuple of int
        Rows and columns.
    length : float
        Correlation length, cells: the correlation is 1/e at this distance.

    Returns
    -------
    numpy.ndarray, float32
        Stationary: the variance over many draws is 1 in every cell.
    """
    down, along = (_weights(n, length, rng.uniform()) for n in shape)
    noise = rng.standard_normal((down.shape[1], along.shape[1]), dtype=np.float32)
    return (down @ noise) @ along.T


def _weights(count: int, length: float, phase: float) -> np.ndarray:
    """Return the weights of the knots in every cell along one axis, float32, shape (count, knots)."""
    step = max(length / 4.0, 0.5)
    # Noise under a Gaussian of width s has the correlation exp(-d^2 / (4 s^2)): 1/e at d = 2 s.
    width = 0.5 * length / step
    knots = np.arange(-int(4.0 * width) - 1, int(np.ceil(count / step)) + int(4.0 * width) + 2)
    apart = (np.arange(count)[:, None] / step + phase) - knots[None, :]
    weight = np.exp(-0.5 * (apart / width) ** 2)
    return (weight / np.sqrt(np.sum(weight**2, axis=1, keepdims=True))).astype(np.float32)
