"""Tiles of the published layout and our own: values, labels, padding, places; and that a window reads a window."""

from __future__ import annotations

import multiprocessing

import h5py
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import Affine

from polynya.errors import ProductError, UsageError
from polynya.readers import glacier_tiles
from polynya.sensors.glaciers import TABLE

GRID = GeoBox((100, 70), Affine(10.0, 0, 600000.0, 0, -10.0, 5200000.0), "EPSG:32632")


def arrays(shape=(100, 70), seed=0):
    rng = np.random.default_rng(seed)
    sensors = {
        "optical": rng.uniform(0, 0.9, (6, *shape)),
        "dem": rng.uniform(10, 80, (2, *shape)),
        "co_pol_sar": rng.uniform(0.01, 1, (2, *shape)),
    }
    sensors = {k: v.astype(np.float32) for k, v in sensors.items()}
    sensors["optical"][:, 5:9, 5:9] = np.nan
    sensors["optical"][4:] = np.nan
    labels = rng.integers(0, 2, shape).astype(np.uint8)
    labels[20:30] = 255
    return sensors, labels, rng.integers(0, 32, shape).astype(np.uint8)


def ours(path, *, pad_to=None):
    sensors, labels, strata = arrays()
    with h5py.File(path, "w") as file:
        glacier_tiles.write_tile(
            file,
            "ALP-a-0-0",
            glacier_tiles.Tile(sensors=sensors, labels=labels, strata=strata),
            geobox=GRID,
            scene="a",
            region="ALP",
            pad_to=pad_to,
        )
    return sensors, labels, strata


def published(path, *, shape=(9, 11), pad=(3, 2), stored=(16, 16), scaled=True, change=None):
    """Write a tile as the published set has it: float64, contiguous, zeros around; odd padding leaves one row more at
    the end."""
    rng = np.random.default_rng(2)
    inner = {s.name: rng.uniform(0.05, 0.95, (*shape, len(s.bands))) for s in TABLE}
    if not scaled:
        inner["dem"] = inner["dem"] * 3000
    inner["optical"][0, 0], inner["in_sar"][0, 0] = 0, (0, 0.5)
    labels = rng.integers(0, 2, shape)
    hot = np.stack([labels == 0, labels == 1], -1).astype(float)
    hot[1, 1], hot[2, 2] = 0, 1
    with h5py.File(path, "w") as file:
        group = file.create_group("ALP-10-5")
        for name, data in {
            **inner,
            "outlines": hot,
            "bright_dark_outlines": np.dstack([hot, 0 * hot[..., :1]]),
        }.items():
            full = np.zeros((*stored, data.shape[2]))
            full[pad[0] : pad[0] + shape[0], pad[1] : pad[1] + shape[1]] = data
            group.create_dataset(name, data=full)
        about = {
            "region": "ALP",
            "subregion": "ALP",
            "tile_name": "ALP-10-5",
            "epsg": 4326,
            "height": stored[0],
            "width": stored[1],
            "original_height": shape[0],
            "original_width": shape[1],
            "padding_height": pad[0],
            "padding_width": pad[1],
            "xmin": 10.0,
            "xmax": 10.0011,
            "ymin": 46.0,
            "ymax": 46.0009,
        }
        for key, value in about.items():
            group.attrs[key] = value
        if change:
            change(group)
    return inner, labels


def test_ours_come_back_exactly(tmp_path):
    sensors, labels, strata = ours(tmp_path / "t.h5")
    (record,) = glacier_tiles.open_tiles(tmp_path / "t.h5")
    tile = glacier_tiles.read_window(record)
    assert tuple(tile.sensors) == ("optical", "dem", "co_pol_sar")
    for name, values in sensors.items():
        np.testing.assert_array_equal(tile.sensors[name], values)
        assert tile.sensors[name].dtype == np.float32
    np.testing.assert_array_equal(tile.labels, labels)
    np.testing.assert_array_equal(tile.strata, strata)
    assert (record.scene, record.region, record.subregion, record.is_scaled) == ("a", "ALP", None, False)
    assert (record.grid, record.corner, record.pixel) == ("EPSG:32632", (600000.0, 5200000.0), (10.0, 10.0))
    lon, lat = Transformer.from_crs(32632, 4326, always_xy=True).transform(600350.0, 5199500.0)
    assert (record.longitude, record.latitude) == (pytest.approx(lon), pytest.approx(lat))


def test_our_layout_on_disk_is_the_contract(tmp_path):
    ours(tmp_path / "t.h5", pad_to=128)
    with h5py.File(tmp_path / "t.h5") as file:
        group = file["ALP-a-0-0"]
        assert (
            group["optical"].shape == (128, 128, 6)
            and group["optical"].dtype == np.float32
            and group["optical"].chunks == (64, 64, 6)
            and group["optical"].compression
        )
        assert group["outlines"].shape == (128, 128, 2) and group["strata"].dtype == np.uint8
        assert {
            "region",
            "subregion",
            "height",
            "width",
            "original_height",
            "original_width",
            "padding_height",
            "padding_width",
            "extent",
            "crs",
            "transform",
            "scene",
        } <= set(group.attrs)
        outlines = group["outlines"][:]
        assert outlines[20:30].sum() == 0 and outlines[100:].sum() == 0 and (outlines[:20, :70].sum(-1) == 1).all()
        np.testing.assert_allclose(group.attrs["transform"], [10, 0, 600000, 0, -10, 5200000])
    (record,) = glacier_tiles.open_tiles(tmp_path / "t.h5")
    assert record.shape == (100, 70) and glacier_tiles.read_window(record).labels.shape == (100, 70)


def test_windows_bits_and_missing_sensors(tmp_path):
    sensors, labels, strata = ours(tmp_path / "t.h5", pad_to=128)
    (record,) = glacier_tiles.open_tiles(tmp_path / "t.h5")
    tile = glacier_tiles.read_window(record, window=((15, 40), (60, 70)))
    np.testing.assert_array_equal(tile.sensors["dem"], sensors["dem"][:, 15:40, 60:70])
    np.testing.assert_array_equal(tile.labels, labels[15:40, 60:70])
    np.testing.assert_array_equal(tile.strata, strata[15:40, 60:70])
    rows, columns = slice(15, 40), slice(60, 70)
    values = record.values(("dem", "thermal", "optical"), rows, columns)
    assert values.shape == (9, 25, 10) and np.isnan(values[2]).all()
    np.testing.assert_array_equal(values[:2], sensors["dem"][:, rows, columns])
    bits = record.target("outlines", rows, columns)
    np.testing.assert_array_equal(bits, np.choose(np.where(labels == 255, 2, labels)[rows, columns], [1, 2, 0]))
    with pytest.raises(UsageError, match="inside 100 x 70"):
        glacier_tiles.read_window(record, window=((90, 101), (0, 5)))


def test_published_values_are_unscaled_and_fill_is_missing(tmp_path):
    inner, labels = published(tmp_path / "p.h5")
    (record,) = glacier_tiles.open_tiles(tmp_path / "p.h5")
    assert record.is_scaled and record.shape == (9, 11) and record.offset == (3, 2) and record.scene == "ALP-10-5"
    tile = glacier_tiles.read_window(record)
    np.testing.assert_allclose(tile.sensors["dem"][0], inner["dem"][..., 0] * (8349.4 + 103.3) - 103.3, rtol=1e-5)
    np.testing.assert_allclose(
        tile.sensors["co_pol_sar"][0], 10 ** (inner["co_pol_sar"][..., 0] * 7.758 - 6) - 1e-6, rtol=1e-4, atol=1e-9
    )
    np.testing.assert_allclose(tile.sensors["thermal"][0], inner["thermal"][..., 0] * 322.08, rtol=1e-5)
    assert np.isnan(tile.sensors["optical"][:, 0, 0]).all() and np.isfinite(tile.sensors["optical"]).sum() == 6 * 98
    assert np.isnan(tile.sensors["in_sar"][0, 0, 0]) and tile.sensors["in_sar"][1, 0, 0] == 0.5
    expected = labels.copy()
    expected[1, 1] = expected[2, 2] = 255  # neither class, and both
    np.testing.assert_array_equal(tile.labels, expected)
    assert tile.strata is None


def test_published_layout_with_physical_values_is_not_unscaled(tmp_path):
    inner, _ = published(tmp_path / "p.h5", scaled=False)
    (record,) = glacier_tiles.open_tiles(tmp_path / "p.h5")
    assert not record.is_scaled
    np.testing.assert_allclose(
        glacier_tiles.read_window(record).sensors["dem"], np.moveaxis(inner["dem"], -1, 0), rtol=1e-6
    )


def test_a_tile_in_degrees_has_a_place_in_metres(tmp_path):
    published(tmp_path / "p.h5")
    (record,) = glacier_tiles.open_tiles(tmp_path / "p.h5")
    assert (
        record.grid == "EPSG:32632"
        and record.latitude == pytest.approx(46.00045)
        and record.longitude == pytest.approx(10.00055)
    )
    # a degree of longitude at 46 N is 77.5 km (WGS 84), of latitude 111.15 km
    assert record.pixel == (pytest.approx(0.0001 * 77465, rel=1e-3), pytest.approx(0.0001 * 111147, rel=1e-3))
    x, y = Transformer.from_crs(4326, 32632, always_xy=True).transform(10.00055, 46.00045)
    assert record.corner[0] + record.pixel[0] * 5.5 == pytest.approx(x, abs=1e-6) and record.corner[1] - record.pixel[
        1
    ] * 4.5 == pytest.approx(y, abs=1e-6)


def _read_in_child(record, queue):
    queue.put(float(np.nansum(glacier_tiles.read_window(record).sensors["dem"])))


def test_records_travel_to_a_forked_process(tmp_path):
    sensors, _, _ = ours(tmp_path / "t.h5")
    (record,) = glacier_tiles.open_tiles(tmp_path / "t.h5")
    glacier_tiles.read_window(record)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(record, queue))
    child.start()
    assert queue.get(timeout=60) == pytest.approx(float(np.nansum(sensors["dem"])))
    child.join()


def test_refused_in_one_line(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_group("a")
    for name, says in (
        ("gone.h5", "no such file"),
        ("text.h5", "cannot be read as HDF5"),
        ("empty.h5", "no group with outlines"),
    ):
        with pytest.raises(ProductError, match=says):
            glacier_tiles.open_tiles(tmp_path / name)

    def too_far(group):
        group.attrs["original_height"] = 15

    def one_band(group):
        del group["dem"]
        group["dem"] = np.zeros((16, 16, 1))

    for change, says in ((too_far, "expected them to fit"), (one_band, "ALP-10-5/dem has shape")):
        published(tmp_path / "p.h5", change=change)
        with pytest.raises(ProductError, match=says):
            glacier_tiles.open_tiles(tmp_path / "p.h5")
    ours(tmp_path / "t.h5")
    (record,) = glacier_tiles.open_tiles(tmp_path / "t.h5")
    with pytest.raises(ProductError, match="has no bright_dark_outlines"):
        record.target("bright_dark_outlines", slice(0, 4), slice(0, 4))
    (tmp_path / "t.h5").unlink()
    with pytest.raises(ProductError, match="moved or changed"):
        glacier_tiles.read_window(record)


def test_a_writer_refuses_what_does_not_fit(tmp_path):
    sensors, labels, _ = arrays()
    more = {"geobox": GRID, "scene": "a"}
    with h5py.File(tmp_path / "t.h5", "w") as file:
        glacier_tiles.write_tile(file, "x", glacier_tiles.Tile(sensors=sensors, labels=labels), **more)
        for bad, says in (
            ({"sensors": sensors, "labels": labels}, "has a tile of this name"),
            ({"sensors": {"dem": sensors["dem"][:, 1:]}, "labels": labels}, "dem does not fit"),
            ({"sensors": {}, "labels": labels}, "no sensor"),
            ({"sensors": sensors, "labels": np.full_like(labels, 7)}, "expected 0, 1 and 255"),
        ):
            with pytest.raises(UsageError, match=says):
                glacier_tiles.write_tile(file, "x" if "name" in says else "y", glacier_tiles.Tile(**bad), **more)


def test_the_published_scaling_is_that_of_the_set():
    """Least and largest values of the training data of Maslov et al. (2025, doi:10.11582/2024.00168); radar in log10 of
    sigma0 + 1e-6."""
    assert glacier_tiles.PUBLISHED_SCALING == {
        "optical": ((0.0, 2.05), (0.0, 2.13), (0.0, 2.23), (0.0, 2.68), (0.0, 2.12), (0.0, 2.16)),
        "dem": ((-103.3, 8349.4), (0.0, 88.98)),
        "co_pol_sar": ((-6.0, 1.758), (-6.0, 15.635)),
        "cross_pol_sar": ((-6.0, 1.389), (-6.0, 15.906)),
        "in_sar": ((0.0, 1.0), (0.0, 1.0)),
        "thermal": ((0.0, 322.08),),
    }
