"""The runner of mutants says what is caught, what survives and what could not be tried."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
spec = importlib.util.spec_from_file_location("mutants", SCRIPTS / "mutants.py")
mutants = sys.modules["mutants"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutants)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project of one function, one number that nothing tests, and one test; its pytest starts without our plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "polynya").mkdir()
    (tmp_path / "polynya" / "__init__.py").write_text("")
    (tmp_path / "polynya" / "ice.py").write_text(
        "UNTESTED = 3\n\n\ndef thickness(\n    freeboard,\n):\n    return 9.0 * freeboard\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_ice.py").write_text(
        "import pytest\nfrom polynya.ice import thickness\n\n\n"
        "def test_thickness():\n    assert thickness(0.2) == 1.8\n\n\n"
        "def test_skipped():\n    pytest.skip('no data')\n"
    )
    return tmp_path


def try_all(project: Path, capsys, *rows: dict, words: tuple[str, ...] = ()) -> tuple[int, str]:
    """Write a table of mutants, run it and return the exit status and all that was printed."""
    fields = {"name": "one", "file": "ice.py", "tests": ["tests/test_ice.py::test_thickness"]}
    lines = []
    for row in rows:
        lines += [
            "[[mutant]]",
            *(f"{k} = {json.dumps(v)}" for k, v in {**fields, **row}.items()),
        ]
    table = project / "mutants.toml"
    table.write_text("\n".join(lines))
    status = mutants.main(["--table", str(table), *words], root=project)
    done = capsys.readouterr()
    return status, done.out + done.err


def test_each_change_is_caught_has_survived_or_could_not_be_made_and_the_project_is_left_alone(project, capsys):
    """The signature stands on three lines; where a pattern has a space there may be a break or nothing."""
    cases = (
        ({"old": "return 9.0 * freeboard", "new": "return 8.0 * freeboard"}, "caught", ""),
        ({"old": "UNTESTED = 3", "new": "UNTESTED = 4"}, "SURVIVED", "tests/test_ice.py::test_thickness passed"),
        (
            {"old": "thickness( freeboard, ):", "new": "thickness(freeboard, factor=2.0):\n    freeboard *= factor"},
            "caught",
            "",
        ),
        ({"old": "10.0", "new": "8.0"}, "ERROR", "pattern not found in polynya/ice.py: '10.0'; expected once"),
        ({"old": "freeboard", "new": "ice"}, "ERROR", "pattern found 2 times"),
        ({"old": "9.0", "new": "8.0", "file": "snow.py"}, "ERROR", "no file polynya/snow.py"),
        ({"old": "return 9.0", "new": "return return"}, "ERROR", "pytest ended with 4"),
    )
    before = {p: p.read_bytes() for p in project.rglob("*.py")}
    status, said = try_all(project, capsys, *({"name": f"row {k}", **row} for k, (row, _, _) in enumerate(cases)))
    assert status == 1 and "2 of 7 mutants caught" in said
    parts = re.split(r"^\[\d/7\] ", said, flags=re.MULTILINE)[1:]
    for k, (part, (row, result, why)) in enumerate(zip(parts, cases, strict=True)):
        first, *more = part.splitlines()
        assert first == f"{result:8} {row.get('file', 'ice.py')}: row {k}" and why in "".join(more[:1]), part
    assert {p: p.read_bytes() for p in project.rglob("*.py")} == before


def test_all_caught_is_success_and_words_choose(project, capsys):
    rows = (
        {"name": "long", "old": "UNTESTED = 3", "new": "UNTESTED = 4"},
        {"name": "brief", "old": "9.0", "new": "7.0", "short": True},
    )
    status, said = try_all(project, capsys, *rows, words=("--short",))
    assert status == 0 and "[1/1] caught   ice.py: brief" in said and "1 of 1 mutants caught" in said
    assert "long" not in said
    status, said = try_all(project, capsys, *rows, words=("--jobs", "2"))
    assert status == 1 and "[1/2] SURVIVED ice.py: long" in said and "[2/2] caught   ice.py: brief" in said
    status, said = try_all(project, capsys, *rows, words=("long",))
    assert status == 1 and "[1/1] SURVIVED" in said and "brief" not in said
    assert try_all(project, capsys, *rows, words=("nosuch",))[0] == 1


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("tests/test_ice.py::test_gone", "pytest ended with 4"),
        ("tests/test_ice.py::test_skipped", "every test was skipped"),
        ("tests/test_bad.py", "tests fail without any change"),
    ],
)
def test_tests_that_cannot_judge_are_an_error(project, capsys, test, text):
    (project / "tests" / "test_bad.py").write_text("def test_bad():\n    assert False\n")
    status, said = try_all(project, capsys, {"old": "9.0", "new": "8.0", "tests": [test]})
    assert status == 1 and text in said and "caught" not in said


def test_every_mutant_of_the_table_can_be_made():
    """Patterns are found once, tests are there: a rename that forgets the table fails here, before make mutants."""
    rows = mutants.load(SCRIPTS / "mutants.toml")
    assert len(rows) == len(tomllib.loads((SCRIPTS / "mutants.toml").read_text())["mutant"]) > 40
    for row in rows:
        text = (SCRIPTS.parent / "polynya" / row.file).read_text(encoding="utf-8")
        assert mutants.changed(text, row) != text, row.name
        for test in row.tests:
            path, _, name = test.partition("::")
            found = (SCRIPTS.parent / path).read_text(encoding="utf-8")
            assert not name or f"def {name.partition('[')[0]}(" in found, test
    assert 3 <= sum(row.short for row in rows) <= 12
