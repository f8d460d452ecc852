"""What every evaluation shares: tables as sorted arrays, and rows of scores for each beam strength."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import metrics, schema
from ..errors import ProductError
from ..metrics import Blocks, Estimate

CLASS_BLOCK_M = 1_000.0
SURFACE_BLOCK_M = 10_000.0
MIN_COVER = 0.5
"""Share of a reference segment that ours must span, or of the fullest bin's segments that a bin must hold, to be
compared."""

STRENGTHS = ("strong", "weak", "all")
NAMES = tuple(schema.CLASS_NAMES[i] for i in range(3))

Row = tuple[str, str, str, Estimate, str, str]
"""Metric, class, region, estimate, units, reference."""

# The columns that an evaluation reads, beside beam and x_atc.
SEGMENT_COLUMNS = (
    "is_strong",
    "time",
    "latitude",
    "longitude",
    "n_photons",
    "height",
    "height_uncertainty",
    "surface_class",
    "probability_thick",
    "probability_thin",
    "probability_water",
    "sea_surface_height",
    "sea_surface_uncertainty",
    "sea_surface_source",
    "total_freeboard",
    "total_freeboard_uncertainty",
    "first_photon_bias",
)
COMMON = "sea_surface_uncertainty_common"
"""Tables of earlier versions lack it: 0 there."""
TRUTH_COLUMNS = (
    "is_strong",
    "latitude",
    "longitude",
    "surface_class",
    "lead_type",
    "surface_height",
    "surface_height_footprint",
    "sea_surface_height",
    "total_freeboard",
    "total_freeboard_footprint",
)
LEAD_COLUMNS = ("is_strong", "length", "height", "height_uncertainty")
SECTION_COLUMNS = ("is_strong", "sea_surface_height", "sea_surface_uncertainty", "sea_surface_source")


@dataclass(frozen=True, kw_only=True)
class Track:
    """One table sorted by beam and distance: columns by name, and where each beam lies."""

    columns: dict[str, np.ndarray]
    beam: np.ndarray  # (n,) position in schema.BEAM_NAMES
    slices: dict[str, slice]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.beam)


def _beam_numbers(column: pa.ChunkedArray) -> np.ndarray:
    encoded = column.dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    unknown = [n for n in names if n not in schema.BEAM_NAMES]
    if unknown:
        raise ProductError(
            f"column beam holds {unknown}; expected names among {list(schema.BEAM_NAMES)}. Give a table that polynya"
            " wrote."
        )
    numbers = np.array([schema.BEAM_NAMES.index(n) for n in names] + [0], np.int64)
    return numbers[np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)]


def track(table: pa.Table, names: tuple[str, ...], *, what: str) -> Track:
    missing = [n for n in (*names, "beam", "x_atc") if n not in table.column_names]
    if missing:
        raise ProductError(
            f"{what}: columns {missing} are missing; found {table.column_names}. Give a table that polynya wrote."
        )
    beam = _beam_numbers(table["beam"])
    columns = {n: _numpy(table[n]) for n in {*names, "x_atc"}}
    columns[COMMON] = _numpy(table[COMMON]) if COMMON in table.column_names else np.zeros(len(beam), np.float32)
    x = columns["x_atc"]
    ordered = np.all((np.diff(beam) > 0) | ((np.diff(beam) == 0) & (np.diff(x) >= 0))) if len(x) > 1 else True
    if not ordered:
        order = np.lexsort((x, beam))
        beam = beam[order]
        columns = {n: a[order] for n, a in columns.items()}
    edges = np.searchsorted(beam, np.arange(len(schema.BEAM_NAMES) + 1))
    slices = {
        b: slice(int(edges[i]), int(edges[i + 1])) for i, b in enumerate(schema.BEAM_NAMES) if edges[i + 1] > edges[i]
    }
    return Track(columns=columns, beam=beam, slices=slices)


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_timestamp(column.type):
        whole = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
        return (
            pc.fill_null(whole, np.iinfo(np.int64).min).to_numpy().view("datetime64[ns]")
        )  # the smallest integer is NaT
    if column.null_count:
        column = pc.fill_null(
            column,
            float("nan") if pa.types.is_floating(column.type) else False if pa.types.is_boolean(column.type) else 0,
        )
    return column.to_numpy()


def regions(strong: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    strong = np.asarray(strong, bool)
    yield "strong", strong
    yield "weak", ~strong
    yield "all", np.ones(strong.size, bool)


def cut(x: np.ndarray, beam: np.ndarray, block_m: float, *, n_resamples: int, seed: int) -> Blocks:
    return metrics.make_blocks(x, track=np.asarray(beam) // 2, block_m=block_m, n_resamples=n_resamples, seed=seed)


# Rows


def class_rows(
    truth: np.ndarray, predicted: np.ndarray, strong: np.ndarray, blocks: Blocks, *, reference: str
) -> Iterator[Row]:
    """Give every class score; rows of unknown truth (-1) do not enter."""
    for region, chosen in regions(strong):
        sums = metrics.confusion_sums(truth[chosen], predicted[chosen], blocks.take(chosen))
        yield from confusion_rows(sums, blocks, region=region, reference=reference, names=NAMES)
        whole = sums.sum(axis=0)
        per_block = sums.sum(axis=(1, 2))
        for metric, score in whole_scores(whole):
            yield metric, "all", region, metrics.estimate(sums, score, blocks=blocks, n=per_block), "1", reference
        for t, name in enumerate(NAMES):
            n = int(metrics.support(whole)[t])
            for p, other in enumerate((*NAMES, "unclassified")):
                share = whole[t, p] / n if n else np.nan
                yield (
                    "confusion",
                    f"{name}>{other}",
                    region,
                    Estimate(value=float(share), low=np.nan, high=np.nan, n=n),
                    "1",
                    reference,
                )
        merged = metrics.merge_ice(sums)
        ice = ("ice", "", "")
        yield from confusion_rows(merged, blocks, region=region, reference=reference, names=ice, only=(0,))


def whole_scores(whole: np.ndarray) -> tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...]:
    """Scores of a whole confusion matrix; the macro-F1 keeps to the classes of the whole sample when blocks are
    drawn."""
    occurs = metrics.support(whole) > 0
    return (
        ("macro_f1", lambda c: metrics.macro_f1(c, classes=occurs)),
        ("accuracy", metrics.accuracy),
        ("accuracy_of_majority_class", metrics.majority_accuracy),
        ("share_unclassified", metrics.unclassified_share),
    )


def confusion_rows(sums, blocks, *, region, reference, names, only=(0, 1, 2)) -> Iterator[Row]:
    total = sums.sum(axis=(1, 2))
    for k in only:
        of_truth, of_called = metrics.support(sums)[:, k], metrics.called(sums)[:, k]
        union = of_truth + of_called - sums[:, k, k]
        for metric, score, n in (
            ("precision", metrics.precision, of_called),
            ("recall", metrics.recall, of_truth),
            ("f1", metrics.f1, union),
            ("iou", metrics.iou, union),
        ):
            yield (
                metric,
                names[k],
                region,
                metrics.estimate(sums, lambda c, s=score, k=k: s(c)[..., k], blocks=blocks, n=n),
                "1",
                reference,
            )
        share = np.stack([total, of_truth], axis=-1)
        yield (
            "share_of_reference",
            names[k],
            region,
            metrics.estimate(share, metrics.ratio, blocks=blocks),
            "1",
            reference,
        )


def difference_rows(
    quantity: str,
    difference: np.ndarray,
    strong: np.ndarray,
    blocks: Blocks,
    *,
    reference: str,
    sigma: np.ndarray | None = None,
    groups: dict[str, np.ndarray] | None = None,
) -> Iterator[Row]:
    """Give bias, RMSE, median |difference| and coverage of one quantity, for all samples and for each group."""
    usable = np.isfinite(difference)
    for region, chosen in regions(strong):
        for name, member in {"all": None, **(groups or {})}.items():
            mask = chosen & usable if member is None else chosen & usable & member
            rows = np.flatnonzero(mask)
            scores = metrics.difference_scores(
                difference[rows], blocks.take(rows), sigma=None if sigma is None else sigma[rows]
            )
            for metric, value in scores.items():
                yield f"{quantity}_{metric}", name, region, value, "1" if "coverage" in metric else "m", reference


def share_row(
    metric: str, name: str, member: np.ndarray, strong: np.ndarray, blocks: Blocks, *, reference: str
) -> Iterator[Row]:
    """Give the share of samples that are members."""
    for region, chosen in regions(strong):
        sums = metrics.block_sums(blocks.take(chosen), np.ones(int(chosen.sum())), member[chosen])
        yield metric, name, region, metrics.estimate(sums, metrics.ratio, blocks=blocks), "1", reference


def probability_rows(
    probabilities: list[np.ndarray], truth: np.ndarray, strong: np.ndarray, blocks: Blocks, *, reference: str
) -> Iterator[Row]:
    """Give calibration error, Brier score and skill of each class; segments without probabilities are left out."""
    usable = np.isfinite(sum(probabilities)) & (truth >= 0)
    for region, chosen in regions(strong):
        rows = np.flatnonzero(chosen & usable)
        for k, name in enumerate(NAMES):
            sums = metrics.reliability_sums(probabilities[k][rows], truth[rows] == k, blocks.take(rows))
            n = sums[..., 0].sum(axis=1)
            for metric, score in (
                ("calibration_error", metrics.calibration_error),
                ("brier_score", metrics.brier_score),
                ("brier_skill", metrics.brier_skill),
            ):
                yield metric, name, region, metrics.estimate(sums, score, blocks=blocks, n=n), "1", reference


def tidy(rows: Iterator[Row] | list[Row], *, about: dict[str, object] | None = None) -> pa.Table:
    """Build the table of :data:`polynya.schema.EVALUATION` from rows."""
    rows = list(rows)
    metric, name, region, estimates, units, reference = zip(*rows, strict=True) if rows else ([],) * 6
    return schema.table(
        schema.EVALUATION,
        {
            "metric": list(metric),
            "class": list(name),
            "region": list(region),
            "value": np.array([e.value for e in estimates], np.float64),
            "low": np.array([e.low for e in estimates], np.float64),
            "high": np.array([e.high for e in estimates], np.float64),
            "n": np.array([e.n for e in estimates], np.int64),
            "units": list(units),
            "reference": list(reference),
        },
        about=about,
    )
