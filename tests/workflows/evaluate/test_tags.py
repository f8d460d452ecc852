"""Tags against references: plain counts, constants beside, what was not assessed, classes, refusals."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import PolynyaError, ProductError
from polynya.evaluate.tags import text
from polynya.schema.imagette_tags import PROBABILITIES
from polynya.schema.imagettes import SHORT_NAMES, TAGS
from polynya.workflows.evaluate import tags as evaluate

from ..tags import tag_tables

N = 60


def names(n=N, passes=6):
    """Return names in the agency's form: n imagettes of some orbits."""
    stem = "s1a-wv1-slc-vv-20160110t000000-20160110t000003-{:06d}-00d6fe-{:03d}"
    return [stem.format(100 + k % passes, k + 1) for k in range(n)]


def reference(folder, named, tags, *, unknown=None):
    folder.mkdir(parents=True)
    with (folder / "tags.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["filename", *SHORT_NAMES])
        for k, name in enumerate(named):
            cells = ["" if unknown is not None and unknown[k, j] else int(v) for j, v in enumerate(tags[k])]
            out.writerow([f"{name}.png", *cells])
    return folder


@pytest.fixture
def drawn():
    rng = np.random.default_rng(3)
    truth = rng.random((N, 10)) < np.linspace(0.05, 0.5, 10)
    p = np.clip(0.5 * truth + rng.normal(0.25, 0.2, truth.shape), 0.01, 0.99)
    return truth, p


def result(folder, p, **more):
    columns = {name: p[:, k] for k, name in enumerate(PROBABILITIES)}
    return tag_tables.write(folder, "out", tags=p >= 0.5, **{"name": names(), **columns, **more})


def scored(out, ref):
    found = {}
    for r in evaluate.run(out, reference=ref, draws=25).to_pylist():
        found[r["stratum"], r["class"], r["prediction"], r["metric"]] = r
    return found


def test_scores_are_plain_counts(tmp_path, drawn):
    truth, p = drawn
    found = scored(result(tmp_path, p), reference(tmp_path / "ref", names(), truth))
    f1 = []
    for k, tag in enumerate(TAGS):
        hits = sum(p[i, k] >= 0.5 and truth[i, k] for i in range(N))
        called, real = sum(v >= 0.5 for v in p[:, k]), sum(truth[:, k])
        for metric, value in (
            ("precision", hits / called),
            ("recall", hits / real),
            ("f1", 2 * hits / (called + real)),
        ):
            row = found["all", tag, "given", metric]
            assert row["value"] == pytest.approx(value) and row["n"] == N
            assert np.isnan(row["low"]) or row["low"] <= value + 1e-9
        f1.append(2 * hits / (called + real))
        pairs = [(a > b) + 0.5 * (a == b) for a in p[truth[:, k], k] for b in p[~truth[:, k], k]]
        assert found["all", tag, "given", "auroc"]["value"] == pytest.approx(np.mean(pairs))
    wrong = (p >= 0.5) != truth
    whole = {m: found["all", "all tags", "given", m]["value"] for m in ("macro_f1", "exact_match", "hamming")}
    assert whole == pytest.approx(
        {"macro_f1": np.mean(f1), "exact_match": np.mean(~wrong.any(1)), "hamming": wrong.mean()}
    )
    row = found["all", "all tags", "given", "macro_f1"]
    assert row["low"] < row["value"] < row["high"]
    assert found["all", "all tags", "given", "passes"]["value"] == 6


def test_constants_stand_beside(tmp_path, drawn):
    truth, p = drawn
    found = scored(result(tmp_path, p), reference(tmp_path / "ref", names(), truth))
    most = int(truth.sum(axis=0).argmax())
    share = truth[:, most].mean()
    one = found["all", TAGS[most], "commonest tag", "f1"]["value"]
    assert one == pytest.approx(2 * share / (1 + share))
    assert found["all", "all tags", "commonest tag", "macro_f1"]["value"] == pytest.approx(one / 10)
    assert found["all", "all tags", "shares", "macro_auroc"]["value"] == pytest.approx(0.5)
    assert found["all", "all tags", "shares", "macro_f1"]["value"] == 0.0
    assert found["all", "all tags", "given", "macro_f1"]["value"] > 0.5


def test_what_was_not_assessed_is_missed_and_never_covered(tmp_path, drawn):
    truth, _ = drawn
    p = np.where(truth, 0.95, 0.05)  # all right
    quality = np.where(np.arange(N) < 15, 2, 0)
    found = scored(result(tmp_path, p, tag_quality=quality), reference(tmp_path / "ref", names(), truth))
    whole = {m: found["all", "all tags", "given", m]["value"] for m in ("not_assessed", "coverage_at_95_percent")}
    assert whole["not_assessed"] == 0.25
    most = max(k for k in range(46, 61) if 45 / k >= 0.95)
    assert whole["coverage_at_95_percent"] in (0.75, pytest.approx(most / N))
    recall = found["all", TAGS[9], "given", "recall"]["value"]
    assert recall == pytest.approx(truth[15:, 9].sum() / truth[:, 9].sum())


def test_precise_tags_have_a_confidence_of_their_own(tmp_path):
    """Two tags, the precise one the less probable: its probability orders the images, not the other's."""
    truth = np.zeros((N, 10), bool)
    truth[:, 1] = True
    truth[: N // 2, 0] = True  # the first half has both tags, the second is precise in a wrong one
    truth[N // 2 :, 1] = False
    p = np.full((N, 10), 0.01)
    p[:, 0] = np.where(np.arange(N) < N // 2, 0.6, 0.99)
    p[:, 1] = np.where(np.arange(N) < N // 2, 0.9, 0.7)
    precise = np.zeros((N, 10), bool)
    precise[:, 1] = True
    found = scored(
        result(tmp_path, p, precise_tags=tag_tables.words(precise)), reference(tmp_path / "ref", names(), truth)
    )
    # surest first by the precise tag: 30 right at 0.9, then 30 wrong at 0.7; by the other tag the wrong ones come first
    assert found["all", "all tags", "precise", "coverage_at_95_percent"]["value"] == 0.5
    assert found["all", "all tags", "given", "coverage_at_95_percent"]["value"] == 0.0


def test_unknown_tags_do_not_count(tmp_path, drawn):
    truth, p = drawn
    unknown = np.random.default_rng(1).random(truth.shape) < 0.3
    found = scored(result(tmp_path, p), reference(tmp_path / "ref", names(), truth, unknown=unknown))
    for k, tag in enumerate(TAGS):
        real = [i for i in range(N) if truth[i, k] and not unknown[i, k]]
        if real:
            row = found["all", tag, "given", "recall"]
            assert row["value"] == pytest.approx(np.mean(p[real, k] >= 0.5)) and row["n"] == (~unknown[:, k]).sum()


def test_classes_give_a_confusion(tmp_path, drawn):
    """TenGeoP names one class per image: the most probable tag is compared."""
    _, p = drawn
    truth = np.arange(N) % 10
    top = p.argmax(axis=1)
    (tmp_path / "TenGeoP").mkdir()
    both = list(zip(names(), truth, strict=True))
    lines = [f"{n}.tiff {'FGHIJKLMNO'[c]} wv1 20160110 {-150 + k} 12.5" for k, (n, c) in enumerate(both)]
    (tmp_path / "TenGeoP" / "58683.txt").write_text("\n".join(lines) + "\n")
    out = result(tmp_path, p)
    found = scored(out, tmp_path / "TenGeoP")
    assert found["dominant class", "all tags", "given", "accuracy"]["value"] == pytest.approx((top == truth).mean())
    assert found["dominant class", "all tags", "commonest tag", "accuracy"]["value"] == pytest.approx(0.1)
    for a in range(10):
        for b in range(10):
            row = found["dominant class", TAGS[a], "given", f"called_{TAGS[b]}"]
            assert row["value"] == ((truth == a) & (top == b)).sum() and row["n"] == 6
    words = text.summary(evaluate.run(out, reference=tmp_path / "TenGeoP", draws=25))
    assert "reference, called" in words and "POW" in words


def test_the_command_and_its_words(tmp_path, drawn):
    truth, p = drawn
    out = result(tmp_path, p, about={"is_simulated": True, "is_network_simulated": True})
    ref = reference(tmp_path / "ref", names()[:50], truth[:50])
    done = CliRunner().invoke(app, ["evaluate", str(out), "-r", str(ref), "--table", str(tmp_path / "scores.parquet")])
    assert done.exit_code == 0, done.output
    assert "nothing here is skill on real data" in done.stdout and "learned from simulated imagettes" in done.stdout
    assert "NOTE: imagettes and reference are matched by the names of the pictures" in done.stdout
    assert "10 imagettes without a reference" in done.stdout and "50 imagettes of 6 passes" in done.stdout
    assert "commonest tag" in done.stdout and (tmp_path / "scores.parquet").exists()
    error = CliRunner().invoke(app, ["evaluate", str(out), "-r", str(ref), "--region", "x"]).exception
    assert isinstance(error, PolynyaError) and "tags of imagettes" in str(error)


def test_other_pictures_and_twice_the_same_are_rejected(tmp_path, drawn):
    truth, p = drawn
    out = result(tmp_path, p)
    other = reference(tmp_path / "other", [f"x{k}" for k in range(N)], truth)
    with pytest.raises(ProductError, match="no imagette is in both"):
        evaluate.run(out, reference=other)
    for name in ("a", "b"):
        reference(tmp_path / "both" / name, names()[:3], truth[:3])
    with pytest.raises(ProductError, match="is in the reference twice"):
        evaluate.run(out, reference=tmp_path / "both")
    twice = result(tmp_path / "twice", p, name=[*names(N - 1), names()[0]])
    with pytest.raises(ProductError, match=r"1 picture of the reference is there more than once, as s1a.*by name"):
        evaluate.run(twice, reference=reference(tmp_path / "one", names()[:3], truth[:3]))
    evaluate.run(twice, reference=reference(tmp_path / "rest", names()[1:9], truth[1:9]), draws=2)  # not those of it
    with pytest.raises(ProductError, match="holds neither"):
        evaluate.run(out, reference=tmp_path / "out")
