"""Networks of whole images: sizes as published, names as torchvision has them, weights by path without running them."""

from __future__ import annotations

import pickle

import pytest

torch = pytest.importorskip("torch")

from polynya import models  # noqa: E402
from polynya.errors import ProductError  # noqa: E402
from polynya.models import inception_v3, linear_head, wave_cnn  # noqa: E402


def size(network):
    return sum(p.numel() for p in network.parameters())


@pytest.fixture(scope="module")
def inception():
    torch.manual_seed(0)
    return inception_v3.build(inception_v3.Config()).eval()


@pytest.mark.parametrize(
    ("classes", "has_auxiliary", "expected"),
    [(10, False, 21_806_058), (10, True, 24_371_444), (1000, False, 23_834_568), (1000, True, 27_161_264)],
)
def test_inception_has_the_published_parameters(classes, has_auxiliary, expected):
    network = inception_v3.build(inception_v3.Config(classes=classes, has_auxiliary=has_auxiliary))
    assert size(network) == expected
    assert size(network.stem) + size(network.mixed) == 21_785_568


def test_inception_shapes(inception):
    with torch.no_grad():
        features, half_way = inception.features(torch.rand(1, 1, 299, 299))
        assert features.shape == (1, 2048) and half_way.shape == (1, 768, 17, 17)
        assert inception(torch.rand(2, 1, 139, 150)).shape == (2, 10)


def test_one_band_is_three_equal_ones(inception):
    colour = inception_v3.build(inception_v3.Config(bands=3)).eval()
    colour.load_state_dict(inception.state_dict())
    x = torch.rand(1, 1, 139, 139)
    with torch.no_grad():
        torch.testing.assert_close(inception(x), colour(x.repeat(1, 3, 1, 1)))


def test_auxiliary_and_scalars():
    network = inception_v3.build(inception_v3.Config(has_auxiliary=True, scalars=3)).eval()
    with torch.no_grad():
        logits, other = network.forward_with_auxiliary(torch.rand(2, 1, 299, 299), torch.rand(2, 3))
    assert logits.shape == other.shape == (2, 10) and size(network.head) == 10 * (2048 + 3) + 10


TORCHVISION = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_4a_3x3.bn.running_mean": (192,),
    "Mixed_5b.branch1x1.conv.weight": (64, 192, 1, 1),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5c.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
    "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6a.branch3x3dbl_2.conv.weight": (96, 64, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
    "Mixed_7a.branch3x3_2.conv.weight": (320, 192, 3, 3),
    "Mixed_7a.branch7x7x3_3.conv.weight": (192, 192, 7, 1),
    "Mixed_7b.branch3x3_2a.conv.weight": (384, 384, 1, 3),
    "Mixed_7c.branch3x3_2b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch3x3dbl_3b.bn.weight": (384,),
    "fc.weight": (10, 2048),
}
"""Names and shapes of torchvision's network, from its documentation of the architecture."""


@pytest.mark.parametrize("name", TORCHVISION)
def test_names_of_torchvision_have_their_place(inception, name):
    own = inception.state_dict()
    key = inception_v3.key_of(name)
    assert key in own and key != name and tuple(own[key].shape) == TORCHVISION[name]


@pytest.mark.parametrize(
    "name", ["Mixed_5b.other.conv.weight", "Mixed_9z.branch1x1.conv.weight", "layer1.weight", "fc"]
)
def test_other_names_are_left(name):
    assert inception_v3.key_of(name) == name


def test_weights_by_path(inception, tmp_path):
    from safetensors.torch import save_file

    state = {k: v.contiguous() for k, v in inception.state_dict().items()}
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pth")
    x = torch.rand(1, 1, 139, 139)
    for name in ("a.safetensors", "a.pth"):
        other = inception_v3.build(inception_v3.Config()).eval()
        assert inception_v3.load_weights(other, tmp_path / name) == ()
        with torch.no_grad():
            torch.testing.assert_close(inception(x), other(x))
    few = inception_v3.build(inception_v3.Config(classes=3))
    assert inception_v3.load_weights(few, tmp_path / "a.pth") == ("head.weight", "head.bias")
    torch.testing.assert_close(few.stem[0].conv.weight, inception.stem[0].conv.weight)


class Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_in_a_file_is_run(inception, tmp_path):
    path, mark = tmp_path / "bad.pth", tmp_path / "mark"
    path.write_bytes(pickle.dumps({"fc.weight": Runs(mark)}))
    with pytest.raises(ProductError, match="cannot be read as weights"):
        inception_v3.load_weights(inception, path)
    torch.save({"fc.weight": Runs(mark)}, path)
    with pytest.raises(ProductError, match="cannot be read as weights"):
        inception_v3.load_weights(inception, path)
    assert not mark.exists()


def test_wrong_weights_are_one_line(inception, tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"layer.weight": torch.ones(3)}, path)
    with pytest.raises(ProductError, match=r"tensors of Inception-v3 are missing .*Give weights") as error:
        inception_v3.load_weights(inception, path)
    assert "\n" not in str(error.value)
    torch.save([1, 2], path)
    with pytest.raises(ProductError, match="holds no table of tensors"):
        inception_v3.load_weights(inception, path)
    (tmp_path / "a.safetensors").write_bytes(b"1234")
    with pytest.raises(ProductError, match="cannot be read as weights"):
        inception_v3.load_weights(inception, tmp_path / "a.safetensors")
    with pytest.raises(ProductError, match="no such file"):
        inception_v3.load_weights(inception, tmp_path / "none.pth")


def arithmetic(config):
    """Weights of the small network: 3 x 3 convolutions without bias, two numbers per channel of a batch norm."""
    total, before = 0, 16 * config.bands
    for after in config.widths:
        for _ in range(config.depth):
            total += 9 * before * after + 2 * after
            before = after
    pooled = 2 * config.widths[-1] + config.scalars
    return total + pooled * config.hidden + config.hidden + config.hidden * config.classes + config.classes


@pytest.mark.parametrize(
    "given", [{}, {"scalars": 12}, {"depth": 3, "bands": 2}, {"step": 2, "widths": (32, 64, 128, 256)}]
)
def test_small_network_is_small(given):
    config = wave_cnn.Config(**given)
    found = size(wave_cnn.build(config))
    assert found == arithmetic(config) and found <= 1_600_000


def test_small_network_takes_any_size_and_scalars():
    network = wave_cnn.build(wave_cnn.Config(scalars=4)).eval()
    with torch.no_grad():
        for shape in ((400, 400), (97, 130), (489, 559)):
            assert network(torch.rand(2, 1, *shape), torch.rand(2, 4)).shape == (2, 10)
        x = torch.rand(1, 1, 64, 64)
        assert torch.equal(network(x), network(x, torch.zeros(1, 4)))
        assert not torch.equal(network(x), network(x, torch.ones(1, 4)))


@pytest.mark.parametrize("step", [1, 2])
def test_space_to_depth_loses_no_pixel(step):
    """Every pixel has a part in the logits."""
    torch.manual_seed(0)
    network = wave_cnn.build(wave_cnn.Config(widths=(8, 8), step=step, hidden=8)).eval()
    x = torch.rand(1, 1, 32, 32, requires_grad=True)
    network(x).sum().backward()
    assert (x.grad != 0).all()


def test_the_first_step_halves_the_grid():
    config = wave_cnn.Config(widths=(8, 8), step=2, hidden=8)
    network = wave_cnn.build(config).eval()
    grids: list[tuple[int, ...]] = []
    for stage in network.stages:
        stage.register_forward_hook(lambda _, __, out: grids.append(tuple(out.shape[2:])))
    with torch.no_grad():
        network(torch.rand(1, 1, 64, 32))
    assert grids == [(8, 4), (4, 2)] and config.stride == 64 // grids[-1][0]


def test_linear_head_is_linear():
    network = linear_head.build(linear_head.Config(features=5, classes=3)).eval()
    x = torch.rand(4, 5)
    with torch.no_grad():
        torch.testing.assert_close(network(x), x @ network.head.weight.T + network.head.bias)
    assert size(network) == 3 * 5 + 3


@pytest.mark.parametrize("name", ["inception_v3", "wave_cnn", "linear_head"])
def test_networks_are_found_by_name_and_give_logits(name):
    module = models.named(name)
    assert module.KIND in ("image", "vector")
    with pytest.raises(ValueError, match="unheard"):
        module.Config(unheard=1)
