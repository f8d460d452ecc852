"""benchmarks/score_tags.py: scores against plain counts, hand counts of real tags, imagettes in both parts."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from polynya.readers import wv_quicklooks
from polynya.schema.imagettes import TAGS
from polynya.simulate.wave_mode.product import Options, simulate_imagettes
from tests.real_files import sar

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
LABELS = ("a", "b", "c")


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield SimpleNamespace(**{n: importlib.import_module(n) for n in ("tag_scores", "score_tags")})
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def drawn(modules):
    rng = np.random.default_rng(0)
    p = np.round(rng.random((200, 3)), 2)
    tags, known = rng.random(p.shape) < p, rng.random(p.shape) < 0.9
    given = p >= 0.5
    answer = modules.tag_scores.Answer(
        probability=p, given=given, confidence=modules.tag_scores.confidence_of(p, given)
    )
    return answer, modules.tag_scores.Truth(tags=tags, known=known, passed=np.arange(200) // 10)


def test_f1_area_match_and_hamming_are_plain_counts(modules, drawn):
    answer, truth = drawn
    found = modules.tag_scores.scores(answer, truth, labels=LABELS)
    f1, pairs, wrong, matches = [], [], 0, 0
    for k in range(3):
        both = [(g, t) for g, t, n in zip(answer.given[:, k], truth.tags[:, k], truth.known[:, k], strict=True) if n]
        hits = sum(g and t for g, t in both)
        f1.append(2 * hits / (sum(g for g, _ in both) + sum(t for _, t in both)))
        wrong += sum(g != t for g, t in both)
    for i in range(200):
        matches += all(answer.given[i, k] == truth.tags[i, k] for k in range(3) if truth.known[i, k])
    p, t = answer.probability[truth.known], truth.tags[truth.known]
    pairs = [(1.0 if a > b else 0.5 if a == b else 0.0) for a in p[t] for b in p[~t]]
    assert found["macro_f1"] == pytest.approx(np.mean(f1)) and found["micro_auroc"] == pytest.approx(np.mean(pairs))
    assert found["hamming"] == pytest.approx(wrong / truth.known.sum()) and found["exact_match"] == matches / 200


def test_a_tag_that_cannot_be_seen_counts_in_all_only(modules):
    tags = np.array([[True], [True], [False], [False]])
    known = np.array([[True], [False], [True], [True]])
    given = np.array([[True], [False], [False], [False]])
    answer = modules.tag_scores.Answer(probability=given * 0.9 + 0.05, given=given, confidence=np.full(4, 0.9))
    truth = modules.tag_scores.Truth(tags=tags, known=known, passed=np.arange(4))
    found = modules.tag_scores.scores(answer, truth, labels=("a",))
    assert found["macro_f1"] == 1.0 and found["macro_f1_all"] == pytest.approx(2 / 3)
    assert found["untagged"] == 2 and found["untagged_with_a_tag"] == 0.0


def test_calibration_error_of_the_top_tag(modules):
    """Ten images at 0.8 of which seven are right: 0.1."""
    p = np.tile([0.8, 0.1], (10, 1))
    tags = np.zeros((10, 2), bool)
    tags[:7, 0] = True
    answer = modules.tag_scores.Answer(probability=p, given=p >= 0.5, confidence=p.max(axis=1))
    truth = modules.tag_scores.Truth(tags=tags, known=np.ones_like(tags), passed=np.zeros(10, int))
    found = modules.tag_scores.scores(answer, truth, labels=("a", "b"))
    assert found["top_label_ece"] == pytest.approx(0.1) and found["mean_tag_ece"] == pytest.approx(0.1)


def test_coverage_by_hand(modules):
    """The surest eight of ten are right: 95 % accuracy is kept up to 80 % coverage."""
    confidence, right = np.linspace(1.0, 0.1, 10), np.arange(10) < 8
    coverage, accuracy = modules.tag_scores.coverage_curve(confidence, right)
    assert coverage[accuracy >= 0.95].max() == pytest.approx(0.8) and accuracy[-1] == pytest.approx(0.8)
    tied, _ = modules.tag_scores.coverage_curve(np.full(10, 0.5), right)
    assert tied.tolist() == [1.0]


def test_none_is_right_where_nothing_is_there(modules):
    p = np.array([[0.1, 0.2], [0.1, 0.2], [0.9, 0.6], [0.9, 0.6]])
    tags = np.array([[False, False], [True, False], [False, True], [True, False]])
    given = p >= 0.5
    confidence = modules.tag_scores.confidence_of(p, given)
    answer = modules.tag_scores.Answer(probability=p, given=given, confidence=confidence)
    truth = modules.tag_scores.Truth(tags=tags, known=np.ones_like(tags), passed=np.arange(4))
    assert modules.tag_scores.top_is_right(answer, truth).tolist() == [True, False, False, True]
    assert confidence == pytest.approx([0.72, 0.72, 0.9, 0.9])


def test_intervals_draw_whole_passes(modules, drawn):
    """One pass alone: every draw is the sample itself."""
    answer, truth = drawn
    one = modules.tag_scores.Truth(tags=truth.tags, known=truth.known, passed=np.zeros(200, int))
    found = modules.tag_scores.bootstrap({"m": answer}, one, draws=3)["m"]["macro_f1"]
    assert found == pytest.approx([modules.tag_scores.main_scores(answer, one)["macro_f1"]] * 3)
    many = modules.tag_scores.bootstrap({"m": answer}, truth, draws=50)["m"]["macro_f1"]
    assert np.ptp(many) > 0.01


@pytest.mark.real
def test_tag_counts_of_real_quicklooks_are_those_of_the_table(modules):
    """Counted in the file by hand: MC and WS as their own columns say."""
    place = sar("wv_quicklooks")
    part = modules.score_tags.read([place])
    lines = [line.split(",") for line in (place / "tags.csv").read_text().split()]
    header, rows = lines[0], lines[1:]
    for ours, theirs in ((2, "MC"), (1, "WS"), (8, "AB"), (5, "SI")):
        assert part.truth.tags[:, ours].sum() == sum(r[header.index(theirs)] == "1" for r in rows)
    assert not part.simulated and part.features.shape == (5, 20)


@pytest.mark.real
def test_scores_of_real_quicklooks_are_those_counted_by_hand(modules):
    """Five pictures: MC three times, WS, RC and AB once; swell (POW) is in none, so nobody knows. Who gives all tags to
    all pictures has 3 of 5 cells right, 1 of 5 streaks, rain cells and fronts, and 6 of the 45 known answers."""
    part = modules.score_tags.read([sar("wv_quicklooks")])
    everything = np.ones((5, 10), bool)
    answer = modules.tag_scores.Answer(probability=0.9 * everything, given=everything, confidence=np.full(5, 0.9))
    found = modules.tag_scores.scores(answer, part.truth, labels=TAGS)
    f1 = {name: one["f1"] for name, one in found["tags"].items() if one["n"]}
    assert f1 == pytest.approx(
        {"micro_convective_cells": 6 / 8, "wind_streaks": 2 / 6, "rain_cells": 2 / 6, "atmospheric_front": 2 / 6}
    )
    assert found["hamming"] == pytest.approx(39 / 45) and found["exact_match"] == 0.0
    assert found["macro_f1"] == pytest.approx((6 / 8 + 3 * 2 / 6) / 4)


def test_it_trains_scores_and_refuses_what_is_in_both(modules, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    simulate_imagettes(tmp_path / "train", Options(seed=64, count=48, label_errors=0.05))
    simulate_imagettes(tmp_path / "test", Options(seed=65, count=14))
    plan = (Path(wv_quicklooks.__file__).parents[1] / "recipes" / "tags.yaml").read_text()
    small = plan.replace("size: 400", "size: 64").replace("[32, 64, 128, 256]", "[8, 8]")
    (tmp_path / "small.yaml").write_text(small)
    monkeypatch.setattr(modules.score_tags, "TREES", 3)
    words = ["score_tags.py", "--train", str(tmp_path / "train"), "--test", str(tmp_path / "test"), "--json"]
    words += ["--recipe", str(tmp_path / "small.yaml"), "--epochs", "1", "--draws", "3"]
    monkeypatch.setattr(sys, "argv", words)
    assert modules.score_tags.main() == 0
    printed = json.loads(capsys.readouterr().out)
    found = printed["values"]
    assert len(printed["tables"]["tags"]["rows"]) == 10
    assert set(found["methods"]) == {"network", "forest"} and found["simulated"] and not found["is_leaky"]
    assert found["test"] == 14 and found["test_passes"] == 2 and len(found["methods"]["forest"]["tags"]) == 10
    monkeypatch.setattr(sys, "argv", [*words[:4], str(tmp_path / "train"), *words[5:]])
    assert modules.score_tags.main() == 1
    assert "48 imagettes are in --train too" in capsys.readouterr().err
