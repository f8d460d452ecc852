"""Label tables as samples: nothing reaches across a gap, a beam or a part; the grid is floor(x / 2); scaling is the
training's."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya import io, schema
from polynya.errors import ProductError, UsageError
from polynya.samples import labelled_tracks, splits, track_windows
from polynya.samples.class_bits import single
from polynya.samples.labelled_tracks import ADMITS, Tracks, fit_scaling, sampling_weights

from .label_tables import label_table, write_labels


def tracks(
    cells: list[int], *, targets: list[int] | None = None, beam: list[int] | None = None, features: int = 1
) -> Tracks:
    """Segments in the middle of given cells; feature 0 is the cell's number."""
    n = len(cells)
    values = np.repeat(np.array(cells, np.float32)[:, None], features, axis=1)
    return Tracks(
        features=tuple(f"f{k}" for k in range(features)),
        values=values,
        targets=np.array(targets or [1] * n, np.uint32),
        source=np.full(n, schema.LABEL_SIMULATION, np.int8),
        granule=np.zeros(n, np.int32),
        beam=np.array(beam or [0] * n, np.int32),
        is_strong=np.ones(n, bool),
        x=2.0 * np.array(cells) + 1.0,
        granules=("g",),
        group=np.zeros(1, np.int32),
    )


def whole(n: int, part=None, *, is_leaky: bool = False) -> splits.Split:
    return splits.Split(
        part=np.zeros(n, np.int8) if part is None else np.array(part, np.int8),
        is_leaky=is_leaky,
        method="granule",
        groups=(1, 0, 0, 0),
    )


def windows(t: Tracks, split: splits.Split, *, fill: bool, part: int = 0, length: int = 5) -> dict[int, list[int]]:
    """Cells that each sample sees, by the cell it stands for."""
    source = track_windows.WindowSource(t, inputs=t.values, split=split, part=part, length=length, fill_edges=fill)
    b = source.batch(source.plan(None))
    return {int(t.cell[w]): b.inputs[k, :, 0].astype(int).tolist() for k, w in enumerate(b.where)}


def test_windows_are_neighbours_and_training_leaves_edges_out():
    t = tracks([10, 11, 12, 13, 14, 15, 17, 18])
    assert windows(t, whole(8), fill=False) == {12: [10, 11, 12, 13, 14], 13: [11, 12, 13, 14, 15]}


def test_prediction_repeats_the_runs_own_edge():
    t = tracks([10, 11, 12, 13, 14, 17, 18])
    found = windows(t, whole(7), fill=True)
    assert found[10] == [10, 10, 10, 11, 12] and found[14] == [12, 13, 14, 14, 14] and found[17] == [17, 17, 17, 18, 18]


def test_windows_stop_at_a_beam_and_at_a_part():
    t = tracks([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], beam=[0] * 5 + [1] * 5)
    assert list(windows(t, whole(10), fill=False)) == [3, 8]
    t = tracks(list(range(10)))
    part = [0] * 5 + [1] * 5
    assert list(windows(t, whole(10, part), fill=False)) == [2]
    assert windows(t, whole(10, part), fill=True)[4] == [2, 3, 4, 4, 4]
    assert windows(t, whole(10, part, is_leaky=True), fill=False)[4] == [
        2,
        3,
        4,
        5,
        6,
    ]  # the leaky split does see across


def test_unlabelled_segments_are_seen_but_not_learnt():
    t = tracks([1, 2, 3, 4, 5, 6], targets=[1, 1, 1, 0, 1, 1])
    assert list(windows(t, whole(6), fill=False)) == [3]
    assert windows(t, whole(6), fill=False)[3] == [1, 2, 3, 4, 5]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([1, 1, 1, 1, 2, 9, 11, 12, 40]), min_size=3, max_size=60),
    st.integers(0, 99),
    st.booleans(),
)
def test_rows_hold_each_labelled_segment_once_and_never_mix_stretches(steps, seed, ordered):
    cells = np.cumsum([1000, *steps]).tolist()
    n = len(cells)
    rng = np.random.default_rng(seed)
    part = (np.arange(n) >= n // 2).astype(int).tolist()
    t = tracks(cells, targets=rng.choice([0, 1, 4], n).tolist(), features=2)
    halo, stride = 8, 4
    source = track_windows.SequenceSource(
        t,
        inputs=t.values,
        split=whole(n, part),
        part=1,
        layout=track_windows.Layout(length=32, gap_m=20.0, halo=halo, stride=stride),
    )
    plan = source.plan(None if ordered else rng)
    seen = []
    for k in range(len(plan)):
        b = source.batch(plan[k : k + 1])
        here, row = b.inputs[0, -1], b.inputs[0, 0]
        assert set(here.tolist()) <= {0.0, 1.0} and not row[here == 0].any()
        at = np.flatnonzero(here)
        rows = np.searchsorted(cells, row[at].astype(int))
        assert np.all(np.array(part)[rows] == 1)  # no input of the other part
        same_grid = np.diff(row[at]) == np.diff(at)  # neighbours in the row lie as far apart as on the track ...
        gap = np.diff(row[at]) * 2.0 > 20.0
        assert np.all(
            np.diff(at)[~same_grid | gap] > halo
        )  # ... or belong to other stretches and are out of each other's sight
        counted = b.targets[0] != 0
        assert np.array_equal(t.targets[b.where[0][counted]], b.targets[0][counted])
        seen += b.where[0][counted].tolist()
        if ordered:
            assert b.inputs.shape[2] % stride == 0
            assert np.all((at - row[at].astype(int)) % stride == 0)  # the phase of the track's own cells
            inside = np.flatnonzero(b.where[0] >= 0)
            assert inside.min() >= halo and inside.max() < b.inputs.shape[2] - halo
    wanted = np.flatnonzero((np.array(part) == 1) & (t.targets != 0)).tolist()
    assert sorted(seen) == wanted


def test_a_row_of_an_ordered_plan_sees_its_neighbours():
    t = tracks(list(range(1024, 1024 + 200)))
    source = track_windows.SequenceSource(
        t,
        inputs=t.values,
        split=whole(200),
        part=0,
        layout=track_windows.Layout(length=64, gap_m=20.0, halo=16, stride=8),
    )
    middle = source.batch(source.plan(None)[1:2])
    cells = middle.inputs[0, 0][middle.inputs[0, 1] > 0]
    assert cells.min() == 1024 + 64 - 16 and cells.max() == 1024 + 128 + 16 - 1
    assert int((middle.where >= 0).sum()) == 64


def test_training_rows_are_cut_elsewhere_each_epoch_and_the_seed_decides():
    t = tracks(list(range(500)))
    source = track_windows.SequenceSource(
        t, inputs=t.values, split=whole(500), part=0, layout=track_windows.Layout(length=64, gap_m=20.0, halo=16)
    )

    def starts(seed: int) -> list[int]:
        return sorted(row.cuts[0].low for row in source.plan(np.random.default_rng(seed)))

    assert starts(1) == starts(1) and starts(1) != starts(2)


def test_balanced_epochs_draw_classes_and_beams_equally():
    rng = np.random.default_rng(0)
    t = tracks(
        list(range(4000)),
        targets=rng.choice([1, 2, 4], 4000, p=[0.9, 0.08, 0.02]).tolist(),
        beam=[0] * 3000 + [1] * 1000,
    )
    object.__setattr__(t, "is_strong", t.beam == 0)
    for by_class, by_beam in ((True, False), (False, True), (True, True)):
        weights = sampling_weights(t, split=whole(4000), part=0, by_class=by_class, by_beam=by_beam)
        source = track_windows.WindowSource(
            t, inputs=t.values, split=whole(4000), part=0, length=1, fill_edges=True, weights=weights
        )
        drawn = np.concatenate([source.plan(np.random.default_rng(k)) for k in range(5)])
        if by_class:
            assert np.allclose([np.mean(t.targets[drawn] == c) for c in (1, 2, 4)], 1 / 3, atol=0.02)
        if by_beam:
            assert abs(np.mean(t.is_strong[drawn]) - 0.5) < 0.02
    assert sampling_weights(t, split=whole(4000), part=0, by_class=False, by_beam=False) is None


def test_scaling_is_the_training_parts_and_takes_anything():
    values = np.array([[1.0, 5e6, 3.0, np.nan], [3.0, 7e6, 3.0, np.nan], [np.nan, 6e6, 3.0, np.nan]])
    s = fit_scaling(values)
    assert np.allclose(s.mean, [2.0, 6e6, 3.0, 0.0]) and np.allclose(
        s.std, [1.0, np.sqrt(2e12 / 3), 1.0, 1.0], rtol=1e-6
    )
    out = s.apply(np.array([[4.0, 6e6, 4.0, 2.0], [np.nan, 1e12, 3.0, np.nan]], np.float32))
    assert np.allclose(out, [[2.0, 0.0, 1.0, 2.0], [0.0, 10.0, 0.0, 0.0]]) and out.dtype == np.float32


def test_labels_become_sets_of_classes():
    assert {schema.ANY_ICE: (0, 1), schema.OPEN_WATER: (2,)}.items() <= ADMITS.items()
    assert single(np.array([1, 2, 4, 3, 0, 7])).tolist() == [0, 1, 2, -1, -1, -1]


def test_a_label_outside_the_target_is_an_error(tmp_path):
    folder = write_labels(tmp_path / "labels", granules=1, n=90)
    with pytest.raises(UsageError, match=r"g0\.parquet: label [12] is outside the target; expected one of 0\."):
        labelled_tracks.read([folder], features=("height",), admits={0: (0,)})


def test_a_grid_and_classes_of_ones_own(tmp_path):
    folder = write_labels(tmp_path / "labels", granules=1, n=90)
    plain = labelled_tracks.read([folder], features=("height",))
    coarse = labelled_tracks.read([folder], features=("height",), cell_m=0.5, admits={0: (9,), 1: (10,), 2: (0, 1)})
    assert np.array_equal(coarse.cell // 4, plain.cell)
    pairs = {(int(a), int(b)) for a, b in zip(plain.targets, coarse.targets, strict=True)}
    assert pairs == {(0, 0), (1, 1 << 9), (2, 1 << 10), (4, 3)}


def test_tables_are_read_sorted_with_what_they_say(tmp_path):
    folder = write_labels(
        tmp_path / "labels", granules=3, n=90, beams=("gt1r", "gt1l"), any_ice=True, about={"simulated": "yes"}
    )
    t = labelled_tracks.read([folder], features=("height", "photon_rate_high"))
    assert len(t.granules) == 3 and t.values.dtype == np.float32 and t.values.shape == (len(t), 2)
    assert np.all(np.diff(t.track) >= 0) and np.all(np.diff(t.x)[np.diff(t.track) == 0] > 0)
    assert t.about[0]["simulated"] == "yes" and t.group.tolist() == [0, 1, 2] and set(np.unique(t.targets)) == {0, 3, 4}
    one = pq.read_table(folder / "g1.parquet").sort_by("x_atc")
    mine = (t.granule == t.granules.index("g1")) & t.is_strong
    assert np.array_equal(t.values[mine, 0], one.filter(one["is_strong"])["height"].to_numpy())


def test_granules_of_one_source_are_one_group(tmp_path):
    for k, source in enumerate(("ATL07_a.h5", "ATL07_a.h5", "ATL07_b.h5")):
        io.write_table(
            label_table(f"g{k}", n=60, seed=k), tmp_path / f"g{k}.parquet", spec=schema.LABELS, about={"source": source}
        )
    assert labelled_tracks.read([tmp_path], features=("height",)).group.tolist() == [0, 0, 1]


def test_what_cannot_be_read_is_one_line(tmp_path):
    folder = write_labels(tmp_path / "labels", granules=1, n=60)
    with pytest.raises(UsageError, match=r"features .*'colour'.*expected some of"):
        labelled_tracks.read([folder], features=("colour",))
    with pytest.raises(UsageError, match=r"no such file or folder"):
        labelled_tracks.read([tmp_path / "nowhere"], features=("height",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no label table found"):
        labelled_tracks.read([tmp_path / "empty"], features=("height",))
    io.write_table(label_table("g0", n=60), tmp_path / "again.parquet", spec=schema.LABELS)
    with pytest.raises(ProductError, match=r"g0 gt1r: \d+ segments occur twice"):
        labelled_tracks.read([folder, tmp_path / "again.parquet"], features=("height",))
    pq.write_table(
        pq.read_table(folder / "g0.parquet").select(["x_atc"]).replace_schema_metadata(None), tmp_path / "other.parquet"
    )
    with pytest.raises(ProductError, match=r"other.parquet: holds the table unknown; expected labels"):
        labelled_tracks.read([tmp_path / "other.parquet"], features=("height",))
    table = label_table("g9", n=60)
    none = table.set_column(
        table.column_names.index("label"), table.schema.field("label"), [np.full(table.num_rows, -1, np.int8)]
    )
    io.write_table(none, tmp_path / "none.parquet", spec=schema.LABELS)
    with pytest.raises(ProductError, match=r"none is labelled"):
        labelled_tracks.read([tmp_path / "none.parquet"], features=("height",))


def rows_of(t: Tracks, *, epochs: int = 40, **more) -> list[track_windows.Batch]:
    """Every row of some mixed epochs."""
    layout = track_windows.Layout(length=32, gap_m=20.0, halo=8, separation=more.pop("separation", None))
    source = track_windows.SequenceSource(t, inputs=t.values, split=whole(len(t)), part=0, layout=layout, **more)
    return [
        source.batch(np.array([row], object))
        for seed in range(epochs)
        for row in source.plan(np.random.default_rng(seed))
    ]


def test_a_mirrored_row_runs_backwards_as_a_whole():
    t = tracks([c for c in range(100, 190) if c % 7], features=2)
    backwards = forwards = 0
    for b in rows_of(t, mirror=True):
        there = b.where[0] >= 0
        np.testing.assert_array_equal(
            b.inputs[0, 0, there], t.cell[b.where[0][there]]
        )  # what a cell holds goes with it
        np.testing.assert_array_equal(b.inputs[0, -1], there.astype(np.float32))
        np.testing.assert_array_equal(b.targets[0] != 0, there)
        step = np.diff(b.where[0][there])
        step = step[np.abs(step) == 1]  # cuts of one row come in any order
        assert (step > 0).all() or (step < 0).all()
        backwards, forwards = backwards + bool((step < 0).any()), forwards + bool((step > 0).any())
    assert 0.35 < backwards / (backwards + forwards) < 0.65


def test_jitter_adds_one_constant_to_its_columns_and_nothing_elsewhere():
    t = tracks([c for c in range(100, 190) if c % 7], features=3)
    shift = track_windows.Shift(columns=(0, 2), sd=(0.5, 1.0), chance=0.6)
    found = []
    for b in rows_of(t, jitter=(shift,)):
        there = b.where[0] >= 0
        rest = b.inputs[0, :3, there] - t.values[b.where[0][there]]
        np.testing.assert_allclose(rest, rest[:1].repeat(len(rest), 0), atol=1e-4)  # one constant a row
        np.testing.assert_allclose(rest[0, 2], 2.0 * rest[0, 0], atol=1e-4)  # drawn together, each with its own size
        assert rest[0, 1] == 0 and (b.inputs[0, :, ~there] == 0).all()
        found.append(rest[0, 0])
    found = np.array(found)
    assert 0.45 < np.mean(found != 0) < 0.75
    assert 0.35 < found[found != 0].std() < 0.65
    ordered = track_windows.SequenceSource(
        t,
        inputs=t.values,
        split=whole(len(t)),
        part=0,
        layout=track_windows.Layout(length=32, gap_m=20.0, halo=8),
        jitter=(shift,),
        mirror=True,
    )
    b = ordered.batch(ordered.plan(None))
    there = b.where >= 0
    np.testing.assert_array_equal(
        np.moveaxis(b.inputs, 1, -1)[there][:, :3], t.values[b.where[there]]
    )  # what is judged is left alone


def test_emphasis_counts_a_rare_label_more_often():
    t = tracks(list(range(100, 200)), targets=[4 if c % 10 == 0 else 3 for c in range(100, 200)])
    t.source[:50] = schema.LABEL_ATL07
    plain = sampling_weights(
        t, split=whole(100), part=0, by_class=False, by_beam=False, emphasis=((schema.LABEL_ATL07, 4, 20.0),)
    )
    expected = np.where((np.arange(100) < 50) & (np.arange(100, 200) % 10 == 0), 20.0, 1.0)
    np.testing.assert_allclose(plain / plain[1], expected)
    assert sampling_weights(t, split=whole(100), part=0, by_class=False, by_beam=False) is None
