"""What a network says of itself, and what a file may make the program do: nothing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from polynya import description
from polynya.errors import ProductError
from polynya.predict import runtime as predict_runtime
from polynya.predict import scenes as predict_scenes
from polynya.predict import tracks as predict_tracks
from polynya.predict.runtime import WEIGHTS
from polynya.workflows.freeboard import classifier as freeboard_classifier
from polynya.workflows.glaciers import mapper as glacier_mapper

from . import onnx_networks as networks

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


@pytest.mark.parametrize("is_head", [False, True])
@pytest.mark.parametrize("load", ["any", "tracks", "scenes", "--classifier", "--network"])
def test_an_exported_network_imports_nothing(load, is_head, tmp_path, monkeypatch):
    """Whichever way an ONNX file is read, the module that its target names is not run."""
    name = f"own_{load.strip('-')}_{is_head}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "boom.py").write_text('from pathlib import Path\nPath(__file__).with_suffix(".ran").touch()\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    target = {"kind": f"{name}.boom"}
    predicts = {"kind": "heads", "heads": {"ice": target}} if is_head else target
    path = tmp_path / "found.onnx"
    if load in ("scenes", "--network"):
        networks.scene_network(path, about=networks.describe_scene(predicts=predicts))
    else:
        networks.sequence_network(path, about=networks.describe("sequence", predicts=predicts))
    with pytest.raises(ProductError, match=rf"{name}\.boom: is a module of your own that is not imported") as error:
        _load(load, path)
    assert str(error.value).startswith("found.onnx: ") and "\n" not in str(error.value)
    assert not (tmp_path / name / "boom.ran").exists() and f"{name}.boom" not in sys.modules


def _load(how: str, path: Path) -> object:
    """Load a network as a function, or as the option of a command does."""
    if how == "--network":
        return glacier_mapper.networks([str(path)], region="auto")
    if how == "--classifier":
        chosen = freeboard_classifier.select(str(path), resolution="2")
        return predict_tracks.load(str(chosen.path))
    return {"any": predict_runtime, "tracks": predict_tracks, "scenes": predict_scenes}[how].load(path)


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


def scene(**changes: object) -> dict[str, object]:
    held = json.loads((WEIGHTS / "glavitu-narrow.json").read_text(encoding="utf-8"))
    return {**description.read(held).as_json(), **changes}


def test_a_file_of_a_newer_polynya_is_rejected_in_one_line():
    with pytest.raises(ProductError, match=r"description_version: is 99, made by a newer polynya") as error:
        description.read(given(description_version=99))
    assert "\n" not in str(error.value)


def test_only_files_without_a_version_mean_their_last_class():
    held = {k: v for k, v in given().items() if k not in ("predicts", "description_version")}
    assert description.read(held).positive == 2
    new = description.read(held).as_json()
    new.pop("predicts")
    with pytest.raises(ProductError, match=r"predicts: Field required"):
        description.read(new)


def test_misspelt_parts_are_rejected_in_files_of_today():
    areas = {"between_block": 0.2, "sd": 1.0}
    with pytest.raises(ProductError, match=r"areas\.between_blocks: Field required"):
        description.read(scene(areas=areas))
    with pytest.raises(ProductError, match=r"areas\.between_block: Extra inputs"):
        description.read(scene(areas={**areas, "between_blocks": 0.2}))
    with pytest.raises(ProductError, match=r"area: Extra inputs"):
        description.read(scene(area={"between_blocks": 0.2, "sd": 1.0}))


def test_errors_of_areas_that_were_not_fitted_are_not_stated():
    held = scene()
    assert description.read(held).areas.between_blocks == 0.212
    held.pop("areas")
    assert description.read(held).areas is None and "areas" not in description.read(held).as_json()


def test_unknown_keys_of_parts_in_files_of_earlier_releases_are_read_over():
    held = json.loads((WEIGHTS / "glavitu-narrow.json").read_text(encoding="utf-8"))
    held["areas"]["of_old"] = 1
    assert description.read(held).areas.sd == 0.774
