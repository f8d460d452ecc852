"""Labels from pixels and from truth: the pixel meant, transitions, clouds, edges, and what the track expects of the
image."""

from __future__ import annotations

import numpy as np
import pytest

from polynya import schema
from polynya.labels import transfer
from polynya.physics import surface_type

RADIUS = 6.0


def grid(classes: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "classes": classes.astype(np.int8),
        "value": np.full(classes.shape, 77, np.uint8),
        "is_cloud": np.zeros(classes.shape, bool),
    }


def at(
    row: list[float], column: list[float], scene: dict[str, np.ndarray], radius: float = RADIUS
) -> transfer.Transferred:
    return transfer.transfer(np.array(row), np.array(column), **scene, pixel_m=10.0, radius_m=radius)


def test_flags_are_those_of_the_schema():
    names = dict(schema.LABEL_FLAGS)
    mine = (
        transfer.LABELLED,
        transfer.TRANSITION,
        transfer.CLOUD,
        transfer.OUTSIDE,
        transfer.SHIFT_UNSURE,
        transfer.NO_CLASS,
    )
    assert [names[k] for k in mine] == [
        "labelled",
        "class_transition",
        "cloud_or_shadow",
        "outside_scene",
        "shift_unsure",
        "no_class",
    ]


def test_a_segment_gets_the_class_of_the_pixel_it_lies_in():
    classes = np.kron(np.array([[0, 1], [2, 0]]), np.ones((10, 10)))
    found = at([5.0, 5.0, 15.0, 15.0], [5.0, 15.0, 5.0, 15.0], grid(classes))
    assert found.label.tolist() == [0, 1, 2, 0] and found.flag.tolist() == [0, 0, 0, 0]
    assert found.value.tolist() == [77] * 4


@pytest.mark.parametrize("away, flag", [(0.55, transfer.TRANSITION), (0.65, transfer.LABELLED)])
def test_a_boundary_within_the_radius_is_a_transition(away, flag):
    """The edge lies at column 10; with 6 m and pixels of 10 m, 0.6 pixels decide."""
    classes = np.zeros((20, 20))
    classes[:, 10:] = 2
    found = at([8.0, 8.0], [10.0 - away, 10.0 + away], grid(classes))
    assert found.flag.tolist() == [flag, flag]
    assert found.label.tolist() == ([0, 2] if flag == transfer.LABELLED else [-1, -1])


def test_a_larger_shift_error_makes_more_transitions():
    classes = np.zeros((40, 40))
    classes[:, 20:] = 1
    column = np.linspace(10.0, 30.0, 201)
    row = np.full(column.size, 20.0)
    counts = [
        int(
            (
                transfer.transfer(row, column, **grid(classes), pixel_m=10.0, radius_m=r).flag == transfer.TRANSITION
            ).sum()
        )
        for r in (6.0, 15.0, 25.0)
    ]
    assert counts == pytest.approx([2 * r / 10.0 * 10 for r in (6.0, 15.0, 25.0)], abs=2)


def test_a_single_odd_pixel_is_seen_from_its_neighbours():
    """A lead of one pixel: whoever comes within 6 m of it is a transition, so it is itself."""
    classes = np.zeros((20, 20))
    classes[10, 10] = 2
    found = at([10.5, 10.5, 9.5, 9.5], [10.5, 11.5, 9.5, 7.5], grid(classes))
    assert found.flag.tolist() == [
        transfer.TRANSITION,
        transfer.TRANSITION,
        transfer.LABELLED,
        transfer.LABELLED,
    ]  # 9.5, 9.5 is 7 m from its corner
    assert found.label.tolist() == [-1, -1, 0, 0]


def test_cloud_edge_and_missing_pixels_give_no_label():
    scene = grid(np.zeros((20, 20)))
    scene["is_cloud"][5, 5] = True
    scene["classes"][15, 15] = -1
    scene["classes"][12, 2] = 1
    found = at([5.5, 5.5, 15.5, 15.5, 0.2, -3.0, 10.0, np.nan], [5.5, 4.7, 15.5, 14.6, 10.0, 5.0, 25.0, 4.0], scene)
    assert found.flag.tolist() == [transfer.CLOUD] * 2 + [transfer.OUTSIDE] * 6
    assert (found.label == -1).all()
    assert found.value.tolist()[:2] == [77, 77] and found.value.tolist()[5:] == [-1, -1, -1] and found.value[2] == -1


def test_an_unsure_shift_leaves_no_label():
    found = transfer.without_labels(at([5.0, -1.0], [5.0, 5.0], grid(np.zeros((20, 20)))))
    assert found.label.tolist() == [-1, -1] and found.flag.tolist() == [transfer.SHIFT_UNSURE, transfer.OUTSIDE]


def test_truth_goes_to_the_cell_a_segment_lies_in():
    truth_x = np.array([9.0, 1.0, 3.0, 5.0])  # cells 4, 0, 1, 2 in any order
    truth_class = np.array([2, 0, 1, -1], np.int8)
    x = np.array([0.1, 3.99, 4.0, 6.5, 8.2, 100.0])
    found = transfer.from_truth(x, truth_x, truth_class=truth_class, any_ice=False)
    assert found.label.tolist() == [0, 1, -1, -1, 2, -1]
    assert found.flag.tolist() == [0, 0, transfer.NO_CLASS, transfer.NO_CLASS, 0, transfer.NO_CLASS]


def test_ice_of_an_atl07_is_of_unknown_thickness():
    found = transfer.from_truth(
        np.array([1.0, 3.0]), np.array([1.0, 3.0]), truth_class=np.array([0, 2], np.int8), any_ice=True
    )
    assert found.label.tolist() == [schema.ANY_ICE, 2]


def test_expected_darkness_of_snow_thin_ice_and_shining_water():
    probability = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0], [np.nan] * 3], float)
    rate = np.array([8.0, 30.0, surface_type.CLEAR_RATE / 4, 20.0, 8.0])
    found = transfer.expected_darkness(probability, rate)
    assert found[:4] == pytest.approx([0.0, 1 - transfer.WATER_BRIGHTNESS, 0.75, 1 - transfer.THIN_BRIGHTEST])
    assert np.isnan(found[4])


def test_drift_samples_average_ten_metres_and_leave_gaps_alone():
    x = np.concatenate([np.arange(0, 100, 2) + 1.0, np.arange(5000, 5100, 2) + 1.0])
    dark = np.where(np.arange(x.size) % 50 < 25, 0.0, 1.0)
    dark[3] = np.nan
    found = transfer.drift_samples(x, dark, easting=x + 0.5, northing=-x, starts=np.array([0, 50, 100]), beam="gt2r")
    assert found.easting.size == 20
    assert found.easting[:2] == pytest.approx([(1.5 + 3.5 + 5.5 + 9.5) / 4, 15.5])
    # Each piece is freed of its own mean: 25 zeros and 25 ones (one zero missing in the first).
    assert found.darkness[10:15] == pytest.approx(np.full(5, -0.5)) and found.darkness[15:] == pytest.approx(
        np.full(5, 0.5)
    )
    assert found.darkness[0] == pytest.approx(-25 / 49)
    assert np.all(np.diff(found.block) >= 0) and len(set(found.block.tolist())) == 2


def test_both_beams_of_a_pair_share_blocks():
    x = np.arange(0, 2000, 2) + 1.0
    dark = np.sin(x / 50.0)
    parts = [
        transfer.drift_samples(x, dark, easting=x, northing=x, starts=np.array([0, x.size]), beam=b)
        for b in ("gt1l", "gt3r", "gt1r")
    ]
    whole = transfer.joined(parts)
    values, counts = np.unique(whole.block, return_counts=True)
    assert np.all(np.diff(whole.block) >= 0)
    assert sorted(counts.tolist()) == [50] * 4 + [100] * 4 and values.size == 8


def test_a_beam_without_a_known_segment_has_no_samples():
    x = np.arange(0, 100, 2) + 1.0
    found = transfer.drift_samples(
        x, np.full(x.size, np.nan), easting=x, northing=x, starts=np.array([0, x.size]), beam="gt1l"
    )
    assert found.block.size == 0 and transfer.joined([found]).darkness.size == 0


def test_published_numbers():
    """Half of ATLAS's footprint of 11 m (Magruder et al. 2020, doi:10.1029/2020GL089078); beside
    snow, open water has a brightness of 0.03 and thin ice of 0.1 to 0.7 (albedos of Brandt et al. 2005,
    doi:10.1175/JCLI3489.1)."""
    assert transfer.FOOTPRINT_RADIUS_M == 11.0 / 2
    assert (transfer.WATER_BRIGHTNESS, transfer.THIN_DARKEST, transfer.THIN_BRIGHTEST) == (0.03, 0.10, 0.70)
