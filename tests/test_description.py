"""What a network says of itself, and what a file may make the program do: nothing."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

from polynya import description
from polynya.errors import ProductError
from polynya.predict.runtime import WEIGHTS

OWN = '''
"""A family whose import leaves a trace."""
from pathlib import Path
from polynya.description import OfTracks as Description
from polynya.families.tracks import config, data, example, network, wrap
Path(__file__).with_suffix(".ran").touch()
'''


def given(**changes: object) -> dict[str, object]:
    held = json.loads((WEIGHTS / "track-unet.json").read_text(encoding="utf-8"))
    return {**held, **changes}


@pytest.mark.parametrize("name", ["track-unet", "glavitu-narrow"])
def test_shipped_networks_read_and_read_again(name):
    first = description.read(json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8")))
    again = description.read(json.loads(json.dumps(first.as_json())))
    assert again.as_json() == first.as_json() and again.description_version == description.VERSION
    assert first.weights_sha256 == again.weights_sha256 and len(first.weights_sha256) == 64


def test_shipped_glacier_network_is_about_glaciers():
    held = description.read(json.loads((WEIGHTS / "glavitu-narrow.json").read_text(encoding="utf-8")))
    assert held.classes == ("other", "glacier") and held.positive == 1 and held.family == "scenes"


@pytest.mark.parametrize("key", ["family", "predicts", "sensor_table"])
def test_a_file_imports_nothing(key, tmp_path, monkeypatch):
    """A module that a file names may hold anything: it must have been imported by whoever trusts it."""
    name = f"own_rooms_{key}.tracks"
    folder = tmp_path / name.split(".")[0]
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "tracks.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    held = given(**{key: {"kind": name} if key == "predicts" else name})
    with pytest.raises(
        ProductError, match=rf"{name}: is a module of your own that is not imported; .* `import {name}`"
    ):
        description.read(held)
    assert not (folder / "tracks.ran").exists() and name not in sys.modules
    if key == "family":
        importlib.import_module(name)
        assert description.read(held).family == name


def test_a_checkpoint_imports_nothing(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from polynya import checkpoint

    (tmp_path / "own_model.py").write_text('from pathlib import Path\nPath(__file__).with_suffix(".ran").touch()\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    held = given(model={"name": "own_room.own_model"})
    save_file({"w": torch.zeros(1)}, tmp_path / "n.safetensors", metadata={"polynya": json.dumps(held)})
    with pytest.raises(ProductError, match=r"own_room\.own_model: is a module of your own that is not imported"):
        checkpoint.load(tmp_path / "n.safetensors")


@pytest.mark.parametrize("name", ["polynya.__main__", "polynya.cli.__main__", "os.path.join", "..models.mlp"])
def test_nothing_but_families_models_and_sensors_of_ours(name):
    with pytest.raises(ProductError, match="not imported"):
        description.read(given(family=name))
