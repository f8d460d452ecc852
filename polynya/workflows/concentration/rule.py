"""The rule: concentration as the probability of ice of Gaussian classes, averaged over 2 km. No network."""

from __future__ import annotations

import functools
import json
from importlib.resources import as_file, files

import numpy as np
from scipy import ndimage

from ...io import opening
from ...physics import angle_classes

FILE = "radar_ice_classes.json"
SIDE = 5
"""Pixels of 400 m along a side of the square over which probabilities are averaged."""
WATER = "open_water"


def concentration(
    classes: angle_classes.AngleClasses, backscatter: np.ndarray, incidence: np.ndarray, *, side: int = SIDE
) -> np.ndarray:
    """Return the probability of ice, averaged over squares.

    Parameters
    ----------
    classes : AngleClasses
        One of them is :data:`WATER`.
    backscatter : numpy.ndarray, shape (channels, h, w)
        dB, NaN where not valid.
    incidence : numpy.ndarray, shape (h, w)
        Degrees.
    side : int
        Pixels of the square.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        0 to 1, NaN where nothing is known.
    """
    ice = [k for k, name in enumerate(classes.names) if name != WATER]
    probability = classes.probabilities(backscatter, incidence)[ice].sum(axis=0)
    known = np.isfinite(probability)
    total = ndimage.uniform_filter(np.where(known, probability, 0.0).astype(np.float64), side, mode="constant")
    share = ndimage.uniform_filter(known.astype(np.float64), side, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.clip(total / share, 0.0, 1.0)
    return np.where(known, mean, np.nan).astype(np.float32)


def errors(given: np.ndarray, truth: np.ndarray, *, edges: np.ndarray) -> dict[str, list[float]]:
    """Return the root mean square error of a concentration in bins of it.

    Parameters
    ----------
    given, truth : numpy.ndarray, shape (n,)
        Concentrations.
    edges : numpy.ndarray
        Of the bins.

    Returns
    -------
    dict
        ``concentration``, the mean of each bin, and ``rmse``; bins without a sample are left out.
    """
    k = np.clip(np.digitize(given, edges) - 1, 0, edges.size - 2)
    n = np.bincount(k, minlength=edges.size - 1)
    has = n > 0
    mean = np.bincount(k, given, edges.size - 1)[has] / n[has]
    square = np.bincount(k, (given.astype(np.float64) - truth) ** 2, edges.size - 1)[has] / n[has]
    return {"concentration": mean.tolist(), "rmse": np.sqrt(square).tolist()}


@functools.lru_cache(maxsize=1)
def shipped() -> tuple[angle_classes.AngleClasses, dict[str, list[float]]]:
    """Return the shipped classes and their errors."""
    with as_file(files("polynya") / "data" / FILE) as path:
        held = json.loads(opening.read_text(path))
    return angle_classes.of_dict(held["classes"]), held["errors"]


def uncertainty(found: np.ndarray, known: dict[str, list[float]]) -> np.ndarray:
    """Return the standard uncertainty of concentrations: the error that such ones had on simulated scenes.

    Parameters
    ----------
    found : numpy.ndarray
        0 to 1.
    known : dict
        Of :func:`errors`.
    """
    return np.interp(found, known["concentration"], known["rmse"]).astype(np.float32)
