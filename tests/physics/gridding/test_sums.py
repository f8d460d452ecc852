"""Exact sums: the same bits under any partition and order."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.physics import gridding
from polynya.physics.gridding import sums
from polynya.schema.gridded import GRID_NAMES, QUANTUM, SIGNED, SUM_NAMES

ROW = st.tuples(
    st.sampled_from([0, 18262, 18293]),
    st.integers(0, 3),
    st.sampled_from(["000101", "000102", "054306"]),
    st.integers(18262, 18264),
    st.integers(-(2**40), 2**40),
    st.integers(0, 2**40),
)


def of_rows(rows: list[tuple]) -> gridding.Sums:
    period, cell, track, day, first, second = (np.array(c) for c in zip(*rows, strict=True)) if rows else [[]] * 6
    signed, counts = np.asarray(first, np.int64), np.asarray(second, np.int64)
    values = {n: (signed if n in SIGNED else counts) * (k % 5 + 1) for k, n in enumerate(SUM_NAMES)}
    return sums.add({"period": period, "cell": cell, "track": track, "day": day}, values)


def same(a: gridding.Sums, b: gridding.Sums) -> bool:
    keys = all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("period", "cell", "track", "day"))
    return keys and all(np.array_equal(a.values[n], b.values[n]) for n in SUM_NAMES)


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, max_size=40), st.integers(1, 7), st.randoms(use_true_random=False))
def test_any_partition_and_order_gives_the_same_bits(rows, count, random):
    whole = of_rows(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    parts: list[list] = [[] for _ in range(count)]
    for row in shuffled:
        parts[random.randrange(count)].append(row)
    pieces = [of_rows(p) for p in parts]
    random.shuffle(pieces)
    cut = random.randrange(count + 1)
    nested = gridding.merge([gridding.merge(pieces[cut:]), gridding.merge(pieces[:cut])])
    assert same(gridding.merge(pieces), whole) and same(nested, whole)
    with warnings.catch_warnings():  # no table that a granule can give makes a mean that is no number in silence
        warnings.simplefilter("error")
        a, b = gridding.estimates(nested), gridding.estimates(whole)
    for name in GRID_NAMES:  # drawn numbers make no sense as means, but their bits must agree
        assert a.values[name].tobytes() == b.values[name].tobytes(), name


@given(st.lists(ROW, min_size=1, max_size=30))
@settings(deadline=None, max_examples=30)
def test_sums_are_those_of_python_integers(rows):
    found, name = of_rows(rows), "freeboard"
    expected: dict[tuple, int] = {}
    for *key, first, _ in rows:
        expected[tuple(key)] = expected.get(tuple(key), 0) + first * (SUM_NAMES.index(name) % 5 + 1)
    got = {
        (int(p), int(c), str(t), int(d)): int(v)
        for p, c, t, d, v in zip(found.period, found.cell, found.track, found.day, found.values[name], strict=True)
    }
    assert got == expected
    assert list(got) == sorted(got)


def test_floats_would_not_be_exact_here():
    """What the integers are for: the same values in another order, as floats."""
    values = np.random.default_rng(1).normal(0.3, 0.4, 5000)
    assert sum(values.tolist()) != sum(values[::-1].tolist())
    counts = sums.fixed("freeboard", values)
    assert counts.sum() == counts[::-1].sum()
    assert abs(counts.sum() * QUANTUM["freeboard"] - values.sum()) < 5000 * 0.5e-6


def test_a_sum_that_does_not_fit_is_an_error_not_a_wrapped_number():
    keys = {"period": np.zeros(3), "cell": np.zeros(3), "track": ["a"] * 3, "day": np.zeros(3)}
    with pytest.raises(ValueError, match="sum freeboard: is too large for 64 bits"):
        sums.add(keys, {"freeboard": np.array([2**61, 2**60, 2**61])})
    part = sums.add(keys, {"freeboard": np.array([2**59, 2**59, 2**59])})
    assert part.values["freeboard"][0] == 3 * 2**59
    with pytest.raises(ValueError, match="too large"):
        gridding.merge([part] * 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e14])
def test_only_finite_values_are_counted(bad):
    with pytest.raises(ValueError, match="sum freeboard: holds a value that is not finite or too large"):
        sums.fixed("freeboard", np.array([0.1, bad]))


def test_floats_are_no_counts():
    keys = {"period": [0], "cell": [0], "track": ["a"], "day": [0]}
    with pytest.raises(ValueError, match="expected integers"):
        sums.add(keys, {"freeboard": np.array([0.5])})


def test_nothing_merges_to_nothing():
    empty = gridding.merge([])
    assert empty.cell.size == 0 and set(empty.values) == set(SUM_NAMES)
    assert gridding.estimates(empty).cell.size == 0
