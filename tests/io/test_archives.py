"""Files in archives: the same bytes and pixels as unpacked, nothing written beside them, bad archives in one line."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.io import archives, input_files, opening
from tests.readers.scene_rasters import write

KINDS = ("zip", "stored.zip", "windows.zip", "tar", "tar.gz")


@pytest.fixture
def image(tmp_path):
    """A raster of many blocks and its values."""
    values = np.random.default_rng(0).integers(0, 9000, (1, 300, 400)).astype(np.uint16)
    return write(tmp_path / "image.tif", values), values


def packed(folder, kind, files):
    """Write an archive of each kind with files under names; return its path. No name says what it is."""
    path = folder / f"packed_{kind.replace('.', '_')}"
    if "zip" in kind:
        method = zipfile.ZIP_STORED if kind == "stored.zip" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as out:
            for name, data in files.items():
                info = zipfile.ZipInfo("x")
                info.filename = name.replace("/", "\\") if kind == "windows.zip" else name
                info.compress_type = method
                out.writestr(info, data)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as out:
            for name, data in files.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_is_read_as_if_unpacked(tmp_path, image, kind):
    file, values = image
    (tmp_path / "in").mkdir()
    path = packed(tmp_path / "in", kind, {"A.SAFE/sub/image.tif": file.read_bytes(), "A.SAFE/about.txt": b"words"})
    assert archives.kind_of(path) == {"tar": "tar", "tar.gz": "tar.gz"}.get(kind, "zip")
    inner = path / "A.SAFE" / "sub" / "image.tif"
    with opening.open_raster(inner) as source:
        np.testing.assert_array_equal(source.read(), values)
    with opening.open_binary(inner) as handle:
        handle.seek(100)
        assert handle.read(50) == file.read_bytes()[100:150]
    assert opening.read_text(path / "A.SAFE" / "about.txt") == "words"
    assert archives.size_of(inner) == file.stat().st_size
    assert archives.children(path) == [path / "A.SAFE"] and archives.is_dir(path / "A.SAFE")
    assert [p.name for p in archives.children(path / "A.SAFE")] == ["about.txt", "sub"]
    assert archives.named(path, "a.safe/SUB/Image.TIF") == inner
    assert not archives.exists(path / "B.SAFE") and archives.named(path, "b.safe/x") is None
    assert archives.folders_with(path, lambda name: name.endswith(".tif")) == [inner.parent]
    assert [f for _, f in input_files.files_of(inner)] == [path]  # the archive is what a result depends on
    assert os.listdir(tmp_path / "in") == [path.name]  # nothing unpacked, no index beside it


def test_plain_paths_are_plain(tmp_path, image):
    file, _ = image
    assert archives.split(file) is None and archives.holder(file) == file and not archives.is_archive(file)
    assert archives.is_file(file) and archives.is_dir(tmp_path) and not archives.exists(tmp_path / "none" / "x")
    assert archives.named(tmp_path, "IMAGE.TIF") == file


def test_no_way_out_of_an_archive(tmp_path):
    path = packed(tmp_path, "zip", {"../up.txt": b"x", "/rooted.txt": b"y", "v.vrt": b"<VRTDataset></VRTDataset>"})
    assert [p.name for p in archives.files_below(path)] == ["rooted.txt", "v.vrt"]
    for given in (f"/vsizip/{path}/rooted.txt", f"/vsitar/{path}/x", "zip+file:///a"):
        with pytest.raises(ProductError, match="is an address"), opening.open_raster(given):
            pass
    with pytest.raises(ProductError, match="VRT in an archive"), opening.open_raster(path / "v.vrt"):
        pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
def test_a_cut_archive_is_one_line(tmp_path, image, kind, share):
    path = packed(tmp_path, kind, {"A.SAFE/image.tif": image[0].read_bytes(), "A.SAFE/more.tif": os.urandom(90_000)})
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(ProductError, match=r"may be cut; expected an intact one\. Download it again\.$") as error:
        archives.children(path)
    assert "\n" not in str(error.value)


def test_claims_that_no_archive_keeps(tmp_path):
    path = packed(tmp_path, "zip", {"a.tif": bytes(5000), "b.tif": b"x"})
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"b.tif"))
    first = data.index(b"PK\x01\x02")
    assert first < place
    data[first + 24 : first + 28] = struct.pack("<I", 4_000_000_000)  # unpacked size in the directory
    path.write_bytes(data)
    with pytest.raises(ProductError, match=r"says 4,000,000,000 bytes out of \d+"):
        archives.children(path)
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as out:
        for k in range(20):
            out.writestr(f"{k}.tif", b"x")
    data = many.read_bytes()
    parts = bytearray(data)
    at = -1
    while (at := parts.find(b"PK\x01\x02", at + 1)) >= 0:
        parts[at + 20 : at + 28] = struct.pack("<II", 4_000_000_000, 4_000_000_000)
    many.write_bytes(parts)
    with pytest.raises(ProductError, match="says it holds 20 files, 80 GB"):
        archives.children(many)
    tar = tmp_path / "big.tar"
    info = tarfile.TarInfo("a.tif")
    info.size = 200 << 30
    tar.write_bytes(info.tobuf() + bytes(4096))
    with pytest.raises(ProductError, match="unpacked; expected at most"):
        archives.children(tar)


def test_an_encrypted_archive_is_one_line(tmp_path):
    path = packed(tmp_path, "zip", {"a.tif": b"xyz"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ProductError, match="is encrypted"):
        archives.children(path)


def test_a_damaged_member_is_one_line(tmp_path, image):
    path = packed(tmp_path, "zip", {"a.txt": os.urandom(4000) * 3})
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)
    path.write_bytes(data)
    with pytest.raises(ProductError, match=r"a\.txt in it cannot be read"):
        opening.read_bytes(path / "a.txt")


def test_a_tar_gz_that_unpacks_to_more_than_a_scene_does_is_rejected(tmp_path, monkeypatch):
    """96 MB of zeros pack to a thousandth; nothing of it stays in the temporary folder."""
    monkeypatch.setattr(archives, "_scratch", lambda: tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()
    with gzip.open(tmp_path / "bomb.tar.gz", "wb", compresslevel=9) as out:
        out.write(bytes(96 << 20))
    with pytest.raises(
        ProductError, match=r"bomb\.tar\.gz: more than [\d,]+ bytes come out of [\d,]+; expected a scene"
    ):
        archives._gunzip(tmp_path / "bomb.tar.gz")
    assert list((tmp_path / "scratch").iterdir()) == []
