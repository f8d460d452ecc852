"""Rules and classes of products: which answers, why echoes are unknown, what they lack."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
import rasterio

from polynya.errors import UsageError
from polynya.physics import lead_rules, waveform_features
from polynya.physics.peakiness import CPOM
from polynya.readers import altika_sgdr, cryosat2_l2i, echo_files
from polynya.schema import lead_labels
from polynya.schema.echoes import LEAD, SEA_ICE, UNKNOWN
from polynya.schema.lead_labels import BITS
from polynya.workflows import leads
from tests.real_files import altimetry

from ...readers import echo_made
from .echo_networks import around
from .results import columns, run


def test_a_foreign_mission_is_asked_for_and_said(tmp_path, network):
    path = altimetry("CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc")
    plain = run(path, tmp_path / "a")
    assert "No network answers for CryoSat-2" in plain.message
    name = path.stem
    assert np.isnan(columns(tmp_path / "a", name)["lead_probability"]).all()
    record = run(path, tmp_path / "b", network=str(network))
    c = columns(tmp_path / "b", name)
    assert "has not learned (it has learned SARAL, lrm)" in record.message
    assert (c["lead_quality"] & BITS["mode_or_mission_not_in_training"] > 0).all()
    over_ice_sheet = echo_files.read(path).surface_type == 2
    assert (np.isfinite(c["lead_probability"]) == ~over_ice_sheet).all() and over_ice_sheet.sum() == 200


def test_cpom_takes_the_concentration_of_a_grid(tmp_path):
    """The rule beside is that of lead_rules on the same numbers; without a concentration ice stays unknown."""
    path = altimetry("CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc")
    grid = tmp_path / "ice.tif"
    profile = {"driver": "GTiff", "height": 40, "width": 40, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    echoes = echo_files.read(path)
    west, north = float(np.floor(echoes.longitude.min())) - 1, -60.0
    with rasterio.open(grid, "w", transform=rasterio.transform.from_origin(west, north, 0.5, 0.5), **profile) as file:
        file.write(np.full((1, 40, 40), 90.0, np.float32))
    run(path, tmp_path / "a", concentration=str(grid))
    f = waveform_features.features(echoes.waveform, scale=echoes.scale, fill=echoes.fill)
    expected = lead_rules.cpom(
        f.peakiness(CPOM),
        stack_std=echoes.stack_std,
        sea_ice_concentration=np.full(300, 0.9),
        rule=lead_rules.CPOM_SAR,
    ).classes
    c = columns(tmp_path / "a", path.stem)
    assert c["rule_class"].tolist() == expected.tolist() and (expected == SEA_ICE).sum() > 50
    over_sea = np.isin(echoes.surface_type, (0, 1))
    assert (c["surface_class"] == np.where(over_sea, expected, UNKNOWN)).all()
    assert (c["unknown_cause"][~over_sea] == lead_labels.NOT_SEA).all()
    np.testing.assert_allclose(c["peakiness"], f["peakiness_cpom"])
    run(path, tmp_path / "b")
    without = columns(tmp_path / "b", path.stem)
    assert (without["unknown_cause"][over_sea] == lead_labels.INPUT_MISSING).all()
    assert (without["rule_class"] != SEA_ICE).all()


def test_lrm_is_unknown_and_says_why(tmp_path):
    path = altimetry("CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc")
    record = run(path, tmp_path)
    c = columns(tmp_path, path.stem)
    assert (c["surface_class"] == UNKNOWN).all() and c["echo"].size == 2597
    assert set(c["unknown_cause"].tolist()) == {lead_labels.NO_NETWORK_OR_RULE, lead_labels.NOT_SEA}
    assert "for whose mission and mode there is no network and no rule" in record.message
    assert "melt season" not in record.message  # December, north


def test_l2i_has_the_product_class_and_summer_and_ocean_are_said(tmp_path):
    path = altimetry("CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc")
    record = run(path, tmp_path)
    echoes, c = cryosat2_l2i.read(path), columns(tmp_path, path.stem)
    over_sea = ~np.isin(echoes.surface_type, (2, 3))
    assert (c["product_class"] == echoes.surface_class).all()
    assert (c["surface_class"] == np.where(over_sea, echoes.surface_class, UNKNOWN)).all()
    ocean = over_sea & (echoes.sea_ice_concentration < 0.15)
    assert ((c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"]) > 0).tolist() == ocean.tolist()
    assert "open ocean" in record.message and ocean.any()
    with pytest.raises(UsageError, match="has no echoes that a network could take"):
        leads.process(
            leads.Item(path=str(path), folder=str(tmp_path / "x")),
            config=leads.Config(network=str(around(tmp_path / "n.onnx"))),
        )
    assert not (tmp_path / "x").exists()


def test_maximum_power_has_the_users_limits(tmp_path, simulated):
    path, _ = simulated
    record = run(path, tmp_path / "a", network="rule", lead_db=38.0, ice_db=30.0)
    c = columns(tmp_path / "a", "track")
    power = c["maximum_power_db"]
    expected = np.where(power >= 38.0, LEAD, np.where(power < 30.0, SEA_ICE, UNKNOWN))
    assert c["surface_class"].tolist() == expected.tolist()
    echoes = altika_sgdr.read(path)
    np.testing.assert_allclose(power, 10 * np.log10(echoes.waveform.max(axis=1)) + echoes.agc, rtol=1e-6)
    assert (c["unknown_cause"][expected == UNKNOWN] == lead_labels.RULE_UNDECIDED).all()
    assert (c["range_flag"] == lead_labels.RANGE_NOT_CHECKED).all() and "without distances" in record.message
    none = run(path, tmp_path / "b", network="rule")
    assert (columns(tmp_path / "b", "track")["surface_class"] == UNKNOWN).all()
    assert "no published threshold" in none.message


def test_what_a_rule_lacks_is_named(tmp_path):
    """CPOM's rule needs the concentration and the stack: a file that lacks one, and one that lacks both."""
    path = echo_made.cryosat(tmp_path / "CS.nc")
    concentration = "that lack an input of the rule cpom: the sea-ice concentration (--concentration GRID gives it)"
    message = run(path, tmp_path / "a").message
    assert concentration in message and "of the stack" not in message
    with h5py.File(path, "a") as file:
        del file["stack_std_20_ku"]
    assert f"{concentration} and the standard deviation of the stack" in run(path, tmp_path / "b").message


def test_without_gain_control_there_is_no_power_and_it_is_said(tmp_path, simulated, network):
    """Counts alone say nothing of power: the loop keeps them near its target, over leads too."""
    path = tmp_path / "no_agc.nc"
    shutil.copy(simulated[0], path)
    with h5py.File(path, "a") as file:
        del file["agc_40hz"]
    record = run(path, tmp_path / "a", network="rule", lead_db=38.0)
    c = columns(tmp_path / "a", "no_agc")
    assert np.isnan(c["maximum_power_db"]).all() and (c["surface_class"] == UNKNOWN).all()
    assert (c["unknown_cause"] == lead_labels.INPUT_MISSING).all()
    assert "800 that lack an input of the rule" in record.message and "the gain control is missing" in record.message
    told = run(path, tmp_path / "b", network=str(network))
    assert "All of the echoes have no gain control (agc)" in told.message
    assert "gain control" not in run(simulated[0], tmp_path / "c", network=str(network)).message
