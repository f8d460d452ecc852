"""What words of a command line name."""

from __future__ import annotations

import pytest

from polynya.errors import ProductError
from polynya.io import expand


@pytest.fixture
def folder(tmp_path):
    for name in ("b.h5", "a.H5", ".hidden.h5", "notes.md", "deep/c.h5"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "list.txt").write_text("# granules\nb.h5\n\ns3://bucket/x.h5\n/else/where.h5\n")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "none").mkdir()
    return tmp_path


def test_files_stay_as_they_are_and_in_order(folder):
    words = [folder / "b.h5", "missing.h5", "s3://bucket/a.h5"]
    assert expand(words, endings=(".h5",)) == [str(folder / "b.h5"), "missing.h5", "s3://bucket/a.h5"]


def test_a_folder_gives_its_files_with_the_ending_and_no_hidden_ones(folder):
    assert expand([folder], endings=(".h5",)) == [str(folder / "a.H5"), str(folder / "b.h5")]


def test_a_folder_that_is_a_product_is_an_input_itself(folder):
    product = folder / "S3A_SR_2_LAN.SEN3"
    product.mkdir()
    for name in ("enhanced_measurement.nc", "standard_measurement.nc"):
        (product / name).write_bytes(b"")
    assert expand([product], endings=(".nc", ".sen3")) == [str(product)]
    assert str(product) in expand([folder], endings=(".nc", ".sen3"))


def test_a_pattern_is_expanded_and_sorted_also_below(folder):
    assert expand([f"{folder}/*.h5"], endings=(".h5",)) == [str(folder / "b.h5")]
    assert expand([f"{folder}/**/*.h5"], endings=(".h5",)) == [str(folder / "b.h5"), str(folder / "deep/c.h5")]


def test_a_list_names_files_relative_to_it_and_addresses(folder):
    assert expand([folder / "list.txt"], endings=(".h5",)) == [
        str(folder / "b.h5"),
        "s3://bucket/x.h5",
        "/else/where.h5",
    ]


def test_a_name_with_brackets_that_is_a_file_is_that_file(folder):
    (folder / "a[1].h5").write_text("")
    assert expand([folder / "a[1].h5"], endings=(".h5",)) == [str(folder / "a[1].h5")]


@pytest.mark.parametrize(
    ("word", "says"),
    [("none", "is a folder without a file *.h5"), ("*.nc", "matches nothing"), ("empty.txt", "lists nothing")],
)
def test_what_names_nothing_is_one_line(folder, word, says):
    with pytest.raises(ProductError) as caught:
        expand([folder / word], endings=(".h5",))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_pattern_of_addresses(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for name in ("b", "a"):
        files.pipe(f"/season/{name}.h5", b"x")
    assert expand(["memory://season/*.h5"], endings=(".h5",)) == ["memory:///season/a.h5", "memory:///season/b.h5"]
    with pytest.raises(ProductError, match=r"memory://season/\*\.nc: matches nothing"):
        expand(["memory://season/*.nc"], endings=(".h5",))
