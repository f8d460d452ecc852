"""verify against granules whose every number comes from the plain-Python computation below, and against the real ones.

The writer works the way NASA describes its product: list of sections, leads as runs of flagged
segments, section heights from leads, fills, smoother, freeboards. It shares no code with polynya.
"""

import math
from dataclasses import replace

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers.icesat2_atl10 import LAYOUTS
from polynya.report import terminal
from polynya.workflows import verify
from tests.real_files import real

FILL = 3.4028235e38
SPEED = 7000.0
WINTER = 7.9e7  # July 2020: night at 75 S
NO_SURFACE, LEADS, INFERRED, ONE_POINT, END_POINT = -1, 0, 1, 2, 3

# Centre of each section in units of 10 km (the list has gaps), and the level of its leads, m; None: no lead.
LIST = [
    (0, 0.10),
    (1, 0.12),
    (2, None),
    (3, 0.15),  # one missing, 0.03 m apart: two-sided
    (4, 0.14),
    (5, None),
    (6, 0.34),  # one missing, 0.2 m apart: one-point
    (7, 0.30),
    (8, None),
    (9, None),
    (10, -0.1),  # two missing, 0.4 m apart: end points
    (11, -0.12),
    (12, 0.05),
    (60, None),
    (61, 0.02),
    (62, 0.03),  # after 480 km (69 s): one-sided only
    (80, None),
    (98, 0.20),
    (99, 0.21),
    (100, 0.23),  # 18 sections from both: no surface
    (101, None),
    (102, None),
    (103, None),
    (104, 0.45),  # three missing, 0.22 m apart: end points reach the adjacent section only
    (105, 0.44),
]


def flags_and_values(times, raw, sigma):
    """Fill by hand: which rule, which value, which error."""
    n = len(raw)
    flag, value, error = [], [], []

    def put(*filled):
        for column, v in zip((flag, value, error), filled, strict=True):
            column.append(v)

    for i in range(n):
        if raw[i] is not None:
            put(LEADS, raw[i], sigma[i])
            continue
        before = [j for j in range(i) if raw[j] is not None]
        after = [j for j in range(i + 1, n) if raw[j] is not None]
        if before and after:
            a, b = before[-1], after[0]
            share = (times[i] - times[a]) / (times[b] - times[a])
            line = raw[a] + (raw[b] - raw[a]) * share
            root = math.sqrt(sigma[a] ** 2 + (sigma[b] ** 2 - sigma[a] ** 2) * share)
            if times[b] - times[a] <= 30 and abs(raw[b] - raw[a]) <= 0.05:
                put(INFERRED, line, root)
                continue
            if b - a == 2 and times[i] - times[a] <= 10 and times[b] - times[i] <= 10:
                put(ONE_POINT, line, root)
                continue
        near = [j for j in (i - 1, i + 1) if 0 <= j < n and raw[j] is not None and abs(times[j] - times[i]) <= 10]
        if near:
            put(END_POINT, raw[near[0]], sigma[near[0]])
        else:
            put(NO_SURFACE, None, None)
    return flag, value, error


def three_point(value):
    out = list(value)
    for i in range(1, len(value) - 1):
        if None not in value[i - 1 : i + 2]:
            out[i] = (value[i - 1] + value[i] + value[i + 1]) / 3
    return out


def make_beam(seed, *, smoother=True):
    """Return a beam's whole granule as lists of columns."""
    rng = np.random.default_rng(seed)
    f4 = lambda v: float(np.float32(v))  # noqa: E731
    seg = {k: [] for k in ("x", "h", "sigma", "flag", "section", "rate", "width", "type")}
    leads, sections = [], []
    origin = 28_300_000.0 + 17.3 * seed
    for number, (place, level) in enumerate(LIST, start=1):
        centre = origin + 1e4 * place
        section = {"number": number, "x": centre, "t": WINTER + centre / SPEED, "first": -1, "n": 0}
        x = centre - 4990.0 + rng.uniform(0, 5)
        start_lead = {18, 19, 55} if level is not None else set()
        k = 0
        while x < centre + 4990.0:
            if k in start_lead and k != 19:
                length = int(rng.integers(1, 9))
                rows = range(len(seg["x"]), len(seg["x"]) + length)
                for _ in rows:
                    seg["x"].append(x)
                    seg["h"].append(f4(level + rng.normal(0, 0.02)))
                    seg["sigma"].append(f4(rng.uniform(0.004, 0.02)))
                    seg["flag"].append(2)
                    seg["rate"].append(20.0)
                    seg["width"].append(0.06)
                    seg["type"].append(5)
                    seg["section"].append(number)
                    x += rng.uniform(8, 14)
                h, s = zip(*((seg["h"][r], seg["sigma"][r]) for r in rows), strict=True)
                w = [math.exp(-(((a - min(h)) / b) ** 2)) for a, b in zip(h, s, strict=True)]
                height = sum(a * b for a, b in zip(w, h, strict=True)) / sum(w)
                sigma = math.sqrt(sum((a * b / sum(w)) ** 2 for a, b in zip(w, s, strict=True)))
                leads.append(
                    {
                        "x": sum(seg["x"][r] for r in rows) / length,
                        "h": f4(height),
                        "sigma": f4(sigma),
                        "first": rows[0],
                        "n": length,
                    }
                )
                section["first"] = len(leads) - 1 if section["n"] == 0 else section["first"]
                section["n"] += 1
            else:
                seg["x"].append(x)
                seg["h"].append(f4((level or 0.1) + 0.3 + rng.normal(0, 0.25)))
                seg["sigma"].append(f4(rng.uniform(0.02, 0.06)))
                seg["flag"].append(0)
                seg["rate"].append(6.0)
                seg["width"].append(0.25)
                seg["type"].append(1)
                seg["section"].append(number)
                x += rng.uniform(80, 160)
            k += 1
        sections.append(section)
    raw = []
    for s in sections:
        mine = leads[s["first"] : s["first"] + s["n"]] if s["n"] else []
        weight = [1 / a["sigma"] ** 2 for a in mine]
        raw.append(sum(a["h"] * w for a, w in zip(mine, weight, strict=True)) / sum(weight) if mine else None)
        s["sigma"] = 1 / math.sqrt(sum(weight)) if mine else None
    flags, value, error = flags_and_values([s["t"] for s in sections], raw, [s["sigma"] for s in sections])
    final = three_point(value) if smoother else value
    for s, flag, v, e in zip(sections, flags, final, error, strict=True):
        s["flag"], s["h"], s["sigma"] = flag, v, e
    reference = {s["number"]: s for s in sections}
    seg["fb"], seg["unc"] = [], []
    for h, sigma, number in zip(seg["h"], seg["sigma"], seg["section"], strict=True):
        s = reference[number]
        seg["fb"].append(FILL if s["h"] is None else max(h - f4(s["h"]), 0.0))
        seg["unc"].append(FILL if s["h"] is None else math.sqrt(sigma**2 + f4(s["sigma"]) ** 2))
    return seg, leads, sections


def write(path, *, release="006", beams=None, boxes=None, smoother=True, leads_only=False, shift_leads=0):
    """Write a granule; ``boxes`` are ranges of section numbers to keep, indices still counting over the whole
    granule."""
    layout = LAYOUTS[release]
    with h5py.File(path, "w") as f:
        f.attrs["short_name"] = "ATL10"
        f["ancillary_data/release"] = np.array([release.encode().ljust(80)])
        f["ancillary_data/freeboard_estimation/refsurf_3pt_smoother"] = np.array([int(smoother)], np.int32)
        f["orbit_info/sc_orient"] = np.array([1], np.int8)
        for name, (seg, leads, sections) in (beams or {}).items():
            chosen = [s for s in sections if boxes is None or any(a <= s["number"] <= b for a, b in boxes)]
            numbers = {s["number"] for s in chosen}
            rows = [i for i, k in enumerate(seg["section"]) if k in numbers]

            def put(role, variable, data, dtype, name=name):
                f.create_dataset(
                    f"{name}/{layout[role]}/{variable}",
                    data=np.array(data, dtype),
                    compression="gzip",
                    shuffle=True,
                    chunks=True,
                )

            x = [seg["x"][i] for i in rows]
            if not leads_only:
                put("segments", "seg_dist_x", x, "f8")
                put("segments", "delta_time", [WINTER + v / SPEED for v in x], "f8")
                put("segments", "latitude", [-75.0] * len(x), "f8")
                put("segments", "longitude", [180.0] * len(x), "f8")
                put("segments", "beam_fb_height", [seg["fb"][i] for i in rows], "f4")
                put("segments", "beam_fb_unc", [seg["unc"][i] for i in rows], "f4")
                put("segments", "beam_refsurf_ndx", [seg["section"][i] for i in rows], "i4")
                put("heights", "height_segment_height", [seg["h"][i] for i in rows], "f4")
                put("heights", "height_segment_sigma", [seg["sigma"][i] for i in rows], "f4")
                put("heights", "height_segment_type", [seg["type"][i] for i in rows], "i1")
                put("heights", "height_segment_ssh_flag", [seg["flag"][i] for i in rows], "i1")
                put("heights", "height_segment_length_seg", [20.0] * len(x), "f4")
                put("heights", "height_segment_w_gaussian", [seg["width"][i] for i in rows], "f4")
                put(
                    "heights",
                    "photon_rate",
                    [seg["rate"][i] * (0.25 if name.endswith("l") and seg["rate"][i] < FILL else 1.0) for i in rows],
                    "f4",
                )
                put("heights", "background_r_norm", [1e5] * len(x), "f4")
                put("sections", "beam_refsurf_dist_x", [s["x"] for s in chosen], "f8")
                put("sections", "delta_time", [s["t"] for s in chosen], "f8")
                put("sections", "beam_refsurf_height", [FILL if s["h"] is None else s["h"] for s in chosen], "f4")
                put(
                    "sections", "beam_refsurf_sigma", [FILL if s["sigma"] is None else s["sigma"] for s in chosen], "f4"
                )
                put("sections", "beam_refsurf_interp_flag", [s["flag"] for s in chosen], "i2")
                put("sections", "beam_lead_n", [s["n"] for s in chosen], "i4")
                put("sections", "beam_lead_ndx", [s["first"] + 1 if s["n"] else -1 for s in chosen], "i4")
                put("sections", "fbswath_ndx", [s["number"] for s in chosen], "i4")
            put("leads", "lead_dist_x", [a["x"] for a in leads], "f8")
            put("leads", "lead_height", [a["h"] for a in leads], "f4")
            put("leads", "lead_sigma", [a["sigma"] for a in leads], "f4")
            put("leads", "ssh_n", [a["n"] for a in leads], "i4")
            put("leads", "ssh_ndx", [a["first"] + 1 + shift_leads for a in leads], "i4")
    return path


STRONG = make_beam(1)
BEAMS = {"gt1r": STRONG}


def rows(result, name):
    return next(c for c in result.checks if c.name == name and c.region == "file")


def status(result):
    return {c.name: c.status for c in result.checks if c.region == "file"}


FROM_LEADS = "section height, from leads"
FILLED = "section height, filled or next to a filled one"
EDGE = "section height, neighbour outside the subset"


def test_the_made_granule_holds_every_kind_of_section():
    flags = [s["flag"] for s in STRONG[2]]
    assert flags == [0, 0, 1, 0, 0, 2, 0, 0, 3, 3, 0, 0, 0, 3, 0, 0, -1, 0, 0, 0, 3, -1, 3, 0, 0]
    copies = [s["sigma"] for s in STRONG[2] if s["flag"] == END_POINT]
    assert len(copies) == 5 and max(copies) < 0.02
    assert any(v == 0.0 for v in STRONG[0]["fb"]) and any(v == FILL for v in STRONG[0]["fb"])


@pytest.mark.parametrize("release", ["005", "006"])
def test_a_whole_granule_passes_with_every_number_checked(tmp_path, release):
    result = verify.run(
        write(tmp_path / "a.h5", release=release, beams={"gt1r": STRONG, "gt1l": make_beam(2), "gt2r": make_beam(3)})
    )
    assert result.passed and result.exit_code == 0 and result.release == release
    beams = [STRONG, make_beam(2), make_beam(3)]
    n_leads = sum(len(b[1]) for b in beams)
    n_segments = sum(len(b[0]["x"]) for b in beams)
    n_freeboards = sum(v != FILL for b in beams for v in b[0]["fb"])
    for name, n in (
        ("lead position", n_leads),
        ("lead height", n_leads),
        ("lead sigma", n_leads),
        ("section sigma", 3 * 23),
        ("section of a segment", n_segments),
        ("freeboard", n_freeboards),
        ("freeboard uncertainty", n_freeboards),
        ("surface type", n_segments),
    ):
        check = rows(result, name)
        assert (check.n, check.status) == (n, "pass"), name
        assert check.max_error < 1e-6, name
    # 23 sections have a height. The last one's neighbour is unknown: nothing says where the granule's list ends.
    assert rows(result, FROM_LEADS).n + rows(result, FILLED).n == 3 * 22
    by_hand = sum(1 for i in range(24) if STRONG[2][i]["flag"] == 0 and not touches_fill(STRONG[2], i))
    assert rows(result, FROM_LEADS).n == 3 * by_hand
    assert rows(result, EDGE).status == "not checkable"


def touches_fill(sections, i):
    """A smoothed value rests on its neighbours, unless one of them is missing or beyond the list's start."""
    if i == 0 or -1 in (sections[i - 1]["flag"], sections[i + 1]["flag"]):
        return False
    return any(sections[j]["flag"] > 0 for j in (i - 1, i + 1))


def test_release_007_takes_the_sea_surface_between_two_sections(tmp_path):
    seg, leads, sections = STRONG
    fb = []
    for x, h, number, old in zip(seg["x"], seg["h"], seg["section"], seg["fb"], strict=True):
        i = number - 1
        j = i + 1 if x >= sections[i]["x"] else i - 1
        if old == FILL or not 0 <= j < len(sections) or sections[j]["h"] is None:
            fb.append(old)
            continue
        share = (x - sections[i]["x"]) / (sections[j]["x"] - sections[i]["x"])
        level = float(np.float32(sections[i]["h"])) * (1 - share) + float(np.float32(sections[j]["h"])) * share
        fb.append(max(h - level, 0.0))
    beams = {"gt1r": ({**seg, "fb": fb}, leads, sections)}
    result = verify.run(write(tmp_path / "a.h5", release="007", beams=beams))
    check = rows(result, "freeboard")
    assert check.status == "pass" and check.max_error < 1e-6 and "not checked on a real file" in check.note
    assert rows(verify.run(write(tmp_path / "b.h5", release="006", beams=beams)), "freeboard").status == "fail"


def test_without_the_smoother(tmp_path):
    result = verify.run(write(tmp_path / "a.h5", beams={"gt1r": make_beam(1, smoother=False)}, smoother=False))
    assert result.passed
    assert rows(result, FROM_LEADS).n == 16 and rows(result, FILLED).n == 7
    wrong = verify.run(write(tmp_path / "b.h5", beams={"gt1r": make_beam(1, smoother=False)}, smoother=True))
    assert FROM_LEADS in {c.name for c in wrong.checks if c.status == "fail"} and wrong.exit_code == 1


@pytest.mark.parametrize("boxes", [[(2, 5)], [(7, 12)], [(2, 4), (11, 13), (18, 20)]])
def test_subsets_are_rebased_box_by_box(tmp_path, boxes):
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, boxes=boxes))
    seg, leads, sections = STRONG
    inside = {k for a, b in boxes for k in range(a, b + 1)}
    n_leads = sum(seg["section"][a["first"]] in inside for a in leads)
    assert result.passed, result.summary
    assert rows(result, "lead height").n == n_leads
    assert rows(result, "section sigma").n == sum(s["h"] is not None for s in sections if s["number"] in inside)
    assert rows(result, "freeboard").n == sum(
        v != FILL for v, k in zip(seg["fb"], seg["section"], strict=True) if k in inside
    )
    for name in ("lead height", "lead sigma", "section sigma", "freeboard", "freeboard uncertainty"):
        assert rows(result, name).max_error < 1e-6


def test_a_neighbour_outside_the_box_is_rebuilt_from_its_leads(tmp_path):
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, boxes=[(12, 12)]))  # 11 and 13 have leads, 10 km away
    check = rows(result, EDGE)
    assert (check.n, check.status) == (
        1,
        "listed",
    ) and check.max_error < 1e-6, "it leaves out what differs, so it is no pass"
    assert rows(result, FROM_LEADS).status == "not checkable"
    moved = (STRONG[0], STRONG[1], [{**s, "h": s["h"] + 0.002 if s["number"] == 12 else s["h"]} for s in STRONG[2]])
    other = rows(verify.run(write(tmp_path / "b.h5", beams={"gt1r": moved}, boxes=[(12, 12)])), EDGE)
    assert other.status == "not checkable" and "cannot be known" in other.note, (
        "a neighbour that may be missing decides nothing"
    )


# Place in the list, and its fill; the section copied is number 14's neighbour 15, 9's 8, 10's 11, 21's 20, 23's 24.
@pytest.mark.parametrize(
    ("box", "n"),
    [
        ((9, 10), 2),  # both copies, both sources outside
        ((20, 23), 4),  # 23 copies 24
        ((21, 22), 1),  # 21 copies 20; 22 has none
        ((22, 23), 1),
    ],
)
def test_a_copied_section_outside_the_box_is_looked_up_in_the_leads(tmp_path, box, n):
    numbers = range(box[0], box[1] + 1)
    at = next(k for k in numbers if STRONG[2][k - 1]["flag"] == END_POINT)
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, boxes=[box]))
    heights, sigmas = rows(result, FILLED), rows(result, "section sigma")
    n_heights = sum(STRONG[2][k - 1]["h"] is not None for k in numbers)
    assert result.passed and sigmas.n == n_heights and sigmas.max_error < 1e-6
    assert heights.status == "pass" and heights.max_error < 1e-6
    assert heights.n == n if box != (20, 23) else heights.n >= 2
    for key, name in (("h", FILLED), ("sigma", "section sigma")):
        wrong = changed("section", at - 1, key, 0.0006)
        assert rows(verify.run(write(tmp_path / "b.h5", beams={"gt1r": wrong}, boxes=[box])), name).status == "fail"


@pytest.mark.parametrize("numbers", [(9, 10), (21, 22)])
def test_a_copy_without_its_section_is_neither_right_nor_wrong(tmp_path, numbers):
    """The subset keeps only its own leads: nothing that a filled section was made from."""
    seg, leads, sections = STRONG
    kept = [a for a in leads if numbers[0] <= seg["section"][a["first"]] <= numbers[1]]
    far = [a for a in leads if seg["section"][a["first"]] == 1]
    for left in (kept, kept + far):
        result = verify.run(write(tmp_path / "a.h5", beams={"gt1r": (seg, left, sections)}, boxes=[numbers]))
        for name in (FROM_LEADS, FILLED, EDGE, "section sigma"):
            assert rows(result, name).status == "not checkable"
        n = sum(sections[k - 1]["flag"] == END_POINT for k in numbers)
        assert f"{n} filled sections are NOT checked" in rows(result, FILLED).note


def test_a_line_to_a_section_outside_the_box_is_counted_only_where_it_agrees(tmp_path):
    """3 lies between 2 and 4: which section outside the box is the next valid one is likely, not certain."""
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, boxes=[(2, 3)]))
    assert rows(result, EDGE).status == "listed" and rows(result, EDGE).max_error < 1e-6
    assert rows(result, "section sigma").n == 1
    other = verify.run(write(tmp_path / "b.h5", beams={"gt1r": changed("section", 2, "h", 0.0006)}, boxes=[(3, 3)]))
    assert rows(other, EDGE).status == "not checkable" and "1 of 1 differ" in rows(other, EDGE).note


def test_leads_cut_and_rebased_with_the_box_still_count(tmp_path):
    seg, leads, sections = STRONG
    keep = [a for a in leads if 2 <= seg["section"][a["first"]] <= 4]
    result = verify.run(write(tmp_path / "a.h5", beams={"gt1r": (seg, keep, sections)}, boxes=[(2, 4)]))
    assert rows(result, "lead height").n == len(keep) and rows(result, "section sigma").n == 3
    assert result.passed


def changed(what, index, key, delta):
    seg, leads, sections = STRONG
    if what == "seg":
        column = list(seg[key])
        column[index] += delta
        return {**seg, key: column}, leads, sections
    table = [dict(r) for r in (leads if what == "lead" else sections)]
    table[index][key] += delta
    return (seg, table, sections) if what == "lead" else (seg, leads, table)


@pytest.mark.parametrize(
    ("what", "index", "key", "delta", "name"),
    [
        ("lead", 6, "h", 0.0006, "lead height"),
        ("lead", 6, "sigma", 0.0006, "lead sigma"),
        ("lead", 6, "x", 1.0, "lead position"),
        ("section", 11, "h", 0.0006, FROM_LEADS),
        ("section", 2, "h", 0.0006, FILLED),
        ("section", 5, "h", 0.0006, FILLED),
        ("section", 8, "h", 0.0006, FILLED),
        ("section", 11, "sigma", 0.0006, "section sigma"),
        ("section", 2, "sigma", 0.0006, "section sigma"),
        ("section", 5, "sigma", 0.0006, "section sigma"),
        ("section", 8, "sigma", 0.0006, "section sigma"),
        ("seg", 0, "fb", 0.0006, "freeboard"),
        ("seg", 0, "unc", 0.0006, "freeboard uncertainty"),
        ("seg", 5, "section", 1, "section of a segment"),
    ],
)
def test_one_wrong_number_fails_its_check(tmp_path, what, index, key, delta, name):
    result = verify.run(write(tmp_path / "a.h5", beams={"gt1r": changed(what, index, key, delta)}))
    assert rows(result, name).status == "fail" and not result.passed and result.exit_code == 1
    assert name in result.summary
    loose = verify.run(tmp_path / "a.h5", tolerance_m=0.01)
    if key not in ("x", "section"):
        assert rows(loose, name).status == "pass"


def test_surface_types_are_listed_by_class_and_judged_together(tmp_path):
    seg = {**STRONG[0], "type": list(STRONG[0]["type"]), "rate": list(STRONG[0]["rate"])}
    n = len(seg["type"])
    lead_rows = [i for i, t in enumerate(seg["type"]) if t == 5]
    for i in lead_rows[:3]:
        seg["type"][i] = 1
    seg["rate"][0] = FILL
    result = verify.run(write(tmp_path / "a.h5", beams={"gt1r": (seg, *STRONG[1:])}))
    check = rows(result, "surface type")
    assert check.n == n - 1 and check.max_error == pytest.approx(3 / (n - 1)) and check.status == "pass"
    assert "1 segment without a photon rate" in check.note
    five = next(c for c in result.checks if c.name.startswith("surface type 5"))
    assert five.n == len(lead_rows) - 3 and five.max_error == 0 and five.status == "listed"
    assert f"{len(lead_rows)} claimed" in five.note
    assert next(c for c in result.checks if c.name.startswith("surface type 7")).status == "not checkable"
    for i in range(n // 20):
        seg["type"][i + 1] = 7
    assert (
        rows(verify.run(write(tmp_path / "b.h5", beams={"gt1r": (seg, *STRONG[1:])})), "surface type").status == "fail"
    )


def test_nothing_to_check_is_never_a_pass(tmp_path):
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, leads_only=True))
    assert set(status(result).values()) == {"not checkable"}
    assert not result.passed and result.exit_code == 1 and result.summary == "nothing could be checked"


def test_sections_without_any_surface_are_not_a_pass(tmp_path):
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, boxes=[(17, 17)]))
    found = status(result)
    for name in ("lead height", FROM_LEADS, FILLED, EDGE, "section sigma", "freeboard", "freeboard uncertainty"):
        assert found[name] == "not checkable"
    assert found["section of a segment"] == "pass"
    assert result.summary.startswith("passed: ") and "; leads and section heights not checkable" in result.summary


def test_a_file_without_freeboard_is_no_checked_freeboard(tmp_path):
    """The last line says what was checked and what was not, with the reason."""
    seg = {**STRONG[0], "fb": [FILL] * len(STRONG[0]["fb"])}
    result = verify.run(write(tmp_path / "a.h5", beams={"gt1r": (seg, *STRONG[1:])}))
    assert result.passed and result.summary.startswith("passed: lead position, lead height, ")
    assert result.summary.endswith("; freeboard not checkable: the file holds no freeboard")
    whole = verify.run(write(tmp_path / "b.h5", beams=BEAMS))
    assert "not checkable: freeboard" not in whole.summary
    text = terminal.totals_text([result], verify.totals([result]))
    assert "1 of 1 file passed; not checkable in any: " in text and "freeboard; freeboard uncertainty." in text


def test_index_that_starts_elsewhere_is_still_one_constant(tmp_path):
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS, shift_leads=12345))
    assert result.passed and rows(result, "lead height").n == len(STRONG[1])


def test_other_products_and_broken_files_are_one_line(tmp_path):
    path = write(tmp_path / "a.h5", beams=BEAMS)
    with h5py.File(path, "a") as f:
        f.attrs["short_name"] = "ATL03"
    with pytest.raises(ProductError, match="holds ATL03; verify expected ATL07 or ATL10"):
        verify.run(path)
    data = path.read_bytes()
    (tmp_path / "short.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(ProductError) as caught:
        verify.run(tmp_path / "short.h5")
    assert "\n" not in str(caught.value)
    write(tmp_path / "b.h5", beams=BEAMS)
    with h5py.File(tmp_path / "b.h5", "a") as f:
        del f["gt1r/freeboard_segment/heights/height_segment_sigma"]
    with pytest.raises(ProductError, match="height_segment_sigma is missing"):
        verify.run(tmp_path / "b.h5")


def test_totals_over_all_files(tmp_path):
    whole = verify.run(write(tmp_path / "a.h5", beams=BEAMS))
    wrong = verify.run(write(tmp_path / "b.h5", beams={"gt1r": changed("lead", 6, "h", 0.002)}))
    empty = verify.run(write(tmp_path / "c.h5", beams=BEAMS, leads_only=True))
    found = {c.name: c for c in verify.totals([whole, wrong, empty])}
    heights = found["lead height"]
    assert (heights.n, heights.status, heights.region) == (2 * len(STRONG[1]), "fail", "2 of 3 files")
    assert heights.max_error == pytest.approx(0.002, abs=1e-6)
    assert found["freeboard"].n == 2 * sum(v != FILL for v in STRONG[0]["fb"])
    assert found["freeboard"].status == "pass" and found[EDGE].status == "not checkable"
    assert list(found) == [c.name for c in whole.checks if c.region == "file" and c.name[:13] != "surface type "]
    seg = {**STRONG[0], "type": [7] * 40 + STRONG[0]["type"][40:]}
    types = verify.run(write(tmp_path / "d.h5", beams={"gt1r": (seg, *STRONG[1:])}))
    n = len(seg["type"])
    pooled = next(c for c in verify.totals([whole, types]) if c.name == "surface type")
    assert pooled.n == 2 * n and pooled.max_error == pytest.approx(40 / (2 * n)), "a share of all segments"
    text = terminal.totals_text([whole, wrong, empty], verify.totals([whole, wrong, empty]))
    assert f"{heights.n}" in text and "1 of 3 files passed" in text


def test_checks_are_plain_records(tmp_path):
    result = verify.run(write(tmp_path / "a.h5", beams=BEAMS))
    check = rows(result, "lead height")
    assert replace(check, n=0).n == 0 and check.units == "m" and check.tolerance == verify.TOLERANCE_M


@pytest.mark.real
def test_all_lead_heights_of_the_real_ross_sea_subset():
    result = verify.run(real("ATL10_subset_bbox_RossSea.h5"))
    assert result.passed
    for name in ("lead height", "lead sigma"):
        assert rows(result, name).n == 192 and rows(result, name).max_error < 1e-6
    assert rows(result, "section of a segment").n == 6382 and rows(result, "section of a segment").max_error == 0
    assert rows(result, "freeboard").status == "not checkable"


@pytest.mark.real
def test_surface_types_of_all_real_granules_pooled():
    names = [
        "ATL10_subset_bbox_RossSea.h5",
        "processed_ATL10-01_20220102203248_01771401_006_01.h5",
        "processed_ATL10-01_20220103200708_01921401_006_01.h5",
        "processed_ATL10-01_20220104070710_01991401_006_01.h5",
        "processed_ATL07-01_20190222003738_08490201_003_02.h5",
        "processed_ATL07-01_20190226002919_09100201_003_02.h5",
    ]
    checks = [rows(verify.run(real(n)), "surface type") for n in names]
    assert min(1 - c.max_error for c in checks) >= 0.975
    n = sum(c.n for c in checks)
    assert n > 29_000 and sum((1 - c.max_error) * c.n for c in checks) / n >= 0.99
