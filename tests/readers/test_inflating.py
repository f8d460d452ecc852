"""Every inflater gives the same bytes, and none gives any for a stream that is damaged, cut short or too long."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from polynya.readers import inflating

DATA = np.random.default_rng(0).integers(0, 40, 20_000).astype("u1").tobytes()


@pytest.fixture(params=["libdeflate", "isal", "zlib"])
def inflate(request):
    found = inflating.available()
    assert list(found)[-1] == "zlib"
    if request.param not in found:
        pytest.skip(f"{request.param} is not installed")
    return found[request.param]


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_the_bytes_come_back(inflate, level):
    assert bytes(inflate(zlib.compress(DATA, level), len(DATA))) == DATA


def test_a_wrong_checksum_is_refused(inflate):
    packed = bytearray(zlib.compress(DATA))
    packed[-1] ^= 1
    with pytest.raises(Exception, match=r"\w"):
        inflate(bytes(packed), len(DATA))


@pytest.mark.parametrize("missing", [1, 4, 5, 1000])
def test_a_cut_stream_is_refused(inflate, missing):
    with pytest.raises(Exception, match=r"\w"):
        inflate(zlib.compress(DATA)[:-missing], len(DATA))


def test_a_longer_stream_is_refused_and_a_shorter_one_shows(inflate):
    packed = zlib.compress(DATA)
    with pytest.raises(Exception, match=r"\w"):
        inflate(packed, len(DATA) - 100)
    assert len(inflate(packed, len(DATA) + 1)) == len(DATA)
