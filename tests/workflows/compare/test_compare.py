"""A comparison with NASA's products whose numbers are known, what is refused, and a real ATL07."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from polynya.errors import OutputError, ProductError, UsageError
from polynya.readers import icesat2_atl10
from polynya.workflows import compare
from tests.evaluate.tracks import lead_table, segment_table, truth_table
from tests.real_files import real
from tests.workflows.evaluate.test_evaluate import segments_on

from .nasa_files import Nasa, write

GRANULE = "ATL03_20220103200000_02800610_006_01"
NASA = Nasa(cycle=6, rgt=280)
CELLS = 40_000
LEADS = tuple(c for k in range(16) for c in range(2_400 * k + 1_000, 2_400 * k + 1_040))


@pytest.fixture(scope="module")
def truth() -> pa.Table:
    """80 km of two beams, a lead of 80 m every 4.8 km, a rough surface."""
    table = truth_table(n=CELLS, lead_cells=LEADS)
    rough = np.tile(np.random.default_rng(1).normal(0, 0.1, CELLS), 2)
    rough[table["surface_class"].to_numpy() == 2] = 0.0
    for name in ("surface_height_footprint", "total_freeboard_footprint"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array((table[name].to_numpy() + rough).astype(np.float32)))
    return table


@pytest.fixture(scope="module")
def ours(truth, tmp_path_factory):
    """Ours: heights 0.02 m high, a sea level 0.03 m high."""
    return result(tmp_path_factory.mktemp("ours") / GRANULE, truth, height_error=0.02, sea_error=0.03)


def result(folder, truth, **errors):
    folder.mkdir(parents=True)
    segments = segment_table(truth, **errors)
    pq.write_table(segments.replace_schema_metadata({"resolution_m": "2.0"}), folder / "segments.parquet")
    x = 5_000_000.0 + 2.0 * (np.array(LEADS[::40]) + 20.0)
    rows = [(b, float(v), 80.0, 0.12 + 1e-6 * (v - 5e6)) for b in ("gt1l", "gt1r") for v in x]
    pq.write_table(lead_table(rows), folder / "leads.parquet")
    run = {"inputs": [{"granule": GRANULE, "orientation": "forward", "is_simulated": True}]}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def times_of(folder) -> np.ndarray:
    column = pq.read_table(folder / "segments.parquet", columns=["time"])["time"]
    return column.cast(pa.timestamp("ns")).to_numpy().astype("datetime64[ns]")


def files(folder, truth, ours, **changes):
    nasa = replace(NASA, **changes)
    return {
        p.lower(): write(folder / f"{p}.h5", truth, times_of(ours), product=p, nasa=nasa) for p in ("ATL07", "ATL10")
    }


@pytest.fixture(scope="module")
def found(truth, ours, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    given = files(folder, truth, ours, height=-0.01, sea_level=0.01, freeboard_to=0.5)
    return compare.run([ours], out=folder / "page", **given)


def score(found, quantity, statistic, *, reference="ATL10", region="all", surface="all"):
    rows = [
        r
        for r in found.tables["comparison"].to_pylist()
        if (r["quantity"], r["statistic"], r["reference"], r["region"], r["surface"])
        == (quantity, statistic, reference, region, surface)
    ]
    (row,) = rows
    return row


def test_differences_are_ours_minus_nasas(found):
    for reference in ("ATL07", "ATL10"):
        for region in ("all", "strong", "weak", "gt1l", "gt1r"):
            row = score(found, "height", "bias", reference=reference, region=region)
            assert row["value"] == pytest.approx(0.02 + 0.01, abs=1e-4)  # NASA's lie 0.01 m low, ours 0.02 m high
            assert row["uncertainty"] < 1e-3 and row["uncertainty_from"] == "bootstrap"
        assert score(found, "height", "median", reference=reference)["value"] == pytest.approx(0.03, abs=1e-3)
        assert score(found, "mean_sea_surface", "bias", reference=reference)["value"] == pytest.approx(0.0, abs=1e-6)
    level = score(found, "sea_level", "bias")
    assert level["value"] == pytest.approx(0.03 - 0.01, abs=2e-3) and level["n_sections"] == 8
    # Freeboard is height less sea level: ours has errors 0.02 - 0.03, NASA's -0.01 - 0.01; ice is never cut at 0.
    for quantity in ("freeboard", "freeboard_same_scale"):
        assert score(found, quantity, "bias", surface="all")["value"] == pytest.approx(0.01, abs=6e-3)
    ice = score(found, "freeboard", "bias", surface="ice")
    assert ice["value"] == pytest.approx(-0.01 + 0.02, abs=4e-3)


def test_atl07_sea_level_comes_from_its_leads_with_nasas_formulas(found):
    row = score(found, "sea_level", "bias", reference="ATL07")
    # NASA's water heights are true + 0.02 (footprint) - 0.01; our sea level is true + 0.03.
    assert row["value"] == pytest.approx(0.03 - 0.01, abs=3e-3) and row["n"] >= 14
    lead = score(found, "lead_height", "bias", reference="ATL07")
    assert lead["n"] == 32 and lead["value"] == pytest.approx(0.12 - 0.11, abs=1e-3)


def test_coverage_counts_what_either_has(found):
    value = {n: score(found, "coverage_freeboard", f"{n}_km")["value"] for n in ("ours", "theirs", "both", "ours_only")}
    assert value["ours"] == pytest.approx(160.0, abs=0.2)  # two beams of 80 km
    assert value["theirs"] == pytest.approx(80.0, abs=0.2) == value["both"]
    assert value["ours_only"] == pytest.approx(value["ours"] - value["both"])
    assert score(found, "coverage_freeboard", "theirs_share", region="gt1l")["value"] == pytest.approx(0.5, abs=0.01)
    assert score(found, "coverage_height", "both_share")["value"] == pytest.approx(1.0)


def test_roughness_inside_nasas_segments_is_kept(found):
    assert score(found, "roughness", "sd_within_median", surface="ice")["value"] == pytest.approx(0.1, rel=0.05)
    assert score(found, "roughness", "noise_rms", surface="ice")["value"] == pytest.approx(0.05, rel=1e-3)
    kept = score(found, "roughness", "within_rms", surface="ice")["value"]
    assert kept == pytest.approx(np.sqrt(0.1**2 - 0.05**2), rel=0.03)


def test_leads_of_either(found):
    assert score(found, "leads", "by_both")["value"] == 32 and score(found, "leads", "by_theirs")["value"] == 0
    for way in ("extents", "nearest"):
        row = score(found, f"specular_segments_{way}", "recall", surface="specular_lead")
        assert row["value"] == 1.0 and row["n"] == 64


def test_distributions_are_shares_of_track(found):
    rows = found.tables["distributions"].to_pylist()
    groups = {(r["quantity"], r["reference"], r["source"]) for r in rows}
    assert ("freeboard", "ATL10", "ours") in groups and ("freeboard", "ATL07", "theirs") not in groups
    for group in groups:
        part = [r for r in rows if (r["quantity"], r["reference"], r["source"]) == group]
        assert sum(r["share"] for r in part) == pytest.approx(1.0)
    mean = {
        s: sum(
            r["share"] * (r["low"] + r["high"]) / 2 for r in rows if (r["quantity"], r["source"]) == ("freeboard", s)
        )
        for s in ("theirs", "ours_averaged")
    }
    assert mean["ours_averaged"] - mean["theirs"] == pytest.approx(0.01, abs=0.01)


def test_the_folder_holds_page_json_and_tables(found):
    folder = found.folder
    page = (folder / "comparison.html").read_text()
    assert "Sea level above the mean sea surface, gt1l" in page and "Distributions" in page
    assert "http" not in page.replace("http-equiv", "") and "src=" not in page
    held = json.loads((folder / "comparison.json").read_text())
    assert held["granule"] == GRANULE and len(held["scores"]) == found.tables["comparison"].num_rows
    assert {r["product"] for r in held["references"]} == {"ATL07", "ATL10"}
    leads = pyarrow.csv.read_csv(folder / "compared_leads.csv")
    assert leads.num_rows == pq.read_table(folder / "compared_leads.parquet").num_rows > 0
    assert any("simulated" in m for m in found.messages)


def test_a_comparison_that_is_done_is_read_again_and_another_is_refused(truth, ours, found, tmp_path):
    given = {f"atl{n}": found.folder.parent / f"ATL{n}.h5" for n in ("07", "10")}
    again = compare.run([ours], out=found.folder, **given)
    assert again.was_done and again.messages == found.messages
    assert again.tables["comparison"].to_pylist()[0] == found.tables["comparison"].to_pylist()[0]
    with pytest.raises(OutputError, match="of another ATL10"):
        compare.run([ours], out=found.folder, atl07=given["atl07"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="no finished result"):
        compare.run([ours], out=tmp_path / "mine", **given)


def test_a_shifted_mean_sea_surface_is_named(truth, ours, tmp_path):
    given = files(tmp_path, truth, ours, mss=1.3)
    found = compare.run([ours], out=tmp_path / "page", atl10=given["atl10"])
    assert any("-0.300 m on average, RMS 0.300 m" in m for m in found.messages)
    assert score(found, "mean_sea_surface", "bias")["value"] == pytest.approx(-0.3, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rgt": 281}, "is of reference ground track 281; expected 280"),
        ({"cycle": 7}, "is of cycle 7; expected 6"),
        ({"orientation": 0}, "flew backward; expected forward"),
        ({"beams": ("gt3l",)}, r"ours lie on gt1l, gt1r; expected a beam in common"),
    ],
)
def test_another_pass_is_refused_in_one_line(truth, ours, tmp_path, changes, words):
    wide = truth
    if "beams" in changes:
        wide = truth.set_column(truth.column_names.index("beam"), "beam", pa.array(["gt3l"] * truth.num_rows))
    path = write(tmp_path / "a.h5", wide, times_of(ours), product="ATL07", nasa=replace(NASA, **changes))
    with pytest.raises(ProductError, match=words) as error:
        compare.run([ours], out=tmp_path / "page", atl07=path)
    assert "\n" not in str(error.value) and not (tmp_path / "page").exists()


def test_another_time_or_place_is_refused(truth, ours, tmp_path):
    late = write(tmp_path / "b.h5", truth, times_of(ours) + np.timedelta64(91, "D"), product="ATL10", nasa=NASA)
    with pytest.raises(ProductError, match="no ATL10 segment lies on our track"):
        compare.run([ours], out=tmp_path / "page", atl10=late)
    with pytest.raises(ProductError, match=r"holds ATL10.*expected ATL07"):
        compare.run([ours], out=tmp_path / "page", atl07=late)


def test_what_is_no_result_of_one_granule_is_refused(truth, ours, found, tmp_path):
    atl10 = found.folder.parent / "ATL10.h5"
    with pytest.raises(UsageError, match="neither is given"):
        compare.run([ours], out=tmp_path / "page")
    with pytest.raises(ProductError, match="no such folder"):
        compare.run([tmp_path / "nothing"], out=tmp_path / "page", atl10=atl10)
    with pytest.raises(UsageError, match=r"segments of 2 m, 2 m; expected different resolutions"):
        other = result(tmp_path / "again" / GRANULE, truth)
        compare.run([ours, other], out=tmp_path / "page", atl10=atl10)
    result(tmp_path / "again" / "ATL03_other", truth)
    with pytest.raises(UsageError, match="holds results of 2 granules"):
        compare.run([tmp_path / "again"], out=tmp_path / "page", atl10=atl10)
    assert compare.run([ours.parent], out=tmp_path / "whole", atl10=atl10).tables["comparison"].num_rows > 0


@pytest.mark.real
def test_photons_drawn_from_a_real_atl07_give_back_its_heights(tmp_path):
    from polynya.simulate.icesat2.from_atl07 import simulate_from_atl07
    from polynya.workflows import freeboard

    atl07 = real("processed_ATL07-01_20190222003738_08490201_003_02.h5")
    granule = simulate_from_atl07(atl07, tmp_path / "ATL03_20190222003738_08490201_006_02.h5", seed=3).granule
    outs = []
    for resolution in ("2", "150ph"):
        config = freeboard.Config.checked(resolution=resolution, classifier="rule")
        (record,) = freeboard.run([granule], out=tmp_path / resolution, config=config, workers=1)
        assert record.status == "done", record.message
        outs.append(tmp_path / resolution / granule.stem)
    found = compare.run(outs, out=tmp_path / "page", atl07=atl07)
    for label in ("2 m", "150ph"):
        rows = {
            (r["quantity"], r["statistic"]): r
            for r in found.tables["comparison"].to_pylist()
            if (r["resolution"], r["region"], r["surface"]) == (label, "all", "all")
        }
        assert rows["height", "bias"]["n"] > 200
        # Ours differ from NASA's by photon noise of the draw and NASA's own fit: centimetres.
        assert abs(rows["height", "median"]["value"]) < 0.03 and rows["height", "robust_sd"]["value"] < 0.06
        assert abs(rows["mean_sea_surface", "bias"]["value"]) < 0.005
    assert any("stores no sea level" in m for m in found.messages)
    other = real("processed_ATL07-01_20190226002919_09100201_003_02.h5")
    with pytest.raises(ProductError, match="is of reference ground track 910; expected 849"):
        compare.run(outs[:1], out=tmp_path / "other", atl07=other)


@pytest.mark.real
def test_a_real_atl10_without_freeboards_says_so(tmp_path):
    """Ours lie 0.01 m above NASA's own segments; the box is near land, so ATL10 has heights and leads only."""
    path = real("ATL10_subset_bbox_RossSea.h5")
    folder = tmp_path / "ATL03_20200101183000_00920610_006_01"
    folder.mkdir()
    segments = segments_on(path, offset=0.01, reader=icesat2_atl10, strong="r")
    pq.write_table(segments.replace_schema_metadata({"resolution_m": "2.0"}), folder / "segments.parquet")
    pq.write_table(lead_table([]), folder / "leads.parquet")
    (folder / "run.json").write_text(json.dumps({"inputs": [{"granule": folder.name, "orientation": "forward"}]}))
    found = compare.run([folder], out=tmp_path / "page", atl10=path)
    row = score(found, "height", "median")
    assert row["value"] == pytest.approx(0.01, abs=3e-3) and row["n"] > 3000
    assert score(found, "coverage_freeboard", "theirs_km")["value"] == 0.0
    assert score(found, "freeboard", "bias")["n"] == 0
    assert any("ATL10 has no freeboard where both have segments" in m for m in found.messages)
    leads = score(found, "leads", "by_theirs")
    assert leads["value"] == leads["n"] > 50  # ours has none


def test_a_lead_in_both_has_the_height_of_the_one_that_overlaps(truth, ours, tmp_path):
    """Of ours, a long lead reaches 20 m into NASA's of 80 m; the centre of a short one behind it is nearer."""
    folder = result(tmp_path / GRANULE, truth)
    theirs = 5_002_000.0, 5_002_080.0
    rows = [("gt1l", theirs[0] + 20.0 - 300.0, 600.0, 0.5), ("gt1l", theirs[1] + 15.0, 10.0, 0.9)]
    pq.write_table(lead_table(rows), folder / "leads.parquet")
    found = compare.run([folder], out=tmp_path / "page", atl10=files(tmp_path, truth, folder)["atl10"])
    leads = found.tables["compared_leads"].to_pylist()
    (here,) = [r for r in leads if r["beam"] == "gt1l" and theirs[0] < r["x_atc"] < theirs[1]]
    assert here["found_by"] == "both" and here["height_ours"] == pytest.approx(0.5)
    (alone,) = [r for r in leads if r["found_by"] == "ours"]
    assert alone["height_ours"] == pytest.approx(0.9)
