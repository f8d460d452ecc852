"""A sensor, a target, a network, a family and an engine by new files only: the files of the pages in ``docs/``, written
into a package outside polynya, trained for two steps, exported, and used for prediction without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import engine, recipes  # noqa: E402
from polynya.engine import protocol  # noqa: E402
from polynya.errors import UsageError  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("add_a_network.md", "add_a_target.md", "add_a_family.md")
SPLIT = workflow.split_config(method="granule", shares=(0.5, 0.2, 0.1, 0.2), block_km=10.0, gap_km=1.0, seed=0)
CLASSES = 11
ENGINE = '''"""Threads instead of processes."""

from concurrent.futures import ThreadPoolExecutor

from polynya.engine.protocol import attempt


class Threads:
    def __init__(self, workers):
        self.workers = workers

    def map(self, task, items):
        with ThreadPoolExecutor(self.workers) as pool:
            yield from pool.map(lambda item: attempt(task, item), items)


def build(*, workers):
    return Threads(workers)
'''
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("there is no torch here")

sys.meta_path.insert(0, NoTorch())
import json
import numpy as np
"""


def titled_blocks(page: Path) -> dict[str, str]:
    """Return the code blocks of a page that name a file."""
    found = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', page.read_text(encoding="utf-8"), re.S | re.M)
    return dict(found)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Path]:
    """Write every file of the pages, and nothing else, into a folder that can be imported from."""
    root = tmp_path_factory.mktemp("lab")
    files = {name: text for page in PAGES for name, text in titled_blocks(DOCS / page).items()}
    assert set(files) >= {
        "mylab/tiny_scene.py",
        "mylab/wetlands.py",
        "mylab/images.py",
        "mylab/fraction.py",
        "wetlands.yaml",
        "tags.yaml",
    }
    for name, text in {**files, "mylab/__init__.py": "", "mylab/threads.py": ENGINE}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    yield root
    for name in [m for m in sys.modules if m.split(".")[0] == "mylab"]:
        del sys.modules[name]


@pytest.fixture
def importable(lab, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(str(lab))
    return lab


def truth_of(seed: int, side: int = 20) -> np.ndarray:
    """Return classes 0 to 10 in blocks of a tile, every class in it."""
    rng = np.random.default_rng(seed)
    cells = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, 25 - CLASSES)])
    return np.kron(rng.permutation(cells).reshape(5, 5), np.ones((side // 5, side // 5), int))


def write_wetlands(path: Path, *, scenes: int = 10, classes: int = CLASSES) -> Path:
    """Write tiles with one sensor of three bands, and labels of eleven classes."""
    import h5py

    with h5py.File(path, "w") as file:
        for k in range(scenes):
            group, truth = file.create_group(f"t{k}"), truth_of(k)
            bands = np.stack([truth % 4, truth // 4, np.full(truth.shape, 0.2 * k)], axis=2)
            group["hyper"] = bands.astype(np.float32)
            group["cover"] = (truth[:, :, None] == np.arange(classes)).astype(np.uint8)
            left, top = 5e5 + 1e4 * k, 5e6
            attributes = {
                "units": "physical",
                "scene": f"s{k}",
                "crs": "EPSG:32632",
                "transform": [10.0, 0.0, left, 0.0, -10.0, top],
                "extent": [9.0, 45.1, 9.1, 45.2],
                "epsg": 4326,
                "original_height": truth.shape[0],
                "original_width": truth.shape[1],
            }
            for key, value in attributes.items():
                group.attrs[key] = value
    return path


def write_images(path: Path, n: int = 80) -> Path:
    """Write images whose second band is bright where the tag ``ice`` is present; some tags unknown."""
    rng = np.random.default_rng(2)
    tags = rng.random((n, 3)) < 0.5
    images = rng.normal(size=(n, 2, 12, 12)) + 2.0 * tags[:, 1, None, None, None] * np.array([0.0, 1.0])[:, None, None]
    scene = np.arange(n) // 8
    np.savez(path, images=images.astype(np.float32), tags=tags, known=rng.random((n, 3)) < 0.8, scene=scene)
    return path


def without_torch(lab: Path, program: str, *words: object) -> dict[str, object]:
    """Run a program that cannot import torch; return the JSON that it prints."""
    import polynya

    path = f"{lab}:{Path(polynya.__file__).parent.parent}"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH + program, *map(str, words)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_sensor_a_network_and_eleven_classes(importable, tmp_path):
    """Encoding, training, export and prediction keep all eleven classes."""
    data = write_wetlands(tmp_path / "tiles.h5")
    result = workflow.run(
        importable / "wetlands.yaml", data=[data], out=tmp_path / "out", split=SPLIT, device="cpu", threads=1
    )
    about = json.loads(result.outputs["description"].read_text())
    plan = recipes.load(importable / "wetlands.yaml")
    counts = about["data"]["labels"]["train"]
    expected = sum(np.bincount(truth_of(k).ravel(), minlength=CLASSES) for k in range(10))
    both = sum(np.array(list(about["data"]["labels"][p].values())) for p in about["data"]["labels"])
    assert tuple(counts) == plan.predicts.classes and np.array_equal(both, expected) and min(counts.values()) > 0
    assert [len(row) for row in result.numbers["confusion"]] == [CLASSES + 1] * CLASSES
    assert np.array(result.numbers["confusion"]).sum(axis=1).min() > 0 and result.numbers["positive"] == "ice"
    assert len(json.loads((result.out / "history.json").read_text())["history"][0]["iou"]) == CLASSES
    assert (
        about["scaling"]
        == {
            "sensors": {"hyper": 3},
            "low": [0.0] * 3,
            "high": [4.0] * 3,
            "is_log": [False] * 3,
        }
        and "areas" not in result.numbers
    )
    program = """
import mylab.wetlands  # its table of sensors: the file of a network may name it, but not import it
from polynya.predict import scenes
network = scenes.load(sys.argv[1], runtime="onnxruntime")
values = np.random.default_rng(0).random((3, 40, 30)).astype(np.float32)
strips = list(scenes.strips([network], lambda r, c: values[:, r, c], shape=(40, 30)))
whole = np.concatenate([s.probability for s in strips], axis=1)
print(json.dumps({"shape": whole.shape, "sum": float(np.abs(whole.sum(axis=0) - 1).max()), "sensors": network.sensors,
                  "classes": network.description.classes, "positive": network.description.positive}))
"""
    found = without_torch(importable, program, result.outputs["onnx"])
    assert found["shape"] == [CLASSES, 40, 30] and found["sum"] < 1e-5 and found["sensors"] == ["hyper"]
    assert tuple(found["classes"]) == plan.predicts.classes and found["positive"] == 7


def test_a_twelfth_class_in_the_data_is_an_error(importable, tmp_path):
    data = write_wetlands(tmp_path / "tiles.h5", classes=CLASSES)
    import h5py

    with h5py.File(data, "r+") as file:
        for tile in file.values():
            cover = np.concatenate([tile["cover"][:], np.zeros((20, 20, 1), np.uint8)], axis=2)
            cover[:4, :4] = np.arange(12) == 11
            del tile["cover"]
            tile["cover"] = cover
    with pytest.raises(UsageError, match=r"holds class 11; expected classes 0 to 10 \(water, reed, .*tree\)"):
        workflow.run(importable / "wetlands.yaml", data=[data], out=tmp_path / "out", split=SPLIT, device="cpu")


def test_a_family_of_images_with_many_tags(importable, tmp_path):
    data = write_images(tmp_path / "images.npz")
    result = workflow.run(importable / "tags.yaml", data=[data], out=tmp_path / "out", split=SPLIT, device="cpu")
    about = json.loads(result.outputs["description"].read_text())
    assert (about["family"], about["kind"], about["classes"]) == ("mylab.images", "image", ["waves", "ice", "rain"])
    scores = result.numbers["labels"]
    assert scores["ice"]["average_precision"] > 0.9 > scores["rain"]["average_precision"]
    assert all(0 < s["n"] < result.numbers["n"] + 1 for s in scores.values())
    page = result.outputs["report"].read_text()
    assert "labels: ice: average precision" in page and "Validation" in page
    program = """
from mylab.predict_tags import probabilities
images = np.load(sys.argv[2])["images"]
found = probabilities(sys.argv[1], images)
print(json.dumps({k: v.tolist() for k, v in found.items()}))
"""
    found = without_torch(importable, program, result.outputs["onnx"], data)
    given = np.load(data)
    ice = np.array(found["ice"])
    assert list(found) == ["waves", "ice", "rain"] and ice.shape == (80,)
    assert ice[given["tags"][:, 1]].mean() > ice[~given["tags"][:, 1]].mean() + 0.2


def test_a_kind_of_target_by_its_dotted_name(importable):
    """Recipes and heads take it, it is written as plain data, and graph and scores agree."""
    from polynya import calibrate, targets

    given = {"kind": "mylab.fraction", "name": "water", "centre": 0.5, "scale": 0.5}
    target = targets.read(given)
    assert type(target).__module__ == "mylab.fraction" and target.planes == ("water", "water_spread")
    assert targets.read(target.model_dump()) == target
    heads = targets.Heads(heads={"share": given, "kind": {"kind": "one_of", "classes": ["a", "b"]}})
    assert (
        heads.channels == 4 and heads.heads["share"] == target and heads.model_dump()["heads"]["share"]["units"] == "1"
    )
    plan = recipes.load(importable / "wetlands.yaml")
    assert plan.model_copy(update={"predicts": target}).model_dump(mode="json")["predicts"]["kind"] == "mylab.fraction"
    outputs = np.random.default_rng(0).normal(size=(50, 2), scale=3.0)
    graph = target.activate(torch.from_numpy(outputs)).numpy()
    found = target.values(outputs, calibrate.identity(2))
    np.testing.assert_allclose(graph, found, rtol=1e-6)
    assert found[:, 0].min() == 0.0 and found[:, 0].max() == 1.0
    with pytest.raises(ValueError, match=r"kind mylab\.nothing: no module mylab\.nothing"):
        targets.read({"kind": "mylab.nothing"})
    with pytest.raises(ValueError, match=r"mylab\.images holds no TARGET of that kind"):
        targets.read({"kind": "mylab.images"})


@dataclass(frozen=True, kw_only=True)
class Number:
    """An item of the engine."""

    value: int

    @property
    def name(self) -> str:
        return f"number {self.value}"


def root(item: Number) -> protocol.Record:
    if item.value < 0:
        raise UsageError(f"{item.value}: is negative; expected a number that has a root. Change it.")
    return protocol.Record(item=item.name, status=protocol.DONE, numbers={"root": item.value**0.5})


def test_an_engine_by_its_dotted_name(importable):
    threads = engine.load("mylab.threads", workers=2)
    assert type(threads).__module__ == "mylab.threads" and threads.workers == 2
    records = {r.item: r for r in threads.map(root, [Number(value=v) for v in (4, 9, -1)])}
    assert records["number 9"].numbers == {"root": 3.0} and records["number -1"].status == protocol.FAILED
    with pytest.raises(UsageError, match=r"--engine mylab\.nothing: no such engine"):
        engine.load("mylab.nothing", workers=1)
