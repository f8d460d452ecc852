"""What a file names beside itself is not opened: no address is asked, no other file is read."""

from __future__ import annotations

import json
import os
import select
import socket
from contextlib import nullcontext
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from polynya.errors import ProductError
from polynya.io import opening, pictures, raster_doors


@pytest.fixture
def address(monkeypatch):
    """An address of this machine that nobody answers; afterwards nobody must have asked."""
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not select.select([server], [], [], 0)[0], "a request was made"


def raster(path, *, driver="GTiff", **tags):
    with rasterio.open(path, "w", driver=driver, width=64, height=64, count=1, dtype="uint8") as out:
        out.write(np.ones((1, 64, 64), np.uint8))
        for domain, values in tags.items():
            out.update_tags(ns=domain, **values)
    return path


def vrt(source, *, relative=0, more=""):
    return (
        f'<VRTDataset rasterXSize="64" rasterYSize="64">{more}<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def use(path):
    with opening.open_raster(path) as source:
        source.overviews(1)
        source.read_masks(1)
        return source.read(1, out_shape=(8, 8))


pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.mark.parametrize("domain", [{"OVERVIEWS": "OVERVIEW_FILE"}, {"GEOLOCATION": "X_DATASET"}])
def test_metadata_that_name_another_file(tmp_path, address, domain):
    (space, key), *_ = domain.items()
    path = raster(tmp_path / "a.tif", **{space: {key: f"{address}/x.tif"}})
    with pytest.raises(ProductError, match=r"^a\.tif: its metadata name another file for its .*; expected"):
        use(path)


@pytest.mark.parametrize(("driver", "ending"), [("JP2OpenJPEG", "jp2"), ("HFA", "img"), ("PNG", "png")])
def test_a_side_file_with_such_metadata(tmp_path, address, driver, ending):
    path = raster(tmp_path / f"a.{ending}", driver=driver)
    (tmp_path / f"a.{ending}.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="&#79;VERVIEW_FILE">'
        f"{address}/x.tif</MDI></Metadata></PAMDataset>"
    )
    with pytest.raises(ProductError, match="its metadata name another file"):
        (pictures.read_picture if driver == "PNG" else use)(path)


@pytest.mark.parametrize("ending", ["ovr", "msk", "ovr.msk"])
def test_overviews_or_a_mask_that_are_no_raster(tmp_path, address, ending):
    path = raster(tmp_path / "a.tif")
    if ending == "ovr.msk":
        raster(tmp_path / "plain.tif").rename(tmp_path / "a.tif.ovr")
    (tmp_path / f"a.tif.{ending}").write_text(vrt(f"{address}/x.tif"))
    with pytest.raises(ProductError, match=rf"a\.tif\.{ending} beside it is no plain GeoTIFF; expected"):
        use(path)
    outer = tmp_path / "m.vrt"
    outer.write_text(vrt("a.tif", relative=1))
    with pytest.raises(ProductError, match="beside it is no plain GeoTIFF"):
        use(outer)


def test_plain_overviews_and_masks_are_used(tmp_path):
    path = raster(tmp_path / "a.tif")
    with rasterio.open(path) as source, rasterio.Env(TIFF_USE_OVR="YES"):
        assert source.count == 1
    raster(tmp_path / "o.tif").rename(tmp_path / "a.tif.ovr")
    assert (use(path) == 1).all()


@pytest.mark.parametrize(
    "more",
    [
        '<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{address}/x.tif</MDI></Metadata>',
        "<GeoLocTransformer><X>1</X></GeoLocTransformer>",
        '<Group subClass="VRTProcessedDataset"/>',
    ],
)
def test_a_vrt_that_names_files_in_other_ways(tmp_path, address, more):
    raster(tmp_path / "a.tif")
    path = tmp_path / "m.vrt"
    path.write_text(vrt("a.tif", relative=1, more=more.format(address=address)))
    with pytest.raises(ProductError, match=r"m\.vrt: .*; expected"):
        use(path)


AREA = {"type": "Polygon", "coordinates": [[[10, 60], [11, 60], [11, 61], [10, 60]]]}
FEATURE = {"type": "Feature", "properties": {"crs": "any text", "a": 'a "quoted" word'}, "geometry": AREA}


def outlines(path, crs, *, change=lambda text: text):
    path.write_text(change(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [FEATURE]})))
    return path


@pytest.mark.parametrize("key", ['"crs"', '"\\u0063rs"', '"CRS"'])
@pytest.mark.parametrize("kind", ["link", "URL"])
def test_a_coordinate_system_that_is_a_link(tmp_path, address, kind, key):
    link = {"type": kind, "properties": {"href": f"{address}/crs", "url": f"{address}/crs"}}
    path = outlines(tmp_path / "a.geojson", link, change=lambda t: t.replace('"crs"', key))
    with pytest.raises(ProductError, match=r"a\.geojson: its coordinate system is a link to another place"):
        opening.read_vectors(path)


@pytest.mark.parametrize("change", [("{", "{/* x */", 1), ('"crs"', "'crs'", 1)])
def test_json_that_only_some_libraries_take(tmp_path, address, change):
    path = outlines(tmp_path / "a.geojson", None, change=lambda t: t.replace(*change))
    with pytest.raises(ProductError, match=r"a\.geojson: cannot be read as JSON \(at byte \d+: .* outside of a text"):
        opening.read_vectors(path)


@pytest.mark.parametrize("crs", [None, {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}])
def test_a_coordinate_system_by_name(tmp_path, crs):
    frame = opening.read_vectors(outlines(tmp_path / "a.geojson", crs))
    assert frame.crs.to_epsg() == (32633 if crs else 4326) and frame["crs"].item() == "any text"


def hdf5(path, kind):
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["secret"] = np.arange(4.0)
    (path.parent / "raw.bin").write_bytes(np.arange(4.0).tobytes())
    with h5py.File(path, "w") as file:
        group = file.create_group("deep/down")
        if kind == "an external link":
            group["x"] = h5py.ExternalLink("other.h5", "/secret")
        elif kind == "a virtual dataset":
            layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
            layout[:] = h5py.VirtualSource("other.h5", "secret", shape=(4,))
            group.create_virtual_dataset("x", layout)
        elif kind == "has its values in another file":
            group.create_dataset("x", shape=(4,), dtype="f8", external=[("raw.bin", 0, 32)])
        else:
            group["x"] = np.arange(4.0)
            group["y"] = h5py.SoftLink("/deep/down/x")
    return path


@pytest.mark.parametrize("kind", ["an external link", "a virtual dataset", "has its values in another file"])
def test_hdf5_with_values_in_another_file(tmp_path, kind):
    path = hdf5(tmp_path / "a.h5", kind)
    for opened in (opening.open_hdf5(path), opening.open_netcdf(path)):
        with pytest.raises(ProductError, match=rf"a\.h5: deep/down/x (is )?{kind}; expected a file that holds"), opened:
            pass


def test_hdf5_with_links_in_itself(tmp_path):
    with opening.open_hdf5(hdf5(tmp_path / "a.h5", "own")) as file:
        assert file["deep/down/y"][2] == 2.0


@pytest.mark.parametrize("is_vrt", [False, True])
def test_a_raster_that_claims_what_it_does_not_hold(tmp_path, is_vrt):
    path = tmp_path / "a.tif"
    shape = {"width": 200_000, "height": 200_000, "count": 1, "dtype": "float32", "tiled": True}
    rasterio.open(
        path, "w", driver="GTiff", SPARSE_OK=True, BIGTIFF="YES", blockxsize=4096, blockysize=4096, **shape
    ).close()
    if is_vrt:
        path = tmp_path / "m.vrt"
        path.write_text(vrt("a.tif", relative=1).replace('"64"', '"200000"'))
    with pytest.raises(ProductError, match=r"claims 200,000 x 200,000 pixels, [\d.]+ GB, in [\d.]+ MB; expected"):
        use(path)


@pytest.mark.parametrize(
    "options", [{"compress": "zstd"}, {"compress": "deflate", "nbits": 1}, {"compress": "ccittfax4", "nbits": 1}]
)
def test_a_mask_of_one_value_is_whole_however_well_it_packs(tmp_path, monkeypatch, options):
    """6000 pixels a side in blocks of 2000; the bound for raster size is lowered as far as the file is small."""
    monkeypatch.setattr(raster_doors, "MOST_EMPTY", 1 << 20)
    path, n = tmp_path / "a.tif", 6000
    shape = {"width": n, "height": n, "count": 1, "dtype": "uint8", "tiled": True, "blockxsize": 2000}
    with rasterio.open(path, "w", driver="GTiff", blockysize=2000, **shape, **options) as out:
        out.write(np.zeros((1, n, n), np.uint8))
    assert n * n > raster_doors.MOST_INFLATION * path.stat().st_size
    assert not use(path).any()


def test_a_sparse_mosaic_is_told_how_to_be_read(tmp_path, monkeypatch):
    """What the message says is done: written with all of its blocks, the same mosaic opens."""
    monkeypatch.setattr(raster_doors, "MOST_EMPTY", 1 << 20)
    sparse, whole = tmp_path / "sparse.tif", tmp_path / "whole.tif"
    shape = {"width": 8192, "height": 8192, "count": 1, "dtype": "float32", "tiled": True, "nodata": 0}
    rasterio.open(sparse, "w", driver="GTiff", SPARSE_OK=True, blockxsize=1024, blockysize=1024, **shape).close()
    with pytest.raises(ProductError, match=r"write all of it \(gdal_translate -co COMPRESS=DEFLATE -co TILED=YES\)\.$"):
        use(sparse)
    copy(sparse, whole, driver="GTiff", compress="deflate", tiled=True)
    assert not use(whole).any()


@pytest.mark.parametrize("dtype", ["complex_int16", "complex64", "float64", "int8"])
def test_bytes_of_every_kind_of_pixel_count(dtype):
    """By rasterio's own names: 4, 8, 8 and 1 bytes a pixel; one more than the file may hold is too much."""
    size = {"complex_int16": 4, "complex64": 8, "float64": 8, "int8": 1}[dtype]
    stored = 1 << 20
    for extra, is_wrong in ((0, False), (1, True)):
        width = (raster_doors.MOST_INFLATION * stored) // size + extra
        source = SimpleNamespace(width=width, height=1, dtypes=(dtype,), compression=None, tags=lambda *_, **__: {})
        with pytest.raises(ProductError) if is_wrong else nullcontext():
            raster_doors.check_size(source, "a.tif", stored)
    source.width = raster_doors.MOST_EMPTY // size  # small rasters may hold nothing
    raster_doors.check_size(source, "a.tif", 1)


@pytest.mark.parametrize("ending", [".ovr", ".msk", ".aux.xml"])
def test_a_pipe_beside_a_raster(tmp_path, ending):
    path = raster(tmp_path / "a.tif")
    os.mkfifo(path.with_name(path.name + ending))
    with pytest.raises(ProductError, match=f"{ending} beside it is a pipe or a device"), opening.open_raster(path):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("name", ["a.prj", "a.dbf"])
def test_a_pipe_beside_a_shapefile(tmp_path, name):
    (tmp_path / "a.shp").write_bytes(b"\x00\x00\x27\x0a" + bytes(96))
    os.mkfifo(tmp_path / name)
    with pytest.raises(ProductError, match=f"{name} beside it is a pipe or a device"):
        opening.read_vectors(tmp_path / "a.shp")


def test_hdf5_whose_list_of_links_is_damaged(tmp_path):
    """Behind the damage there may be a link to another file."""
    path = hdf5(tmp_path / "a.h5", "an external link")
    with h5py.File(path, "r+") as file:
        for k in range(40):
            file.create_group(f"a{k}")
    data = bytearray(path.read_bytes())
    at = data.find(b"SNOD")
    while at >= 0:
        data[at : at + 4] = b"XXXX"
        at = data.find(b"SNOD")
    path.write_bytes(bytes(data))
    with pytest.raises(ProductError, match=r"a\.h5: its list of links is damaged; expected"), opening.open_hdf5(path):
        pass


def test_hdf5_that_changed_is_looked_at_again(tmp_path):
    path = hdf5(tmp_path / "a.h5", "own")
    with opening.open_hdf5(path):
        pass
    hdf5(path, "an external link")
    with pytest.raises(ProductError, match="is an external link"), opening.open_hdf5(path):
        pass
