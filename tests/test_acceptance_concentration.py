"""The shipped network of concentration on a real Sentinel-1 scene: a look whether it makes sense, no skill.

The scene (3 May 2022, Belgica Bank) is backscatter and angle as arrays in cells of about 600 m; nobody measured what is
ice in it. Only what no one doubts is tested: closed bright pack and the darkest parts of the polynyas.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from polynya.predict import halo
from polynya.predict import scenes as predict_scenes

from .real_files import sar


@pytest.fixture(scope="module")
def mapped():
    with np.load(sar("s1_ew_20220503_west.npz"), allow_pickle=False) as held:
        hh, hv, angle = (held[k].astype(np.float32) for k in ("hh_db", "hv_db", "inc_deg"))
        seen = (held["valid"] > 0) & (held["landmask"] == 1) & np.isfinite(hh) & np.isfinite(hv)
    planes = np.stack([np.clip(hh, -35.0, 5.0), np.clip(hv, -45.0, 0.0), angle])
    planes[:, ~seen] = np.nan
    network = predict_scenes.load("concentration")
    out = halo.whole(network, lambda r, c: planes[:, r, c], shape=hh.shape, needs=("hh", "hv"))
    found = halo.uncertain(network, out, name="concentration")
    share = np.maximum(uniform_filter(seen * 1.0, 7), 0.5)
    smooth = [uniform_filter(np.where(seen, p, 0.0), 7) / share for p in planes]
    inside = uniform_filter(seen * 1.0, 7) > 0.99
    bright = inside & (smooth[0] > -12.0) & (smooth[1] > -23.0)
    dark = inside & (smooth[0] < -20.0) & (smooth[1] < -34.0)
    return found, bright, dark, seen


def test_pack_is_ice_and_dark_polynyas_are_water(mapped):
    found, bright, dark, seen = mapped
    assert bright.sum() > 50_000 and dark.sum() > 1000
    assert np.median(found.value[bright]) > 0.9 and np.median(found.value[dark]) < 0.15
    np.testing.assert_array_equal(np.isfinite(found.value), seen)


def test_no_bands_run_along_the_swath(mapped):
    """Means of the pack over strips of 25 columns, which follow the sub-swaths, stay within 0.2 of each other."""
    found, bright, _, _ = mapped
    strips = [slice(k, k + 25) for k in range(0, found.value.shape[1], 25)]
    means = [found.value[:, s][bright[:, s]].mean() for s in strips if bright[:, s].sum() > 500]
    assert len(means) > 8 and max(means) - min(means) < 0.2


def test_the_uncertainty_is_larger_between_pack_and_water(mapped):
    """Young ice and rims, neither bright nor dark, are what the network knows least of."""
    found, bright, dark, seen = mapped
    other = seen & ~bright & ~dark
    assert found.spread[other].mean() > found.spread[bright].mean()
