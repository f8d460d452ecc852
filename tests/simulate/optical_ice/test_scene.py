"""Simulated optical images: the same from a seed, classes of every kind, floes of a power law, labels, light."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from polynya.errors import UsageError
from polynya.simulate.optical_ice import light, presets, scene, surface
from polynya.simulate.optical_ice.fields import rough, share_above
from polynya.simulate.optical_ice.polygons import polygons, unit
from polynya.simulate.optical_ice.presets import LAND, POND, STANDARD, THICK, THIN, WATER

SIZE = (128, 144)


def test_a_seed_gives_one_image_and_another_another():
    one, again, other = (scene.draw_scene(seed, size=SIZE, kind="pack") for seed in (3, 3, 4))
    for name in ("counts", "classes", "labels"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))
    assert one.about == again.about


@pytest.mark.parametrize("kind", presets.KINDS)
def test_kinds_hold_what_they_are_named_after(kind):
    drawn = [scene.draw_scene(20 + k, size=SIZE, kind=kind) for k in range(3)]
    shares = np.mean([np.bincount(d.classes.ravel(), minlength=6) / d.classes.size for d in drawn], axis=0)
    assert all(d.counts.shape == (4, *SIZE) and d.counts.dtype == np.uint8 for d in drawn)
    assert {"water": shares[WATER] == 1.0, "coast": shares[LAND] > 0.05, "melt": shares[POND] > 0.02}.get(kind, True)
    if kind != "water":
        assert shares[THICK] + shares[THIN] > 0.15
    if kind not in ("coast", "water"):
        assert shares[LAND] == 0


def test_brightness_before_light_is_that_of_the_ranges():
    """Counts of the brightest band: the sheet's ranges, but for what snow's grain, mud and cloud add."""
    found = {WATER: [], THIN: [], THICK: []}
    for seed in range(6):
        drawn = surface.draw(np.random.default_rng(seed), SIZE, kind="pack", ranges=STANDARD)
        for code, values in found.items():
            if (drawn.classes == code).sum() > 200:
                values.append(np.median(drawn.counts[:3, drawn.classes == code].max(axis=0)))
    assert min(found[WATER]) >= 5 and max(found[WATER]) <= 100  # with mud
    assert min(found[THIN]) >= 60 and max(found[THIN]) <= 180
    assert min(found[THICK]) >= 140 and max(found[THICK]) <= 255


def test_polygons_are_those_of_the_nearest_point():
    """Beside the plain search over all points of the lattice around."""
    y, x = np.mgrid[:40, :50].astype(float)
    found = polygons(y, x, size=9.0, key=5)
    far = polygons(y + 300.0, x - 200.0, size=9.0, key=5)
    assert not np.array_equal(found.own, far.own)
    points = np.unique(np.stack([found.y.ravel(), found.x.ravel()], axis=1), axis=0)
    apart = np.hypot(y[..., None] - points[:, 0], x[..., None] - points[:, 1])
    nearest = points[apart.argmin(axis=-1)]
    assert np.allclose(nearest[..., 0], found.y) and np.allclose(nearest[..., 1], found.x)
    inner = slice(12, 28)
    two = np.sort(apart, axis=-1)[inner, inner, :2]
    same = np.partition(two, 1, axis=-1)
    assert (found.border[inner, inner] <= 0.5 * (same[..., 1] ** 2 - same[..., 0] ** 2) / 1.0).all()
    assert (found.border >= 0).all() and unit(found.own).max() < 1.0


def test_the_border_of_two_points_is_half_way():
    y, x = np.mgrid[:60, :60].astype(float)
    found = polygons(y, x, size=20.0, key=2)
    edges = ndimage.morphological_gradient(found.own.astype(float), size=3) > 0
    assert np.median(found.border[edges]) < 1.0 and found.border[~edges].mean() > 2.0


def test_fields_have_the_spectrum_asked_for():
    """Power per wavenumber falls as the exponent says, within a tenth of the slope."""
    for exponent in (2.0, 3.0):
        slopes = []
        for seed in range(4):
            field = rough(np.random.default_rng(seed), (256, 256), exponent=exponent, longest_px=1000.0)
            window = np.hanning(256)
            power = np.abs(np.fft.rfft2(field * window[:, None] * window)) ** 2
            wave = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
            bins = np.geomspace(0.03, 0.3, 12)
            means = [power[(wave >= a) & (wave < b)].mean() for a, b in itertools.pairwise(bins)]
            slopes.append(np.polyfit(np.log(np.sqrt(bins[1:] * bins[:-1])), np.log(means), 1)[0])
        assert -np.mean(slopes) == pytest.approx(exponent, rel=0.1)


def test_shares():
    field = np.random.default_rng(0).normal(size=(50, 50))
    assert share_above(field, 0.3).mean() == pytest.approx(0.3, abs=0.01)
    assert not share_above(field, 0.0).any()


def test_more_small_floes_where_the_exponent_is_larger():
    """Mean area of floes under a power law of 1.6 and of 2.4, all else equal."""
    sizes = []
    for exponent in (1.6, 2.4):
        ranges = presets.Ranges(exponent=(exponent, exponent), largest_px=(100.0, 100.0), concentration=(0.9, 0.9))
        area = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            ice = surface._Ice(rng, (256, 256), kind="pack", ranges=ranges, about={})
            area.append(256 * 256 / np.unique(ice.own).size)
        sizes.append(np.mean(area))
    assert sizes[0] > 1.5 * sizes[1]


def test_labels_are_smoother_and_wrong_in_places():
    rng = np.random.default_rng(5)
    drawn = scene.draw_scene(9, size=(256, 256), kind="pack")
    wrong = []
    for _ in range(4):
        same = scene.labels(rng, np.full((256, 256), THICK, np.uint8))
        wrong.append((same == THIN).mean())
    assert np.mean(wrong) == pytest.approx(0.03, abs=0.02)
    clean = scene.labels(np.random.default_rng(1), drawn.classes, wrong=0.0)
    assert (clean == drawn.classes).mean() > 0.8


def test_haze_brightens_water_and_jpeg_leaves_the_infrared():
    drawn = surface.draw(np.random.default_rng(2), SIZE, kind="water", ranges=STANDARD)
    levels = {}
    for haze in (0.0, 40.0):
        ranges = presets.Ranges(haze=(haze, haze), cloudy_scenes=0.0, shadow_scenes=0.0)
        levels[haze], about = light.seen(np.random.default_rng(4), drawn, ranges=ranges)
        assert about["haze"] == haze and "cloud" not in about
    assert levels[40.0][:3].mean() > levels[0.0][:3].mean() + 20


def test_kinds_and_sizes_that_do_not_exist():
    with pytest.raises(UsageError, match="expected one of pack, marginal"):
        scene.draw_scene(1, kind="pancake")
    with pytest.raises(UsageError, match="at least 64 pixels"):
        scene.draw_scene(1, size=(32, 200))
