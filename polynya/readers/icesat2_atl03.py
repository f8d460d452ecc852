"""ATL03: geolocated photons, releases 003-007.

Checked on a real file: release 006 (a Harmony subset: one weak beam, no ``orbit_info``, no
``ancillary_data``, an un-subset ``bckgrd_atlas``). The other releases' paths follow the data
dictionaries; the variables are listed in :mod:`.icesat2_photon_variables`. Releases before 004 lack
``geoid_free2mean`` (``physics/corrections`` then computes it from the latitude).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa

from ..errors import EmptyBeamError, NoSeaIceError, ProductError
from ..physics import first_photon_bias, solar
from ..schema import Note, counted, from_numpy, to_numpy
from . import icesat2, icesat2_agreement
from .hdf5_chunks import Column, Kept, read_columns
from .icesat2 import Beam, Granule, reading
from .icesat2_first_photon import first_photon_table
from .icesat2_missing_photons import missing_note, missing_photons, without_photons
from .icesat2_photon_index import CUT_WRONGLY, photon_index
from .icesat2_photon_variables import BACKGROUND, GEOSEGMENTS, PHOTON_FILTERS, PHOTONS, SEA_ICE, Field, surface_quality

__all__ = [
    "BACKGROUND",
    "GEOSEGMENTS",
    "PHOTONS",
    "PHOTON_FILTERS",
    "SEA_ICE",
    "BeamData",
    "BeamIndex",
    "Field",
    "index",
    "is_empty",
    "open_granule",
    "photons",
    "read",
    "reject_without_sea_ice",
    "surface_quality",
]

PRODUCT = "ATL03"
RELEASES = ("003", "004", "005", "006", "007")
CHECKED = ("006",)
MAX_EXTENT_M = 4.2e7
"""Longer than one orbit: a beam that claims it is damaged."""
GEOSEGMENT_M = 20.0
"""Length of a geosegment, to 1 %, for sentences."""


@dataclass(frozen=True, kw_only=True)
class BeamIndex:
    """One beam without its photons: all that is needed to read those in pieces.

    Attributes
    ----------
    granule : Granule
    beam : Beam
    geosegments : pyarrow.Table
        The columns of :data:`GEOSEGMENTS`, one row per 20 m segment, plus ``first_photon``: the row of the
        file's photons at which the segment starts (0-based). Optional variables that the file lacks are
        NaN (or -1 for flags).
    background : pyarrow.Table
        50-shot background; may be empty, may span more than the photons.
    first_photon : CalibrationTable or None
        CAL-19 at the beam's dead time, None where the granule carries none.
    start, stop : int
        The file's photons that belong to the geosegments.
    notes : tuple of Note
    n_degraded : int
        20 m segments whose ``podppd_flag`` is not 0: left out, or kept where that was asked for.
    filters : tuple of str
        Names of :data:`PHOTON_FILTERS` that :func:`photons` reads too.
    chunks : dict of (path, name) to numpy.ndarray
        Where the photons' chunks lie, filled by the first call of :func:`photons`.
    missing : set of int
        Rows of photons without a height, position or time, filled by :func:`photons`: see :meth:`missing_note`.
    """

    granule: Granule
    beam: Beam
    geosegments: pa.Table
    background: pa.Table
    first_photon: first_photon_bias.CalibrationTable | None
    start: int
    stop: int
    notes: tuple[Note, ...]
    n_degraded: int = 0
    filters: tuple[str, ...] = ()
    chunks: dict[tuple[Path, str], np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    missing: set[int] = field(default_factory=set, repr=False, compare=False)

    @property
    def has_cal19(self) -> bool:
        """Whether the granule carries a usable first-photon-bias table for this beam."""
        return self.first_photon is not None

    def missing_note(self) -> tuple[Note, ...]:
        """Return a note that counts the photons left out because a number of theirs is NaN; none where none is."""
        return missing_note(self.beam.name, len(self.missing))


@dataclass(frozen=True, kw_only=True)
class BeamData(BeamIndex):
    """One beam with its photons in memory.

    Attributes
    ----------
    photons : pyarrow.Table
        The columns of :data:`PHOTONS` in file order; ``first_photon`` of the geosegments counts over it.
    """

    photons: pa.Table


def open_granule(path: Path | str) -> Granule:
    """Describe an ATL03 granule and reject one whose orientation is in transition.

    Raises
    ------
    ProductError
        If the file is damaged, another product, or in yaw-flip transition.
    """
    granule = icesat2.open_granule(path, product=PRODUCT)
    icesat2.reject_transition(granule)
    return granule


def is_empty(handle: h5py.File, beam: str) -> bool:
    """Return whether a beam group holds no photons at all."""
    name = f"{beam}/heights/h_ph"
    if f"{beam}/heights" not in handle:
        return True
    if name not in handle:
        return False  # a heights group without its main variable is an error, not an empty beam
    return handle[name].shape in ((), (0,))


def index(
    path: Path | str,
    *,
    beam: str,
    bbox: tuple[float, float, float, float] | None = None,
    granule: Granule | None = None,
    keep_degraded: bool = False,
    filters: Sequence[str] = (),
) -> BeamIndex | None:
    """Read everything of one beam but its photons.

    Parameters
    ----------
    path : Path or str
        An ATL03 granule.
    beam : str
        ``gt1l`` ... ``gt3r``; it must be present.
    bbox : (west, south, east, north), optional
        Degrees; ``west > east`` crosses the antimeridian. 20 m segments whose reference photon lies
        inside are kept.
    granule : Granule, optional
        What :func:`open_granule` returned, so that the file is not opened twice.
    keep_degraded : bool
        Whether 20 m segments with a ``podppd_flag`` other than 0 are kept: their orbit or pointing is degraded, or
        ATLAS is in a calibration manoeuvre. NASA's ATL07 leaves them out since release 004.
    filters : sequence of str
        Names of :data:`PHOTON_FILTERS` that :func:`photons` is to read too.

    Returns
    -------
    BeamIndex or None
        None where the beam is empty, or has nothing inside ``bbox``.

    Raises
    ------
    ProductError
        If a required variable is missing, of another length, or damaged.
    EmptyBeamError
        If every 20 m segment is degraded.
    """
    granule = granule or open_granule(path)
    path = granule.path
    if beam not in granule.beams:
        raise ProductError(
            f"{path.name}: {beam} is missing; found {', '.join(granule.beams)}. Name a beam that is there."
        )
    notes: list[Note] = []
    with icesat2.open_hdf5(path) as handle, reading(path, beam):
        if is_empty(handle, beam):
            return None
        n = _check_photons(handle, granule, beam, filters)
        segments = _geosegments(handle, path, beam, granule.release, notes)
        first, count = photon_index(segments, n, path, beam, notes)
        inside = _inside(segments, bbox) if bbox else np.ones(count.size, bool)
        if not np.any(inside & (count > 0)):
            return None
        seconds = segments["delta_time"]
        icesat2_agreement.compare_times(icesat2.utc(seconds[np.isfinite(seconds)]), granule.time_span, beam, notes)
        icesat2_agreement.check_order(seconds, path, beam)
        degraded = inside & (segments["podppd_flag"] != 0) & (f"{beam}/geolocation/podppd_flag" in handle)
        if degraded.any():
            notes.append(_degraded(segments["podppd_flag"], degraded, beam, is_kept=keep_degraded))
        keep = inside if keep_degraded else inside & ~degraded
        used = np.flatnonzero(keep & (count > 0))
        if used.size == 0:
            raise EmptyBeamError.of(granule.granule_id, code="degraded_pointing", reason=notes[-1].text)
        background = _background(handle, path, beam, granule.release, notes)
        first_photon = first_photon_table(handle, path, granule.beams[beam], notes)
    rows = used if bbox else np.flatnonzero(keep)
    geo = {k: v[rows] for k, v in segments.items()}
    geo["first_photon"], geo["segment_ph_cnt"] = first[rows], count[rows]
    start, stop = int(first[used].min()), int((first[used] + count[used]).max())
    return BeamIndex(
        granule=granule,
        beam=granule.beams[beam],
        geosegments=_table(geo, GEOSEGMENTS),
        background=background,
        first_photon=first_photon,
        start=start,
        stop=stop,
        notes=tuple(notes),
        n_degraded=int(degraded.sum()),
        filters=tuple(filters),
    )


def _check_photons(handle: h5py.File, granule: Granule, beam: str, filters: Sequence[str]) -> int:
    """Return the number of photons after checking that every variable of theirs is there and has as many."""
    path, release = granule.path, granule.release
    for item in PHOTON_FILTERS:
        if item.name in filters and f"{beam}/{item.path}" not in handle:
            since = "release 007 and later have it" if item.name == "signal_class_ph" else "every release has it"
            raise ProductError(
                f"{path.name}: {beam}/{item.path} is missing in release {release or 'unknown'}; {since}. Leave"
                f" --{'signal-class' if item.name == 'signal_class_ph' else 'min-weight'} out."
            )
    n = handle[f"{beam}/heights/h_ph"].shape[0] if f"{beam}/heights/h_ph" in handle else 0
    for item in (*PHOTONS, *(f for f in PHOTON_FILTERS if f.name in filters)):
        node = icesat2.dataset(handle, path, f"{beam}/{item.path}", release=release, kind=item.kind)
        width = 5 if item.column is not None else 0
        expected = (n, width) if width else (n,)
        if node.shape != expected:
            raise ProductError(
                f"{path.name}: {beam}/{item.path} has shape {node.shape}; expected {expected} as h_ph has."
                f" {CUT_WRONGLY}"
            )
    return n


def _degraded(flag: np.ndarray, degraded: np.ndarray, beam: str, *, is_kept: bool) -> Note:
    """Return the note that counts degraded 20 m segments by their flag."""
    values, counts = np.unique(flag[degraded], return_counts=True)
    n = int(counts.sum())
    which = ", ".join(f"{v} ({c})" for v, c in zip(values, counts, strict=True))
    length = n * GEOSEGMENT_M / 1000.0
    what = (
        f"{beam}: {counted(n, 'geosegment')} ({length:.1f} km) with podppd_flag {which}: orbit or pointing is degraded,"
        " or a calibration manoeuvre runs;"
    )
    if is_kept:
        return Note(code="degraded_kept", text=f"{what} kept, with the quality bit degraded_pointing")
    return Note(code="degraded_left_out", text=f"{what} left out (--keep-degraded keeps them)")


def photons(
    beam: BeamIndex, *, start: int, stop: int, threads: int = 2, arrays: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Read some of a beam's photons; only the chunks that hold them are touched, each byte once.

    Parameters
    ----------
    beam : BeamIndex
        Of :func:`index`.
    start, stop : int
        Rows of the file's photons, half-open.
    threads : int
        Threads that inflate chunks.
    arrays : dict of str to numpy.ndarray, optional
        Memory that the calls for one beam share, empty at first: what a call returned is overwritten by the next.

    Returns
    -------
    dict of str to numpy.ndarray, shape (stop - start,)
        The variables of :data:`PHOTONS`, and those of :data:`PHOTON_FILTERS` that ``beam.filters`` names.

    Raises
    ------
    ProductError
        If a chunk's checksum does not fit, a value is impossible, or more than one per cent of the photons have NaN.
    """
    path, name = beam.granule.path, beam.beam.name
    fields = (*PHOTONS, *(f for f in PHOTON_FILTERS if f.name in beam.filters))
    with icesat2.open_hdf5(path) as handle, reading(path, name):
        columns = [Column(name=f"{name}/{f.path}", column=f.column) for f in fields]
        data = read_columns(
            handle,
            path,
            columns=columns,
            start=start,
            stop=stop,
            threads=threads,
            allow_holes=False,
            kept=Kept(chunks=beam.chunks, arrays=arrays),
        )
        out = {f.name: icesat2.native(data[f"{name}/{f.path}"]) for f in fields}
        is_missing = missing_photons(out)
        for item in PHOTONS:
            known = out[item.name] if is_missing is None else out[item.name][~is_missing]
            _check_values(known, item, path, name)
    icesat2_agreement.check_photons(out, beam.geosegments, start=start, path=path, beam=name)
    if is_missing is not None:
        beam.missing.update((start + np.flatnonzero(is_missing)).tolist())
        out = without_photons(out, is_missing)
    return out


def reject_without_sea_ice(beam: BeamIndex, highest_confidence: int) -> None:
    """Raise where no photon of the beam was considered for sea ice.

    Parameters
    ----------
    beam : BeamIndex
        Of :func:`index`.
    highest_confidence : int
        Largest ``signal_conf_ph`` of the sea-ice column among the beam's photons.

    Raises
    ------
    NoSeaIceError
        If it is negative: ATL03 looked for other surfaces only.
    """
    if highest_confidence < 0:
        flags = to_numpy(beam.geosegments["surf_type"])
        reason = (
            f"{beam.beam.name} has no photon that ATL03 considered for sea ice (signal_conf_ph of the sea-ice column is"
            f" {highest_confidence} throughout, surf_type says {_surface_words(flags)})"
        )
        raise NoSeaIceError(
            f"{beam.granule.path.name}: {reason}; expected a granule over sea ice. Choose granules of regions with sea"
            " ice.",
            code="not_sea_ice",
            reason=reason,
        )


def read(
    path: Path | str,
    *,
    beam: str,
    bbox: tuple[float, float, float, float] | None = None,
    threads: int = 2,
    granule: Granule | None = None,
    keep_degraded: bool = False,
    filters: Sequence[str] = (),
) -> BeamData | None:
    """Read one beam whole: :func:`index`, then all its :func:`photons`.

    Parameters
    ----------
    path, beam, bbox, granule, keep_degraded, filters
        As for :func:`index`.
    threads : int
        Threads that inflate chunks.

    Returns
    -------
    BeamData or None
        None where the beam is empty, or has nothing inside ``bbox``.

    Raises
    ------
    ProductError
        If a required variable is missing, of another length, or damaged.
    NoSeaIceError
        If no photon was considered for sea ice.
    """
    found = index(path, beam=beam, bbox=bbox, granule=granule, keep_degraded=keep_degraded, filters=filters)
    if found is None:
        return None
    data = photons(found, start=found.start, stop=found.stop, threads=threads)
    reject_without_sea_ice(found, int(data["signal_conf_ph"].max()))
    place = found.geosegments.schema.get_field_index("first_photon")
    here = from_numpy(to_numpy(found.geosegments["first_photon"]) - found.start)
    geosegments = found.geosegments.set_column(place, found.geosegments.schema.field(place), here)
    return BeamData(
        granule=found.granule,
        beam=found.beam,
        geosegments=geosegments,
        background=found.background,
        first_photon=found.first_photon,
        start=0,
        stop=found.stop - found.start,
        notes=found.notes,
        missing=found.missing,
        n_degraded=found.n_degraded,
        filters=found.filters,
        photons=_table(data, (*PHOTONS, *PHOTON_FILTERS)),
    )


def _check_values(values: np.ndarray, item: Field, path: Path, beam: str) -> None:
    """Reject a variable with impossible values or NaN: its chunks' checksums fit, yet the file is damaged."""
    if item.valid is None or values.size == 0:
        return
    low, high = values.min(), values.max()
    if np.isnan(low):
        missing = int(np.isnan(values).sum())
        raise ProductError(
            f"{path.name}: {beam}/{item.path} is NaN in {missing:,} of {values.size:,} photons; expected a number in"
            " each. The file is damaged: download it again."
        )
    if not (low >= item.valid[0] and high <= item.valid[1]):
        raise ProductError(
            f"{path.name}: {beam}/{item.path} holds {low:g} to {high:g} {item.units}; expected {item.valid[0]:g} to"
            f" {item.valid[1]:g}. The file is damaged: download it again."
        )


def _table(columns: dict[str, np.ndarray], fields: tuple[Field, ...]) -> pa.Table:
    units = {f.name: f.units for f in fields}
    schema = pa.schema(
        [pa.field(k, pa.from_numpy_dtype(v.dtype), metadata={"units": units.get(k, "1")}) for k, v in columns.items()]
    )
    return pa.Table.from_arrays([from_numpy(v) for v in columns.values()], schema=schema)


def _geosegments(handle: h5py.File, path: Path, beam: str, release: str, notes: list[Note]) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    missing = []
    rows = icesat2.rows(handle, path, f"{beam}/geolocation/ph_index_beg", release=release)
    for item in GEOSEGMENTS:
        name = f"{beam}/{item.path}"
        if not item.required and name not in handle:
            missing.append(item.name)
            continue
        node = icesat2.dataset(handle, path, name, release=release, kind=item.kind)
        if node.shape[:1] != (rows,):  # before anything of it is read
            raise ProductError(
                f"{path.name}: {name} has shape {node.shape}; expected ({rows},) as ph_index_beg has. {CUT_WRONGLY}"
            )
        if item.column is not None and (node.ndim != 2 or node.shape[1] != 5):
            raise ProductError(f"{path.name}: {name} has shape {node.shape}; expected (n, 5). {CUT_WRONGLY}")
        column = Column(name=name, column=item.column, node=node)
        with reading(path, name):
            values = (
                read_columns(handle, path, columns=[column], threads=1, allow_holes=not item.required)[name]
                if node.shape
                else np.asarray(node[()])
            )
        values = out[item.name] = icesat2.fill_to_nan(np.ascontiguousarray(values))
        if item.valid is not None:
            _check_values(values[np.isfinite(values)], item, path, beam)
    n = out["ph_index_beg"].size
    for item in GEOSEGMENTS:
        if item.name not in out:
            out[item.name] = np.full(n, np.nan) if item.kind == "f" else np.full(n, -1, np.int8)
    if "solar_elevation" in missing:
        out["solar_elevation"] = solar.solar_elevation(
            icesat2.utc(out["delta_time"]), latitude=out["reference_photon_lat"], longitude=out["reference_photon_lon"]
        ).astype(np.float32)
    if missing:
        notes.append(Note(code="geosegment_variables_missing", text=f"{beam}: without {', '.join(missing)}"))
    x = out["segment_dist_x"]
    if n and not (np.isfinite(x).all() and np.ptp(x) < MAX_EXTENT_M and np.all(np.diff(x) > -1.0)):
        raise ProductError(
            f"{path.name}: {beam}/geolocation/segment_dist_x is not increasing within one orbit; expected metres from"
            f" the equator crossing, in order. {CUT_WRONGLY}"
        )
    return out


def _inside(segments: dict[str, np.ndarray], bbox: tuple[float, float, float, float]) -> np.ndarray:
    west, south, east, north = bbox
    lat, lon = segments["reference_photon_lat"], segments["reference_photon_lon"]
    width = (east - west) % 360.0 or 360.0
    return (lat >= south) & (lat <= north) & ((lon - west) % 360.0 <= width)


def _background(handle: h5py.File, path: Path, beam: str, release: str, notes: list[Note]) -> pa.Table:
    if f"{beam}/bckgrd_atlas" not in handle:
        notes.append(Note(code="no_background", text=f"{beam}: without bckgrd_atlas, background rates are NaN"))
        return _table({f.name: np.empty(0, np.float64) for f in BACKGROUND}, BACKGROUND)
    names = {f.name: f"{beam}/{f.path}" for f in BACKGROUND}
    shapes = [icesat2.dataset(handle, path, names[f.name], release=release, kind=f.kind).shape for f in BACKGROUND]
    if len(set(shapes)) != 1:
        raise ProductError(
            f"{path.name}: {beam}/bckgrd_atlas has variables of lengths {shapes}; expected one length. {CUT_WRONGLY}"
        )
    out = {f.name: icesat2.values(handle, path, names[f.name], release=release, kind=f.kind) for f in BACKGROUND}
    out["bckgrd_rate"] = np.where(out["bckgrd_rate"] >= 0, out["bckgrd_rate"], np.nan)
    order = np.argsort(out["delta_time"], kind="stable")
    return _table({k: v[order] for k, v in out.items()}, BACKGROUND)


def _surface_words(flags: np.ndarray) -> str:
    return "unknown" if np.all(flags < 0) else "sea ice" if np.any(flags == 1) else "no sea ice"
