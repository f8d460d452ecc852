"""Wave-mode SLC: footprints of a real manifest, and imagettes of simulated products with known numbers in them."""

from __future__ import annotations

import itertools
import re
import shutil
import zipfile

import numpy as np
import pytest
import rasterio

from polynya.errors import ProductError, UsageError
from polynya.physics import cmod5n
from polynya.readers import sentinel1_wv
from polynya.schema.imagettes import IMAGETTES, table_of
from polynya.simulate.wave_mode.product import Options, simulate_imagettes
from tests.real_files import sar

REAL = "safe/S1B_WV_SLC__1SSV_20210403T083025_20210403T084452_026300_032390_D542.SAFE"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("wave") / "set"
    return simulate_imagettes(out, Options(seed=4, count=2, form="safe", spacing_m=25.0)).paths[0]


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / made.name)


@pytest.mark.real
def test_a_real_manifest_has_sixty_footprints():
    product = sentinel1_wv.open_product(sar(REAL))
    assert len(product.imagettes) == 60 and not product.has_images and not product.notes
    assert [i.beam for i in product.imagettes] == ["wv1", "wv2"] * 30
    assert (product.satellite, product.ipf, product.absolute_orbit, product.relative_orbit) == (
        "S1B",
        "003.31",
        26300,
        24,
    )
    centres = [(i.latitude, i.longitude) for i in product.imagettes]
    for place, expected in ((0, (36.0512, -34.6690)), (1, (35.4843, -36.8940)), (-1, (-15.7798, -47.8057))):
        np.testing.assert_allclose(centres[place], expected, atol=3e-4)
    steps = np.diff([i.time for i in product.imagettes]) / np.timedelta64(1, "s")
    assert ((steps >= 14) & (steps <= 15)).all()


@pytest.mark.real
def test_real_footprints_have_the_sides_of_imagettes():
    """20.74 x 20.40 km and 20.41 x 19.75 km, range by azimuth; the next of the same beam 199 to 200 km on."""
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    product = sentinel1_wv.open_product(sar(REAL) / "manifest.safe")
    for beam, sides in (("wv1", (20.74, 20.40)), ("wv2", (20.41, 19.75))):
        found = [i for i in product.imagettes if i.beam == beam]
        lengths = []
        for imagette in found:
            ring = np.vstack([imagette.footprint, imagette.footprint[:1]])
            metres = geod.inv(ring[:-1, 0], ring[:-1, 1], ring[1:, 0], ring[1:, 1])[2]
            lengths.append([metres[[0, 2]].mean(), metres[[1, 3]].mean()])
        np.testing.assert_allclose(np.mean(lengths, axis=0) / 1000, sides, atol=0.03)
        apart = [
            geod.inv(a.longitude, a.latitude, b.longitude, b.latitude)[2] / 1000 for a, b in itertools.pairwise(found)
        ]
        assert min(apart) > 198.5 and max(apart) < 200.5


@pytest.mark.real
def test_table_of_a_real_manifest():
    table = table_of(sentinel1_wv.open_product(sar(REAL)).imagettes)
    assert table.num_rows == 60 and table.column_names == IMAGETTES.names
    assert len(table["corner_latitude"][0].as_py()) == 4 and table["sea_ice"][0].as_py() == -1


@pytest.mark.real
def test_without_its_images_a_product_gives_no_picture():
    product = sentinel1_wv.open_product(sar(REAL))
    with pytest.raises(ProductError, match=r"-001\.xml: .*Download the product again"):
        sentinel1_wv.read_imagette(product, product.imagettes[0].name)


def numbers_of(path, tag):
    return np.array(re.search(rf"<{tag}[^>]*>([^<]*)<", path.read_text())[1].split(), float)


def with_numbers(safe, name, value):
    """Replace the picture of an imagette by one complex number."""
    path = safe / "measurement" / f"{name}.tiff"
    with rasterio.open(path, "r+") as file:
        file.write(np.full((file.height, file.width), value, np.complex64), 1)


def test_power_less_noise_over_gain(copy):
    """|300 + 400 i| = 500; gain and noise from the files, the rule once more in plain numpy."""
    product = sentinel1_wv.open_product(copy)
    name = product.imagettes[0].name
    with_numbers(copy, name, 300 + 400j)
    found = sentinel1_wv.read_imagette(product, name, quantity="sigma0")
    folder, at = copy / "annotation" / "calibration", np.arange(800)
    gain = np.interp(
        at,
        numbers_of(folder / f"calibration-{name}.xml", "pixel"),
        numbers_of(folder / f"calibration-{name}.xml", "sigmaNought"),
    )
    noise = np.interp(
        at, numbers_of(folder / f"noise-{name}.xml", "pixel"), numbers_of(folder / f"noise-{name}.xml", "noiseRangeLut")
    )
    expected = ((500.0**2 - noise) / gain**2).reshape(400, 2).mean(axis=1)
    assert found.picture.shape == (400, 400) and found.mask.all()
    np.testing.assert_allclose(found.picture, np.tile(expected, (400, 1)), rtol=1e-5)  # the last lines too
    assert (found.azimuth_pixel_m, round(found.range_pixel_m, 6)) == (50.0, 50.0)


def test_noise_ends_before_the_image_in_these_files(made):
    """Else the test above would not show that the last block is continued."""
    name = sentinel1_wv.open_product(made).imagettes[0].name
    last = numbers_of(made / "annotation" / "calibration" / f"noise-{name}.xml", "lastAzimuthLine")
    assert last[0] < 790


def test_roughness_is_over_the_model_sea(made):
    product = sentinel1_wv.open_product(made)
    for imagette in product.imagettes:
        sigma0, rough = (
            sentinel1_wv.read_imagette(product, imagette.name, quantity=q) for q in ("sigma0", "roughness")
        )
        middle = {"wv1": 23.8, "wv2": 36.8}[imagette.beam]
        assert rough.incidence_angle == pytest.approx(middle, abs=0.01)
        angles = middle + 1.4 * ((np.arange(800) / 799).reshape(400, 2).mean(axis=1) - 0.5)
        model = cmod5n.sigma_nought(angles, 10.0, 45.0)
        np.testing.assert_allclose(sigma0.picture / rough.picture, np.tile(model, (400, 1)), rtol=1e-4)


def test_the_true_roughness_comes_back(made):
    from polynya.simulate.wave_mode.imagette import draw_imagette

    for k, found in enumerate(sentinel1_wv.read(made)):
        true = draw_imagette([4, k], beam=found.beam)
        ratio = found.picture / true.surface
        assert np.nanmean(ratio) == pytest.approx(1.0, abs=0.01)
        assert np.nanstd(ratio) == pytest.approx(0.5, abs=0.06)  # four looks, and a little noise
        assert found.is_simulated and found.group == f"S1A-{found.absolute_orbit:06d}"


def test_a_zip_archive_is_the_same(made, tmp_path):
    archive = tmp_path / f"{made.name}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(made.rglob("*")):
            file.write(path, f"{made.name}/{path.relative_to(made)}")
    assert sentinel1_wv.is_product(archive) and sentinel1_wv.is_product(made)
    name = sentinel1_wv.open_product(made).imagettes[1].name
    one, other = (sentinel1_wv.read_imagette(sentinel1_wv.open_product(p), name) for p in (made, archive))
    np.testing.assert_array_equal(one.picture, other.picture)


def test_annotated_noise_in_other_units_is_scaled_or_left(copy):
    product = sentinel1_wv.open_product(copy)
    name = product.imagettes[0].name
    plain = sentinel1_wv.read_imagette(product, name)
    path = copy / "annotation" / "calibration" / f"noise-{name}.xml"
    text = path.read_text()
    values = numbers_of(path, "noiseRangeLut")
    words = lambda v: " ".join(f"{x:.9e}" for x in v)  # noqa: E731
    path.write_text(re.sub(r"(<noiseRangeLut>)[^<]*", rf"\g<1>{words(values * 10**3.813)}", text))
    scaled = sentinel1_wv.read_imagette(product, name)
    np.testing.assert_allclose(scaled.picture, plain.picture, rtol=1e-4, atol=1e-6)
    assert any(n.code == "noise_scaled" for n in scaled.notes)
    path.write_text(re.sub(r"(<noiseRangeLut>)[^<]*", rf"\g<1>{words(0 * values)}", text))
    left = sentinel1_wv.read_imagette(product, name)
    assert any(n.code == "noise_unknown" for n in left.notes) and np.nanmean(left.picture) > np.nanmean(plain.picture)


def test_land_or_missing_numbers_are_masked(copy):
    product = sentinel1_wv.open_product(copy)
    name = product.imagettes[0].name
    path = copy / "measurement" / f"{name}.tiff"
    with rasterio.open(path, "r+") as file:
        numbers = file.read(1)
        numbers[:200] = 0
        file.write(numbers, 1)
    found = sentinel1_wv.read_imagette(product, name)
    assert not found.mask[:100].any() and found.mask[101:].mean() > 0.9
    with_numbers(copy, name, 0)
    with pytest.raises(ProductError, match="no pixel is valid"):
        sentinel1_wv.read_imagette(product, name)


def check_one_line(error):
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_bad_products_are_one_line(copy, tmp_path):
    product = sentinel1_wv.open_product(copy)
    name = product.imagettes[0].name
    with pytest.raises(UsageError, match="has no nothing") as error:
        sentinel1_wv.read_imagette(product, "nothing")
    check_one_line(error)
    with pytest.raises(UsageError, match="pixels of 1 m") as error:
        sentinel1_wv.read_imagette(product, name, pixel_m=1.0)
    check_one_line(error)
    image = copy / "measurement" / f"{name}.tiff"
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProductError, match=r"cut|cannot be read") as error:
        sentinel1_wv.read_imagette(product, name)
    check_one_line(error)
    image.unlink()
    with pytest.raises(ProductError, match="is missing") as error:
        sentinel1_wv.read_imagette(sentinel1_wv.open_product(copy), name)
    check_one_line(error)
    with pytest.raises(ProductError, match=r"holds no manifest\.safe") as error:
        sentinel1_wv.open_product(tmp_path)
    check_one_line(error)
    with pytest.raises(ProductError, match="no such file or folder"):
        sentinel1_wv.open_product(tmp_path / "none.SAFE")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (r"(coordinates>)[^ ]*", r"\g<1>nan,12.0", "footprint 1 is"),
        (r"(coordinates>)[^ ]*", r"\g<1>here", "footprint 1 is"),
        (r"(coordinates>)[^ ]*", r"\g<1>95.0,12.0", "footprint 1 is"),
        (r"-slc-vv-", "-slc-vv", "expected imagettes of wave mode"),
        (r"s1Level1ProductSchema", "another", "lists no imagette"),
        (r"(?s)<safe:frame>.*?</safe:frame>", "", "0 footprints of 2 imagettes"),
        (r"</xfdu:XFDU>", "", "manifest.safe"),
    ],
)
def test_damaged_manifests_are_one_line(copy, old, new, words):
    path = copy / "manifest.safe"
    text = re.sub(old, new, path.read_text())
    assert text != path.read_text()
    path.write_text(text)
    with pytest.raises(ProductError, match=words) as error:
        sentinel1_wv.open_product(copy)
    check_one_line(error)


def test_another_mode_in_the_annotation(copy):
    product = sentinel1_wv.open_product(copy)
    path = copy / "annotation" / f"{product.imagettes[0].name}.xml"
    path.write_text(path.read_text().replace("<mode>WV<", "<mode>IW<"))
    with pytest.raises(ProductError, match="says IW SLC; expected WV SLC"):
        sentinel1_wv.read_imagette(product, product.imagettes[0].name)
    assert not sentinel1_wv.is_product(copy.parent / "S1A_EW_GRDM_1SDH.SAFE")


def test_strips_of_lines_do_not_matter(made, monkeypatch):
    product = sentinel1_wv.open_product(made)
    name = product.imagettes[0].name
    whole = sentinel1_wv.read_imagette(product, name)
    monkeypatch.setattr(sentinel1_wv, "STRIP_PIXELS", 800 * 2 * 7)  # seven lines of the picture at once
    np.testing.assert_array_equal(sentinel1_wv.read_imagette(product, name).picture, whole.picture)
