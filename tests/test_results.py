"""The measured numbers on the pages are those of the result files."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"


def script(name: str):
    """Return a module of scripts/, which is no package."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


render = script("render_results")
results = script("results")
FILES = sorted(RESULTS.glob("*.json"))
PAGES = {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in render.pages()}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_numbers_of_its_result_files(page):
    assert render.rendered(PAGES[page]) == PAGES[page], "run `make results RUN=pages`"


def test_every_result_is_on_a_page_and_says_where_it_comes_from():
    shown = {name for text in PAGES.values() for name in render.named(text)}
    assert {f.stem for f in FILES} == shown
    origins = {m[2] for text in PAGES.values() for m in render.BLOCK.finditer(text) if m[3] == "origin"}
    for file in FILES:
        found = json.loads(file.read_text(encoding="utf-8"))
        if "source" not in found:
            assert {"what", "command", "commit", "date", "values"} <= set(found), file.name
            assert not re.search(r"(^|[\s='\"])/(tmp|home|work|root)\b", file.read_text(encoding="utf-8")), file.name
        assert found.get("command") is None or file.stem in origins or file.stem in SHARED_ORIGIN, file.name


SHARED_ORIGIN = {"atl07_rule", "bench_predict", "bench_train", "networks_all_epochs"}
"""Results beside another on the page, whose origin stands there."""


def test_the_commands_are_scripts_that_print_json():
    for m in results.measurements().values():
        file = ROOT / results.words(m.command, {key: ["x"] for key in results.SHOWN})[0]
        assert file.is_file(), m.name
        assert '"--json"' in file.read_text(encoding="utf-8"), m.name
        assert set(m.needs) <= set(results.SHOWN) and all(render.shipped(n) for n in m.networks), m.name


NO_RESULT = {
    ("README.md", ""): {"3.11", "1.1", "2.0"},
    ("docs/networks.md", ""): {"0.90", "0.88"},
    ("docs/glacier_networks.md", ""): {"0.75", "0.77", "0.21", "0.5", "6.0"},
    ("docs/glaciers.md", ""): {
        "0.15",
        "0.4",
        "0.95",
        "0.01",
        "3.2",
        "0.7",
        "1.1",
        "04.00",
        "0.02",
        "3.4",
        "1.5",
        "1.2",
        "2.0",
        "0.05",
    },
    ("docs/ross_sea.md", ""): {"7.7", "47.6"},
    ("docs/freeboard.md", "## Numbers"): {"0.90", "0.88", "2.5"},
    ("docs/labels.md", "### The U-Net"): {"90.2", "99.0", "0.7"},
    ("docs/labels.md", "### How good it is"): set(),
}
"""By page and heading: numbers with a decimal point that are settings, targets, published or versions."""


@pytest.mark.parametrize(("page", "heading"), NO_RESULT)
def test_no_measured_number_is_typed_into_a_page(page, heading):
    text = PAGES[page]
    begin = text.index(heading)
    level = heading.split(" ")[0]
    end = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(text, begin + 1) if heading else None
    text = render.LINK.sub("", render.BLOCK.sub("", text[begin : end.start() if end else None]))
    text = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|arXiv[: ]\S+|doi:\S+", "", text, flags=re.DOTALL)
    typed = set(re.findall(r"(?<![\w.])\d*\.\d+", text))
    assert typed <= NO_RESULT[page, heading]


@pytest.mark.parametrize(
    "text, new, expected",
    [
        ("0.93", 0.876, "0.88"),
        ("93 %", 0.876, "88 %"),
        ("0.93", -0.876, "-0.88"),
        ("-0.93", 0.876, "0.88"),
        ("+1 %", -0.144, "-14 %"),
        ("±0.04", 0.051, "±0.05"),
        ("1,234", 98765.4, "98,765"),
        ("12", 29050, "29,050"),
        ("29.0 M", 31_440_000, "31.4 M"),
        ("4.6e-8", 1.26e-10, "1.3e-10"),
        ("0.50-0.52", [0.1, 0.249], "0.10-0.25"),
        ("0.50-0.52", [0.101, 0.1], "0.10"),
        ("0.50", -0.001, "0.00"),
        ("0.50", None, "-"),
        ("2601-2606", "11-14", "11-14"),
    ],
)
def test_a_number_is_written_as_the_one_before(text, new, expected):
    assert render.like(text, new) == expected


def test_a_page_takes_its_numbers_and_tables_from_a_file(tmp_path):
    found = {
        "what": "a trial",
        "command": "python trial.py",
        "commit": "abc1234",
        "date": "2026-01-02",
        "values": {"recall": {"all lakes": 0.125}},
        "tables": {"main": {"columns": ["", "x"], "rows": [["a", "1"], ["b", "2"]]}},
    }
    (tmp_path / "trial.json").write_text(json.dumps(found))
    page = (
        "is [0.99](results/trial.json#recall.all_lakes).\n"
        '<!-- results: trial main rows="b" -->\n<!-- end results -->\n'
        "<!-- results: trial origin -->\nold\n<!-- end results -->\n"
    )
    new = render.rendered(page, tmp_path)
    assert "is [0.13](results/trial.json#recall.all_lakes)." in new or "is [0.12]" in new
    assert "| b | 2 |" in new and "| a | 1 |" not in new
    assert "*`python trial.py`: polynya abc1234, 2 January 2026.*" in new and "old" not in new
    assert render.rendered(new, tmp_path) == new


def test_a_result_of_an_earlier_network_says_so():
    now = render.shipped("track-unet")
    of = {"command": "c", "commit": "a", "date": "2026-01-02", "values": {}}
    assert "trained again since" not in render.origin({**of, "networks": {"track-unet": now}})
    for networks in ({"track-unet": "0" * 16}, {"nowhere": now}):
        assert f"{next(iter(networks))}: replaced or trained again" in render.origin({**of, "networks": networks})


@pytest.mark.parametrize("page", ["[1](results/nowhere.json#a)", "[1](results/verify.json#nothing.of.it)"])
def test_a_page_that_names_what_is_not_there_is_rejected(page):
    with pytest.raises(SystemExit, match=r"nowhere|nothing"):
        render.rendered(page)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Run a small script as a measurement in a folder of its own; return whether it went well and the result file."""
    monkeypatch.setattr(render, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results.render_results, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()

    def run(text: str, **options):
        (tmp_path / "trial.py").write_text(text)
        files = {key: [] for key in results.SHOWN} | {"atl07": ["a.h5", "b.h5"]}
        m = results.Measurement(
            name="trial", what="a trial", command=f"{tmp_path / 'trial.py'} {{atl07}} --n 2", **options
        )
        return results.make(m, files=files, log=tmp_path / "log"), tmp_path / "results" / "trial.json"

    return run


def test_a_measurement_becomes_a_result_file_with_its_origin(measured):
    good, file = measured(
        "import json, sys\nprint(json.dumps({'values': {'words': sys.argv[1:], 'x': 1 / 3, 'n': float('nan')}}))",
        networks=("track-unet",),
    )
    found = json.loads(file.read_text())
    assert good and found["values"] == {"words": ["a.h5", "b.h5", "--n", "2", "--json"], "x": 0.333333, "n": None}
    assert found["command"].endswith("trial.py ATL07.h5 ... --n 2") and found["networks"]["track-unet"]
    assert re.fullmatch(r"[0-9a-f]{7,}", found["commit"]) and re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])


def test_a_measurement_that_fails_leaves_the_earlier_result(measured, capsys):
    _, file = measured('print(\'{"values": {"x": 1}}\')')
    before = file.read_text()
    good, _ = measured("raise SystemExit('no')")
    assert not good and file.read_text() == before and "failed with exit 1" in capsys.readouterr().err
    good, _ = measured("print('{}')", needs=("data",))
    assert not good and file.read_text() == before and "--data" in capsys.readouterr().err
