"""Opening files: what is read, what is an error in one line, and that nothing goes to a network."""

from __future__ import annotations

import http.server
import os
import threading

import geopandas as gpd
import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from shapely.geometry import box

from polynya.errors import ProductError
from polynya.io import opening


@pytest.fixture
def raster(tmp_path):
    path = tmp_path / "tiles" / "a.tif"
    path.parent.mkdir()
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=4,
        height=3,
        count=1,
        dtype="uint8",
        crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 500000, 0, -10, 6000000),
    ) as out:
        out.write(np.arange(12, dtype=np.uint8).reshape(3, 4), 1)
    return path


@pytest.fixture
def served():
    """Serve a port of this machine and count the requests that arrive."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def use(opened):
    """Open and close; functions that return at once have done so."""
    with opened:
        pass


def vrt(path, source, *, relative=1, band=""):
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>500000, 10, 0, 6000000, 0, -10</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"{band}><SimpleSource>'
        f'<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_raster_is_read(raster):
    with opening.open_raster(raster) as source:
        np.testing.assert_array_equal(source.read(1), np.arange(12).reshape(3, 4))


def test_a_vrt_of_rasters_beside_it_is_read(raster):
    for source in ("tiles/a.tif", str(raster)):
        path = vrt(raster.parent.parent / "mosaic.vrt", source, relative=int(source.startswith("tiles")))
        with opening.open_raster(path) as found:
            np.testing.assert_array_equal(found.read(1), np.arange(12).reshape(3, 4))


@pytest.mark.parametrize("source", ["../tiles/a.tif", "tiles/none.tif", "tiles"])
def test_a_vrt_must_not_point_elsewhere(raster, source):
    folder = raster.parent.parent / "own"
    folder.mkdir()
    (folder / "tiles").mkdir()
    with pytest.raises(ProductError, match=r"m\.vrt: its source .* is no file in the folder of the VRT; expected"):
        use(opening.open_raster(vrt(folder / "m.vrt", source)))


def test_a_link_out_of_the_folder_is_outside_too(raster):
    folder = raster.parent.parent / "own"
    folder.mkdir()
    (folder / "a.tif").symlink_to(raster)
    with pytest.raises(ProductError, match="is no file in the folder of the VRT"):
        use(opening.open_raster(vrt(folder / "m.vrt", "a.tif")))


@pytest.mark.parametrize("kind", ["VRTRawRasterBand", "VRTDerivedRasterBand"])
def test_a_vrt_of_raw_bytes_or_code_is_not_read(raster, kind):
    path = vrt(raster.parent / "m.vrt", "a.tif", band=f' subClass="{kind}"')
    with pytest.raises(ProductError, match=rf"m\.vrt: holds a {kind}; expected plain bands"):
        use(opening.open_raster(path))


def test_a_vrt_under_another_name_is_checked_too(raster):
    path = vrt(raster.parent / "m.tif", "../../x.tif")
    with pytest.raises(ProductError, match="is no file in the folder"):
        use(opening.open_raster(path))


@pytest.mark.parametrize(
    "start", ['<?xml version="1.0"?>', "<!-- a comment -->", "\ufeff", "\n  ", f"<!-- {'x' * 900} -->"]
)
def test_a_vrt_that_begins_with_something_else_is_checked_too(raster, start):
    folder = raster.parent.parent / "own"
    folder.mkdir()
    path = vrt(folder / "m.tif", raster, relative=0)
    path.write_text(start + path.read_text(), encoding="utf-8")
    with rasterio.open(path) as source:  # the library alone reads the file outside
        assert source.driver == "VRT" and source.read(1)[0, 1] == 1
    with pytest.raises(ProductError, match=r"m\.tif: .*; expected"):
        use(opening.open_raster(path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SourceFilename", "sourcefilename"),
        ("<SourceFilename", '<SourceFilename xmlns="x"'),
        ("relativeToVRT", "RELATIVETOVRT"),
    ],
)
def test_the_case_and_the_namespace_of_a_source_do_not_matter(raster, old, new):
    folder = raster.parent.parent / "own"
    folder.mkdir()
    path = vrt(folder / "m.vrt", "../tiles/a.tif")
    path.write_text(path.read_text().replace(old, new))
    with rasterio.open(path) as source:
        assert source.read(1)[0, 1] == 1
    with pytest.raises(ProductError, match="is no file in the folder of the VRT"):
        use(opening.open_raster(path))


def test_a_source_must_not_be_a_vrt(raster):
    vrt(raster.parent / "b.tif", "/elsewhere/x.tif", relative=0)
    with pytest.raises(ProductError, match=r"m\.vrt: its source b\.tif is a VRT, too; expected GeoTIFF"):
        use(opening.open_raster(vrt(raster.parent / "m.vrt", "b.tif")))


@pytest.mark.parametrize("form", ["/vsicurl/{}/a.tif", "{}/a.tif"])
def test_a_vrt_with_an_address_asks_no_server(tmp_path, served, form):
    address, asked = served
    with pytest.raises(ProductError, match="is no file in the folder"):
        use(opening.open_raster(vrt(tmp_path / "m.vrt", form.format(address), relative=0)))
    assert asked == []


@pytest.mark.parametrize("form", ["{}/a.tif", "/vsicurl/{}/a.tif", "/vsizip/x.zip/a.tif", "zip+{}/a.zip!a.tif"])
@pytest.mark.parametrize(
    "reading", [opening.open_raster, opening.read_vectors, opening.open_hdf5, opening.open_netcdf, opening.read_text]
)
def test_addresses_are_errors_and_ask_no_server(served, form, reading):
    address, asked = served
    with pytest.raises(ProductError, match=r"is an address, not a file; expected a file on this machine"):
        use(reading(form.format(address)))
    assert asked == []


@pytest.mark.parametrize(
    "reading", [opening.open_raster, opening.read_vectors, opening.open_hdf5, opening.open_netcdf, opening.read_text]
)
def test_only_regular_files_are_opened(tmp_path, reading):
    os.mkfifo(tmp_path / "pipe.gpkg")
    (tmp_path / "folder.gpkg").mkdir()
    for name, words in (("pipe", "is a pipe or a device"), ("folder", "is a folder"), ("none", "no such file at")):
        with pytest.raises(ProductError, match=rf"{name}\.gpkg: {words}.*; expected ") as caught:
            use(reading(tmp_path / f"{name}.gpkg"))
        assert "\n" not in str(caught.value)


def test_other_raster_formats_are_not_opened(tmp_path):
    path = tmp_path / "a.asc"
    path.write_text("ncols 2\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\nNODATA_value -9999\n1 2\n")
    with rasterio.open(path) as source:  # the library alone would
        assert source.driver == "AAIGrid"
    with pytest.raises(ProductError, match=r"a\.asc: cannot be read as a raster \(.*\); expected GeoTIFF or JPEG 2000"):
        use(opening.open_raster(path))


@pytest.mark.parametrize("ending", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_vectors_are_read(tmp_path, ending):
    frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326")
    path = tmp_path / f"a{ending}"
    frame.to_parquet(path) if ending == ".parquet" else frame.to_file(path)
    found = opening.read_vectors(path)
    assert found["name"].tolist() == ["a"] and found.crs.to_epsg() == 4326
    assert found.geometry.iloc[0].equals(frame.geometry.iloc[0])


def test_a_vector_file_is_what_its_name_says(tmp_path):
    frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326")
    frame.to_file(tmp_path / "a.geojson")
    (tmp_path / "a.geojson").rename(tmp_path / "a.gpkg")
    with pytest.raises(ProductError, match=r"a\.gpkg: is GeoJSON inside; expected GPKG"):
        opening.read_vectors(tmp_path / "a.gpkg")
    (tmp_path / "a.kml").write_text("<kml/>")
    with pytest.raises(ProductError, match=r"a\.kml: ends in \.kml; expected one of \.gpkg"):
        opening.read_vectors(tmp_path / "a.kml")


@pytest.mark.parametrize("ending", sorted(opening.VECTOR_DRIVERS))
@pytest.mark.parametrize("start", ["", "\ufeff", '<?xml version="1.0"?>\n'])
def test_a_vector_vrt_under_another_name_asks_no_server(tmp_path, served, ending, start):
    address, asked = served
    path = tmp_path / f"a{ending}"
    path.write_text(
        f'{start}<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{address}/a.json</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>",
        encoding="utf-8",
    )
    with pytest.raises(
        ProductError,
        match=rf"a\{ending}: is something else inside; expected {{}}".format(opening.VECTOR_DRIVERS[ending]),
    ):
        opening.read_vectors(path)
    assert asked == []


def test_geojson_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.json"
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326").to_file(path, driver="GeoJSON")
    path.write_bytes("\ufeff\n".encode() + path.read_bytes())
    assert opening.read_vectors(path)["name"].tolist() == ["a"]


def test_options_of_the_vector_library_are_set_back(tmp_path):
    import pyogrio

    path = tmp_path / "a.json"
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326").to_file(path, driver="GeoJSON")
    opening.read_vectors(path)
    assert pyogrio.get_gdal_config_option("CPL_VSIL_CURL_ALLOWED_FILENAME") is None


def test_a_table_without_geometry_is_no_vector_file(tmp_path):
    import pandas as pd

    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ProductError, match=r"a\.parquet: .*expected polygons of ice\. Look"):
        opening.read_vectors(tmp_path / "a.parquet", expected="polygons of ice. Look")


def test_hdf5_and_netcdf_are_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1, 2]
    with opening.open_hdf5(tmp_path / "a.h5") as file:
        assert file["x"][:].tolist() == [1, 2]
    assert opening.is_hdf5(tmp_path / "a.h5")
    data = xr.Dataset({"v": ("n", [3.0, 4.0])})
    for name, options in (
        ("a.nc", {"engine": "h5netcdf"}),
        ("b.nc", {"engine": "scipy", "format": "NETCDF3_CLASSIC"}),
    ):
        data.to_netcdf(tmp_path / name, **options)
        with opening.open_netcdf(tmp_path / name) as found:
            assert found["v"].values.tolist() == [3.0, 4.0]


def test_what_is_no_hdf5_or_netcdf_says_so(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(opening.HDF5_MAGIC + b"cut")
    with pytest.raises(ProductError, match=r"a\.h5: cannot be read as HDF5 \(.*\); expected a granule\. Fetch"):
        use(opening.open_hdf5(path, expected="a granule. Fetch"))
    path.write_bytes(b"text")
    assert not opening.is_hdf5(path)
    with pytest.raises(ProductError, match=r"a\.h5: cannot be read as NetCDF \("):
        use(opening.open_netcdf(path))


@pytest.mark.parametrize("size", [512, 4096])
def test_hdf5_behind_a_user_block(tmp_path, size):
    path = tmp_path / "a.nc"
    xr.Dataset({"v": ("n", [3.0, 4.0])}).to_netcdf(path, engine="h5netcdf")
    path.write_bytes(b"\0" * size + path.read_bytes())
    assert opening.is_hdf5(path)
    with opening.open_hdf5(path) as file:
        assert file["v"][:].tolist() == [3.0, 4.0]
    with opening.open_netcdf(path) as found:
        assert found["v"].values.tolist() == [3.0, 4.0]
    path.write_bytes(b"\0" * (size + 1) + path.read_bytes()[size:])
    assert not opening.is_hdf5(path)  # not where HDF5 looks for it


def test_text_is_utf8_and_small(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffGrönland".encode())
    assert opening.read_text(path) == "Grönland"
    with pytest.raises(ProductError, match=r"a\.txt: holds more than 0 MB; expected a list"):
        opening.read_text(path, most=3, expected="a list. Shorten it")
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ProductError, match=r"a\.txt: is not text in UTF-8"):
        opening.read_text(path)


def test_xml_must_not_declare_entities(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<a><b>1</b></a>")
    assert opening.read_xml(path).find("b").text == "1"
    path.write_text('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')
    with pytest.raises(ProductError, match=r"a\.xml: declares entities or a document type; expected XML"):
        opening.read_xml(path)
    path.write_text("<a>")
    with pytest.raises(ProductError, match=r"a\.xml: cannot be read as XML \("):
        opening.read_xml(path)
