"""Look-up vectors: bilinear inside, the nearest outside."""

from __future__ import annotations

import numpy as np

from polynya.physics.line_vectors import Vector, table


def vector(line, pixels, values):
    return Vector(line=line, pixels=np.array(pixels), values=np.array(values, float))


def test_a_plane_comes_back_and_nothing_is_extrapolated():
    """Vectors that start before the image, end after it, and hold nodes in any order."""
    plane = lambda line, pixel: 3.0 + 2.0 * line - 0.5 * pixel  # noqa: E731
    made = [vector(line, [40, 0, 100], [plane(line, p) for p in (40, 0, 100)]) for line in (50, -1501, 20)]
    found = table(made, columns=slice(10, 130))
    got = found.window(slice(0, 60), slice(10, 130))
    line, pixel = np.mgrid[0:60, 10:130]
    np.testing.assert_allclose(got, plane(np.minimum(line, 50), np.minimum(pixel, 100)), rtol=1e-12)
    np.testing.assert_array_equal(found.window(slice(7, 9), slice(30, 40)), got[7:9, 20:30])


def test_one_vector_holds_everywhere_and_a_second_at_its_line_is_passed_over():
    found = table([vector(5, [0, 10], [1.0, 3.0]), vector(5, [0, 10], [9.0, 9.0])], columns=slice(0, 11))
    np.testing.assert_allclose(found.window(slice(0, 2), slice(0, 11)), np.tile(np.linspace(1, 3, 11), (2, 1)))


def test_a_missing_value_of_weight_zero_has_no_part():
    one = table([vector(0, [0, 1], [1.0, 1.0]), vector(10, [0, 1], [2.0, 2.0])], columns=slice(0, 2))
    one.values[1, 1] = np.nan
    got = one.window(slice(0, 11), slice(0, 2))
    assert np.isfinite(got[:, 0]).all() and got[5, 0] == 1.5
    assert got[0, 1] == 1.0 and np.isnan(got[1:, 1]).all()
