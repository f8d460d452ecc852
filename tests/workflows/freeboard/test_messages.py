"""Sentences of a granule: what they say, and of which beams."""

from __future__ import annotations

from polynya.workflows.freeboard import messages


def beam(km: float = 0.0, ice: float | None = None, **flags: float) -> dict[str, object]:
    return {"flags": flags, "km_of_one_lead": km, "share_with_ice_concentration": ice}


def doubts(**beams) -> list[str]:
    return messages.of_doubts(beams, method="leads", is_default=True)


def test_nothing_doubted_nothing_said():
    assert doubts(gt1l=beam(swell=0.0, next_to_gap=0.3), gt1r=beam()) == []


def test_a_doubt_names_where_and_its_bit():
    (found,) = doubts(gt1r=beam(melt_season=0.4), gt1l=beam(melt_season=0.001), gt2l=beam())
    assert found.startswith("Melt season on under 1 % of gt1l, 40 % of gt1r: ")
    assert found.endswith("(quality bit melt_season).")


def test_worst_first_and_a_lone_lead_with_its_length():
    found = doubts(gt1l=beam(km=12.34, swell=0.5, leads_only_bright=0.2), gt1r=beam(km=0.02))
    assert [f.split()[0] for f in found] == ["No", "Swell", "One"]
    assert found[2].startswith("One lead alone on 12.3 km of gt1l, under 0.1 km of gt1r: ")


def test_other_methods_say_that_their_uncertainty_is_formal():
    (found,) = messages.of_doubts({"gt1l": beam(km=3.0, swell=0.5)}, method="nasa", is_default=False)
    assert found.startswith("The uncertainty of --sea-surface nasa is formal: ") and "The default, leads" in found


def test_an_ice_concentration_without_a_value_is_said():
    say = messages.of_ice_concentration
    assert say({"gt1l": beam(), "gt1r": beam(ice=0.1)}, grid="ice.nc") == []
    (found,) = say({"gt1l": beam(ice=0.0), "gt1r": beam(ice=0.1)}, grid="ice.nc")
    assert found.startswith("--ice-concentration ice.nc has no value along the track of gt1l: ")
    (found,) = say({"gt1l": beam(ice=0.0)}, grid="ice.nc")
    assert "along the track: nothing was screened" in found
