"""Where the real granules lie, and how a test says it needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("POLYNYA_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ICESAT2 = ROOT / "icesat2"


def real(name: str) -> Path:
    """Return a real file's path, or skip the test with the reason."""
    path = ICESAT2 / name
    if not path.exists():
        pytest.skip(f"the real granule {name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path


def sar(name: str) -> Path:
    """Return a real file of radar, radiometer or ice chart, or skip the test with the reason."""
    path = ROOT / "sar" / name
    if not path.exists():
        pytest.skip(f"the real file sar/{name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path


def altimetry(name: str) -> Path:
    """Return a real file of radar-altimeter echoes, or a simulated track beside them, or skip with the reason."""
    path = ROOT / "altimetry" / name
    if not path.exists():
        pytest.skip(f"the real file altimetry/{name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path


def scenes(name: str) -> Path:
    """Return a real metadata file or folder of scenes and outlines, or skip with the reason."""
    path = ROOT / "scenes" / name
    if not path.exists():
        pytest.skip(f"the real file scenes/{name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path
