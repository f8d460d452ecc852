"""Whether a neighbour's sea surface agrees with the beam's own: closed forms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from polynya.physics import local_sea_surface
from polynya.schema import SOURCE_LEADS, SOURCE_ONE_SIDED
from polynya.workflows.freeboard import border


def side(centre, height, uncertainty, *, source=None, leads=()) -> SimpleNamespace:
    """Return what a side's reference has that is compared."""
    height = np.array(height, float)
    sections = SimpleNamespace(
        centre=np.array(centre, float),
        height=height,
        uncertainty=np.array(uncertainty, float),
        source=np.full(height.size, SOURCE_LEADS) if source is None else np.array(source),
    )
    return SimpleNamespace(sections=sections, lead=SimpleNamespace(x=np.zeros(len(leads)), height=np.array(leads)))


def test_sections_nearest_to_the_border_are_compared_with_what_the_surface_may_tilt():
    mine = side([80e3, 90e3, 100e3], [0.9, 0.10, np.nan], [0.01, 0.03, 0.01])
    theirs = side([105e3, 110e3, 120e3], [0.9, 0.25, 0.9], [0.01, 0.04, 0.01], source=[SOURCE_ONE_SIDED, 1, 1])
    found, sigma = border.difference(theirs, mine, edge=101e3)
    assert found == pytest.approx(0.15)
    assert sigma == pytest.approx(np.sqrt(0.03**2 + 0.04**2 + (local_sea_surface.SLOPE * 20e3) ** 2))
    assert border.difference(theirs, side([90e3], [np.nan], [0.1]), edge=101e3) is None


@pytest.mark.parametrize(("height", "words"), [(0.29, ""), (0.31, "0.31 ± 0.10 m above that"), (-0.31, "m below that")])
def test_three_uncertainties_apart_is_no_agreement(height, words):
    mine, theirs = (side([100e3], [h], [s]) for h, s in ((0.0, 0.06), (height, 0.08)))
    found = border.disagreement(theirs, mine, edge=100e3)
    assert words in found and bool(found) == bool(words)


def test_leads_too_far_from_the_mean_sea_surface_are_not_joined():
    none = side([100e3], [np.nan], [np.nan])
    assert border.disagreement(none, none, edge=0.0) == ""
    high, low = (side([100e3], [np.nan], [np.nan], leads=h) for h in ([0.7, 0.6, 0.1], [-0.6]))
    assert border.disagreement(high, none, edge=0.0).startswith("its leads beside the border lie 0.60 m above the mean")
    assert border.disagreement(none, low, edge=0.0).startswith(
        "this granule's own leads beside the border lie 0.60 m b"
    )
    few = side([100e3], [np.nan], [np.nan], leads=[0.4])
    assert border.disagreement(few, none, edge=0.0) == ""
