"""The mixture of regions with which a network is most certain of a scene: found, told, deterministic, refused where it
cannot be."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import checkpoint, io  # noqa: E402
from polynya.errors import UsageError  # noqa: E402
from polynya.predict import scenes as predict_scenes  # noqa: E402
from polynya.samples import scene_scaling  # noqa: E402
from polynya.sensors.glaciers import REGIONS  # noqa: E402
from polynya.workflows import glaciers  # noqa: E402
from polynya.workflows.glaciers import region  # noqa: E402

from ...test_export import describe, network, physical  # noqa: E402
from . import pieces  # noqa: E402


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    description = describe({"name": "unet", "widths": [4, 8], "entry": "presence"}, location="region")
    return checkpoint.save(tmp_path_factory.mktemp("region"), network=network(description), description=description)


def entropy(loaded, values: np.ndarray, vector: np.ndarray) -> float:
    p = np.concatenate(
        [
            s.probability
            for s in predict_scenes.strips(
                [loaded], lambda r, c: values[:, r, c], shape=values.shape[1:], location=vector
            )
        ],
        axis=1,
    ).astype(float)
    return float(np.nanmean(-(p * np.log(np.maximum(p, 1e-9))).sum(axis=0)))


def test_it_is_more_certain_than_any_region_or_nearly(saved):
    loaded = predict_scenes.load(saved.onnx, runtime="onnxruntime")
    values = physical(1, batch=1)[0]
    vector, told = region.optimise(loaded, lambda r, c: values[:, r, c], shape=values.shape[1:])
    again, _ = region.optimise(loaded, lambda r, c: values[:, r, c], shape=values.shape[1:])
    assert np.array_equal(vector, again) and vector.dtype == np.float32 and vector.shape == (len(REGIONS) + 1,)
    each = [entropy(loaded, values, scene_scaling.region_vector(r)) for r in (*REGIONS, "unknown")]
    found = entropy(loaded, values, vector)
    assert found < np.mean(each) - 0.2 * np.std(each) and found < entropy(
        loaded, values, np.full(12, 1 / 12, np.float32)
    )
    names = (*REGIONS, "unknown")
    assert told.startswith(f"optimised: {names[int(vector.argmax())]} {100 * vector.max():.0f} %")


def test_from_the_command_to_the_record(saved, tmp_path):
    values = physical(2, batch=1, side=40)[0]
    scene = pieces.write_scene(
        tmp_path / "scene", pieces.grid(40, 40), optical=np.clip(values[:6], -0.1, 2.0), dem=np.clip(values[6:8], 0, 80)
    )
    config = glaciers.Config.checked(network=(str(saved.onnx),), runtime="onnxruntime", region="optimised")
    glaciers.run([scene], out=tmp_path / "out", config=config)
    assert (
        io.read_json(tmp_path / "out/run.json")["region"].startswith("optimised: ")
        and "region encoding" in (tmp_path / "out/report.html").read_text()
    )


def test_without_the_weights_it_says_so(saved, tmp_path):
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(saved.onnx.read_bytes())
    loaded = predict_scenes.load(alone, runtime="onnxruntime")
    with pytest.raises(
        UsageError,
        match=r"--region optimised: needs torch and alone\.safetensors beside the network; found no such file",
    ):
        region.optimise(loaded, lambda r, c: np.zeros((10, 32, 32), np.float32), shape=(32, 32))
