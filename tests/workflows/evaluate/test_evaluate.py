"""Evaluation from files: what is read, what is refused, and a real ATL07 as the reference."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polynya import schema
from polynya.errors import ProductError
from polynya.readers import icesat2_atl07, icesat2_atl10
from polynya.workflows import evaluate
from tests.evaluate.tracks import lead_table, lookup, section_table, segment_table, truth_table
from tests.real_files import real

ATL07 = "processed_ATL07-01_20190226002919_09100201_003_02.h5"


def write(folder, segments, *, leads=None, sections=None):
    folder.mkdir(exist_ok=True)
    pq.write_table(segments, folder / "segments.parquet")
    pq.write_table(lead_table([]) if leads is None else leads, folder / "leads.parquet")
    pq.write_table(section_table([]) if sections is None else sections, folder / "sea_surface.parquet")
    return folder


@pytest.fixture
def made(tmp_path):
    truth = truth_table(lead_cells=range(500, 540))
    pq.write_table(truth, tmp_path / "made_truth.parquet")
    return write(tmp_path / "out", segment_table(truth, height_error=0.01)), tmp_path / "made_truth.parquet"


def test_truth_is_recognised_and_scored(made):
    out, reference = made
    get = lookup(evaluate.run(out, reference=reference))
    assert get("height_bias", reference="truth: footprint mean")["value"] == pytest.approx(0.01, abs=1e-5)
    assert get("recall", "open_water")["value"] == 1.0


def test_the_resolution_is_read_or_found(made, tmp_path):
    out, _ = made
    table = pq.read_table(out / "segments.parquet")
    assert evaluate.resolution(table, out) == 2.0
    assert evaluate.resolution(table.replace_schema_metadata({"resolution_m": "30.0"}), out) == 30.0
    assert evaluate.resolution(table.replace_schema_metadata({"resolution_m": "null"}), out) is None
    assert evaluate.resolution(table.take(pa.array(np.arange(0, 3000, 5))), out) == 10.0


def test_what_is_not_a_reference_is_refused_in_one_line(made, tmp_path):
    out, truth = made
    (tmp_path / "text.h5").write_text("<html>please log in</html>")
    (tmp_path / "cut.parquet").write_bytes(truth.read_bytes()[:2000])
    cases = {
        tmp_path / "nothing.parquet": "no such file",
        tmp_path: "is a folder",
        out / "segments.parquet": "is a parquet file of segments",
        tmp_path / "text.h5": "is text",
        tmp_path / "cut.parquet": "cannot be read",
    }
    for path, words in cases.items():
        with pytest.raises(ProductError, match=words) as error:
            evaluate.run(out, reference=path)
        assert "\n" not in str(error.value) and "expected" in str(error.value)


def test_an_output_folder_that_is_none_is_refused(made, tmp_path):
    out, truth = made
    with pytest.raises(ProductError, match=r"segments\.parquet: no such file"):
        evaluate.run(tmp_path, reference=truth)
    empty = write(tmp_path / "empty", pq.read_table(out / "segments.parquet").slice(0, 0))
    with pytest.raises(ProductError, match="holds no segment"):
        evaluate.run(empty, reference=truth)
    pq.write_table(pq.read_table(out / "segments.parquet").drop_columns(["height"]), out / "segments.parquet")
    with pytest.raises(ProductError, match=r"columns \['height'\] are missing"):
        evaluate.run(out, reference=truth)


def segments_on(path, *, offset: float, later: str = "0s", reader=icesat2_atl07, strong: str = "l") -> pa.Table:
    """Cells of 2 m under the segments of a real granule, each with its nearest segment's height and type."""
    parts = []
    for beam in schema.BEAM_NAMES:
        table = reader.read(path, beam=beam)
        if table.num_rows == 0:
            continue
        x = table["seg_dist_x"].to_numpy()
        order = np.argsort(x, kind="stable")
        x, length = x[order], table["height_segment_length_seg"].to_numpy()[order]
        kind, height = table["height_segment_type"].to_numpy()[order], table["height_segment_height"].to_numpy()[order]
        time = table["time"].cast(pa.int64()).to_numpy()[order]
        cell = (
            2.0
            * np.unique(
                np.concatenate(
                    [
                        np.arange(np.floor((c - w / 2) / 2), np.floor((c + w / 2) / 2))
                        for c, w in zip(x, length, strict=True)
                    ]
                )
            )
            + 1.0
        )
        own = np.searchsorted((x[1:] + x[:-1]) / 2, cell)  # the nearest centre
        inside = np.abs(cell - x[own]) <= length[own] / 2
        cell, own = cell[inside], own[inside]
        n = cell.size
        columns = {
            v.name: np.zeros(n)
            for v in schema.SEGMENTS.variables
            if v.name not in ("granule", "beam", "is_strong", "time", "surface_class")
        }
        water = np.isin(kind[own], (2, 3, 4, 5))
        columns |= {
            "granule": "made",
            "beam": beam,
            "is_strong": np.full(n, beam.endswith(strong)),
            "x_atc": cell,
            "height": height[own] + offset,
            "n_photons": np.ones(n),
            "time": time[own].view("datetime64[ns]") + np.timedelta64(int(later[:-1]), later[-1]),
            "surface_class": np.where(water, 2, 0),
        }
        parts.append(schema.table(schema.SEGMENTS, columns))
    return pa.concat_tables(parts, promote_options="default")


@pytest.mark.real
def test_a_real_atl07_gives_back_the_offset_and_the_types(tmp_path):
    path = real(ATL07)
    get = lookup(evaluate.run(write(tmp_path / "out", segments_on(path, offset=0.012)), reference=path))
    for region in ("strong", "weak"):
        row = get("height_bias", "all", region, "ATL07: our segments")
        assert row["value"] == pytest.approx(0.012, abs=2e-5) and row["n"] > 1000
        assert get("height_rmse", "all", region, "ATL07: nearest segment")["value"] == pytest.approx(0.012, abs=2e-5)
    row = get("recall", "specular_lead", "all", "ATL07: nearest segment")
    specular = sum(
        int(np.isin(icesat2_atl07.read(path, beam=b)["height_segment_type"].to_numpy(), (2, 3, 4, 5)).sum())
        for b in schema.BEAM_NAMES
    )
    assert row["value"] == 1.0 and 0 < row["n"] <= specular
    assert get("precision", "specular_lead", "all", "ATL07: nearest segment")["value"] == 1.0
    assert get("recall", "specular_lead", "all", "ATL07: our segments")["value"] == 1.0


@pytest.mark.real
def test_a_real_atl07_of_another_day_is_refused(tmp_path):
    out = write(tmp_path / "out", segments_on(real(ATL07), offset=0.0))
    with pytest.raises(ProductError, match=r"no ATL07 segment lies on our track.*2019-02-26.*2019-02-22"):
        evaluate.run(out, reference=real("processed_ATL07-01_20190222003738_08490201_003_02.h5"))
    later = write(tmp_path / "later", segments_on(real(ATL07), offset=0.0, later="91D"))
    with pytest.raises(ProductError, match="another orbit"):
        evaluate.run(later, reference=real(ATL07))


@pytest.mark.real
def test_a_real_atl10_gives_back_heights_and_leads(tmp_path):
    path = real("ATL10_subset_bbox_RossSea.h5")
    segments = segments_on(path, offset=-0.02, reader=icesat2_atl10, strong="r")
    rows = []
    for beam in schema.BEAM_NAMES:
        listed = icesat2_atl10.read_leads(path, beam=beam).to_pandas()
        rows += [
            (beam, r.lead_dist_x, r.lead_length, r.lead_height - 0.02)
            for r in listed.sort_values("lead_dist_x").itertuples()
        ]
    get = lookup(evaluate.run(write(tmp_path / "out", segments, leads=lead_table(rows)), reference=path))
    assert get("height_bias", "all", "strong", "ATL10: nearest segment")["value"] == pytest.approx(-0.02, abs=2e-5)
    recall = get("lead_recall", reference="ATL10")
    assert recall["value"] == 1.0 and recall["n"] >= 192
    assert get("lead_height_median_absolute_difference", reference="ATL10")["value"] == pytest.approx(0.02, abs=2e-5)
    assert get("freeboard_bias", "all", "all", "ATL10: segment extents")["n"] == 0  # NASA gives none so close to land


@pytest.mark.real
def test_an_atl03_is_no_reference(made):
    with pytest.raises(ProductError, match="holds ATL03; expected a truth parquet, an ATL07 or an ATL10"):
        evaluate.run(made[0], reference=real("ATL03_20181014002445_02350104_006_02_subset_gt1l.h5"))


@pytest.mark.real
def test_a_real_atl10_of_another_place_is_refused(made):
    with pytest.raises(ProductError, match="no ATL10 segment lies on our track"):
        evaluate.run(made[0], reference=real("ATL10_subset_bbox_RossSea.h5"))
