"""The shipped network of tags on pictures without a level: simulated quick-looks, the five real ones. Smoke tests: so
few images show that the code works, not how good the network is."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.predict import images as predict_images
from polynya.predict import runtime as predict_runtime
from polynya.readers import wv_quicklooks
from polynya.schema.imagettes import GREY, TAGS, Imagette
from polynya.simulate.wave_mode.imagette import draw_imagette
from tests.real_files import sar

NAME = "tags"
SEA_ICE = TAGS.index("sea_ice")
OTHERS = ("POW", "WS", "MCC", "RC", "BS", "LWA", "AF", "OF", "IB")
SEED = 40_000
"""Seeds of these images are those of no training."""

pytestmark = pytest.mark.skipif(not predict_runtime.is_shipped(NAME), reason="no network of tags is shipped")


def quicklook(seed: int, tags: tuple[str, ...]) -> Imagette:
    """Return a simulated imagette as a quick-look shows it: stretched, 8 bit, nothing known of its level."""
    drawn = draw_imagette([SEED, seed], tags=tags)
    low, high = np.nanpercentile(drawn.roughness, (1.0, 99.0))
    grey = np.round(255.0 * np.clip((drawn.roughness - low) / (high - low), 0.0, 1.0))
    return Imagette(
        name=f"simulated_{seed}",
        source="simulated",
        product="simulated",
        picture=np.nan_to_num(grey).astype(np.float32),
        quantity=GREY,
        azimuth_pixel_m=50.0,
        range_pixel_m=50.0,
        mask=drawn.mask,
        beam=drawn.beam,
    )


@pytest.fixture(scope="module")
def network():
    return predict_images.load(NAME, runtime="onnxruntime")


def test_sea_ice_without_a_level_is_ranked_before_everything_else(network):
    images = [quicklook(k, (tag,)) for k, tag in enumerate(OTHERS)]
    ice = [quicklook(100 + k, ("SI",)) for k in range(4)]
    found = predict_images.predict(network, [*images, *ice]).probability[:, SEA_ICE]
    assert found[len(images) :].min() > found[: len(images)].max()


@pytest.mark.real
def test_no_real_quicklook_without_sea_ice_is_ranked_before_simulated_ice(network):
    real = list(wv_quicklooks.read(sar("wv_quicklooks")))
    assert not any("SI" in i.labels for i in real)
    ice = [quicklook(200 + k, ("SI",)) for k in range(4)]
    found = predict_images.predict(network, [*real, *ice])
    assert found.probability[len(real) :, SEA_ICE].min() > found.probability[: len(real), SEA_ICE].max()
    assert not found.tags[: len(real), SEA_ICE].any()
