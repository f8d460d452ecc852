"""Facts by release: each release has a DOI of its own; frame and tide model changed with 007."""

from __future__ import annotations

import pytest

from polynya.readers import icesat2_releases
from polynya.schema import DATUM


@pytest.mark.parametrize("release", ["003", "005", "006"])
def test_before_release_007(release):
    assert icesat2_releases.doi("ATL03", release) == f"10.5067/ATLAS/ATL03.{release}"
    assert icesat2_releases.datum(release) == DATUM and "ITRF2014" in DATUM
    assert icesat2_releases.tide_model(release) == "GOT4.8"


def test_release_007():
    assert icesat2_releases.source("ATL10", "007") == "ICESat-2 ATL10 release 007, doi:10.5067/ATLAS/ATL10.007"
    assert "ITRF2020" in icesat2_releases.datum("007") and "ITRF2014" not in icesat2_releases.datum("007")
    assert "FES2014b" in icesat2_releases.tide_model("007")


def test_a_file_without_a_release_gets_no_doi_and_both_frames():
    assert icesat2_releases.doi("ATL03", "") == "" and "doi" not in icesat2_releases.source("ATL03", "")
    assert all(w in icesat2_releases.datum("") for w in ("ITRF2014", "ITRF2020"))
    assert all(w in icesat2_releases.tide_model("") for w in ("GOT4.8", "FES2014b"))
