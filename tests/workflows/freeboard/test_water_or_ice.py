"""What a beam's sea surface knows of its leads, from simulated surfaces that look like water."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polynya import schema
from polynya.physics import surface_type, water_evidence
from polynya.predict import tracks as predict_tracks
from polynya.readers import icesat2_atl03
from polynya.simulate.icesat2.atl03 import simulate
from polynya.simulate.sea_ice import surfaces
from polynya.workflows import freeboard
from polynya.workflows.freeboard import local_reference

from ...physics.test_water_bounds import evidence


def beam(path: Path, *, season: str, words: str, seed: int, **settings: object) -> freeboard.BeamTables:
    simulate(path, length_km=30.0, beams="gt1r", season=season, seed=seed, surfaces=surfaces.parse(words.split(",")))
    config = freeboard.Config.checked(**settings)
    granule = icesat2_atl03.open_granule(path)
    grids, chosen = freeboard.read_grids(config), config.classifier_used().path
    network = None if chosen is None else predict_tracks.load(chosen, threads=1, runtime="onnxruntime")
    return freeboard.beam_tables(
        icesat2_atl03.index(path, beam="gt1r", granule=granule),
        settings=config.beam_settings(grids, classifier=network),
        grids=grids,
    )


def test_the_rule_gives_no_sea_surface_on_bright_floes_that_differ_in_height(tmp_path):
    """Without a lead: the rule takes the lower of the bright floes for water, and the higher ones are the evidence."""
    found = beam(tmp_path / "g.h5", season="winter", words="no-leads,bright-patches:2", seed=3, resolution="10")
    assert found.leads.num_rows > 0 and not np.isfinite(schema.to_numpy(found.segments["total_freeboard"])).any()


@pytest.fixture(scope="module")
def under_swell(tmp_path_factory) -> tuple[freeboard.BeamTables, dict]:
    """Tables of a beam under swell of 0.42 m, and what its leads were judged by."""
    given: dict = {}
    real = water_evidence.assess

    def spy(leads, centre, **arguments):
        given.update(arguments)
        return real(leads, centre, **arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(water_evidence, "assess", spy)
        tables = beam(tmp_path_factory.mktemp("swell") / "g.h5", season="summer", words="swell:.42:200:inf", seed=1)
    return tables, given


def test_leads_are_judged_by_the_swell_around(under_swell):
    _, given = under_swell
    rms = 0.42 / 4.0  # of the surface: a quarter of the significant wave height
    assert np.median(given["setting"].swell_rms) == pytest.approx(rms, rel=0.3)


def test_leads_are_judged_by_all_three_probabilities(under_swell):
    tables, given = under_swell
    found = given["probability"]
    assert found.shape == (tables.leads.num_rows, 3) and not given["setting"].is_chosen_by_height
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(found[:, 2], schema.to_numpy(tables.leads["probability_water"]), atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "width", "kind", "is_bright"),
    [
        (14.0, 0.05, schema.THICK_ICE, True),
        (14.0, 0.05, schema.THIN_ICE, True),
        (14.0, 0.05, schema.OPEN_WATER, False),  # among the leads already
        (14.0, 0.05, schema.UNCLASSIFIED, False),
        (14.0, 0.20, schema.THICK_ICE, False),  # rough
        (10.0, 0.05, schema.THICK_ICE, False),
    ],
)
def test_bright_ice_is_what_the_tree_would_call_a_specular_lead(rate, width, kind, is_bright):
    found = evidence(rate, width=width)
    found.bright[:] = rate
    types = surface_type.SurfaceTypes(surface_class=np.array([kind], np.int8), probability=np.zeros((1, 3), np.float32))
    assert local_reference._is_bright_ice(types, found).tolist() == [is_bright]
