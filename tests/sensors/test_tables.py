"""Tables of sensors: what a table says of a sensor is all that opening, checking and reading a scene ask."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest
import rasterio

from polynya import sensors
from polynya.errors import UsageError
from polynya.physics.swath import Swath
from polynya.readers.scene_layer import Layer, Source
from polynya.scenes import quality
from polynya.scenes import scene as scenes
from polynya.sensors import Band, Sensor, SensorTable, glaciers
from tests.readers.scene_rasters import centres, write

TABLE = """
    from polynya.sensors import Band, Sensor, SensorTable

    TABLE = SensorTable(
        name="toy",
        regions={"BOH": "Bohai Sea"},
        sensors=(
            Sensor(
                name="colour",
                quantity="reflectance",
                is_essential=True,
                bands=tuple(
                    Band(name=n, units="1", long_name=n, low=0.0, high=1.5, words=(n,), stac_names=(n,))
                    for n in ("red", "green", "blue")
                ),
            ),
            Sensor(
                name="microwave",
                roles=("amsr",),
                file_words=("amsr2",),
                bands=(
                    Band(name="brightness_89", units="K", long_name="89 GHz", low=50.0, high=300.0, words=("tb89",)),
                ),
            ),
        ),
    )
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A table in a package of somebody else's."""
    package = tmp_path / "mylab"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "toy_sensors.py").write_text(textwrap.dedent(TABLE))
    (package / "no_table.py").write_text("SENSORS = ()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "mylab.toy_sensors"
    for name in [m for m in sys.modules if m.split(".")[0] == "mylab"]:
        del sys.modules[name]


def test_a_new_sensor_is_a_table_and_a_file_in_the_scenes_folder(tmp_path, toy):
    folder, rng = tmp_path / "scene", np.random.default_rng(0)
    colour = write(
        folder / "colour.tif", rng.uniform(0, 1, (3, 20, 30)).astype(np.float32), names=("red", "green", "blue")
    )
    kelvin = rng.uniform(150, 280, (1, 20, 30)).astype(np.float32)
    kelvin[0, 3, 4] = 400.0
    write(folder / "microwave.tif", kelvin, names=("TB89",))
    scene = scenes.open_scene(folder, kind=toy, region="BOH")
    assert scene.sensors == ("colour", "microwave") and scene.table.name == "toy"
    found = scenes.read(scene)
    with rasterio.open(colour) as file:
        np.testing.assert_array_equal(found["colour"], file.read())
    np.testing.assert_array_equal(found["microwave"], kelvin)
    findings = {(f.sensor, f.kind): f for f in quality.check(scene).findings}
    assert findings["microwave", "out_of_range"].number == 1
    assert {s for s, _ in findings} <= {"colour", "microwave", "scene"}


def test_a_new_sensor_is_given_by_role_or_by_the_files_name(tmp_path, toy):
    kelvin = np.full((1, 8, 8), 200.0, np.float32)
    by_name = write(tmp_path / "amsr2_20190823.tif", kelvin)
    assert scenes.open_scene(by_name, kind=toy).sensors == ("microwave",)
    by_role = write(tmp_path / "x.tif", kelvin)
    assert scenes.open_scene(f"amsr={by_role}", kind=toy).sensors == ("microwave",)
    with pytest.raises(UsageError, match="expected one of colour, microwave, amsr,"):
        scenes.open_scene(f"dem={by_role}", kind=toy)
    with pytest.raises(UsageError, match="--region ALP: no such region; expected one of BOH"):
        scenes.open_scene(by_name, kind=toy, region="ALP")


def test_tables_are_found_by_name(toy):
    assert sensors.table("glaciers") is glaciers.TABLE
    assert sensors.table(toy).names == ("colour", "microwave")
    with pytest.raises(UsageError, match=r"lakes: no table of sensors, polynya\.sensors\.lakes cannot be imported"):
        sensors.table("lakes")
    with pytest.raises(UsageError, match=r"mylab\.none: no table of sensors"):
        sensors.table("mylab.none")
    with pytest.raises(UsageError, match=r"mylab\.no_table holds no TABLE"):
        sensors.table("mylab.no_table")


def test_what_a_table_is_asked():
    table = glaciers.TABLE
    assert table.names == ("optical", "dem", "co_pol_sar", "cross_pol_sar", "in_sar", "thermal")
    assert table.name_of("height") == "dem" and table.of("backscatter").name == "co_pol_sar"
    assert table.of("other") is None and table.name_of("other") == ""
    assert table.same_acquisition("in_sar") == ("co_pol_sar", "cross_pol_sar", "in_sar")
    assert table.same_acquisition("thermal") == ("thermal",)
    assert [s.name for s in table.roles["sar"]] == ["co_pol_sar", "cross_pol_sar"]
    assert table["optical"].places("red", "panchromatic", "swir1") == (2, 4)
    assert table["dem"].place("slope") == 1 and table["dem"].place("red") is None
    with pytest.raises(UsageError, match="lidar: no sensor of glaciers scenes; expected one of optical, dem"):
        table["lidar"]


def test_a_table_holds_known_quantities_and_names():
    """The tables that are shipped; a file that carries two sensors' words could not be told."""
    for sensor in glaciers.TABLE:
        assert sensor.quantity in sensors.QUANTITIES and sensor.names_match in sensors.NAMES_MATCH
        assert len(set(sensor.band_names)) == len(sensor.bands)
        for band in sensor.bands:
            assert band.low < band.high and band.units and band.orbit in ("", *sensors.PASSES)
    words = [(w, s.name) for s in glaciers.TABLE for w in {w for b in s.bands for w in b.words}]
    assert len({w for w, _ in words}) == len(words)


# ---- scenes on a swath


def swath_scene(tmp_path, *, shape=(12, 16)):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    path = write(tmp_path / "hh.tif", data, nodata=5.0)
    row, column = np.meshgrid([0.0, shape[0] - 1.0], [0.0, shape[1] - 1.0], indexing="ij")
    grid = Swath(
        shape=shape,
        lines=np.array([0.0, shape[0] - 1.0]),
        samples=np.array([0.0, shape[1] - 1.0]),
        latitude=70.0 - 0.01 * row,
        longitude=20.0 + 0.02 * column,
    )
    sensor = Sensor(name="hh", bands=(Band(name="hh", units="1", long_name="sigma0", low=0.0, high=1e6),))
    source = Source(sensor="hh", bands=(Layer(path=path, scale=0.5),), grid=grid)
    return data[0], scenes.Scene(
        name="wave",
        grid=grid,
        table=SensorTable(name="toy", sensors=(sensor,)),
        sensors=("hh",),
        time=None,
        region=None,
        notes=(),
        sun_elevation=None,
        sun_azimuth=None,
        sources=(source,),
    )


def test_a_scene_on_a_swath_is_read_in_its_own_pixels(tmp_path):
    data, scene = swath_scene(tmp_path)
    found = scenes.read(scene, window=((2, 9), (0, 10)))["hh"][0]
    np.testing.assert_array_equal(found, data[2:9, :10] * 0.5)
    whole = scenes.read(scene)["hh"][0]
    assert np.isnan(whole[0, 5]) and np.isfinite(whole).sum() == whole.size - 1
    assert scene.shape == (12, 16) and scene.pixel_m[1] == pytest.approx(0.01 * 111.6e3, rel=0.01)


def test_what_needs_an_affine_grid_says_so(tmp_path):
    _, scene = swath_scene(tmp_path)
    words = r"wave: lies on a swath, 12 x 16 pixels with geolocation points; expected an affine grid .* Warp it first"
    for asked in (lambda: scene.geobox, lambda: scenes.read_classes(scene, tmp_path / "hh.tif")):
        with pytest.raises(UsageError, match=words):
            asked()


def test_another_grid_beside_a_swath_is_an_error(tmp_path):
    from odc.geo.geobox import GeoBox
    from rasterio.transform import Affine

    _, scene = swath_scene(tmp_path)
    x, _y = centres((12, 16))
    other = GeoBox((12, 16), Affine(10.0, 0.0, float(x[0, 0]), 0.0, -10.0, 5e6), "EPSG:32632")
    source = Source(sensor="hh", bands=scene.sources[0].bands, grid=other, name="map")
    with pytest.raises(UsageError, match="hh: map does not lie on the scene's swath of 12 x 16 pixels"):
        scenes.read(scenes.replace(scene, sources=(source,)))


@pytest.mark.parametrize("key", ["quantity", "names_match"])
def test_a_word_that_nobody_knows_is_an_error(key):
    with pytest.raises(UsageError, match=rf"sensor lidar: {key} is 'hight'; expected one of .* Change the table"):
        sensors.Sensor(name="lidar", bands=(), **{key: "hight"})
