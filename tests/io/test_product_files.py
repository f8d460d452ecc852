"""Products as folders and as archives."""

from __future__ import annotations

import zipfile

import pytest

from polynya.errors import ProductError
from polynya.io import opening
from polynya.io.product_files import is_zip, open_product_files

EXPECTED = "a product. Get it again"


def archive(path, names, *, body="<a/>"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, body)
    return path


def opened(path):
    return open_product_files(path, marker="annotation", expected=EXPECTED)


def test_a_folder_and_an_archive_list_the_same(tmp_path):
    (tmp_path / "P.SAFE" / "annotation").mkdir(parents=True)
    (tmp_path / "P.SAFE" / "annotation" / "a.xml").write_text("<a>1</a>")
    (tmp_path / "P.SAFE" / "manifest.safe").write_text("<m/>")
    packed = archive(tmp_path / "Q.zip", ["P.SAFE/annotation/a.xml", "P.SAFE/manifest.safe"], body="<a>1</a>")
    for path, inside in ((tmp_path / "P.SAFE", False), (packed, True)):
        files = opened(path)
        assert files.names == ("annotation/a.xml", "manifest.safe")
        assert files.name == "P" and files.is_archive == inside
        assert files.read_xml("annotation/a.xml").text == "1"
        assert files.read_bytes("annotation/a.xml", expected=EXPECTED) == b"<a>1</a>"
    assert is_zip(packed) and not is_zip(tmp_path / "P.SAFE") and not is_zip(tmp_path / "P.SAFE" / "manifest.safe")


def test_the_product_may_lie_at_the_top_of_an_archive(tmp_path):
    files = opened(archive(tmp_path / "S1X.zip", ["annotation/a.xml", "annotation/annotation/b.xml"]))
    assert files.names == ("annotation/a.xml", "annotation/annotation/b.xml") and files.name == "S1X"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["A/annotation/a.xml", "B/annotation/a.xml"], "holds 2 products, A/ first; expected one"),
        (["A/other/a.xml"], "holds no annotation; expected a product"),
    ],
)
def test_archives_that_are_not_one_product(tmp_path, names, said):
    with pytest.raises(ProductError, match=said):
        opened(archive(tmp_path / "x.zip", names))


def test_damaged_archives_are_one_line(tmp_path):
    path = archive(tmp_path / "x.zip", ["A/annotation/a.xml"], body="<a>" + "text " * 4000 + "</a>")
    data = bytearray(path.read_bytes())
    data[60:80] = b"\x00" * 20  # inside the compressed member
    path.write_bytes(bytes(data))
    with pytest.raises(ProductError, match=r"x\.zip: annotation/a\.xml in it cannot be read .*; expected a product"):
        opened(path).read_bytes("annotation/a.xml", expected=EXPECTED)
    with pytest.raises(ProductError, match="gone in it cannot be read"):
        opened(path).read_bytes("gone", expected=EXPECTED)
    with (
        pytest.raises(ProductError, match="xml in it cannot be read as a raster"),
        opened(path).open_raster("annotation/a.xml", expected=EXPECTED),
    ):
        pass


def test_what_swells_in_memory_is_rejected(tmp_path, monkeypatch):
    """A small archive whose file is larger than metadata are."""
    monkeypatch.setattr(opening, "TEXT_BYTES", 1 << 20)
    path = archive(tmp_path / "x.zip", ["A/annotation/a.xml"], body="<a>" + " " * (3 << 20) + "</a>")
    assert path.stat().st_size < 10_000
    with pytest.raises(ProductError, match="holds more than 1 MB"):
        opened(path).read_bytes("annotation/a.xml", expected=EXPECTED)


def test_addresses_and_what_is_missing(tmp_path):
    with pytest.raises(ProductError, match="is an address, not a file"):
        opened("https://example.org/S1A.zip")
    with pytest.raises(ProductError, match="no such file or folder"):
        opened(tmp_path / "gone.zip")
