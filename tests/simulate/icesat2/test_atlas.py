"""The detector against closed forms, and its bias table against counted photons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from polynya.physics import first_photon_bias
from polynya.simulate.icesat2 import atlas, atlas_bias

STEP = 0.5


def flat(
    n_shots: int, *, rate: float, seed: int = 1, dead_time=None, background: float = 0.0, is_strong: bool = True
) -> atlas.Photons:
    cells = int(n_shots * 0.7 / STEP) + 100
    cell = 50 + (np.arange(n_shots) * 0.7 / STEP).astype(np.int64)
    dead = np.full(atlas.CHANNELS[is_strong], atlas.MEAN_DEAD_TIME[is_strong]) if dead_time is None else dead_time
    return atlas.detect(
        atlas.Ground(rate=np.full(cells, rate), height=np.zeros(cells), roughness=np.zeros(cells), step=STEP),
        shot_cell=cell,
        transmission=np.ones(n_shots),
        background=np.full(n_shots, background),
        window=(np.full(n_shots, -15.0), np.full(n_shots, 15.0)),
        dead_time=dead,
        gain=1.0,
        seed=np.random.SeedSequence(seed),
    )


def test_footprint_is_eleven_metres_across():
    weights = atlas.footprint_weights(0.01)
    offset = (np.arange(weights.size) - weights.size // 2) * 0.01
    assert weights.sum() == pytest.approx(1.0)
    assert np.interp(5.5, offset, weights / weights.max()) == pytest.approx(np.exp(-2.0), rel=1e-3)


def test_pulse_has_mean_zero_and_the_width_of_atlas():
    t = np.arange(-15.0, 25.0, 0.01)
    density = atlas_bias.pulse_density(t, atlas.PULSE_SIGMA)
    assert density.sum() * 0.01 == pytest.approx(1.0, abs=1e-3)
    assert np.sum(t * density) * 0.01 == pytest.approx(0.0, abs=2e-3)
    assert 1.2 < np.ptp(t[density > density.max() / 2.0]) < 1.6
    assert np.sum(t**3 * density) > 0.0  # the tail is late


def test_no_dead_time_detects_every_arrival():
    t = np.arange(-6.0, 6.0, 0.005)
    f = np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi)
    detected = atlas_bias.detected_density(f, spacing=0.005, per_channel=0.7, dead_time=0.0)
    np.testing.assert_allclose(detected, 0.7 * f, atol=2e-3)


@pytest.mark.parametrize("r", [0.1, 1.0, 3.0])
def test_long_dead_time_detects_the_first_photon_only(r):
    # With a dead time longer than the pulse only the first arrival counts: density r f exp(-r F), total 1 - exp(-r).
    t = np.arange(-6.0, 6.0, 0.002)
    f = np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi)
    expected = r * f * np.exp(-r * 0.5 * (1.0 + erf(t / np.sqrt(2.0))))
    detected = atlas_bias.detected_density(f, spacing=0.002, per_channel=r, dead_time=50.0)
    np.testing.assert_allclose(detected, expected, atol=2e-3 * r)
    assert detected.sum() * 0.002 == pytest.approx(1.0 - np.exp(-r), rel=1e-3)


@pytest.mark.parametrize(
    ("rate", "is_strong"), [(2.0, True), (7.0, True), (16.0, True), (0.5, False), (2.0, False), (5.0, False)]
)
def test_bias_table_agrees_with_counted_photons(rate, is_strong):
    shots = 60000
    photons = flat(shots, rate=rate, is_strong=is_strong)
    z = photons.height[photons.origin == 1].astype(np.float64)
    low, high = np.percentile(z, [10, 90])
    table = atlas_bias.bias_table(is_strong=is_strong)
    at = first_photon_bias.at_dead_time(
        table.dead_time,
        strength=table.strength,
        width_ns=table.width,
        correction_ps=table.correction,
        beam_dead_time_ns=atlas.MEAN_DEAD_TIME[is_strong],
    )
    bias = first_photon_bias.lookup(at, strength=np.array([z.size / shots]), width_m=np.array([high - low]))[0]
    error = z.std() / np.sqrt(z.size)
    assert z.mean() > 0.0  # early photons win: too high
    assert abs(z.mean() - bias) < 4.0 * error + 0.02 * bias + 2e-4


def test_signal_is_poisson_without_dead_time():
    photons = flat(20000, rate=5.0, dead_time=np.zeros(16))
    counts = np.bincount(photons.shot[photons.origin == 1], minlength=20000)
    assert counts.mean() == pytest.approx(5.0, abs=4.0 * np.sqrt(5.0 / 20000))
    assert counts.var() == pytest.approx(5.0, rel=0.05)


def test_footprint_weighs_by_reflectance():
    cells, shots = 200, 20000
    cell = np.full(shots, 100)
    rate = np.where(np.arange(cells) < 100, 2.0, 6.0)
    height = np.where(np.arange(cells) < 100, 0.0, 1.0)
    photons = atlas.detect(
        atlas.Ground(rate=rate, height=height, roughness=np.zeros(cells), step=STEP),
        shot_cell=cell,
        transmission=np.ones(shots),
        background=np.zeros(shots),
        window=(np.full(shots, -15.0), np.full(shots, 15.0)),
        dead_time=np.zeros(16),
        gain=1.0,
        seed=np.random.SeedSequence(3),
    )
    # The shot's cell is the first of the bright half, so the edge lies a quarter metre before its centre.
    bright = 0.5 * (1.0 + erf(0.25 / atlas.FOOTPRINT_SIGMA / np.sqrt(2.0)))
    expected = 6.0 * bright / (6.0 * bright + 2.0 * (1.0 - bright))
    ours = photons.origin == 1
    assert photons.height[ours].mean() == pytest.approx(expected, abs=0.01)


def test_background_fills_the_window_evenly():
    photons = flat(20000, rate=0.0, background=4e6)
    expected = 4e6 * 30.0 / atlas.METRES_PER_NS * 1e-9 * 20000
    assert photons.shot.size == pytest.approx(expected, rel=0.02)  # dead time takes a few in a hundred thousand
    hist, _ = np.histogram(photons.height, 10, (-15.0, 15.0))
    assert np.abs(hist - hist.mean()).max() < 5.0 * np.sqrt(hist.mean())


def test_same_seed_same_photons():
    a, b, c = (flat(500, rate=6.0, background=1e6, seed=s) for s in (7, 7, 8))
    assert np.array_equal(a.height, b.height) and np.array_equal(a.channel, b.channel)
    assert not np.array_equal(a.height[: c.height.size][:100], c.height[:100])


def test_finder_takes_the_surface_and_leaves_the_noise():
    shots = 4000
    photons = flat(shots, rate=6.0, background=6e6)
    per_metre = np.full(shots, 6e6 / atlas.METRES_PER_NS * 1e-9)
    confidence, weight = atlas.signal_confidence(
        photons, shots=shots, background_per_metre=per_metre, bottom=-15.0, top=15.0
    )
    signal = photons.origin == 1
    assert (confidence[signal] == 4).mean() > 0.97
    far = np.abs(photons.height) > 3.0
    assert (confidence[far & (photons.origin == 0)] >= 3).mean() < 0.002
    assert np.median(weight[signal]) > np.median(weight[far])


def test_finder_finds_nothing_in_noise():
    shots = 4000
    photons = flat(shots, rate=0.0, background=6e6)
    per_metre = np.full(shots, 6e6 / atlas.METRES_PER_NS * 1e-9)
    confidence, _ = atlas.signal_confidence(
        photons, shots=shots, background_per_metre=per_metre, bottom=-15.0, top=15.0
    )
    assert (confidence >= 3).mean() < 0.005


def test_cloud_is_between_nothing_and_clear_and_common_to_pairs():
    x = np.arange(0.0, 400e3, 50.0)

    def draw(shared: int, own: int) -> np.ndarray:
        return atlas.cloud_transmission(x, shared=np.random.default_rng(shared), own=np.random.default_rng(own))

    clouds = [draw(5, own) for own in (1, 2)]
    assert all(np.corrcoef(c[:-2], c[2:])[0, 1] > 0.95 for c in clouds)  # over 100 m, a quarter of the finest scale
    assert np.corrcoef(*clouds)[0, 1] > 0.5
    means = [draw(s, 1).mean() for s in range(20)]
    assert np.std(means) > 0.02  # granules differ
    skies = [draw(s, 1) for s in range(20)]
    assert min(s.min() for s in skies) < np.exp(-2.0 * 3.0) < 0.9 < max(s.max() for s in skies)  # too thick; clear


def test_published_numbers():
    """Magruder et al. (2020): a footprint of 11 m; Neumann et al. (2019): 10 kHz at 7 km/s, 16 and 4 channels, a
    quarter of the energy in weak beams; ATL07's control values: gain 0.82 of spot 3; Lu et al. (2021): echoes 0.45, 2.3
    and 4.2 m below a bright surface; half the speed of light."""
    assert (pytest.approx(0.149896229), 2.75) == (atlas.METRES_PER_NS, atlas.FOOTPRINT_SIGMA)
    assert atlas.SHOT_SPACING == 0.7 and atlas.CHANNELS == {True: 16, False: 4} and atlas.WEAK_SHARE == 0.25
    assert atlas.SPOT_GAIN == {1: 1.0, 2: 1.0, 3: 0.82, 4: 1.0, 5: 1.0, 6: 1.0}
    assert atlas.ECHOES == (0.45, 2.3, 4.2) and atlas.MEAN_DEAD_TIME == {True: 2.98, False: 3.06}
