"""GDGT: published sizes, Haar's wavelet, the guided filter, windows that are filled up, and any height and width."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polynya.models import gdgt  # noqa: E402


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


def make(**more):
    torch.manual_seed(0)
    config = gdgt.Config(**{"sensors": {"optical": 3}, "classes": 6, **more})
    return gdgt.build(config)


SMALL = {"widths": (16, 32, 64, 128), "decoder": 32, "has_pool": False}


def test_published_sizes():
    """The encoder is ResNet-18 without its classifier; of the decoder 1,557,172 parameters are published."""
    network = make()
    encoder = count(network.encoder)
    assert encoder == 11_176_512
    assert count(network) - encoder == pytest.approx(1_557_172, rel=0.02)


def test_parts_whose_sizes_are_published():
    network = make()
    assert (count(network.narrow), count(network.head), count(network.second)) == (32_896, 37_376, 37_376)
    for part, published in zip(network.blocks, (270_458,) * 3, strict=True):
        assert count(part) == pytest.approx(published, rel=0.03)
    for part, published in zip(network.ups, (82_690, 74_498), strict=True):
        assert count(part) == pytest.approx(published, rel=0.03)
    assert count(network.refine) == pytest.approx(480_962, rel=0.05)


def test_the_small_one_is_small():
    assert count(make(**SMALL, sensors={"optical": 4})) <= 1_200_000


def test_haar_of_a_block_and_back():
    a, b, c, d = 3.0, -1.0, 0.5, 7.0
    found = gdgt.haar(torch.tensor([[[[a, b], [c, d]]]])).flatten().tolist()
    expected = [(a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]
    assert found == pytest.approx(expected)
    x = torch.randn(2, 3, 10, 14, generator=torch.Generator().manual_seed(1))
    parts = gdgt.haar(x)
    assert parts.shape == (2, 12, 5, 7)
    assert torch.allclose(gdgt.from_haar(parts), x, atol=1e-6)
    assert float((parts**2).sum()) == pytest.approx(float((x**2).sum()), rel=1e-5)  # orthonormal


def test_guided_filter_keeps_its_guide_and_constants():
    x = torch.rand(1, 2, 20, 24, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(gdgt.guided(x, x, epsilon=1e-9), x, atol=1e-3)
    assert torch.allclose(gdgt.guided(x, torch.full_like(x, 0.3)), torch.full_like(x, 0.3), atol=1e-5)
    flat = torch.full_like(x, 0.7)  # a guide without detail leaves means of means
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    five = gdgt.box_mean(gdgt.box_mean(x))
    assert torch.allclose(gdgt.guided(flat, x)[inside], five[inside], atol=1e-4)


def plain_attention(module, x):
    """Attention of one whole window, pixel by pixel, and the means after it."""
    words = module.words(x)[0].numpy()
    channels, side = x.shape[1], gdgt.WINDOW
    d = channels // module.heads
    query, key, value = (words[k * channels : (k + 1) * channels] for k in range(3))
    found = np.zeros((channels, side, side))
    for h in range(module.heads):
        own = slice(h * d, (h + 1) * d)
        for y in range(side):
            for c in range(side):
                looks = np.empty((side, side))
                for i in range(side):
                    for j in range(side):
                        place = (y - i + side - 1) * (2 * side - 1) + c - j + side - 1
                        looks[i, j] = query[own, y, c] @ key[own, i, j] / np.sqrt(d) + float(module.positions[place, h])
                weights = np.exp(looks - looks.max())
                found[own, y, c] = (value[own] * (weights / weights.sum())).sum(axis=(1, 2))
    wide = np.pad(found, ((0, 0), (3, 4), (3, 4)), mode="edge")
    rows = np.stack([wide[:, k : k + side, 3:-4] for k in range(side)]).mean(axis=0)
    columns = np.stack([wide[:, 3:-4, k : k + side] for k in range(side)]).mean(axis=0)
    return rows + columns


def test_attention_of_a_window_as_the_formula_says():
    torch.manual_seed(3)
    module = gdgt.Attention(4, 2)
    torch.nn.init.normal_(module.positions)
    x = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        np.testing.assert_allclose(module(x)[0].numpy(), plain_attention(module, x), atol=1e-5)


def test_pixels_that_fill_up_a_window_are_not_looked_at():
    """A window alone, and the same pixels in a field that its windows overlap: equal but for what the means reach."""
    torch.manual_seed(4)
    module = gdgt.Attention(4, 2)
    x = torch.randn(1, 4, 5, 6)
    with torch.no_grad():
        seen = module(x)
        filled = torch.cat([x, torch.randn(1, 4, 5, 2)], dim=3)
        assert seen.shape == x.shape and not torch.allclose(seen, module(filled)[..., :6])
        # all pixels alike: whatever the weights, the answer is their value, if none of the fill takes part
        flat = torch.ones(1, 4, 5, 6)
        value = module.words(flat)[:, 8:]
        assert torch.allclose(module(flat), 2 * value, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (77, 101), (65, 250)])
def test_any_height_and_width(shape):
    for more in ({}, SMALL):
        network = make(**more).eval()
        with torch.no_grad():
            found = network(torch.rand(1, 4, *shape))
        assert found.shape == (1, 6, *shape) and torch.isfinite(found).all()


def test_oriented_filters_see_their_own_direction_most():
    bank = gdgt.gabor(1)
    assert torch.allclose(bank.sum(dim=(1, 2)), torch.zeros(4), atol=1e-6)
    stripes = [torch.tensor([[-1.0, 2.0, -1.0]] * 3), torch.tensor([[-1.0, 2.0, -1.0]] * 3).T]
    answers = [[float((f * s).sum()) for f in bank] for s in stripes]
    assert np.argmax(answers[0]) == 0 and np.argmax(answers[1]) == 2
