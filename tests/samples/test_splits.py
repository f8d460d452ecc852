"""Splits: no group in two parts, the gap holds, the seed decides, the leaky one says so."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from polynya.errors import UsageError
from polynya.samples import splits

SHARES = st.sampled_from([(0.7, 0.1, 0.1, 0.1), (0.5, 0.2, 0.0, 0.3), (0.8, 0.2, 0.0, 0.0), (0.34, 0.33, 0.33, 0.0)])


def config(method: str, shares=(0.7, 0.1, 0.1, 0.1), **more) -> splits.Config:
    return splits.Config(method=method, **dict(zip(splits.PARTS, shares, strict=True)), **more)


def some_track(seed: int, granules: int, km: float) -> tuple[np.ndarray, np.ndarray]:
    """Granules of three beams each; x goes over borders of blocks and is not sorted over beams."""
    rng = np.random.default_rng(seed)
    granule = np.repeat(np.arange(granules), 3 * 200)
    return granule, rng.uniform(-1e3, 1e3 * km, granule.size)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), granules=st.integers(4, 30), shares=SHARES)
def test_a_granule_is_in_one_part(seed, granules, shares):
    granule, x = some_track(seed, granules, 20)
    found = splits.split(granule, x, config=config("granule", shares, seed=seed))
    for g in range(granules):
        assert len(set(found.part[granule == g].tolist())) == 1
    for k, share in enumerate(shares):  # every wanted part has a granule, its share to within one or the least of one
        assert (found.groups[k] > 0) == (share > 0)
        assert abs(found.groups[k] - share * granules) <= 2.0 or found.groups[k] == 1
    assert sum(found.groups) == granules and not found.is_leaky


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    granules=st.integers(1, 5),
    shares=SHARES,
    block_km=st.sampled_from([2.0, 5.0]),
    gap_km=st.sampled_from([0.0, 0.3, 1.9]),
)
def test_blocks_of_different_parts_keep_their_distance(seed, granules, shares, block_km, gap_km):
    granule, x = some_track(seed, granules, 40)
    found = splits.split(granule, x, config=config("block", shares, block_km=block_km, gap_km=gap_km, seed=seed))
    for g in range(granules):
        order = np.argsort(x[granule == g])
        place, part = x[granule == g][order], found.part[granule == g][order]
        place, part = place[part >= 0], part[part >= 0]
        changes = np.flatnonzero(np.diff(part))
        assert np.all(np.diff(place)[changes] >= 1000 * gap_km - 1e-6)
        block = np.floor(place / (1000 * block_km))
        for b in np.unique(block):  # all beams of a block go together
            assert len(set(part[block == b].tolist())) == 1
    if gap_km == 0:
        assert not (found.part == splits.LEFT_OUT).any()


def test_the_gap_takes_no_more_than_half_on_either_side():
    granule, x = np.zeros(4000, int), np.arange(4000) * 10.0
    found = splits.split(granule, x, config=config("block", (0.5, 0.5, 0, 0), block_km=5, gap_km=1, seed=3))
    out = x[found.part == splits.LEFT_OUT]
    to_border = np.minimum(out % 5000, 5000 - out % 5000)
    assert to_border.max() <= 500
    borders = {round(b) for b in np.round(out / 5000)}
    block_part = {int(b): set(found.part[(x // 5000 == b) & (found.part >= 0)].tolist()) for b in range(8)}
    assert borders == {
        b for b in range(1, 8) if block_part[b - 1] != block_part[b]
    }  # nothing is lost between blocks of one part


@pytest.mark.parametrize("method", ["granule", "block", "random"])
def test_the_seed_decides(method, caplog):
    granule, x = some_track(1, 12, 60)
    one, same, other = (splits.split(granule, x, config=config(method, seed=s)).part for s in (4, 4, 5))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_the_random_split_warns_and_is_marked(caplog):
    with caplog.at_level(logging.WARNING, logger="polynya.splits"):
        found = splits.split(np.zeros(1000, int), np.arange(1000.0), config=config("random"))
    assert "leak" in caplog.text and found.is_leaky and found.describe()["is_leaky"]
    assert found.groups == (700, 100, 100, 100)
    assert np.mean(found.part[1:] != found.part[:-1]) > 0.3  # neighbours are torn apart: that is the leak


def test_honest_splits_do_not_warn(caplog):
    granule, x = some_track(1, 12, 60)
    splits.split(granule, x, config=config("granule"))
    splits.split(granule, x, config=config("block"))
    assert caplog.text == ""


def test_too_few_groups_is_one_clear_line():
    with pytest.raises(
        UsageError,
        match=(
            r"found 3 granules; expected at least one for each of train, validation, calibration, test. .*--split block"
        ),
    ):
        splits.split(np.arange(3), np.zeros(3), config=config("granule"))
    with pytest.raises(UsageError, match=r"found 1 blocks"):
        splits.split(np.zeros(5, int), np.arange(5.0), config=config("block"))


@pytest.mark.parametrize(
    "change",
    [
        {"shares": (0.7, 0.2, 0.2, 0.1)},
        {"shares": (0.0, 0.5, 0.5, 0.0)},
        {"block_km": 1.0, "gap_km": 1.0, "method": "block"},
    ],
)
def test_settings_that_make_no_split_are_refused(change):
    with pytest.raises(ValidationError):
        config(change.pop("method", "granule"), **change)
