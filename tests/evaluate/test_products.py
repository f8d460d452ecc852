"""Scores against NASA-like segments that are made by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from polynya import evaluate
from polynya.errors import ProductError

from .tracks import EPOCH, START, lead_table, lookup, section_table, segment_table, truth_table

EXTENT, NEAREST, OURS = "ATL10: segment extents", "ATL10: nearest segment", "ATL10: our segments"
LEAD = range(500, 600)  # START + 1000 ... 1200 m


def nasa(*, centre, length, kind, height, freeboard=None, minutes: float = 0.0) -> pa.Table:
    centre = np.asarray(centre, float)
    time = EPOCH + ((centre - START) / 7000.0 * 1e9 + minutes * 60e9).astype("timedelta64[ns]")
    columns = {
        "time": pa.array(time).cast(pa.timestamp("ns", tz="UTC")),
        "seg_dist_x": centre,
        "height_segment_height": np.asarray(height, np.float32),
        "height_segment_type": np.asarray(kind, np.int8),
        "height_segment_length_seg": np.broadcast_to(np.float32(length), centre.shape).copy(),
    }
    if freeboard is not None:
        columns["beam_fb_height"] = np.asarray(freeboard, np.float32)
    return pa.table(columns)


def reference(segments: dict, *, leads=None, sections=None, product="ATL10"):
    return evaluate.Reference(product=product, segments=segments, leads=leads or {}, sections=sections or {})


def regular(**more) -> pa.Table:
    """NASA segments 40 m long every 20 m, a lead where ours is."""
    centre = START + np.arange(20.0, 5980.0, 20.0)
    lead = (centre > START + 1000) & (centre < START + 1200)
    sea = 0.1 + 1e-6 * (centre - START)
    return nasa(
        centre=centre,
        length=40.0,
        kind=np.where(lead, 3, 1),
        height=sea + np.where(lead, 0.02, 0.32),
        freeboard=np.where(lead, 0.02, 0.32),
        **more,
    )


def test_errors_against_the_product_come_back():
    truth = truth_table(beams=("gt1r",), lead_cells=LEAD)
    segments = segment_table(truth, height_error=0.015, sea_error=0.005)
    get = lookup(evaluate.against_product(segments, reference({"gt1r": regular()})))
    assert get("share_matched", reference="ATL10")["value"] == 1.0
    row = get("height_bias", "ice", "strong", EXTENT)
    inner = get("height_median_absolute_difference", "ice", "strong", EXTENT)
    assert inner["value"] == pytest.approx(0.015, abs=1e-5) and row["n"] == 298 - 9
    # A cell goes to its nearest centre, so only cells right at the lead's edge differ.
    assert get("height_median_absolute_difference", "specular_lead", "strong", NEAREST)["value"] == pytest.approx(
        0.015, abs=1e-5
    )
    assert get("freeboard_median_absolute_difference", reference=EXTENT)["value"] == pytest.approx(0.01, abs=1e-5)
    for seen in (EXTENT, NEAREST):
        assert get("recall", "specular_lead", "all", seen)["value"] == 1.0
        assert get("precision", "specular_lead", "all", seen)["n"] >= 9
    assert get("recall", "specular_lead", "all", OURS)["n"] == 9 * 10
    assert get("recall", "specular_lead", "weak", OURS)["n"] == 0


def test_thin_ice_is_ice_and_dark_leads_stand_apart():
    truth = truth_table(beams=("gt1r",), thin_cells=range(0, 1000))
    table = nasa(
        centre=START + np.array([500.0, 1500.0, 2500.0, 3500.0]), length=100.0, kind=[1, 1, 7, 3], height=np.zeros(4)
    )
    predicted = truth["surface_class"].to_numpy().copy()
    predicted[1200:1300] = 2  # where NASA says dark lead
    predicted[1700:1800] = -1  # where NASA says specular
    get = lookup(evaluate.against_product(segment_table(truth, predicted=predicted), reference({"gt1r": table})))
    assert get("recall", "ice", "all", EXTENT)["value"] == 1.0 and get("recall", "ice", "all", EXTENT)["n"] == 2
    assert get("share_called_water", "dark_lead", "all", EXTENT)["value"] == 1.0
    assert get("recall", "specular_lead", "all", EXTENT)["value"] == 0.0  # unclassified is a miss
    assert get("precision", "specular_lead", "all", EXTENT)["n"] == 0  # the dark lead is no false alarm
    assert get("share_unclassified", "all", "all", EXTENT)["value"] == pytest.approx(1 / 3)


def test_segments_in_our_gaps_are_unmatched_and_not_scored():
    truth = truth_table(beams=("gt1r",))
    keep = np.ones(3000, bool)
    keep[1000:2000] = False
    table = nasa(
        centre=START + np.array([1000.0, 3000.0, 4010.0]), length=100.0, kind=[1, 1, 1], height=np.full(3, 0.42)
    )
    get = lookup(evaluate.against_product(segment_table(truth, keep=keep), reference({"gt1r": table})))
    assert get("share_matched", reference="ATL10")["value"] == pytest.approx(2 / 3)
    assert get("height_bias", reference=EXTENT)["n"] == 2


def test_sparse_segments_that_span_a_nasa_segment_match_it():
    truth = truth_table(beams=("gt1r",))
    keep = np.arange(3000) % 5 == 0  # a fifth of the cells, evenly: what weak beams leave
    table = nasa(centre=START + np.array([1000.0, 3000.0]), length=100.0, kind=[1, 1], height=np.full(2, 0.42))
    get = lookup(evaluate.against_product(segment_table(truth, keep=keep), reference({"gt1r": table})))
    assert get("share_matched", reference="ATL10")["value"] == 1.0


def test_the_interval_of_the_macro_f1_keeps_to_the_classes_of_the_whole():
    truth = truth_table(beams=("gt1r",), lead_cells=LEAD)
    predicted = np.zeros(3000, int)  # never water: macro-F1 below a half, in every draw that holds the lead
    get = lookup(evaluate.against_product(segment_table(truth, predicted=predicted), reference({"gt1r": regular()})))
    row = get("macro_f1", reference=EXTENT)
    assert 0.45 < row["value"] < 0.5 and row["high"] <= 0.5


def test_heights_are_weighted_by_photons():
    truth = truth_table(beams=("gt1r",), n=100)
    photons, error = np.where(np.arange(100) % 2, 30, 10), np.where(np.arange(100) % 2, 0.04, 0.0)
    segments = segment_table(truth, height_error=error)
    segments = segments.set_column(segments.column_names.index("n_photons"), "n_photons", pa.array(photons, pa.int32()))
    table = nasa(centre=[START + 100.0], length=80.0, kind=[1], height=[0.42 + 1e-4])
    get = lookup(evaluate.against_product(segments, reference({"gt1r": table})))
    assert get("height_bias", reference=EXTENT)["value"] == pytest.approx(0.03, abs=1e-5)


def test_lead_detection_and_heights_against_the_lead_list():
    truth = truth_table(beams=("gt1r",), lead_cells=LEAD)
    listed = pa.table(
        {
            "lead_dist_x": [START + 1100.0, START + 4000.0, START + 90_000.0],
            "lead_length": [100.0, 50.0, 50.0],
            "lead_height": [0.10, 0.10, 0.10],
        }
    )
    mine = lead_table([("gt1r", START + 1090.0, 60.0, 0.13), ("gt1r", START + 2000.0, 10.0, 0.1)])
    get = lookup(
        evaluate.against_product(
            segment_table(truth), reference({"gt1r": regular()}, leads={"gt1r": listed}), leads=mine
        )
    )
    assert get("lead_recall", reference="ATL10")["value"] == 0.5 and get("lead_recall", reference="ATL10")["n"] == 2
    assert get("lead_precision", reference="ATL10")["value"] == 0.5
    assert get("lead_height_bias", reference="ATL10")["value"] == pytest.approx(0.03, abs=1e-6)


def test_leads_of_atl07_are_runs_of_specular_segments():
    truth = truth_table(beams=("gt1r",), lead_cells=LEAD)
    mine = lead_table([("gt1r", START + 1100.0, 100.0, 0.2)])
    get = lookup(
        evaluate.against_product(segment_table(truth), reference({"gt1r": regular()}, product="ATL07"), leads=mine)
    )
    row = get("lead_recall", reference="ATL07")
    assert row["n"] == 1 and row["value"] == 1.0
    centre = START + np.arange(1020.0, 1200.0, 20.0)
    assert get("lead_height_bias", reference="ATL07")["value"] == pytest.approx(
        0.2 - np.mean(0.12 + 1e-6 * (centre - START)), abs=1e-5
    )


def test_a_run_of_specular_segments_reaches_to_its_last_edge():
    truth = truth_table(beams=("gt1r",), lead_cells=LEAD)
    for centre, found in (
        (1205.0, 1.0),
        (995.0, 1.0),
        (1215.0, 0.0),
        (985.0, 0.0),
    ):  # the run reaches from 1000 to 1200 m
        mine = lead_table([("gt1r", START + centre, 20.0, 0.1)])
        get = lookup(
            evaluate.against_product(segment_table(truth), reference({"gt1r": regular()}, product="ATL07"), leads=mine)
        )
        assert get("lead_recall", reference="ATL07")["value"] == found, centre


def test_segments_seen_at_another_time_are_not_compared():
    both = pa.concat_tables([regular().slice(0, 100), regular(minutes=30.0).slice(100)])
    get = lookup(evaluate.against_product(segment_table(truth_table(beams=("gt1r",))), reference({"gt1r": both})))
    cells = 1000 + 5  # the first hundred centres reach to 2000 m, and 10 m on to the next centre's half
    for metric, reference_name in (("height_bias", OURS), ("recall", OURS)):
        assert get(metric, "all" if metric == "height_bias" else "ice", "all", reference_name)["n"] <= cells
    assert get("height_bias", reference=EXTENT)["n"] == 100 and get("height_bias", reference=NEAREST)["n"] == 100


def test_section_heights():
    truth = truth_table(beams=("gt1r",), n=9000, lead_cells=LEAD)
    sections = pa.table(
        {
            "beam_refsurf_dist_x": [START + 2000.0, START + 14_000.0, START + 40_000.0],
            "beam_refsurf_height": [0.10, np.nan, 0.3],
        }
    )
    mine = section_table([("gt1r", START + 4000.0, 0.12), ("gt1r", START + 14_000.0, 0.12)])
    get = lookup(
        evaluate.against_product(
            segment_table(truth), reference({"gt1r": regular()}, sections={"gt1r": sections}), sea_surface=mine
        )
    )
    row = get("section_height_bias", reference="ATL10")
    assert row["n"] == 1 and row["value"] == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize("wrong", ["time", "place", "beam", "empty"])
def test_another_orbit_is_refused(wrong):
    segments = segment_table(truth_table(beams=("gt1r",)))
    table = regular(minutes=11.0 if wrong == "time" else 0.0)
    if wrong == "place":
        table = table.set_column(1, "seg_dist_x", pa.array(table["seg_dist_x"].to_numpy() + 50_000.0))
    if wrong == "empty":
        table = table.slice(0, 0)
    with pytest.raises(
        ProductError, match=r"reference: no ATL10 segment lies on our track.*gt1r.*another orbit"
    ) as error:
        evaluate.against_product(segments, reference({"gt2r" if wrong == "beam" else "gt1r": table}))
    assert "\n" not in str(error.value)


def test_nine_minutes_apart_is_still_the_same_pass():
    segments = segment_table(truth_table(beams=("gt1r",)))
    get = lookup(evaluate.against_product(segments, reference({"gt1r": regular(minutes=9.0)})))
    assert get("share_matched", reference="ATL10")["value"] == 1.0
    assert math.isnan(get("height_bias", "dark_lead", "all", EXTENT)["value"])


@pytest.mark.parametrize("product", ["ATL07", "ATL10"])
def test_brief_names_the_product_and_what_it_counts(product):
    table = evaluate.against_product(
        segment_table(truth_table(beams=("gt1r",), lead_cells=LEAD)), reference({"gt1r": regular()}, product=product)
    )
    text = evaluate.brief(table)
    rows = {line[:58].strip(): line[58:].split() for line in text.splitlines()}
    assert rows[f"against {product}"] == ["strong", "weak"] and "truth" not in text and "imulat" not in text
    assert rows["classes that occur"][:3] == ["2", "of", "2"]
    assert rows["recall of specular leads"][0] == "1.000" and rows["precision of specular leads"][1] == "-"
