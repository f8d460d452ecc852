"""Simulated imagettes: the shares, contrasts and statistics that the method's description asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics.imagette_spectrum import EDGES_M, spectrum
from polynya.schema.imagettes import SHORT_NAMES
from polynya.simulate.wave_mode import fields, files, imagette, presets
from polynya.simulate.wave_mode.imagette import draw_imagette, draw_tags

CALM = replace(presets.STANDARD, land=0.0, weak=0.0)


def waves_and(name, seed, **more):
    return draw_imagette(seed, tags=[name] if name else [], ranges=replace(CALM, **more))


@pytest.fixture(scope="module")
def drawn():
    return [draw_imagette([2, k]) for k in range(40)]


def test_the_same_seed_gives_the_same_picture():
    one, other, third = draw_imagette(5), draw_imagette(5), draw_imagette(6)
    np.testing.assert_array_equal(one.roughness, other.roughness)
    assert not np.array_equal(one.roughness, third.roughness) and one.about == other.about


def test_shares_of_tags():
    """10 % none, 33 % one, 50 % two, 7 % three, each within four standard errors."""
    rng = np.random.default_rng(0)
    count = np.bincount([len(draw_tags(rng)) for _ in range(4000)], minlength=4) / 4000
    expected = np.array([0.10, 0.33, 0.50, 0.07])
    assert (np.abs(count - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)).all()


def test_sea_ice_joins_icebergs_and_waves_only():
    rng = np.random.default_rng(1)
    seen = [set(draw_tags(rng)) for _ in range(4000)]
    with_ice = [s for s in seen if "SI" in s]
    assert all(s <= {"SI", "IB", "POW"} for s in with_ice) and any(len(s) == 3 for s in with_ice)
    pairs = {frozenset(s) for s in seen if len(s) == 2 and "SI" not in s}
    assert len(pairs) == 9 * 8 // 2  # all others join freely
    share = {n: np.mean([n in s for s in seen]) for n in SHORT_NAMES}
    assert min(share.values()) > 0.07 and max(share.values()) < 0.25


def test_every_picture_is_whole(drawn):
    for d in drawn:
        assert d.roughness.shape == (400, 400) and d.roughness.dtype == np.float32
        assert np.array_equal(np.isfinite(d.roughness), d.mask) and (d.roughness[d.mask] > 0).all()
        assert np.array_equal(np.isfinite(d.contrast), d.tags)
        assert set(d.about["tags"]) == {n for n, t in zip(SHORT_NAMES, d.tags, strict=True) if t}


def test_what_cannot_be_seen_is_masked(drawn):
    for d in drawn:
        expected = np.where(d.tags, np.where(d.contrast >= 0.5, 1, -1), 0)
        np.testing.assert_array_equal(d.visible, expected)


def test_weak_patterns_are_half_to_once_the_background():
    always = replace(CALM, weak=1.0)
    for k in range(6):
        d = draw_imagette([3, k], tags=["WS"], ranges=always)
        assert d.about["weak"] == "WS" and 0.5 <= d.contrast[1] <= 1.0
    assert draw_imagette(0, tags=["SI"], ranges=always).about["weak"] == ""


def test_a_tenth_of_the_images_has_a_weak_pattern():
    rng = np.random.default_rng(2)
    weak = [imagette._choose_weak(rng, draw_tags(rng), presets.STANDARD) for _ in range(6000)]
    assert np.mean([w != "" for w in weak]) == pytest.approx(0.10, abs=4 * np.sqrt(0.09 / 6000))
    assert set(weak) - {""} == {"WS", "MCC", "RC", "BS", "AF", "OF"}


def test_land_is_a_corner():
    d = draw_imagette(3, tags=[], ranges=replace(CALM, land=1.0))
    assert 0.02 < (~d.mask).mean() < 0.25


def test_speckle_is_gamma_with_its_looks():
    rng = np.random.default_rng(4)
    for looks in (40.0, 90.0):
        found = fields.speckle(rng, looks)
        assert found.mean() == pytest.approx(1.0, abs=0.005)
        assert found.std() ** -2 == pytest.approx(looks, rel=0.05)
        z = (found - found.mean()) / found.std()
        assert (z[1:] * z[:-1]).mean() == pytest.approx(0.5, abs=0.05)  # two lines
        assert (z[:, 1:] * z[:, :-1]).mean() == pytest.approx(0.0, abs=0.03)


def test_a_lobe_has_its_wavelength_and_direction():
    rng = np.random.default_rng(5)
    for wavelength, band in ((230.0, 1), (1300.0, 4)):
        peak = fields.Lobe(wavelength_m=wavelength, width=0.1, direction=np.radians(30.0), spread=np.radians(10.0))
        found = spectrum(fields.lobe(rng, peak), azimuth_pixel_m=50.0, range_pixel_m=50.0)
        assert EDGES_M[band] < wavelength < EDGES_M[band + 1] and found.power.argmax() == band
        assert found.shares[band] > 0.6 and found.anisotropy > 0.7
        assert found.orientation == pytest.approx(30.0, abs=10.0)


def test_azimuth_cutoff_blurs_waves_along_the_flight():
    """Waves of 150 m all round: of those along the flight, rows, nothing is left behind a cut-off of 300 m."""
    rng = np.random.default_rng(6)
    peak = fields.Lobe(wavelength_m=150.0, width=0.1, cutoff_m=300.0)
    found = spectrum(fields.lobe(rng, peak), azimuth_pixel_m=50.0, range_pixel_m=50.0)
    assert min(found.orientation, 180.0 - found.orientation) < 10.0 and found.anisotropy > 0.5


def short_waves(d):
    """Relative standard deviation at wavelengths of 100 to 560 m, speckle included."""
    found = spectrum(d.roughness, azimuth_pixel_m=50.0, range_pixel_m=50.0)
    return np.sqrt(found.power[:3].sum()) / np.nanmean(d.roughness)


def test_pure_waves_are_stronger_than_those_of_any_sea():
    pure = [short_waves(waves_and("POW", [7, k])) for k in range(6)]
    sea = [short_waves(waves_and("", [7, k])) for k in range(6)]
    assert min(pure) > 0.9 * max(sea) and np.mean(pure) > 1.4 * np.mean(sea)


def test_low_wind_is_dark_over_its_share():
    for k in range(5):
        d = waves_and("LWA", [8, k])
        level = np.median(d.surface)
        dark = d.surface < 0.8 * np.quantile(d.surface, 0.9)
        assert 0.1 < dark.mean() < 0.9 and level > 0


def test_icebergs_are_bright_spots():
    """By 3.5 dB and more, the lower beam factor included, over at most some per cent of the picture."""
    for k in range(5):
        d = waves_and("IB", [9, k])
        bright = d.surface > np.median(d.surface) * 10 ** (3.0 / 10)
        assert 0 < bright.mean() < 0.1


def test_slicks_are_dark_and_cover_up_to_40_per_cent():
    shares = []
    for k in range(8):
        d = waves_and("BS", [10, k])
        shares.append((d.surface < np.quantile(d.surface, 0.9) * 10 ** (-2.5 / 10)).mean())
    assert max(shares) < 0.45 and np.median(shares) > 0.005


def test_wind_streaks_are_anisotropic_and_cells_are_not():
    def anisotropy(name, seed):
        picture = np.log(waves_and(name, seed, waves=(0.0, 0.0), turbulence=(0.0, 0.0)).surface)
        return spectrum(picture, azimuth_pixel_m=50.0, range_pixel_m=50.0).anisotropy

    assert min(anisotropy("WS", [11, k]) for k in range(4)) > 0.6
    assert np.mean([anisotropy("MCC", [11, k]) for k in range(4)]) < 0.5


def test_an_oceanic_front_has_equal_sides_and_an_atmospheric_one_may_step():
    """Halves of the picture on either side of the line: the oceanic front changes the mean by less than 0.2 dB."""
    steps = {}
    for name in ("OF", "AF"):
        found = []
        for k in range(8):
            rng = np.random.default_rng([12, k])
            log = imagette.DRAW[name](rng, CALM, 0.3).log
            rough = np.sort([log[: 400 // 8].mean(), log[-400 // 8 :].mean(), log[:, :50].mean(), log[:, -50:].mean()])
            found.append((rough[-1] - rough[0]) / presets.DECIBEL)
        steps[name] = np.median(found)
    assert steps["OF"] < 0.6 < steps["AF"]


def test_sea_ice_spans_at_most_eight_decibels():
    for k in range(4):
        d = waves_and("SI", [13, k])
        low, high = np.quantile(10 * np.log10(d.surface), (0.001, 0.999))
        assert 1.5 < high - low < 8 * 1.2 + 2.0 + 0.5  # floes, ramp of the antenna


def test_the_second_beam_shows_patterns_more_weakly():
    one, other = (draw_imagette(14, tags=["LWA"], beam=b, ranges=CALM) for b in ("wv1", "wv2"))
    spread = [np.ptp(np.log(d.surface)[:, 200]) for d in (one, other)]
    assert one.contrast[7] > 0 and spread[1] < spread[0]
    assert (one.incidence_angle, other.incidence_angle) == (23.8, 36.8)


def test_wind_level_and_its_range():
    levels = [draw_imagette([15, k], tags=[]).about["level_db"] for k in range(20)]
    assert min(levels) >= -5.0 and max(levels) <= 3.0 and np.ptp(levels) > 4.0


def marks(picture):
    """Coefficient of variation, skewness, share of variance at 200 to 500 m, sd(350 m) / sd(100 m), once more."""
    low, high = np.percentile(picture, (1, 99))
    grey = np.round(255 * np.clip((picture - low) / (high - low), 0, 1))
    z = grey - grey.mean()
    power = np.abs(np.fft.fft2(z)) ** 2
    k = np.hypot(np.fft.fftfreq(400, 50.0)[:, None], np.fft.fftfreq(400, 50.0)[None])
    cells = [grey[: 400 // n * n, : 400 // n * n].reshape(400 // n, n, 400 // n, n).mean(axis=(1, 3)) for n in (7, 2)]
    share = power[(k >= 1 / 500) & (k <= 1 / 200)].sum() / power.sum()
    return grey.std() / grey.mean(), (z**3).mean() / z.std() ** 3, share, cells[0].std() / cells[1].std()


def test_typical_pictures_look_like_the_real_quicklooks(drawn):
    """Medians lie between the smallest and the largest of the real ones, and most pictures near them."""
    found = np.array([marks(d.roughness) for d in drawn if d.mask.all()])
    for values, low, high in zip(found.T, (0.46, 0.14, 0.05, 0.36), (0.69, 1.24, 0.61, 0.90), strict=True):
        assert low < np.median(values) < high
        margin = 0.3 * (high - low)
        assert np.mean((values > low - margin) & (values < high + margin)) > 0.7


def test_wrong_tags_in_a_share_of_the_images():
    tags = np.zeros((4000, 10), bool)
    tags[:, 2] = True
    given = files.with_errors(tags, share=0.05, seed=1)
    wrong = (given != tags).sum(axis=1)
    assert set(wrong) == {0, 1} and wrong.mean() == pytest.approx(0.05, abs=0.014)
    np.testing.assert_array_equal(files.with_errors(tags, share=0.0, seed=1), tags)


def test_unknown_phenomena_and_beams():
    with pytest.raises(UsageError, match="penguins: not known; expected phenomena of POW"):
        draw_imagette(0, tags=["penguins"])
    with pytest.raises(UsageError, match="wv3: not known"):
        draw_imagette(0, beam="wv3")
