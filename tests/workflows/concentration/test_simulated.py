"""A simulated product says so in everything that is made of it."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from polynya.readers import sentinel1_product
from polynya.simulate.sentinel1 import product
from polynya.workflows import concentration
from polynya.workflows.concentration import mosaic


def test_a_simulated_product_never_passes_for_copernicus_data(tmp_path):
    product.simulate_product(tmp_path / "p", product.Options(seed=5, size=(400, 500)))
    safe = next((tmp_path / "p").glob("*.SAFE"))
    assert sentinel1_product.open_product(safe).notes[0].code == "simulated"
    record = concentration.run([safe], out=tmp_path / "out", config=concentration.Config(network=concentration.RULE))[0]
    assert record.status == "done" and "The product is simulated: no measurement." in record.message
    page = Path(record.outputs["report"]).read_text(encoding="utf-8")
    assert "simulated by polynya" in page and "Copernicus Sentinel data" not in page
    with xr.open_dataset(Path(record.outputs["folder"]) / "concentration.nc") as found:
        assert "simulated" in found.attrs["source"]
    (safe / "manifest.safe").write_text(
        (safe / "manifest.safe").read_text().replace("a simulation, no measurement", "")
    )
    assert "modified Copernicus Sentinel data" in sentinel1_product.origin(sentinel1_product.open_product(safe))


def test_a_mosaic_of_simulated_scenes_says_so_too(tmp_path):
    product.simulate_product(tmp_path / "p", product.Options(seed=5, size=(400, 500)))
    safe = next((tmp_path / "p").glob("*.SAFE"))
    config = concentration.Config(network=concentration.RULE)
    concentration.run([safe], out=tmp_path / "out", config=config)
    (record,) = mosaic.run(tmp_path / "out", config=config).records
    page = (tmp_path / "out" / record.item / "report.html").read_text(encoding="utf-8")
    assert "simulated by polynya" in page and "Copernicus Sentinel data" not in page
    assert "learned from simulated scenes alone" in page and "Two scenes or more" not in page
    with xr.open_dataset(tmp_path / "out" / record.item / "concentration.nc") as found:
        assert "simulated" in found.attrs["source"]
