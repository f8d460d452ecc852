"""NetCDF: the IOOS compliance checker finds nothing to correct in what is written."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from polynya import io, schema

CHECK = """
import sys
from compliance_checker.runner import CheckSuite, ComplianceChecker
CheckSuite.load_all_available_checkers()
passed, failed = ComplianceChecker.run_checker(
    sys.argv[2:], ["cf:1.11"], 0, "strict", output_filename=sys.argv[1], output_format="json_new"
)
"""


def columns(spec: schema.TableSpec, n: int = 20) -> dict:
    out = {}
    for v in spec.variables:
        kind = str(v.dtype)
        if kind.startswith("timestamp"):
            out[v.name] = np.datetime64("2020-01-01", "ns") + np.arange(n) * np.timedelta64(284, "us")
        elif kind.startswith("dictionary"):
            out[v.name] = "gt1l"
        else:
            out[v.name] = np.linspace(0, 1, n).astype(v.dtype.to_pandas_dtype())
    return out


def test_the_compliance_checker_has_nothing_to_correct(tmp_path):
    pytest.importorskip("compliance_checker", reason="of the extra [dev]")
    about = {"granule": "ATL03_x", "product": "ATL03", "release": "006"}
    paths = []
    for spec in (schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE):
        table = schema.table(spec, columns(spec), about=about)
        paths.append(str(io.write_netcdf(table, tmp_path / f"{spec.name}.nc")))
    # Another process: the checker brings an HDF5 library of its own.
    ran = subprocess.run(
        [sys.executable, "-c", CHECK, str(tmp_path / "found.json"), *paths], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert len(found) == len(paths)
    for path in paths:
        checks = next(v for k, v in found.items() if k.endswith(path))["cf:1.11"]
        assert checks["scored_points"] == checks["possible_points"] > 0
        assert [m for p in checks["all_priorities"] for m in p["msgs"]] == []
