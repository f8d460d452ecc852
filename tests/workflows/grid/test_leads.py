"""Maps of the share of leads: against plain counting, intervals against repeated draws, what is masked and refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer
from typer.testing import CliRunner

from polynya import io, schema
from polynya.cli import app
from polynya.errors import OutputError, PolynyaError, ProductError, UsageError
from polynya.physics.gridding import lead_share
from polynya.schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN
from polynya.schema.lead_grids import COUNTS, FEW_ECHOES, FEW_PASSES, LEAD_GRID_VARIABLES, MOSTLY_UNKNOWN, ONE_DAY
from polynya.schema.lead_labels import BITS, LEADS
from polynya.workflows.grid import leads

CONFIG = leads.LeadConfig(cell=100.0, cog=False)


def write(folder, name, classes, *, day="2016-01-12", latitude=80.0, longitude=0.0, quality=None, **about):
    """Write a result as polynya leads does: echoes at one place."""
    n = len(classes)
    time = np.datetime64(f"{day}T10:00", "ns") + np.arange(n) * np.timedelta64(25_000_000, "ns")
    columns = {v.name: np.full(n, np.nan) if v.units not in ("", "1") else np.zeros(n) for v in LEADS.variables}
    columns |= {
        "time": time,
        "latitude": np.full(n, latitude),
        "longitude": np.full(n, longitude),
        "source": f"{name}.nc",
        "echo": np.arange(n),
        "surface_class": np.asarray(classes),
        "lead_quality": np.zeros(n, int) if quality is None else quality,
    }
    meta = {"network": "near", "rule": "none", "mission": "SARAL", "is_simulated": False, **about}
    path = folder / name / "leads.parquet"
    path.parent.mkdir(parents=True)
    io.write_table(schema.table(LEADS, columns), path, spec=LEADS, about=meta)
    return path.parent


def cell(data, latitude=80.0, longitude=0.0):
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True).transform(longitude, latitude)
    return data.sel(x=x, y=y, method="nearest")


def test_shares_are_counts_over_counts(tmp_path):
    a = [LEAD] * 10 + [SEA_ICE] * 60 + [UNKNOWN] * 20 + [OCEAN] * 10
    b = [LEAD] * 30 + [SEA_ICE] * 50
    write(tmp_path / "r", "a", a)
    write(tmp_path / "r", "b", b, day="2016-01-13")
    write(tmp_path / "r", "c", [LEAD] * 60, day="2016-02-01", latitude=75.0)
    out = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    data = xr.open_dataset(out.files["netcdf"])
    january = cell(data.isel(time=0))
    assert float(january.lead_fraction) == pytest.approx(40 / 150)
    assert float(january.unknown_share) == pytest.approx(20 / 180)
    assert int(january.n_echoes) == 150 and int(january.n_ocean) == 10
    assert (int(january.n_tracks), int(january.n_days)) == (2, 2) and int(january.sampling_flag) == FEW_PASSES
    assert float(january.lead_fraction_low) < 40 / 150 < float(january.lead_fraction_high)
    february = cell(data.isel(time=1), latitude=75.0)
    assert float(february.lead_fraction) == 1.0 and int(february.sampling_flag) == FEW_PASSES | ONE_DAY
    assert float(february.lead_fraction_low) < 0.5  # one pass counts as one echo
    assert [p["period"] for p in out.periods] == ["2016-01", "2016-02"]
    assert {v.name for v in LEAD_GRID_VARIABLES} <= set(data.data_vars) and data.attrs["Conventions"].startswith("CF")


def test_few_echoes_are_masked_and_mostly_unknown_is_flagged(tmp_path):
    write(tmp_path / "r", "a", [LEAD] * 9 + [SEA_ICE] * 40 + [UNKNOWN] * 60)
    out = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    found = cell(xr.open_dataset(out.files["netcdf"]).isel(time=0))
    assert np.isnan(float(found.lead_fraction)) and int(found.n_echoes) == 49 and int(found.n_lead) == 9
    assert int(found.sampling_flag) == FEW_PASSES | ONE_DAY | FEW_ECHOES | MOSTLY_UNKNOWN
    assert "No cell has enough" in " ".join(out.messages)


def test_summer_is_left_out_and_counted(tmp_path):
    quality = np.where(np.arange(100) < 30, BITS["melt_season"], 0)
    write(tmp_path / "r", "a", [LEAD] * 30 + [SEA_ICE] * 70, quality=quality)
    out = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    found = cell(xr.open_dataset(out.files["netcdf"]).isel(time=0))
    assert float(found.lead_fraction) == 0.0 and int(found.n_left_out) == 30
    kept = leads.run([tmp_path / "r"], out=tmp_path / "h", config=leads.LeadConfig.checked(cell=100, leave_out="none"))
    assert float(cell(xr.open_dataset(kept.files["netcdf"]).isel(time=0)).lead_fraction) == pytest.approx(0.3)
    with pytest.raises(UsageError, match="is no quality bit of leads"):
        leads.LeadConfig.checked(leave_out="few_photons")


def counts(n, lead, track, cell):
    zero = np.zeros(len(n), np.int64)
    columns = {**dict.fromkeys(COUNTS, zero), "n_lead": np.asarray(lead), "n_sea_ice": np.asarray(n) - lead}
    return lead_share.LeadCounts(
        period=zero,
        cell=np.asarray(cell),
        track=np.array([str(t) for t in track]),
        day=np.asarray(track),
        counts=columns,
    )


def test_intervals_hold_the_share_when_echoes_of_a_pass_are_alike():
    """Passes of 100 echoes whose leads come in stretches of 20: 95 % intervals hold the true share in most cells."""
    rng = np.random.default_rng(3)
    cells, passes = 400, 8
    lead = 20 * rng.binomial(5, 0.15, size=(cells, passes))
    given = counts(
        np.full(cells * passes, 100),
        lead.ravel(),
        np.tile(np.arange(passes), cells),
        np.repeat(np.arange(cells), passes),
    )
    found = lead_share.shares(given)
    assert found.design_effect[0] == pytest.approx(20.0, rel=0.15)
    held = (found.values["lead_fraction_low"] <= 0.15) & (found.values["lead_fraction_high"] >= 0.15)
    assert 0.92 < held.mean() < 0.99
    naive = lead_share.wilson(found.values["lead_fraction"], found.values["n_echoes"].astype(float))
    assert np.mean((naive[0] <= 0.15) & (naive[1] >= 0.15)) < 0.5  # independent echoes would be a lie


def test_independent_echoes_have_no_design_effect():
    rng = np.random.default_rng(4)
    lead = rng.binomial(100, 0.2, size=2000)
    given = counts(np.full(2000, 100), lead, np.tile(np.arange(10), 200), np.repeat(np.arange(200), 10))
    assert lead_share.shares(given).design_effect[0] == pytest.approx(1.0, abs=0.1)


def test_wilson_is_that_of_a_table():
    low, high = lead_share.wilson(np.array([0.0, 0.5, np.nan]), np.array([10.0, 10.0, 5.0]))
    assert (low[0], high[0]) == pytest.approx((0.0, 0.2775), abs=1e-3)  # 0 of 10
    assert (low[1], high[1]) == pytest.approx((0.2366, 0.7634), abs=1e-3)  # 5 of 10
    assert np.isnan(low[2])


def test_order_and_resuming_change_nothing(tmp_path):
    for k in range(3):
        write(tmp_path / "r", f"f{k}", [LEAD] * (10 + k) + [SEA_ICE] * 80, day=f"2016-01-1{k}")
    first = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    again = leads.run(sorted((tmp_path / "r").iterdir())[::-1], out=tmp_path / "g", config=CONFIG)
    assert {r.status for r in first.records} == {"done"} and {r.status for r in again.records} == {"skipped"}
    assert first.periods == again.periods
    write(tmp_path / "r", "g", [LEAD] * 60)
    with pytest.raises(OutputError, match="--overwrite"):
        leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    assert leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG, overwrite=True).periods[0]["n_lead"] == 93


def test_results_of_two_kinds_are_refused(tmp_path):
    write(tmp_path / "r", "a", [LEAD] * 60)
    write(tmp_path / "r", "b", [LEAD] * 60, network="none", rule="CPOM")
    with pytest.raises(UsageError, match="has network none, but a has near"):
        leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    write(tmp_path / "s", "c", [LEAD] * 60, network_sha256="1")
    with pytest.raises(UsageError, match="has network sha256 1, but a has"):
        leads.run([tmp_path / "r" / "a", tmp_path / "s" / "c"], out=tmp_path / "g", config=CONFIG)
    with pytest.raises(UsageError, match="is there twice"):
        other = write(tmp_path / "q", "a", [LEAD] * 60)
        leads.run([tmp_path / "r" / "a", other], out=tmp_path / "g", config=CONFIG)
    with pytest.raises(ProductError, match="no such folder"):
        leads.run([tmp_path / "none"], out=tmp_path / "g", config=CONFIG)
    assert not (tmp_path / "g").exists()


def test_modes_of_one_mission_share_a_map(tmp_path):
    """CPOM's rule has a threshold for SAR and one for SARIn: CryoSat-2 passes through both within minutes."""
    sar, sarin = (f"CPOM: cpom peakiness 18/9, stack {s}" for s in ("6.29", "4.62"))
    about = {"network": "none", "mission": "CryoSat-2"}
    write(tmp_path / "r", "a", [LEAD] * 30 + [SEA_ICE] * 50, rule=sar, **about)
    write(tmp_path / "r", "b", [LEAD] * 10 + [SEA_ICE] * 60, rule=sarin, **about)
    write(tmp_path / "r", "c", [SEA_ICE] * 10, rule=f"{sar} / {sarin}", **about)
    out = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    assert out.periods[0]["n_lead"] == 40 and out.periods[0]["n_echoes"] == 160
    [note] = [m for m in out.messages if "other thresholds for each mode" in m]
    assert sar in note and sarin in note and note.count("CPOM") == 2
    for name, other in (("d", {**about, "mission": "Sentinel-3A"}), ("e", {**about, "network": "near"})):
        write(tmp_path / name, name, [SEA_ICE] * 10, rule=sarin, **other)
        with pytest.raises(UsageError, match="expected results of one kind"):
            leads.run([tmp_path / "r" / "a", tmp_path / name], out=tmp_path / "h", config=CONFIG)
    write(tmp_path / "f", "f", [SEA_ICE] * 10, rule="pysiral: peakiness 66", **about)
    with pytest.raises(UsageError, match="has rule pysiral"):
        leads.run([tmp_path / "r" / "a", tmp_path / "f"], out=tmp_path / "h", config=CONFIG)


def test_what_the_network_was_taught_is_said(tmp_path):
    write(tmp_path / "r", "a", [LEAD] * 30 + [SEA_ICE] * 70, threshold_m=500.0)
    out = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    assert "The network was taught that a lead is nearer to nadir than 500 m." in out.messages
    assert "network near, a lead is nearer than 500 m" in (tmp_path / "g" / "maps" / "index.html").read_text()
    assert xr.open_dataset(out.files["netcdf"]).attrs["threshold_m"] == "500.0"
    write(tmp_path / "s", "b", [LEAD] * 30 + [SEA_ICE] * 70)  # of an earlier version: states none
    assert not any("taught" in m for m in leads.run([tmp_path / "s"], out=tmp_path / "h", config=CONFIG).messages)


def test_the_command_makes_maps_and_says_simulated(tmp_path):
    write(tmp_path / "r", "a", [LEAD] * 30 + [SEA_ICE] * 70, is_simulated=True)
    result = CliRunner().invoke(app, ["grid", str(tmp_path / "r"), "-o", str(tmp_path / "g"), "--cell", "100km"])
    assert result.exit_code == 0, result.exception
    assert "2016-01: 1 cell with a share" in result.stdout and "Simulated, not satellite data" in result.stdout
    page = (tmp_path / "g" / "maps" / "index.html").read_text()
    assert "Simulated, not satellite data" in page and "not the area of open water" in page
    assert (tmp_path / "g" / "maps" / "cog" / "2016-01" / "lead_fraction.tif").is_file()
    answer = CliRunner().invoke(
        app, ["grid", str(tmp_path / "r"), "-o", str(tmp_path / "g"), "--cell", "100km", "--json"]
    )
    assert json.loads(answer.stdout)["periods"][0]["lead_fraction"] == pytest.approx(0.3)
    bad = tmp_path / "r" / "b" / "leads.parquet"
    bad.parent.mkdir()
    bad.write_bytes(b"PAR1 no table")
    result = CliRunner().invoke(app, ["grid", str(tmp_path / "r"), "-o", str(tmp_path / "h"), "--cell", "100km"])
    assert isinstance(result.exception, PolynyaError) and not (tmp_path / "h").exists()


def test_ice_of_the_other_hemisphere_is_counted_and_said(tmp_path):
    """A pass of AltiKa sees both: the maps are of one."""
    latitude = np.where(np.arange(200) < 120, 80.0, -70.0)
    quality = np.where(np.arange(200) < 150, 0, BITS["melt_season"])
    write(tmp_path / "r", "a", [LEAD] * 20 + [SEA_ICE] * 180, latitude=latitude, quality=quality)
    out = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    assert out.periods[0]["n_echoes"] == 120
    assert any(m.startswith("30 echoes of leads and ice lie outside") and "--crs EPSG:3976" in m for m in out.messages)
    again = leads.run([tmp_path / "r"], out=tmp_path / "g", config=CONFIG)
    assert again.messages == out.messages
