"""The freeboard report: what it says equals the tables, it stands alone, and odd granules do not break it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polynya import schema
from polynya.errors import ProductError
from polynya.report import beams, freeboard

from . import tables

BEAMS = ("gt1l", "gt1r", "gt2l", "gt2r", "gt3l", "gt3r")
VOID = {"meta", "br", "hr", "img", "input", "link"}
SVG_SELF_CLOSED = {"path", "rect", "circle"}


class Page(HTMLParser):
    """Reads a page: checks that elements close in order, keeps attributes, table rows and text by id."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, str] = {}
        self._table = ""
        self._within: list[tuple[int, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        assert len(found) == len(attrs), f"<{tag}> repeats an attribute"
        self.attributes += [(tag, k, v or "") for k, v in attrs]
        if "id" in found:
            self.ids.append(found["id"])
            self._within.append((len(self.open), found["id"]))
            self.texts[found["id"]] = ""
            if tag == "table":
                self._table = found["id"]
                self.tables[self._table] = []
        if tag == "tr" and self._table:
            self.tables[self._table].append([])
        if tag in ("td", "th") and self._table:
            self.tables[self._table][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG_SELF_CLOSED | VOID
        self.attributes += [(tag, k, v or "") for k, v in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        self._within = [w for w in self._within if w[0] < len(self.open)]
        if tag == "table":
            self._table = ""

    def handle_data(self, data):
        for _, name in self._within:
            self.texts[name] += data
        if (
            self._table
            and self.tables[self._table]
            and self.tables[self._table][-1]
            and self.open[-1] not in ("tr", "tbody", "thead")
        ):
            self.tables[self._table][-1][-1] += data


def read(folder: Path) -> tuple[str, Page]:
    text = (folder / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


def value(text: str) -> float:
    """Return the number that a cell begins with."""
    return float(re.match(r"-?[\d,]*\.?\d+", text.replace("\u2212", "-")).group().replace(",", ""))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    where = tables.write_folder(
        tmp_path_factory.mktemp("out") / "granule",
        beams={b: tables.with_gaps(60e3, seed=k) for k, b in enumerate(BEAMS)},
        run=tables.RUN,
    )
    assert freeboard.write(where) == where / "report.html"
    return where


def test_page_is_well_formed_and_loads_nothing(folder):
    text, page = read(folder)
    assert text.startswith("<!DOCTYPE html>")
    assert len(page.ids) == len(set(page.ids))
    for tag, name, link in page.attributes:
        if name in ("src", "href", "data", "action", "poster", "srcset", "xlink:href"):
            assert link.startswith("#"), f"<{tag} {name}={link[:60]}> leaves the page"
        assert not name.startswith("on"), "no inline event handlers"
    assert (
        "meta",
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:",
    ) in page.attributes
    for word in ("@import", "fetch(", "XMLHttpRequest", "WebSocket", "import(", "url(", "http://", "https://", "eval("):
        assert word not in text, word


def test_a_60_km_granule_of_six_beams_fits_three_megabytes(folder):
    assert (folder / "report.html").stat().st_size <= 3_000_000


def test_head_and_summary_say_what_the_tables_say(folder):
    _, page = read(folder)
    data = pq.read_table(folder / "segments.parquet").to_pandas()
    leads = int(np.sum(pq.read_table(folder / "leads.parquet")["is_used"].to_numpy()))
    assert value(page.texts["mean-freeboard"]) == pytest.approx(data.total_freeboard.mean(), abs=0.00051)
    assert page.texts["mean-uncertainty"] == "0.030"  # of the 25 km means in run.json
    said = page.texts["result"]
    assert f"from {leads:,} leads" in said and f"of {len(data):,} segments on 6 beams" in said
    ice = data[data.surface_class.isin([0, 1])].total_freeboard.mean()
    assert value(said.split("over ice alone ")[1]) == pytest.approx(ice, abs=0.00051)
    head = (folder / "report.html").read_text(encoding="utf-8").split("</header>")[0]
    for words in (
        "ATL03_20191104195311_05940510_006_01",
        "ICESat-2 ATL03 release 006",
        "2019-11-04 19:53:11 to 19:53:19 UTC",
        "Ross Sea sector",
        "day, sun at 20",
    ):
        assert words in head


def test_class_table_equals_the_segments(folder):
    _, page = read(folder)
    data = pq.read_table(folder / "segments.parquet").to_pandas()
    leads = pq.read_table(folder / "leads.parquet").to_pandas()
    rows = {(r[0], r[1]): r for r in page.tables["class-table"][1:]}
    assert set(rows) == {(b, "strong" if b.endswith("r") else "weak") for b in BEAMS} | {
        ("all", "strong"),
        ("all", "weak"),
    }
    for (beam, strength), row in rows.items():
        part = data[data.beam == beam] if beam != "all" else data[data.is_strong == (strength == "strong")]
        assert value(row[2]) == len(part)
        for cell, kind in zip(row[3:7], (0, 1, 2, -1), strict=True):
            assert value(cell) == pytest.approx(100 * (part.surface_class == kind).mean(), abs=0.0501)
        assert (
            value(row[8])
            == ((leads.beam == beam) if beam != "all" else (leads.is_strong == (strength == "strong"))).sum()
        )
        assert value(row[9]) == pytest.approx(part.total_freeboard.mean(), abs=0.00051)
        assert value(row[10]) == pytest.approx(part.total_freeboard.median(), abs=0.0015)
        assert value(row[12]) == pytest.approx(part.total_freeboard_uncertainty.mean(), abs=0.00051)


def test_lead_table_lists_the_leads_and_says_how_many_more(folder, tmp_path):
    _, page = read(folder)
    leads = pq.read_table(folder / "leads.parquet").to_pandas().sort_values(["beam", "x_atc"], kind="stable")
    rows = page.tables["lead-table"][1:]
    assert len(rows) == len(leads) <= 200
    origin = pq.read_table(folder / "segments.parquet")["x_atc"].to_numpy().min()
    for row, (_, lead) in zip(rows, leads.iterrows(), strict=True):
        assert row[0] == lead.beam
        assert row[2] == lead.time.strftime("%H:%M:%S.%f")[:-3]
        for cell, expected, digits in (
            (row[3], (lead.x_atc - origin) / 1000, 3),
            (row[4], lead.latitude, 4),
            (row[5], lead.longitude, 4),
            (row[9], lead.height, 3),
            (row[10], lead.height_uncertainty, 3),
        ):
            assert value(cell) == pytest.approx(expected, abs=0.51 * 10.0**-digits)
        assert row[12:] == ["specular" if lead.is_specular else "weaker", "yes" if lead.is_used else "no"]
    many = pa.concat_tables([pq.read_table(folder / "leads.parquet")] * 3)
    freeboard.write(folder, out=tmp_path / "many.html", leads=many)
    text = (tmp_path / "many.html").read_text(encoding="utf-8")
    assert f"{many.num_rows - 200:,} more in leads.parquet" in text
    assert len(Page(text).tables["lead-table"]) == 201


def test_quality_and_source_tables_equal_the_segments(folder):
    _, page = read(folder)
    data = pq.read_table(folder / "segments.parquet").to_pandas()
    for row in page.tables["quality-table"][1:]:
        bit = int(row[0])
        for cell, strong in ((row[3], True), (row[5], False)):
            flags = data.quality_flag[data.is_strong == strong]
            assert value(cell) == ((flags & bit) != 0).sum() if bit else value(cell) == (flags == 0).sum()
    for row in page.tables["source-table"][1:]:
        source = data.sea_surface_source[data.beam == row[0]]
        for k in range(4):
            assert value(row[2 + k].replace("<", "")) == pytest.approx(100 * (source == k).mean(), abs=0.0501)


def test_means_differences_and_provenance_come_from_the_run(folder):
    _text, page = read(folder)
    rows = page.tables["mean-table"][1:]
    assert [r[:3] for r in rows[:3]] == [["gt1r", "1 km", "60"], ["gt1r", "10 km", "6"], ["gt1r", "25 km", "2"]]
    assert rows[0][3] == "480"
    assert [value(c) for c in rows[0][4:]] == [0.345, 0.012, 0.0275, 0.03]
    assert [value(c) for c in page.tables["difference-table"][1][1:]] == [5, 0.0061, 0.0142]
    said = page.texts["provenance"]
    for words in (
        "polynya freeboard ATL03_20191104195311_05940510_006_01.h5 -o out",
        "ab" * 32,
        "123,456,789",
        "3.11.9",
        "NASA's tree at 2 m",
        "window_m",
        "2026-11-21T03:29:00Z",
    ):
        assert words in said


def test_repeated_means_are_averaged_with_their_number(folder, tmp_path):
    run = {
        "means": [
            {"beam": "gt1r", "length_km": 10, "n": 400, "n_bins": 1, "freeboard": 0.2, "uncertainty": 0.02},
            {"beam": "gt1r", "length_km": 10, "n": 480, "n_bins": 3, "freeboard": 0.4, "uncertainty": 0.04},
        ]
    }
    data = pq.read_table(folder / "segments.parquet")
    page = Page(freeboard.render(beams.prepare(data), leads=None, sea_surface=None, run=run, name="x"))
    assert page.tables["mean-table"][1][:5] == ["gt1r", "10 km", "4", "460", "0.3500"]
    assert page.texts["mean-uncertainty"] == "0.035"
    run["means"].append(
        {"beam": "gt1r", "length_km": "track", "n": 9000, "n_bins": 1, "freeboard": 0.35, "uncertainty": 0.0123}
    )
    page = Page(freeboard.render(beams.prepare(data), leads=None, sea_surface=None, run=run, name="x"))
    assert page.texts["mean-uncertainty"] == "0.012" and "mean over one beam's whole track" in page.texts["result"]
    assert page.tables["mean-table"][2][:2] == ["gt1r", "track"]


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def test_text_from_files_stays_text(tmp_path):
    run = json.loads(json.dumps(tables.RUN))
    run["inputs"][0].update(granule=EVIL, product=EVIL, release=EVIL, sha256=EVIL)
    run.update(
        polynya=EVIL,
        command=["polynya", EVIL],
        messages=[EVIL],
        config={EVIL: EVIL},
        classifier=EVIL,
        means=[{"beam": EVIL, "length_km": 1, "n": 1, "freeboard": EVIL, "uncertainty": 0.1}],
    )
    run.update(
        beam_differences=[{"beam_a": EVIL, "beam_b": EVIL, "n": EVIL, "mean": EVIL, "sd": EVIL}],
        beams={EVIL: {"seconds": EVIL, EVIL: 1}},
    )
    segments, leads, sections = tables.beam_columns(
        beam=EVIL, strong=True, distance=tables.with_gaps(8e3), granule=EVIL
    )
    for name, spec, columns in (
        ("segments", schema.SEGMENTS, segments),
        ("leads", schema.LEADS, leads),
        ("sea_surface", schema.SEA_SURFACE, sections),
    ):
        pq.write_table(schema.table(spec, columns), tmp_path / f"{name}.parquet")
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    freeboard.write(tmp_path)
    text, page = read(tmp_path)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert "<img" not in text and "<script>alert" not in text
    assert text.count("</script>") == text.count("<script")
    assert page.tables["class-table"][1][0] == EVIL


@pytest.mark.parametrize(
    "run",
    [
        None,
        {},
        {"means": None, "messages": "x", "inputs": [], "beams": [], "config": None},
        {"means": [1, {"length_km": "a"}], "inputs": ["x"], "beam_differences": [None], "command": "text"},
    ],
)
def test_any_part_of_the_run_may_be_missing(tmp_path, run):
    tables.write_folder(tmp_path, beams={"gt2r": tables.with_gaps(5e3)}, run=run)
    (tmp_path / "sea_surface.parquet").unlink()
    freeboard.write(tmp_path)
    _, page = read(tmp_path)
    assert "mean-freeboard" in page.texts and "mean-uncertainty" not in page.texts
    assert "A single segment has" in page.texts["result"]


def test_no_leads_gives_the_plain_sentence_and_no_number(tmp_path):
    said = "gt1l: no open water within reach, so no sea surface and no freeboard."
    tables.write_folder(
        tmp_path,
        beams={b: tables.with_gaps(6e3, seed=k) for k, b in enumerate(BEAMS)},
        leads=False,
        run={"messages": [said]},
    )
    freeboard.write(tmp_path)
    text, page = read(tmp_path)
    assert (
        "No freeboard." in page.texts["result"]
        and said in page.texts["result"]
        and "hold no lead" in page.texts["result"]
    )
    assert "mean-freeboard" not in page.texts
    assert "No lead was found" in page.texts["leads"]
    assert all(row[9] == "\u2013" for row in page.tables["class-table"][1:])
    assert not re.search(r"\bnan\b", re.sub(r"<script.*?</script>", "", text, flags=re.S).lower().replace("(nan)", ""))


def test_forty_segments_in_two_pieces_403_km_apart(tmp_path):
    distance = np.concatenate([np.linspace(1, 720, 32), 403e3 + np.linspace(1, 80, 8)])
    tables.write_folder(tmp_path, beams={"gt1l": distance}, leads=False, start=(87.29, 120.0), bearing=100)
    freeboard.write(tmp_path)
    text, page = read(tmp_path)
    assert "40 segments on 1 beam hold no lead" in page.texts["result"]
    about = json.loads(page.texts["about"])
    assert len(about["beams"][0]["stretches"]) == 2
    assert "EPSG:3413" in page.texts["map"]
    assert re.search(r'<path d="M[^"]*" stroke="#9aa0a6" stroke-width="8"/>', text)  # both pieces are dots


def test_empty_table_makes_a_page_without_a_figure(tmp_path):
    tables.write_folder(tmp_path, beams={}, run={"messages": ["no sea-ice photon"]})
    freeboard.write(tmp_path)
    _, page = read(tmp_path)
    assert "No segment." in page.texts["result"] and "no sea-ice photon" in page.texts["result"]
    assert "map" not in page.ids and "plot" not in page.ids


@pytest.mark.parametrize(
    "start, bearing, words",
    [
        ((-75.0, 179.7), 70.0, ("Antarctic, Ross Sea sector", "180")),
        ((89.0, 10.0), 1.0, ("Arctic", "EPSG:3413")),
        ((-70.0, -45.0), 0.0, ("Weddell Sea sector", "EPSG:3976")),
    ],
)
def test_map_across_the_antimeridian_and_over_the_pole(tmp_path, start, bearing, words):
    tables.write_folder(tmp_path, beams={"gt2r": tables.with_gaps(250e3, step=20.0)}, start=start, bearing=bearing)
    freeboard.write(tmp_path)
    text, _ = read(tmp_path)
    assert all(w in text for w in words)
    track = re.search(r'id="map-close".*?<g class="track">(.*?)</g>', text, re.S).group(1)
    lines = [
        np.array([[float(v) for v in pair.split()] for pair in line.removesuffix("h0").split("L")])
        for d in re.findall(r'd="M([^"]*)"', track)
        for line in d.split("M")
    ]
    points = np.concatenate(lines)
    assert len(points) > 100 and points.min() > 0 and points[:, 0].max() < 640 and points[:, 1].max() < 420
    assert (
        max(np.abs(np.diff(line, axis=0)).max() for line in lines if len(line) > 1) < 10.0
    )  # no line jumps across the frame


def test_one_segment_and_missing_positions(tmp_path):
    segments, _, _ = tables.beam_columns(beam="gt1r", strong=True, distance=np.array([1.0]))
    segments = {
        **segments,
        "latitude": np.array([np.nan]),
        "longitude": np.array([np.nan]),
        "time": np.array(["NaT"], "datetime64[ns]"),
        "height": np.array([np.nan]),
    }
    text = freeboard.render(
        beams.prepare(schema.table(schema.SEGMENTS, segments)), leads=None, sea_surface=None, run={}, name="one"
    )
    assert "No segment has a latitude" in Page(text).texts["map"]


def test_histograms_hold_every_segment(folder):
    _, page = read(folder)
    data = pq.read_table(folder / "segments.parquet").to_pandas()
    for strong, word in ((True, "strong"), (False, "weak")):
        part = data[data.is_strong == strong]
        assert f"{part.total_freeboard.notna().sum():,} segments" in page.texts[f"hist-freeboard-{word}"]
        assert value(page.texts[f"hist-height-{word}"].split("median ")[1]) == pytest.approx(
            part.height.median(), abs=0.0015
        )


def test_a_600_km_granule_of_three_million_segments_fits_eight_megabytes(tmp_path):
    base, lead, section = tables.beam_columns(
        beam="gt1l", strong=False, distance=np.arange(0.6, 600e3, 1.2), leads=True
    )
    small = {n: np.asarray(v)[np.arange(0, 500_000)] if not isinstance(v, (str, bool)) else v for n, v in base.items()}
    parts = {s: [] for s in ("segments", "leads", "sections")}
    for beam in BEAMS:
        named = {"beam": beam, "is_strong": beam.endswith("r")}
        parts["segments"].append(schema.table(schema.SEGMENTS, {**small, **named}))
        parts["leads"].append(schema.table(schema.LEADS, {**lead, **named}))
        parts["sections"].append(schema.table(schema.SEA_SURFACE, {**section, **named}))
    joined = {k: pa.concat_tables(v).unify_dictionaries() for k, v in parts.items()}
    assert joined["segments"].num_rows == 3_000_000
    text = freeboard.render(
        beams.prepare(joined["segments"]),
        leads=joined["leads"],
        sea_surface=joined["sections"],
        run=tables.RUN,
        name="big",
    )
    assert len(text.encode()) <= 8_000_000
    about = json.loads(re.search(r'<script id="about"[^>]*>(.*?)</script>', text, re.S).group(1))
    assert about["bin_m"] > 0 and all(b["fine_n"] > 10_000 for b in about["beams"])
    assert f"{about['bin_m']:g} m bins, and single segments around leads" in text


def test_a_folder_without_segments_is_refused_and_left_as_it_was(tmp_path):
    with pytest.raises(ProductError, match=r"segments\.parquet: no such file"):
        freeboard.write(tmp_path)
    (tmp_path / "run.json").write_text("[1", encoding="utf-8")
    with pytest.raises(ProductError, match=r"run\.json: cannot be read"):
        freeboard.read_run(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ProductError, match=r"run\.json: holds a list; expected a JSON object"):
        freeboard.read_run(tmp_path / "run.json")
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_writing_twice_gives_the_same_page(folder, tmp_path):
    first = freeboard.write(folder, out=tmp_path / "a.html").read_bytes()
    assert freeboard.write(folder, out=tmp_path / "b.html").read_bytes() == first


def test_writing_a_report_imports_no_plotting_library_and_no_pandas(folder, tmp_path):
    code = (
        "import sys; from pathlib import Path; from polynya.report import freeboard;"
        f" freeboard.write(Path({str(folder)!r}), out=Path({str(tmp_path / 'r.html')!r})); print(sorted({{'matplotlib',"
        " 'pandas', 'geopandas', 'pyproj', 'shapely', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
