"""Freeboard's uncertainty where ice and water carry one error: against draws of such errors."""

import numpy as np
import pytest

from polynya.physics.local_sea_surface import freeboard_uncertainty


@pytest.mark.parametrize(("own", "level"), [(0.03, 0.012), (0.06, 0.02), (0.012, 0.05)])
def test_it_is_the_spread_of_a_difference_that_shares_an_error(own, level):
    rng = np.random.default_rng(4)
    common = 0.010 * rng.standard_normal(400_000)
    ice, water = common + own * rng.standard_normal(common.size), common + level * rng.standard_normal(common.size)
    found = freeboard_uncertainty(np.array([np.hypot(own, 0.010)]), np.array([np.hypot(level, 0.010)]))
    assert found[0] == pytest.approx(np.std(ice - water), rel=0.01)


def test_nothing_shared_is_the_plain_sum_and_nan_stays():
    np.testing.assert_allclose(
        freeboard_uncertainty(np.array([0.03, np.nan]), np.array([0.04, 0.01]), common_m=0.0), [0.05, np.nan]
    )
