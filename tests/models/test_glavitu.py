"""GlaViTU: the published counts part by part, its transformer against torch's own layer, and the rule for missing
sensors."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from polynya.models import glavitu  # noqa: E402

SMALL = {"width": 8, "blocks": 2, "heads": 2, "levels": 2, "tile": 32}


def trainable(network) -> int:
    return sum(p.numel() for p in network.parameters())


def counted(network) -> int:
    """Parameters and the running mean and variance of batch norms, as Keras counts."""
    return sum(v.numel() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked"))


def test_published_parameter_counts():
    network = glavitu.build(glavitu.Config(sensors={"optical": 6, "dem": 2}))
    assert counted(network.fusion) == 96_256
    assert counted(network.tokens) + counted(network.decoder) == 1_838_208
    assert counted(network.unet) == 8_097_344
    auxiliary = trainable(network.auxiliary)  # training only, not counted
    assert auxiliary == 64 * 2 + 2
    assert counted(network) - auxiliary == 10_031_938
    assert trainable(network) - auxiliary == 10_024_386


def test_published_parameter_counts_with_location():
    network = glavitu.build(glavitu.Config(sensors={"optical": 6, "dem": 2}, location=12))
    assert counted(network.location) == 5_504
    assert counted(network) - trainable(network.auxiliary) == 10_037_442
    assert trainable(network) - trainable(network.auxiliary) == 10_029_634


def test_deep_supervision_in_training_only():
    config = glavitu.Config(**SMALL)
    network = glavitu.build(config)
    x = torch.rand(2, 10, 32, 32)
    logits, auxiliary = network.train()(x)
    assert logits.shape == auxiliary.shape == (2, 2, 32, 32)
    assert network.eval()(x).shape == (2, 2, 32, 32)


def test_transformer_block_equals_torch_s_layer():
    torch.manual_seed(0)
    ours = glavitu.Block(12, glavitu.BlockSettings(heads=3, mlp=20, gelu_twice=False))
    theirs = torch.nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    weights = {k: v for k, v in ours.state_dict().items()}
    renamed = {
        "before": "norm1",
        "after": "norm2",
        "project": "self_attn.out_proj",
        "widen": "linear1",
        "narrow": "linear2",
    }
    state = {f"{new}.{end}": weights[f"{old}.{end}"] for old, new in renamed.items() for end in ("weight", "bias")}
    for end in ("weight", "bias"):
        state[f"self_attn.in_proj_{end}"] = torch.cat([weights[f"{part}.{end}"] for part in ("query", "key", "value")])
    theirs.load_state_dict(state)
    tokens = torch.randn(2, 7, 12)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(tokens), theirs.train()(tokens), atol=1e-5, rtol=1e-5)
        plain = ours(tokens)
        ours.gelu_twice = True
        assert not torch.allclose(ours(tokens), plain)


def test_upsampling_puts_a_pixel_s_copies_beside_each_other():
    grow = glavitu.Grow(1, 1).eval()
    with torch.no_grad():
        grow.convolve.weight.copy_(torch.tensor([[[[1.0, 10.0], [100.0, 1000.0]]]]))
        out = grow(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))[0, 0]
    # Nearest: rows 1 1 2 2 / 1 1 2 2 / 3 3 4 4 / 3 3 4 4; a 2 x 2 kernel reaches right and down, zero beyond.
    assert out[0].tolist() == pytest.approx([1111.0, 2121.0, 2222.0, 202.0], rel=1e-4)  # eps of the norm
    assert out[3].tolist() == pytest.approx([33.0, 43.0, 44.0, 4.0], rel=1e-4)


def test_positions_are_for_the_tile_and_interpolated_elsewhere():
    torch.manual_seed(0)
    tokens = glavitu.Tokens(1, 2, tile=32, patch=16, blocks=1, settings=glavitu.BlockSettings(heads=1, mlp=4)).eval()
    with torch.no_grad():
        tokens.positions.zero_()
        x = torch.ones(1, 1, 64, 32)
        out = tokens(x)
        assert out.shape == (1, 2, 4, 2)
        assert torch.allclose(
            out, out[:, :, :1, :1].expand_as(out), atol=1e-6
        )  # equal patches without positions are equal
        tokens.positions[:, :, 1] = 1.0
        assert not torch.allclose(tokens(x), out)


def branches(sensors, *, seed=0):
    torch.manual_seed(seed)
    return glavitu.Fusion(sensors, 6)


@pytest.mark.parametrize("training", [False, True])
def test_without_a_sensor_it_is_the_network_without_its_branch(training):
    """Bitwise, in evaluation and in training, where batch norms take the statistics of the batch."""
    torch.manual_seed(0)
    three = glavitu.build(glavitu.Config(sensors={"optical": 3, "thermal": 1, "dem": 2}, **SMALL)).train(training)
    two = glavitu.build(glavitu.Config(sensors={"optical": 3, "dem": 2}, **SMALL)).train(training)
    two.load_state_dict({k: v for k, v in three.state_dict().items() if ".thermal." not in k})
    values, presence = torch.rand(2, 6, 32, 32), torch.ones(2, 3, 32, 32)
    presence[:, 1] = 0.0
    presence[1, 2, 8:] = 0.0  # and the DEM ends somewhere
    with torch.no_grad():
        a = three(torch.cat([values, presence], dim=1))
        b = two(torch.cat([values[:, [0, 1, 2, 4, 5]], presence[:, [0, 2]]], dim=1))
    for x, y in zip(a if training else (a,), b if training else (b,), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("training", [False, True])
def test_a_branch_ends_where_its_sensor_ends_as_at_the_edge_of_a_tile(training):
    """Half a tile of a sensor gives there what the half alone gives: convolutions, gate and batch statistics."""
    fusion = branches({"dem": 2}).train(training)
    alone = branches({"dem": 2}).train(training)
    values = torch.rand(3, 2, 16, 16)
    here = torch.zeros(3, 1, 16, 16)
    here[:, :, :, :10] = 1.0
    with torch.no_grad():
        out = fusion(torch.cat([values, here], dim=1))
        expected = alone(torch.cat([values, here], dim=1)[:, :, :, :10])
    assert torch.all(out[:, :, :, 10:] == 0)
    torch.testing.assert_close(out[:, :, :, :10], expected, atol=1e-6, rtol=1e-5)
    for k, v in fusion.state_dict().items():
        torch.testing.assert_close(v, alone.state_dict()[k])


def test_batch_statistics_know_present_pixels_only():
    norm = glavitu.PresentNorm(1, momentum=1.0).train()
    x = torch.tensor([[[[1.0, 3.0], [1000.0, -7.0]]]])
    here = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    out = norm(x, here)
    assert out[0, 0, 0].tolist() == pytest.approx([-1.0, 1.0], abs=1e-4) and torch.all(out[0, 0, 1] == 0)
    assert norm.running_mean.item() == pytest.approx(2.0) and norm.running_var.item() == pytest.approx(
        2.0
    )  # unbiased, as torch keeps it
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    assert torch.isfinite(norm(x, torch.zeros_like(here))).all()
    assert norm.running_mean.equal(before["running_mean"]) and norm.running_var.equal(before["running_var"])


def test_sensors_add_up():
    fusion = branches({"optical": 3, "dem": 2}).eval()
    values, both = torch.rand(1, 5, 8, 8), torch.ones(1, 2, 8, 8)
    with torch.no_grad():
        parts = []
        for k in range(2):
            one = torch.zeros_like(both)
            one[:, k] = 1.0
            parts.append(fusion(torch.cat([values, one], dim=1)))
        whole = fusion(torch.cat([values, both], dim=1))
    torch.testing.assert_close(whole, parts[0] + parts[1])
    assert (parts[0] - parts[1]).abs().max() > 0


def test_location_moves_every_pixel_alike_and_one_sample_trains():
    torch.manual_seed(0)
    block = glavitu.Location(4, 6)
    planes = torch.rand(1, 4, 1, 1).expand(-1, -1, 5, 7)
    assert block.train()(planes).shape == (1, 6, 1, 1)
    wide = torch.rand(1, 4, 1, 1).expand(-1, -1, 9, 3)
    with torch.no_grad():
        torch.testing.assert_close(block.eval()(wide), block(wide[:, :, :2, :2]))
        assert not torch.allclose(block(wide), block(planes))


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no multiple of heads"):
        glavitu.Config(width=30, heads=4)
    with pytest.raises(ValueError, match="no multiple of the stride"):
        glavitu.Config(tile=100)
