"""Boxcar, stretch, spectrum and features of imagettes against plain computation and waves in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from polynya.physics import boxcar, imagette_features, imagette_spectrum, stretch
from polynya.physics.line_vectors import Vector
from polynya.physics.thermal_noise import Block, ThermalNoise, extended


def test_block_means_are_means():
    values = np.arange(7 * 9, dtype=float).reshape(7, 9)
    found = boxcar.block_means(values, 3, 2)
    assert found.shape == (2, 4)
    for i in range(2):
        for j in range(4):
            assert found[i, j] == values[3 * i : 3 * i + 3, 2 * j : 2 * j + 2].mean()


def test_block_means_leave_out_nan_until_too_few_are_left():
    values = np.ones((2, 8))
    values[:, :4] = [[1.0, 3.0, np.nan, np.nan], [np.nan, np.nan, np.nan, 5.0]]
    found = boxcar.block_means(values, 2, 2)
    assert found[0, 0] == 2.0 and np.isnan(found[0, 1]) and (found[0, 2:] == 1.0).all()
    assert boxcar.block_means(values, 2, 2, least=0.2)[0, 1] == 5.0
    assert np.isnan(boxcar.block_means(np.full((2, 2), np.nan), 2, 2, least=0.0)).all()


@pytest.mark.parametrize(("pixel", "wanted", "expected"), [(5.0, 50.0, 10), (4.1, 50.0, 12), (80.0, 50.0, 1)])
def test_window(pixel, wanted, expected):
    assert boxcar.window_of(pixel, wanted) == expected


def test_stretch_is_linear_between_percentiles():
    picture = np.arange(101.0).reshape(1, 101)  # percentiles are the values
    found = stretch.stretch(picture)
    np.testing.assert_allclose(found[0], np.clip((np.arange(101) - 1) / 98, 0, 1), atol=1e-6)


def test_stretch_leaves_out_the_mask_and_survives_one_value():
    picture = np.full((4, 5), 7.0)
    picture[0, 0] = 1e9
    mask = picture < 1e9
    found = stretch.stretch(picture, mask)
    assert found[0, 0] == 0.0 and (found[mask] == 0.5).all()
    assert np.isnan(stretch.limits(np.full((2, 2), np.nan))).all()
    assert (stretch.stretch(np.full((2, 2), np.nan)) == 0.0).all()


def test_stretch_does_not_depend_on_gain_and_offset():
    picture = np.random.default_rng(0).gamma(50.0, 1.0, (30, 40))
    np.testing.assert_allclose(stretch.stretch(picture), stretch.stretch(3.0 * picture + 2.0), atol=1e-6)


def wave(shape, *, down_m, across_m, rows, columns):
    """A plane wave of variance 1/2; its wavelengths along the axes are whole parts of the picture."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.cos(
        2 * np.pi * (y * down_m * rows / (shape[0] * down_m) + x * across_m * columns / (shape[1] * across_m))
    )


@pytest.mark.parametrize(
    ("rows", "columns", "band", "orientation"),
    [(0, 60, 2, 0.0), (60, 0, 2, 90.0), (10, 10, 4, 45.0), (10, -10, 4, 135.0), (0, 3, 7, 0.0)],
)
def test_a_plane_wave_lies_in_its_band_and_direction(rows, columns, band, orientation):
    """400 pixels of 50 m: 20 km; n periods have the wavelength 20 km / n, and 1 / hypot for both axes."""
    picture = 5.0 + wave((400, 400), down_m=50.0, across_m=50.0, rows=rows, columns=columns)
    wavelength = 20_000.0 / np.hypot(rows, columns)
    assert imagette_spectrum.EDGES_M[band] <= wavelength < imagette_spectrum.EDGES_M[band + 1]
    found = imagette_spectrum.spectrum(picture, azimuth_pixel_m=50.0, range_pixel_m=50.0)
    expected = np.zeros(8)
    expected[band] = 0.5
    np.testing.assert_allclose(found.power, expected, atol=1e-6)
    np.testing.assert_allclose(found.shares, 2 * expected, atol=1e-5)
    assert found.variance == pytest.approx(0.5, rel=1e-5) and found.anisotropy == pytest.approx(1.0, abs=1e-5)
    assert min(abs(found.orientation - orientation), 180 - abs(found.orientation - orientation)) < 0.01


def test_edges():
    np.testing.assert_allclose(imagette_spectrum.EDGES_M, [100 * 10 ** (k / 4) for k in range(9)])
    assert imagette_spectrum.EDGES_M[-1] == pytest.approx(10_000.0)


def test_pixels_need_not_be_square():
    """The same wave of 1 km across, seen with samples of 37 m and lines of 42 m, and turned."""
    x = np.arange(500) * 37.0
    picture = np.tile(np.cos(2 * np.pi * x / 925.0), (480, 1))  # 20 periods of 25 samples
    found = imagette_spectrum.spectrum(picture, azimuth_pixel_m=42.0, range_pixel_m=37.0)
    assert found.power[3] == pytest.approx(0.5, rel=1e-5) and found.orientation % 180.0 == pytest.approx(0.0, abs=1e-3)
    wrong = imagette_spectrum.spectrum(picture, azimuth_pixel_m=42.0, range_pixel_m=50.0)
    assert wrong.power[4] == pytest.approx(0.5, rel=1e-5)  # 1250 m


@pytest.mark.parametrize("shape", [(40, 41), (41, 40), (37, 53), (64, 64)])
def test_power_sums_to_the_variance(shape):
    picture = np.random.default_rng(1).normal(size=shape)
    found = imagette_spectrum.spectrum(picture, azimuth_pixel_m=150.0, range_pixel_m=150.0)
    assert found.variance == pytest.approx(picture.var(), rel=1e-5)
    k = np.hypot(np.fft.fftfreq(shape[0], 150.0)[:, None], np.fft.fftfreq(shape[1], 150.0)[None])
    power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2 / picture.size**2
    for b in range(8):
        low, high = imagette_spectrum.EDGES_M[b : b + 2]
        with np.errstate(divide="ignore"):
            inside = (1 / k >= low) & (1 / k < high)
        assert found.power[b] == pytest.approx(power[inside].sum(), rel=1e-4, abs=1e-9)


def test_nothing_and_one_value():
    for picture in (np.full((20, 20), np.nan), np.full((20, 20), 3.0)):
        found = imagette_spectrum.spectrum(picture, azimuth_pixel_m=50.0, range_pixel_m=50.0)
        assert found.variance == found.anisotropy == found.orientation == 0.0 and (found.shares == 0.0).all()


def test_features_are_what_they_are_called():
    picture = np.random.default_rng(2).gamma(3.0, 1.0, (60, 80)).astype(np.float32)
    found = dict(
        zip(
            imagette_features.NAMES,
            imagette_features.features(picture, azimuth_pixel_m=50.0, range_pixel_m=50.0),
            strict=True,
        )
    )
    flat = picture.astype(float).ravel()
    expected = {
        "mean": flat.mean(),
        "sd": flat.std(),
        "skewness": stats.skew(flat),
        "kurtosis": stats.kurtosis(flat, fisher=False),
        "coefficient_of_variation": flat.std() / flat.mean(),
        **{f"quantile_{q:02d}": np.percentile(flat, q) for q in (5, 25, 75, 95)},
    }
    steps = np.concatenate([np.abs(np.diff(picture, axis=a)).ravel() for a in (0, 1)])
    expected["gradient"] = steps.mean()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name
    assert len(imagette_features.NAMES) == 20


def test_masked_pixels_do_not_count():
    picture = np.random.default_rng(3).gamma(3.0, 1.0, (60, 80)).astype(np.float32)
    mask = np.ones(picture.shape, bool)
    mask[:20] = False
    spoilt = np.where(mask, picture, 1e6)
    found = imagette_features.features(spoilt, azimuth_pixel_m=50.0, range_pixel_m=50.0, mask=mask)
    plain = imagette_features.features(picture[20:], azimuth_pixel_m=50.0, range_pixel_m=50.0)
    np.testing.assert_allclose(found[:10], plain[:10], rtol=1e-5)
    empty = imagette_features.features(picture, azimuth_pixel_m=50.0, range_pixel_m=50.0, mask=np.zeros_like(mask))
    assert np.isnan(empty).all()


def test_a_picture_of_one_value_has_finite_features():
    found = imagette_features.features(np.full((30, 30), 2.0), azimuth_pixel_m=50.0, range_pixel_m=50.0)
    assert np.isfinite(found).all() and found[0] == 2.0 and found[1] == 0.0


def test_noise_blocks_are_continued_to_the_borders():
    """Two blocks with a gap between, before and after: lines 2-3 and 6-7 of 12, samples 1-4 of 8."""
    lines = np.array([2, 3])
    blocks = [
        Block(
            swath="WV1",
            first_line=first,
            last_line=first + 1,
            first_sample=1,
            last_sample=4,
            lines=lines + first - 2,
            factors=np.array(factors),
        )
        for first, factors in ((6, [3.0, 4.0]), (2, [1.0, 2.0]))
    ]
    found = extended(blocks, (12, 8))
    assert [(b.first_line, b.last_line, b.first_sample, b.last_sample) for b in found] == [(0, 5, 0, 7), (6, 11, 0, 7)]
    noise = ThermalNoise(
        shape=(12, 8),
        vectors=(Vector(line=0, pixels=np.array([0, 7]), values=np.array([5.0, 5.0])),),
        blocks=found,
        scale={},
    )
    expected = 5.0 * np.array([1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4])
    np.testing.assert_allclose(noise.window(slice(0, 12), slice(0, 8)), np.tile(expected[:, None], (1, 8)))
    assert extended((), (12, 8)) == ()
