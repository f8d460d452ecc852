"""``polynya evaluate`` for leads: what each reference says of which echo, and what is said of rules as references."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pyarrow as pa
import pytest
import xarray as xr
from typer.testing import CliRunner

from polynya import io, schema
from polynya.cli import app
from polynya.errors import PolynyaError, ProductError
from polynya.evaluate.leads import text
from polynya.readers import altika_sgdr, cryosat2_l2i
from polynya.schema import lead_labels
from polynya.schema.lead_labels import LEADS
from polynya.simulate.altika import product as simulated_tracks
from polynya.workflows import leads
from polynya.workflows.evaluate import label_tables
from polynya.workflows.evaluate import leads as evaluate_leads
from tests.real_files import altimetry

LEAD_DB = 38.0


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Three simulated tracks and their leads by maximum power."""
    folder = tmp_path_factory.mktemp("tracks")
    simulated_tracks.simulate_tracks(folder / "in", simulated_tracks.Options(seed=40), count=3)
    files = sorted((folder / "in").glob("*.nc"))
    config = leads.Config(network="rule", lead_db=LEAD_DB)
    records = leads.run(files, out=folder / "out", config=config)
    assert all(r.status == "done" for r in records)
    return folder, files


def rows(table):
    return {(r["stratum"], r["prediction"], r["metric"]): r for r in table.to_pylist()}


def truth_of(file):
    echoes = altika_sgdr.read(file, extra=("true_lead_distance_m", "sar_lead_distance_m"))
    power = 10 * np.log10(echoes.waveform.max(axis=1)) + echoes.agc
    return echoes, echoes.extra["true_lead_distance_m"], power


def test_many_tracks_against_their_truths(tracks):
    folder, files = tracks
    found = rows(evaluate_leads.run(folder / "out", reference=folder / "in" / "truth"))
    parts = [truth_of(f) for f in files]
    distance, power = (np.concatenate([p[k] for p in parts]) for k in (1, 2))
    for limit, stratum in ((300.0, "all"), (100.0, "T 100 m"), (700.0, "T 700 m")):
        called, lead = power >= LEAD_DB, distance < limit
        assert found[stratum, "given", "precision"]["value"] == pytest.approx(np.mean(lead[called]))
        assert found[stratum, "given", "recall"]["value"] == pytest.approx(np.mean(called[lead]))
        assert found[stratum, "given", "false_lead_rate"]["value"] == pytest.approx(np.mean(called[~lead]))
        assert found[stratum, "given", "precision"]["n"] == 2400
    assert found["all", "given", "passes"]["value"] == 3
    low, high = (found["all", "given", "precision"][k] for k in ("low", "high"))
    assert low < found["all", "given", "precision"]["value"] < high
    assert found["all", "maximum_power", "pr_auc"]["value"] > found["all", "given", "share_of_reference"]["value"]


def test_one_track_has_no_interval_and_the_text_says_so(tracks):
    folder, files = tracks
    one = folder / "out" / files[0].name.removesuffix(".nc")
    truth = folder / "in" / "truth" / f"{files[0].name.removesuffix('.nc')}_truth.nc"
    result = CliRunner().invoke(app, ["evaluate", str(one), "-r", str(truth)])
    assert result.exit_code == 0, result.exception
    assert "one pass has no interval" in result.stdout and "simulated echoes: nothing here is skill" in result.stdout
    answer = CliRunner().invoke(app, ["evaluate", str(one), "-r", str(truth), "--json"])
    found = {(r["stratum"], r["prediction"], r["metric"]): r for r in json.loads(answer.stdout)}
    assert found["all", "given", "precision"]["low"] is None


def labels_of(file, path, **about):
    """Write a label table of a track as polynya label does: from the radar map, every tenth echo without a label."""
    echoes, _, _ = truth_of(file)
    distance = echoes.extra["sar_lead_distance_m"]
    n = len(echoes)
    label = np.where(distance < 300, 1, np.where(distance < 900, 2, 0)).astype(np.int8)
    flag = np.where(np.arange(n) % 10 == 0, lead_labels.TOO_LATE, lead_labels.LABELLED).astype(np.int8)
    label[flag != 0] = -1
    columns = {
        "pass_id": file.name,
        "label": label,
        "label_flag": flag,
        "lead_distance": np.where(flag == 0, distance, np.nan),
        **dict.fromkeys(("lead_width_crossed", "map_time_lag", "drift_x", "drift_y"), np.full(n, np.nan)),
    }
    table = echoes.to_table()
    spec = lead_labels.LEAD_LABELS
    made = {c: table[c].combine_chunks() for c in table.column_names} | columns
    io.write_table(schema.table(spec, made, about=about), path, spec=spec, about=about)
    return distance, label


def test_label_tables_are_matched_by_time(tracks, tmp_path):
    folder, files = tracks
    parts = [labels_of(f, tmp_path / f"{k}.parquet") for k, f in enumerate(files)]
    table = evaluate_leads.run(folder / "out", reference=tmp_path)
    found = rows(table)
    label = np.concatenate([p[1] for p in parts])
    called = np.concatenate([truth_of(f)[2] for f in files]) >= LEAD_DB
    use = np.isin(label, (0, 1))
    assert found["all", "given", "precision"]["n"] == use.sum()
    assert found["all", "given", "recall"]["value"] == pytest.approx(np.mean(called[label == 1]))
    assert found["all", "given", "share_without_reference"]["value"] == pytest.approx(1 - use.mean())
    known = label >= 0  # by threshold, ambiguous echoes count too: their distance is known
    assert found["T 500 m", "given", "precision"]["n"] == known.sum()


def test_label_tables_are_read_once_each(tracks, tmp_path, monkeypatch):
    """Not all of them for every table of leads: that would take n times n reads."""
    folder, files = tracks
    for k, file in enumerate(files):
        labels_of(file, tmp_path / f"{k}.parquet")
    read, original = [], io.read_table

    def counting(path, **options):
        if "label" in (options.get("columns") or ()):
            read.append(path.name)
        return original(path, **options)

    monkeypatch.setattr(io, "read_table", counting)
    evaluate_leads.run(folder / "out", reference=tmp_path)
    assert sorted(read) == ["0.parquet", "1.parquet", "2.parquet"]
    assert label_tables.MOST_HELD < 20  # no more in memory, however many there are


@pytest.mark.parametrize(("taught", "limit", "words"), [(300.0, 300.0, ""), (500.0, 300.0, "of 300 m"), (None, 1, "")])
def test_thresholds_of_network_and_labels_are_said(tracks, tmp_path, taught, limit, words):
    folder, files = tracks
    labels_of(files[0], tmp_path / "l.parquet", threshold_m=limit)
    name = files[0].name.removesuffix(".nc")
    table = io.read_table(folder / "out" / name / "leads.parquet")
    about = {k.decode(): v.decode() for k, v in table.schema.metadata.items() if k not in (b"polynya_table", b"datum")}
    io.write_table(table, tmp_path / "o" / "leads.parquet", spec=LEADS, about={**about, "threshold_m": taught})
    said = text.summary(evaluate_leads.run(tmp_path / "o", reference=tmp_path / "l.parquet"))
    assert (f"taught that a lead is nearer than {taught:g} m" in said) if taught else "taught" not in said
    assert ("the labels of the reference are" in said) == bool(words) and words in said


def test_tracks_without_a_reference_are_left_out_and_counted(tracks, tmp_path):
    """One truth, or one label table, of three tracks: the two others are no misses and no false leads."""
    folder, files = tracks
    one = folder / "out" / files[1].name.removesuffix(".nc")
    truth = folder / "in" / "truth" / f"{files[1].name.removesuffix('.nc')}_truth.nc"
    labels_of(files[1], tmp_path / "one.parquet")
    for reference in (truth, tmp_path / "one.parquet"):
        alone, all_three = (evaluate_leads.run(p, reference=reference) for p in (one, folder / "out"))
        assert str(rows(all_three)) == str(rows(alone))  # NaN is NaN
        assert all_three.schema.metadata[b"left_out"].startswith(b"2 of 3 files are not scored")
        assert b"left_out" not in alone.schema.metadata
        assert "NOTE: 2 of 3 files are not scored" in text.summary(all_three)


def test_a_truth_counts_only_for_its_own_track(tracks, tmp_path):
    """Under another name by its times; one without times (of an earlier version) only under its own name."""
    folder, files = tracks
    names = [f.name.removesuffix(".nc") for f in files]
    truths = [folder / "in" / "truth" / f"{n}_truth.nc" for n in names]
    one = folder / "out" / names[0]
    expected = rows(evaluate_leads.run(one, reference=truths[0]))
    shutil.copy(truths[0], tmp_path / "mine.nc")
    assert [
        r["value"] for r in rows(evaluate_leads.run(one, reference=tmp_path / "mine.nc")).values()
    ] == pytest.approx([r["value"] for r in expected.values()], nan_ok=True)
    with pytest.raises(ProductError, match="no echo of the one has the time"):
        evaluate_leads.run(one, reference=truths[1])
    old = tmp_path / truths[0].name
    for path in (old, tmp_path / "old.nc"):
        shutil.copy(truths[0], path)
        with h5py.File(path, "a") as file:
            del file["time_40hz"]
    found = rows(evaluate_leads.run(one, reference=old))
    assert [r["value"] for r in found.values()] == pytest.approx([r["value"] for r in expected.values()], nan_ok=True)
    with pytest.raises(ProductError, match=f"expected {truths[0].name}"):
        evaluate_leads.run(one, reference=tmp_path / "old.nc")
    (tmp_path / "truth").mkdir()
    shutil.copy(truths[1], tmp_path / "truth")
    with pytest.raises(ProductError, match=f"holds no {truths[0].name}"):
        evaluate_leads.run(one, reference=tmp_path / "truth")


def test_the_table_of_a_batch_beside_labels_is_no_label_table(tracks, tmp_path):
    folder, files = tracks
    labels_of(files[0], tmp_path / "one.parquet")
    expected = str(rows(evaluate_leads.run(folder / "out", reference=tmp_path)))
    shutil.copy(folder / "out" / "runs.parquet", tmp_path)
    assert str(rows(evaluate_leads.run(folder / "out", reference=tmp_path))) == expected
    (tmp_path / "one.parquet").unlink()
    with pytest.raises(ProductError, match="without truths or label tables"):
        evaluate_leads.run(folder / "out", reference=tmp_path)


def test_references_of_other_tracks_are_refused(tracks, tmp_path):
    folder, files = tracks
    labels_of(files[1], tmp_path / "other.parquet")
    one = folder / "out" / files[0].name.removesuffix(".nc")
    with pytest.raises(ProductError, match="no echo of the one has the time"):
        evaluate_leads.run(one, reference=tmp_path / "other.parquet")
    with pytest.raises(ProductError, match="no such file"):
        evaluate_leads.run(one, reference=tmp_path / "none.parquet")
    with pytest.raises(ProductError, match="without truths or label tables"):
        (tmp_path / "empty").mkdir()
        evaluate_leads.run(one, reference=tmp_path / "empty")
    (tmp_path / "cut.nc").write_bytes(files[0].read_bytes()[:3000])
    with pytest.raises(PolynyaError):
        evaluate_leads.run(one, reference=tmp_path / "cut.nc")
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ProductError, match="is a table of unknown"):
        evaluate_leads.run(one, reference=tmp_path / "a.parquet")


def test_options_of_other_families_are_refused(tracks):
    folder, _ = tracks
    result = CliRunner().invoke(app, ["evaluate", str(folder / "out"), "-r", str(folder / "in"), "--brief"])
    assert isinstance(result.exception, PolynyaError) and "holds leads" in str(result.exception)


def test_the_flag_of_l2i_is_agreement_and_no_skill(tmp_path):
    path = altimetry("CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc")
    leads.run([path], out=tmp_path)
    table = evaluate_leads.run(tmp_path / path.stem, reference=path)
    assert b"agreement, no skill" in table.schema.metadata[b"remark"]
    found = rows(table)
    echoes = cryosat2_l2i.read(path)
    assert found["all", "product", "agreement_all_classes"]["value"] == 1.0
    unknown = np.mean(echoes.surface_class == 0)
    assert found["all", "given", "unknown_share_of_reference"]["value"] == pytest.approx(unknown)
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / path.stem), "-r", str(path)])
    assert "agreement, no skill" in result.stdout


def test_hand_labels_of_sentinel_3_are_read_and_days_are_passes(tmp_path):
    path = altimetry("s3a_sral_coastal_echoes_2019.nc")
    leads.run([path], out=tmp_path)
    found = rows(evaluate_leads.run(tmp_path / path.stem, reference=path))
    assert found["all", "given", "passes"]["value"] == 25
    assert found["all", "given", "share_of_reference"]["value"] == pytest.approx(0.3007, abs=1e-4)
    assert found["all", "majority", "accuracy"]["value"] == pytest.approx(1 - 0.3007, abs=1e-4)
    assert "given" not in {p for (s, p, m) in found if m == "precision"}  # no network: nothing is called


def test_a_table_alone_and_a_folder_of_another_kind(tracks, tmp_path):
    folder, files = tracks
    one = folder / "out" / files[0].name.removesuffix(".nc") / "leads.parquet"
    copy = shutil.copy(one, tmp_path / "mine.parquet")
    assert evaluate_leads.is_leads(copy) and not evaluate_leads.is_leads(tmp_path)
    assert not evaluate_leads.is_leads(tmp_path / "none")


def test_many_pairs_have_a_table_each_and_a_page(tracks, tmp_path):
    folder, files = tracks
    names = [f.name.removesuffix(".nc") for f in files[:2]]
    lines = [f"{folder / 'out' / n},{folder / 'in' / 'truth' / f'{n}_truth.nc'}" for n in names]
    (tmp_path / "pairs.csv").write_text("result,reference\n" + "\n".join(lines) + "\n")
    result = CliRunner().invoke(app, ["evaluate", "--pairs", str(tmp_path / "pairs.csv"), "-o", str(tmp_path / "s")])
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert "coverage" in result.stdout and (tmp_path / "s" / "scores.parquet").is_file()
    rows_of_page = io.read_table(tmp_path / "s" / "runs.parquet").to_pylist()
    assert {r["quantity"] for r in rows_of_page} == {"leads, F1 against the reference"}
    one = rows(evaluate_leads.run(folder / "out" / names[0], reference=folder / "in" / "truth"))
    by_name = {r["item"]: r["value"] for r in rows_of_page}
    mine = next(v for k, v in by_name.items() if names[0].removesuffix(".CNES") in k)
    assert mine == pytest.approx(one["all", "given", "f1"]["value"])


def test_the_truth_of_another_track_is_refused(tracks, tmp_path):
    """A truth of as many echoes would give numbers that look like scores."""
    folder, files = tracks
    names = [f.name.removesuffix(".nc") for f in files]
    other = folder / "in" / "truth" / f"{names[1]}_truth.nc"
    with pytest.raises(ProductError, match=rf"{names[1]}_truth.nc and {names[0]}.nc: no echo of the one has the time"):
        evaluate_leads.run(folder / "out" / names[0], reference=other)
    timeless = tmp_path / other.name
    with xr.open_dataset(other, engine="h5netcdf", decode_times=False) as data:
        data.drop_vars(["time_40hz"]).to_netcdf(timeless, engine="h5netcdf")
    with pytest.raises(ProductError, match=rf"{names[1]}_truth.nc: is no truth of {names[0]}.nc .* expected"):
        evaluate_leads.run(folder / "out" / names[0], reference=timeless)
    with pytest.raises(ProductError, match="no echo of the one has the time"):
        evaluate_leads.run(folder / "out" / names[0], reference=files[1])
    copy = shutil.copy(files[0], tmp_path / "renamed.nc")  # a track that holds its truth is matched by time
    mine = rows(evaluate_leads.run(folder / "out" / names[0], reference=copy))
    named = rows(evaluate_leads.run(folder / "out" / names[0], reference=folder / "in"))
    for metric in ("precision", "recall", "false_lead_rate"):
        assert mine["all", "given", metric]["value"] == named["all", "given", metric]["value"]


def test_labels_of_another_place_at_the_same_time_are_not_taken(tracks, tmp_path):
    """Two satellites measure at the same time; their echoes come within 5 ms of each other."""
    folder, files = tracks
    labels_of(files[0], tmp_path / "a.parquet")
    table = io.read_table(tmp_path / "a.parquet")
    at = table.column_names.index("longitude")
    east = np.where(np.arange(800) < 300, 90.0, 0.01)  # 0.01 degrees at 70 north and more are below 400 m
    moved = pa.array((schema.to_numpy(table["longitude"]) + east + 180.0) % 360.0 - 180.0)
    spec = lead_labels.LEAD_LABELS
    io.write_table(table.set_column(at, table.schema.field(at), moved), tmp_path / "a.parquet", spec=spec)
    one = folder / "out" / files[0].name.removesuffix(".nc")
    found = rows(evaluate_leads.run(one, reference=tmp_path / "a.parquet"))
    known = (schema.to_numpy(table["label"]) >= 0) & (np.arange(800) >= 300)
    assert found["T 500 m", "given", "precision"]["n"] == known.sum() > 400


def test_a_map_without_a_lead_counts_at_every_threshold(tracks, tmp_path):
    """All that is called there is false, for leads nearer than 100 m as for others."""
    folder, files = tracks
    label = labels_of(files[0], tmp_path / "a.parquet")[1]
    table = io.read_table(tmp_path / "a.parquet")
    nothing = {"label": pa.array(np.where(label < 0, -1, 0).astype(np.int8)), "lead_distance": pa.array([np.nan] * 800)}
    for name, values in nothing.items():
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), values)
    io.write_table(table, tmp_path / "a.parquet", spec=lead_labels.LEAD_LABELS)
    one = folder / "out" / files[0].name.removesuffix(".nc")
    found = rows(evaluate_leads.run(one, reference=tmp_path / "a.parquet"))
    rate = found["all", "given", "false_lead_rate"]
    assert found["T 100 m", "given", "false_lead_rate"]["value"] == rate["value"] > 0 and rate["n"] == 720


def test_a_table_of_cpom_is_agreement_at_the_times_of_its_records(tmp_path):
    """Its days count TAI, 37 s more than UTC in 2022, and are cut to whole seconds: twenty records share a time."""
    path = altimetry("cs2_sar_20221214T001528.elev")
    given = np.loadtxt(path)
    n = len(given)
    tai = np.datetime64("1950-01-01", "ns") + np.round(given[:, 4] * 86400e3).astype("timedelta64[ms]")
    unknown = {v.name: np.full(n, np.nan) if v.units not in ("", "1") else np.zeros(n) for v in LEADS.variables}
    columns = unknown | {"latitude": given[:, 5], "longitude": (given[:, 6] + 180.0) % 360.0 - 180.0}
    columns |= {"source": "a.nc", "echo": np.arange(n), "surface_class": given[:, 0]}
    whole = np.searchsorted(tai, tai)  # the first record of each second
    tai = tai + (50_000_000 * (np.arange(n) - whole)).astype("timedelta64[ns]")
    for name, seconds in (("utc", 37), ("tai", 0)):
        (tmp_path / name).mkdir()
        table = schema.table(LEADS, columns | {"time": tai - np.timedelta64(seconds, "s")})
        io.write_table(table, tmp_path / name / "leads.parquet", spec=LEADS, about={"mission": "CryoSat-2"})
    table = evaluate_leads.run(tmp_path / "utc", reference=path)
    found = rows(table)
    assert b"agreement, no skill" in table.schema.metadata[b"remark"]
    assert found["all", "given", "agreement_all_classes"]["value"] == 1.0
    assert found["all", "given", "unknown_share_of_reference"]["value"] == pytest.approx(2938 / 10550)
    with pytest.raises(ProductError, match="at the same time, within 2 s"):
        evaluate_leads.run(tmp_path / "tai", reference=path)
