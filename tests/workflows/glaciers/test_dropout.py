"""Monte-Carlo dropout from the trained file to ``glaciers --mc-dropout``: draws differ, their mean is near the plain
map, spread.tif shows them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import checkpoint, export, io  # noqa: E402
from polynya.errors import UsageError  # noqa: E402
from polynya.predict import scenes as predict_scenes  # noqa: E402
from polynya.workflows import glaciers  # noqa: E402

from ...test_export import describe, network, physical  # noqa: E402
from . import pieces  # noqa: E402

UNET = {"name": "unet", "widths": [4, 8], "entry": "presence"}
GLAVITU = {"name": "glavitu", "width": 8, "blocks": 1, "heads": 2, "levels": 2}


@pytest.mark.parametrize("is_channel", [False, True])
def test_drawn_dropout_is_dropout(is_channel):
    """A share p of values (or whole channels) is 0, the others grow by 1 / (1 - p), the mean stays."""
    torch.manual_seed(3)
    x = torch.rand(40, 50, 6, 6) + 1.0
    out = export.Drawn(0.3, is_channel=is_channel).eval()(x)
    kept = out != 0
    torch.testing.assert_close(out[kept], x[kept] / 0.7)
    share = kept.float().mean(dim=(2, 3)) if is_channel else kept.float()
    assert ((share == 0) | (share == 1)).all() and float(kept.float().mean()) == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("model", [UNET, GLAVITU], ids=lambda m: m["name"])
def test_draws_of_the_exported_graph(model, runtime, tmp_path):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    about = describe({**model, "dropout": 0.1})
    saved = checkpoint.save(tmp_path, network=network(about), description=about)
    assert saved.drawn == tmp_path / "n-dropout.onnx" and saved.parity <= 1e-4
    plain, drawn = (predict_scenes.load(p, runtime=runtime) for p in (saved.onnx, saved.drawn))
    assert drawn.about["is_drawn"] and drawn.description.model_copy(update={"is_drawn": False}) == plain.description
    x = physical(0, batch=1)
    expected, draws = plain.evaluate(x)[0, 1], np.array([drawn.evaluate(x)[0, 1] for _ in range(60)])
    assert (
        len({d.tobytes() for d in draws}) > 15
    )  # all sixteen channels of the little U-Net stay in .9 ** 16 of the draws
    spread = draws.std(axis=0)
    assert (
        spread.mean() > 1e-3
        and np.abs(draws.mean(axis=0) - expected).mean() < 0.05
        and np.abs(draws.mean() - expected.mean()) < 0.03
    )


def test_without_dropout_there_is_no_second_file(tmp_path):
    (tmp_path / "n-dropout.onnx").write_bytes(b"of an earlier network of the name")
    about = describe(UNET)
    saved = checkpoint.save(tmp_path, network=network(about), description=about)
    assert saved.drawn is None and not (tmp_path / "n-dropout.onnx").exists()


def test_glaciers_draws(tmp_path):
    about = describe({**UNET, "dropout": 0.3})
    saved = checkpoint.save(tmp_path, network=network(about), description=about)
    values = physical(4, batch=1, side=64)[0]
    values[4:6] = 0.2
    scene = pieces.write_scene(
        tmp_path / "scene", pieces.grid(64, 64), optical=np.clip(values[:6], -0.1, 2.0), dem=np.clip(values[6:8], 0, 80)
    )
    settings = {"network": (str(saved.onnx),), "runtime": "onnxruntime"}
    glaciers.run([scene], out=tmp_path / "plain", config=glaciers.Config(**settings))
    glaciers.run([scene], out=tmp_path / "drawn", config=glaciers.Config(**settings, draws=20))
    assert not (tmp_path / "plain/spread.tif").exists()
    spread = pieces.values_of(tmp_path / "drawn/spread.tif")
    assert np.nanmean(spread) > 1e-3
    p, q = (pieces.values_of(tmp_path / n / "probability.tif") for n in ("plain", "drawn"))
    assert not np.array_equal(p, q) and np.nanmean(np.abs(p - q)) < 0.05
    record = io.read_json(tmp_path / "drawn/run.json")
    assert record["network"][0]["file"] == "n-dropout.onnx" and record["network"][0]["draws"] == 20
    saved.drawn.unlink()
    with pytest.raises(
        UsageError, match=r"--mc-dropout: network n\.onnx has no dropout \(n-dropout\.onnx is not beside it\)"
    ):
        glaciers.run([scene], out=tmp_path / "none", config=glaciers.Config(**settings, draws=2))
