"""Scores against a truth whose errors are put in by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from polynya import evaluate, schema
from polynya.errors import ProductError
from polynya.evaluate.rows import cut

from .tracks import START, lead_table, lookup, section_table, segment_table, truth_table

LEADS = [*range(500, 520), *range(1500, 1502), *range(2500, 2600)]
FOOTPRINT, CELL = "truth: footprint mean", "truth: 2 m cell"


def test_perfect_segments_score_perfectly():
    truth = truth_table(lead_cells=LEADS, thin_cells=range(2000, 2100))
    get = lookup(evaluate.against_truth(segment_table(truth), truth))
    for name in ("thick_ice", "thin_ice", "open_water", "ice"):
        for metric in ("precision", "recall", "f1", "iou"):
            assert get(metric, name)["value"] == 1.0
    assert get("macro_f1")["value"] == 1.0
    assert get("accuracy_of_majority_class")["value"] == pytest.approx((3000 - 222) / 3000)
    assert get("recall", "open_water")["n"] == 2 * len(LEADS)
    assert get("height_rmse", reference=FOOTPRINT)["value"] == pytest.approx(0.0, abs=1e-6)
    assert get("height_bias", reference=CELL)["value"] == pytest.approx(0.02, abs=1e-6)
    assert get("share_matched")["value"] == 1.0 and get("share_observed", "open_water")["value"] == 1.0


def test_errors_come_back_by_strength():
    truth = truth_table(lead_cells=LEADS)
    strong = truth["is_strong"].to_numpy()
    segments = segment_table(truth, height_error=np.where(strong, 0.03, -0.04), sea_error=np.where(strong, 0.01, -0.02))
    get = lookup(evaluate.against_truth(segments, truth))
    for region, height, sea, n in (("strong", 0.03, 0.01, 3000), ("weak", -0.04, -0.02, 3000)):
        assert get("height_bias", region=region, reference=FOOTPRINT)["value"] == pytest.approx(height, abs=1e-5)
        assert get("sea_surface_bias", region=region)["value"] == pytest.approx(sea, abs=1e-5)
        row = get("freeboard_bias", region=region, reference=FOOTPRINT)
        assert row["value"] == pytest.approx(height - sea, abs=1e-5) and row["n"] == n and row["units"] == "m"
        assert get("freeboard_mean_1km_bias", region=region, reference=FOOTPRINT)["value"] == pytest.approx(
            height - sea, abs=1e-5
        )
    assert get("height_bias", reference=FOOTPRINT)["value"] == pytest.approx(-0.005, abs=1e-5)
    assert get("height_rmse", reference=FOOTPRINT)["value"] == pytest.approx(
        math.sqrt((0.03**2 + 0.04**2) / 2), abs=1e-5
    )
    assert get("height_coverage_1sigma", reference=FOOTPRINT)["value"] == 1.0
    assert get("freeboard_bias", "open_water", "strong", FOOTPRINT)["n"] == len(LEADS)


def test_confusion_unclassified_and_binary_ice():
    truth = truth_table(beams=("gt1r",), lead_cells=range(100, 200))
    predicted = truth["surface_class"].to_numpy().copy()
    predicted[100:140], predicted[140:150], predicted[1000:1060], predicted[2000:2010] = -1, 1, 1, 2
    get = lookup(evaluate.against_truth(segment_table(truth, predicted=predicted), truth))
    assert get("recall", "open_water")["value"] == 0.5
    assert (
        get("precision", "open_water")["value"] == pytest.approx(50 / 60) and get("precision", "open_water")["n"] == 60
    )
    assert (
        get("confusion", "open_water>unclassified")["value"] == 0.4
        and get("confusion", "open_water>thin_ice")["value"] == 0.1
    )
    assert get("share_unclassified")["value"] == pytest.approx(40 / 3000)
    assert get("recall", "thick_ice")["value"] == pytest.approx(2830 / 2900) and get("recall", "ice")[
        "value"
    ] == pytest.approx(2890 / 2900)
    assert math.isnan(get("recall", "thin_ice")["value"]) and get("recall", "thin_ice")["n"] == 0
    assert get("iou", "open_water")["value"] == pytest.approx(50 / 110)


def test_a_strength_that_is_not_there_is_a_row_with_n_zero():
    truth = truth_table(beams=("gt1r",), lead_cells=LEADS)
    table = evaluate.against_truth(segment_table(truth), truth, leads=lead_table([]), sea_surface=section_table([]))
    assert table.schema.equals(schema.EVALUATION.schema(), check_metadata=False)
    weak = [r for r in table.to_pylist() if r["region"] == "weak"]
    strong = [r for r in table.to_pylist() if r["region"] == "strong"]
    assert len(weak) == len(strong) > 100
    assert all(r["n"] == 0 and math.isnan(r["value"]) for r in weak)


def test_missing_sea_surface_is_not_scored_but_counted():
    truth = truth_table(beams=("gt1r",), lead_cells=LEADS)
    sea = np.where(np.arange(3000) < 750, 0.0, np.nan)
    get = lookup(evaluate.against_truth(segment_table(truth, sea_error=sea), truth))
    assert get("share_with_sea_surface")["value"] == 0.25
    assert get("freeboard_rmse", reference=FOOTPRINT)["n"] == 750


def test_lead_detection_counts_leads_and_not_segments():
    truth = truth_table(beams=("gt1r",), lead_cells=LEADS)
    keep = np.ones(3000, bool)
    keep[1490:1510] = False  # the short lead lies in a gap
    sea = 0.1 + 1e-6
    leads = lead_table(
        [
            ("gt1r", START + 2 * 505, 6.0, sea + 1e-3 + 0.01),  # inside the 40 m lead
            ("gt1r", START + 2 * 2000, 20.0, 0.0),  # no water here
            ("gt1r", START + 2 * 2499.5, 8.0, 0.0),  # touches the long lead with its last 3 m
        ]
    )
    get = lookup(evaluate.against_truth(segment_table(truth, keep=keep), truth, leads=leads))
    assert get("lead_observed")["value"] == pytest.approx(2 / 3) and get("lead_observed")["n"] == 3
    assert get("lead_recall")["value"] == 1.0 and get("lead_recall")["n"] == 2
    assert get("lead_recall", "longer_than_11_m")["n"] == 2 and get("lead_observed", "longer_than_11_m")["n"] == 2
    assert get("lead_precision")["value"] == pytest.approx(2 / 3)
    assert get("lead_precision_half_water")["value"] == pytest.approx(1 / 3)
    assert get("lead_recall", "dark_lead")["n"] == 0 and get("lead_recall", "specular_lead")["n"] == 2
    assert get("share_observed", "open_water")["value"] == pytest.approx(120 / 122)


def test_a_cell_without_truth_ends_a_lead():
    truth = truth_table(beams=("gt1r",), lead_cells=range(500, 540))
    holed = truth.filter(pa.array(~np.isin(np.arange(3000), range(515, 520))))
    get = lookup(
        evaluate.against_truth(segment_table(truth), holed, leads=lead_table([("gt1r", START + 1010.0, 10.0, 0.1)]))
    )
    assert get("lead_recall")["n"] == 2 and get("lead_recall")["value"] == 0.5
    assert get("share_matched")["value"] == pytest.approx(2995 / 3000)


def test_each_quantity_is_judged_by_its_own_uncertainty():
    truth = truth_table(
        beams=("gt1r",), lead_cells=LEADS
    )  # stated: height 0.05 m, sea surface 0.02 m, freeboard 0.054 m
    get = lookup(evaluate.against_truth(segment_table(truth, height_error=0.045, sea_error=-0.03), truth))
    assert get("height_coverage_1sigma", reference=FOOTPRINT)["value"] == 1.0
    assert get("sea_surface_coverage_1sigma")["value"] == 0.0 and get("sea_surface_coverage_2sigma")["value"] == 1.0
    assert get("freeboard_coverage_1sigma", reference=FOOTPRINT)["value"] == 0.0
    assert get("sea_surface_median_sigma")["value"] == pytest.approx(0.02) and get(
        "freeboard_median_sigma", reference=CELL
    )["value"] == pytest.approx(math.hypot(0.05, 0.02))


def test_the_beams_of_a_pair_share_their_blocks():
    x = np.full(6, 5000.0)
    index = cut(x, np.arange(6), 1000.0, n_resamples=5, seed=0).index
    assert index.tolist() == [0, 0, 1, 1, 2, 2]


def test_lead_and_section_heights_against_the_sea_surface_there():
    truth = truth_table(lead_cells=LEADS)
    leads = lead_table([(b, START + 1020.0, 20.0, 0.1 + 1020e-6 + d) for b, d in (("gt1r", 0.03), ("gt1l", -0.01))])
    sections = section_table(
        [(b, START + 3000.0, 0.1 + 3000e-6 + d) for b, d in (("gt1r", 0.05), ("gt1l", -0.015))]
        + [("gt1r", START + 30_000.0, 9.0)]
    )
    get = lookup(evaluate.against_truth(segment_table(truth), truth, leads=leads, sea_surface=sections))
    assert get("lead_height_bias", region="strong")["value"] == pytest.approx(0.03, abs=3e-6)
    assert get("lead_height_bias", region="weak")["value"] == pytest.approx(-0.01, abs=3e-6)
    row = get("section_height_bias", region="strong")
    assert (
        row["value"] == pytest.approx(0.05, abs=3e-6) and row["n"] == 1
    )  # the section beyond the truth is not compared
    assert get("section_height_coverage_1sigma")["value"] == 0.5


def test_longer_segments_take_the_truth_over_their_extent():
    truth = truth_table(beams=("gt1r",), lead_cells=range(100, 103))
    cells = truth["surface_height_footprint"].to_numpy().astype(float).reshape(-1, 5)
    segments = segment_table(truth).take(pa.array(np.arange(2, 3000, 5)))  # one segment of 10 m from every five cells
    height = cells.mean(axis=1) + 0.01
    segments = segments.set_column(segments.column_names.index("height"), "height", pa.array(height, pa.float32()))
    get = lookup(evaluate.against_truth(segments, truth, resolution_m=10.0))
    assert get("height_bias", reference=FOOTPRINT)["value"] == pytest.approx(0.01, abs=1e-5)
    assert get("height_rmse", reference=FOOTPRINT)["value"] == pytest.approx(0.01, abs=1e-5)
    assert get("recall", "open_water")["n"] == 1  # three of its five cells are water
    assert get("share_observed", "open_water")["value"] == 1.0


def test_order_of_rows_does_not_matter():
    truth = truth_table(lead_cells=LEADS)
    segments = segment_table(truth, height_error=np.random.default_rng(0).normal(0, 0.05, truth.num_rows))
    mixed = np.random.default_rng(1).permutation(truth.num_rows)
    a = evaluate.against_truth(segments, truth)
    b = evaluate.against_truth(segments.take(pa.array(mixed)), truth.take(pa.array(mixed[::-1])))
    for name in ("value", "low", "high"):
        assert np.allclose(a[name].to_numpy(), b[name].to_numpy(), equal_nan=True)


def test_another_track_is_refused():
    truth = truth_table(beams=("gt1r",))
    segments = segment_table(truth)
    with pytest.raises(ProductError, match="no segment lies on a cell of the truth"):
        evaluate.against_truth(segments, truth_table(beams=("gt2r",)))
    moved = truth.set_column(
        truth.column_names.index("latitude"), "latitude", pa.array(truth["latitude"].to_numpy() + 0.01)
    )
    with pytest.raises(ProductError, match=r"lie 1112 m from the segments.*another track"):
        evaluate.against_truth(segments, moved)


def test_positions_across_the_date_line_are_close():
    truth = truth_table(beams=("gt1r",))
    other = truth.set_column(
        truth.column_names.index("longitude"), "longitude", pa.array(np.full(truth.num_rows, -179.9999))
    )
    assert lookup(evaluate.against_truth(segment_table(truth), other))("share_matched")["value"] == 1.0


def test_truth_without_sea_surface_still_scores_heights_and_classes():
    truth = truth_table(beams=("gt1r",), lead_cells=LEADS)
    for name in ("sea_surface_height", "total_freeboard", "total_freeboard_footprint"):
        truth = truth.set_column(
            truth.column_names.index(name), name, pa.array(np.full(truth.num_rows, np.nan), pa.float32())
        )
    segments = segment_table(truth_table(beams=("gt1r",), lead_cells=LEADS))
    get = lookup(evaluate.against_truth(segments, truth, leads=lead_table([("gt1r", START + 1020.0, 20.0, 0.1)])))
    assert get("freeboard_rmse", reference=FOOTPRINT)["n"] == 0 and get("lead_height_bias")["n"] == 0
    assert get("recall", "open_water")["value"] == 1.0 and get("lead_recall")["n"] == 3


def test_brief_names_the_classes_that_its_mean_leaves_out():
    truth = truth_table(beams=("gt1r",), lead_cells=LEADS)
    lines = evaluate.brief(evaluate.against_truth(segment_table(truth), truth)).splitlines()
    assert lines[0].split() == ["against", "truth", "of", "a", "simulated", "granule", "strong", "weak"]
    rows = {line[:58].strip(): line[58:].split() for line in lines}
    assert rows["classes that occur"] == ["2", "of", "3", "0", "of", "3"]
    assert rows["macro-F1 of the classes that occur"] == ["1.000", "-"] and rows["recall of thin ice"] == ["-", "-"]
    assert "No thin ice in the reference on strong beams: the macro-F1 leaves it out." in lines


def test_summary_shows_numbers_intervals_and_what_is_missing():
    truth = truth_table(beams=("gt1r",), lead_cells=LEADS)
    text = evaluate.summary(evaluate.against_truth(segment_table(truth, height_error=0.0125), truth))
    assert "no sample at all: weak" in text and "recall of thin_ice" in text
    assert any(
        line.split()[:4] == ["height", "all", "strong", "0.013"]
        or line.split()[:4] == ["height", "all", "strong", "0.012"]
        for line in text.splitlines()
    )
    assert "[" in text and max(len(line) for line in text.splitlines()) < 250
