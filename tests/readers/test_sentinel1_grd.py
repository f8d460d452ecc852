"""Sentinel-1 GRD: calibration and noise against numbers worked out by hand from real annotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polynya.readers import sentinel1_grd
from tests.real_files import ROOT

EW = "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15"
SM = "S1C_S4_GRDH_1SDH_20250118T171404_20250118T171421_000638_000538_4B8B.SAFE"
SLC = "S1A_IW_SL1__1_SH_20141031T095929_20141031T100002_003072_003842_91FC.SAFE"


def real_safe(name: str) -> Path:
    """Return a real product's folder, or skip the test with the reason."""
    path = ROOT / "sar" / "safe" / name
    if not path.exists():
        pytest.skip(f"the real annotation {name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path


@pytest.fixture(scope="module")
def ew():
    product = sentinel1_grd.open_product(real_safe(EW))
    return product, {c: sentinel1_grd.radiometry(product, c) for c in product.channels}


def at(line: int, sample: int) -> tuple[slice, slice]:
    """Return the window that is one pixel."""
    return slice(line, line + 1), slice(sample, sample + 1)


# Channel, line, sample, A (HH only), range noise, azimuth factor: read from the XML by hand, with the sub-swath rule.
BLOCKS = [
    ("HH", 128, 4000, 1513.648, 3054.67, 1.215532),
    ("HH", 226, 6000, 1412.165, 1996.82, 1.194486),
    ("HH", 1350, 3114, 1572.692, 4890.37, 1.008735),
    ("HV", 128, 4000, None, 2238.51, 1.224310),
    ("HV", 226, 6000, None, 1369.76, 1.193556),
    ("HV", 1350, 3114, None, 3501.02, 1.008995),
    ("HH", 1000, 1000, 1770.799, 11457.743, 1.126187),
    ("HH", 5000, 5000, 1458.238, 6020.288, 1.006546),
    ("HH", 5000, 9000, 1312.427, 1457.291, 1.115538),
    ("HH", 9000, 2500, 1620.625, 7429.777, 1.034118),
    ("HV", 1000, 1000, None, 9124.545, 1.122622),
    ("HV", 5000, 5000, None, 4541.948, 1.006914),
    ("HV", 5000, 9000, None, 1159.246, 1.122372),
    ("HV", 9000, 2500, None, 6078.549, 1.031431),
    ("HH", 0, 0, 1908.928, 38871.13, 1.267256),
]


@pytest.mark.real
@pytest.mark.parametrize(("channel", "line", "sample", "gain", "noise", "factor"), BLOCKS)
def test_gain_and_noise_of_a_real_product(ew, channel, line, sample, gain, noise, factor):
    known = ew[1][channel]
    printed = 5.01e-3 if noise == round(noise, 2) else 1e-3  # as many digits as the number was written with
    assert known.noise.range_noise(*at(line, sample))[0, 0] == pytest.approx(noise, abs=printed)
    assert known.noise.azimuth_factor(*at(line, sample))[0, 0] == pytest.approx(factor, abs=1e-6)
    if gain is not None:
        assert known.gain.window(*at(line, sample))[0, 0] == pytest.approx(gain, abs=1e-3)
