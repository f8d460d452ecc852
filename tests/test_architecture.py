"""The rooms and who may import whom, walked from the source."""

from __future__ import annotations

import ast
import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import polynya

PACKAGE = Path(polynya.__file__).parent
FILES = sorted(p for p in PACKAGE.rglob("*.py"))

# A room may import its own and any of a higher number's; the same number only where it is the same room.
LEVELS = {
    "__main__": -1,
    "cli": 0,
    "workflows": 1,
    "train": 2,
    "predict": 2,
    "evaluate": 2,
    "report": 2,
    "engine": 2,
    "families": 3,
    "targets": 3,
    "description": 3,
    "models": 3,
    "checkpoint": 3,
    "export": 3,
    "calibrate": 3,
    "spread": 3,
    "open_set": 3,
    "losses": 3,
    "metrics": 3,
    "recipes": 3,
    "samples": 4,
    "labels": 4,
    "glaciers": 4,
    "tracks": 5,
    "scenes": 5,
    "readers": 6,
    "simulate": 6,
    "physics": 6,
    "io": 7,
    "schema": 7,
    "sensors": 7,
    "modules": 7,
    "compiled": 7,
    "errors": 7,
}
# Rooms of one level that may lean on each other: readers take tables' shapes from physics, simulators take the readers'
# constants, and the bottom level is one.
SAME_LEVEL = {
    ("readers", "physics"),
    ("simulate", "physics"),
    ("simulate", "readers"),
    ("io", "schema"),
    ("io", "errors"),
    ("schema", "errors"),
    ("sensors", "errors"),
    ("sensors", "modules"),
    ("calibrate", "metrics"),
    ("targets", "calibrate"),
    ("targets", "losses"),
    ("targets", "spread"),
    ("targets", "metrics"),
    ("description", "calibrate"),
    ("description", "targets"),
    ("description", "families"),
    ("description", "spread"),
    ("families", "description"),
    ("families", "targets"),
    ("families", "metrics"),
    ("families", "models"),
    ("families", "calibrate"),
    ("families", "recipes"),
    ("families", "open_set"),
    ("recipes", "targets"),
    ("checkpoint", "description"),
    ("checkpoint", "families"),
    ("export", "description"),
    ("export", "families"),
    ("checkpoint", "models"),
    ("checkpoint", "export"),
    ("samples", "glaciers"),
}
# Still against the direction; each goes in a commit of its own.
NOT_YET: set[tuple[str, str]] = set()
PLOTTING = {"matplotlib", "seaborn", "plotly", "bokeh", "cartopy", "folium", "pyvista"}
PHYSICS_MAY = {"numpy", "scipy", "numba"}
HEAVY = (
    "numpy",
    "numba",
    "scipy",
    "h5py",
    "pyarrow",
    "pandas",
    "xarray",
    "geopandas",
    "matplotlib",
    "rasterio",
    "pydantic",
    "torch",
    "pyspark",
    "onnxruntime",
)
# Keys of a free-form record: what they carry is the file's attributes or run.json's entries, not options.
TAKES_ANY_KEYWORD = {"io/records.py:run_record", "simulate/icesat2/layout.py:set_text"}
# Rooms whose files are named as the product, the architecture, the family or the published result they hold.
NAMED_AS_THEIR_SUBJECT = {"readers", "models", "recipes", "samples"}
LONGEST_FILE, LONGEST_LINE, MOST_PARAMETERS = 500, 120, 8
# Records that are no records: what they hold changes while they work.
CHANGES_WHILE_IT_WORKS = {
    "evaluate/rasters.py:Sums",
    "samples/scene_windows.py:Tiles",
    "train.py:_Progress",
    "workflows/leads/summary.py:Summary",
    "workflows/tags/summary.py:Summary",
}
# Files that do not keep a rule yet; every line must become empty.
NOT_YET_FILES = {
    "short": "",
    "narrow": "",
    "parameters": "",
    "result or raise": "",
    "records": "",
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Return the parsed source of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def is_not_yet(name: str, rule: str) -> bool:
    """Return whether a file is known not to keep a rule yet."""
    return name in NOT_YET_FILES[rule].split()


def room(path: Path) -> str:
    """Return the room a file belongs to: the folder or the module at the top of the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int]]:
    """Return every module a file imports, absolute, wherever in the file, with the line."""
    here = path.relative_to(PACKAGE.parent).parent.parts
    out = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            out += [(a.name, node.lineno) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            # "from . import icesat2" and "from .. import io" import modules, not names
            out += [(f"{module}.{a.name}" if module.startswith("polynya") else module, node.lineno) for a in node.names]
    return out


def test_the_walk_sees_relative_absolute_and_inner_imports(tmp_path, monkeypatch):
    (tmp_path / "polynya" / "physics").mkdir(parents=True)
    source = tmp_path / "polynya" / "physics" / "a.py"
    source.write_text(
        "from .. import io\nfrom . import b\nfrom ..readers.icesat2 import utc\nimport numpy as np\ndef f():\n   "
        " import h5py.h5d\n    from scipy import signal\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "polynya")
    assert [m for m, _ in imports(source)] == [
        "polynya.io",
        "polynya.physics.b",
        "polynya.readers.icesat2.utc",
        "numpy",
        "h5py.h5d",
        "scipy",
    ]


def test_every_room_has_its_place():
    rooms = {room(p) for p in FILES} - {"__init__", "data", "recipes", "weights"}
    assert rooms <= set(LEVELS), f"{rooms - set(LEVELS)} are in no level: say in LEVELS where they belong"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = room(path)
    if own not in LEVELS:
        return
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] != "polynya" or len(parts) < 2 or parts[1] not in LEVELS or parts[1] == own:
            continue
        other = parts[1]
        allowed = LEVELS[other] > LEVELS[own] or (own, other) in SAME_LEVEL | NOT_YET
        assert allowed, (
            f"{path.relative_to(PACKAGE)}:{line} ({own}) imports {module}: imports go cli -> workflows -> ... -> errors"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_parties_keep_to_their_rooms(path):
    own = room(path)
    for module, line in imports(path):
        top = module.split(".")[0]
        where = f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        assert top not in ("pickle", "cPickle", "dill", "cloudpickle", "joblib"), where
        if top == "pyspark":
            assert path.relative_to(PACKAGE).as_posix() == "engine/spark.py", where
        if top in PLOTTING:
            assert own == "report", where
        if own == "physics" and top != "polynya" and top not in sys.stdlib_module_names:
            assert top in PHYSICS_MAY, where
        if own == "physics" and top == "polynya" and len(module.split(".")) > 1:
            assert module.split(".")[1] in ("physics", "schema", "errors", "compiled"), where


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_house_rules_that_the_source_shows(path):
    assert not FORBIDDEN_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)
    tree = tree_of(path)
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} asserts: raise a PolynyaError"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{path.name}:{node.lineno} calls {node.func.id}"
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    for function in public:
        name = f"{path.relative_to(PACKAGE).as_posix()}:{function.name}"
        assert function.args.kwarg is None or name in TAKES_ANY_KEYWORD, (
            f"{name} (line {function.lineno}) takes **kwargs"
        )
    assert ast.get_docstring(tree), f"{path.relative_to(PACKAGE)} does not say what it holds"


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of a function's parameters, without self and cls."""
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def may_take_many(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function is a command, a verb's ``run`` or a compiled kernel."""
    is_verb = room(path) == "cli" or (room(path) == "workflows" and function.name == "run")
    return is_verb or any(w in ast.unparse(d) for d in function.decorator_list for w in ("njit", "compiled."))


def returns_words_or_result(annotation: ast.expr | None) -> bool:
    """Return whether a return annotation is ``X | str``: a result, or a sentence that says why there is none."""
    names, parts = set(), [annotation]
    while parts:
        part = parts.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
            parts += [part.left, part.right]
        elif part is not None:
            names.add(ast.unparse(part))
    return "str" in names and bool(names - {"str", "None"})


def open_records(tree: ast.Module) -> list[str]:
    """Return the dataclasses that are not both frozen and keyword-only."""
    out = []
    for node in ast.walk(tree):
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else []:
            words = ast.unparse(decorator)
            if "dataclass" in words and not ("frozen=True" in words and "kw_only=True" in words):
                out.append(node.name)
    return out


def shared_prefixes(names: list[str]) -> set[str]:
    """Return the first words that three files of a folder or more have in common."""
    first = [n.split("_")[0] for n in names]
    return {word for word in first if word and first.count(word) > 2}


def test_the_walks_find_what_they_look_for():
    source = """
@dataclass(frozen=True)
class A: ...
@dataclasses.dataclass(frozen=True, kw_only=True)
class B: ...
def f(a, b, c, d, e, f, g, h, *, i) -> Table | str: ...
@compiled.kernel
def k(a, b, c, d, e, f, g, h, i) -> str | None: ...
class C:
    def m(self, a, b, c, d, e, f, g, h) -> Path: ...
"""
    tree = ast.parse(source)
    functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    assert open_records(tree) == ["A"]
    assert {n: len(parameters(f)) for n, f in functions.items()} == {"f": 9, "k": 9, "m": 8}
    assert {n for n, f in functions.items() if may_take_many(PACKAGE / "io" / "x.py", f)} == {"k"}
    assert {n for n, f in functions.items() if returns_words_or_result(f.returns)} == {"f"}
    assert shared_prefixes(["sea_ice", "sea_surface", "sea_level", "seasons", "ice_map", "ice_rules"]) == {"sea"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_lines_and_signatures_are_short(path):
    name = path.relative_to(PACKAGE).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_FILE or is_not_yet(name, "short"), f"{name} has {len(lines)} lines"
    wide = [k for k, line in enumerate(lines, 1) if len(line) > LONGEST_LINE]
    assert not wide or is_not_yet(name, "narrow"), f"{name}: lines {wide} are longer than {LONGEST_LINE} characters"
    for function in ast.walk(tree_of(path)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        where, count = f"{name}:{function.lineno} {function.name}", len(parameters(function))
        few = count <= MOST_PARAMETERS or may_take_many(path, function) or is_not_yet(name, "parameters")
        assert few, f"{where} takes {count} parameters: give it a record"
        clear = not returns_words_or_result(function.returns) or is_not_yet(name, "result or raise")
        assert clear, f"{where} returns a result or a sentence: return a result or raise"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_records_are_frozen_and_keyword_only(path):
    name = path.relative_to(PACKAGE).as_posix()
    found = [f"{name}:{record}" for record in open_records(tree_of(path))]
    found = [record for record in found if record not in CHANGES_WHILE_IT_WORKS]
    assert not found or is_not_yet(name, "records"), f"{found}: @dataclass(frozen=True, kw_only=True)"


# What opens a file for reading; polynya.io.opening alone may, so that it alone says what is safe.
OPENS = {"open_dataset", "read_text", "read_bytes", "read_file", "read_dataframe", "read_parquet"}
READING_ROOMS = {"readers", "scenes", "glaciers", "workflows"}
# Read and write in ways of their own: raw chunks of a granule, and tables that a person edits.
OPENS_ITSELF = {"readers/hdf5_chunks.py", "readers/icesat2.py", "workflows/label/__init__.py"}


def opens_directly(tree: ast.Module) -> list[int]:
    """Return the lines in which a file is opened for reading without :mod:`polynya.io.opening`."""
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.split(".")[-1]
        modes = [a.value for a in (*node.args[:2], *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
        is_writing = any(isinstance(m, str) and m in ("w", "a", "r+", "x", "wb", "ab") for m in modes)
        is_open = name in ("open", "h5py.File", "rasterio.open") or (last == "open" and name != "os.open")
        is_ours = name.startswith("opening.") or name.startswith("webbrowser.")
        if not is_ours and ((is_open and not is_writing) or last in OPENS):
            lines.append(node.lineno)
    return lines


def test_the_walk_finds_what_opens_a_file():
    source = """
rasterio.open(path)
rasterio.open(path, "w", driver="GTiff")
h5py.File(path, "r")
h5py.File(path, "a")
path.open("rb")
gpd.read_file(path)
opening.read_text(path)
path.read_text(encoding="utf-8")
opening.open_raster(path)
"""
    assert opens_directly(ast.parse(source)) == [2, 4, 6, 7, 9]


@pytest.mark.parametrize(
    "path", [p for p in FILES if room(p) in READING_ROOMS], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_files_are_opened_in_one_place(path):
    name = path.relative_to(PACKAGE).as_posix()
    lines = opens_directly(tree_of(path))
    assert not lines or name in OPENS_ITSELF, f"{name}: lines {lines} open files: use polynya.io.opening"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_one_file_knows_parquet(path):
    """The others read and write through it, so that every page is checked."""
    knows = any(word in path.read_text(encoding="utf-8") for word in ("pyarrow.parquet", "pyarrow import parquet"))
    calls = [n.lineno for n in ast.walk(tree_of(path)) if isinstance(n, ast.Attribute) and n.attr == "to_parquet"]
    name = path.relative_to(PACKAGE).as_posix()
    assert not knows or name == "io/parquet.py", f"{name}: use polynya.io.parquet"
    assert not calls or name == "io/polygons.py", f"{name}: lines {calls}: use polynya.io.polygons"


def test_a_prefix_that_three_files_share_is_a_folder():
    for folder in {p.parent for p in FILES} - {PACKAGE / n for n in NAMED_AS_THEIR_SUBJECT}:
        names = [p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")]
        assert not shared_prefixes(names), f"{folder.relative_to(PACKAGE)}/: make {shared_prefixes(names)} a folder"


def loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {m.split(".")[0] for m in done.stdout.split()}


def test_importing_polynya_is_light():
    assert not loaded_by("import polynya") & set(HEAVY)


def test_importing_the_command_line_is_light():
    assert not loaded_by("import polynya.cli") & set(HEAVY)


def test_the_main_workflow_needs_no_training_stack():
    assert not loaded_by("import polynya.workflows.freeboard") & {
        "torch",
        "pyspark",
        "onnxruntime",
        "matplotlib",
        "geopandas",
        "rasterio",
    }


READERS = [f"polynya.readers.{p.stem}" for p in sorted((PACKAGE / "readers").glob("*.py")) if p.stem != "__init__"]


def test_readers_with_a_product_are_found():
    assert {"polynya.readers.icesat2_atl03", "polynya.readers.icesat2_atl07", "polynya.readers.icesat2_atl10"} <= set(
        READERS
    )


@pytest.mark.parametrize("name", READERS)
def test_a_reader_says_what_it_reads(name):
    module = importlib.import_module(name)
    if not hasattr(module, "PRODUCT"):
        assert not hasattr(module, "RELEASES")
        return
    assert isinstance(module.PRODUCT, str) and module.PRODUCT
    assert isinstance(module.RELEASES, tuple) and isinstance(module.CHECKED, tuple)
    assert set(module.CHECKED) <= set(module.RELEASES)
    assert callable(module.read) and module.read.__doc__
    assert "Raises" in module.read.__doc__
    assert (module.__doc__ or "").find("Checked on") >= 0, "say on which real files the reader was checked"


def test_every_workflow_is_a_command():
    """A workflow file with run() is imported by name in the command line."""
    files = [*(PACKAGE / "workflows").glob("*.py"), *(PACKAGE / "workflows").glob("*/__init__.py")]
    workflows = {
        p.parent.name if p.name == "__init__.py" else p.stem
        for p in files
        if "\ndef run(" in p.read_text(encoding="utf-8")
    }
    assert {"freeboard", "verify", "info", "evaluate"} <= workflows
    called = {
        m.split(".")[-1]
        for file in (PACKAGE / "cli").glob("*.py")
        for m, _ in imports(file)
        if m.startswith("polynya.workflows.")
    }
    assert workflows <= called, f"{workflows - called} cannot be reached from the command line"
    for name in workflows:
        module = importlib.import_module(f"polynya.workflows.{name}")
        assert module.run.__doc__ and "Raises" in module.run.__doc__


@pytest.mark.parametrize("folder", ["benchmarks", "scripts"])
def test_what_people_run_needs_no_tests(folder):
    """An installation from a release has no tests."""
    lines = [
        (p.name, line)
        for p in (PACKAGE.parent / folder).glob("*.py")
        for line in p.read_text(encoding="utf-8").splitlines()
    ]
    assert lines and not [(n, line) for n, line in lines if line.lstrip().startswith(("from tests", "import tests"))]


def test_the_order_of_test_files_names_files():
    from tests import conftest

    assert len(set(conftest.FIRST)) == len(conftest.FIRST)
    assert all((conftest.ROOT / name).is_file() for name in conftest.FIRST)
