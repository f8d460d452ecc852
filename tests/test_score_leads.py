"""benchmarks/score_leads.py: scores against plain computations, rules that find bright echoes, files in both parts."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from polynya.families import echoes as family
from polynya.samples import labelled_echoes, splits
from polynya.simulate.altika import files
from polynya.simulate.altika.track import draw_track

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("lead_scores", "lead_files", "hand_labelled_echoes", "score_leads")
        yield SimpleNamespace(**{n: importlib.import_module(n) for n in names})
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    (folder / "truth").mkdir()
    for seed in range(10, 22):
        track = draw_track(seed, echoes=200)
        files.write_echoes(track, folder / f"track_{seed}.nc")
        files.write_truth(track, folder / "truth" / f"track_{seed}_truth.nc")
    return folder


def test_average_precision_is_the_area_under_the_steps(modules):
    """Precision at every distinct threshold times the recall that it adds."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, values = rng.random(60) < 0.3, np.round(rng.random(60), 1)  # many ties
        if not truth.any():
            continue
        area, before = 0.0, 0.0
        for limit in sorted(set(values.tolist()), reverse=True):
            called = values >= limit
            recall = (called & truth).sum() / truth.sum()
            area += (recall - before) * (called & truth).sum() / called.sum()
            before = recall
        assert modules.lead_scores.average_precision(truth, values) == pytest.approx(area)
    assert modules.lead_scores.average_precision(np.array([True, False]), np.zeros(2)) == 0.5
    assert np.isnan(modules.lead_scores.average_precision(np.zeros(3, bool), np.arange(3.0)))


def test_the_threshold_is_that_of_the_highest_f1(modules):
    rng = np.random.default_rng(1)
    truth = rng.random(80) < 0.2
    values = np.round(rng.normal(truth, 0.7), 1)
    found = modules.lead_scores.best_threshold(truth, values)

    def f1(limit):
        called = values >= limit
        return 2 * (called & truth).sum() / (called.sum() + truth.sum())

    assert f1(found) == pytest.approx(max(f1(v) for v in values))


def test_errors_of_probabilities_are_gaps_of_bins(modules):
    event, p = np.array([1, 0, 1, 1], bool), np.array([0.01, 0.03, 0.9, 0.92])
    expected = (abs(0.04 - 1) + abs(1.82 - 2)) / 4  # 15 bins: below 1/15, and 13/15 to 14/15
    assert modules.lead_scores.calibration_error(event, p) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    q = rng.random(200_000)
    assert modules.lead_scores.calibration_error(rng.random(200_000) < q, q) < 0.01


def test_the_area_under_the_roc_curve_counts_pairs(modules):
    rng = np.random.default_rng(2)
    truth, values = rng.random(40) < 0.4, np.round(rng.random(40), 1)
    pairs = [(a > b) + 0.5 * (a == b) for a in values[truth] for b in values[~truth]]
    assert modules.lead_scores.area_under_curve(truth, values) == pytest.approx(np.mean(pairs))


def test_scores_of_a_method_by_hand(modules):
    s = modules.lead_scores
    truth = s.Truth(
        true=np.array([0.0, 100, 500, 2000, 9000, 9000]),
        mapped=np.array([0.0, 1000, 200, 2000, 9000, 9000]),
        bright=np.array([0, 0, 1, 0, 1, 1], bool),
    )
    answer = s.Answer(
        score=np.array([0.9, 0.2, 0.8, 0.1, 0.7, np.nan]),
        distance=np.array([100.0, 100, 700, 1500, 5000, np.nan]),
        low=np.array([0.0, 50, 600, 1000, 4000, np.nan]),
        high=np.array([150.0, 90, 900, 3000, 9000, np.nan]),
        is_probability=True,
    )
    found = s.scores([answer], [truth], threshold=0.5)
    assert (found["precision"], found["recall"]) == (pytest.approx(1 / 3), 0.5)
    assert found["false_leads"] == 0.5 and found["coverage"] == pytest.approx(5 / 6)
    assert (found["bright_ice"], found["false_leads_in_bright_ice"]) == (1, 1.0)  # 500 m from a lead is none of it
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)
    assert found["distance_error_median_m"] == 150.0 and found["distance_error_mean_m"] == 200.0
    assert found["interval_coverage_near_truth"] == 0.5 and found["interval_coverage_truth"] == pytest.approx(3 / 5)


def test_intervals_come_from_draws_of_tracks(modules):
    """A method with the same curve on every track has no spread, and equal methods no difference."""
    s = modules.lead_scores
    one = s.Truth(true=np.array([0.0, 9000, 0, 9000]), mapped=np.zeros(4), bright=None)
    same = s.Answer(score=np.array([0.9, 0.8, 0.7, 0.1]))
    drawn = s.bootstrap({"a": [same] * 5, "b": [same] * 5}, [one] * 5, draws=20)
    np.testing.assert_allclose(drawn["a"], 0.5 + 0.5 * 2 / 3)
    np.testing.assert_array_equal(drawn["a"], drawn["b"])
    assert s.interval(np.arange(1001.0)) == [25.0, 975.0]


def test_tracks_are_read_with_their_truth(modules, tracks):
    found = modules.lead_files.track(tracks / "track_12.nc")
    drawn = draw_track(12, echoes=200)
    np.testing.assert_allclose(found.true, drawn.true_distance, rtol=1e-6)
    np.testing.assert_allclose(found.mapped, drawn.map_distance, rtol=1e-6)
    np.testing.assert_array_equal(found.bright, drawn.is_patch)


def test_features_of_neighbours_are_those_of_echoes_beside(modules, tracks):
    track = modules.lead_files.track(tracks / "track_12.nc")
    own = modules.score_leads.forest_inputs(track, side=0, without_agc=False)
    near = modules.score_leads.forest_inputs(track, side=3, without_agc=False)
    assert own.shape == (200, 10) and near.shape == (200, 70)
    for i in (0, 2, 100, 199):
        expected = [own[min(max(i + k, 0), 199)] for k in range(-3, 4)]
        np.testing.assert_array_equal(near[i], np.concatenate(expected))
    shapes = modules.score_leads.forest_inputs(track, side=0, without_agc=True)
    np.testing.assert_array_equal(shapes, own[:, :6])


def test_forests_learn_from_the_passes_that_the_network_learns_from(modules, tracks):
    from polynya import recipes

    b = modules.score_leads
    files_ = labelled_echoes.files([tracks])
    config = splits.Config(**dict(zip(splits.PARTS, b.SHARES, strict=True)), seed=5)
    plan = recipes.load("leads")
    data = family.data(plan, family.network(plan), data=[tracks], train_only=(), split=config)
    of_pass = {data.echoes.passes[n]: data.split.part[data.echoes.passed == n][0] for n in range(len(files_))}
    part = b.split_of([SimpleNamespace()] * len(files_), seed=5)
    assert [of_pass[f.stem] for f in files_] == part.tolist()


def test_methods_are_compared_on_tracks_with_leads_that_shine(modules, tracks):
    """A forest that sees labels beats the share of leads; the truth itself scores 1."""
    b = modules.score_leads
    read = [modules.lead_files.track(p) for p in labelled_echoes.files([tracks])]
    taught, held, test = read[:6], read[6:9], read[9:]
    methods = {
        "network": lambda k: modules.lead_scores.Answer(score=-k.true),
        "forest": b.forest(taught, side=0, without_agc=False, seed=0, t=300.0),
    }
    found = b.compare(methods, held, test, draws=20)
    own, forest = found["methods"]["network"], found["methods"]["forest"]
    share = found["methods"]["majority"]["average_precision"]
    assert own["average_precision"] == 1.0 > forest["average_precision"] > share > 0
    assert forest["network_minus_this"] == pytest.approx(1.0 - forest["average_precision"])
    assert b.tables_of(found)["main"]["rows"][0][0] == "network"


def test_few_tracks_are_seen_more_often(modules):
    """1500 steps of 32 windows of 100 echoes: 390 tracks of 800 take the recipe's 16 epochs, 120 tracks 50."""
    epochs_for = modules.score_leads.epochs_for
    assert epochs_for("leads", echoes=390 * 800) is None
    assert epochs_for("leads", echoes=120 * 800) == 50 and epochs_for("leads", echoes=4000) == 60


def test_a_recipe_with_another_threshold_keeps_the_rest(modules, tmp_path):
    from polynya import recipes

    path = modules.score_leads.recipe_with("leads", tmp_path, threshold_m=100.0)
    one, two = recipes.load(path).as_dict(), recipes.load("leads").as_dict()
    assert one["settings"].pop("threshold_m") == 100.0 and one == two


def test_true_labels_are_tables_of_the_true_distances(modules, tracks, tmp_path):
    paths = modules.score_leads.with_true_labels([tracks / "track_10.nc"], tmp_path)
    found = labelled_echoes.read(paths, names=("peakiness",), most_steps=2)
    np.testing.assert_allclose(found.distance, draw_track(10, echoes=200).true_distance, rtol=1e-6)


def hand_labelled(path: Path, seed: int, days: int = 12) -> Path:
    """Write echoes whose ocean-like ones have a long tail, some noisy; times 1.5 s apart."""
    rng = np.random.default_rng(seed)
    n, k = 20 * days, np.arange(128)
    truth = rng.random(n) < 0.4
    edge, decay = rng.integers(35, 55, (n, 1)), np.where(truth, 0.01, 0.15)[:, None] * rng.uniform(0.5, 1.5, (n, 1))
    w = np.where(k >= edge, np.exp(-decay * (k - edge)), 0.02) * rng.gamma(20.0, 1 / 20.0, (n, 128))
    with h5py.File(path, "w") as file:
        file["waveform_20_ku"] = np.round(60_000 * w).astype(np.uint32)
        file["waveform_cla"] = truth.astype(np.int64)
        file["time_20_ku"] = np.repeat(np.arange(days) * 86_400.0, 20) + np.tile(np.arange(20) * 1.5, days)
        file["time_20_ku"].attrs["units"] = "seconds since 2019-01-21T02:37:13"
        file["lat_20_ku"], file["lon_20_ku"] = np.full(n, 22.0), np.full(n, 113.0)
    return path


def test_hand_labelled_echoes_are_validated_over_days(modules, tmp_path, monkeypatch):
    hand = modules.hand_labelled_echoes
    monkeypatch.setattr(hand, "TREES", 20)
    monkeypatch.setattr(hand, "NETWORKS", 1)
    monkeypatch.setattr(hand, "EPOCHS", 5)
    one, two = hand_labelled(tmp_path / "a.nc", 0), hand_labelled(tmp_path / "b.nc", 1)
    assert modules.lead_files.is_hand_labelled(one)
    data = hand.read([one])
    fold = hand.folds(data.day, seed=0)
    assert all(len(set(fold[data.day == d].tolist())) == 1 for d in np.unique(data.day)) and set(fold) == set(range(5))
    pytest.importorskip("torch")
    found = hand.score([one], [two], seed=0)
    json.dumps(found)
    for part in ("cross_validation", "test"):
        scores = found["values"][part]
        assert scores["forest"]["accuracy"] > 0.9 > scores["majority"]["accuracy"]
        assert scores["ensemble"]["auc"] > 0.95
    assert found["values"]["test"]["majority"]["auc"] == pytest.approx(0.5)


def test_a_track_in_both_parts_is_refused_by_its_echoes(modules, tracks, monkeypatch, capsys, tmp_path):
    shutil.copy(tracks / "track_11.nc", tmp_path / "other.nc")
    words = ["score_leads.py", "--train", str(tracks), "--test", str(tmp_path / "other.nc")]
    monkeypatch.setattr(sys, "argv", words)
    assert modules.score_leads.main() == 1
    assert "other.nc: is in --train and in --test" in capsys.readouterr().err
