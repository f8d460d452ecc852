"""Labelled echoes: labels by distance, tables and files, passes and sequences, and what is rejected."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polynya import io
from polynya.errors import UsageError
from polynya.readers import echo_files
from polynya.samples import labelled_echoes
from polynya.schema import arrow, lead_labels
from polynya.simulate.altika import files
from polynya.simulate.altika.track import draw_track

NAMES = ("peakiness", "agc", "gate_12")


def write_table(path, echoes, *, label, distance, passes):
    """Write a label table whose other columns are unknown."""
    table, unknown = echoes.to_table(), np.full(len(echoes), np.nan)
    columns = {"pass_id": list(passes), "label": label, "label_flag": np.zeros(len(label), np.int8)}
    columns |= {"lead_distance": distance}
    columns |= {v.name: unknown for v in lead_labels.LABEL_COLUMNS if v.name not in columns}
    about = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    values = {n: table[n] for n in table.column_names} | columns
    spec = lead_labels.labelled()
    return io.write_table(arrow.table(spec, values, about=about), path, spec=spec, about=about)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    for seed in (1, 2):
        (folder / "truth").mkdir(exist_ok=True)
        track = draw_track(seed, echoes=160)
        files.write_echoes(track, folder / f"track_{seed}.nc")
        files.write_truth(track, folder / "truth" / f"track_{seed}_truth.nc")
    return folder


def test_labels_follow_the_distance():
    far = np.array([0.0, 299.9, 300.0, 899.9, 900.0, 9000.0, np.nan])
    assert labelled_echoes.codes(far).tolist() == [1, 1, 2, 2, 0, 0, -1]
    assert labelled_echoes.codes(far, threshold_m=100.0).tolist() == [1, 2, 0, 0, 0, 0, -1]
    assert labelled_echoes.codes(far, belt=1.0).tolist() == [1, 1, 0, 0, 0, 0, -1]


def test_another_threshold_makes_labels_anew_where_there_were_some():
    label, far = np.array([1, 2, 0, -1, 1]), np.array([250.0, 650.0, 2000.0, 50.0, np.nan])
    found = labelled_echoes.relabelled(label, far, threshold_m=200.0)
    assert found.tolist() == [2, 0, 0, -1, 1]  # too late for a label stays so; a label by hand has no distance


def test_tracks_of_a_folder_are_passes_and_the_truth_is_no_track(tracks):
    found = labelled_echoes.read([tracks], names=NAMES, most_steps=2)
    assert found.passes == ("track_1", "track_2") and len(found) == 320
    np.testing.assert_array_equal(found.passed, np.repeat([0, 1], 160))
    np.testing.assert_array_equal(found.sequence, np.repeat([0, 1], 160))
    far = np.concatenate([draw_track(s, echoes=160).map_distance for s in (1, 2)])
    np.testing.assert_allclose(found.distance, far, rtol=1e-6)
    np.testing.assert_array_equal(found.label, labelled_echoes.codes(found.distance))
    assert found.simulated and found.missions == ("SARAL",) and found.modes == ("lrm",)
    assert [t["file"] for t in found.about] == ["track_1.nc", "track_2.nc"] and found.values.shape == (320, 3)


def test_a_table_gives_what_the_file_gives(tracks, tmp_path):
    echoes = echo_files.read(tracks / "track_1.nc", extra=(labelled_echoes.MAP_DISTANCE,))
    far = echoes.extra[labelled_echoes.MAP_DISTANCE].astype(float)
    label = labelled_echoes.codes(far)
    path = write_table(tmp_path / "labels.parquet", echoes, label=label, distance=far, passes=["p"] * 160)
    one = labelled_echoes.read([tracks / "track_1.nc"], names=NAMES, most_steps=2)
    two = labelled_echoes.read([path], names=NAMES, most_steps=2)
    assert two.passes == ("p",)
    for name in ("values", "label", "distance", "sequence", "passed"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_passes_of_a_table_in_any_order_are_sorted_and_break_sequences(tracks, tmp_path):
    echoes = echo_files.read(tracks / "track_1.nc")
    far, rng = np.linspace(0.0, 12_000.0, 160), np.random.default_rng(0)
    passes = np.where(np.arange(160) < 70, "b", "a")
    order = rng.permutation(160)
    label = labelled_echoes.codes(far)
    label[[3, 100]] = lead_labels.UNLABELLED
    path = write_table(
        tmp_path / "t.parquet",
        echoes.take(order),
        label=label[order],
        distance=np.where(far > 9000, np.inf, far)[order],
        passes=passes[order],
    )
    found = labelled_echoes.read([path], names=NAMES, most_steps=2)
    wanted = np.concatenate([np.arange(70, 160), np.arange(70)])
    assert found.passes == ("a", "b")
    np.testing.assert_array_equal(found.passed, np.repeat([0, 1], [90, 70]))
    np.testing.assert_array_equal(np.diff(found.sequence) != 0, np.arange(159) == 89)
    np.testing.assert_allclose(found.distance, np.minimum(far, 9000.0)[wanted])
    np.testing.assert_array_equal(found.label, label[wanted])


def test_the_page_of_a_batch_beside_tables_is_no_data(tmp_path):
    """``polynya label -o FOLDER`` writes runs.parquet into it, and training takes the folder."""
    for name, about in (("a", lead_labels.LEAD_LABELS.name), ("runs", "runs"), (".hidden", "")):
        pq.write_table(
            pa.table({"x": [1]}).replace_schema_metadata({"polynya_table": about}), tmp_path / f"{name}.parquet"
        )
    (tmp_path / "index.html").write_text("")
    assert labelled_echoes.files([tmp_path]) == [tmp_path / "a.parquet"]
    assert labelled_echoes.files([tmp_path / "runs.parquet"]) == [tmp_path / "runs.parquet"]  # asked for: it is refused


def test_an_echo_without_power_has_no_label(tracks, tmp_path):
    echoes = echo_files.read(tracks / "track_1.nc")
    echoes.waveform[7] = 0
    label = np.ones(160, np.int8)
    path = write_table(tmp_path / "t.parquet", echoes, label=label, distance=np.zeros(160), passes=["p"] * 160)
    found = labelled_echoes.read([path], names=NAMES, most_steps=2)
    assert found.label[7] == lead_labels.UNLABELLED and (np.delete(found.label, 7) == 1).all()
    assert np.isnan(found.distance[7]) and np.isnan(found.values[7]).all()


def test_what_has_no_labels_is_rejected(tracks, tmp_path):
    with pytest.raises(UsageError, match=r"nothing: holds no label table \(.parquet\) and no echoes"):
        (tmp_path / "nothing").mkdir()
        labelled_echoes.files([tmp_path / "nothing"])
    pq.write_table(pa.table({"time": [1]}), tmp_path / "other.parquet")
    with pytest.raises(UsageError, match=r"other.parquet: columns pass_id, label, .* are missing; expected a label"):
        labelled_echoes.read([tmp_path / "other.parquet"], names=NAMES, most_steps=2)
    truth = tracks / "truth" / "track_1_truth.nc"
    with pytest.raises(Exception, match="truth"):
        labelled_echoes.read([truth], names=NAMES, most_steps=2)


def test_power_needs_the_gain_control_of_counts_and_only_of_counts(tracks):
    """Watts hold the gain already; counts without it are no power."""
    echoes = echo_files.read(tracks / "track_1.nc")
    names = ("max_power_db", "agc")
    whole = labelled_echoes.inputs_of(echoes, names, most_steps=2)[0]
    unknown = replace(echoes, agc=np.where(np.arange(160) < 80, np.nan, echoes.agc))
    found = labelled_echoes.inputs_of(unknown, names, most_steps=2)[0]
    assert np.isnan(found[:80]).all() and np.isfinite(found[80:]).all() and np.isfinite(whole).all()
    power = echoes.waveform.max(axis=1) * np.linspace(1.0, 2.0, 160)
    watts = replace(echoes, units="W", scale=np.linspace(1.0, 2.0, 160))
    found = labelled_echoes.inputs_of(watts, names, most_steps=2)[0][:, 0]
    np.testing.assert_allclose(np.diff(found), np.diff(10 * np.log10(power)), atol=0.5)  # levels move slowly
    assert np.abs(found - whole[:, 0]).max() > 3.0


def test_a_pass_under_two_names_is_refused(tracks, tmp_path):
    """The split is by the names of passes: a copy would stand in training and test."""
    for name in ("a.nc", "b.nc"):
        shutil.copy(tracks / "track_1.nc", tmp_path / name)
    with pytest.raises(UsageError, match="the passes a and b hold the same echoes"):
        labelled_echoes.read([tmp_path], names=NAMES, most_steps=2)
