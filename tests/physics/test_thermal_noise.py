"""Cases of the noise rule that one pixel shows; whole products are in the tests of the Sentinel-1 reader."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics.line_vectors import Vector
from polynya.physics.thermal_noise import Block, ThermalNoise


def vector(line, nodes):
    return Vector(line=line, pixels=np.array(list(nodes)), values=np.array(list(nodes.values()), float))


def block(swath, lines, samples, lut=None):
    lut = lut or {}
    return Block(
        swath=swath,
        first_line=lines[0],
        last_line=lines[1],
        first_sample=samples[0],
        last_sample=samples[1],
        lines=np.array(list(lut), np.int64),
        factors=np.array(list(lut.values()), float),
    )


def noise(vectors, blocks=(), *, shape=(100, 100)):
    return ThermalNoise(shape=shape, vectors=tuple(vectors), blocks=tuple(blocks), scale={})


def at(known, line, sample):
    return known.window(slice(line, line + 1), slice(sample, sample + 1))[0, 0]


def test_a_vector_before_and_one_after_the_image():
    """Their nodes belong to the sub-swaths of the first and the last line."""
    blocks = [block("A", (0, 99), (0, 49)), block("B", (0, 99), (50, 99))]
    known = noise([vector(-100, {0: 10, 49: 10, 50: 1, 99: 1}), vector(100, {0: 30, 49: 30, 50: 5, 99: 5})], blocks)
    assert at(known, 0, 49) == pytest.approx(20.0)
    assert at(known, 0, 50) == pytest.approx(3.0)


def test_no_value_leaks_over_a_border():
    """The border moves between two vectors: each sub-swath keeps its own nodes, the nearest stands in."""
    blocks = [
        block("A", (0, 9), (0, 59)),
        block("B", (0, 9), (60, 99)),
        block("A", (10, 99), (0, 49)),
        block("B", (10, 99), (50, 99)),
    ]
    known = noise([vector(5, {0: 100, 59: 100, 60: 1, 99: 1}), vector(15, {0: 200, 49: 200, 50: 3, 99: 3})], blocks)
    assert at(known, 9, 59) == pytest.approx(140.0)
    assert at(known, 10, 50) == pytest.approx(2.0)
    assert at(known, 10, 55) == pytest.approx(2.0)  # at line 5 sample 55 was the other sub-swath's


def test_zero_nodes_inside_are_left_out_and_those_at_the_ends_mask():
    known = noise([vector(0, {0: 0, 10: 4, 20: 0, 30: 8, 40: 0, 99: 0})])
    assert at(known, 50, 20) == pytest.approx(6.0)
    assert at(known, 0, 10) == 4.0 and at(known, 0, 30) == 8.0
    assert np.isnan(at(known, 0, 9)) and np.isnan(at(known, 0, 31)) and np.isnan(at(known, 0, 99))


def test_the_nearest_node_holds_where_no_zero_follows():
    known = noise([vector(0, {10: 4, 90: 8})])
    assert at(known, 0, 0) == 4.0 and at(known, 0, 99) == 8.0


def test_a_mask_holds_between_two_vectors():
    """One vector ends at 50, the next at 60: between them only samples that both have are valid."""
    known = noise([vector(0, {0: 1, 50: 1, 51: 0}), vector(10, {0: 1, 60: 1, 61: 0})])
    assert at(known, 5, 50) == 1.0 and np.isnan(at(known, 5, 55))
    assert at(known, 10, 55) == 1.0 and np.isnan(at(known, 0, 55))


def test_azimuth_factor_is_that_of_the_own_block_and_clipped():
    blocks = [block("A", (0, 49), (0, 99), {10: 1.0, 40: 1.3}), block("A", (50, 99), (0, 99), {60: 2.0})]
    known = noise([vector(0, {0: 10, 99: 10})], blocks)
    assert at(known, 0, 5) == pytest.approx(10.0) and at(known, 25, 5) == pytest.approx(11.5)
    assert at(known, 49, 5) == pytest.approx(13.0) and at(known, 50, 5) == pytest.approx(20.0)


def test_a_positive_node_in_no_block_goes_to_the_next_in_azimuth():
    """A sub-swath starts at line 20, its only vector lies at line 18."""
    known = noise([vector(18, {0: 7, 99: 9})], [block("A", (20, 60), (0, 99)), block("B", (80, 99), (0, 99))])
    assert at(known, 40, 0) == 7.0
    assert np.isnan(at(known, 10, 0)) and np.isnan(at(known, 70, 0))
    assert np.isnan(at(known, 90, 0))  # no node is nearer to it than to the other


def test_windows_name_the_sub_swath():
    blocks = [block("B", (0, 9), (5, 9)), block("A", (5, 9), (0, 4))]
    known = noise([vector(0, {0: 1})], blocks, shape=(10, 10))
    found = known.subswath(slice(0, 10), slice(0, 10))
    assert known.swaths == ("A", "B")
    assert (found[:5, :5] == 0).all() and (found[5:, :5] == 1).all() and (found[:, 5:] == 2).all()


def test_the_end_of_a_vector_before_the_image_masks_too():
    """Nodes of 0 at its end mark samples without an image, whatever its line."""
    known = noise([vector(-10, {0: 5, 5: 5, 7: 5, 8: 0, 9: 0})], [block("A", (0, 3), (0, 9))], shape=(4, 10))
    row = known.range_noise(slice(0, 1), slice(0, 10))[0]
    assert row[:8] == pytest.approx(5.0) and np.isnan(row[8:]).all()


def test_a_node_behind_the_last_sample_counts():
    known = noise([vector(0, {0: 1, 5: 2, 12: 9})], [block("A", (0, 3), (0, 9))], shape=(4, 10))
    assert at(known, 0, 9) == pytest.approx(2.0 + 7.0 * 4 / 7)


def test_zeros_of_a_sub_swath_that_has_not_begun_mask_nothing():
    blocks = [block("A", (0, 9), (0, 4)), block("B", (3, 9), (5, 9))]
    nodes = {0: 4, 4: 4, 5: 7, 7: 7}
    known = noise([vector(0, {**nodes, 8: 0, 9: 0}), vector(9, {**nodes, 9: 7})], blocks, shape=(10, 10))
    assert at(known, 5, 9) == pytest.approx(7.0) and np.isnan(at(known, 1, 9))
