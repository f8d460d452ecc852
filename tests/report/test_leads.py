"""The page of leads: everything inline, text escaped, classes where they are, panels only for what is known."""

from __future__ import annotations

import re

import numpy as np
import pytest

from polynya.report import echogram, leads
from polynya.schema.echoes import LEAD, SEA_ICE, UNKNOWN
from polynya.schema.lead_labels import OFF_NADIR

N = 100


def stretch(*, with_network=True, gates=32):
    k = np.arange(N)
    classes = np.where((k >= 40) & (k < 60), LEAD, SEA_ICE).astype(np.int8)
    nan = np.full(N, np.nan)
    p = np.where(classes == LEAD, 0.9, 0.1) if with_network else nan
    distance = 100.0 + 50.0 * np.abs(k - 50) if with_network else nan
    return leads.Stretch(
        first_echo=1600,
        time=np.datetime64("2016-01-12T10:00", "ns") + k * np.timedelta64(25_000_000, "ns"),
        distance_km=0.175 * k,
        latitude=80.0 + 1e-3 * k,
        longitude=np.full(N, 10.0),
        columns={
            "surface_class": classes,
            "lead_probability": p,
            "lead_distance": distance,
            "lead_distance_low": 0.8 * distance,
            "lead_distance_high": 1.2 * distance,
            "maximum_power_db": 25.0 + 10.0 * (classes == LEAD),
            "peakiness": nan,
            "range_flag": np.where((k >= 60) & (k < 70), OFF_NADIR, 0).astype(np.int8),
        },
        power_db=np.random.default_rng(0).normal(20, 3, (gates, N)).astype(np.float32),
        gate_width_m=0.3123,
    )


def page(one, **changes):
    counts = {
        "classes": {"unknown": 0, "ocean": 0, "lead": 20, "sea_ice": 80},
        "unknown_by_cause": {},
        "quality": {"saturated": 3},
        "range": {"keep": 90, "remove_off_nadir_lead": 10},
        "rule": {},
        "product": {},
    }
    numbers = {"n_echoes": N, "n_lead": 20, "n_sea_ice": 80, "n_ocean": 0, "n_unknown": 0, "n_leads": 1, "n_remove": 10}
    places = leads.Places(
        latitude=one.latitude,
        longitude=one.longitude,
        classes=one.columns["surface_class"],
        probability=one.columns["lead_probability"],
    )
    given = {
        "title": "<b>track</b>.nc",
        "facts": {"product": "SARAL & more"},
        "counts": counts,
        "numbers": numbers,
        "stretches": (one,),
        "places": places,
        "messages": ("A & B",),
        "limits": (0.2, 0.5),
    }
    return leads.Page(**{**given, **changes})


def test_the_page_is_whole_and_escaped(tmp_path):
    text = leads.write(tmp_path / "r.html", page(stretch())).read_text()
    assert "&lt;b&gt;track" in text and "<b>track" not in text and "A &amp; B" in text and "SARAL &amp; more" in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text) and "NaN" not in text and "nan" not in text
    assert "Remove 10 from ranges" in text and "20</strong> of 100 echoes are leads" in text
    assert "remove: lead beside nadir" in text and "The whole track." in text
    assert "(simulated)" in leads.write(tmp_path / "s.html", page(stretch(), is_simulated=True)).read_text()


def test_the_strip_shows_classes_where_they_are():
    drawn = echogram.draw(stretch(), limits=(0.2, 0.5), identifier="one")
    wide = echogram.WIDTH - echogram.LEFT - echogram.RIGHT
    box = r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="{}" fill="{}"'
    [lead] = re.findall(box.format(14, echogram.COLOURS[LEAD]), drawn)
    assert float(lead[0]) == pytest.approx(echogram.LEFT + 0.4 * wide, abs=0.1)
    assert float(lead[1]) == pytest.approx(0.2 * wide, abs=0.1)
    [mark] = re.findall(box.format(6, echogram.REMOVE), drawn)
    assert float(mark[0]) == pytest.approx(echogram.LEFT + 0.6 * wide, abs=0.1)
    assert "probability" in drawn and "distance, km" in drawn and "data:image/png" in drawn
    assert "Echoes 1,600 to 1,699" in drawn


def test_without_network_or_echoes_there_is_no_panel_for_them():
    drawn = echogram.draw(stretch(with_network=False), limits=(0.2, 0.5), identifier="one")
    assert "probability" not in drawn and "distance, km" not in drawn and "max power" in drawn
    drawn = echogram.draw(stretch(gates=0), limits=(0.2, 0.5), identifier="one")
    assert "data:image" not in drawn


def test_a_track_without_leads_or_positions_is_a_page(tmp_path):
    one = stretch(with_network=False)
    nowhere = leads.Places(
        latitude=np.full(3, np.nan),
        longitude=np.full(3, np.nan),
        classes=np.full(3, UNKNOWN, np.int8),
        probability=np.full(3, np.nan),
    )
    numbers = {"n_echoes": 9, "n_lead": 0, "n_sea_ice": 0, "n_ocean": 0, "n_unknown": 9, "n_leads": 0, "n_remove": 0}
    text = leads.write(tmp_path / "r.html", page(one, places=nowhere, numbers=numbers)).read_text()
    assert "No position is known." in text and "100.0" in text and "Remove" not in text.split("<h2>")[0]
