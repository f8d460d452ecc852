"""Freeboard with a network: its classes enter the tables, its doubt enters the errors, and run.json names it.

The networks here have random weights; what they say of the surface means nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from polynya import schema
from polynya.errors import ProductError, UsageError
from polynya.physics import water_bounds
from polynya.predict import runtime as predict_runtime
from polynya.predict import tracks as predict_tracks
from polynya.readers import icesat2_atl03
from polynya.simulate.icesat2.atl03 import simulate
from polynya.tracks import beam_segments, features
from polynya.workflows import freeboard
from polynya.workflows.freeboard import Config, beam
from polynya.workflows.freeboard import classifier as freeboard_classifier

from ... import onnx_networks as networks


@pytest.fixture(scope="module")
def granule(tmp_path_factory):
    """12 km of one strong beam with leads and some cloud."""
    return simulate(
        tmp_path_factory.mktemp("classifier") / "ATL03_20191104195311_05940510_006_01.h5",
        length_km=12.0,
        beams="gt2r",
        season="summer",
        seed=8,
    ).granule


@pytest.fixture
def no_bounds(monkeypatch):
    """Leave a network's probabilities as they are: the bounds have tests of their own."""
    monkeypatch.setattr(water_bounds, "within", lambda probability, evidence: probability)


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """No network is shipped."""
    monkeypatch.setattr(predict_runtime, "WEIGHTS", tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def work(granule, out, **options) -> tuple[dict[str, np.ndarray], dict]:
    (record,) = freeboard.run([granule], out=out, config=Config.checked(**options))
    assert record.status == "done", record.message
    table = pq.read_table(record.outputs["segments"])
    names = (
        "x_atc",
        "surface_class",
        "probability_thick",
        "probability_thin",
        "probability_water",
        "height",
        "sea_surface_height",
        "sea_surface_uncertainty",
        "sea_surface_uncertainty_common",
    )
    with open(record.outputs["run"], encoding="utf-8") as handle:
        return {n: table[n].to_numpy() for n in names}, json.load(handle)


@pytest.mark.parametrize("kind", ["window", "sequence"])
def test_classes_are_the_networks_and_cloud_stays_cloud(kind, granule, tmp_path, no_bounds):
    path = (
        networks.window_network(tmp_path / "mine.onnx")[0]
        if kind == "window"
        else networks.sequence_network(tmp_path / "mine.onnx")
    )
    columns, run = work(granule, tmp_path / "out", classifier=str(path))
    made = beam_segments.beam_segments(icesat2_atl03.index(granule, beam="gt2r"))
    cloud = beam_segments.evidence(made).is_cloud[made.is_near_surface]
    expected = predict_tracks.classify(predict_tracks.load(path), features.features(made), x=made.x)[
        made.is_near_surface
    ]
    found = np.stack([columns[f"probability_{c}"] for c in ("thick", "thin", "water")], axis=1)
    np.testing.assert_array_equal(columns["x_atc"], made.x[made.is_near_surface])
    np.testing.assert_allclose(found[~cloud], expected[~cloud], atol=1e-6)
    np.testing.assert_array_equal(
        columns["surface_class"], np.where(cloud, schema.UNCLASSIFIED, np.argmax(expected, axis=1))
    )
    assert np.isnan(found[cloud]).all() and cloud.any() and len(set(columns["surface_class"].tolist())) >= 3
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert run["network"]["sha256"] == digest and run["network"]["features"] == list(networks.FEATURES)
    assert run["classifier"].startswith(f"network test-{kind} (mine.onnx, sha256 {digest[:12]}, uncalibrated, ")
    report = (tmp_path / "out" / granule.stem / "report.html").read_text(encoding="utf-8")
    assert f"sha256 {digest[:12]}" in report


def test_the_rule_is_the_rule(granule, tmp_path, no_weights):
    usual, run = work(granule, tmp_path / "usual")
    named, _ = work(granule, tmp_path / "named", classifier="rule")
    for name, values in usual.items():
        np.testing.assert_array_equal(values, named[name])
    assert run["classifier"] == freeboard_classifier.RULE_TEXT and run["network"] is None
    assert (
        freeboard_classifier.select(None, resolution="2").message
        == "Classes are the rule's: the network track-unet is not in this installation."
    )
    assert Config().key(granule) == Config(classifier="rule").key(granule)


def test_a_shipped_network_is_the_default_at_2_m_only(granule, tmp_path, no_weights):
    shipped = no_weights / f"{freeboard_classifier.DEFAULT}.onnx"
    networks.sequence_network(shipped)
    (no_weights / predict_runtime.SUMS).write_text(f"{predict_runtime.sha256(shipped)}  {shipped.name}\n")
    _, run = work(granule, tmp_path / "two")
    assert run["classifier"].startswith("network test-sequence") and not any("rule" in m for m in run["messages"])
    _, run = work(granule, tmp_path / "ten", resolution="10")
    assert run["classifier"] == freeboard_classifier.RULE_TEXT
    assert any(
        m.startswith("Classes are the rule's: the network track-unet was trained on 2 m segments only, not on 10 m.")
        for m in run["messages"]
    )
    assert freeboard_classifier.select(None, resolution="150ph").message.endswith("not on 150 photons.")
    assert freeboard_classifier.select("rule", resolution="10").message is None
    with pytest.raises(
        UsageError, match=r"--classifier track-unet: networks are trained on 2 m segments; found --resolution 30"
    ):
        Config.checked(classifier="track-unet", resolution="30")


def test_the_key_holds_the_hash_of_the_networks_file(tmp_path, no_weights):
    first = networks.sequence_network(tmp_path / "a.onnx")
    moved = shutil.copy(first, tmp_path / "moved.onnx")
    other = networks.sequence_network(tmp_path / "b.onnx", bias_m=0.5)
    keys = {c: Config(classifier=str(c)).key(first) for c in (first, moved, other, "rule")}
    assert keys[first] == keys[moved] and keys[first].networks == {
        "classifier": hashlib.sha256(first.read_bytes()).hexdigest()
    }
    assert len({keys[c].networks["classifier"] for c in (first, other, "rule")}) == 3


def test_another_network_asks_for_overwrite(granule, tmp_path):
    work(granule, tmp_path / "out", classifier="rule")
    path = networks.sequence_network(tmp_path / "mine.onnx")
    (record,) = freeboard.run([granule], out=tmp_path / "out", config=Config(classifier=str(path)))
    assert record.status == "failed" and "of another network" in record.message and "--overwrite" in record.message


def test_what_is_no_network_fails_before_any_granule(granule, tmp_path):
    with pytest.raises(UsageError, match=r"--classifier nothing: no such network; expected 'rule', a shipped name"):
        Config.checked(classifier="nothing")
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a network")
    with pytest.raises(ProductError, match=r"bad.onnx: is no ONNX file, or is cut"):
        freeboard.run([granule], out=tmp_path / "out", config=Config(classifier=str(bad)))
    assert not (tmp_path / "out").exists()


def test_threads_and_workers_give_the_same(granule, tmp_path):
    path = networks.sequence_network(tmp_path / "mine.onnx")
    out = []
    for workers in (1, 2):
        (record,) = freeboard.run(
            [granule], out=tmp_path / str(workers), config=Config(classifier=str(path)), workers=workers
        )
        out.append(pq.read_table(record.outputs["segments"]).drop_columns("geometry").to_pandas())
    assert out[0].equals(out[1])


def test_where_a_network_is_unsure_freeboard_is_less_certain(granule, tmp_path, no_bounds):
    """Two networks of the same classes, one sure and one at 0.9: no height moves, and the sea surface's error grows."""
    found = {}
    for name, sureness in (("sure", 4.0), ("unsure", 1.1)):
        path = networks.step_network(tmp_path / f"{name}.onnx", sureness=sureness)
        found[name], _ = work(granule, tmp_path / name, classifier=str(path))
    sure, unsure = found["sure"], found["unsure"]
    for name in ("surface_class", "height", "sea_surface_height"):
        np.testing.assert_array_equal(sure[name], unsure[name])
    water = sure["surface_class"] == schema.OPEN_WATER
    assert water.sum() > 100 and sure["probability_water"][water].min() > 0.99
    np.testing.assert_allclose(unsure["probability_water"][water], 1.0 / (1.0 + np.exp(-2.2)), atol=1e-3)
    good = np.isfinite(sure["sea_surface_uncertainty"])
    own = {}  # what of the uncertainty is not common to all leads
    for name, of in found.items():
        whole, common = (of[f"sea_surface_uncertainty{part}"][good].astype(float) for part in ("", "_common"))
        own[name] = np.sqrt(whole**2 - common**2)
    more = own["unsure"] / own["sure"]
    assert good.any() and more.min() >= 1.0 and np.median(more) > 1.01 and more.max() > 1.05


def test_a_network_that_is_never_sure_gives_no_sea_surface(granule, tmp_path, no_bounds):
    """Leads of 0.55 are as likely smooth floes: freeboard is missing rather than counted from them, and the message
    says why."""
    path = networks.step_network(tmp_path / "sure.onnx", sureness=4.0)
    (record,) = freeboard.run([granule], out=tmp_path / "out", config=Config(classifier=str(path)))
    lead = pq.read_table(record.outputs["leads"], columns=["probability_water", "is_used"]).to_pandas()
    assert lead.is_used.any() and (lead.probability_water > 0.7).all()
    path = networks.step_network(tmp_path / "unsure.onnx", sureness=0.1)
    (record,) = freeboard.run([granule], out=tmp_path / "out2", config=Config(classifier=str(path)))
    lead = pq.read_table(record.outputs["leads"], columns=["probability_water", "is_used"]).to_pandas()
    assert len(lead) and not lead.is_used.any() and lead.probability_water.between(0.5, 0.6).all()
    assert np.isnan(
        pq.read_table(record.outputs["segments"], columns=["total_freeboard"]).to_pandas().total_freeboard
    ).all()
    assert "too uncertain to be water" in record.message


def test_under_thick_cloud_nasas_bounds_hold_for_a_network_too(granule, tmp_path):
    """A network that says water is held back where the light is less than half and the surface is not as bright as
    water."""
    path = networks.step_network(tmp_path / "sure.onnx", sureness=4.0)
    data = icesat2_atl03.index(granule, beam="gt2r", granule=icesat2_atl03.open_granule(granule))
    made = beam_segments.beam_segments(data)
    n = made.x.size
    evidence = dataclasses.replace(
        beam_segments.evidence(made), rate_pooled=np.full(n, 8.0), width_pooled=np.full(n, 0.05)
    )
    classifier = predict_tracks.load(path, runtime="onnxruntime")
    clear = beam._classes_by_network(made, dataclasses.replace(evidence, transmission=np.full(n, 0.9)), classifier, 1)
    half = made.x < np.median(made.x)
    held = beam._classes_by_network(
        made, dataclasses.replace(evidence, transmission=np.where(half, 0.45, 0.9)), classifier, 1
    )
    known = clear.surface_class >= 0
    assert (clear.surface_class[known & half] == 2).any() and not (held.surface_class[known & half] == 2).any()
    np.testing.assert_array_equal(held.surface_class[~half], clear.surface_class[~half])
    np.testing.assert_allclose(held.probability[known].sum(axis=1), 1.0, atol=1e-5)


def test_what_is_clearly_mirror_like_is_probably_water_whatever_a_network_says(granule, tmp_path):
    path = networks.step_network(tmp_path / "sure.onnx", sureness=4.0)
    data = icesat2_atl03.index(granule, beam="gt2r", granule=icesat2_atl03.open_granule(granule))
    made = beam_segments.beam_segments(data)
    n = made.x.size
    plain = dataclasses.replace(
        beam_segments.evidence(made), rate_pooled=np.full(n, 7.0), width_pooled=np.zeros(n), transmission=np.ones(n)
    )
    classifier = predict_tracks.load(path, runtime="onnxruntime")
    before = beam._classes_by_network(made, plain, classifier, 1)
    mirror = (np.arange(n) % 3 == 0) & (before.surface_class >= 0)
    after = beam._classes_by_network(
        made, dataclasses.replace(plain, rate_pooled=np.where(mirror, 16.0, 7.0)), classifier, 1
    )
    assert (before.surface_class[mirror] != 2).any() and (after.surface_class[mirror] == 2).all()
    np.testing.assert_array_equal(after.probability[~mirror], before.probability[~mirror])
