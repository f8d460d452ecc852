"""Modules by name: files of a folder, dotted modules, and what is not there."""

from __future__ import annotations

import pytest

from polynya import modules


def test_a_file_of_the_folder_and_a_dotted_module(tmp_path, monkeypatch):
    (tmp_path / "otherlab").mkdir()
    (tmp_path / "otherlab/__init__.py").write_text("")
    (tmp_path / "otherlab/nets.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert modules.find("glaciers", folder="polynya.sensors").__name__ == "polynya.sensors.glaciers"
    assert modules.find("otherlab.nets", folder="polynya.sensors").ANSWER == 42


@pytest.mark.parametrize("name", ["nothing", "", "no.such.module", "..errors", ".glaciers", "polynya.nothing"])
def test_none_where_there_is_no_such_module(name):
    assert modules.find(name, folder="polynya.sensors") is None


def test_a_module_that_lacks_what_it_imports_is_not_missing_itself(tmp_path, monkeypatch):
    """The reader then sees which package to install, not that the module has a wrong name."""
    (tmp_path / "halflab").mkdir()
    (tmp_path / "halflab/__init__.py").write_text("")
    (tmp_path / "halflab/needs.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        modules.find("halflab.needs", folder="polynya.sensors")
