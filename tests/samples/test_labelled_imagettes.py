"""Imagettes with tags for training: folders, unseen tags, passes, memory; and how an epoch draws and mixes them."""

from __future__ import annotations

import csv
import gc
import shutil
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from polynya.errors import ProductError, UsageError
from polynya.readers import wv_quicklooks
from polynya.samples import imagette_draws, labelled_imagettes
from polynya.samples.imagette_draws import Augment, PictureSource
from polynya.samples.imagette_pictures import LEVEL
from polynya.schema.imagettes import SHORT_NAMES, TAGS, UNKNOWN
from polynya.simulate.wave_mode.product import Options, simulate_imagettes
from tests.real_files import sar

SIZE = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("wave") / "set"
    simulate_imagettes(out, Options(seed=61, count=14))
    return out


@pytest.fixture(scope="module")
def images(folder):
    return labelled_imagettes.read([folder], size=SIZE, pixel_m=50.0)


def test_tags_and_passes_are_those_of_the_table(folder, images):
    rows = wv_quicklooks.read_table(folder)
    truth = labelled_imagettes.true_tags(folder)
    assert len(images) == 14 and len(images.passes) == 2 and np.bincount(images.passed).tolist() == [12, 2]
    for row, tags in zip(rows, images.tags, strict=True):
        seen = truth[row.filename][1]
        assert np.array_equal(tags, np.where(seen < 0, UNKNOWN, row.tags))
    assert images.simulated and images.satellites == ("S1A",) and images.grey.shape == (14, SIZE, SIZE)
    assert sum(images.about[0]["tags"].values()) == int((images.tags == 1).sum())


def test_a_tag_that_cannot_be_seen_is_unknown(folder, tmp_path):
    other = tmp_path / "set"
    shutil.copytree(folder, other)
    lines = list(csv.DictReader((other / "truth.csv").open()))
    tag = next(n for n in SHORT_NAMES if lines[0][n] == "1")
    lines[0][f"{tag}_visible"] = "-1"
    with (other / "truth.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]))
        table.writeheader()
        table.writerows(lines)
    first = next(iter(labelled_imagettes.opened(other)))
    assert first.tags[SHORT_NAMES.index(tag)] == UNKNOWN
    (other / "truth.csv").write_text("filename,WS\na,1\n")
    with pytest.raises(ProductError, match=r"truth\.csv"):
        labelled_imagettes.true_tags(other)


def test_pictures_lie_in_a_file_not_in_memory(images):
    assert isinstance(images.grey, np.memmap) and not images.grey.flags.writeable


def test_read_pictures_are_let_go(folder):
    """Fourteen pictures of 640 kB are read; of each some kB are kept."""
    tracemalloc.start()
    try:
        found = labelled_imagettes.read([folder], size=SIZE, pixel_m=50.0)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(found) == 14 and kept < 2_000_000


def test_folders_of_folders_files_and_the_same_twice(folder, tmp_path):
    above = tmp_path / "all"
    for name in ("a", "b"):
        shutil.copytree(folder, above / name)
    some = next((above / "a").glob("*.tiff"))
    assert labelled_imagettes.folders([above]) == [above / "a", above / "b"]
    assert labelled_imagettes.folders([some, above / "a"]) == [above / "a"]
    with pytest.raises(UsageError, match="imagettes with tags"):
        labelled_imagettes.folders([tmp_path])


def test_vectors_take_the_place_of_pictures(folder, tmp_path):
    other = tmp_path / "set"
    shutil.copytree(folder, other)
    vectors = np.random.default_rng(0).normal(size=(14, 5))
    np.save(other / "v.npy", vectors)
    found = labelled_imagettes.read([other], size=SIZE, pixel_m=50.0, vectors="v.npy", features=5)
    assert found.scalars == pytest.approx(vectors.astype(np.float32)) and found.grey.shape == (14, 0, 0)
    with pytest.raises(ProductError, match=r"expected 14 vectors of 6"):
        labelled_imagettes.read([other], size=SIZE, pixel_m=50.0, vectors="v.npy", features=6)
    (other / "v.npy").write_bytes(b"no")
    with pytest.raises(ProductError, match="NPY"):
        labelled_imagettes.read([other], size=SIZE, pixel_m=50.0, vectors="v.npy", features=5)


@pytest.mark.real
def test_real_quicklooks_are_read_with_their_vectors():
    place = sar("wv_quicklooks")
    found = labelled_imagettes.read([place], size=400, pixel_m=50.0)
    assert len(found) == len(found.passes) == 5 and not found.simulated and found.beams == ("wv1", "wv2")
    assert np.isnan(found.scalars[:, : len(LEVEL)]).all()
    assert np.isfinite(found.scalars[:, len(LEVEL) :]).all()
    vectors = labelled_imagettes.read([place], size=400, pixel_m=50.0, vectors="wvnet_embeddings.npy", features=2048)
    assert vectors.scalars.shape == (5, 2048)


def test_tags_come_equally_often_by_weights():
    """Two tags and untagged images, 80, 15 and 5 of them: each group gets a third of the draws."""
    tags = np.zeros((100, 2), np.int8)
    tags[:80, 0], tags[80:95, 1] = 1, 1
    found = imagette_draws.weights(tags)
    assert [found[:80].sum(), found[80:95].sum(), found[95:].sum()] == pytest.approx([1 / 3] * 3)


def test_mixtures_have_the_tags_of_both():
    first, second = (np.array(v, np.int8) for v in ([1, 0, 0, -1, -1, 1], [0, 0, -1, -1, 1, -1]))
    assert imagette_draws.mixed_tags(first, second).tolist() == [1, 0, -1, -1, 1, 1]


def test_sea_ice_is_not_mixed_and_few_tags_join():
    rng = np.random.default_rng(0)
    tags = (rng.random((400, 10)) < 0.15).astype(np.int8)
    rows, ice = np.arange(400), TAGS.index("sea_ice")
    other = imagette_draws.partners(tags, rows, Augment(mix=0.4, most_tags=2), rng)
    mixed = other >= 0
    both = (tags[mixed] | tags[other[mixed]]) == 1
    assert 0.3 < mixed.mean() < 0.5 and both.sum(axis=1).max() == 2 and not both[:, ice].any()
    assert (other[mixed] != rows[mixed]).all()


def test_added_logarithms_are_products_of_roughness():
    rng = np.random.default_rng(1)
    one, two = (np.exp(0.2 * rng.normal(size=(64, 64))).astype(np.float32) for _ in range(2))
    found = imagette_draws.mix(np.log(one), np.log(two), is_halved=False, pixel_m=50.0, rng=rng)
    low, high = np.percentile(one * two, (1, 99))
    assert np.abs(found - np.clip((one * two - low) / (high - low), 0, 1) * 255).max() <= 1.0


def test_halves_are_the_pictures_far_from_the_border():
    """A dark and a bright half: both values are there, and a border between them."""
    dark, bright = np.full((400, 400), -1.0, np.float32), np.full((400, 400), 1.0, np.float32)
    found = imagette_draws.mix(dark, bright, is_halved=True, pixel_m=50.0, rng=np.random.default_rng(2))
    assert (found < 10).mean() > 0.1 and (found > 245).mean() > 0.1 and ((found > 50) & (found < 200)).mean() < 0.2


def test_the_logarithm_undoes_the_stretch():
    roughness = np.linspace(0.5, 2.0, 256).astype(np.float32)
    grey = np.arange(256, dtype=np.uint8)
    found = imagette_draws.logarithm(grey, np.array([0.5, 2.0]))
    assert found == pytest.approx(np.log(roughness) - np.log(roughness).mean(), abs=1e-4)


def test_eight_turns_of_a_square_are_all_different():
    picture = np.arange(9).reshape(3, 3)
    assert len({imagette_draws.turned(picture, k).tobytes() for k in range(8)}) == 8


def source(images, **more):
    target = SimpleNamespace(encode=lambda tags: tags)
    return PictureSource(
        data=images,
        rows=np.arange(len(images)),
        scaled=lambda v: v,
        encode=target.encode,
        pixel_m=50.0,
        augment=Augment(**more),
        is_balanced=True,
    )


def test_scored_pictures_are_whole_and_unchanged(images):
    own = source(images)
    batch = own.batch(own.plan(None))
    pictures, scalars = batch.inputs
    assert np.array_equal(np.round(255 * pictures[:, 0]), images.grey) and np.array_equal(batch.targets, images.tags)
    np.testing.assert_array_equal(scalars, images.scalars)


def test_drawn_pictures_follow_from_the_seed_alone(images):
    own = source(images, mix=0.5)
    one, two = (own.batch(own.plan(np.random.default_rng(3))) for _ in range(2))
    assert np.array_equal(one.inputs[0], two.inputs[0]) and np.array_equal(one.targets, two.targets)
    side = one.inputs[0].shape[-1]
    assert one.inputs[0].shape == (14, 1, side, side) and 0.8 * SIZE <= side <= SIZE
    assert one.inputs[0].min() >= 0 and one.inputs[0].max() <= 1


def test_a_mixture_has_no_level(images):
    own = source(images, mix=1.0, level_unknown=0.0)
    plan = own.plan(np.random.default_rng(4))
    scalars = own.batch(plan).inputs[1]
    assert np.array_equal(np.isnan(scalars[:, 1]), plan[:, 1] >= 0) and (plan[:, 1] >= 0).any()
    assert np.isfinite(scalars[:, len(LEVEL) :]).all()


def test_without_changes_a_drawn_picture_is_the_picture(images):
    plain = {"turns": False, "crop": 1.0, "gain": 0.0, "offset": 0.0, "mix": 0.0, "level_unknown": 0.0}
    own = source(images, **plain)
    batch = own.batch(own.plan(np.random.default_rng(5)))
    assert np.array_equal(np.round(255 * batch.inputs[0][:, 0]), images.grey[batch.where])
