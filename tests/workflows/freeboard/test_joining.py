"""A granule cut in two and given together: with ``join`` the halves are as the whole, and nothing is in both."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polynya import schema
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import freeboard
from polynya.workflows.freeboard import Config, joining

BEAM = "gt1r"
FIRST, SECOND = "ATL03_20200115091200_02800603_006_01.h5", "ATL03_20200115091202_02800604_006_01.h5"


def cut(granule: Path, path: Path, first: int, stop: int | None) -> Path:
    """Copy a granule with some of its 20 m segments and their photons."""
    shutil.copy(granule, path)
    with h5py.File(path, "r+") as f:
        beam = f[BEAM]
        count = beam["geolocation/segment_ph_cnt"][:]
        end = np.concatenate([[0], np.cumsum(count)])
        rows, photons = slice(first, stop), slice(end[first], end[count.size if stop is None else stop])
        for group, keep in (("geolocation", rows), ("geophys_corr", rows), ("heights", photons)):
            for name in list(beam[group]):
                old = beam[f"{group}/{name}"]
                dtype = old.dtype
                values, fill = old[keep], old.attrs.get("_FillValue")
                if name == "ph_index_beg":
                    values = np.where(values > 0, values - end[first], 0)
                del beam[f"{group}/{name}"]
                new = beam[group].create_dataset(name, data=values.astype(dtype), chunks=True)
                if fill is not None:
                    new.attrs["_FillValue"] = fill
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """25 km of a strong beam, with more leads in its second half."""
    return simulate(tmp_path_factory.mktemp("whole") / FIRST, length_km=25, beams=BEAM, seed=911).granule


@pytest.fixture(scope="module")
def halves(whole, tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("halves")
    return cut(whole, folder / FIRST, 0, 600), cut(whole, folder / SECOND, 600, None)


def tables(granules, out, **options) -> dict[str, pa.Table]:
    records = freeboard.run(granules, out=out, config=Config(classifier="rule", **options), workers=1)
    assert all(r.status == "done" for r in records), [r.message for r in records]
    names = ("segments", "leads", "sea_surface")
    found = {n: [pq.read_table(r.outputs[n]).drop_columns(["granule"]) for r in records] for n in names}
    return {
        n: pa.concat_tables([t.set_column(0, "beam", t["beam"].cast(pa.string())) for t in v]) for n, v in found.items()
    }


@pytest.fixture(scope="module")
def usual(whole, tmp_path_factory):
    return tables([whole], tmp_path_factory.mktemp("usual"))


@pytest.fixture(scope="module")
def joined(halves, tmp_path_factory):
    return tables(halves, tmp_path_factory.mktemp("joined"), join=True)


@pytest.fixture(scope="module")
def apart(halves, tmp_path_factory):
    return tables(halves, tmp_path_factory.mktemp("apart"))


def values(found: dict[str, pa.Table], table: str, name: str) -> np.ndarray:
    return schema.to_numpy(found[table][name])


def by_cell(found, name: str) -> dict[int, float]:
    return dict(
        zip(
            np.floor(values(found, "segments", "x_atc") / 2.0).astype(int), values(found, "segments", name), strict=True
        )
    )


def difference(a, b, name: str) -> np.ndarray:
    """Return a minus b in the cells of both, NaN where only one has a value."""
    one, other = by_cell(a, name), by_cell(b, name)
    return np.array([one[c] - other[c] for c in sorted(one.keys() & other.keys())], float)


def test_halves_that_are_joined_are_as_the_whole(usual, joined, apart):
    for name, tolerance in (("height", 1e-5), ("sea_surface_height", 0.002), ("total_freeboard", 0.005)):
        near = np.abs(difference(joined, usual, name)) <= tolerance
        assert near.mean() > 0.995, name
    assert np.mean(difference(joined, usual, "surface_class") == 0) > 0.999
    without = np.abs(difference(apart, usual, "sea_surface_height"))
    assert not np.mean(without <= 0.002) > 0.8  # leads of the other half are missing there, or the surface is


def test_nothing_is_in_both_tables(usual, joined):
    x = values(joined, "segments", "x_atc")
    assert np.all(np.diff(x) > 0) and abs(x.size - values(usual, "segments", "x_atc").size) <= 1
    leads, expected = values(joined, "leads", "x_atc"), values(usual, "leads", "x_atc")
    assert np.all(np.diff(leads) > 0) and abs(leads.size - expected.size) <= 1


def test_sections_of_each_half_reach_one_beyond_its_border(halves, joined):
    with h5py.File(halves[1]) as f:
        border = f[f"{BEAM}/geolocation/segment_dist_x"][0]
    centre = values(joined, "sea_surface", "x_atc")
    double = [c for c in np.unique(centre) if np.count_nonzero(centre == c) == 2]
    assert len(double) == 2 and double[0] < border < double[1] == double[0] + 5000.0
    height = values(joined, "sea_surface", "sea_surface_height")
    for c in double:  # and both halves say the same of them
        assert np.ptp(height[centre == c]) < 0.002


def test_a_step_between_the_granules_is_not_joined(halves, apart, tmp_path):
    """The second granule's sea surface 0.3 m off: each half is as it is alone."""
    other = Path(shutil.copy(halves[1], tmp_path / SECOND))
    with h5py.File(other, "r+") as f:
        f[f"{BEAM}/geophys_corr/dem_h"][...] = f[f"{BEAM}/geophys_corr/dem_h"][...] + 0.3
    found = tables([halves[0], other], tmp_path / "out", join=True)
    for name in ("sea_surface_height", "total_freeboard"):
        first, alone = (values(t, "segments", name)[:5000] for t in (found, apart))
        np.testing.assert_allclose(first, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("off_m", "words"), [(0.8, "m above the mean"), (-0.8, "m below the mean"), (-0.5, "m below that")]
)
def test_a_neighbour_at_another_level_does_not_outvote_the_own_leads(halves, apart, tmp_path, off_m, words):
    """All photons of the second granule lie off: no correction steps, but its leads are at another level."""
    other = Path(shutil.copy(halves[1], tmp_path / SECOND))
    with h5py.File(other, "r+") as f:
        f[f"{BEAM}/heights/h_ph"][...] = f[f"{BEAM}/heights/h_ph"][...] + np.float32(off_m)
    config = Config(classifier="rule", join=True)
    records = freeboard.run([halves[0], other], out=tmp_path / "out", config=config, workers=1)
    first = {"segments": pq.read_table(records[0].outputs["segments"])}
    for name in ("sea_surface_height", "total_freeboard"):
        n = values(first, "segments", name).size
        np.testing.assert_array_equal(values(first, "segments", name), values(apart, "segments", name)[:n])
    stem = SECOND.removesuffix(".h5")
    said = records[0].message
    assert f"{BEAM} of the neighbour {stem} was left out: its " in said and words in said
    assert f"Nothing of {stem} was joined" in said
    assert all("serve beside the border" not in r.message for r in records)


@pytest.mark.parametrize("part", ["heights/lat_ph", "geolocation/segment_ph_cnt"])
def test_a_neighbours_beam_that_cannot_be_read_is_named(halves, apart, tmp_path, part):
    other = Path(shutil.copy(halves[1], tmp_path / SECOND))
    with h5py.File(other, "r+") as f:
        del f[f"{BEAM}/{part}"]
    config = Config(classifier="rule", join=True)
    first, second = freeboard.run([halves[0], other], out=tmp_path / "out", config=config, workers=1)
    assert second.status == "failed" and first.status == "done"
    assert f"{BEAM} of the neighbour {SECOND} was left out: " in first.message and part in first.message
    found = {"segments": pq.read_table(first.outputs["segments"])}
    own = values(found, "segments", "total_freeboard")
    np.testing.assert_array_equal(own, values(apart, "segments", "total_freeboard")[: own.size])


def test_nothing_to_join_is_said(halves, tmp_path):
    (record,) = freeboard.run(halves[:1], out=tmp_path, config=Config(classifier="rule", join=True), workers=1)
    assert "Nothing was joined: none of the granules given with --join continues this one" in record.message


def test_neighbours_are_found_in_any_order(halves, whole, tmp_path):
    first, second = map(str, halves)
    other = simulate(tmp_path / "ATL03_20200315091200_02800703_006_01.h5", length_km=1, beams=BEAM, seed=3).granule
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"no granule")
    assert joining.find([second, bad, other, first]) == [(first,), (), (), (second,)]
    assert joining.find([first, whole]) == [(), ()]  # one holds the other


def test_a_result_depends_on_its_neighbours(halves, tmp_path):
    first, second = (Path(shutil.copy(h, tmp_path / h.name)) for h in halves)
    config, out = Config(classifier="rule", join=True), tmp_path / "out"
    assert [r.status for r in freeboard.run([first, second], out=out, config=config, workers=1)] == ["done", "done"]
    assert [r.status for r in freeboard.run([first, second], out=out, config=config, workers=1)] == [
        "skipped",
        "skipped",
    ]
    with h5py.File(second, "r+") as f:
        f[f"{BEAM}/heights/h_ph"][-10:] += 0.01
    again = freeboard.run([first, second], out=out, config=config, workers=1)
    assert [r.status for r in again] == ["failed", "failed"] and SECOND in again[0].message
    (alone,) = freeboard.run([first], out=out, config=config, workers=1)
    assert alone.status == "failed"  # the result there was made with another granule
    done = freeboard.run([first, second], out=out, config=config, workers=1, overwrite=True)
    assert [r.status for r in done] == ["done", "done"] and f"Leads of {second.stem} serve" in done[0].message
