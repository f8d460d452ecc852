"""The U-Net of AutoICE: the published numbers of parameters, and how far it sees, counted weight by weight."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polynya import checkpoint, recipes  # noqa: E402
from polynya.families import scenes as family  # noqa: E402
from polynya.models import unet_autoice  # noqa: E402


def parameters(name: str) -> int:
    return sum(p.numel() for p in checkpoint.build(family.network(recipes.load(name))).parameters())


@pytest.mark.parametrize(("recipe", "published"), [("autoice", 491_723), ("mmseaice", 523_024)])
def test_the_baselines_have_the_published_numbers_of_parameters(recipe, published):
    assert parameters(recipe) == published


@pytest.mark.parametrize(("outputs", "published"), [(12 + 7 + 8, 488_699), (2, 488_274)])
def test_hh_hv_and_angle_give_the_published_numbers(outputs, published):
    config = unet_autoice.Config(sensors={"hh": 1, "hv": 1, "incidence": 1}, classes=outputs)
    assert sum(p.numel() for p in unet_autoice.build(config).parameters()) == published


def test_ours_has_three_presence_planes_more():
    assert parameters("concentration") == 488_274 + 3 * 16 * 9 <= 550_000
    assert parameters("concentration-charts") == parameters("concentration")
    assert parameters("concentration-heads") == parameters("concentration") + 17 * (6 + 7) <= 550_000


def reach_of(levels: int) -> int:
    """Count how far an output sees, pixel by pixel of one period: which cells of every level it touches."""
    worst = 0
    for pixel in range(2**levels):
        low = high = 64 * 2**levels + pixel
        for _ in range(levels):
            low, high = low - 2, high + 2  # two convolutions on the way up
            low, high = (low + 1) // 2 - 1, (high - 1) // 2 + 1  # the two coarse cells about a fine one's centre
        low, high = low - 2, high + 2  # the bridge
        for _ in range(levels):
            low, high = 2 * low - 2, 2 * high + 1 + 2  # all pixels that were pooled, two convolutions on the way down
        worst = max(worst, 64 * 2**levels + pixel - low, high - (64 * 2**levels + pixel))
    return worst


@pytest.mark.parametrize(("widths", "halo"), [((16, 32, 64, 64), 128), ((4, 4, 4), 64), ((4,), 10)])
def test_the_halo_is_what_an_output_can_depend_on(widths, halo):
    config = unet_autoice.Config(widths=widths)
    assert config.halo == halo and config.halo % config.stride == 0
    assert config.halo - config.stride < reach_of(len(widths)) <= config.halo


def test_an_output_depends_on_nothing_beyond_its_halo_and_on_much_inside():
    torch.manual_seed(1)
    config = unet_autoice.Config(sensors={"hh": 1}, widths=(4, 6, 6), classes=1)
    network = unet_autoice.build(config).eval().double()
    side = 2 * config.halo + 4 * config.stride
    x = torch.rand(1, 2, side, side, dtype=torch.float64)
    x[:, 1] = 1.0
    x.requires_grad_()
    at = config.halo + config.stride + 3
    network(x)[0, 0, at, at].backward()
    rows = np.flatnonzero((x.grad[0, 0] != 0).any(dim=1).numpy())
    assert at - rows.min() <= config.halo and rows.max() - at <= config.halo
    assert rows.max() - rows.min() > config.halo


def test_an_image_of_one_value_stays_one_value_on_the_way_up():
    """Bilinear steps have weights that sum to one, at the border too."""
    network = unet_autoice.build(unet_autoice.Config())
    same = network.grow(torch.full((1, 3, 5, 7), 0.25))
    assert same.shape == (1, 3, 10, 14) and (same == 0.25).all()
