"""Granules at an address: fetched by the task, the same result, nothing fetched for what is done."""

from __future__ import annotations

import shutil

import pytest

from polynya.errors import UsageError
from polynya.workflows import freeboard

pytest.importorskip("fsspec")


@pytest.fixture
def config():
    return freeboard.Config(classifier="rule")


def test_a_granule_at_an_address_gives_the_same_tables_and_is_skipped_without_being_fetched(
    small_granule, config, tmp_path, monkeypatch
):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(small_granule, store)
    address = f"file://{store / small_granule.name}"
    (there,) = freeboard.run([address], out=tmp_path / "there", config=config, workers=1)
    (here,) = freeboard.run([small_granule], out=tmp_path / "here", config=config, workers=1)
    assert (there.status, there.item) == ("done", address)
    for name in ("segments", "leads", "sea_surface"):
        assert (tmp_path / "there" / small_granule.stem / f"{name}.parquet").read_bytes() == (
            tmp_path / "here" / small_granule.stem / f"{name}.parquet"
        ).read_bytes()
    assert here.numbers["n_segments"] == there.numbers["n_segments"]
    shutil.rmtree(tmp_path / "cache")
    shutil.rmtree(store)
    (again,) = freeboard.run([address], out=tmp_path / "there", config=config, workers=1)
    assert again.status == "skipped" and not (tmp_path / "cache").exists()


def test_an_address_without_a_file_is_a_failed_record(config, tmp_path, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    (record,) = freeboard.run([f"file://{tmp_path}/none.h5"], out=tmp_path / "out", config=config, workers=1)
    assert record.status == "failed" and "none.h5: is not there" in record.message
    assert not (tmp_path / "out").exists()


def test_addresses_are_not_joined(tmp_path):
    config = freeboard.Config(classifier="rule", join=True)
    with pytest.raises(UsageError, match=r"--join: s3://b/a\.h5 is an address"):
        freeboard.run(["s3://b/a.h5", "b.h5"], out=tmp_path, config=config)
