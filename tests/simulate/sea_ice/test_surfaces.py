"""Words of --surface and what they make of a granule's parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.schema import OPEN_WATER, THIN_ICE
from polynya.simulate.sea_ice import profile
from polynya.simulate.sea_ice.surfaces import WORDS, Surfaces, Swell, closed, of_options, parse, with_surfaces


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Surfaces()),
        (["specular-ponds:15", "no-leads"], Surfaces(specular_ponds=15.0, leads="none")),
        (["dark-ponds:2,drained-ponds"], Surfaces(dark_ponds=2.0, drained_share=1.0)),
        (["bright-patches"], Surfaces(bright_patches=0.3)),
        (["swell:.42"], Surfaces(swell=Swell(height=0.42))),
        (["swell:.42:200:inf"], Surfaces(swell=Swell(height=0.42, wavelength=200.0, decay_km=float("inf")))),
        (["refrozen-leads"], Surfaces(leads="refrozen", refrozen_thickness=(0.05, 0.45))),
        (["refrozen-leads:.25:.45"], Surfaces(leads="refrozen", refrozen_thickness=(0.25, 0.45))),
        (["refrozen-leads:.3"], Surfaces(leads="refrozen", refrozen_thickness=(0.3, 0.3))),
        (["mss-bumps:.1", "lead-scatter:0"], Surfaces(mss_bumps=0.1, lead_scatter=0.0)),
    ],
)
def test_words_are_the_record(words, expected):
    assert parse(words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["puddles"], "no surface 'puddles'; expected specular-ponds"),
        (["specular-ponds:99"], "per km is '99'; expected a number from 0 to 30"),
        (["swell:x"], "height, m is 'x'"),
        (["no-leads:3"], "expected at most 0"),
        (["no-leads", "dark-leads"], "no-leads is given too"),
        (["swell", "swell:.2"], "swell is given too"),
    ],
)
def test_wrong_words_are_named(words, message):
    with pytest.raises(UsageError, match=message):
        parse(words)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"leads": "open"}, "leads is 'open'; expected drawn, none, dark, specular, refrozen"),
        ({"specular_ponds": -1.0}, "specular_ponds is -1; expected 0 to 100"),
        ({"lead_scatter": float("nan")}, "lead_scatter is nan; expected 0 to 1"),
        ({"refrozen_thickness": (0.4, 0.1)}, "0.4 to 0.1 m; expected thin ice, low before high"),
    ],
)
def test_wrong_records_are_named(arguments, message):
    with pytest.raises(UsageError, match=message):
        Surfaces(**arguments)


@pytest.mark.parametrize("arguments", [{"height": -0.1}, {"wavelength": 1.0}, {"decay_km": 0.0}])
def test_wrong_swell_is_named(arguments):
    with pytest.raises(UsageError, match="expected a height of 0 to 20 m"):
        Swell(**{"height": 0.3, **arguments})


def test_every_word_stands_alone():
    for word in WORDS:
        assert parse([word]) != Surfaces()


def test_closed_ice_has_only_the_patches_that_are_asked_for():
    asked = of_options(["bright-patches:.4"], ice="closed")
    assert asked == Surfaces(leads="none", bright_patches=0.4, specular_ponds=0.0, dark_ponds=0.0, melt_patches=0.0)
    with pytest.raises(UsageError, match="closed and leads are dark"):
        closed(Surfaces(leads="dark"))
    with pytest.raises(UsageError, match="expected drawn, closed"):
        of_options([], ice="open")


def test_what_is_not_asked_for_stays_as_drawn():
    drawn = profile.draw_parameters("melt", rng(1))
    asked = with_surfaces(drawn, Surfaces(specular_ponds=2.0))
    assert asked.specular_ponds_per_km == 2.0
    assert replace(asked, specular_ponds_per_km=drawn.specular_ponds_per_km) == drawn


@pytest.mark.parametrize(("word", "kind"), [("dark", profile.DARK), ("specular", profile.SPECULAR)])
def test_leads_of_one_kind(word, kind):
    parameters = with_surfaces(profile.draw_parameters("winter", rng(2)), Surfaces(leads=word))
    leads = profile.draw_leads(parameters, rng(3), length=60000.0)
    assert leads.centre.size > 50 and np.all(leads.kind == kind)
    if word == "dark":
        assert np.all(np.isnan(leads.ice_rate))  # no mirror-like ice


def test_refrozen_leads_float_at_their_buoyancy():
    """Freeboard of bare ice: (1 - 917 / 1024) of its thickness, 0.031 m at 0.3 m."""
    parameters = with_surfaces(
        profile.draw_parameters("winter", rng(2)), Surfaces(leads="refrozen", refrozen_thickness=(0.3, 0.3))
    )
    leads = profile.draw_leads(parameters, rng(3), length=60000.0)
    field = profile.ice_field(parameters, leads, rng(4), length=60000.0)
    thin = field.surface_class == THIN_ICE
    assert not np.any(field.surface_class == OPEN_WATER) and thin.mean() > 0.02
    assert field.freeboard[thin].mean() == pytest.approx(0.3 * (1.0 - 917.0 / 1024.0), abs=0.002)
    assert np.median(field.rate[thin]) > 11.0 and np.all(field.lead_type == profile.NO_LEAD)


def test_water_of_leads_scatters_as_asked():
    parameters = with_surfaces(profile.draw_parameters("winter", rng(2)), Surfaces(lead_scatter=0.06))
    offsets = np.concatenate([profile.draw_leads(parameters, rng(5, k), length=60000.0).offset for k in range(12)])
    assert offsets.std() == pytest.approx(0.06, rel=0.08)
    leads = profile.draw_leads(parameters, rng(6), length=60000.0)
    leads = replace(leads, wave=np.zeros(leads.centre.size), water_share=np.ones(leads.centre.size))
    field = profile.ice_field(parameters, leads, rng(7), length=60000.0)
    water = field.freeboard[field.surface_class == OPEN_WATER]
    assert np.abs(np.unique(water)[:, None] - leads.offset).min(axis=1).max() < 1e-6
    beside = profile.neighbour_leads(leads, rng(8))
    assert np.array_equal(beside.offset, leads.offset)
