"""Area intervals: closed forms for one block and many, and coverage where the errors are drawn with known
correlation."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr, ndtri
from shapely import box

from polynya.errors import UsageError
from polynya.glaciers import intervals as ai

PIXEL = 40.0


def grid(rows: int, columns: int) -> GeoBox:
    return GeoBox((rows, columns), Affine(PIXEL, 0, 500_000.0, 0, -PIXEL, 5_000_000.0 + PIXEL * rows), "EPSG:32632")


def frame(*boxes) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        geometry=[box(500_000 + a, 5_000_000 + b, 500_000 + c, 5_000_000 + d) for a, b, c, d in boxes], crs="EPSG:32632"
    )


def read(p: np.ndarray):
    return lambda rows, columns: p[rows, columns]


def edge(geobox: GeoBox, at_m: float, sigma_m: float) -> np.ndarray:
    """Probability of ice left of a straight margin whose place has a normal error."""
    x = (np.arange(geobox.shape[1]) + 0.5) * PIXEL
    return np.broadcast_to(ndtr((at_m - x) / sigma_m), tuple(geobox.shape))


def test_one_block_gives_the_normal_quantiles():
    """A margin of 3.2 km that moves as a whole by sigma: 95 % of the areas lie within 1.96 sigma times its length."""
    g = grid(80, 80)
    margins = ai.gather(read(edge(g, 1600, 60.0)), outlines=frame((0, 0, 1600, 3200)), geobox=g)
    assert margins.n_blocks == 1 and margins.mapped[0] == pytest.approx(1.6 * 3.2, rel=2e-3)
    found = ai.intervals(margins, np.array([5.12]), n_draws=8000)
    half = 1.96 * 0.060 * 3.2
    assert (found.low[0], found.high[0]) == pytest.approx((5.12 - half, 5.12 + half), abs=0.06 * half)
    assert found.expected[0] == pytest.approx(5.12, abs=0.02) and found.total.n == 1
    assert (found.total.low, found.total.high) == (found.low[0], found.high[0])


@pytest.mark.parametrize(("between", "factor"), [(0.0, 0.5), (1.0, 1.0), (0.5, np.sqrt(0.5 + 0.5 / 4))])
def test_blocks_add_up_with_their_correlation(between, factor):
    """Four blocks along a margin: the sum's spread is a half of, all of, or sqrt(r + (1 - r) / 4) of the fully shared
    one's."""
    g = grid(320, 80)
    margins = ai.gather(
        read(edge(g, 1600, 200.0)), outlines=frame((0, 0, 1600, 12_800)), geobox=g, blocks_at_once=3, reach_m=1000.0
    )
    assert margins.n_blocks == 4
    found = ai.intervals(margins, np.array([20.48]), n_draws=8000, between_blocks=between)
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * 0.200 * 12.8 * factor, rel=0.06)


def test_windows_do_not_matter_and_pixels_go_to_the_nearest():
    g = grid(200, 260)
    rng = np.random.default_rng(0)
    p = gaussian_filter(rng.random((200, 260)), 4)
    p = ndtr((p - p.mean()) / p.std())
    two = frame((400, 400, 3000, 7000), (3600, 400, 9000, 7000))
    a, b = (ai.gather(read(p), outlines=two, geobox=g, blocks_at_once=n) for n in (1, 5))
    ia, ib = (ai.intervals(m, np.array([17.0, 35.0]), n_draws=300) for m in (a, b))
    pairs = [
        {(k, j): s for k, j, s in zip(m.glacier, np.round(m.mapped, 6), m.above[:, 0], strict=True)} for m in (a, b)
    ]
    assert sorted(pairs[0].values()) == pytest.approx(sorted(pairs[1].values()))
    assert a.elsewhere_km2 == pytest.approx(b.elsewhere_km2, rel=1e-5) and ia.total.n == ib.total.n == 9
    reach = np.zeros((200, 260), bool)
    x, y = (np.arange(260) + 0.5) * PIXEL, (200 - np.arange(200) - 0.5) * PIXEL
    for x0, y0, x1, y1 in ((400, 400, 3000, 7000), (3600, 400, 9000, 7000)):
        dx, dy = np.maximum(np.maximum(x0 - x, x - x1), 0)[None], np.maximum(np.maximum(y0 - y, y - y1), 0)[:, None]
        reach |= np.hypot(dx, dy) <= 500 - PIXEL
    whole = (p * PIXEL**2 * 1e-6).sum()
    assert a.elsewhere_km2 < whole - (p[reach] * PIXEL**2 * 1e-6).sum() * 0.99
    assert a.above[:, 0].sum() + (p * 0 + PIXEL**2 * 1e-6)[~reach].sum() > 0.99 * 200 * 260 * PIXEL**2 * 1e-6


def calibrated_scene(
    rng: np.random.Generator, *, correlation_m: float, sigma_m: float = 100.0
) -> tuple[np.ndarray, float]:
    """A margin of 16 km with a normal error correlated over a length: the probabilities say sigma, the truth is one
    draw of the error."""
    g = grid(400, 80)
    if np.isinf(correlation_m):
        shift = np.full(400, rng.standard_normal())
    else:
        shift = gaussian_filter(rng.standard_normal(2000), correlation_m / PIXEL)[800:1200] * np.sqrt(
            2 * np.sqrt(np.pi) * correlation_m / PIXEL
        )
    return edge(g, 1600, sigma_m), float((1600 + sigma_m * shift).sum() * PIXEL * 1e-6)


@pytest.mark.parametrize(
    ("correlation_m", "between", "least", "most"),
    [(200.0, 0.0, 0.97, 1.0), (1200.0, 0.0, 0.90, 1.0), (np.inf, 0.0, 0.4, 0.75), (np.inf, 1.0, 0.90, 0.99)],
)
def test_coverage(correlation_m, between, least, most):
    """Errors shared over less than a block are covered; errors shared by the whole scene are not, unless between_blocks
    says so."""
    rng = np.random.default_rng(7)
    p, _ = calibrated_scene(rng, correlation_m=correlation_m)
    margins = ai.gather(read(p), outlines=frame((0, 0, 1600, 16_000)), geobox=grid(400, 80), reach_m=1000.0)
    found = ai.intervals(margins, np.array([25.6]), between_blocks=between)
    truths = np.array([calibrated_scene(rng, correlation_m=correlation_m)[1] for _ in range(300)])
    assert least <= np.mean((truths >= found.total.low) & (truths <= found.total.high)) <= most


@pytest.mark.parametrize("between", [0.0, 0.6])
def test_the_correlation_between_blocks_is_found(between):
    rng = np.random.default_rng(1)
    scores = [
        ndtr(np.sqrt(between) * rng.standard_normal() + np.sqrt(1 - between) * rng.standard_normal(20))
        for _ in range(150)
    ]
    assert ai.fit_between_blocks(scores) == pytest.approx(between, abs=0.08)
    assert np.isnan(ai.fit_between_blocks(scores[:1]))


def test_block_scores_say_where_the_truth_fell():
    g = grid(160, 80)
    margins = ai.gather(read(edge(g, 1600, 80.0)), outlines=frame((0, 0, 1600, 6400)), geobox=g)
    x = (np.arange(80) + 0.5) * PIXEL
    truth = np.where(
        np.arange(160)[:, None] < 80, x[None] < 1600 + 80 * ndtri(0.8), x[None] < 1600 + 80 * ndtri(0.1)
    ).astype(float)
    known = ai.gather(read(truth), outlines=frame((0, 0, 1600, 6400)), geobox=g)
    np.testing.assert_allclose(
        ai.block_scores(margins, known.above[:, -2]), [0.8, 0.1], atol=0.12
    )  # a pixel is half a sigma here


def test_certain_ice_has_no_interval_and_unseen_ice_stays():
    g = grid(80, 80)
    p = np.where(np.arange(80)[None] < 40, 1.0, 0.0) * np.ones((80, 1))
    p[:20] = np.nan
    margins = ai.gather(read(p), outlines=frame((0, 0, 1600, 3200)), geobox=g)
    found = ai.intervals(margins, np.array([5.12]))
    assert found.high[0] - found.low[0] < 0.01 * 5.12
    none = ai.intervals(ai.gather(read(p), outlines=frame(), geobox=g), np.zeros(0))
    assert none.total.value == 0.0 and none.elsewhere_km2 == pytest.approx(60 * 40 * PIXEL**2 * 1e-6, rel=2e-3)


def test_nonsense_is_refused():
    g = grid(80, 80)
    margins = ai.gather(read(edge(g, 1600, 80.0)), outlines=frame((0, 0, 1600, 3200)), geobox=g)
    with pytest.raises(UsageError, match="expected 0 to 1"):
        ai.draw(margins, between_blocks=1.2)
    with pytest.raises(UsageError, match="2 areas for 1"):
        ai.intervals(margins, np.ones(2))
    with pytest.raises(UsageError, match="larger blocks"):
        ai.gather(read(edge(g, 1600, 80.0)), outlines=frame(), geobox=g, block_m=30.0)


def test_scores_of_blocks_find_the_draw_that_the_truth_is():
    """Where the truth is everything above u, the score of a block is 1 - u; blocks without doubt, and pixels without
    truth, tell nothing."""
    rng = np.random.default_rng(3)
    p, block = rng.uniform(0.0, 1.0, 40_000), np.repeat(np.arange(4), 10_000)
    u = np.array([0.1, 0.5, 0.9, 0.5])[block]
    truth = (p > u).astype(int)
    p[block == 3] = np.where(truth[block == 3] == 1, 1.0 - 1e-5, 1e-5)
    truth[::7] = -1
    found = ai.scores_of_blocks(p, truth, block)
    assert set(found) == {0, 1, 2} and [found[k] for k in range(3)] == pytest.approx([0.9, 0.5, 0.1], abs=0.01)


def test_an_error_that_all_scenes_share_is_found():
    """All blocks of all scenes too large alike: their errors go together though no scene differs from another; with
    drawn totals the truth lies inside."""
    rng = np.random.default_rng(5)
    scenes = [ndtr(1.5 + 0.6 * rng.standard_normal(16)) for _ in range(60)]
    rho = ai.fit_between_blocks(scenes)
    assert rho == pytest.approx(1.5**2 / (1.5**2 + 0.6**2), abs=0.03)
    assert ai.fit_between_blocks([ndtr(rng.standard_normal(16)) for _ in range(60)]) < 0.05


def test_smaller_errors_of_blocks_make_narrower_intervals():
    """One glacier in one block, p uniform over its margin: the area above u is linear in u, and u = Phi(sd z)."""
    above = np.concatenate([[1.0], 1.0 - ai.EDGES[1:]])[None, :]
    margins = ai.Margins(
        glacier=np.zeros(1, np.int64),
        block=np.zeros(1, np.int64),
        above=above,
        mapped=np.array([0.5]),
        n_glaciers=1,
        n_blocks=1,
        elsewhere_km2=0.0,
    )
    for sd in (1.0, 0.5):
        found = ai.intervals(margins, np.array([0.5]), sd=sd, n_draws=20_000)
        assert (found.low[0], found.high[0]) == pytest.approx((ndtr(-1.96 * sd), ndtr(1.96 * sd)), abs=0.01)
    with pytest.raises(UsageError, match="expected a number above 0"):
        ai.draw(margins, sd=0.0)


def test_numbers_of_the_blocks():
    """Errors are correlated within 3.2 km and ice beyond 500 m of every outline belongs to none (docs/glaciers.md)."""
    assert (ai.BLOCK_M, ai.REACH_M) == (3200.0, 500.0)
