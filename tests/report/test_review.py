"""Windows, runs and tiles of the review page against plain loops over the segments and pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from polynya.errors import ProductError
from polynya.report import review, review_picture

from ..workflows import label_tables

KIND = {0: 0, 1: 1, 2: 2, 3: 3, -1: 4}


def track(n: int = 900, *, gap_at: int | None = None) -> review.Track:
    v = label_tables.beam(n, seed=1, gap_at=gap_at)
    time = (np.datetime64("2019-11-04T19:53:11", "ns") + np.arange(n)).astype(np.int64)
    zero = np.zeros(n, np.int8)
    return review.Track(
        beam="gt1r",
        is_strong=True,
        x=v["x_atc"],
        height=v["height"],
        rate=v["photon_rate"],
        easting=v["easting"],
        northing=v["northing"],
        image_value=v["image_value"],
        latitude=v["latitude"],
        longitude=v["longitude"],
        time=time,
        label=v["label"],
        source=zero,
        flag=zero,
    )


def decoded(data: bytes) -> dict:
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    assert (4 + size) % 8 == 0
    return head | {
        k: np.frombuffer(data, np.dtype("<" + kind), count=n, offset=4 + size + at)
        for k, (kind, at, n) in head["arrays"].items()
    }


@settings(max_examples=30, deadline=None)
@given(st.floats(-50, 1900), st.floats(1, 1900), st.integers(1, 40))
def test_columns_count_every_segment_once(start, span, columns):
    t = track(gap_at=400)
    a, b = label_tables.START + start, label_tables.START + start + span
    inside = (t.x >= a) & (t.x < b)
    got = decoded(review.window(t, label=t.label, source=t.source, x_from=a, x_to=b, columns=columns))
    assert got["n"] == inside.sum()
    if got["single"]:
        assert np.array_equal(got["x"], t.x[inside]) and [KIND[v] for v in t.label[inside]] == got["kind"].tolist()
        return
    assert got["n"] > 3 * columns
    wide = span / columns
    for i, middle in enumerate(got["x"]):
        at = inside & (
            np.minimum(((t.x - a) / ((b - a) / columns)).astype(int), columns - 1) == round((middle - a) / wide - 0.5)
        )
        assert at.any()
        assert got["low"][i] == np.float32(t.height[at].min()) and got["high"][i] == np.float32(t.height[at].max())
        assert got["rate"][i] == pytest.approx(t.rate[at].mean(), rel=1e-5) and got["rate_high"][i] == np.float32(
            t.rate[at].max()
        )
        for label, k in KIND.items():
            mine = at & (t.label == label)
            assert got[f"n{k}"][i] == mine.sum()
            assert (
                got[f"mean{k}"][i] == pytest.approx(t.height[mine].mean(), rel=1e-4, abs=1e-6)
                if mine.any()
                else np.isnan(got[f"mean{k}"][i])
            )


def test_the_size_of_a_window_does_not_grow_with_the_track():
    sizes = [
        len(review.window(t, label=t.label, source=t.source, x_from=t.x[0], x_to=t.x[-1] + 1, columns=500))
        for t in (track(20_000), track(200_000))
    ]
    assert max(sizes) < 40_000


def test_missing_heights_and_an_empty_window():
    t = track(100)
    t.height[:] = np.nan
    got = decoded(review.window(t, label=t.label, source=t.source, x_from=t.x[0], x_to=t.x[-1] + 1, columns=4))
    assert np.isnan(got["low"]).all() and sum(got[f"n{k}"].sum() for k in range(5)) == 100
    assert decoded(review.window(t, label=t.label, source=t.source, x_from=0.0, x_to=1.0, columns=4))["n"] == 0


def test_runs_end_at_another_label_and_at_a_hole():
    t = track(900, gap_at=200)
    assert review.run_at(t.x, t.label, at=t.x[5] + 0.4) == (0, 29)
    assert review.run_at(t.x, t.label, at=t.x[100]) == (55, 199)
    assert review.run_at(t.x, t.label, at=t.x[-1] + 1e6) == (855, 899)
    assert review.next_run(t.x, t.label, at=t.x[100], forward=True, wanted=t.label == -1) == (450, 454)
    assert review.next_run(t.x, t.label, at=t.x[100], forward=False, wanted=t.label == -1) == (50, 54)
    assert review.next_run(t.x, t.label, at=t.x[10], forward=False, wanted=np.ones(900, bool)) is None


def test_course_keeps_the_ends_and_leaves_unplaced_segments_out():
    t = track(9000)
    t.easting[:10] = np.nan
    got = decoded(review.course(t))
    assert got["x"][0] == t.x[10] and got["x"][-1] == t.x[-1] and len(got["x"]) <= review.NODES
    assert np.array_equal(got["east"], t.easting[np.searchsorted(t.x, got["x"])])
    t.easting[:] = np.nan
    assert decoded(review.course(t))["n"] == 0


def test_png_is_what_another_reader_reads():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    rgb[2, 3] = 0
    with (
        MemoryFile(review_picture.png(rgb)) as file,
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        file.open() as source,
    ):
        found = source.read()
    assert np.array_equal(found[:3].transpose(1, 2, 0), rgb)
    assert found[3, 2, 3] == 0 and (np.delete(found[3].ravel(), 2 * 7 + 3) == 255).all()


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return review_picture.open_picture(label_tables.write_scene(tmp_path_factory.mktemp("scene") / "scene.tif"))


def pixels(data: bytes) -> np.ndarray:
    with MemoryFile(data) as file, pytest.warns(rasterio.errors.NotGeoreferencedWarning), file.open() as source:
        return source.read().transpose(1, 2, 0)


def test_tiles_cover_the_scene_pixel_by_pixel(picture):
    assert (
        picture.shape == (700, 700)
        and picture.levels == 3
        and (picture.left, picture.top, picture.pixel_m) == (label_tables.LEFT, label_tables.TOP, (10.0, 10.0))
    )
    for row in range(3):
        for column in range(3):
            found = pixels(review_picture.tile(picture, level=0, row=row, column=column))
            r, c = np.indices(found.shape[:2])
            r, c = r + 256 * row, c + 256 * column
            empty = (r >= 680) & (c >= 680)
            assert np.array_equal(found[..., 3], np.where(empty, 0, 255))
            assert np.array_equal(found[..., 0][~empty], (r // 4)[~empty]) and np.array_equal(
                found[..., 1][~empty], (c // 4)[~empty]
            )
    top = pixels(review_picture.tile(picture, level=2, row=0, column=0))
    assert top.shape[:2] == (175, 175)
    r, c = np.indices((170, 170))
    assert (
        np.abs(top[:170, :170, 0].astype(int) - r).max() <= 1 and np.abs(top[:170, :170, 1].astype(int) - c).max() <= 1
    )


def test_blocks_are_read_once_and_only_some_are_kept(tmp_path, monkeypatch):
    opened = review_picture.open_picture(label_tables.write_scene(tmp_path / "large.tif", size=2100))
    read, asked = review_picture.sentinel2.true_colour, []
    monkeypatch.setattr(
        review_picture.sentinel2,
        "true_colour",
        lambda scene, window: asked.append(window) or read(scene, window=window),
    )
    monkeypatch.setattr(review_picture, "BLOCKS", 2)
    for row, column in ((0, 3), (3, 0), (4, 4), (8, 8), (8, 3)):
        found = pixels(review_picture.tile(opened, level=0, row=row, column=column))
        r, c = np.indices(found.shape[:2])
        assert np.array_equal(found[:30, :30, 0], ((r + 256 * row) // 4 % 256)[:30, :30]) and np.array_equal(
            found[:30, :30, 1], ((c + 256 * column) // 4 % 256)[:30, :30]
        )
    assert (
        asked
        == [
            ((0, 1024), (0, 1024)),
            ((1024, 2048), (1024, 2048)),
            ((2048, 2100), (2048, 2100)),
            ((2048, 2100), (0, 1024)),
        ]
        and len(opened.blocks) == 2
    )


@pytest.mark.parametrize("place", [(3, 0, 0), (-1, 0, 0), (0, 3, 0), (0, 0, 3), (0, -1, 0), (2, 1, 0)])
def test_there_is_nothing_outside_the_pyramid(picture, place):
    level, row, column = place
    assert review_picture.tile(picture, level=level, row=row, column=column) is None


def test_a_turned_grid_is_refused(tmp_path):
    path = tmp_path / "turned.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=8,
        height=8,
        count=3,
        dtype="uint8",
        crs="EPSG:3976",
        transform=rasterio.Affine(7, 7, 0, 7, -7, 0),
    ) as out:
        out.write(np.ones((3, 8, 8), np.uint8))
    with pytest.raises(ProductError, match=r"turned.*gdalwarp|turned|north"):
        review_picture.open_picture(path)
