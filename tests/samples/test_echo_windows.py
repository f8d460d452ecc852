"""Windows of echoes: every echo is answered once, as far from the ends as the sequence allows, and nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.samples import echo_windows
from polynya.targets import OneOf

LENGTH, MARGIN = 20, 4
TARGET = OneOf(classes=("no_lead", "lead"))


def numbered(*sizes: int) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize("sizes", [(7,), (20,), (21,), (32,), (33,), (500, 1, 20, 75), ()])
def test_each_echo_is_answered_once_away_from_the_ends(sizes):
    sequence = numbered(*sizes)
    found = echo_windows.cover(sequence, length=LENGTH, margin=MARGIN)
    times = np.zeros(len(sequence), int)
    for first, size, begin, end in zip(found.first, found.size, found.begin, found.end, strict=True):
        rows = np.flatnonzero(sequence == sequence[first])
        assert len(np.unique(sequence[first : first + size])) == 1 and size == min(LENGTH, len(rows))
        times[begin:end] += 1
        for row in range(begin, end):
            to_end = min(row - first, first + size - 1 - row)
            of_sequence = min(row - rows[0], rows[-1] - row)
            assert to_end >= min(MARGIN, of_sequence)
    assert (times == 1).all()


def test_windows_are_few():
    """Of 500 echoes: 1 + ceil((500 - 20) / (20 - 2 * 4)) windows."""
    assert len(echo_windows.cover(numbered(500), length=LENGTH, margin=MARGIN)) == 41


def test_drawn_windows_hold_each_echo_once_and_change_from_epoch_to_epoch():
    sequence = numbered(130, 9)
    used = np.ones(139, bool)
    rng = np.random.default_rng(0)
    one, two = (echo_windows.draw(sequence, used, length=LENGTH, rng=rng) for _ in range(2))
    for found in (one, two):
        times = np.zeros(139, int)
        for first, size in zip(found.first, found.size, strict=True):
            times[first : first + size] += 1
            assert size <= LENGTH and len(set(sequence[first : first + size])) == 1
        assert (times == 1).all()
    assert sorted(one.first.tolist()) != sorted(two.first.tolist())


def test_windows_without_a_used_echo_are_left_out():
    used = np.zeros(100, bool)
    used[55] = True
    found = echo_windows.draw(numbered(100), used, length=LENGTH, rng=np.random.default_rng(1))
    assert len(found) == 1 and found.first[0] <= 55 < found.first[0] + found.size[0]


def test_inputs_of_a_window_are_its_echoes_then_nothing():
    values = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    windows = echo_windows.cover(numbered(25, 5), length=LENGTH, margin=MARGIN)
    found = echo_windows.gather(values, windows, np.arange(len(windows)), length=LENGTH)
    assert found.shape == (3, 4, LENGTH)
    for k in range(3):
        for t in range(LENGTH):
            inside = t < windows.size[k]
            expected = [*values[windows.first[k] + t], 1.0] if inside else [0.0] * 4
            np.testing.assert_array_equal(found[k, :, t], np.array(expected, np.float32))


def source(*, mirror: bool = False, used=None) -> echo_windows.WindowSource:
    rng = np.random.default_rng(4)
    labels = rng.integers(-1, 2, 80)
    return echo_windows.WindowSource(
        inputs=np.arange(80, dtype=np.float32)[:, None] + np.zeros(2, np.float32),
        targets=TARGET.encode(labels),
        sequence=numbered(64, 16),
        used=np.ones(80, bool) if used is None else used,
        target=TARGET,
        length=LENGTH,
        margin=MARGIN,
        mirror=mirror,
    )


def test_scored_samples_are_the_labelled_echoes_once_in_order():
    given = source()
    batch = given.batch(given.plan(None))
    known = TARGET.known(batch.targets)
    rows = batch.where[known]
    np.testing.assert_array_equal(rows, np.flatnonzero(TARGET.known(given.targets)))
    np.testing.assert_array_equal(batch.targets[known], given.targets[rows])
    np.testing.assert_array_equal(batch.inputs[:, 0][known], rows.astype(np.float32))


def test_echoes_of_another_part_are_never_labelled():
    used = np.arange(80) < 30
    given = source(used=used)
    for plan in (given.plan(None), given.plan(np.random.default_rng(0))):
        batch = given.batch(plan)
        assert batch.where.max() < 30 and not TARGET.known(batch.targets)[batch.where < 0].any()


def test_mirrored_windows_carry_their_labels_along():
    given = source(mirror=True)
    plan = given.plan(np.random.default_rng(2))
    assert set(plan[:, 4].tolist()) == {0, 1}
    batch = given.batch(plan)
    here = batch.where >= 0
    np.testing.assert_array_equal(batch.inputs[:, 0][here], batch.where[here].astype(np.float32))
    np.testing.assert_array_equal(batch.targets[here], given.targets[batch.where[here]])
    turned = plan[:, 4] == 1
    assert (np.diff(batch.where[turned][:, :2]) == -1).all() and (np.diff(batch.where[~turned][:, :2]) == 1).all()
