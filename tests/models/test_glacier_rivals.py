"""The networks that GlaViTU is compared with: published sizes, sizes by arithmetic, and SegFormer against another
implementation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from polynya.models import deeplabv3plus, resunet, segformer, setr, transunet, unet  # noqa: E402

RGB = {"optical": 3}


def on_paper(build, config):
    """Build without memory: only shapes."""
    with torch.device("meta"):
        return build(config)


def trainable(network) -> int:
    return sum(p.numel() for p in network.parameters())


def counted(network) -> int:
    return sum(v.numel() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked"))


def test_resunet_has_the_published_32_6_million():
    assert round(counted(on_paper(resunet.build, resunet.Config())) / 1e6, 1) == 32.6


def test_setr_is_within_a_permille_of_the_published_101_8_million():
    # 101.72: the published fusion or input is not known to the digit. ViT-B/16's blocks are 85,054,464 by arithmetic.
    network = on_paper(setr.build, setr.Config())
    assert abs(counted(network) / 101.8e6 - 1) < 1e-3
    assert (
        trainable(network.tokens.blocks)
        == 12 * (4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768)
        == 85_054_464
    )


@pytest.mark.parametrize(
    ("settings", "published"),
    [({}, 48_275_016), ({"stem": 32, "blocks": (3, 4, 6, 3)}, 27_483_240)],
    ids=["ResNeSt-101", "ResNeSt-50"],
)
def test_resnest_counts_as_its_authors_do(settings, published):
    encoder = on_paper(deeplabv3plus.build, deeplabv3plus.Config(sensors=RGB, **settings)).encoder
    assert trainable(encoder) + 2048 * 1000 + 1000 == published  # with their classifier of 1000 classes


def test_split_attention_weighs_two_groups_that_sum_to_one():
    torch.manual_seed(0)
    block = deeplabv3plus.SplitAttention(4, 1).eval()
    with torch.no_grad():
        for module in (block.weigh,):
            module.weight.zero_()
            module.bias.copy_(torch.tensor([30.0] * 4 + [-30.0] * 4))  # everything on the first group
        x = torch.rand(2, 4, 6, 6)
        splits = torch.relu(block.splits_norm(block.splits(x)))
        torch.testing.assert_close(block(x), splits[:, :4])
        block.weigh.bias.zero_()
        torch.testing.assert_close(block(x), 0.5 * (splits[:, :4] + splits[:, 4:]))


def test_transunet_has_the_105_28_million_of_its_authors_setting():
    config = transunet.Config(sensors=RGB, tile=224, classes=9)
    network = on_paper(transunet.build, config)
    assert round(trainable(network) / 1e6, 2) == 105.28
    # Convolutions of ResNet-50's first three stages with 3, 4, 9 units, and their norms, by arithmetic.
    expected, before = 7 * 7 * 3 * 64 + 2 * 64, 64
    for after, count in ((256, 3), (512, 4), (1024, 9)):
        inner = after // 4
        for k in range(count):
            source = before if k == 0 else after
            expected += source * inner + 9 * inner * inner + inner * after + 4 * inner + 2 * after
            expected += source * after + 2 * after if k == 0 else 0
        before = after
    assert trainable(network.resnet) == expected


def test_standardised_filters_do_not_care_for_scale_or_offset():
    torch.manual_seed(0)
    layer = transunet.StandardConv(3, 5, 3)
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        layer.weight.mul_(10)
        before = layer(x)
        layer.weight.mul_(3.0).add_(0.7)
        torch.testing.assert_close(layer(x), before, atol=1e-4, rtol=1e-4)


def test_unet_counts_by_arithmetic():
    widths = (4, 6, 8)
    two = lambda b, a: 9 * b * a + 9 * a * a + 4 * a  # noqa: E731
    expected = (
        two(5, 4) + two(4, 6) + two(6, 8) + (4 * 8 * 6 + 6 + two(12, 6)) + (4 * 6 * 4 + 4 + two(8, 4)) + 4 * 2 + 2
    )
    assert trainable(unet.build(unet.Config(sensors={"optical": 3, "dem": 2}, widths=widths))) == expected


def test_entry_gives_bands_presence_and_place():
    x = torch.tensor([2.0, 3.0, 5.0, 1.0, 0.0, 7.0, 8.0]).reshape(1, 7, 1, 1)  # bands 2 + 1, presence 2, location 2
    sensors = {"optical": 2, "dem": 1}
    bands = unet.Entry(unet.Config(sensors=sensors, location=2))
    assert bands(x).flatten().tolist() == [2.0, 3.0, 0.0, 7.0, 8.0] and bands.channels == 5
    presence = unet.Entry(unet.Config(sensors=sensors, location=2, entry="presence"))
    assert presence(x).flatten().tolist() == [2.0, 3.0, 0.0, 1.0, 0.0, 7.0, 8.0] and presence.channels == 7
    assert unet.Entry(unet.Config(sensors=sensors, entry="branches", entry_width=6)).channels == 6


@pytest.mark.parametrize(
    ("size", "millions"), [("b0", 3.8), ("b1", 13.7), ("b2", 27.5), ("b3", 47.3), ("b4", 64.1), ("b5", 84.7)]
)
def test_segformer_sizes_are_those_of_the_paper(size, millions):
    network = on_paper(segformer.build, segformer.Config(sensors=RGB, size=size, classes=150))
    assert round(trainable(network) / 1e6, 1) == millions


def as_transformers_calls_it(key: str) -> str:
    """Return the name in transformers 5 of one of our SegFormer's weights."""
    for ours, theirs in (
        ("stages.", "segformer.stages."),
        (".embed.", ".patch_embeddings.proj."),
        (".embed_norm.", ".patch_embeddings.layer_norm."),
        (".before.", ".layernorm_before."),
        (".after.", ".layernorm_after."),
        (".query.", ".q_proj."),
        (".key.", ".k_proj."),
        (".value.", ".v_proj."),
        (".attention.project.", ".attention.o_proj."),
        (".reduce.", ".sequence_reduction.sequence_reduction."),
        (".reduce_norm.", ".sequence_reduction.layer_norm."),
        (".widen.", ".mlp.fc1."),
        (".narrow.", ".mlp.fc2."),
        (".depthwise.", ".mlp.dwconv.dwconv."),
        (".norm.", ".layer_norm."),
        ("fuse.", "decode_head.linear_fuse."),
        ("fuse_norm.", "decode_head.batch_norm."),
        ("head.", "decode_head.classifier."),
    ):
        if ours in key and (ours.startswith(".") or key.startswith(ours)):
            key = key.replace(ours, theirs, 1)
    if key.startswith("project."):
        _, stage, end = key.split(".")
        key = f"decode_head.linear_projections.{stage}.proj.{end}"
    return key


@pytest.mark.parametrize("size", ["b0", "b2"])
def test_segformer_equals_transformers_weight_for_weight(size):
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: nothing to compare SegFormer with"
    )
    if int(transformers.__version__.split(".")[0]) < 5:
        pytest.skip(f"transformers {transformers.__version__} names its weights otherwise; expected 5 or newer")
    widths, depths, decoder = segformer.SIZES[size]
    torch.manual_seed(0)
    theirs = transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(
            num_channels=8,
            hidden_sizes=list(widths),
            depths=list(depths),
            decoder_hidden_size=decoder,
            num_labels=2,
            num_attention_heads=list(segformer.HEADS),
            sr_ratios=list(segformer.REDUCTIONS),
            patch_sizes=list(segformer.KERNELS),
            strides=list(segformer.STRIDES),
        )
    ).eval()
    with torch.no_grad():  # their start is near zero: biases 0, all norms alike
        for p in theirs.parameters():
            p.add_(0.05 * torch.randn_like(p))
        theirs.decode_head.batch_norm.running_mean.uniform_(-0.5, 0.5)
        theirs.decode_head.batch_norm.running_var.uniform_(0.5, 1.5)
    ours = segformer.build(segformer.Config(size=size)).eval()
    weights = theirs.state_dict()
    names = {k: as_transformers_calls_it(k) for k in ours.state_dict()}
    assert set(names.values()) == set(weights), "both hold the same weights"
    ours.load_state_dict({k: weights[n].reshape(ours.state_dict()[k].shape) for k, n in names.items()})
    values = torch.rand(2, 8, 64, 96)
    with torch.no_grad():
        coarse = theirs(pixel_values=values).logits  # (2, 2, 16, 24)
        expected = torch.nn.functional.interpolate(coarse, scale_factor=4.0, mode="bilinear", align_corners=False)
        found = ours(torch.cat([values, torch.ones(2, 2, 64, 96)], dim=1))
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no multiple of heads"):
        segformer.Config(widths=(32, 65, 160, 256))
    with pytest.raises(ValueError, match="no multiple of heads"):
        setr.Config(width=100)
    with pytest.raises(ValueError, match="no multiple of heads"):
        transunet.Config(width=100)
    with pytest.raises(ValueError, match="multiple of 16"):
        setr.Config(tile=100)
