"""polynya label: a simulated granule under a scene drawn here from its truth, with a known drift."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from polynya import io, schema
from polynya.cli import app
from polynya.engine.protocol import DONE, Record
from polynya.errors import OutputError, UsageError
from polynya.labels import corrections, transfer
from polynya.report import label as report_of_labels
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import label

from ...real_files import real
from ..scene_over_track import VALUE, write_scene

SHIFT = (180.0, -250.0)
TIME = "2019-11-16T21:20:00"
"""20 minutes before the granule."""
CONFIG = label.Config(image_time=TIME, cloud_mask="none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Granule, truth and scene; read only."""
    where = tmp_path_factory.mktemp("pair")
    made = simulate(
        where / "ATL03_20191116214000_07170511_006_01.h5", length_km=8, season="summer", beams="strong", seed=5
    )
    write_scene(where / "scene.tif", made.truth, shift=SHIFT, crs="EPSG:32760")
    return where


@pytest.fixture(scope="module")
def granule(folder) -> Path:
    return next(folder.glob("ATL03*.h5"))


@pytest.fixture(scope="module")
def truth(folder) -> Path:
    return next(folder.glob("*_truth.parquet"))


@pytest.fixture(scope="module")
def labelled(folder, granule, tmp_path_factory) -> Path:
    """The labels of the pair, shift estimated; read only."""
    out = tmp_path_factory.mktemp("labels") / "labels.parquet"
    (record,) = label.run(
        [label.Pair(granule=str(granule), out=str(out), image=str(folder / "scene.tif"))], config=CONFIG
    )
    assert record.status == "done", record.message
    return out


def about(path: Path) -> dict[str, object]:
    metadata = {k.decode(): v.decode() for k, v in pq.read_schema(path).metadata.items()}
    return {
        k: (
            json.loads(v)
            if k
            not in (
                "polynya_table",
                "datum",
                "granule",
                "product",
                "release",
                "polynya",
                "scene",
                "scene_id",
                "crs",
                "shift_source",
                "method",
                "cloud_mask",
                "digest",
                "geo",
                "ARROW:schema",
                "truth",
            )
            else v
        )
        for k, v in metadata.items()
    }


def columns(path: Path, *names: str) -> dict[str, np.ndarray]:
    table = io.read_table(path, columns=list(names))
    return {n: np.array(table[n].to_pylist()) if n == "beam" else schema.to_numpy(table[n]) for n in names}


def true_class(path: Path, truth: Path) -> np.ndarray:
    """Class of the truth cell of each row, joined here with a dictionary."""
    known = columns(truth, "beam", "x_atc", "surface_class")
    cell = {
        (b, int(x // 2)): int(c) for b, x, c in zip(known["beam"], known["x_atc"], known["surface_class"], strict=True)
    }
    mine = columns(path, "beam", "x_atc")
    return np.array([cell[b, int(x // 2)] for b, x in zip(mine["beam"], mine["x_atc"], strict=True)])


def one(granule: Path, out: Path, *, config: label.Config = CONFIG, overwrite: bool = False, **pair: object):
    (record,) = label.run([label.Pair(granule=str(granule), out=str(out), **pair)], config=config, overwrite=overwrite)
    return record


def test_the_drift_is_found_and_said(labelled, granule):
    found = about(labelled)
    assert abs(found["shift_east_m"] - SHIFT[0]) < 8.0 and abs(found["shift_north_m"] - SHIFT[1]) < 8.0
    assert found["is_shift_sure"] is True and found["shift_confidence"] > 0.9 and found["shift_source"] == "estimate"
    assert (
        found["granule"] == granule.stem
        and found["scene_id"] == "scene"
        and found["crs"] == "EPSG:32760"
        and found["is_simulated"] is True
    )
    assert found["minutes"] == pytest.approx(-20.0, abs=0.1)
    assert found["polynya_table"] == "labels" and found["method"] == "published" and found["cloud_mask"] == "none"


def test_the_table_is_that_of_the_schema_with_a_row_a_segment(labelled):
    table = schema.check(io.read_table(labelled), schema.LABELS)
    assert table.num_rows > 0.9 * 3 * 4000
    assert set(table["beam"].to_pylist()) == {"gt1r", "gt2r", "gt3r"}
    label_, flag, source = (schema.to_numpy(table[n]) for n in ("label", "label_flag", "label_source"))
    assert np.array_equal(label_ == -1, flag != transfer.LABELLED) and np.array_equal(
        source == schema.LABEL_NONE, label_ == -1
    )
    counts = about(labelled)
    assert counts["label_counts"]["thick_ice"] == int((label_ == 0).sum()) and counts["flag_counts"][
        "class_transition"
    ] == int((flag == 1).sum())


def test_positions_hold_the_shift(labelled):
    from pyproj import Transformer

    c = columns(labelled, "longitude", "latitude", "easting", "northing")
    east, north = Transformer.from_crs("EPSG:4326", "EPSG:32760", always_xy=True).transform(
        c["longitude"], c["latitude"]
    )
    found = about(labelled)
    assert np.allclose(c["easting"] - east, found["shift_east_m"], atol=1e-6) and np.allclose(
        c["northing"] - north, found["shift_north_m"], atol=1e-6
    )


def test_labels_are_those_of_the_truth_away_from_transitions(labelled, truth):
    c = columns(labelled, "label", "image_value")
    true, given = true_class(labelled, truth), c["label"]
    known = given >= 0
    assert known.mean() > 0.8
    assert (true[known] == given[known]).mean() > 0.98
    for k in range(3):
        assert (given == k).sum() > 20 and (true[given == k] == k).mean() > 0.9
    assert c["image_value"][given == 0] == pytest.approx(VALUE[0], abs=40)


def test_what_lies_beside_the_table(labelled):
    run = io.read_json(labelled.with_name("labels.run.json"))
    assert (
        run["config"]["max_minutes"] == 80.0
        and run["labels"]["is_shift_sure"] is True
        and run["digest"] == about(labelled)["digest"]
    )
    page = labelled.with_name("labels_shift.html").read_text(encoding="utf-8")
    assert "<svg" in page and "east, m" in page and "Close-ups" in page
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert all(u.startswith("data:") for u in re.findall(r'href="([^"]*)"', page))
    assert not [p.name for p in labelled.parent.iterdir() if p.name.startswith(".")]


def test_a_given_shift_is_taken(folder, granule, truth, tmp_path):
    right, wrong = tmp_path / "right.parquet", tmp_path / "wrong.parquet"
    one(granule, right, image=str(folder / "scene.tif"), shift=SHIFT)
    one(granule, wrong, image=str(folder / "scene.tif"), shift=(SHIFT[0], SHIFT[1] + 400.0))
    assert (
        about(right)["shift_source"] == "command"
        and (about(right)["shift_east_m"], about(right)["shift_north_m"]) == SHIFT
    )
    agree = {}
    for path in (right, wrong):
        given, true = columns(path, "label")["label"], true_class(path, truth)
        agree[path.stem] = (true[given > 0] == given[given > 0]).mean()
    assert agree["right"] > 0.9 and agree["wrong"] < 0.5


def test_without_contrast_nothing_is_labelled(folder, granule, truth, tmp_path):
    scene = write_scene(tmp_path / "snow.tif", truth, shift=SHIFT, crs="EPSG:32760", blank=True)
    record = one(granule, tmp_path / "labels.parquet", image=str(scene))
    assert record.status == "done" and "the shift is uncertain" in record.message and "--shift" in record.message
    c = columns(tmp_path / "labels.parquet", "label", "label_flag")
    assert (c["label"] == -1).all() and (c["label_flag"] == transfer.SHIFT_UNSURE).all()
    assert about(tmp_path / "labels.parquet")["is_shift_sure"] is False


def test_too_far_apart_in_time_says_how_far(folder, granule, tmp_path):
    record = one(
        granule,
        tmp_path / "labels.parquet",
        image=str(folder / "scene.tif"),
        config=label.Config(image_time="2019-11-16T23:40:00", cloud_mask="none"),
    )
    assert record.status == "failed"
    assert (
        "120 min after" in record.message and "at most 80 min" in record.message and "--max-minutes" in record.message
    )
    assert list(tmp_path.iterdir()) == []
    late = label.Config(image_time="2019-11-16T23:40:00", cloud_mask="none", max_minutes=121)
    assert (
        one(granule, tmp_path / "labels.parquet", image=str(folder / "scene.tif"), shift=SHIFT, config=late).status
        == "done"
    )


def test_a_scene_elsewhere_or_without_time_is_refused(folder, granule, truth, tmp_path):
    import rasterio

    shutil.copy(folder / "scene.tif", tmp_path / "far.tif")
    with rasterio.open(tmp_path / "far.tif", "r+") as handle:
        here = handle.transform
        handle.transform = rasterio.Affine(here.a, 0.0, here.c + 90_000.0, 0.0, here.e, here.f)
    far = one(granule, tmp_path / "labels.parquet", image=str(tmp_path / "far.tif"))
    assert far.status == "failed" and "no segment lies over far.tif" in far.message
    unknown = one(
        granule, tmp_path / "labels.parquet", image=str(folder / "scene.tif"), config=label.Config(cloud_mask="none")
    )
    assert unknown.status == "failed" and "--image-time" in unknown.message and unknown.exit_code == 2
    assert not (tmp_path / "labels.parquet").exists()


def test_features_over_the_scene_are_those_of_the_whole_track(labelled, granule):
    """The granule is cut to the scene before it is read: what a segment's features are must not show it."""
    from polynya.readers import icesat2_atl03
    from polynya.workflows.label import pair as label_pair

    tracks, _ = label_pair.read_tracks(icesat2_atl03.open_granule(granule), beams="gt2r")
    mine = columns(labelled, "beam", "x_atc", "height_above_low", "rate_pooled")
    rows = mine["beam"] == "gt2r"
    at = np.searchsorted(tracks[0].x, mine["x_atc"][rows])
    assert np.array_equal(tracks[0].x[at], mine["x_atc"][rows])
    for name in ("height_above_low", "rate_pooled"):
        assert np.allclose(tracks[0].features[name][at], mine[name][rows], equal_nan=True)


def test_truth_labels_every_segment(granule, truth, tmp_path):
    out = tmp_path / "labels.parquet"
    assert one(granule, out, truth=str(truth)).status == "done"
    c = columns(out, "label", "label_source", "easting", "image_value")
    assert np.array_equal(c["label"], true_class(out, truth))
    assert (
        (c["label_source"] == schema.LABEL_SIMULATION).all()
        and np.isnan(c["easting"]).all()
        and (c["image_value"] == -1).all()
    )
    assert not out.with_name("labels_shift.html").exists()


def test_truth_of_another_granule_is_refused(granule, tmp_path):
    other = simulate(tmp_path / "other.h5", length_km=1, season="winter", beams="gt1r", seed=1)
    record = one(granule, tmp_path / "labels.parquet", truth=str(other.truth))
    assert record.status == "failed" and "holds the truth of other" in record.message


@pytest.mark.real
def test_truth_of_a_granule_drawn_from_an_atl07_knows_ice_as_ice(tmp_path):
    from polynya.simulate.icesat2.from_atl07 import simulate_from_atl07

    made = simulate_from_atl07(
        real("processed_ATL07-01_20190222003738_08490201_003_02.h5"), tmp_path / "drawn.h5", beams="gt3l", seed=1
    )
    out = tmp_path / "labels.parquet"
    record = one(made.granule, out, truth=str(made.truth), config=label.Config(beams="gt3l"))
    assert record.status == "done", record.message
    c = columns(out, "label", "label_source", "label_flag")
    assert set(np.unique(c["label"])) <= {-1, schema.OPEN_WATER, schema.ANY_ICE} and {
        schema.OPEN_WATER,
        schema.ANY_ICE,
    } <= set(c["label"].tolist())
    assert set(np.unique(c["label_source"][c["label"] >= 0])) == {schema.LABEL_ATL07}
    assert (c["label_flag"][c["label"] == -1] == transfer.NO_CLASS).all()


def correct(path: Path, granule: str, x: tuple[float, float], to: int, beam: str = "gt2r") -> corrections.Correction:
    return corrections.append(
        path,
        corrections.Correction(
            action="label", granule=granule, who="a person", to=to, beam=beam, x_from=x[0], x_to=x[1]
        ),
    )


def test_corrections_win_and_the_later_one_last(labelled, folder, granule, tmp_path):
    c = columns(labelled, "beam", "x_atc")
    x = np.sort(c["x_atc"][c["beam"] == "gt2r"])
    file = tmp_path / "labels.corrections.jsonl"
    correct(file, granule.stem, (x[100], x[199]), 2)
    correct(file, granule.stem, (x[150], x[249]), 1)
    out = tmp_path / "labels.parquet"
    assert one(granule, out, image=str(folder / "scene.tif"), corrections=str(file)).status == "done"
    found = columns(out, "beam", "x_atc", "label", "label_source")
    mine = found["beam"] == "gt2r"
    order = np.argsort(found["x_atc"][mine])
    label_, source = found["label"][mine][order], found["label_source"][mine][order]
    assert (
        (label_[100:150] == 2).all() and (label_[150:250] == 1).all() and (source[100:250] == schema.LABEL_PERSON).all()
    )
    before = columns(labelled, "beam", "label")["label"][columns(labelled, "beam")["beam"] == "gt2r"]
    assert np.array_equal(np.delete(label_, slice(100, 250)), np.delete(before, slice(100, 250)))
    assert about(out)["n_corrections"] == 2
    correct(file, "ATL03_of_another_place", (x[0], x[50]), 2)
    correct(file, granule.stem, (x[0], x[50]), 2, beam="gt1l")
    record = one(granule, out, image=str(folder / "scene.tif"), corrections=str(file), overwrite=True)
    assert "2 of 4 corrections belong to other granules or beams and change nothing here." in record.message
    assert about(out)["n_corrections"] == 2 and np.array_equal(columns(out, "label")["label"], found["label"])


def test_without_a_cloud_mask_it_says_so(folder, granule, labelled, tmp_path):
    record = one(
        granule,
        tmp_path / "labels.parquet",
        image=str(folder / "scene.tif"),
        shift=SHIFT,
        config=CONFIG.model_copy(update={"cloud_mask": "auto"}),
    )
    assert (
        record.status == "done"
        and "no cloud mask (the scene has no classification): cloud is labelled as ice or water" in record.message
    )
    assert (
        "cloud" not in one(granule, tmp_path / "none.parquet", image=str(folder / "scene.tif"), shift=SHIFT).message
    )  # it was asked for


def test_a_persons_shift_replaces_the_estimate(folder, granule, tmp_path):
    file = tmp_path / "labels.corrections.jsonl"
    corrections.append(
        file, corrections.Correction(action="shift", granule=granule.stem, who="a person", to=(100.0, 50.0))
    )
    out = tmp_path / "labels.parquet"
    one(granule, out, image=str(folder / "scene.tif"), corrections=str(file))
    found = about(out)
    assert (found["shift_east_m"], found["shift_north_m"], found["shift_source"]) == (100.0, 50.0, "person")
    one(granule, out, image=str(folder / "scene.tif"), corrections=str(file), shift=SHIFT, overwrite=True)
    assert about(out)["shift_source"] == "command"


def test_a_second_run_skips_and_other_settings_are_refused(folder, granule, tmp_path):
    out = tmp_path / "labels.parquet"
    pair = {"image": str(folder / "scene.tif"), "shift": SHIFT}
    assert one(granule, out, **pair).status == "done"
    stamp = out.stat().st_mtime_ns
    assert one(granule, out, **pair).status == "skipped" and out.stat().st_mtime_ns == stamp
    other = one(granule, out, image=pair["image"], shift=(0.0, 0.0))
    assert other.status == "failed" and "--overwrite" in other.message
    out.unlink()  # as a run that was killed before the table was there
    assert one(granule, out, **pair).status == "done"


def test_somebody_elses_file_is_not_overwritten(folder, granule, tmp_path):
    out = tmp_path / "labels.parquet"
    out.write_text("precious")
    for overwrite in (False, True):
        record = one(granule, out, image=str(folder / "scene.tif"), overwrite=overwrite)
        assert record.status == "failed" and "is no result of polynya" in record.message
    picture = tmp_path / "other_shift.html"
    picture.write_text("precious, too")
    assert one(granule, tmp_path / "other.parquet", image=str(folder / "scene.tif")).status == "failed"
    assert out.read_text() == "precious" and picture.read_text() == "precious, too"


def test_the_record_of_another_tool_is_not_replaced(folder, granule, tmp_path):
    record = tmp_path / "labels.run.json"
    record.write_text('{"tool": "another"}')
    for overwrite in (False, True):
        found = one(granule, tmp_path / "labels.parquet", image=str(folder / "scene.tif"), overwrite=overwrite)
        assert found.status == "failed" and "is no record of polynya" in found.message
    assert record.read_text() == '{"tool": "another"}' and list(tmp_path.iterdir()) == [record]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError])
def test_a_stopped_worker_leaves_what_another_finished_meanwhile(folder, granule, tmp_path, monkeypatch, error):
    """Two workers have one pair: the other one finishes while this one writes, then this one is stopped."""
    out, pair = tmp_path / "labels.parquet", {"image": str(folder / "scene.tif"), "shift": SHIFT}
    real, finished = report_of_labels.write, {}

    def stopped(path: Path, **arguments: object) -> None:
        monkeypatch.setattr(report_of_labels, "write", real)
        (tmp_path / ".labels.parquet.claim").unlink()  # the other one took this worker for dead
        assert one(granule, out, **pair).status == "done"
        finished.update({p: p.read_bytes() for p in tmp_path.iterdir() if not p.name.startswith(".")})
        raise error("stopped")

    monkeypatch.setattr(report_of_labels, "write", stopped)
    with contextlib.suppress(KeyboardInterrupt):
        assert one(granule, out, **pair).status == "failed"
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == finished and len(finished) == 3
    assert one(granule, out, **pair).status == "skipped"


def test_a_granule_that_spans_a_gap_keeps_its_pieces(folder, granule, truth, tmp_path):
    """A hole of 300 m in the photons: labels go on behind it, none inside."""
    copy = tmp_path / granule.name
    shutil.copy(granule, copy)
    with h5py.File(copy, "r+") as handle:
        group = handle["gt2r"]
        confidence = group["heights/signal_conf_ph"][:]
        first = group["geolocation/ph_index_beg"][:] - 1
        confidence[first[100] : first[115], 2] = 0
        group["heights/signal_conf_ph"][:] = confidence
    out = tmp_path / "labels.parquet"
    assert (
        one(
            copy,
            out,
            image=str(folder / "scene.tif"),
            config=label.Config(image_time=TIME, cloud_mask="none", beams="gt2r"),
            shift=SHIFT,
        ).status
        == "done"
    )
    x = columns(out, "x_atc")["x_atc"]
    assert 270.0 < np.diff(x).max() < 330.0


CSV = "granule,image,truth,shift_east,shift_north,name\n"


def test_many_pairs_with_one_failure(folder, granule, truth, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text(
        CSV
        + f"{granule},{folder / 'scene.tif'},,180,-250,a\n"
        + f"{granule},,{truth},,,b\n{granule},{tmp_path / 'missing.tif'},,,,c\n"
    )
    done = CliRunner().invoke(
        app,
        [
            "label",
            "--pairs",
            str(table),
            "-o",
            str(tmp_path / "out"),
            "--image-time",
            TIME,
            "--cloud-mask",
            "none",
            "--workers",
            "1",
            "--json",
        ],
    )
    assert done.exit_code == 3
    states = {Path(r["item"]).stem: r["status"] for r in json.loads(done.stdout)["pairs"]}
    assert states == {"a": "done", "b": "done", "c": "failed"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "a.parquet",
        "a.run.json",
        "a_shift.html",
        "b.parquet",
        "b.run.json",
        "index.html",
        "index.run.json",
        "runs.parquet",
    ]
    runs = {r["name"]: r for r in pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()}
    assert {n: r["state"] for n, r in runs.items()} == states and runs["a"]["report"] == "a_shift.html"
    assert runs["b"]["value"] > 0 and len(runs["b"]["track_latitude"]) > 2


@pytest.mark.parametrize(
    "text, word",
    [
        ("granule\na.h5\n", "columns granule; expected"),
        (CSV + "a.h5,,,,,\n", "expected a granule and one of the others"),
        (CSV + "a.h5,b,c,,,\n", "expected a granule and one of the others"),
        (CSV + "a.h5,b,,1,,\n", "expected two numbers"),
        (CSV + "a.h5,b,,1,nan,\n", "expected two numbers"),
        (CSV + "a.h5,b,,,,../x\n", "plain file name"),
        (CSV + "a.h5,b,,,,\na.h5,c,,,,\n", "occurs more than once"),
        (CSV, "holds no pair"),
        ("granule,image,sift\n", "columns granule, image, sift"),
    ],
)
def test_a_table_of_pairs_that_does_not_fit_says_why(text, word, tmp_path):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(UsageError, match=re.escape(word)):
        label.read_pairs(tmp_path / "pairs.csv", out=tmp_path)


def test_relative_paths_are_relative_to_the_table(tmp_path):
    (tmp_path / "pairs.csv").write_text("granule,image\nsub/a.h5,scene.SAFE\n")
    (pair,) = label.read_pairs(tmp_path / "pairs.csv", out="out")
    assert (pair.granule, pair.image, pair.out) == (
        str(tmp_path / "sub/a.h5"),
        str(tmp_path / "scene.SAFE"),
        str(Path("out/a.parquet")),
    )


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["a.h5", "-o", "x.parquet"], "one of --image and --truth"),
        (["a.h5", "--image", "s", "--truth", "t", "-o", "x.parquet"], "one of --image and --truth"),
        (["--image", "s"], "-o"),
        (["a.h5", "--pairs", "p.csv", "-o", "x"], "goes with no granule"),
        (["a.h5", "--image", "s", "-o", "x", "--method", "guess"], "--method guess"),
        (["a.h5", "--image", "s", "-o", "x", "--image-time", "noon"], "--image-time noon"),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments, word):
    done = CliRunner().invoke(app, ["label", *arguments])
    assert isinstance(done.exception, UsageError) and word in str(done.exception)


def test_the_command_says_what_it_wrote(folder, granule, tmp_path):
    out = tmp_path / "labels.parquet"
    done = CliRunner().invoke(
        app,
        [
            "label",
            str(granule),
            "--image",
            str(folder / "scene.tif"),
            "-o",
            str(out),
            "--shift",
            "180",
            "-250",
            "--image-time",
            TIME,
            "--cloud-mask",
            "none",
        ],
    )
    assert done.exit_code == 0, done.output
    assert (
        "segments labelled" in done.stdout
        and "+180 m east, -250 m north" in done.stdout
        and "20.0 min before" in done.stdout
    )
    assert [line.strip() for line in done.stdout.splitlines()[-3:]] == [
        str(out),
        str(out.with_name("labels.run.json")),
        str(out.with_name("labels_shift.html")),
    ]


def test_a_simulated_pair_is_labelled_where_its_record_says(tmp_path):
    """SAFE folder and granule from one ice cover: the shift of ``pair.json``, and labels that are the granule's
    truth."""
    from polynya.simulate.pair import Options, simulate_pair

    made = simulate_pair(
        tmp_path / "pair",
        Options(length_km=4, season="summer", seed=1022, beams="strong", cloud_cover=0.0, level="2A"),
    )
    out = tmp_path / "labels.parquet"
    record = one(made.granule, out, image=str(made.safe), config=label.Config())
    assert record.status == "done", record.message
    found = about(out)
    assert (
        found["is_shift_sure"]
        and np.hypot(
            found["shift_east_m"] - made.about["shift_east_m"], found["shift_north_m"] - made.about["shift_north_m"]
        )
        < 20.0
    )
    assert found["minutes"] == pytest.approx(made.about["minutes"], abs=0.2) and found["cloud_mask"] == "scl"
    given, true = columns(out, "label")["label"], true_class(out, made.truth)
    assert (given[given >= 0] == true[given >= 0]).mean() > 0.95


def test_nothing_stays_of_a_table_that_cannot_be_written(folder, granule, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(io.tables.parquet, "writer", full)
    record = one(granule, tmp_path / "labels.parquet", image=str(folder / "scene.tif"), shift=SHIFT)
    assert record.status == "failed" and "No space left" in record.message
    assert list(tmp_path.iterdir()) == []


def test_a_changed_scene_folder_or_network_is_another_input(tmp_path):
    """A SAFE is a folder: its own time does not change when a band in it does."""
    safe, network = tmp_path / "S2.SAFE", tmp_path / "unet.onnx"
    (safe / "GRANULE").mkdir(parents=True)
    band = safe / "GRANULE" / "B02.jp2"
    band.write_bytes(b"one")
    network.write_bytes(b"first")
    pair = label.Pair(granule=str(network), out="out.parquet", image=str(safe))
    key = pair.key(label.Config(method="unet", weights=str(network)))
    first = io.digest_of(io.key_as_dict(key))
    os.utime(band, (1, 1))
    assert first == io.digest_of(io.key_as_dict(key))
    band.write_bytes(b"two")
    second = io.digest_of(io.key_as_dict(key))
    network.write_bytes(b"other")
    assert len({first, second, io.digest_of(io.key_as_dict(key))}) == 3


def test_the_shift_and_every_setting_are_part_of_the_key(tmp_path):
    pair = {"granule": "g.h5", "out": "o.parquet", "image": "s.tif"}
    keys = [label.Pair(**pair, shift=s).key(label.Config()).settings for s in (None, (0.0, 1.0), (1.0, 0.0))]
    others = {"beams": "all", "max_shift_m": 60.0, "max_minutes": 1.0, "method": "sun", "cloud_mask": "none"}
    others |= {"image_time": TIME, "seed": 3}
    assert set(others) == set(label.Config.model_fields) - {"weights"}
    keys += [label.Pair(**pair).key(label.Config(**{n: v})).settings for n, v in others.items()]
    assert all(a != b for k, a in enumerate(keys) for b in keys[:k])


def test_a_stopped_overwrite_is_not_taken_for_done(folder, granule, tmp_path):
    """A run that was killed between its record and its table: the table is the earlier one."""
    out = tmp_path / "labels.parquet"
    pair = {"image": str(folder / "scene.tif"), "shift": SHIFT}
    assert one(granule, out, **pair).status == "done"
    old = out.read_bytes()
    assert one(granule, out, image=pair["image"], shift=(0.0, 0.0), overwrite=True).status == "done"
    out.write_bytes(old)
    record = one(granule, out, image=pair["image"], shift=(0.0, 0.0))
    assert record.status == "failed" and "Pass --overwrite" in record.message and out.read_bytes() == old
    assert one(granule, out, image=pair["image"], shift=(0.0, 0.0), overwrite=True).status == "done"


def test_a_task_carries_its_own_pair_only(tmp_path):
    """With a thousand pairs, a task is as small as with one."""
    out = tmp_path / "labels"
    pairs = [
        label.Pair(granule=f"granules/ATL03_{k}.h5", out=str(out / f"{k}.parquet"), image="s") for k in range(1_000)
    ]
    sizes = []

    class Engine:
        def map(self, task, items):
            sizes.extend(len(pickle.dumps((task, item))) for item in items)
            return iter([Record(item=i.name, status=DONE) for i in items])

    assert len(label.run(pairs, config=CONFIG, engine=Engine())) == 1_000
    assert max(sizes) < 2_000
