"""A network over a scene: tiles against one pass over everything, and files that are no such network."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.physics import thin_cloud
from polynya.readers import sentinel2
from polynya.scenes import unet
from polynya.scenes.classes import scene_classes
from tests.readers import safe_tree
from tests.scenes.test_classes import colours

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
SHAPE = (150, 201)


def export(path, net, *, stride, halo, about=True):
    """Write a network as ONNX with free height and width."""
    free = {0: "batch", 2: "h", 3: "w"}
    torch.onnx.export(
        net.eval(),
        (torch.zeros(1, 1, 4 * stride, 4 * stride),),
        path,
        input_names=["grey"],
        output_names=["scores"],
        dynamo=False,
        dynamic_axes={"grey": free, "scores": free},
        opset_version=17,
    )
    if about:
        model = onnx.load(path)
        entry = model.metadata_props.add()
        entry.key, entry.value = "polynya", json.dumps({"stride": stride, "halo": halo})
        onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return sentinel2.open_scene(
        safe_tree.write_safe(tmp_path_factory.mktemp("s"), tci=colours(SHAPE), shape=SHAPE, bands=())
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    from polynya.models import unet_grey

    torch.manual_seed(1)
    config = unet_grey.Config(channels=(4, 6, 8), dropout=(0.0, 0.0, 0.0))
    net = unet_grey.build(config).eval()
    with torch.no_grad():  # untrained, but not one class everywhere
        image = torch.from_numpy(thin_cloud.grey(colours(SHAPE))[:148, :200].astype(np.float32) / 255)[None, None]
        net.head.weight *= 300
        net.head.bias -= net(image).mean(dim=(0, 2, 3))
    path = export(tmp_path_factory.mktemp("n") / "net.onnx", net, stride=config.stride, halo=config.halo)
    return path, net, config


def test_tiles_leave_no_seam(scene, network, monkeypatch):
    path, net, config = network
    rgb = colours(SHAPE)
    grey = torch.from_numpy(thin_cloud.grey(rgb).astype(np.float32) / 255)[None, None]
    padded = torch.nn.functional.pad(
        grey, (0, -SHAPE[1] % config.stride, 0, -SHAPE[0] % config.stride), mode="replicate"
    )
    with torch.no_grad():
        whole = net.eval()(padded)[0, :, : SHAPE[0], : SHAPE[1]].numpy()
    margin = np.sort(whole, axis=0)
    sure = margin[-1] - margin[-2] > 1e-4  # a tie may fall either way
    assert sure.mean() > 0.99
    expected = whole.argmax(axis=0)
    expected[rgb.max(axis=2) == 0] = -1
    for tile in (32, 64, 1024):
        monkeypatch.setattr(unet, "TILE", tile)
        found = scene_classes(scene, method="unet", weights=path)
        np.testing.assert_array_equal(found.classes[sure], expected[sure])
        part = scene_classes(scene, method="unet", weights=path, window=((33, 97), (10, 140)))
        np.testing.assert_array_equal(part.classes, found.classes[33:97, 10:140])
    assert len(np.unique(expected)) > 2


def test_with_less_halo_there_would_be_seams(scene, network, monkeypatch, tmp_path):
    path, net, config = network
    monkeypatch.setattr(unet, "TILE", 32)
    whole = unet.scores(thin_cloud.grey(colours(SHAPE)), unet.open_network(path))
    short = unet.open_network(export(tmp_path / "short.onnx", net, stride=config.stride, halo=config.stride))
    around = thin_cloud.grey(colours(SHAPE))[64 - 4 : 96 + 4, 64 - 4 : 96 + 4]
    assert np.abs(unet.scores(around, short)[:, 4:-4, 4:-4] - whole[:, 64:96, 64:96]).max() > 1e-4
    enough = thin_cloud.grey(colours(SHAPE))[64 - config.halo : 96 + config.halo, 64 - config.halo : 96 + config.halo]
    k = config.halo
    assert np.abs(unet.scores(enough, short)[:, k : k + 32, k : k + 32] - whole[:, 64:96, 64:96]).max() < 1e-5


def test_a_file_that_says_nothing_is_taken_for_the_published_network(network, tmp_path):
    from polynya.models import unet_grey

    _, net, config = network
    found = unet.open_network(export(tmp_path / "plain.onnx", net, stride=config.stride, halo=0, about=False))
    assert (found.stride, found.halo) == (unet_grey.Config().stride, unet_grey.Config().halo)


def test_files_that_are_no_such_network(network, tmp_path):
    with pytest.raises(ProductError, match="no such file"):
        unet.open_network(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("weights")
    with pytest.raises(ProductError, match=r"text\.onnx: is no ONNX file, or is cut"):
        unet.open_network(tmp_path / "text.onnx")
    odd = export(tmp_path / "odd.onnx", torch.nn.Conv2d(1, 4, 1), stride=4, halo=8)
    with pytest.raises(
        ProductError, match=r"odd\.onnx: takes .* expected \(batch, 1, h, w\) grey of 0 to 1 and \(batch, 3, h, w\)"
    ):
        unet.open_network(odd)
    skew = export(tmp_path / "skew.onnx", network[1], stride=4, halo=10)
    with pytest.raises(ProductError, match="says stride 4 and halo 10"):
        unet.open_network(skew)
