"""Sea-ice images with their classes as tiles: values and bits as the files hold them, cloud without a label, faults in
one line."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from polynya.errors import ProductError, UsageError
from polynya.samples import image_tiles

from .scene_pieces import cut_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two pieces of a simulated pair in folders of their own; one corner of the second image has no data."""
    from polynya.simulate.pair import Options, simulate_pair

    made = tmp_path_factory.mktemp("pair")
    pair = simulate_pair(made / "whole", Options(length_km=1.0, seed=2, beams="gt2r", image="geotiff", cloud_cover=0.4))
    for k, row in enumerate((30, 230)):
        image, truth = cut_images(
            made / "pieces" / f"p{k}", [pair.colour, pair.image_truth], row=row, column=400, size=200
        )
        with rasterio.open(truth, "r+") as file:
            file.write(np.ones((1, 40, 50), np.uint8), [2], window=((90, 130), (20, 70)))  # cloud
    with rasterio.open(image, "r+") as file:
        file.write(np.zeros((3, 20, 30), np.uint8), window=((0, 20), (0, 30)))
    return made / "pieces"


def every(tile: image_tiles.ImageTile) -> tuple[slice, slice]:
    return slice(0, tile.shape[0]), slice(0, tile.shape[1])


def test_scenes_are_found_with_their_place(folder):
    tiles = image_tiles.open_images(folder)
    assert (
        [t.shape for t in tiles] == [(200, 200)] * 2
        and len({t.scene for t in tiles}) == 2
        and {t.region for t in tiles} == {None}
    )
    for tile in tiles:
        with rasterio.open(tile.image) as file:
            assert (
                tile.corner == (file.transform.c, file.transform.f)
                and tile.pixel == (10.0, 10.0)
                and tile.grid == f"EPSG:{file.crs.to_epsg()}"
            )
            x, y = file.transform @ (100, 100)
        from pyproj import Transformer

        longitude, latitude = Transformer.from_crs(tile.grid, 4326, always_xy=True).transform(x, y)
        assert (tile.latitude, tile.longitude) == (
            pytest.approx(latitude, abs=0.01),
            pytest.approx(longitude, abs=0.05),
        )


def test_values_are_grey_and_missing_where_the_image_is(folder):
    for k, tile in enumerate(image_tiles.open_images(folder)):
        with rasterio.open(tile.image) as file:
            rgb = file.read().astype(float)
        found = tile.values(("grey",), *every(tile))
        seen = rgb.any(axis=0)
        assert (
            found.shape == (1, 200, 200)
            and found.dtype == np.float32
            and np.array_equal(np.isfinite(found[0]), seen)
            and (~seen).sum() == 600 * k
        )
        luminance = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255
        assert np.nanmax(np.abs(found[0] - luminance)[seen]) <= 0.51 / 255


def test_targets_are_bits_and_clouds_have_none(folder):
    for tile in image_tiles.open_images(folder):
        with rasterio.open(tile.path) as file:
            classes, cloud = file.read(1), file.read(2)
        found = tile.target("surface_class", *every(tile))
        expected = np.choose(np.minimum(classes, 3), [1, 2, 4, 0]) * (cloud == 0)
        assert (
            np.array_equal(found, expected)
            and (cloud != 0).any()
            and len(np.unique(found)) >= 2
            and found.dtype == np.uint32
        )


def test_a_window_is_the_piece_of_the_whole(folder):
    tile = image_tiles.open_images(folder)[1]
    rows, columns = slice(13, 77), slice(5, 200)
    assert np.array_equal(
        tile.values(("grey",), rows, columns), tile.values(("grey",), *every(tile))[:, rows, columns], equal_nan=True
    )
    assert np.array_equal(
        tile.target("surface_class", rows, columns), tile.target("surface_class", *every(tile))[rows, columns]
    )


def test_a_truth_of_one_band_knows_no_cloud(folder, tmp_path):
    shutil.copytree(folder / "p0", tmp_path / "p0")
    truth = next((tmp_path / "p0").glob("*_truth.tif"))
    with rasterio.open(truth) as file:
        classes, profile = file.read(1), {**file.profile, "count": 1}
    classes[:5] = 255
    with rasterio.open(truth, "w", **profile) as file:
        file.write(classes, 1)
    tile = image_tiles.open_images(tmp_path)[0]
    found = tile.target("surface_class", *every(tile))
    assert not found[:5].any() and found[5:].all()


def test_other_sensors_are_refused(folder):
    with pytest.raises(
        UsageError, match=r"holds a true-colour image; expected a recipe with the one sensor grey, found \['optical'\]"
    ):
        image_tiles.open_images(folder)[0].values(("optical",), slice(0, 1), slice(0, 1))


def test_faults_are_one_line(folder, tmp_path):
    shutil.copytree(folder / "p0", tmp_path / "p0")
    truth, image = (next((tmp_path / "p0").glob(f"*{e}")) for e in ("_truth.tif", "_tci.tif"))
    with rasterio.open(truth) as file:
        profile = {**file.profile, "width": 7}
    whole = truth.read_bytes()
    with rasterio.open(truth, "w", **profile):
        pass
    with pytest.raises(ProductError, match=r"is 200 x 7 pixels; expected those of .*, 200 x 200"):
        image_tiles.open_images(tmp_path)
    truth.write_bytes(b"no")
    with pytest.raises(ProductError, match=r"cannot be read .*; expected a GeoTIFF of classes"):
        image_tiles.open_images(tmp_path)
    truth.write_bytes(whole)
    image.unlink()
    with pytest.raises(ProductError, match=r"the image .*_tci\.tif is missing beside it"):
        image_tiles.open_images(tmp_path)


def test_simulated_scenes_at_one_place_are_different_ground(folder):
    """The simulator puts every pair of a season at the same coordinates; a split by scene must still tell them
    apart."""
    from polynya.samples import scene_split

    tiles = image_tiles.open_images(folder)
    assert all(t.is_simulated for t in tiles) and len(
        set(scene_split.same_ground([*tiles, *(dataclasses.replace(t, scene=f"{t.scene}b") for t in tiles)]).values())
    ) == 2 * len(tiles)
