"""The U-Net's size by arithmetic, its receptive field by perturbation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from polynya.models import unet_grey  # noqa: E402


def parameters(bands, widths, classes):
    """Weights and biases of a U-Net with two 3 x 3 convolutions a level and 2 x 2 transposed ones."""
    two = lambda before, after: 9 * before * after + after + 9 * after * after + after  # noqa: E731
    down = sum(two(b, a) for b, a in zip((bands, *widths), widths, strict=False))
    up = sum(4 * 2 * w * w + w + two(2 * w, w) for w in widths[:-1])
    return down + up + widths[0] * classes + classes


def test_published_channels_and_their_parameter_count():
    config = unet_grey.Config()
    assert config.channels == (16, 32, 64, 128, 256, 512)
    found = sum(p.numel() for p in unet_grey.build(config).parameters())
    assert found == parameters(1, config.channels, 3)


def test_256_tiles_to_logits():
    net = unet_grey.build(unet_grey.Config()).eval()
    with torch.no_grad():
        out = net(torch.rand(1, 1, 256, 256))
    assert out.shape == (1, 3, 256, 256) and torch.isfinite(out).all()


@pytest.mark.parametrize("channels", [(2, 3), (2, 3, 4), (1, 1, 2, 2)])
def test_receptive_field_lies_within_the_halo(channels):
    torch.manual_seed(0)
    config = unet_grey.Config(channels=channels, dropout=(0.0,) * len(channels))
    net = unet_grey.build(config).double().eval()
    for p in net.parameters():
        torch.nn.init.uniform_(p, 0.01, 0.2)  # all positive: no path is lost in a ReLU
    size = (2 * config.halo // config.stride + 5) * config.stride
    x = torch.rand(1, 1, size, size, dtype=torch.double, requires_grad=True)
    reach = 0
    for place in (size // 2, size // 2 + config.stride - 1):  # first and last pixel of a coarsest cell
        (grad,) = torch.autograd.grad(net(x)[0, :, place, place].sum(), x)
        rows = torch.nonzero(grad[0, 0].abs().sum(dim=1)).flatten()
        reach = max(reach, place - int(rows.min()), int(rows.max()) - place)
    # Pooling passes the gradient to one of four pixels only, so up to a stride may stay unseen.
    assert config.halo - 2 * config.stride < reach <= config.halo


def test_wrong_dropout_count():
    with pytest.raises(ValueError, match="dropout has 6 values for 2 levels"):
        unet_grey.build(unet_grey.Config(channels=(2, 3)))
