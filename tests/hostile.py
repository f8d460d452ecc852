"""Files that attack, made anew each time: every reader is walked through them (tests/readers/test_hostile.py)."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

DEEP = "[" * 100_000


def make(folder: Path) -> list[Path]:
    """Write the corpus; return its files and folders, sorted."""
    _texts(folder)
    _hdf5(folder)
    _rasters(folder)
    _archives(folder)
    _folders(folder)
    for name in ("pipe.h5", "pipe.nc", "pipe.tif", "pipe.json", "pipe.zip", "pipe.gpkg", "pipe"):
        os.mkfifo(folder / name)
    for name in (
        "empty.h5",
        "empty.nc",
        "empty.tif",
        "empty.json",
        "empty.csv",
        "empty.zip",
        "empty.gpkg",
        "empty.xml",
    ):
        (folder / name).touch()
    return sorted(folder.iterdir())


def _texts(folder: Path) -> None:
    texts = {
        "words.tif": b"no raster",
        "words.h5": b"<html>404</html>",
        "deep.json": DEEP.encode(),
        "list.json": b"[1, 2]",
        "item.json": b'{"type": "Feature", "stac_version": "1.0.0", "id": "x", "assets": {"a": 3}, "properties": []}',
        "nan.json": b'{"type": "Feature", "properties": {"datetime": NaN}, "assets": {}}',
        "binary.csv": b"a,b\n\xff\xfe,\x00\n",
        "names.csv": "name,\u202egnp.a\n\x1b[31mred,1\n".encode(),
        "binary_MTL.txt": b"GROUP = \xff\xfe\nEND",
        "MTL.json": b'{"LANDSAT_METADATA_FILE": {"PRODUCT_CONTENTS": 3}}',
        "entities.xml": b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>',
        "manifest.safe": b"<xfdu/>",
        "address.tif": b'<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1">'
        b"<SimpleSource><SourceFilename>/vsicurl/http://127.0.0.1:9/a.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
        "magic.gpkg": b"SQLite format 3\0" + bytes(200),
        "magic.parquet": b"PAR1" + bytes(100) + b"PAR1",
        "magic.shp": b"\x00\x00\x27\x0a" + bytes(96),
        "classic.nc": b"CDF\x01" + struct.pack(">ii", 2**31 - 1, 10) + bytes(40),
    }
    for name, data in texts.items():
        (folder / name).write_bytes(data)


def _hdf5(folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as file:
        file["a"] = np.arange(3)
    for name, kind in (("ATL03_x.h5", "ATL03"), ("ATL07_x.h5", "ATL07"), ("ATL10_x.h5", "ATL10")):
        with h5py.File(folder / name, "w") as file:
            file.attrs["short_name"] = kind
            file["gt1l/heights/h_ph"] = "a height"
            file["orbit_info/sc_orient"] = np.array([9])
            file["ancillary_data/release"] = h5py.Empty("f4")
    with h5py.File(folder / "link.nc", "w") as file:
        file["latitude"] = h5py.ExternalLink("other.h5", "/a")
    with h5py.File(folder / "claims.nc", "w") as file:
        for name in ("lat", "latitude", "lat_20_ku", "lat_40hz"):
            file.create_dataset(name, (1 << 40,), "f8", chunks=(1 << 16,))
    data = (folder / "other.h5").read_bytes()
    (folder / "cut.h5").write_bytes(data[: len(data) // 2])
    (folder / "cut.nc").write_bytes(data[:64])


def _rasters(folder: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    place = {"crs": "EPSG:3413", "transform": from_origin(0, 0, 1, 1), "driver": "GTiff", "count": 1}
    with rasterio.open(folder / "sparse.tif", "w", width=200_000, height=200_000, dtype="uint8", tiled=True,
                       blockxsize=4096, blockysize=4096, SPARSE_OK=True, **place):  # fmt: skip
        pass
    with rasterio.open(folder / "nowhere.tif", "w", width=4, height=4, dtype="float32",
                       **{**place, "transform": from_origin(np.nan, 0, 1, 1)}) as file:  # fmt: skip
        file.write(np.full((1, 4, 4), np.nan, np.float32))


def _archives(folder: Path) -> None:
    with zipfile.ZipFile(folder / "outside.zip", "w") as file:
        file.writestr("../outside.tif", "x")
        file.writestr("a.SAFE/manifest.safe", "<xfdu/>")
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.json", bytes(1 << 24))
    (folder / "cut.zip").write_bytes((folder / "bomb.zip").read_bytes()[:200])
    (folder / "cut.tar").write_bytes(zlib.compress(bytes(3000)))


def _folders(folder: Path) -> None:
    (folder / "nothing").mkdir()
    for name in ("S1A_IW_GRDH_1SDV_20200101T000000_20200101T000001_000001_000001_0001.SAFE", "S2A_MSIL1C_X.SAFE"):
        inner = folder / name / "annotation"
        inner.mkdir(parents=True)
        (inner / "s1a-iw-grd-hh-x.xml").write_text("<product><adsHeader>")
        (folder / name / "manifest.safe").write_bytes(b"<xfdu")
        (folder / name / "MTD_MSIL1C.xml").write_bytes(b"<a/>")
    scene = folder / "scene"
    scene.mkdir()
    (scene / "scene.json").write_text(DEEP)
    (scene / "optical.tif").write_bytes(b"II*\0" + bytes(60))
    os.mkfifo(scene / "dem.tif")
