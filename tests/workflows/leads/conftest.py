"""A small network and a simulated track, made once."""

from __future__ import annotations

import pytest

from .echo_networks import around
from .echo_networks import track as write_track


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    return around(tmp_path_factory.mktemp("n") / "near.onnx")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "track.nc"
    return path, write_track(path)
