"""The error of leads that may be ice: sure leads add nothing, else what drawing the leads anew would scatter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.physics import lead_error, leads, local_sea_surface
from polynya.physics.lead_error import PROBABLE_FALSE_LEAD_HEIGHT, FalseLeadHeight, LeadError, reference_variance
from polynya.schema import OPEN_WATER

FAR = 5000.0
THIN, THICK = FalseLeadHeight().thin_m, FalseLeadHeight().thick_m


def error_of(probability, ice_height=0.06) -> LeadError:
    p = np.asarray(probability, float)
    return LeadError(probability=p, ice_height_if_not_water=np.full(p.size, ice_height))


def variance(height, probability, *, weight=None, ice_height=0.06, step=FAR) -> float:
    h = np.asarray(height, float)
    return reference_variance(
        step * np.arange(h.size),
        h,
        weight=np.ones(h.size) if weight is None else np.asarray(weight, float),
        error=error_of(probability, ice_height),
    )


def test_a_lone_lead_brings_the_height_of_what_it_is_otherwise():
    assert variance([0.2], [0.7], ice_height=0.06) == pytest.approx(0.3 * 0.06**2)
    assert variance([0.2], [0.0], ice_height=0.18) == pytest.approx(0.18**2)
    assert variance([0.2], [1.0]) == 0.0


def test_sure_leads_add_nothing_however_they_scatter():
    assert variance([0.0, 0.1, -0.1, 0.05], [1.0] * 4) == 0.0


def test_an_unsure_lead_moves_the_reference_to_the_others():
    """Of two equal leads 0.1 m apart one is sure: without the other the reference moves by 0.05 m."""
    assert variance([0.0, 0.1], [1.0, 0.6]) == pytest.approx(0.4 * 0.05**2)
    # weights 3 and 1: the mean is 0.025, without the second it is 0
    assert variance([0.0, 0.1], [1.0, 0.6], weight=[3.0, 1.0]) == pytest.approx(0.4 * 0.025**2)
    assert variance([0.0, 0.0], [1.0, 0.6]) == 0.0  # the same height: it does not matter


def test_none_of_several_bodies_is_water_only_if_each_is_not():
    assert variance([0.0] * 3, [0.7, 0.6, 0.5], ice_height=0.06) == pytest.approx(0.3 * 0.4 * 0.5 * 0.06**2)
    close = variance([0.0] * 3, [0.7, 0.6, 0.5], ice_height=0.06, step=250.0)
    assert close == pytest.approx(0.3 * 0.06**2)  # one body: right or wrong together
    mixed = reference_variance(
        np.array([0.0, 100.0, FAR]), np.zeros(3), weight=np.ones(3), error=error_of([0.5, 0.7, 0.6])
    )
    assert mixed == pytest.approx(0.3 * 0.4 * 0.06**2)


def test_it_is_the_scatter_of_leads_drawn_anew():
    """Every subset of five leads by its probability, the mean of each: the sum is its spread about the mean of all, to
    first order."""
    rng = np.random.default_rng(1)
    h, w = rng.normal(0.0, 0.05, 5), rng.uniform(1.0, 3.0, 5)
    p = 1.0 - rng.uniform(0.002, 0.02, 5)
    level = np.sum(w * h) / np.sum(w)
    expected = 0.0
    for kept in itertools.product([True, False], repeat=5):
        kept = np.array(kept)
        chance = np.prod(np.where(kept, p, 1.0 - p))
        if kept.any():
            expected += chance * (np.sum(w[kept] * h[kept]) / np.sum(w[kept]) - level) ** 2
    assert variance(h, p, weight=w) == pytest.approx(expected, rel=0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(0.0, 1.0), st.floats(0.5, 4.0)), min_size=1, max_size=8),
    st.floats(0.0, 1.0),
)
def test_less_probable_leads_mean_more_variance(rows, trust):
    h, p, w = (np.array(v) for v in zip(*rows, strict=True))
    surer = p + trust * (1.0 - p)
    assert variance(h, surer, weight=w) <= variance(h, p, weight=w) + 1e-15
    assert variance(h + 3.0, p, weight=w) == pytest.approx(variance(h, p, weight=w), abs=1e-12)


def test_what_a_classifier_says_of_a_lead():
    x = 1.0 + 2.0 * np.arange(30)
    water = np.zeros(30, bool)
    water[:10] = water[15:25] = True
    lead = leads.find_leads(x, np.zeros(30), uncertainty=np.full(30, 0.05), n_photons=np.full(30, 9), is_water=water)
    probability = np.full((30, 3), np.nan, np.float32)
    probability[:5], probability[5:10] = [0.0, 0.2, 0.8], [0.0, 0.4, 0.6]
    probability[15:25] = [0.1, 0.3, 0.6]
    probability[20] = np.nan  # cloud inside a lead does not count
    found = lead_error.lead_error(lead, probability)
    np.testing.assert_allclose(found.probability, [0.7, 0.6], atol=1e-6)
    np.testing.assert_allclose(
        found.ice_height_if_not_water, [THIN, np.sqrt(0.25 * THICK**2 + 0.75 * THIN**2)], rtol=1e-5
    )
    low = lead_error.lead_error(
        lead, probability, false_lead_height=PROBABLE_FALSE_LEAD_HEIGHT
    )  # of leads that passed every sieve, ice is lower
    np.testing.assert_allclose(
        low.ice_height_if_not_water, [0.025, np.sqrt(0.25 * 0.08**2 + 0.75 * 0.025**2)], rtol=1e-5
    )
    np.testing.assert_array_equal(low.probability, found.probability)
    sure = lead_error.lead_error(lead, np.tile(np.array([0.0, 0.0, 1.0], np.float32), (30, 1)))
    assert sure.probability.tolist() == [1.0, 1.0] and np.isfinite(sure.ice_height_if_not_water).all()
    nothing = lead_error.lead_error(lead, np.full((30, 3), np.nan, np.float32))
    assert nothing.probability.tolist() == [0.5, 0.5] and np.isfinite(nothing.ice_height_if_not_water).all()


def test_only_probable_leads_enter():
    usable = np.array([True, True, True, False, True])
    assert lead_error.is_probable(error_of([0.9, 0.54, 0.55, 0.8, np.nan]), is_usable=usable).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert lead_error.is_probable(error_of([]), is_usable=usable[:0]).size == 0


def beam(heights, *, spacing=3000.0, n=20):
    """Return a surface with a lead of n segments at each height, 3 km apart, ice at 0.4 m between, and its classes."""
    x = 1.0 + 2.0 * np.arange(int(spacing * len(heights) / 2))
    height, surface = np.full(x.size, 0.4), np.zeros(x.size, np.int8)
    for k, h in enumerate(heights):
        first = int((k + 0.5) * spacing / 2)
        height[first : first + n], surface[first : first + n] = h, OPEN_WATER
    one = np.ones(x.size)
    return local_sea_surface.Surface(
        x=x, height=height, uncertainty=0.04 * one, n_photons=12 * one, length=2.0 * one
    ), surface


def sections(area, surface, chance: float | None):
    lead = area.leads(surface)
    probability = np.tile(np.array([0.0, 1.0 - (chance or 0.0), chance or 0.0], np.float32), (area.x.size, 1))
    said = None if chance is None else lead_error.lead_error(lead, probability)
    centre = local_sea_surface.section_centres(area.x, method="leads")
    return local_sea_surface.sections(
        area, surface_class=surface, lead=lead, centre=centre, assessment=local_sea_surface.LeadAssessment(error=said)
    )


def test_lead_error_widens_errors_and_moves_no_height():
    area, surface = beam([0.0, 0.02, 0.05, 0.01, 0.03])
    found = [sections(area, surface, p) for p in (None, 1.0, 0.8, 0.5)]
    for other in found[1:]:
        np.testing.assert_array_equal(other.height, found[0].height)
        np.testing.assert_array_equal(other.source, found[0].source)
        np.testing.assert_array_equal(other.is_lead_used, found[0].is_lead_used)
    sigma = np.array([f.uncertainty for f in found])
    good = np.isfinite(sigma[0])
    assert good.any() and np.all(np.diff(sigma[1:, good], axis=0) > 0)
    rule = leads.LeadRule()  # with sure leads only the floor differs
    np.testing.assert_allclose(
        sigma[0, good] ** 2 - sigma[1, good] ** 2,
        rule.section_floor_m**2 - rule.section_floor_with_lead_error_m**2,
        atol=1e-12,
    )


def test_a_lone_doubtful_lead_is_worth_little_and_so_are_its_fills():
    """Variances in closed form: noise of the lead and floors, and 0.4 e²; a copy 5 km on is not surer than its
    source."""
    area, surface = beam([0.0], spacing=60_000.0)
    found = sections(area, surface, 0.6)
    measured = np.flatnonzero(np.isfinite(found.height_unsmoothed))
    rule = leads.LeadRule()
    inner = 16  # of twenty segments; 4 m of the lead are left out at either end
    lead_sigma = area.leads(surface).uncertainty[0]
    assert lead_sigma == pytest.approx(np.hypot(0.04 / np.sqrt(inner), rule.floor_m))
    expected = lead_sigma**2 + rule.scatter_m**2 + rule.section_floor_with_lead_error_m**2 + 0.4 * THIN**2
    np.testing.assert_allclose(found.uncertainty[measured] ** 2, expected, rtol=1e-5)
    ice = lead_error.lead_error(area.leads(surface), np.tile(np.array([1.0, 0.0, 0.0], np.float32), (area.x.size, 1)))
    assert ice.ice_height_if_not_water.tolist() == pytest.approx([THICK])
    unsure = local_sea_surface.sections(
        area,
        surface_class=surface,
        lead=area.leads(surface),
        centre=found.centre,
        assessment=local_sea_surface.LeadAssessment(error=ice),
    )
    filled = np.flatnonzero(unsure.source == 3)
    assert filled.size and np.all(unsure.uncertainty[filled] > unsure.uncertainty[measured].max())


def test_leads_within_half_a_kilometre_are_one_body():
    """0.4 km apart they lie under the same cloud and are right or wrong together; 0.6 km apart each counts by
    itself."""
    chance = [0.7, 0.6]
    assert variance([0.0, 0.0], chance, ice_height=0.06, step=400.0) == pytest.approx(0.3 * 0.06**2)
    assert variance([0.0, 0.0], chance, ice_height=0.06, step=600.0) == pytest.approx(0.3 * 0.4 * 0.06**2)


def test_heights_of_ice_that_passes_for_water():
    """Nilas and shiny thin ice 3 cm and their spread, low floes 18 cm; behind a calibrated network 2.5 and 8 cm
    (docs/decisions/0012)."""
    assert (THIN, THICK) == (0.04, 0.18)
    assert (PROBABLE_FALSE_LEAD_HEIGHT.thin_m, PROBABLE_FALSE_LEAD_HEIGHT.thick_m) == (0.025, 0.08)
