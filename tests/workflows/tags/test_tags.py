"""From products to tags: the table, what is not assessed, the page, earlier results, damaged and foreign input."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from polynya import errors, io, schema
from polynya.cli import app
from polynya.errors import PolynyaError, ProductError, UsageError
from polynya.io import footprints, pictures
from polynya.predict import images as predict_images
from polynya.predict import runtime as predict_runtime
from polynya.readers import image_folder, imagette_products, wv_quicklooks
from polynya.report import imagettes
from polynya.schema.imagette_tags import BITS, IMAGETTE_TAGS, NOT_ASSESSED, PROBABILITIES
from polynya.schema.imagettes import TAGS, Imagette
from polynya.workflows import tags
from polynya.workflows.tags import answers, messages, network, summary
from tests.real_files import sar

from . import tag_networks

N = 9
SLICE = "s1a-wv1-slc-vv-20160101t051525-20160101t051528-009300-00d6fe-001"


@pytest.fixture(scope="module")
def net(tmp_path_factory) -> Path:
    return tag_networks.by_scalars(tmp_path_factory.mktemp("n") / "near.onnx")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return tag_networks.imagettes(tmp_path_factory.mktemp("s") / "set", count=N)


@pytest.fixture(scope="module")
def done(made, net, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("o")
    [record] = tags.run([made], out=out, config=tags.Config(network=str(net)))
    assert record.status == "done", record.message
    return out / "set"


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Path:
    """An SLC product of one imagette of each beam."""
    return tag_networks.imagettes(tmp_path_factory.mktemp("p") / "safe", count=2, seed=5, form="safe")


@pytest.fixture
def used(net) -> network.Used:
    return network.load(tags.Config(network=str(net)))


def table(folder):
    return schema.check(io.read_table(folder / "tags.parquet"), IMAGETTE_TAGS)


def imagette(**more) -> Imagette:
    """Return an imagette of noise over the Atlantic, as wv1 sees it."""
    picture = np.random.default_rng(0).gamma(4.0, 0.25, (400, 400)).astype(np.float32)
    values = {
        "name": SLICE, "source": "made", "product": "made", "picture": picture, "quantity": "roughness",
        "azimuth_pixel_m": 50.0, "range_pixel_m": 50.0, "mask": np.ones((400, 400), bool), "satellite": "S1A",
        "beam": "wv1", "incidence_angle": 23.8, "latitude": 40.0, "longitude": -30.0,
    }  # fmt: skip
    return Imagette(**{**values, **more})


def quality(used, one, **config) -> int:
    block = answers.answer([one], used, tags.Config(**config), first=0)
    assert not (block.given.any() and block.quality[0] & NOT_ASSESSED)
    return int(block.quality[0])


def test_the_table_is_what_the_network_says(done, made, net):
    found = table(done)
    assert found["number"].to_pylist() == list(range(N)) and found["file"].to_pylist() == [
        r.filename for r in wv_quicklooks.read_table(made)
    ]
    said = predict_images.predict(predict_images.load(net), wv_quicklooks.read(made))
    p = np.stack([schema.to_numpy(found[n]) for n in PROBABILITIES], axis=1)
    np.testing.assert_allclose(p, said.probability, atol=1e-6)
    for k, row in enumerate(found.to_pylist()):
        assert row["tags"] == [t for j, t in enumerate(TAGS) if p[k, j] >= 0.5]
        assert row["precise_tags"] == [t for j, t in enumerate(TAGS[:9]) if p[k, j] >= 0.8]
        assert row["unknown"] == (not row["tags"]) and row["tag_quality"] & NOT_ASSESSED == 0
        absent = np.prod(1 - p[k])
        assert row["confidence"] == pytest.approx(max(p[k]) if row["tags"] else absent)
    assert found["beam"].to_pylist() == [n.split("-")[1] for n in found["name"].to_pylist()]
    meta = found.schema.metadata
    assert meta[b"is_simulated"] == b"true" and meta[b"network"] == b"near" and b"simulated" in meta[b"comment"]
    assert json.loads(meta[b"thresholds"])["sea_ice"] == 0.5 and meta[b"source_path"].decode() == str(made)


def test_every_column_has_a_unit_and_words(done):
    for f in table(done).schema:
        needs_none = any(word in str(f.type) for word in ("string", "bool", "timestamp"))
        assert f.metadata[b"long_name"] and (f.metadata.get(b"units") or needs_none), f.name


def test_simulated_is_said_everywhere(done):
    run = json.loads((done / "run.json").read_text())
    page = (done / "report.html").read_text()
    assert "(simulated)" in page and "nothing here is evidence of skill" in page
    assert run["inputs"][0]["is_simulated"] is True and run["network"]["is_simulated"] is True
    assert "learned from simulated imagettes only" in page and "open ocean only" in page
    assert run["counts"]["tags"].keys() == set(TAGS) and run["numbers"]["n_imagettes"] == N
    assert sum(run["counts"]["tags_per_imagette"].values()) == N


@pytest.mark.parametrize(
    ("more", "bit"),
    [
        ({}, 0),
        ({"incidence_angle": 30.0}, BITS["beam_or_incidence_not_in_training"]),
        ({"incidence_angle": 36.8, "beam": "wv2"}, 0),
        ({"incidence_angle": np.nan, "beam": ""}, BITS["beam_and_incidence_not_known"]),
        ({"azimuth_pixel_m": 100.0, "range_pixel_m": 100.0}, BITS["size_not_in_training"]),
        ({"azimuth_pixel_m": 10.0, "range_pixel_m": 10.0}, BITS["size_not_in_training"]),
        ({"latitude": 52.0, "longitude": 10.0}, BITS["near_land"]),
        ({"latitude": 21.3, "longitude": -157.5}, BITS["near_land"]),
        ({"latitude": np.nan, "longitude": np.nan}, BITS["place_not_known"]),
        ({"quantity": "grey"}, BITS["no_calibration"]),
        ({"mask": np.arange(160_000).reshape(400, 400) > 40_000}, BITS["part_of_picture_missing"]),
        ({"picture": np.full((400, 400), 100.0, np.float32)}, BITS["far_from_training_images"]),
        ({"notes": (image_folder.PIXELS_ASSUMED,)}, BITS["pixel_size_not_known"]),
        ({"satellite": "S1D"}, BITS["satellite_not_in_training"]),
        ({"satellite": ""}, 0),
    ],
)
def test_what_limits_an_answer(used, more, bit):
    mine = quality(used, imagette(**more)) & ~BITS["no_tag_reaches_its_threshold"]
    assert mine == bit


def test_nearness_of_land_may_be_left_out_and_is_not_asked_of_simulated_ones(used):
    inland = imagette(latitude=52.0, longitude=10.0)
    assert not quality(used, inland, land_km=0.0) & BITS["near_land"]
    note = (schema.Note(code="simulated", text="simulated"),)
    assert not quality(used, dataclasses.replace(inland, notes=note)) & BITS["near_land"]
    far = imagette(latitude=48.0, longitude=-8.0)  # 240 km off Brittany
    assert not quality(used, far) & BITS["near_land"] and quality(used, far, land_km=300.0) & BITS["near_land"]


def test_a_network_with_fewer_tags_and_beams(tmp_path):
    few = tag_networks.by_scalars(tmp_path / "n.onnx", beams=["wv2"])
    used = network.load(tags.Config(network=str(few)))
    assert quality(used, imagette()) & BITS["beam_or_incidence_not_in_training"]
    assert quality(used, imagette(incidence_angle=np.nan, beam="wv1")) & BITS["beam_or_incidence_not_in_training"]


def test_footprints(tmp_path):
    """A polygon where corners are known, cut at 180 degrees, a point where the middle is, else nothing."""
    square = [[179.9, -179.9, -179.9, 179.9], [10.0, 10.0, 10.2, 10.2]]
    cut = footprints.footprint(*square, np.array([180.0, 10.1]))
    assert cut.geom_type == "MultiPolygon" and cut.is_valid and cut.area == pytest.approx(0.2 * 0.2)
    assert all(p.exterior.is_ccw for p in cut.geoms) and cut.bounds[0] == -180.0 and cut.bounds[2] == 180.0
    plain = footprints.footprint([1.0, 1.0, 2.0, 2.0], [0.0, 1.0, 1.0, 0.0], np.array([1.5, 0.5]))
    assert plain.exterior.is_ccw and plain.area == 1.0
    assert footprints.footprint([], [], np.array([3.0, 4.0])).equals(shapely.Point(3, 4))
    assert footprints.footprint([], [], np.array([np.nan, 4.0])) is None


def test_the_table_is_geoparquet(done):
    frame = geopandas.read_parquet(done / "tags.parquet")
    assert frame.crs.to_epsg() in (4326, None) and len(frame) == N and (frame.geom_type == "Point").all()
    np.testing.assert_allclose(frame.geometry.x, frame["longitude"])


def test_a_product_has_footprints_and_beams(tmp_path, product, net):
    [record] = tags.run([product], out=tmp_path / "out", config=tags.Config(network=str(net)))
    assert record.status == "done", record.message
    frame = geopandas.read_parquet(Path(record.outputs["tags"]))
    assert len(frame) == 2 and set(frame.geom_type) == {"Polygon"} and frame.geometry.is_valid.all()
    assert shapely.contains_xy(frame.geometry.to_numpy(), frame["longitude"], frame["latitude"]).all()
    assert (frame["quantity"] == "roughness").all() and (frame["file"] == "").all()
    assert {round(v) for v in frame["incidence_angle"]} <= {24, 37}


def test_a_finished_product_is_not_tagged_again(done, made, net):
    before = (done / "tags.parquet").stat().st_mtime_ns
    config = tags.Config(network=str(net))
    [again] = tags.run([made], out=done.parent, config=config)
    assert again.status == "skipped" and again.numbers["n_imagettes"] == N and "done before" in again.message
    assert (done / "tags.parquet").stat().st_mtime_ns == before
    [other] = tags.run([made], out=done.parent, config=tags.Config(network=str(net), land_km=5.0))
    assert other.status == "failed" and "other settings (land_km)" in other.message
    text = tags.as_text([again])
    assert text.count("done before") == 1 and text.startswith("set: done before\n") and f"{N} imagettes" in text
    assert "  - These imagettes are simulated" in text and str(done.parent) not in text.partition("\n")[0]


def test_many_products_and_their_page(tmp_path, made, net):
    for name in ("a", "b"):
        shutil.copytree(made, tmp_path / "in" / name)
    (tmp_path / "in" / "b" / "tags.csv").write_text("nonsense\n")
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["tags", str(tmp_path / "in"), "-o", str(out), "--network", str(net), "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 3 and [r["status"] for r in found["products"]] == ["done", "failed"]
    assert "b/tags.csv" in result.stderr and not (out / "b").exists()
    assert "share of imagettes with a tag" in (out / "index.html").read_text()


def refused(out: Path, *words: object) -> str:
    """Run the command; assert exit code 1, one line, and that nothing is left."""
    result = CliRunner().invoke(app, ["tags", *map(str, words), "-o", str(out)])
    error, code = result.stderr, result.exit_code
    if isinstance(result.exception, PolynyaError):
        error, code = error + f"polynya: {errors.one_line(result.exception)}\n", result.exception.exit_code
    lines = error.strip().splitlines()
    assert code == 1 and len(lines) == 1 and lines[0].endswith("."), (code, error, result.exception)
    assert "Traceback" not in error and "polynya failed on it" not in error
    assert not out.exists() or not [p for p in out.rglob("*") if p.is_file()]
    return lines[0]


@pytest.fixture
def copied(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "set"))


def test_pictures_that_cannot_be_read_cost_themselves(tmp_path, copied, done, net):
    """One cut, one gone, one without a valid pixel: the others have the rows that they have without them."""
    files = [copied / r.filename for r in wv_quicklooks.read_table(copied)]
    os.truncate(files[0], files[0].stat().st_size // 2)
    files[3].unlink()
    pictures.write_tiff(files[5], np.zeros((400, 400), np.uint16), nodata=0)
    words = ["tags", str(copied), "-o", str(tmp_path / "o"), "--network", str(net)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3 and result.stderr.splitlines() == [
        f"polynya: set: 3 of {N} pictures cannot be read; the others are tagged."
    ]
    assert all(files[k].name in result.stdout for k in (0, 3, 5)) and "no pixel is valid" in result.stdout
    bad, before = {0, 3, 5}, table(done).to_pylist()
    for k, row in enumerate(table(tmp_path / "o" / "set").to_pylist()):
        if k not in bad:
            assert repr(row) == repr(before[k])  # as text: NaN is not equal to itself
            continue
        assert row["tag_quality"] == BITS["picture_not_readable"] and row["unknown"] and row["tags"] == []
        assert {n: row[n] for n in ("number", "name", "file", "time", "beam", "absolute_orbit", "latitude")} == {
            n: before[k][n] for n in ("number", "name", "file", "time", "beam", "absolute_orbit", "latitude")
        }
        assert np.isnan([row[n] for n in (*PROBABILITIES, "confidence", "distance")]).all() and row["rows"] == 0
    run = json.loads((tmp_path / "o" / "set" / "run.json").read_text())
    assert run["numbers"]["n_damaged"] == run["counts"]["quality"]["picture_not_readable"] == 3
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 3 and "done before" in again.stdout and "3 of 9 pictures" in again.stderr


def test_a_set_without_a_whole_picture_and_a_bad_table_are_one_line(tmp_path, copied, net):
    option = ("--network", net)
    for row in wv_quicklooks.read_table(copied):
        os.truncate(copied / row.filename, 100)
    assert f"none of its {N} pictures can be read" in refused(tmp_path / "o", copied, *option)
    text = (copied / "tags.csv").read_text()
    rows = text.splitlines()
    place = rows[0].split(",").index("latitude")
    cells = rows[1].split(",")
    cells[place] = "nan"
    (copied / "tags.csv").write_text("\n".join([rows[0], ",".join(cells), *rows[2:]]) + "\n")
    assert "latitude is 'nan'" in refused(tmp_path / "o", copied, *option)


def test_what_is_no_product_is_one_line(tmp_path, net):
    option = ("--network", net)
    assert "no such file or folder" in refused(tmp_path / "o", tmp_path / "nothing", *option)
    (tmp_path / "a.png").write_bytes(b"x")
    assert "is a file; expected" in refused(tmp_path / "o", tmp_path / "a.png", *option)
    (tmp_path / "empty").mkdir()
    assert "holds 0 images" in refused(tmp_path / "o", tmp_path / "empty", *option)
    other = tmp_path / "S1A_EW_GRDM_1SDH_20221130T014342.SAFE"
    other.mkdir()
    assert "manifest.safe" in refused(tmp_path / "o", other, *option)
    (other / "manifest.safe").write_text("<xml/>")
    refused(tmp_path / "o", other, *option)


def test_a_product_that_lacks_files(tmp_path, product, net):
    product = Path(shutil.copytree(product, tmp_path / product.name))
    for pattern in ("annotation/calibration/noise-*", "measurement/*"):
        path = min(product.glob(pattern))
        held = path.read_bytes()
        path.unlink()
        done = CliRunner().invoke(
            app, ["tags", str(product), "-o", str(tmp_path / "o"), "--network", str(net), "--overwrite"]
        )
        assert done.exit_code == 3 and "1 of 2 pictures cannot be read" in done.stdout and "is missing" in done.stdout
        found = table(tmp_path / "o" / tags.name_of(product)).to_pylist()
        assert [bool(r["tag_quality"] & BITS["picture_not_readable"]) for r in found] == [True, False]
        assert all(len(r["corner_latitude"]) == 4 for r in found)  # the manifest knows where it would be
        path.write_bytes(held)
    shutil.rmtree(tmp_path / "o")
    for path in product.glob("measurement/*"):
        os.truncate(path, len(held) // 2)
    assert "none of its 2 pictures can be read" in refused(tmp_path / "o", product, "--network", net)
    shutil.rmtree(product / "measurement")
    line = refused(tmp_path / "o", product, "--network", net)
    assert "no measurement files, footprints only: the manifest lists 2 imagettes" in line and "Download" in line


@pytest.mark.real
def test_a_real_manifest_without_pictures_is_one_line(tmp_path, net):
    name = "safe/S1B_WV_SLC__1SSV_20210403T083025_20210403T084452_026300_032390_D542.SAFE"
    assert "footprints only: the manifest lists 60 imagettes" in refused(tmp_path / "o", sar(name), "--network", net)


@pytest.mark.real
def test_real_quicklooks_run(tmp_path, net):
    [record] = tags.run([sar("wv_quicklooks")], out=tmp_path, config=tags.Config(network=str(net)))
    found = table(tmp_path / "wv_quicklooks").to_pylist()
    assert len(found) == 5 and all(r["tag_quality"] & BITS["no_calibration"] for r in found)
    assert all(r["tag_quality"] & BITS["place_not_known"] for r in found)
    assert not any(r["tag_quality"] & BITS["size_not_in_training"] for r in found)
    assert (
        "without calibration" in record.message
        and "(simulated)" not in (tmp_path / "wv_quicklooks" / "report.html").read_text()
    )


def test_foreign_folders_are_left_alone(tmp_path, made, net):
    (tmp_path / "o" / "set").mkdir(parents=True)
    (tmp_path / "o" / "set" / "mine.txt").write_text("mine")
    for more in ((), ("--overwrite",)):
        result = CliRunner().invoke(app, ["tags", str(made), "-o", str(tmp_path / "o"), "--network", str(net), *more])
        assert result.exit_code == 1 and "set" in result.stderr
    assert [p.name for p in (tmp_path / "o").rglob("*") if p.is_file()] == ["mine.txt"]
    shutil.copytree(made, tmp_path / "in")
    [record] = tags.run([tmp_path / "in"], out=tmp_path / "in" / "out", config=tags.Config(network=str(net)))
    assert record.status == "failed" and "lies in the input" in record.message


def test_networks_that_do_not_fit(tmp_path, made, monkeypatch):
    with pytest.raises(ProductError, match="no such file"):
        tags.run([made], out=tmp_path / "o", config=tags.Config(network=str(tmp_path / "x.onnx")))
    vectors = tag_networks.by_scalars(tmp_path / "v.onnx", kind="vectors", vectors="v.npy")
    with pytest.raises(ProductError, match="takes feature vectors"):
        tags.run([made], out=tmp_path / "o", config=tags.Config(network=str(vectors)))
    monkeypatch.setattr(predict_runtime, "is_shipped", lambda name: False)
    with pytest.raises(UsageError, match=r"--network: is missing.*polynya train"):
        tags.run([made], out=tmp_path / "o")
    with pytest.raises(UsageError, match="given more than once"):
        tags.run(
            [made, made],
            out=tmp_path / "o",
            config=tags.Config(network=str(tag_networks.by_scalars(tmp_path / "n.onnx"))),
        )
    assert not (tmp_path / "o").exists()


def test_names_of_products(tmp_path, made):
    for path in (tmp_path / "sets" / "a", tmp_path / "sets" / "b"):
        path.mkdir(parents=True)
        shutil.copy(made / "tags.csv", path)
    (tmp_path / "sets" / "c").mkdir()
    names = imagette_products.named([tmp_path / "sets"])
    assert [Path(n).name for n in names] == ["a", "b"]
    assert imagette_products.named([made]) == [str(made)] and imagette_products.count(made) == N
    assert tags.name_of("x/S1A_WV_SLC__1SSV_1.SAFE") == tags.name_of("S1A_WV_SLC__1SSV_1.zip") == "S1A_WV_SLC__1SSV_1"
    assert tags.name_of("x/A.SAFE/manifest.safe") == "A"


def test_of_many_imagettes_the_page_shows_some_of_every_tag():
    """1,000 imagettes, 2 of them rare: the rare ones are kept, and the common ones are a fair draw."""
    total = summary.Summary(most=40)
    kept = []
    for first in range(0, 1000, 50):
        given = np.zeros((50, 10), bool)
        given[:, 0] = True
        if first == 500:
            given[:2] = False
            given[:2, 5] = True
        total.add(block(first, given))
    kept = [s.number for s in total.shown()]
    assert len(kept) == 40 and {500, 501} <= set(kept) and total.tags["pure_ocean_waves"] == 998
    rest = [k for k in kept if k not in (500, 501)]
    assert 300 < np.mean(rest) < 700 and kept == sorted(kept)


def block(first: int, given: np.ndarray) -> answers.Block:
    n = len(given)
    columns = {v.name: [""] * n if str(v.dtype) == "string" else np.zeros(n) for v in IMAGETTE_TAGS.variables}
    columns |= {n: [[]] * len(given) for n in ("corner_latitude", "corner_longitude", "precise_tags")}
    columns |= {"tags": answers.words(given), "number": first + np.arange(n), "unknown": ~given.any(axis=1)}
    columns |= {"time": np.full(n, np.datetime64("NaT", "ns"))}
    greys = tuple(np.zeros((8, 8), np.uint8) for _ in range(n))
    return answers.Block(
        table=schema.table(IMAGETTE_TAGS, columns),
        greys=greys,
        given=given,
        precise=given,
        quality=np.zeros(n, np.int32),
        simulated=0,
        damaged=(),
        notes=(),
    )


def test_the_page_is_whole_and_fetches_nothing(done):
    page = (done / "report.html").read_text()
    data = json.loads(re.search(r'<script id="imagettes" type="application/json">(.*?)</script>', page, re.DOTALL)[1])
    assert len(data["items"]) == N and all(i["jpeg"] for i in data["items"])
    assert data["items"][0]["about"][0].startswith("20") and data["items"][0]["about"][0].endswith("Z")
    assert not re.search(r'(src|href)="(?!#|data:)', page) and "All imagettes." in page


def test_pictures_without_calibration_and_of_hh_get_no_tag(used):
    """Thresholds are fitted on levels of VV: without a level every simulated sea without a phenomenon got a tag."""
    for more, bit in (
        ({"quantity": "grey"}, "no_calibration"),
        ({"polarisation": "HH"}, "polarisation_not_in_training"),
    ):
        block = answers.answer([imagette(**more)], used, tags.Config(), first=0)
        (row,) = block.table.to_pylist()
        assert row["tag_quality"] & BITS[bit] and row["unknown"] and row["tags"] == row["precise_tags"] == []
        assert np.isfinite([row[n] for n in PROBABILITIES]).all() and np.isnan(row["confidence"])
    assert not quality(used, imagette(polarisation="VV")) & NOT_ASSESSED


def test_precise_tags_are_some_of_the_tags(tmp_path):
    """Where the threshold of precision lies below that of the best F1, as for sea ice of the shipped network."""
    low = tag_networks.described()["decision"] | {"best_f1": [0.9] * 10, "precise": [1e-9] * 10}
    used = network.load(tags.Config(network=str(tag_networks.by_scalars(tmp_path / "n.onnx", decision=low))))
    block = answers.answer(
        [imagette(), imagette(picture=np.ones((400, 400), np.float32))], used, tags.Config(), first=0
    )
    assert not (block.precise & ~block.given).any()
    for row in block.table.to_pylist():
        assert set(row["precise_tags"]) <= set(row["tags"]) and not (row["unknown"] and row["precise_tags"])


def test_a_calibrated_picture_of_unknown_pixel_size_says_so(tmp_path, net):
    """What a file does not state is a guess of 50 m: tags of it stand, with a bit and a sentence."""
    (tmp_path / "set").mkdir()
    about = {"quantity": "roughness_db", "beam": "wv1", "incidence_angle": "23.8"}
    stated = {**about, "azimuth_pixel_m": "50", "range_pixel_m": "50"}
    numbers = np.random.default_rng(1).integers(30_000, 45_000, (400, 400)).astype(np.uint16)
    for name, tags_of in (("a", about), ("b", stated)):
        pictures.write_tiff(tmp_path / "set" / f"{name}.tiff", numbers, scale=1e-3, offset=-40.0, tags=tags_of)
    [record] = tags.run([tmp_path / "set"], out=tmp_path / "o", config=tags.Config(network=str(net)))
    rows = table(tmp_path / "o" / "set").to_pylist()
    assert [bool(r["tag_quality"] & BITS["pixel_size_not_known"]) for r in rows] == [True, False]
    assert rows[0]["azimuth_pixel"] == 50.0 and rows[0]["tags"] == rows[1]["tags"]
    assert "1 of 2 imagettes are of unknown pixel size, and 50 m were assumed" in record.message


def test_another_satellite_than_that_of_the_training_is_said(used):
    total = summary.Summary()
    total.add(answers.answer([imagette(), imagette(satellite="S1D")], used, tags.Config(), first=0))
    said = " ".join(messages.sentences(used, tags.Config(), total))
    assert "1 of 2 imagettes are of a satellite that the network has not learned (S1D; it has learned S1A)" in said


def test_a_text_is_a_list_only_if_it_names_something(tmp_path, net):
    (tmp_path / "text.txt").write_text("Dear colleague,\nplease find the imagettes below.\n")
    line = refused(tmp_path / "o", tmp_path / "text.txt", "--network", net)
    assert "is read as a list" in line and "none of its 2 lines" in line and "'Dear colleague,'" in line


def test_the_page_names_the_hash_of_the_weights(tmp_path, made):
    """The same that docs and model card show; run.json has that of the file beside it."""
    net = tag_networks.by_scalars(tmp_path / "n.onnx", weights_sha256="ab" * 32)
    used = network.load(tags.Config(network=str(net)))
    facts = messages.facts(used, summary.Summary(), product="made")
    assert facts["network"] == "n" and facts["sha256 of its weights"] == "ab" * 8
    assert used.about["weights_sha256"] == "ab" * 32 != used.about["sha256"] == used.sha256


def test_every_reason_for_no_tag_has_words():
    assert {BITS[n] for n in messages.ASIDE} == {b for b in BITS.values() if b & NOT_ASSESSED}
    assert set(imagettes.QUALITY_WORDS) == set(BITS)
