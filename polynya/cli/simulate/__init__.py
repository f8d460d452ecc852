"""Commands that simulate what a sensor delivers, with known truth: a file of commands each kind of product."""

from __future__ import annotations

# the order of --help:
# isort: off
from . import scenes, altimeters, optical

__all__ = ["altimeters", "optical", "scenes"]
