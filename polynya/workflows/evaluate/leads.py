"""``polynya evaluate`` for leads: tables of echoes against labels, the truth of a simulation, hand labels or rules."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
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
from ...readers import altika_sgdr, cpom_elev, cryosat2_l1b, cryosat2_l2i, echo_files, sentinel3_sral
from ...samples import labelled_echoes
from ...schema.echoes import LEAD, UNKNOWN, Echoes
from ...schema.lead_labels import BITS, LEADS
from .echo_matching import PLACE, OtherTrackError, Reference, matched, of_echoes, on_sphere, times_of
from .label_tables import LabelTables

TABLE = "leads.parquet"
HAND_LABELS = sentinel3_sral.HAND_LABELS
"""Labels of Sentinel-3 echoes: 1, an echo as of the ocean, counts as lead here, 0, a noisy one, as none."""
HAND = (
    "the labels given by hand tell echoes as of the ocean (1, counted as lead here) from noisy ones (0): not leads from"
    " ice."
)
TRUE_DISTANCE, IS_BRIGHT_ICE = "true_lead_distance_m", "is_bright_ice"
TRUTH_PLACES = (("time_40hz", "lat_40hz", "lon_40hz"), ("time", "latitude", "longitude"))
"""Times and places in truths: of AltiKa, of CryoSat-2."""
EPOCH_NS = int(np.datetime64("2000-01-01T00:00:00", "ns").astype(np.int64))
"""Of the times of truths."""
THRESHOLD_M = 300.0
"""Distance below which an echo of a simulation's truth is a lead."""
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
    parts, others, is_simulated, taught = [], [], False, set[float]()
    kind = _kind(reference)
    read, limits = _opened(kind, reference)
    for path in tables_in(out):
        table = schema.check(io.read_table(path), LEADS)
        about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        try:
            found = read(table, about.get("source_file", path.parent.name))
        except OtherTrackError as error:
            others.append(error)
            continue
        is_simulated |= about.get("is_simulated") == "true"
        taught |= {json.loads(about["threshold_m"])} if about.get("threshold_m", "null") != "null" else set()
        parts.append(_sample(table, found, mission=about.get("mission", ""), source=about.get("source_file", "")))
    if not parts and others:
        raise others[0]
    if not parts:
        raise ProductError(f"{out}: holds no table of leads; expected a folder that polynya leads wrote. Run it first.")
    remark = NO_SKILL if kind in ("l2i", "elev") else HAND if kind == "hand" else ""
    rows = scores.compare(_joined(parts), seed=seed, n_resamples=n_resamples)
    more: dict[str, object] = {"result": out.name, "remark": remark, "simulated": SIMULATED if is_simulated else ""}
    more["threshold"] = _of_thresholds(sorted(taught), limits)
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


Truth = tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray] | None]
"""Distances, whether there is bright ice, and times, latitudes and longitudes of a simulation's truth."""
Read = Callable[[pa.Table, str], Reference]
"""What a reference says of a table of leads, from the table and the name of its file."""


def _opened(kind: str, reference: Path) -> tuple[Read, tuple[float, ...]]:
    """Return what reads a reference for each table, and the distances, m, below which its echoes are leads.

    Files that serve several tables are read once.
    """
    if kind == "labels":
        tables = LabelTables.of(reference, expected=EXPECTED)
        return tables.reference_of, tables.thresholds_m
    if kind == "truth":
        return functools.partial(_of_truth, reference, functools.lru_cache(maxsize=1)(_read_truth)), (THRESHOLD_M,)
    if kind == "hand":
        return functools.partial(_of_hand, reference, echo_files.read(reference, extra=(HAND_LABELS,))), ()
    if kind == "l2i":
        return functools.partial(_of_l2i, reference, cryosat2_l2i.read(reference)), ()
    return functools.partial(_of_elev, reference, cpom_elev.read(reference)), ()


def _of_thresholds(taught: Sequence[float], limits: Sequence[float]) -> str:
    """Return what the network was taught to call a lead, and what the reference does where that differs."""
    if not taught:
        return ""
    said = f"the network was taught that a lead is nearer than {' or '.join(f'{t:g}' for t in taught)} m"
    if limits and list(limits) != list(taught):
        said += f"; the labels of the reference are of {' or '.join(f'{t:g}' for t in limits)} m"
    return f"{said}."


def _of_truth(reference: Path, read: Callable[[Path], Truth], table: pa.Table, source: str) -> Reference:
    """Return the truth of a simulated track: by time and place; truths without times by name and echo number."""
    path, name = reference, f"{source.removesuffix('.nc')}_truth.nc"
    if reference.is_dir():
        path = next((p for p in (reference / name, reference / "truth" / name) if p.is_file()), reference / name)
        if not path.is_file():
            raise OtherTrackError(f"{reference.name}: holds no {name}; expected the truth of {source}. Check the path.")
    distance, bright, at = read(path)
    echo = schema.to_numpy(table["echo"])
    if at is not None:
        echo = matched(table, *at, where=f"{path.name} and {source}")
    elif path.name != name or (echo.size and echo.max() >= distance.size):
        raise OtherTrackError(
            f"{path.name}: is no truth of {source} (it has {schema.counted(distance.size, 'echo')}, and no times to"
            " match); expected"
            f" {name}. Give that one, or the folder of all truths."
        )
    there = echo >= 0
    mine = np.where(there, distance[echo], np.nan)
    truth = np.where(np.isfinite(mine), mine < THRESHOLD_M, -1).astype(np.int8)
    nothing = np.zeros(echo.size, np.int8)
    return Reference(truth=truth, distance=mine, classes=nothing, is_bright_ice=there & (bright[echo] > 0))


def _read_truth(path: Path) -> Truth:
    """Return distances, whether there is bright ice, and times and places where the file has them."""
    with open_packed(path, expected=f"{EXPECTED}. Check the file") as file:
        distance = file.variables[TRUE_DISTANCE].values().reshape(-1)
        bright = file.variables[IS_BRIGHT_ICE].values().reshape(-1) if IS_BRIGHT_ICE in file.names else distance * 0.0
        has_echoes = any(reader.is_product(file.names) for reader in (altika_sgdr, cryosat2_l1b))
        places = next((p for p in TRUTH_PLACES if set(p) <= set(file.names)), None)
        at = None if has_echoes or places is None else _of_truth_file(file, places)
    return distance, bright, of_echoes(echo_files.read(path)) if has_echoes else at


def _of_truth_file(file: PackedFile, places: tuple[str, str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times as int64 nanoseconds, latitudes and longitudes of a truth."""
    seconds, latitude, longitude = (file.variables[n].values().reshape(-1) for n in places)
    return EPOCH_NS + np.round(seconds * 1e9).astype(np.int64), latitude, longitude


def _of_hand(reference: Path, echoes: Echoes, table: pa.Table, source: str) -> Reference:
    """Return hand labels of echoes: by time."""
    place = matched(table, *of_echoes(echoes), where=f"{reference.name} and {source}")
    label = echoes.extra[HAND_LABELS][place]
    truth = np.where((place >= 0) & np.isin(label, (0, 1)), label, -1).astype(np.int8)
    n = len(table)
    return Reference(
        truth=truth, distance=np.full(n, np.nan), classes=np.zeros(n, np.int8), is_bright_ice=np.zeros(n, bool)
    )


def _of_l2i(reference: Path, echoes: Echoes, table: pa.Table, source: str) -> Reference:
    """Return ESA's classes: by time."""
    place = matched(table, *of_echoes(echoes), where=f"{reference.name} and {source}")
    return _of_classes(echoes.surface_class, place)


def _of_elev(reference: Path, found: cpom_elev.Elevations, table: pa.Table, source: str) -> Reference:
    """Return the classes of CPOM's processor: by place, since its times are whole seconds of some twenty records."""
    mine, other = (on_sphere(*(schema.to_numpy(table[n]) for n in PLACE)), on_sphere(found.latitude, found.longitude))
    known = np.isfinite(mine).all(axis=1)
    place = np.full(len(table), -1)
    far, nearest = cKDTree(other).query(mine[known])
    time, missing = times_of(table["time"])[known], np.iinfo(np.int64).min
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


def _sample(table: pa.Table, reference: Reference, *, mission: str, source: str) -> tuple[scores.Sample, np.ndarray]:
    """Return answers and reference of one table, and the pass of each echo by name."""
    column = {n: schema.to_numpy(table[n]) for n in LEADS.names if n not in ("time", "source")}
    n = table.num_rows
    time = times_of(table["time"])
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
