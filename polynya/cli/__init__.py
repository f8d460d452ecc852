"""The command line: verbs only, a file a command. Heavy imports happen inside the commands, so that --help stays
quick."""

from __future__ import annotations

# the order of --help:
# isort: off
from . import (
    freeboard,
    grid,
    verify,
    info,
    simulate,
    glaciers,
    concentration,
    seaice,
    leads,
    tags,
    change,
    segment,
    tiles,
    label,
    review,
    train,
    evaluate,
    compare,
)

# isort: on
from .root import FINISHED_WITH_FAILURES, app, main

__all__ = [
    "FINISHED_WITH_FAILURES",
    "app",
    "change",
    "compare",
    "concentration",
    "evaluate",
    "freeboard",
    "glaciers",
    "grid",
    "info",
    "label",
    "leads",
    "main",
    "review",
    "seaice",
    "segment",
    "simulate",
    "tags",
    "tiles",
    "train",
    "verify",
]
