"""Codes of ice charts to classes, against a plain reading of the rules and the counts of the published set."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polynya.readers import sigrid3_codes
from polynya.readers.sigrid3_codes import AI4ARCTIC, FIELDS, MASK, Rules
from tests.real_files import sar


def plain(codes: dict[str, int], poly_type: str = "I", threshold: float = 0.65) -> tuple[int, int, int]:
    """Return the classes of one polygon, as the rules read in words."""

    def tenths(code):
        if code in (0, 1, 2, 55):
            return 0
        if code in (91, 92):
            return 10
        return code // 10 if code in range(10, 100, 10) else None

    def stage(code):
        for group, codes_of in enumerate(((0, 80), (81, 82), (83, 84, 85), (87, 88, 89), (86, 91, 93), (95, 96, 97))):
            if code in codes_of:
                return group
        return 255

    def form(code):
        return {0: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 5, 9: 6, 10: 6}.get(code, 255)

    total = 0 if poly_type == "W" else tenths(codes["CT"])
    if total is None or poly_type in ("L", "S", "N"):
        return 255, 255, 255
    if total == 0:
        return 0, 0, 0
    parts = [codes["CA"], codes["CB"], codes["CC"]]
    parts = [tenths(p) if p != -9 else None for p in parts]
    if codes["CA"] == -9:
        parts[0] = tenths(codes["CT"])
    found = []
    for letter, group in (("S", stage), ("F", form)):
        shares: dict[int, int] = {}
        for part, kind in zip(parts, "ABC", strict=True):
            code = codes[letter + kind]
            if part is not None and code != -9:
                shares[group(code)] = shares.get(group(code), 0) + part
        best = max(shares, key=shares.get) if shares else 255
        found.append(best if shares and shares[best] / total >= threshold else 255)
    if 255 in [form(codes["F" + k]) for k in "ABC" if codes["F" + k] != -9]:
        found[1] = 255
    return total, found[0], found[1]


def arrays(rows: list[dict[str, int]]) -> dict[str, np.ndarray]:
    return {f: np.array([r[f] for r in rows]) for f in FIELDS}


def one(poly_type: str = "I", rules: Rules | None = None, **codes: int) -> tuple[int, int, int]:
    row = dict.fromkeys(FIELDS, -9) | codes
    found = sigrid3_codes.classes(arrays([row]), poly_type=np.array([poly_type]), rules=rules)
    return tuple(int(found[n][0]) for n in ("SIC", "SOD", "FLOE"))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"CT": 92, "SA": 95, "FA": 8}, (10, 5, 255)),  # fast ice is ten tenths; its form is no floe size
        ({"CT": 92, "CA": 30, "SA": 95, "FA": 5, "CB": 70, "SB": 93, "FB": 8}, (10, 4, 255)),
        ({"CT": 91, "CA": 90, "SA": 95, "FA": 6, "CB": 10, "SB": 93, "FB": 6}, (10, 5, 5)),
        ({"CT": 30, "CA": 20, "SA": 95, "FA": 6, "CB": 10, "SB": 93, "FB": 6}, (3, 5, 5)),  # two thirds is enough
        ({"CT": 50, "CA": 30, "SA": 95, "FA": 3, "CB": 20, "SB": 93, "FB": 4}, (5, 255, 255)),  # 0.6 is not
        ({"CT": 50, "CA": 30, "SA": 95, "FA": 6, "CB": 20, "SB": 97, "FB": 7}, (5, 5, 5)),  # 95 and 97 are both old
        ({"CT": 10, "SA": 95}, (1, 5, 255)),  # no form: unknown
        ({"CT": 2, "SA": 98, "FA": 10}, (0, 0, 0)),  # bergy water is water in every chart
        ({"CT": 1}, (0, 0, 0)),
        ({"CT": 55}, (0, 0, 0)),
        ({"CT": 99, "SA": 93, "FA": 5}, (255, 255, 255)),
        ({"CT": 46, "SA": 93, "FA": 5}, (255, 255, 255)),  # an interval of tenths has no class
        ({"CT": 90, "SA": 98, "FA": 3}, (9, 255, 2)),  # glacier ice is no stage
        ({"CT": 80, "CA": 80, "SA": 86, "FA": 21}, (8, 4, 255)),
        ({}, (255, 255, 255)),
    ],
)
def test_a_polygon_gets_its_classes(codes, expected):
    assert one(**codes) == expected


def test_water_land_and_ice_shelf_are_by_their_type():
    ice = {"CT": 90, "SA": 93, "FA": 5}
    assert one("W", **ice) == (0, 0, 0) and one("w", **ice) == (0, 0, 0)
    assert {one(kind, **ice) for kind in "LSN"} == {(255, 255, 255)} and one("I", **ice) == (9, 4, 4)


def test_the_threshold_is_that_of_the_rules():
    two_thirds = {"CT": 30, "CA": 20, "SA": 95, "CB": 10, "SB": 93}
    assert one(**two_thirds)[1] == 5 and one(rules=Rules(threshold=0.7), **two_thirds)[1] == MASK


def test_three_equal_types_are_added_here_and_only_in_pairs_in_the_published_charts():
    three = {"CT": 91, "CA": 40, "SA": 95, "CB": 40, "SB": 96, "CC": 20, "SC": 97}
    assert one(**three)[1] == 5  # 4 + 4 + 2
    assert one(rules=AI4ARCTIC, **three)[1] == MASK  # 4 + 2: below 0.65
    pair = {"CT": 91, "CA": 40, "SA": 95, "CB": 40, "SB": 96, "CC": 20, "SC": 93}
    assert one(**pair)[1] == one(rules=AI4ARCTIC, **pair)[1] == 5


CODES = st.fixed_dictionaries(
    {
        "CT": st.sampled_from([-9, 0, 1, 2, 10, 20, 30, 50, 80, 90, 91, 92, 99, 13]),
        **{f: st.sampled_from([-9, 10, 20, 30, 40, 60, 90, 91]) for f in ("CA", "CB", "CC")},
        **{f: st.sampled_from([-9, 80, 81, 83, 85, 87, 91, 93, 95, 97, 98, 99]) for f in ("SA", "SB", "SC")},
        **{f: st.sampled_from([-9, 0, 1, 2, 3, 5, 6, 7, 8, 10, 22, 99]) for f in ("FA", "FB", "FC")},
    }
)


CONTRADICTION = {"CT": 10, "CA": -9, "CB": 10, "CC": -9} | dict.fromkeys(("SA", "SB", "SC", "FA", "FC"), -9) | {"FB": 0}
"""One tenth in all, and one tenth of a second type beside a first that is all."""


@example([CONTRADICTION])
@settings(max_examples=300, deadline=None)
@given(st.lists(CODES, min_size=1, max_size=8))
def test_arrays_equal_the_rules_in_words(rows):
    for row in rows:  # a type without a concentration is no type; equal shares would be a matter of order
        for kind in "ABC":
            if row["C" + kind] == -9 and not (kind == "A" and row["CT"] not in (-9, 0, 1, 2)):
                row["S" + kind] = row["F" + kind] = -9
    found = sigrid3_codes.classes(arrays(rows))
    for k, row in enumerate(rows):
        ours = tuple(int(found[n][k]) for n in ("SIC", "SOD", "FLOE"))
        theirs = plain(row)
        assert ours[0] == theirs[0]
        for own, other in zip(ours[1:], theirs[1:], strict=True):
            assert own == other or _is_tie(row)


def _is_tie(row: dict[str, int]) -> bool:
    """Return whether types exceed the total, so that two classes can each have enough; an empty CA is the total."""
    first = row["CT"] if row["CA"] == -9 else row["CA"]
    return max(first, 0) + sum(max(row[c], 0) for c in ("CB", "CC")) > row["CT"]


def real_polygons() -> tuple[list[dict[str, int]], list[str]]:
    lines = json.loads(sar("ai4arctic/polygon_codes_20180721T120156.json").read_text(encoding="utf-8"))["polygon_codes"]
    names = lines[0].split(";")
    rows = [dict(zip(names, line.split(";"), strict=True)) for line in lines[1:]]
    return [{f: int(r[f]) for f in FIELDS} for r in rows], [r["POLY_TYPE"] for r in rows]


@pytest.mark.real
def test_the_43_real_polygons_are_converted_identically():
    rows, kinds = real_polygons()
    assert len(rows) == 43
    for rules in (None, AI4ARCTIC):
        found = sigrid3_codes.classes(arrays(rows), poly_type=np.array(kinds), rules=rules)
        ours = list(zip(*(found[n].tolist() for n in ("SIC", "SOD", "FLOE")), strict=True))
        assert ours == [plain(r, t) for r, t in zip(rows, kinds, strict=True)]


@pytest.mark.real
def test_the_real_polygons_give_the_classes_that_the_set_counted_in_this_scene():
    rows, kinds = real_polygons()
    found = sigrid3_codes.classes(arrays(rows), poly_type=np.array(kinds), rules=AI4ARCTIC)
    with sar("ai4arctic/ai4arctic_class_pixel_counts.csv").open(encoding="utf-8") as file:
        counts = next(r for r in csv.DictReader(file) if r["scene"] == "20180721T120156_cis")
    for chart, classes in (("SIC", range(11)), ("SOD", range(6)), ("FLOE", range(7))):
        theirs = {k for k in classes if int(counts[f"{chart}_{k}"])}
        assert set(found[chart].tolist()) - {MASK} == theirs
    # As many pixels without a stage as without a concentration: no polygon is ambiguous. With 0.7 one would be.
    assert counts["SOD_255"] == counts["SIC_255"] and MASK not in found["SOD"]
    stricter = sigrid3_codes.classes(arrays(rows), poly_type=np.array(kinds), rules=Rules(threshold=0.7))
    assert MASK in stricter["SOD"]
    assert int(counts["FLOE_255"]) > int(counts["SIC_255"]) and MASK in found["FLOE"]  # fast ice


def test_percent_is_ten_times_the_class_and_nan_where_unknown():
    found = sigrid3_codes.concentration_percent(np.array([0, 3, 10, 255], np.uint8))
    assert found[:3].tolist() == [0.0, 30.0, 100.0] and np.isnan(found[3])
