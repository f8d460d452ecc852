"""Scenes at 400 m: the physics against its laws, statistics of what is drawn, floes and leads, windows, the chart."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.simulate.sentinel1 import chart as charts
from polynya.simulate.sentinel1 import fields, floes, presets, weather, world
from polynya.simulate.sentinel1.annotation import incidence
from polynya.simulate.sentinel1.drawn import draw_annotation
from polynya.simulate.sentinel1.scene import Scene, draw_scene, draw_window, gamma_of

SIZE = (160, 180)
ANGLE = np.linspace(20.0, 46.0, 60)


@pytest.fixture(scope="module")
def edge():
    return draw_scene(3, size=SIZE, kind="edge")


def sea(kind, *, seed=1, shape=(60, 60), angle=ANGLE, ranges=presets.STANDARD):
    return world.draw_world(seed, shape, angle, ranges=ranges, kind=kind)


def test_a_seed_gives_one_scene_and_another_another(edge):
    again, other = draw_scene(3, size=SIZE, kind="edge"), draw_scene(4, size=SIZE, kind="edge")
    for name in ("sigma0", "nesz", "incidence", "concentration", "stage", "floe", "polygon", "chart_concentration"):
        np.testing.assert_array_equal(getattr(edge, name), getattr(again, name))
        assert not np.array_equal(getattr(edge, name), getattr(other, name))
    assert edge.about == again.about


def test_arrays_have_the_record_s_shapes(edge):
    for name in ("incidence", "valid", "latitude", "concentration", "stage", "floe", "swath", "polygon"):
        assert getattr(edge, name).shape == SIZE
    assert edge.sigma0.shape == edge.nesz.shape == edge.decibels().shape == (2, *SIZE)
    np.testing.assert_array_equal(np.isnan(edge.sigma0).any(axis=0), ~edge.valid)
    assert ((edge.concentration >= 0) & (edge.concentration <= 1)).all()
    np.testing.assert_array_equal(edge.stage > 0, edge.concentration > 0)
    np.testing.assert_array_equal(edge.floe > 0, edge.concentration > 0)
    assert set(np.unique(edge.stage)) <= {0, 1, 2, 4, 5} and set(np.unique(edge.floe)) <= {0, 2, 3, 4, 5}


def test_decibels_end_at_the_floor(edge):
    db = edge.decibels()
    assert np.nanmin(db[0]) >= -35.0 and np.nanmin(db[1]) >= -45.0
    usual = edge.valid & (edge.sigma0 > 1e-3).all(axis=0)
    np.testing.assert_allclose(db[:, usual], 10 * np.log10(edge.sigma0[:, usual]), rtol=1e-5)
    with_noise = edge.decibels(remove_noise=False)
    assert (with_noise[:, edge.valid] >= db[:, edge.valid]).all()


@pytest.mark.parametrize(("wind", "hh", "hv"), [(3.0, -28.0, -34.0), (15.0, -12.0, -27.0), (6.708204, -20.0, -30.5)])
def test_water_brightens_with_the_logarithm_of_the_wind(wind, hh, hv):
    """-28 + 16 ln(w/3) / ln 5 dB in HH and -34 to -27 dB in HV at 34.5 degrees; sqrt(45) m/s lies half way."""
    found = weather.water_db(np.array([wind]), np.array([34.5]))
    assert found[:, 0] == pytest.approx((hh, hv), abs=0.01)


def test_water_darkens_with_the_angle_most_where_it_is_calm():
    """-0.9 dB per degree in calm, -0.4 in wind."""
    for wind, slope in ((2.0, -0.9), (3.0, -0.9), (15.0, -0.4), (19.0, -0.4)):
        db = weather.water_db(np.full(2, wind), np.array([30.0, 40.0]))
        assert (db[0, 1] - db[0, 0]) / 10.0 == pytest.approx(slope, abs=1e-3)


def test_ice_shelters_its_water():
    """Wind times 1 - 0.7 SIC: in closed ice 16 ln(0.3) / ln 5 = -12 dB in HH."""
    rng = np.random.default_rng(0)
    open_sea = sea("water", seed=5)
    pack = sea("pack", seed=5)
    target = pack.cover.target
    expected = 16.0 * np.log(1.0 - 0.7 * target) / np.log(5.0)
    steep = pack.backscatter.water[0] - open_sea.backscatter.water[0]
    at = (slice(None), np.abs(ANGLE - 34.5).argmin())
    least = -28.0 + 16.0 * np.log(1.5 / 3.0) / np.log(5.0)  # the wind is cut at 1.5 m/s
    expected = np.maximum(expected + open_sea.backscatter.water[0], least)[at] - open_sea.backscatter.water[0][at]
    assert steep[at] == pytest.approx(expected, abs=0.3)
    assert rng is not None


def test_wind_has_the_scene_s_mean_and_the_fields_spread():
    """Fields of sd 0.8 and 0.4 m/s; fronts in a quarter of the scenes, rolls in half, rain in 15 %."""
    drawn = [weather.draw_weather(np.random.default_rng(s), (24, 24), presets.STANDARD) for s in range(400)]
    calm = [w for w in drawn if not w.about["front_step_m_s"] and not w.about["roll_modulation"]]
    off = np.array([w.wind.mean() - w.about["wind_m_s"] for w in calm])
    within = np.array([w.wind.std() for w in calm])
    assert np.sqrt(np.mean(off**2) + np.mean(within**2)) == pytest.approx(np.hypot(0.8, 0.4), abs=0.1)
    share = {name: np.mean([bool(w.about[name]) for w in drawn]) for name in drawn[0].about}
    assert share["front_step_m_s"] == pytest.approx(0.25, abs=0.07)
    assert share["roll_modulation"] == pytest.approx(0.50, abs=0.08)
    assert share["rain_cells"] == pytest.approx(0.15, abs=0.06)
    means = np.array([w.about["wind_m_s"] for w in drawn])
    assert means.min() >= 2.0 and means.max() <= 9.0 and means.mean() == pytest.approx(5.5, abs=0.4)


def test_smooth_fields_are_stationary_and_correlate_as_told():
    fields_ = np.stack([fields.smooth(np.random.default_rng(s), (60, 50), length=20.0) for s in range(300)])
    assert np.abs(fields_.std(axis=0) - 1.0).max() < 0.25 and np.abs(fields_.mean(axis=0)).max() < 0.3
    at_20 = np.mean(fields_[:, :, :-20] * fields_[:, :, 20:])
    assert at_20 == pytest.approx(np.exp(-1.0), abs=0.06)
    assert np.mean(fields_[:, :-40] * fields_[:, 40:]) == pytest.approx(np.exp(-4.0), abs=0.06)


@pytest.mark.parametrize("looks", [10.7, 200.0])
def test_speckle_is_gamma(looks):
    """Mean 1, variance 1 / L, skewness 2 / sqrt(L)."""
    x = gamma_of(np.random.default_rng(0).standard_normal(400_000), looks)
    assert x.mean() == pytest.approx(1.0, abs=3e-3) and x.var() * looks == pytest.approx(1.0, abs=0.02)
    assert np.mean((x - x.mean()) ** 3) / x.std() ** 3 == pytest.approx(2.0 / np.sqrt(looks), abs=0.04)


def sea_of(scene: Scene, seed: int) -> np.ndarray:
    """Return the backscatter of a scene of water before noise and speckle."""
    size = scene.concentration.shape
    drawn = world.draw_world(seed, size, scene.incidence.mean(axis=0), ranges=presets.STANDARD, kind="water")
    return 10.0 ** (0.1 * drawn.backscatter.water)


def test_kinds_are_drawn_with_their_shares():
    """.30 water, .45 edge, .25 pack."""
    kinds = [str(np.random.default_rng([s, 20]).choice(presets.KINDS, p=presets.KIND_SHARES)) for s in range(600)]
    for kind, share in zip(("water", "edge", "pack"), (0.30, 0.45, 0.25), strict=True):
        assert np.mean([k == kind for k in kinds]) == pytest.approx(share, abs=0.06)
    for seed in range(4):
        assert sea(None, seed=seed, shape=(20, 60)).about["kind"] == kinds[seed]


def test_water_has_no_ice_pack_is_closed_and_an_edge_has_both():
    assert draw_scene(1, size=(64, 64), kind="water").concentration.max() == 0.0
    assert np.median([draw_scene(s, size=(64, 64), kind="pack").concentration.mean() for s in range(5)]) > 0.85
    edges = [draw_scene(s, size=(128, 128), kind="edge").concentration for s in range(6)]
    assert all(c.min() == 0.0 and c.max() == 1.0 for c in edges)
    assert np.mean([np.mean((c > 0.15) & (c < 0.8)) for c in edges]) > 0.02


def test_floes_keep_the_power_law():
    """Numbers fall as size ** -a: a size twice as large covers 2 ** (2 - a) times the area."""
    for seed in range(6):
        cover = sea("pack", seed=seed).cover
        np.testing.assert_allclose(cover.sizes[1:], 0.5 * cover.sizes[:-1])
        left, area = 1.0, []
        for kept in cover.kept:
            area.append(left * kept)
            left *= 1.0 - kept
        ratio = np.array(area[:-1]) / area[1:]
        np.testing.assert_allclose(ratio, ratio[0])
        assert 1.5 <= 2.0 - np.log2(ratio[0]) <= 2.5
        assert sum(area) == pytest.approx(1.0)


def test_rows_are_those_of_the_whole():
    drawn = sea("edge", seed=9)
    whole = floes.render(drawn.cover, drawn.backscatter, rows=(0, 60), samples=2)
    part = floes.render(drawn.cover, drawn.backscatter, rows=(17, 40), samples=2)
    np.testing.assert_array_equal(part.concentration, whole.concentration[17:40])
    np.testing.assert_array_equal(part.power, whole.power[:, 34:80])


def test_a_pixel_is_ice_or_water_and_its_backscatter_that_of_one_of_them():
    """At 40 m every pixel's power is water's, or a floe's: type, slope, floe and texture within five deviations."""
    drawn = sea("edge", seed=8)
    found = floes.render(drawn.cover, drawn.backscatter, rows=(0, 60), samples=10)
    db = 10 * np.log10(found.power)
    look = drawn.backscatter
    water = np.stack([np.kron(plane, np.ones((10, 10))) for plane in look.water])
    is_water = (np.abs(db - water) < 0.6).all(axis=0)
    angle = np.repeat(ANGLE - 34.5, 10)
    sd = np.hypot(0.8, float(drawn.about["texture_db"]))
    like = [
        (np.abs(db - (look.ice[t] + look.slope[t] * angle[:, None]).T[:, None, :]) < 5 * sd).all(axis=0)
        for t in range(4)
    ]
    assert (is_water | np.any(like, axis=0)).mean() > 0.999
    share = 1.0 - is_water.reshape(60, 10, 60, 10).mean(axis=(1, 3))
    assert np.corrcoef(share.ravel(), found.concentration.ravel())[0, 1] > 0.97


def test_types_keep_their_backscatter_and_slopes():
    """Sheet: -24/-14/-16/-11, -31/-26/-28/-21 dB at 34.5 degrees; slopes -.30/-.26/-.24/-.17, -.10/-.12/-.14/-.06."""
    drawn = [sea("pack", seed=s, shape=(16, 60)).backscatter for s in range(120)]
    ice, slope = np.array([d.ice for d in drawn]), np.array([d.slope for d in drawn])
    for p, (level, fall, sd) in enumerate(
        (
            ((-24.0, -14.0, -16.0, -11.0), (-0.30, -0.26, -0.24, -0.17), 0.04),
            ((-31.0, -26.0, -28.0, -21.0), (-0.10, -0.12, -0.14, -0.06), 0.03),
        )
    ):
        assert ice[..., p].mean(axis=0) == pytest.approx(level, abs=0.2)
        assert ice[..., p].std(axis=0) == pytest.approx(0.5, abs=0.12)
        assert slope[..., p].mean(axis=0) == pytest.approx(fall, abs=0.015)
        assert slope[..., p].std(axis=0) == pytest.approx(sd, abs=0.012)


def test_the_stress_set_is_wider():
    """Wind 3-15 m/s, types plus or minus 2 dB, residue .9-1.25."""
    stress = presets.RANGES["stress"]
    drawn = [sea("pack", seed=s, shape=(16, 60), ranges=stress) for s in range(120)]
    wind = [d.about["wind_m_s"] for d in drawn]
    assert 3.0 <= min(wind) < 4.0 and 14.0 < max(wind) <= 15.0
    off = np.array([d.backscatter.ice for d in drawn]) - presets.ICE_DB
    assert np.abs(off).max() <= 2.0 and off.std() == pytest.approx(4.0 / np.sqrt(12.0), abs=0.1)
    residue = np.array([d.residue[:, 1:] for d in drawn])
    assert residue.min() >= 0.9 and residue.max() <= 1.25 and residue.max() > 1.2 and residue.min() < 0.93


def test_bright_water_fools_a_threshold_in_some_scenes_only():
    """Mean winds reach 9 m/s, fronts and rain more: some scenes of water are as bright as young ice, most are not."""
    bright = []
    for seed in range(24):
        scene = draw_scene(seed, size=(48, 48), kind="water")
        ice = -16.0 - 0.24 * (scene.incidence - 34.5)
        bright.append(np.mean(scene.decibels()[0][scene.valid] > ice[scene.valid]))
    assert 1 <= np.sum(np.array(bright) > 0.02) <= 14


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"size": (8, 100)}, "size is 8 x 100 cells"),
        ({"size": (1071, 100)}, "expected 16 to 1070 lines"),
        ({"ranges": "I"}, "ranges is 'I'; expected standard, stress"),
        ({"kind": "floe"}, "kind is 'floe'; expected water, edge, pack"),
        ({"hemisphere": "east"}, "hemisphere is 'east'; expected north, south"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        draw_scene(**{"seed": 1, "size": (64, 64), **wrong})


CODES_CT = {"00", "01", "10", "20", "30", "40", "50", "60", "70", "80", "90", "91", "92"}
STAGES, FORMS = {"81", "83", "93", "95"}, {"02", "03", "04", "05", "06"}
TENTHS = {"00": 0, "01": 0, "91": 10, "92": 10} | {f"{n}0": n for n in range(1, 10)}
"""As AutoICE reads the total concentration."""


def test_chart_codes_are_valid_and_their_parts_sum_to_the_total(edge):
    chart = charts.draw_chart(3, edge.concentration, edge.stage, edge.floe)
    assert len(chart.codes) == chart.polygon.max() + 1 > 5
    for codes, tenths in zip(chart.codes, chart.concentration, strict=True):
        assert codes["CT"] in CODES_CT and TENTHS[codes["CT"]] == round(10 * tenths)
        assert codes["POLY_TYPE"] == ("I" if tenths > 0 else "W")
        if codes["POLY_TYPE"] == "W":
            assert set(codes.values()) <= {codes["CT"], "W", "-9"}
            continue
        parts = [codes[f"C{x}"] for x in "ABC"]
        stages = [codes[f"S{x}"] for x in "ABC" if codes[f"S{x}"] != "-9"]
        assert set(stages) <= STAGES and len(set(stages)) == len(stages) >= 1
        assert stages == sorted(stages, reverse=True)  # thickest first
        assert {codes[f"F{x}"] for x in "ABC"} <= FORMS | {"-9"}
        if len(stages) == 1:
            assert parts == ["-9"] * 3
        else:
            assert sum(TENTHS[p] for p in parts if p != "-9") == round(10 * tenths)


def test_a_quarter_of_the_polygons_is_a_tenth_off():
    off, count = 0, 0
    for seed in range(14):
        scene = draw_scene(seed, size=SIZE, kind="edge")
        chart = charts.draw_chart(seed, scene.concentration, scene.stage, scene.floe)
        clean = np.clip(np.rint(10 * chart.analysed), 1, 10)
        ice = chart.concentration > 0
        error = np.rint(10 * chart.concentration) - clean
        assert set(np.unique(error[ice])) <= {-1.0, 0.0, 1.0}
        usual = ice & (clean < 10) & (clean > 1)  # 10 and 1 tenths cannot err both ways
        off, count = off + np.count_nonzero(error[usual]), count + np.count_nonzero(usual)
    assert count > 60 and off / count == pytest.approx(0.25, abs=3 * np.sqrt(0.25 * 0.75 / count))


def test_polygons_are_20_to_60_km_wide():
    scene = draw_scene(5, size=(400, 400), kind="pack")
    chart = charts.draw_chart(5, scene.concentration, scene.stage, scene.floe)
    area = np.bincount(chart.polygon.ravel()) * 0.16  # km2
    assert area.min() >= 25.0
    assert 15.0**2 < np.median(area) < 65.0**2


def test_what_is_left_of_the_noise_is_what_was_drawn():
    """Power with the noise in it, less the power of the surface, is the annotated noise times the drawn factor of each
    sub-swath and polarisation: within four standard errors of its mean over thousands of cells."""
    size, seed = (96, 400), 3
    scene = draw_scene(seed, size=size, kind="water")
    annotation, _ = draw_annotation(seed, hemisphere="north")
    places = (10 * (first + np.arange(n)) + 4.5 for first, n in zip(draw_window(seed, size), size, strict=True))
    angle = incidence(annotation, *places).mean(axis=0)
    drawn = world.draw_world(seed, size, angle, ranges=presets.STANDARD, kind="water")
    power = floes.render(drawn.cover, drawn.backscatter, rows=(0, size[0]), samples=2).power
    power = power.reshape(2, size[0], 2, size[1], 2).mean(axis=(2, 4))
    factors = []
    for p in (0, 1):
        for swath in np.unique(scene.swath[scene.valid]):
            mine = scene.valid & (scene.swath == swath)
            found = ((scene.sigma0[p] + scene.nesz[p] - power[p]) / scene.nesz[p])[mine]
            assert abs(found.mean() - drawn.residue[p, swath]) < 4 * found.std() / np.sqrt(mine.sum())
            factors.append(drawn.residue[p, swath])
    low, high = presets.STANDARD.residue
    assert len(factors) >= 4 and low <= min(factors) < max(factors) <= high
