"""Where and when classes do not hold: summer, open ocean, land, low latitudes."""

from __future__ import annotations

import h5py
import numpy as np
import rasterio

from polynya.readers import echo_files
from polynya.samples import labelled_echoes
from polynya.schema import lead_labels
from polynya.schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN
from polynya.schema.lead_labels import BITS
from tests.readers import echo_made
from tests.real_files import altimetry

from .results import changed, columns, run, run_json


def test_summer_is_said_in_terminal_page_and_record(tmp_path):
    path = echo_made.altika_groups(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        seconds = (np.datetime64("2016-07-05") - np.datetime64("2000-01-01")) / np.timedelta64(1, "s")
        file["data_40/time"][...] = file["data_40/time"][...] - file["data_40/time"][0, 0] + seconds
    record = run(path, tmp_path / "out", lead_db=40.0)
    assert "All of the echoes lie in the melt season" in record.message
    assert "melt season" in (tmp_path / "out" / "a" / "report.html").read_text()
    said = run_json(tmp_path / "out", "a")
    assert any("melt season" in m for m in said["messages"])
    assert (columns(tmp_path / "out", "a")["lead_quality"] & BITS["melt_season"] > 0).all()


def test_open_ocean_of_a_grid_is_ocean(tmp_path, simulated, network):
    path, _ = simulated
    grid = tmp_path / "ice.tif"
    profile = {"driver": "GTiff", "height": 180, "width": 360, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(grid, "w", transform=rasterio.transform.from_origin(-180, 90, 1, 1), **profile) as file:
        file.write(np.full((1, 180, 360), 0.05, np.float32))
    record = run(path, tmp_path / "o", network=str(network), concentration=str(grid))
    c = columns(tmp_path / "o", "track")
    assert (c["surface_class"] == OCEAN).all() and (c["unknown_cause"] == 0).all()
    assert "that of ice.tif for all echoes; whether it is of their day is not checked" in record.message
    assert (c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"] > 0).all()
    assert "All of the echoes lie over open ocean" in record.message


def test_sentinel_classes_and_low_latitudes(tmp_path):
    path = altimetry("s3a_sral_coastal_echoes_2019.nc")
    record = run(path, tmp_path)
    c = columns(tmp_path, path.stem)
    assert (c["surface_class"] == UNKNOWN).all() and (c["unknown_cause"] == lead_labels.NO_NETWORK_OR_RULE).all()
    assert (c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"] > 0).all()
    assert not (c["lead_quality"] & BITS["melt_season"]).any() and "open ocean" in record.message


def test_land_has_no_lead_beside_nadir_and_no_probability(tmp_path, simulated, network):
    path = changed(simulated[0], tmp_path / "land.nc", surface_type=lambda v: np.where(np.arange(v.size) < 10, 3, 0))
    run(path, tmp_path / "out", network=str(network))
    c, land = columns(tmp_path / "out", "land"), np.arange(800) < 400
    assert (c["unknown_cause"][land] == lead_labels.NOT_SEA).all() and (c["surface_class"][land] == UNKNOWN).all()
    for name in ("lead_probability", "lead_distance", "lead_distance_low", "lead_distance_high", "range_delay"):
        assert (np.isnan(c[name]) == land).all(), name
    assert (c["range_flag"][land] == lead_labels.RANGE_NOT_CHECKED).all()
    assert (c["range_flag"][~land] == lead_labels.OFF_NADIR).any()


def test_a_file_of_land_alone_ends_well(tmp_path, simulated, network):
    record = run(changed(simulated[0], tmp_path / "land.nc", surface_type=3), tmp_path, network=str(network))
    assert record.status == "done" and "All of the echoes are unknown: 800 over land" in record.message
    assert record.numbers["n_off_nadir"] == 0 and np.isnan(record.numbers["lead_fraction"])
    assert "no echo of sea" in record.message and "bends its range" not in record.message


def test_land_is_no_part_of_the_level_of_power(tmp_path, simulated):
    """Whatever the gain is over land: what a network is given over the sea beside it stays."""
    given = []
    for k, gain in enumerate((0.0, 25.0)):
        land = {"surface_type": lambda v: np.where(np.arange(v.size) < 8, 3, 0)}
        path = changed(simulated[0], tmp_path / f"{k}.nc", **land, agc_40hz=lambda v, g=gain: raised(v, g))
        values, _, _ = labelled_echoes.inputs_of(
            echo_files.read(path), ("max_power_db", "agc", "peakiness"), most_steps=2.0
        )
        given.append(values)
    assert (given[0][320:] == given[1][320:]).all() and np.isfinite(given[0][320:]).all()
    assert (given[0][:320, 1] != given[1][:320, 1]).all()


def raised(agc, gain):
    """Return gain controls that are larger in the first eight rows, which are 320 echoes."""
    return np.where(np.arange(len(agc))[:, None] < 8, agc + gain, agc)


def test_few_sea_echoes_around_are_flagged(tmp_path, simulated, network):
    """80 echoes of sea between land: less than a quarter of the 401 around; at the rim of the file the window is"
    " cut."""
    land = {"surface_type": lambda v: np.where(np.isin(np.arange(v.size), (8, 9, 19)), 0, 3)}
    path = changed(simulated[0], tmp_path / "strait.nc", **land)
    record = run(path, tmp_path, network=str(network))
    c = columns(tmp_path, "strait")
    sea = np.isin(np.arange(800) // 40, (8, 9, 19))
    share = [np.mean(sea[max(k - 200, 0) : k + 201]) for k in range(800)]
    expected = sea & (np.array(share) < 0.25)
    assert (
        (c["lead_quality"] & BITS["few_sea_echoes_around"]) > 0
    ).tolist() == expected.tolist() and expected.sum() > 80
    assert "land around (bit few_sea_echoes_around)" in record.message
    run(path, tmp_path / "rule", network="rule", lead_db=38.0)  # no network, no level
    assert not (columns(tmp_path / "rule", "strait")["lead_quality"] & BITS["few_sea_echoes_around"]).any()


def test_a_concentration_has_ice_where_latitudes_have_none(tmp_path, simulated, network):
    """The Bohai Sea: ice where the grid says so; without a grid a bit says that nothing is looked for."""
    path = changed(simulated[0], tmp_path / "bohai.nc", lat_40hz=lambda v: v - 42.0)
    latitude = echo_files.read(path).latitude
    assert latitude.min() > 36.0 and latitude.max() < 40.0
    plain = run(path, tmp_path / "a", network=str(network))
    c = columns(tmp_path / "a", "bohai")
    assert (c["surface_class"] == OCEAN).all() and (c["lead_quality"] & BITS["latitude_not_searched"] > 0).all()
    assert "no ice and no leads are looked for" in plain.message and "--concentration GRID" in plain.message
    grid = tmp_path / "ice.tif"
    profile = {"driver": "GTiff", "height": 180, "width": 360, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(grid, "w", transform=rasterio.transform.from_origin(-180, 90, 1, 1), **profile) as file:
        file.write(np.full((1, 180, 360), 0.9, np.float32))
    ice = run(path, tmp_path / "b", network=str(network), concentration=str(grid))
    c = columns(tmp_path / "b", "bohai")
    p = c["lead_probability"]
    assert c["surface_class"].tolist() == np.where(p >= 0.5, LEAD, np.where(p <= 0.2, SEA_ICE, UNKNOWN)).tolist()
    assert not (c["lead_quality"] & (BITS["latitude_not_searched"] | BITS["open_ocean_or_low_ice_concentration"])).any()
    assert "looked for" not in ice.message and ice.numbers["n_lead"] > 0


def test_latitudes_without_ice_have_neither_leads_nor_ice(tmp_path, simulated, network):
    """A pass of AltiKa runs from pole to pole: calm water of the tropics is no lead."""
    path = changed(simulated[0], tmp_path / "low.nc", lat_40hz=lambda v: v - 70.0)
    record = run(path, tmp_path / "a", network=str(network))
    c = columns(tmp_path / "a", "low")
    assert (c["surface_class"] == OCEAN).all() and record.numbers["n_off_nadir"] == 0
    assert (c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"] > 0).all()
    run(path, tmp_path / "b", network="rule", lead_db=38.0)
    c = columns(tmp_path / "b", "low")
    assert (c["surface_class"] == OCEAN).all() and set(c["rule_class"].tolist()) == {LEAD, SEA_ICE}
