"""How the learning rate moves over a training."""

from __future__ import annotations

import math

from . import Optimiser


def learning_rate(settings: Optimiser, progress: float) -> float:
    """Return the learning rate.

    Parameters
    ----------
    settings : Optimiser
        Of the recipe.
    progress : float
        0 (first step) to 1 (the end of the last).
    """
    top = settings.rate
    if settings.schedule == "onecycle":
        if progress < 0.3:
            return _between(top / 25.0, top, progress / 0.3)
        return _between(top, top / 1e4, (progress - 0.3) / 0.7)
    if settings.schedule == "restarts":  # a cosine between each two ends (Loshchilov and Hutter 2017, arXiv:1608.03983)
        ends = (0.0, *settings.restarts, 1.0)
        k = max(i for i, end in enumerate(ends[:-1]) if progress >= end - 1e-9)
        return _between(top, 0.0, (progress - ends[k]) / (ends[k + 1] - ends[k]))
    rise = min(1.0, progress / settings.warmup) if settings.warmup > 0 else 1.0
    if settings.schedule == "cosine":
        return rise * _between(top, 0.0, max(0.0, progress - settings.warmup) / (1.0 - settings.warmup))
    return rise * top


def _between(first: float, last: float, share: float) -> float:
    """Half a cosine from first to last."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * min(max(share, 0.0), 1.0)))
