"""The rule on tracks whose kinds are obvious, and what must hold on any track."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.physics import surface_type, tracks
from polynya.physics.surface_type import evidence as nasa
from polynya.schema import OPEN_WATER, THICK_ICE, THIN_ICE, UNCLASSIFIED

PULSE = 0.10
STRETCHES = {
    # photons per shot, sd of the surface in the footprint (m), height above the water (m), background relative to ice
    "ice": (8.0, 0.06, 0.35, 1.0),
    "specular": (16.0, 0.01, 0.0, 0.7),
    "dark": (1.2, 0.02, 0.0, 0.65),
    "grey": (4.0, 0.03, 0.05, 0.8),
    "cloud": (0.2, 0.05, 0.30, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Track:
    """Inputs of gather, and where each stretch lies."""

    inputs: dict
    where: np.ndarray
    starts: np.ndarray


def scene(stretches, *, seed=0, is_strong=True, day=False, gaps=(), gain=1.0, level=-0.1) -> Track:
    """Segments of 2 m with three shots each: (kind, metres) one after the other; ``gaps`` are added before the stretch
    of that number."""
    rng = np.random.default_rng(seed)
    x, where, at = [], [], 0.0
    for number, (kind, metres) in enumerate(stretches):
        at += dict(gaps).get(number, 0.0)
        n = int(metres / 2)
        x.append(at + 1.0 + 2.0 * np.arange(n))
        where += [kind] * n
        at += metres
    x, where = np.concatenate(x), np.array(where)
    rate, rough, above, dark = np.array([STRETCHES[k] for k in where]).T
    rate = rate * gain * (1.0 if is_strong else 0.25)
    shots = np.full(x.size, 3)
    n = np.maximum(rng.poisson(rate * shots), 1)
    sd = np.hypot(PULSE, rough)
    height = level + above + sd / np.sqrt(n) * rng.standard_normal(x.size) + (where == "ice") * 0.04 * np.sin(x / 90.0)
    got = sd * np.sqrt(rng.chisquare(np.maximum(n - 1, 1)) / np.maximum(n, 1)) * (n > 1)
    starts = tracks.pieces(x, gap_m=20.0)
    inputs = {
        "height_uncertainty": np.sqrt(sd**2 / n + 0.012**2),
        "n_photons": n,
        "height_sd": got,
        "spread": sd,
        "rate": tracks.running_mean(x, n / 3.0, shots.astype(float), starts, 5.0)[0],
        "n_shots": shots,
        "background_rate": 5e6 * dark if day else np.full(x.size, 3e4),
        "solar_elevation": np.full(x.size, 20.0 if day else -10.0),
        "is_strong": is_strong,
        "starts": starts,
    }
    return Track({"x": x, "height": height, **inputs}, where, starts)


def gathered(track: Track, **changed):
    values = {**track.inputs, **changed}
    is_strong, spot = values.pop("is_strong"), values.pop("spot", 0)
    return surface_type.gather(surface_type.Observations(**values), is_strong=is_strong, spot=spot)


def inner(track: Track, kind: str, edge: float = 8.0) -> np.ndarray:
    """Segments of a kind, further than half a footprint and a bit from where it ends."""
    x, ends = track.inputs["x"], np.flatnonzero(track.where[1:] != track.where[:-1])
    borders = 0.5 * (track.inputs["x"][ends] + track.inputs["x"][ends + 1])
    away = np.min(np.abs(x[:, None] - borders[None, :]), axis=1, initial=np.inf)
    return (track.where == kind) & (away > edge)


MIXED = [
    ("ice", 3000),
    ("specular", 120),
    ("ice", 2500),
    ("dark", 160),
    ("ice", 3000),
    ("grey", 200),
    ("ice", 2000),
    ("specular", 60),
    ("ice", 3000),
]


@pytest.mark.parametrize("is_strong", [True, False])
@pytest.mark.parametrize("day", [False, True])
def test_obvious_surfaces(is_strong, day):
    pooled = {k: [] for k in ("ice", "specular", "dark", "grey")}
    for seed in range(3):
        track = scene(MIXED, seed=seed, is_strong=is_strong, day=day)
        types = surface_type.classify(gathered(track))
        expected = {"ice": THICK_ICE, "specular": OPEN_WATER, "dark": OPEN_WATER, "grey": THIN_ICE}
        for kind in pooled:
            pooled[kind].append(np.mean(types.surface_class[inner(track, kind)] == expected[kind]))
    least = {"ice": 0.98, "specular": 0.9, "dark": 0.7, "grey": 0.7} if is_strong else {"ice": 0.97, "specular": 0.8}
    for kind, share in least.items():
        assert np.mean(pooled[kind]) >= share, (kind, pooled)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), day=st.booleans(), is_strong=st.booleans())
def test_scores_add_up_to_one_and_decide_the_class(seed, day, is_strong):
    track = scene(
        [("ice", 300), ("cloud", 60), ("specular", 40), ("ice", 100), ("grey", 80), ("dark", 60)],
        seed=seed,
        day=day,
        is_strong=is_strong,
        gaps=((3, 150.0),),
    )
    types = surface_type.classify(gathered(track))
    known = types.surface_class != UNCLASSIFIED
    p = types.probability
    np.testing.assert_allclose(p[known].sum(axis=1), 1.0, atol=1e-5)
    assert np.isnan(p[~known]).all()
    np.testing.assert_array_equal(types.surface_class[known], p[known].argmax(axis=1))
    assert p.dtype == np.float32 and types.surface_class.dtype == np.int8


def test_too_dark_and_missing_heights_are_unclassified():
    track = scene([("ice", 600), ("cloud", 100), ("ice", 600)])
    height = track.inputs["height"].copy()
    height[10:14] = np.nan
    types = surface_type.classify(gathered(track, height=height))
    rate = track.inputs["rate"]
    np.testing.assert_array_equal(types.surface_class == UNCLASSIFIED, (rate < 0.5) | np.isnan(height))
    assert np.mean(types.surface_class[inner(track, "cloud", 10.0)] == UNCLASSIFIED) > 0.9
    assert np.isfinite(types.probability[types.surface_class >= 0]).all()  # the neighbours of a missing height stay


def test_a_weak_beam_counts_four_times():
    track = scene([("ice", 500), ("specular", 60), ("ice", 500)])
    strong = gathered(track)
    weak = gathered(track, is_strong=False, rate=track.inputs["rate"] / 4.0)
    np.testing.assert_allclose(weak.rate, strong.rate)
    np.testing.assert_allclose(weak.bright, strong.bright)
    np.testing.assert_array_equal(weak.is_cloud, strong.is_cloud)


def test_spot_three_is_dimmer():
    """ATL07 divides the rate of spot 3 by 0.82, and of no other spot."""
    track = scene([("ice", 500), ("specular", 60), ("ice", 500)])
    plain = gathered(track)
    np.testing.assert_allclose(gathered(track, spot=3, rate=0.82 * track.inputs["rate"]).bright, plain.bright)
    for spot in (0, 1, 2, 4, 5, 6):
        np.testing.assert_array_equal(gathered(track, spot=spot).bright, plain.bright)


def test_a_bright_background_speaks_against_water_by_day_only():
    track = scene([("ice", 3000), ("specular", 60), ("ice", 2000)], day=True)
    rows = inner(track, "specular")
    sky = track.inputs["background_rate"]
    dark, bright = gathered(track), gathered(track, background_rate=np.full(sky.size, sky.max()))
    p_dark, p_bright = (surface_type.classify(e).probability[rows, OPEN_WATER].astype(float) for e in (dark, bright))
    assert np.all(p_bright <= p_dark + 1e-6)
    unsure = [
        surface_type.classify(dataclasses.replace(e, only_water=0 * e.only_water, counts=np.ones_like(e.counts)))
        .probability[rows, OPEN_WATER]
        .mean()
        for e in (dark, bright)
    ]
    odds = [np.log(p / (1 - p)) for p in unsure]
    assert odds[1] < odds[0] - 1.0  # by more than e where the brightness alone does not settle it
    night = {"solar_elevation": np.full(sky.size, 10.0)}
    np.testing.assert_array_equal(
        surface_type.classify(gathered(track, **night)).probability,
        surface_type.classify(gathered(track, background_rate=0 * sky + 1.0, **night)).probability,
    )


def test_the_chain_starts_afresh_after_a_gap():
    """With the same evidence, what lies on one side of a gap changes nothing on the other, whatever it is."""
    track = scene(
        [("ice", 400), ("specular", 60), ("grey", 40), ("dark", 40), ("ice", 400)], gaps=((3, 21.0 + 2.0),), seed=3
    )
    evidence = gathered(track)
    cut = int(track.starts[1])
    assert track.starts.size == 3
    before = surface_type.classify(evidence)
    names = ("height", "rate", "bright", "height_sd", "not_water", "only_water", "n_photons")
    for here, there in (
        (slice(0, cut), slice(cut, None)),
        (slice(cut, None), slice(0, cut)),
    ):  # neither forwards nor backwards
        other = {name: getattr(evidence, name).copy() for name in names}
        for values in other.values():
            values[there] = np.roll(values[there], 17)
        changed = surface_type.classify(dataclasses.replace(evidence, **other))
        np.testing.assert_array_equal(before.probability[here], changed.probability[here])
        assert not np.array_equal(before.probability[there], changed.probability[there])
    joined = surface_type.classify(dataclasses.replace(evidence, starts=np.array([0, evidence.x.size])))
    assert not np.array_equal(before.probability[:cut], joined.probability[:cut])  # without the gap it would


def test_far_pieces_are_independent_from_photons_to_class():
    """Pieces further apart than the widest window (25 km) do not see each other at all."""
    near = scene(
        [("ice", 600), ("specular", 60), ("ice", 600), ("ice", 400), ("dark", 80)], gaps=((3, 60_000.0),), seed=4
    )
    cut = int(near.starts[1])
    height = near.inputs["height"].copy()
    height[cut:] -= 1.0
    rate = near.inputs["rate"].copy()
    rate[cut:] *= 0.5
    one, two = surface_type.classify(gathered(near)), surface_type.classify(gathered(near, height=height, rate=rate))
    np.testing.assert_array_equal(one.probability[:cut], two.probability[:cut])


def relief(x: np.ndarray, seed: int) -> np.ndarray:
    """Floes of differing height, 100 m to 1 km long, snow drifts on them: a lognormal of 0.15 m about 0.35 m."""
    rng = np.random.default_rng(seed)
    waves = sum(
        np.sin(2 * np.pi * x / length + phase)
        for length, phase in zip(rng.uniform(60, 1500, 12), rng.uniform(0, 6.3, 12), strict=True)
    ) / np.sqrt(6.0)
    return 0.35 * np.exp(0.4 * waves) - 0.35


def test_a_track_without_water_has_few_false_leads():
    """Its lowest floes may pass for thin ice, since nothing tells how high they stand; none may pass for water."""
    water = []
    for seed in range(4):
        track = scene([("ice", 12_000)], seed=seed)
        found = surface_type.classify(
            gathered(track, height=track.inputs["height"] + relief(track.inputs["x"], seed))
        ).surface_class
        water.append(np.mean(found == OPEN_WATER))
        assert np.mean(found == THICK_ICE) > 0.6
    assert np.mean(water) < 0.002


def test_level_ice_without_any_water_is_never_called_water():
    """Where 12 km are as flat as water and nothing darker or brighter is near, height says nothing; brightness still
    does."""
    found = surface_type.classify(gathered(scene([("ice", 12_000)], seed=9))).surface_class
    assert np.mean(found == OPEN_WATER) < 0.002


def test_classes_do_not_depend_on_where_zero_is():
    track = scene(MIXED, seed=5)
    low = surface_type.classify(gathered(track))
    high = surface_type.classify(gathered(track, height=track.inputs["height"] + 0.4))
    np.testing.assert_array_equal(low.surface_class, high.surface_class)


def test_a_known_water_level_is_used():
    """Smooth grey ice 0.15 m above the water is thin; told that the water stands right there, much of it is water-like
    or thin, never the other way."""
    track = scene([("ice", 2000), ("dark", 100), ("ice", 2000)], seed=6)
    evidence = gathered(track)
    rows = inner(track, "dark")
    level = np.full(evidence.x.size, -0.1)
    right = surface_type.classify(evidence, water_level=level, water_level_error=np.full(level.size, 0.02))
    wrong = surface_type.classify(evidence, water_level=level - 0.3, water_level_error=np.full(level.size, 0.02))
    assert right.probability[rows, OPEN_WATER].mean() > wrong.probability[rows, OPEN_WATER].mean() + 0.3
    unknown = surface_type.classify(evidence, water_level=np.full(level.size, np.nan))
    np.testing.assert_array_equal(unknown.probability, surface_type.classify(evidence).probability)


def test_first_water_level_finds_the_leads():
    track = scene(MIXED, seed=7, level=0.23)
    evidence = gathered(track)
    assert np.abs(evidence.water_level - 0.23).max() < 0.06


def test_empty_track():
    none = np.empty(0)
    observed = surface_type.Observations(
        x=none,
        height=none,
        height_uncertainty=none,
        n_photons=none,
        height_sd=none,
        spread=none,
        rate=none,
        n_shots=none,
        background_rate=none,
        solar_elevation=none,
        starts=np.zeros(1, np.int64),
    )
    evidence = surface_type.gather(observed, is_strong=True)
    types = surface_type.classify(evidence)
    assert types.surface_class.size == 0 and types.probability.shape == (0, 3)


@pytest.mark.parametrize(
    ("is_strong", "spot", "factor"), [(True, 1, 1.0), (True, 3, 1 / 0.82), (False, 2, 4.0), (False, 0, 4.0)]
)
def test_rates_are_brought_to_those_of_a_strong_beam_of_gain_one(is_strong, spot, factor):
    assert surface_type.strong_equivalent(is_strong=is_strong, spot=spot) == pytest.approx(factor)


def test_a_track_with_nothing_bright_enough_is_unclassified_and_does_not_fail():
    """Where cloud dims a whole beam there is no level to count heights from: no class, and no error."""
    inputs = dict(scene([("ice", 80.0)], gain=0.07).inputs)
    inputs["rate"] = np.full(inputs["x"].size, 0.6)  # above cloud's bound, below what marks a surface
    is_strong = inputs.pop("is_strong")
    evidence = surface_type.gather(surface_type.Observations(**inputs), is_strong=is_strong)
    assert np.isnan(evidence.water_level).all() and (evidence.rate > 0).any()
    types = surface_type.classify(evidence)
    assert (types.surface_class == UNCLASSIFIED).all() and np.isnan(types.probability).all()


def test_published_numbers():
    """NASA's thresholds as real ATL07 granules store them (ATL07/ATL10 ATBD, doi:10.5067/KPMXUOH7TNIY)."""
    assert (nasa.WEAK_RATIO, nasa.GAIN_SPOT3, nasa.DAY_ELEVATION) == (4.0, 0.82, 15.0)
    assert (nasa.CLOUD_RATE, nasa.RATE_SPECULAR) == (0.5, 11.0)
    assert (nasa.WIDTH_SMOOTH, nasa.WIDTH_ROUGH, nasa.POOLED_PHOTONS) == (0.13, 0.17, 150 / 2)
    assert 2.5 < nasa.CLEAR_RATE == 8.0 < 11.0 < nasa.SPECULAR_RATE == 12.0 < 14.0
