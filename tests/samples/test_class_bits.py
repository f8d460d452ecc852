"""Sets of classes as bits: every class survives, nothing unknown goes unnoticed."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.samples import class_bits


def test_thirty_two_classes_survive():
    codes = np.arange(32)
    bits = class_bits.bits_of(codes, {k: (k,) for k in range(32)}, unlabelled=(-1,), where="x")
    assert bits.dtype == np.uint32 and bits[31] == 2**31
    assert np.array_equal(class_bits.single(bits), codes)


def test_sets_and_unlabelled_samples_are_no_single_class():
    bits = class_bits.bits_of(np.array([[0, 9], [-1, 1]]), {0: (0,), 1: (1,), 9: (0, 1)}, unlabelled=(-1,), where="x")
    assert bits.tolist() == [[1, 3], [0, 2]] and class_bits.single(bits).tolist() == [[0, -1], [-1, 1]]


def test_a_label_outside_is_an_error():
    with pytest.raises(UsageError, match=r"tile 3: label 7 is outside the target; expected one of 0, 1\."):
        class_bits.bits_of(np.array([0, 7]), {0: (0,), 1: (1,)}, unlabelled=(), where="tile 3")
    class_bits.check(np.array([0b111], np.uint32), ("a", "b", "c"), where="x")
    with pytest.raises(UsageError, match=r"x: holds class 3; expected classes 0 to 2 \(a, b, c\)"):
        class_bits.check(np.array([0b1000], np.uint32), ("a", "b", "c"), where="x")
