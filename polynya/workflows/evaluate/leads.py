"""``polynya evaluate`` for leads: tables of echoes against labels, the truth of a simulation, hand labels or rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.spatial import cKDTree

from ... import io, schema
from ...errors import PolynyaError, ProductError
from ...evaluate import scene_rows
from ...evaluate.leads import scores
from ...io import opening
from ...io.packed_netcdf import PackedFile, open_packed
from ...physics.altimeter_tracks import EARTH_RADIUS_M
from ...readers import altika_sgdr, cpom_elev, cryosat2_l2i, echo_files
from ...samples import labelled_echoes
from ...schema.echoes import LEAD, UNKNOWN, Echoes
from ...schema.lead_labels import BITS, LABELLED, LEAD_LABELS, LEAD_NEAR, LEADS, NO_LEAD
from ...schema.runs import RUNS

TABLE = "leads.parquet"
PLACE = ("latitude", "longitude")
HAND_LABELS = "waveform_cla"
"""Variable of hand-labelled Sentinel-3 echoes: 1 is the class that counts as lead here, 0 the other."""
TRUE_DISTANCE, IS_BRIGHT_ICE = "true_lead_distance_m", "is_bright_ice"
TRUTH_PLACES = ("time_40hz", "lat_40hz", "lon_40hz")
EPOCH_NS = int(np.datetime64("2000-01-01T00:00:00", "ns").astype(np.int64))
"""Of the times of truths."""
THRESHOLD_M = 300.0
"""Distance below which an echo of a simulation's truth is a lead."""
TOLERANCE_NS = 5_000_000
"""Echoes of two files are the same where their times differ by no more than 5 ms; they come 25 or 50 ms apart."""
NEAR_M = 1000.0
"""And where their places are no further apart: satellites measure at the same time."""
CPOM_NEAR_M, CPOM_TOLERANCE_NS = 100.0, 2_000_000_000
"""The same for tables of CPOM, whose places have 0.1 m and whose times whole seconds; echoes come 300 m apart."""
NEW_PASS_S = 600.0
"""After such a pause another pass begins."""
NO_SKILL = "agreement, no skill: the reference is itself the output of a rule on the same echoes."
SIMULATED = "simulated echoes: nothing here is skill on real data."
EXPECTED = (
    "a label table (parquet), the truth of a simulation (NAME_truth.nc, or its folder), hand-labelled echoes (NetCDF"
    " with waveform_cla), CryoSat-2 L2i or a table of CPOM (.elev)"
)


class _OtherTrackError(ProductError):
    """A reference is of other tracks than a table."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a reference says of the n echoes of one table.

    Attributes
    ----------
    truth : numpy.ndarray of int8, shape (n,)
        1 lead, 0 none, -1 unknown or ambiguous.
    distance : numpy.ndarray, shape (n,)
        m, NaN where unknown.
    classes : numpy.ndarray of int8, shape (n,)
        Of a rule, unknown elsewhere.
    is_bright_ice : numpy.ndarray of bool, shape (n,)
    pass_id : numpy.ndarray of str or None
        Pass of each echo, where the reference names it.
    """

    truth: np.ndarray
    distance: np.ndarray
    classes: np.ndarray
    is_bright_ice: np.ndarray
    pass_id: np.ndarray | None = None


def is_leads(out: Path | str) -> bool:
    """Tell whether a result is of leads along tracks of echoes: a table, its folder, or a folder of such.

    Parameters
    ----------
    out : Path or str
        File or folder.
    """
    return bool(tables_in(Path(out)))


def tables_in(out: Path) -> list[Path]:
    """Return the tables of leads of a result, sorted by their folders' names."""
    if out.is_file():
        return [out] if out.suffix == ".parquet" and _is_leads(out) else []
    if (out / TABLE).is_file():
        return [out / TABLE] if _is_leads(out / TABLE) else []
    return [p for p in sorted(out.glob(f"*/{TABLE}")) if _is_leads(p)] if out.is_dir() else []


def _is_leads(path: Path) -> bool:
    try:
        return io.table_metadata(path).get(b"polynya_table", b"").decode() == LEADS.name
    except (PolynyaError, OSError):
        return False


def run(out: Path | str, *, reference: Path | str, seed: int = 0, n_resamples: int = 500) -> pa.Table:
    """Score the leads of one file or of many.

    Parameters
    ----------
    out : Path or str
        ``leads.parquet``, its folder, or a folder of such folders.
    reference : Path or str
        A label table or a folder of them; the truth of a simulation or its folder; hand-labelled echoes; CryoSat-2 L2i
        or a table of CPOM, which are rules themselves.
    seed, n_resamples : int
        Of the intervals, over passes.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`; the metadata ``remark`` says where the reference is no
        truth, and ``left_out`` how many tables the reference is not of.

    Raises
    ------
    ProductError
        If a file is missing, damaged or none of these, or the reference is of none of the tracks.
    """
    out, reference = Path(out), Path(reference)
    if not reference.exists():
        raise ProductError(f"{reference.name}: no such file at {reference}; expected {EXPECTED}. Check the path.")
    parts, others, is_simulated = [], [], False
    kind = _kind(reference)
    for path in tables_in(out):
        table = schema.check(io.read_table(path), LEADS)
        about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        try:
            found = _READ[kind](reference, table, about.get("source_file", path.parent.name))
        except _OtherTrackError as error:
            others.append(error)
            continue
        is_simulated |= about.get("is_simulated") == "true"
        parts.append(_sample(table, found, mission=about.get("mission", ""), source=about.get("source_file", "")))
    if not parts and others:
        raise others[0]
    if not parts:
        raise ProductError(f"{out}: holds no table of leads; expected a folder that polynya leads wrote. Run it first.")
    remark = NO_SKILL if kind in ("l2i", "elev") else ""
    rows = scores.compare(_joined(parts), seed=seed, n_resamples=n_resamples)
    more: dict[str, object] = {"result": out.name, "remark": remark, "simulated": SIMULATED if is_simulated else ""}
    if others:
        more["left_out"] = (
            f"{len(others)} of {len(others) + len(parts)} files {'is' if len(others) == 1 else 'are'} not scored: no"
            " reference."
        )
    return scene_rows.tidy(rows, region="all", reference=reference.name, about=more)


def _kind(reference: Path) -> str:
    """Return what a reference is: ``labels``, ``truth``, ``hand``, ``l2i`` or ``elev``."""
    if reference.is_dir():
        if any(reference.glob("*_truth.nc")) or any(reference.glob("truth/*_truth.nc")):
            return "truth"
        if labelled_echoes.tables_in(reference):
            return "labels"
        raise ProductError(f"{reference.name}: is a folder without truths or label tables; expected {EXPECTED}.")
    if reference.suffix.lower() == ".elev":
        return "elev"
    if opening.starts_with(reference, 4) == b"PAR1":
        return "labels"
    with open_packed(reference, expected=f"{EXPECTED}. Check the file") as file:
        if TRUE_DISTANCE in file.names:
            return "truth"
        if HAND_LABELS in file.names:
            return "hand"
        if cryosat2_l2i.is_product(file.names):
            return "l2i"
        raise ProductError(f"{reference.name}: holds {', '.join(file.names[:6])}; expected {EXPECTED}.")


def _of_truth(reference: Path, table: pa.Table, source: str) -> Reference:
    """Return the truth of a simulated track: by time and place; truths without times by name and echo number."""
    path, name = reference, f"{source.removesuffix('.nc')}_truth.nc"
    if reference.is_dir():
        path = next((p for p in (reference / name, reference / "truth" / name) if p.is_file()), reference / name)
        if not path.is_file():
            raise _OtherTrackError(
                f"{reference.name}: holds no {name}; expected the truth of {source}. Check the path."
            )
    with open_packed(path, expected=f"{EXPECTED}. Check the file") as file:
        distance = file.variables[TRUE_DISTANCE].values().reshape(-1)
        bright = file.variables[IS_BRIGHT_ICE].values().reshape(-1) if IS_BRIGHT_ICE in file.names else distance * 0.0
        has_echoes = altika_sgdr.is_product(file.names)
        at = None if has_echoes or not set(TRUTH_PLACES) <= set(file.names) else _of_truth_file(file)
    echo = schema.to_numpy(table["echo"])
    if has_echoes:
        at = _of_echoes(altika_sgdr.read(path))
    if at is not None:
        echo = _matched(table, *at, where=f"{path.name} and {source}")
    elif path.name != name or (echo.size and echo.max() >= distance.size):
        raise _OtherTrackError(
            f"{path.name}: is no truth of {source} (it has {schema.counted(distance.size, 'echo')}, and no times to"
            " match); expected"
            f" {name}. Give that one, or the folder of all truths."
        )
    there = echo >= 0
    mine = np.where(there, distance[echo], np.nan)
    truth = np.where(np.isfinite(mine), mine < THRESHOLD_M, -1).astype(np.int8)
    nothing = np.zeros(echo.size, np.int8)
    return Reference(truth=truth, distance=mine, classes=nothing, is_bright_ice=there & (bright[echo] > 0))


def _of_truth_file(file: PackedFile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times as int64 nanoseconds, latitudes and longitudes of a truth."""
    seconds, latitude, longitude = (file.variables[n].values().reshape(-1) for n in TRUTH_PLACES)
    return EPOCH_NS + np.round(seconds * 1e9).astype(np.int64), latitude, longitude


def _of_labels(reference: Path, table: pa.Table, source: str) -> Reference:
    """Return labels of label tables: by time."""
    files = labelled_echoes.tables_in(reference) if reference.is_dir() else [reference]
    columns = ["time", *PLACE, "label", "label_flag", "lead_distance", "pass_id"]
    parts = []
    for path in files:
        kind = io.table_metadata(path).get(b"polynya_table", b"").decode()
        if kind == RUNS.name and reference.is_dir():
            continue  # polynya label writes it beside the tables
        if kind != LEAD_LABELS.name:
            raise ProductError(
                f"{path.name}: is a table of {kind or 'unknown'} (metadata polynya_table); expected {LEAD_LABELS.name},"
                " as polynya label writes it. Give that one."
            )
        parts.append(io.read_table(path, columns=columns))
    if not parts:
        raise ProductError(f"{reference.name}: is a folder without label tables; expected {EXPECTED}. Check the path.")
    labels = pa.concat_tables([p.cast(parts[0].schema) for p in parts])
    where = (schema.to_numpy(labels[n]) for n in PLACE)
    place = _matched(table, _times(labels["time"]), *where, where=f"{reference.name} and {source}")
    there = place >= 0
    label, flag = (schema.to_numpy(labels[n])[place] for n in ("label", "label_flag"))
    known = there & (flag == LABELLED)
    truth = np.where(known & (label == LEAD_NEAR), 1, np.where(known & (label == NO_LEAD), 0, -1)).astype(np.int8)
    distance = np.where(known, schema.to_numpy(labels["lead_distance"])[place], np.nan)
    distance[(truth == 0) & np.isnan(distance)] = np.inf  # the map has no lead at all
    names = np.array(labels["pass_id"].cast(pa.string()).to_pylist(), dtype=str)[place]
    n = len(table)
    return Reference(
        truth=truth,
        distance=distance,
        classes=np.zeros(n, np.int8),
        is_bright_ice=np.zeros(n, bool),
        pass_id=np.where(there, names, ""),
    )


def _of_hand(reference: Path, table: pa.Table, source: str) -> Reference:
    """Return hand labels of echoes: by time."""
    echoes = echo_files.read(reference, extra=(HAND_LABELS,))
    place = _matched(table, *_of_echoes(echoes), where=f"{reference.name} and {source}")
    label = echoes.extra[HAND_LABELS][place]
    truth = np.where((place >= 0) & np.isin(label, (0, 1)), label, -1).astype(np.int8)
    n = len(table)
    return Reference(
        truth=truth, distance=np.full(n, np.nan), classes=np.zeros(n, np.int8), is_bright_ice=np.zeros(n, bool)
    )


def _of_l2i(reference: Path, table: pa.Table, source: str) -> Reference:
    """Return ESA's classes: by time."""
    echoes = cryosat2_l2i.read(reference)
    place = _matched(table, *_of_echoes(echoes), where=f"{reference.name} and {source}")
    return _of_classes(echoes.surface_class, place)


def _of_elev(reference: Path, table: pa.Table, source: str) -> Reference:
    """Return the classes of CPOM's processor: by place, since its times are whole seconds of some twenty records."""
    found = cpom_elev.read(reference)
    mine, other = (_on_sphere(*(schema.to_numpy(table[n]) for n in PLACE)), _on_sphere(found.latitude, found.longitude))
    known = np.isfinite(mine).all(axis=1)
    place = np.full(len(table), -1)
    far, nearest = cKDTree(other).query(mine[known])
    time, missing = _times(table["time"])[known], np.iinfo(np.int64).min
    good = (far <= CPOM_NEAR_M) & (time != missing)
    good &= np.abs(found.time.astype(np.int64)[nearest] - time) <= CPOM_TOLERANCE_NS
    place[known] = np.where(good, nearest, -1)
    if not good.any():
        raise ProductError(
            f"{reference.name} and {source}: no echo of the one lies within {CPOM_NEAR_M:g} m of one of the other at"
            " the same time, within 2 s; expected the same track. Check the files."
        )
    return _of_classes(found.surface_class, place)


def _of_classes(given: np.ndarray, place: np.ndarray) -> Reference:
    classes = np.where(place >= 0, given[place], UNKNOWN).astype(np.int8)
    truth = np.where(classes == UNKNOWN, -1, classes == LEAD).astype(np.int8)
    n = place.size
    return Reference(truth=truth, distance=np.full(n, np.nan), classes=classes, is_bright_ice=np.zeros(n, bool))


_READ = {"truth": _of_truth, "labels": _of_labels, "hand": _of_hand, "l2i": _of_l2i, "elev": _of_elev}


def _times(column: pa.ChunkedArray) -> np.ndarray:
    """Return times as int64 nanoseconds, the smallest where missing."""
    whole = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    return np.array(whole.fill_null(np.iinfo(np.int64).min).to_numpy())


def _of_echoes(found: Echoes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times as int64 nanoseconds, latitudes and longitudes."""
    return found.time.astype(np.int64), found.latitude, found.longitude


def _matched(
    table: pa.Table, given: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, *, where: str
) -> np.ndarray:
    """Return the place of each echo among times of the reference, -1 where there is none at its place.

    Raises
    ------
    ProductError
        If no echo of the table is among them.
    """
    mine = _times(table["time"])
    order = np.argsort(given, kind="stable")
    sorted_times = given[order]
    right = np.clip(np.searchsorted(sorted_times, mine), 0, max(given.size - 1, 0))
    left = np.maximum(right - 1, 0)
    if not given.size:
        return np.full(mine.size, -1)
    nearer = np.where(np.abs(sorted_times[left] - mine) < np.abs(sorted_times[right] - mine), left, right)
    missing = np.iinfo(np.int64).min
    good = (np.abs(sorted_times[nearer] - mine) <= TOLERANCE_NS) & (mine != missing)
    own = _on_sphere(*(schema.to_numpy(table[n]) for n in PLACE))
    with np.errstate(invalid="ignore"):  # without a place there is no echo to match
        good &= np.linalg.norm(own - _on_sphere(latitude, longitude)[order[nearer]], axis=1) <= NEAR_M
    if not good.any():
        raise _OtherTrackError(
            f"{where}: no echo of the one has the time of one of the other, within 5 ms, and its place, within"
            f" {NEAR_M:g} m; expected the same track. Check the files."
        )
    return np.where(good, order[nearer], -1)


def _on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return places as points on the sphere, m, shape (n, 3)."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return EARTH_RADIUS_M * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _sample(table: pa.Table, reference: Reference, *, mission: str, source: str) -> tuple[scores.Sample, np.ndarray]:
    """Return answers and reference of one table, and the pass of each echo by name."""
    column = {n: schema.to_numpy(table[n]) for n in LEADS.names if n not in ("time", "source")}
    n = table.num_rows
    time = _times(table["time"])
    passes = np.array([source], dtype=object)[np.zeros(n, int)]
    order = np.argsort(time, kind="stable")  # hand-labelled files are sorted by label
    pause = np.empty(n, np.int64)
    pause[order] = np.concatenate([np.zeros(min(n, 1)), np.cumsum(np.diff(time[order] / 1e9) > NEW_PASS_S)])
    named = np.array([f"{p} {k}" for p, k in zip(passes, pause, strict=True)], dtype=str)
    if reference.pass_id is not None:
        named = np.where(reference.pass_id != "", reference.pass_id, named)
    sample = scores.Sample(
        pass_number=np.zeros(n, np.int64),
        mission=np.full(n, mission),
        surface_class=column["surface_class"],
        rule_class=column["rule_class"],
        product_class=column["product_class"],
        probability=column["lead_probability"],
        distance=column["lead_distance"],
        distance_low=column["lead_distance_low"],
        distance_high=column["lead_distance_high"],
        maximum_power_db=column["maximum_power_db"],
        peakiness=column["peakiness"],
        is_melt=(column["lead_quality"] & BITS["melt_season"]) > 0,
        truth=reference.truth,
        truth_distance=reference.distance,
        truth_class=reference.classes,
        is_bright_ice=reference.is_bright_ice,
    )
    return sample, named


def _joined(parts: Sequence[tuple[scores.Sample, np.ndarray]]) -> scores.Sample:
    """Return all tables as one sample, passes numbered."""
    names = np.concatenate([n for _, n in parts])
    columns = {
        name: np.concatenate([getattr(s, name) for s, _ in parts])
        for name in scores.Sample.__dataclass_fields__
        if name != "pass_number"
    }
    return scores.Sample(pass_number=np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64), **columns)
