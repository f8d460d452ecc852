"""``polynya info`` on ice charts, concentration grids, AI4Arctic scenes and AMSR2 channels."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from shapely.geometry import box

from polynya.readers.ai4arctic_preparation import STATISTICS
from tests.real_files import sar

from ...readers import ai4arctic_files, ice_grids
from ..glaciers.pieces import cli


def test_a_chart_has_areas_by_concentration(tmp_path):
    path = tmp_path / "chart_20201102T1800Z.gpkg"
    columns = {"CT": ["50", "50", "92"], "CA": ["-9"] * 3, "SA": ["81"] * 3, "FA": ["03"] * 3, "POLY_TYPE": ["I"] * 3}
    shapes = [box(2e4 * k, -1e6, 2e4 * (k + 1), -1e6 + 2e4) for k in range(3)]
    gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:3413").to_file(path)
    code, said, _ = cli("info", path, "--json")
    about = json.loads(said)
    assert code == 0 and about["kind"] == "ice chart" and about["time"] == "2020-11-02T18:00Z"
    assert [(a["CT"], a["polygons"], a["area_chart_km2"]) for a in about["areas"]] == [(50, 2, 800.0), (92, 1, 400.0)]
    # the map's scale at 1000 km from the pole is 0.97-0.98 per length, so areas on the ellipsoid are larger
    assert all(1.03 < a["area_km2"] / a["area_chart_km2"] < 1.06 for a in about["areas"])
    code, text, _ = cli("info", path)
    assert code == 0 and "ice chart of 3 polygons" in text and "polynya evaluate" in text


def test_grids_scenes_and_channels_are_described(tmp_path):
    percent = np.array([[0.0, 20.0], [100.0, np.nan]])
    grid = ice_grids.osi_saf(tmp_path / "ice_conc.nc", percent, sigma=percent)
    code, said, _ = cli("info", grid, "--json")
    about = json.loads(said)
    assert code == 0 and (about["kind"], about["product"], about["known"]) == ("concentration", "OSI SAF", 0.75)
    assert about["mean_percent"] == pytest.approx(40.0) and about["share_of_ice_15"] == pytest.approx(2 / 3, abs=1e-4)
    assert about["cell"] == [10_000.0, 10_000.0] and about["has_uncertainty"]
    assert "sea-ice concentration (OSI SAF), 2 x 2 cells" in cli("info", grid)[1]
    scene = ai4arctic_files.prepared(tmp_path / ai4arctic_files.NAME, statistics=STATISTICS)
    about = json.loads(cli("info", scene, "--json")[1])
    assert (about["kind"], about["form"], about["shape"]) == ("ai4arctic", "ready to train", [60, 69])
    assert about["time"] == "2018-07-21T12:01:56Z" and about["extent"][1] < about["extent"][3] < 81.0
    assert "AI4Arctic scene, ready to train, 60 x 69 pixels of 80 m" in cli("info", scene)[1]
    raw = ai4arctic_files.raw(tmp_path / ai4arctic_files.RAW_NAME)
    assert json.loads(cli("info", raw, "--json")[1])["form"] == "raw"


def test_other_files_are_one_line(tmp_path):
    xr.Dataset({"z": (("y", "x"), np.zeros((2, 2)))}).to_netcdf(tmp_path / "z.nc", engine="h5netcdf")
    code, _, error = cli("info", tmp_path / "z.nc")
    assert code == 1 and "z.nc: holds z; expected sea-ice concentration, an AI4Arctic scene or AMSR2" in error
    for name in ("gone.nc", "gone.gpkg"):
        code, _, error = cli("info", tmp_path / name)
        assert code == 1 and f"{name}: no such file" in error and "\n" not in error
    gpd.GeoDataFrame({"rgi_id": ["a"]}, geometry=[box(0, 0, 1, 1)], crs=4326).to_file(tmp_path / "g.gpkg")
    code, _, error = cli("info", tmp_path / "g.gpkg")
    assert code == 1 and "expected CT, CA, SA and FA of a SIGRID-3 ice chart" in error


@pytest.mark.real
def test_real_files_are_described():
    code, said, _ = cli("info", sar("cis_chart_20201102_west.gpkg"), "--json")
    areas = {a["CT"]: a for a in json.loads(said)["areas"]}
    assert code == 0 and areas[91]["area_chart_km2"] == pytest.approx(235355.9, abs=0.1)
    assert areas[91]["area_km2"] == pytest.approx(229611.0, rel=1e-4)  # of an equal-area projection (EPSG:6931)
    name = "AMSR2_S1A_EW_GRDM_1SDH_20190823T033023_20190823T033127_028691_033F56_7A1D.nc"
    code, said, _ = cli("info", sar(f"asip_20190823/{name}"), "--json")
    about = json.loads(said)
    assert code == 0 and len(about["channels_k"]) == 14 and about["known"] == 1.0 and about["shape"] == [214, 209]
