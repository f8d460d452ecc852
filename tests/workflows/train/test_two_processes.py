"""``polynya train`` under torchrun: two processes follow the curve of one, and no thread of their group outlives it.

Each start imports torch three times, so one start does it all.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.torch import load_file  # noqa: E402

from polynya.predict import scenes as predict_scenes  # noqa: E402
from polynya.readers import glacier_tiles  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402

from ...samples.label_tables import write_labels  # noqa: E402
from ...test_train import SEQUENCE, WINDOW  # noqa: E402
from .test_scenes import PLAIN, SHARES, SIZE, SPLIT, make_tiles  # noqa: E402

SCRIPT = """
import glob
import json
import os
import sys
from itertools import count

import torch
from torch import distributed

from polynya import cli, train

# The first group meets as torchrun would have it. A later one under the same names would find the first one's
# addresses, so it gets names of its own.
usual, number = distributed.init_process_group, count()


def meet(backend):
    k = next(number)
    if k == 0:
        return usual(backend)
    store = distributed.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return usual(backend, store=distributed.PrefixStore(f"group {k}", store), rank=rank, world_size=size)


distributed.init_process_group = meet
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    try:
        cli.main()
    except SystemExit as done:
        if done.code:
            raise
    if distributed.is_initialized():
        raise SystemExit("a group is left")

processes = train.start("cpu")


def fit():
    parallel = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
    parallel(torch.ones(4, 3)).sum().backward()


def gloo():
    return sum("gloo" in open(path).read() for path in glob.glob("/proc/self/task/*/comm"))


fit()
before = gloo()
processes.wait()
train.stop(processes)
print(f"gloo threads {before} then {gloo()};")
"""


@dataclass(frozen=True)
class Pair:
    """The same training by one process and by two."""

    name: str
    epochs: int
    data: Path
    one: Path
    two: Path


@dataclass(frozen=True)
class Launch:
    """What came of one start."""

    pairs: dict[str, Pair]
    said: str


@pytest.fixture(scope="module")
def launch(tmp_path_factory) -> Launch:
    """Train three recipes by one process, then by two that torchrun starts once."""
    folder = tmp_path_factory.mktemp("two")
    labels = write_labels(folder / "labels", granules=8, n=300, beams=("gt1r", "gt1l"), noise=0.5)
    # Dropout is off: its masks are drawn in each process.
    still = {**WINDOW, "epochs": 4, "model": {**WINDOW["model"], "dropout": 0.0}}
    pairs, commands = {}, []
    for what, settings, data in (
        ("windows", still, labels),
        ("rows", SEQUENCE, labels),
        ("scenes", PLAIN, make_tiles(folder)),
    ):
        recipe = folder / f"{settings['name']}.yaml"
        recipe.write_text(yaml.safe_dump(settings))
        one, two = folder / f"{what}-one", folder / f"{what}-two"
        workflow.run(recipe, data=[data], out=one, split=SPLIT, device="cpu", threads=1)
        words = ["train", str(recipe), "--data", str(data), "-o", str(two), "--shares", *map(str, SHARES)]
        commands.append([*words, "--threads", "1", "--device", "cpu"])
        pairs[what] = Pair(settings["name"], settings["epochs"], data, one, two)
    script = folder / "trainings.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, str(script), json.dumps(commands)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return Launch(pairs, done.stdout)


def history(out: Path) -> list[dict]:
    return json.loads((out / "history.json").read_text())["history"]


def test_only_one_of_them_speaks(launch):
    assert launch.said.count("macro-F1") == 3


@pytest.mark.parametrize("what", ["windows", "rows", "scenes"])
def test_two_processes_follow_the_curve_of_one(launch, what):
    """The last batch of an epoch is smaller, and rows hold unequal numbers of labels."""
    pair = launch.pairs[what]
    one, two = history(pair.one), history(pair.two)
    assert len(one) == len(two) == pair.epochs
    assert json.loads((pair.two / "run.json").read_text())["processes"] == 2
    for a, b in zip(one, two, strict=True):
        for key in ("train_loss", "validation_loss", "macro_f1"):
            assert a[key] == pytest.approx(b[key], abs=1e-5), (key, a, b)
        assert a["samples"] == b["samples"] and a["rate"] == b["rate"]
        assert a["iou"] == pytest.approx(b["iou"], abs=1e-5)
    assert one[0]["train_loss"] > one[-1]["train_loss"]


@pytest.mark.parametrize("what", ["windows", "rows"])
def test_their_weights_are_nearly_those_of_one(launch, what):
    pair = launch.pairs[what]
    one, two = (load_file(out / f"{pair.name}.safetensors") for out in (pair.one, pair.two))
    assert all(torch.allclose(one[k], two[k], atol=1e-3) for k in one)


def test_their_scene_network_says_the_same(launch):
    """Adam divides a gradient by its own size: where it is no more than the rounding of sums of another order, the
    weight moves by the rate all the same, one way or the other. What such weights do to the answer is as small."""
    pair = launch.pairs["scenes"]
    networks = [predict_scenes.load(out / f"{pair.name}.onnx", runtime="onnxruntime") for out in (pair.one, pair.two)]
    for tile in glacier_tiles.open_tiles(pair.data):
        window = tile.values(("optical", "dem"), slice(0, SIZE), slice(0, SIZE))[None]
        one, two = (n.evaluate(window) for n in networks)
        assert np.ptp(one) > 0.3
        np.testing.assert_allclose(one, two, atol=1e-4)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_no_thread_of_the_group_outlives_it(launch):
    """A thread of gloo that frees a tensor while the interpreter ends aborts the process (seen as exit code -6 after
    all was written)."""
    found = re.findall(r"gloo threads (\d+) then (\d+);", launch.said)
    assert len(found) == 2
    assert all(int(before) > 0 and int(after) == 0 for before, after in found)
