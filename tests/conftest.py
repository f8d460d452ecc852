"""Order of files, threads, and fixtures that several rooms share: small simulated granules, written once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Other work on the machine makes no example wrong.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# The workers of xdist share the cores out. Two threads in each wait for each other in a busy loop, and for no gain:
# networks of tests are tiny. Read when numpy's and torch's libraries are loaded; what tests set themselves holds.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent
FIRST = (
    "test_acceptance.py",
    "workflows/train/test_two_processes.py",
    "cluster/test_cluster.py",
    "engine/test_contract.py",
    "workflows/glaciers/test_glaciers.py",
    "test_mutations.py",
    "workflows/freeboard/test_freeboard.py",
    "test_train.py",
    "workflows/label/test_label.py",
    "simulate/icesat2/test_atl03.py",
    "simulate/test_pair.py",
    "workflows/test_change.py",
    "workflows/glaciers/test_again.py",
    "workflows/glaciers/test_inputs.py",
)
"""The longest files. Workers that take whole files take these first, so that at the end none works alone; the first two
share no compiled code, so that on a new clone it is compiled once and not by both."""


def pytest_configure(config):
    from polynya.io import onnx_files

    onnx_files.is_tried = False  # hundreds of tiny networks, each in a process of its own; its own tests turn it on
    if hasattr(config.option, "loadscopereorder"):  # else xdist sorts files by their number of tests
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    place = {ROOT / name: k for k, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(FIRST)))


@pytest.fixture(scope="session")
def granules(tmp_path_factory) -> Path:
    """Folder of the session's simulated granules; read only: copy before you change one."""
    return tmp_path_factory.mktemp("granules")


@pytest.fixture(scope="session")
def small_granule(granules) -> Path:
    """Simulated ATL03 of 3 km: one weak beam gt1l, one strong beam gt1r, winter."""
    from polynya.simulate.icesat2.atl03 import simulate

    return simulate(
        granules / "ATL03_20200115091200_02800603_006_01.h5", length_km=3, beams="gt1l,gt1r", seed=3
    ).granule
