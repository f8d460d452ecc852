"""Granules drawn from real photon heights: the drawing against closed forms, the result against NASA's own numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from polynya import io
from polynya.errors import ProductError
from polynya.physics import nasa_surface_type
from polynya.readers import icesat2_atl07
from polynya.readers.icesat2 import Beam, open_granule
from polynya.simulate.icesat2 import atl07_segments, from_atl07
from polynya.simulate.icesat2.atl07_segments import Variation
from polynya.simulate.icesat2.from_atl07 import simulate_from_atl07
from tests.real_files import real
from tests.simulate.icesat2.test_atl03 import beam_arrays

DISKO = ("processed_ATL07-01_20190222003738_08490201_003_02.h5", "processed_ATL07-01_20190226002919_09100201_003_02.h5")


def segments(
    x: list[float], length: list[float], *, rate: float = 5.0, counts: np.ndarray | None = None, background: float = 0.0
) -> atl07_segments.Segments:
    n = len(x)
    zeros = np.zeros(n)
    counts = np.tile(np.eye(1, 221, 60), (n, 1)) if counts is None else counts
    return atl07_segments.Segments(
        x=np.array(x),
        time=np.array(x) / 7000.0,
        latitude=zeros + 70.0,
        longitude=zeros,
        length=np.array(length),
        height=zeros,
        kind=zeros.astype(int) + 1,
        rate=zeros + rate,
        background=zeros + background,
        across=zeros,
        bottom=zeros - 1.5,
        counts=counts,
        width=zeros + 0.1,
        background_norm=zeros,
        sun=zeros,
        earth={k: zeros for k in ("mss", "geoid", "tide_ocean", "tide_equilibrium", "dac")},
        added=zeros,
    )


def test_nearest_centre_takes_the_cell():
    assert from_atl07._nearest(np.array([0.0, 10.0, 30.0]), np.array([-5.0, 4.9, 5.1, 19.9, 20.1, 99.0])).tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]


def test_gaps_stay_gaps():
    some = segments([100.0, 110.0, 500.0], [40.0, 10.0, 20.0])
    cells = np.arange(51.0, 600.0, 2.0)
    inside = cells[from_atl07._covered(some, cells)]
    expected = cells[((cells >= 80.0) & (cells <= 120.0)) | ((cells >= 490.0) & (cells <= 510.0))]
    assert inside.tolist() == expected.tolist()


def test_heights_follow_the_histogram_at_the_stored_rate():
    counts = np.zeros((1, 221))
    counts[0, [40, 60]] = 30.0, 90.0
    shots = 40000
    photons = from_atl07._photons(
        segments([0.0], [10.0], rate=3.0, counts=counts), np.zeros(shots, int), 16, np.random.default_rng(0)
    )
    assert photons.shot.size / shots == pytest.approx(3.0, abs=4.0 * np.sqrt(3.0 / shots))
    bins = np.floor((photons.height.astype(np.float64) + 1.5) / 0.025 + 1e-4).astype(int)
    assert set(np.unique(bins)) <= {40, 41, 60, 61}  # the next bin only by rounding at its very edge
    assert np.mean(bins < 50) == pytest.approx(0.25, abs=0.01)
    assert np.all(np.diff(photons.shot) >= 0)


def test_noise_falls_outside_the_histogram_only():
    some = segments([0.0], [10.0], rate=1.0, background=5e6)
    shots = 5000
    photons = from_atl07._photons(some, np.zeros(shots, int), 16, np.random.default_rng(1))
    noise = photons.height[photons.origin == 0]
    top = -1.5 + 221 * 0.025
    assert not np.any((noise > -1.5) & (noise < top))
    metres = (from_atl07.WINDOW[1] - from_atl07.WINDOW[0]) - 221 * 0.025
    assert noise.size / shots == pytest.approx(5e6 * metres * 2.0 / 299792458.0, rel=0.02)


def test_added_background_falls_everywhere():
    shots = 5000
    some = replace(segments([0.0], [10.0], rate=1.0), added=np.array([5e6]))
    photons = from_atl07._photons(some, np.zeros(shots, int), 16, np.random.default_rng(1))
    noise = photons.height[photons.origin == 0]
    metres = from_atl07.WINDOW[1] - from_atl07.WINDOW[0]
    assert noise.size / shots == pytest.approx(5e6 * metres * 2.0 / 299792458.0, rel=0.03)
    assert np.mean((noise > -1.5) & (noise < 1.5)) == pytest.approx(3.0 / metres, rel=0.1)


def test_a_variation_is_drawn_within_its_ranges():
    some = segments([0.0, 10.0], [10.0, 10.0], rate=4.0, background=1e6)
    wanted = Variation(brightness=(0.5, 2.0), level=(-0.2, 0.3), background=(1e5, 4e5), swaps_strengths=True)
    drawn = []
    for seed in range(40):
        beam = atl07_segments.other_strength(Beam(name="gt1r", is_strong=True, spot=1), 1)
        assert not beam.is_strong
        moved, varied = atl07_segments.vary(some, wanted, beam, np.random.default_rng(seed), orientation=0)
        assert moved.rate == pytest.approx(4.0 * varied.brightness / 4.0)
        assert moved.height == pytest.approx(varied.level) and moved.bottom == pytest.approx(-1.5 + varied.level)
        assert moved.background == pytest.approx(2.5e5) and moved.added == pytest.approx(varied.background / 4.0)
        drawn.append((varied.brightness, varied.level, varied.background))
    low, high = np.min(drawn, axis=0), np.max(drawn, axis=0)
    assert np.all(low >= (0.5, -0.2, 1e5)) and np.all(high <= (2.0, 0.3, 4e5))
    assert np.all(high - low > 0.6 * np.array([1.5, 0.5, 3e5]))


@pytest.mark.real
def test_swapped_strengths_make_another_granule_of_the_same_ice(tmp_path):
    source = real(DISKO[0])
    plain = simulate_from_atl07(source, tmp_path / "plain.h5", seed=1)
    swapped = simulate_from_atl07(source, tmp_path / "swapped.h5", seed=1, variation=Variation(swaps_strengths=True))
    theirs, ours = open_granule(plain.granule), open_granule(swapped.granule)
    assert ours.orientation == 1 - theirs.orientation
    for name in plain.photons:
        assert ours.beams[name].is_strong != theirs.beams[name].is_strong
    rows = {n: io.read_table(r.truth) for n, r in (("plain", plain), ("swapped", swapped))}
    assert np.array_equal(rows["plain"]["surface_height"].to_numpy(), rows["swapped"]["surface_height"].to_numpy())


@pytest.fixture(scope="module", params=DISKO)
def drawn(request, tmp_path_factory) -> tuple[Path, Path]:
    source = real(request.param)
    out = tmp_path_factory.mktemp("drawn") / "drawn.h5"
    from_atl07.simulate_from_atl07(source, out, seed=1)
    return source, out


@pytest.mark.real
def test_beams_follow_the_atl07(drawn):
    theirs, ours = open_granule(drawn[0]), open_granule(drawn[1])
    assert ours.orientation == theirs.orientation
    for name, beam in ours.beams.items():
        assert beam == theirs.beams[name]


@pytest.mark.real
def test_nasa_heights_come_back(drawn):
    """Averaged over NASA's segments, first-photon bias removed: medians of |difference| within 0.03 m."""
    source, out = drawn
    differences = []
    with h5py.File(out) as handle:
        for beam in (b for b in handle if b.startswith("gt")):
            nasa = icesat2_atl07.read(source, beam=beam).to_pandas()
            nasa = nasa[
                np.isfinite(nasa.height_segment_height) & np.isfinite(nasa.photon_rate) & (nasa.photon_rate > 0)
            ]
            data = beam_arrays(handle, beam)
            order = np.argsort(data["x"], kind="stable")
            x, height, confidence = (data[k][order] for k in ("x", "height", "confidence"))
            for row in nasa.itertuples():
                half = row.height_segment_length_seg / 2.0
                a, b = np.searchsorted(x, [row.seg_dist_x - half, row.seg_dist_x + half])
                z = height[a:b][confidence[a:b] >= 3]
                if z.size >= 20:
                    z = z[np.abs(z - np.median(z)) < 2.0 * z.std()]
                    differences.append(z.mean() - row.fpb_corr - row.height_segment_height)
    assert len(differences) > 300
    assert np.median(np.abs(differences)) < 0.03
    assert abs(np.median(differences)) < 0.02  # a mean of trimmed photons is not NASA's fitted Gaussian


@pytest.mark.real
def test_reference_is_nasas_types(drawn):
    source, out = drawn
    truth = pq.read_table(str(out).replace(".h5", "_truth.parquet")).to_pandas()
    assert truth.total_freeboard.isna().all() and truth.sea_surface_height.isna().all()
    assert set(truth.surface_class.unique()) <= {-1, 0, 2}
    assert (truth.lead_type[truth.surface_class == 2] == 1).all()
    assert (truth.lead_type[truth.surface_class == 0] == 0).all()
    nasa = icesat2_atl07.read(source, beam="gt3l").to_pandas()
    nasa = nasa[np.isfinite(nasa.height_segment_height) & np.isfinite(nasa.photon_rate)].sort_values(
        "seg_dist_x", kind="stable"
    )
    cells = truth[truth.beam == "gt3l"]
    nearest = np.abs(nasa.seg_dist_x.to_numpy()[None, :] - cells.x_atc.to_numpy()[:, None]).argmin(axis=1)
    alike = nasa.height_segment_height.to_numpy()[nearest] == cells.surface_height.to_numpy()
    assert alike.mean() > 0.99  # but for ties between two centres
    assert (nasa.height_segment_type.isin([2, 3, 4, 5]).any()) == (cells.surface_class == 2).any()


@pytest.mark.real
def test_first_photon_table_agrees_with_nasas_correction(tmp_path):
    """Strong and weak, the detector model reproduces NASA's corrections before any fit to 20 %, after it to 5 mm."""
    for name in DISKO:
        result = from_atl07.simulate_from_atl07(real(name), tmp_path / "x.h5", beams="gt3l,gt3r", overwrite=True)
        for said in result.settings["first_photon_bias"].values():
            assert said["n"] > 200
            assert 0.9 < said["scale"] < 1.2
            assert said["rms_m"] < 0.005


@pytest.mark.real
def test_same_seed_same_photons(tmp_path):
    source = real(DISKO[0])
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        from_atl07.simulate_from_atl07(source, tmp_path / f"{name}.h5", beams="gt3r", seed=seed)
    heights = [h5py.File(tmp_path / f"{n}.h5")["gt3r/heights/h_ph"][()] for n in "abc"]
    assert np.array_equal(heights[0], heights[1])
    assert not np.array_equal(heights[0][:500], heights[2][:500])


@pytest.mark.real
def test_another_product_is_refused(tmp_path):
    with pytest.raises(ProductError, match="expected ATL07"):
        from_atl07.simulate_from_atl07(real("ATL10_subset_bbox_RossSea.h5"), tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.real
def test_an_atl07_without_photon_heights_is_refused(tmp_path):
    with pytest.raises(ProductError, match="hist_photon_heights"):
        # A beam of this granule that is there, but empty.
        from_atl07.simulate_from_atl07(real(DISKO[0]), tmp_path / "x.h5", beams="gt2r")
    assert not list(tmp_path.iterdir())


def test_scaled_brightness_follows_nasas_tree(tmp_path):
    """Twice the rate: photons twice as many, and types those of the tree at the new rate."""
    file = real("processed_ATL07-01_20190222003738_08490201_003_02.h5")
    plain = simulate_from_atl07(file, tmp_path / "plain.h5", seed=1)
    same = simulate_from_atl07(file, tmp_path / "same.h5", seed=1, variation=Variation())
    twice = simulate_from_atl07(file, tmp_path / "twice.h5", seed=1, variation=Variation(brightness=(2.0, 2.0)))
    tables = {n: io.read_table(r.truth) for n, r in (("plain", plain), ("same", same), ("twice", twice))}
    beams = np.array(tables["plain"]["beam"].cast("string").to_pylist())
    assert [v["brightness"] for v in twice.settings["varied"].values()] == pytest.approx([2.0] * len(twice.photons))
    agree = changed = 0
    for name in plain.photons:
        theirs = icesat2_atl07.read(file, beam=name)
        column = {
            c: theirs[c].to_numpy(zero_copy_only=False).astype(float)
            for c in (
                "seg_dist_x",
                "photon_rate",
                "height_segment_w_gaussian",
                "background_r_norm",
                "solar_elevation",
                "hist_photon_bottom",
            )
        }
        beam = icesat2_atl07.open_atl07(file).beams[name]
        kind = nasa_surface_type.surface_type(
            2.0 * column["photon_rate"],
            column["height_segment_w_gaussian"],
            background_norm=column["background_r_norm"],
            solar_elevation=column["solar_elevation"],
            spot=beam.spot,
            is_strong=beam.is_strong,
        )
        mine = beams == name
        x = tables["plain"]["x_atc"].to_numpy()[mine]
        nearest = np.abs(x[:, None] - column["seg_dist_x"][None, :])
        nearest[:, ~np.isfinite(column["photon_rate"])] = np.inf
        water = np.isin(kind[np.argmin(nearest, axis=1)], (2, 3, 4, 5))
        found = tables["twice"]["surface_class"].to_numpy()[mine] == 2
        agree, changed = (
            agree + np.mean(water == found),
            changed + np.sum(found) - np.sum(tables["plain"]["surface_class"].to_numpy()[mine] == 2),
        )
        assert twice.photons[name] > 1.6 * plain.photons[name]  # noise outside the histograms' windows stays
        assert abs(same.photons[name] - plain.photons[name]) < 0.02 * plain.photons[name] + 5
    assert agree / len(plain.photons) > 0.99 and changed > 0


def test_nasas_types_as_classes():
    """ATL07 ATBD: 0 cloud, 1 snow or ice, 2 to 5 specular leads, 6 to 9 dark leads; only specular leads are water since
    release 003."""
    assert from_atl07.NASA_CLASS.tolist() == [-1, 0, 2, 2, 2, 2, -1, -1, -1, -1]
    assert from_atl07.NASA_LEAD.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3]
