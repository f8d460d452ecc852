"""Kernels: what they compute, what is kept of them, and that numba is imported only to compile."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polynya import compiled

MODULE = """
import numpy as np
from polynya.compiled import kernel, later, part

FACTOR = 3.0

@part
def scaled(v):
    return FACTOR * v

@kernel
def running(values, size, weight, out):
    for i in range(values.size):
        for j in range(max(i - size + 1, 0), i + 1):
            out[i] += scaled(values[j]) * weight

@kernel
def both(values, out):
    running(values, 2, 0.5, out)
    for i in range(out.shape[0]):
        out[i] = np.sqrt(out[i])

@kernel
def needs_python(values, out):
    out[0] = len(str(values.size))

@later
def total(values):
    s = 0.0
    for v in values:
        s += v
    return s, values.size
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of kernels whose machine code is not there yet."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "some_kernels.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("some_kernels", None)
    importlib.invalidate_caches()
    yield importlib.import_module("some_kernels")
    sys.modules.pop("some_kernels", None)


def kept(folder: Path, name: str = "") -> list[Path]:
    return sorted(folder.glob(f"__pycache__/some_kernels.{name}*.o"))


def in_a_process(folder: Path, program: str, **environment: str) -> dict:
    """Run a program that prints JSON, in a process whose imports begin in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys, numpy as np\n{program}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **environment},
    )
    return json.loads(done.stdout)


RUN = """
import some_kernels
out = np.zeros(4)
some_kernels.both(np.arange(4.0), out)
print(json.dumps({"out": out.tolist(), "numba": "numba" in sys.modules}))
"""
EXPECTED = np.sqrt(3.0 * 0.5 * np.array([0.0, 1.0, 3.0, 5.0])).tolist()


def test_a_kernel_computes_what_its_python_says(module, tmp_path):
    rng = np.random.default_rng(1)
    for dtype in (np.float64, np.float32, np.int16):
        values = (100 * rng.random(50)).astype(dtype)
        out = np.zeros(50)
        module.running(values, 7, 0.25, out)
        expected = [0.25 * 3.0 * sum(map(float, values[max(i - 6, 0) : i + 1])) for i in range(50)]
        assert np.allclose(out, expected, rtol=1e-12)
    assert len(kept(tmp_path, "running")) == 3  # a type of values, a file


def test_a_later_process_loads_it_without_numba(module, tmp_path):
    out = np.zeros(4)
    module.both(np.arange(4.0), out)
    assert out.tolist() == EXPECTED
    assert in_a_process(tmp_path, RUN) == {"out": EXPECTED, "numba": False}


def test_a_damaged_file_is_made_again(module, tmp_path):
    module.both(np.arange(4.0), np.zeros(4))
    (file,) = kept(tmp_path, "both")
    whole = file.read_bytes()
    for damaged in (b"", whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]):
        file.write_bytes(damaged)
        assert in_a_process(tmp_path, RUN) == {"out": EXPECTED, "numba": True}
        assert kept(tmp_path, "both") == [file]
        assert in_a_process(tmp_path, RUN)["numba"] is False


@pytest.mark.parametrize(("old", "new"), [("FACTOR = 3.0", "FACTOR = 12.0"), ("FACTOR * v", "FACTOR * v * 4.0")])
def test_a_changed_constant_or_part_is_compiled_again(module, tmp_path, old, new):
    module.both(np.arange(4.0), np.zeros(4))
    (tmp_path / "some_kernels.py").write_text(MODULE.replace(old, new))
    found = in_a_process(tmp_path, RUN)
    assert found["out"] == [2.0 * v for v in EXPECTED]


def test_what_machine_code_cannot_do_alone_numba_does(module, tmp_path):
    out = np.zeros(1)
    module.needs_python(np.zeros(123), out)
    assert out[0] == 3.0
    assert not kept(tmp_path, "needs_python")


def test_numba_is_used_where_its_functions_take_arguments_otherwise(module, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_is_as_expected", lambda machine: False)
    out = np.zeros(4)
    module.both(np.arange(4.0), out)
    assert out.tolist() == EXPECTED
    assert not kept(tmp_path)


def test_the_trial_passes_here():
    assert compiled._is_as_expected(compiled._machine())


def test_a_folder_that_takes_no_file_gives_way_to_the_users_cache(module, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    beside = tmp_path / "__pycache__"
    for file in beside.glob("*") if beside.is_dir() else ():
        file.unlink()
    beside.rmdir() if beside.is_dir() else None
    beside.write_text("no folder")
    module.both(np.arange(4.0), np.zeros(4))
    assert len(list((tmp_path / "cache/polynya").glob("some_kernels.both*.o"))) == 1


def test_arguments_that_machine_code_cannot_take_are_refused(module):
    values = np.arange(8.0)
    for wrong in (values[::2], values.reshape(2, 4).T[0], None, "text", np.array(1.0)):
        with pytest.raises(TypeError, match="running"):
            module.running(wrong, 2, 0.5, np.zeros(8))


def test_arrays_that_are_read_only_or_empty_are_taken(module):
    values = np.arange(4.0)
    values.flags.writeable = False
    out = np.zeros(4)
    module.both(values, out)
    assert out.tolist() == EXPECTED
    module.both(np.empty(0), np.empty(0))


def test_a_function_for_later_imports_numba_when_it_is_called(module, tmp_path):
    program = """
import some_kernels
before = "numba" in sys.modules
print(json.dumps({"before": before, "found": some_kernels.total(np.arange(4.0)), "after": "numba" in sys.modules}))
"""
    assert in_a_process(tmp_path, program) == {"before": False, "found": [6.0, 4], "after": True}


def test_without_a_compiler_python_runs_it(module, tmp_path):
    program = RUN.replace('"numba" in sys.modules', "False")
    assert in_a_process(tmp_path, program, NUMBA_DISABLE_JIT="1")["out"] == EXPECTED
    assert not kept(tmp_path)
