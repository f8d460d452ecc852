"""Tables of CPOM's processor: a made one, the real one, and text that is none."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers import cpom_elev
from polynya.readers.leap_seconds import utc_from_tai
from tests.real_files import altimetry

ROW = "2 1 0 7 26645.5 73.85 -125.89 -9.1 -9.3 33.0321 -999.9999 86.4 2 5 1.2 22.8 1.71"


def test_columns(tmp_path):
    path = tmp_path / "a.elev"
    path.write_text(
        f"{ROW}\n{ROW.replace(' 86.4 ', ' -999.9999 ').replace(' 1.71', ' -999.9')}\n".replace("2 1 0 7", "3 1 0 7", 1)
    )
    found = cpom_elev.read(path)
    assert found.surface_class.tolist() == [3, 2] and found.peakiness_cpom.tolist() == [33.0321, 33.0321]
    np.testing.assert_allclose(found.sea_ice_concentration, [0.864, np.nan])
    np.testing.assert_allclose(found.stack_std, [1.71, np.nan])
    assert str(found.time[0]) == "2022-12-14T11:59:23.000000000"  # noon TAI, 37 s ahead of UTC


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no line"),
        ("1 2 3\n", "has 3 columns"),
        (ROW.replace("73.85", "lat"), "cannot be read"),
        (ROW.replace("73.85", "93.85"), "line 1 has no valid class, day or position"),
        (ROW.replace("73.85", "nan"), "line 1 has no valid"),
        (f"{ROW}\n{ROW[:30]}", "cannot be read"),
        ("7" + ROW[1:], "line 1 has no valid class"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_what_is_no_table_is_one_line(tmp_path, text, words):
    path = tmp_path / "a.elev"
    path.write_text(text)
    with pytest.raises(ProductError, match=words) as raised:
        cpom_elev.read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("tai", "utc"),
    [
        ("2014-11-18T09:23:37.971", "2014-11-18T09:23:02.971"),
        ("2022-12-14T02:03:58.351", "2022-12-14T02:03:21.351"),
        ("2017-01-01T00:00:36.999", "2017-01-01T00:00:00.999"),
        ("2017-01-01T00:00:37.000", "2017-01-01T00:00:00.000"),
        ("2015-07-01T00:00:35.500", "2015-07-01T00:00:00.500"),
    ],
)
def test_leap_seconds(tai, utc):
    """The first two pairs stand in real files; a leap second itself gets the time of the second after it."""
    assert utc_from_tai(np.array([tai], "datetime64[ns]"))[0] == np.datetime64(utc, "ns")


@pytest.mark.real
def test_real_table():
    found = cpom_elev.read(altimetry("cs2_sar_20221214T001528.elev"))
    assert len(found) == 10_550
    assert [int((found.surface_class == c).sum()) for c in (0, 1, 2, 3)] == [2938, 0, 2814, 4798]
    assert str(found.time[0]).startswith("2022-12-14T00:15:2")  # the file's name states 00:15:28
