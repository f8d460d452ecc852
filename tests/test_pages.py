"""The pages that say how to add something are steps that work: their files are written as they stand, and used."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "polynya" / "weights").glob("*.md"))]
LINK = re.compile(r"\]\((?P<target>[^)\s#]+)[^)\s]*\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```\w+ title=\"(?P<path>[\w/.]+)\"\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write the files of a page into a new folder that Python imports from, and return the folder."""

    def write(page: str) -> Path:
        text = (DOCS / page).read_text(encoding="utf-8")
        found = list(FILE.finditer(text))
        assert found, f"docs/{page} contains no file: a code block with its path as the title"
        for block in found:
            path = tmp_path / block["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
        return tmp_path

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name in [n for n in sys.modules if n.split(".")[0] == "mylab"]:
        del sys.modules[name]


def test_the_engine_of_the_page_runs_every_item(written):
    from polynya import engine
    from polynya.engine.protocol import DONE, FAILED
    from polynya.errors import ProductError

    from .engine.test_contract import Item, Record

    def task(item: Item) -> Record:
        if item.name == "bad":
            raise ProductError("bad: is damaged. Download it again.")
        return Record(item=item.name, status=DONE)

    written("add_an_engine.md")
    records = engine.load("mylab.one_by_one", workers=2).map(task, [Item(name="good"), Item(name="bad")])
    assert [(r.item, r.status) for r in records] == [("good", DONE), ("bad", FAILED)]


def test_the_reader_of_the_page_reads_a_beam(tmp_path, monkeypatch):
    import h5py
    import numpy as np

    text = (DOCS / "add_a_reader.md").read_text(encoding="utf-8")
    code = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    (tmp_path / "atl99.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import atl99

    with h5py.File(tmp_path / "ATL99.h5", "w") as file:
        file.attrs["short_name"] = "ATL99"
        group = file.create_group("gt1r/waves")
        for name, values in {
            "delta_time": [10.0, 20.0],
            "latitude": [70.0, 70.1],
            "longitude": [-20.0, -20.1],
            "swh": np.array([1.5, 2.5], np.float32),
        }.items():
            group[name] = values
    table = atl99.read(tmp_path / "ATL99.h5", beam="gt1r")
    assert table["swh"].to_pylist() == [1.5, 2.5] and table["quality"].null_count == 2
    assert atl99.read(tmp_path / "ATL99.h5", beam="gt3l").num_rows == 0


def saved(folder: Path, recipe: str) -> Path:
    """Build the untrained network of a recipe, and export it."""
    from polynya import checkpoint, families, recipes

    plan = recipes.load(str(folder / recipe))
    description = families.named(plan.family_name).network(plan)
    return checkpoint.save(folder, network=checkpoint.build(description).eval(), description=description).onnx


def test_the_sensors_of_the_page_open_a_scene_and_make_a_network(written):
    pytest.importorskip("torch")
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    from polynya.predict import runtime
    from polynya.scenes import scene

    folder = written("add_a_sensor.md")
    for name, pixel, bands in (
        ("optical", 10.0, {"green": 0.25, "nir": 0.5}),
        ("lwir", 20.0, {"thermal K": 280.0}),
    ):
        side = int(640 / pixel)
        with rasterio.open(
            folder / f"{name}.tif",
            "w",
            driver="GTiff",
            width=side,
            height=side,
            count=len(bands),
            dtype="float32",
            crs="EPSG:32645",
            transform=from_origin(500000, 3700000, pixel, pixel),
        ) as file:
            for k, (band, value) in enumerate(bands.items(), 1):
                file.write(np.full((side, side), value, np.float32), k)
                file.set_band_description(k, band)
    lake = scene.open_scene([str(folder / "optical.tif"), f"thermal={folder / 'lwir.tif'}"], kind="mylab.lakes")
    values = scene.read(lake)
    assert {k: v.shape for k, v in values.items()} == {"optical": (2, 64, 64), "thermal": (1, 64, 64)}
    assert np.allclose(values["optical"][1], 0.5) and np.allclose(values["thermal"], 280.0)

    network = runtime.load(saved(folder, "mylab/lakes.yaml"), runtime="onnxruntime")
    assert network.description.sensor_table == "mylab.lakes" and network.description.classes == ("land", "lake")
    assert network.evaluate(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 2, 32, 32)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(page):
    """Also where the repository is read as it stands, and not as a site."""
    targets = [m["target"] for m in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8")))]
    local = [t for t in targets if not t.startswith(("http://", "https://", "mailto:"))]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_every_quality_bit_is_explained():
    from polynya.schema import QUALITY_BITS

    text = (DOCS / "conventions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S", text, re.MULTILINE)
    assert [(int(bit), name) for bit, name in rows] == [*QUALITY_BITS]
