"""What a comparison reads: our results of one granule, and NASA's products of the same track."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import io
from ...errors import ProductError, UsageError
from ...evaluate.collocated import other_orbit
from ...evaluate.comparison import COLUMNS, Pair, Reference, Result, matching
from ...evaluate.rows import LEAD_COLUMNS
from ...readers import icesat2, icesat2_atl07, icesat2_atl10
from ..evaluate import resolution

TABLES = ("segments.parquet", "leads.parquet", "run.json")
GRANULE = re.compile(r"ATL\d\d(?:-0[12])?_(?P<start>\d{14})_(?P<rgt>\d{4})(?P<cycle>\d{2})\d{2}_")
"""A granule's name: start, reference ground track, cycle, region."""


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """Which pass of the satellite a file is of; None where it does not say.

    Attributes
    ----------
    rgt, cycle : int or None
        Reference ground track and repeat cycle.
    orientation : str or None
        ``forward`` or ``backward``.
    """

    rgt: int | None
    cycle: int | None
    orientation: str | None


@dataclass(frozen=True, kw_only=True)
class Ours:
    """One result folder of polynya freeboard.

    Attributes
    ----------
    folder : Path
    granule : str
        The granule's name.
    run : dict
        Its run.json.
    result : Result
        Its tables.
    """

    folder: Path
    granule: str
    run: dict
    result: Result


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """One product of NASA.

    Attributes
    ----------
    granule : icesat2.Granule
    orbit : Orbit
    reference : Reference
        Its tables.
    """

    granule: icesat2.Granule
    orbit: Orbit
    reference: Reference


def folders(outs: Sequence[Path | str]) -> list[Path]:
    """Return the granule folders among what the user named: each is one, or holds some.

    Parameters
    ----------
    outs : sequence of Path or str
        Folders that polynya freeboard wrote.

    Raises
    ------
    ProductError
        If one is missing or holds no result.
    UsageError
        If one holds results of several granules.
    """
    found: list[Path] = []
    for out in map(Path, outs):
        if (out / TABLES[0]).is_file():
            found.append(out)
            continue
        inside = sorted(p.parent for p in out.glob(f"*/{TABLES[0]}")) if out.is_dir() else []
        if not inside:
            raise ProductError(
                f"{out}: {'no such folder' if not out.exists() else 'holds no segments.parquet'}; expected the folder"
                f" of"
                " one granule that polynya freeboard wrote. Run polynya freeboard first, or check the path."
            )
        if len(inside) > 1:
            names = ", ".join(p.name for p in inside[:3])
            raise UsageError(
                f"{out}: holds results of {len(inside)} granules ({names}{' ...' if inside[3:] else ''}); expected one"
                f" granule. Name its folder: {inside[0]}."
            )
        found += inside
    return list(dict.fromkeys(found))


def read_ours(folder: Path) -> Ours:
    """Read a result folder.

    Parameters
    ----------
    folder : Path
        One of :func:`folders`.

    Raises
    ------
    ProductError
        If a table is missing, damaged, or empty.
    """
    for name in TABLES:
        if not (folder / name).is_file():
            raise ProductError(
                f"{folder / name}: no such file; expected a folder that polynya freeboard wrote. Run it again with"
                " --overwrite."
            )
    run = io.read_json(folder / TABLES[2])
    segments = _read(folder / TABLES[0], COLUMNS)
    if segments.num_rows == 0:
        raise ProductError(
            f"{folder / TABLES[0]}: holds no segment; expected at least one. There is nothing to compare."
        )
    result = Result.of(segments, _read(folder / TABLES[1], LEAD_COLUMNS), resolution_m=resolution(segments, folder))
    return Ours(folder=folder, granule=str(_input(run).get("granule") or folder.name), run=run, result=result)


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    names = ["beam", "x_atc", *columns]
    table = io.read_table(path)
    missing = [n for n in names if n not in table.column_names]
    if missing:
        raise ProductError(
            f"{path}: columns {missing} are missing; expected a table that this version of polynya wrote. Run polynya"
            " freeboard again."
        )
    return table.select(names)


def _input(run: dict) -> dict:
    inputs = run.get("inputs")
    return inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}


def orbit_of_ours(ours: Ours) -> Orbit:
    """Return the pass of a result: from its granule's name, and the orientation that its run.json states.

    Parameters
    ----------
    ours : Ours
        A result.
    """
    found = GRANULE.search(f"{ours.granule}_")
    orientation = _input(ours.run).get("orientation")
    return Orbit(
        rgt=int(found["rgt"]) if found else None,
        cycle=int(found["cycle"]) if found else None,
        orientation=orientation if orientation in ("forward", "backward") else None,
    )


def read_theirs(path: Path | str, *, product: str) -> Theirs:
    """Read a product of NASA.

    Parameters
    ----------
    path : Path or str
        The granule.
    product : str
        ``ATL07`` or ``ATL10``.

    Raises
    ------
    ProductError
        If it is missing, damaged, or another product.
    """
    granule = icesat2.open_granule(path, product=product)
    reader = icesat2_atl07 if product == "ATL07" else icesat2_atl10
    beams = list(granule.beams)
    reference = Reference(
        product=product,
        segments={b: reader.read(path, beam=b) for b in beams},
        leads={b: icesat2_atl10.read_leads(path, beam=b) for b in beams} if product == "ATL10" else {},
        sections={b: icesat2_atl10.read_sections(path, beam=b) for b in beams} if product == "ATL10" else {},
    )
    return Theirs(granule=granule, orbit=_orbit_of(granule), reference=reference)


def _orbit_of(granule: icesat2.Granule) -> Orbit:
    """Return the pass from the file's ``orbit_info``, else from its name."""
    stored: dict[str, int | None] = {}
    with icesat2.open_hdf5(granule.path) as handle, icesat2.reading(granule.path, "orbit_info"):
        for name in ("rgt", "cycle_number"):
            values = np.unique(np.asarray(handle[f"orbit_info/{name}"][()])) if f"orbit_info/{name}" in handle else []
            stored[name] = int(values[0]) if len(values) == 1 else None
    found = GRANULE.search(granule.granule_id + "_")
    named = {"rgt": int(found["rgt"]), "cycle_number": int(found["cycle"])} if found else {}
    orientation = icesat2.ORIENTATIONS.get(-1 if granule.orientation is None else granule.orientation)
    return Orbit(
        rgt=stored["rgt"] if stored["rgt"] is not None else named.get("rgt"),
        cycle=stored["cycle_number"] if stored["cycle_number"] is not None else named.get("cycle_number"),
        orientation=orientation if orientation in ("forward", "backward") else None,
    )


def check_same(results: Sequence[Ours]) -> None:
    """Raise unless results are of one granule at different resolutions.

    Parameters
    ----------
    results : sequence of Ours
        At least one.

    Raises
    ------
    UsageError
        If they are not.
    """
    for other in results[1:]:
        if other.granule != results[0].granule:
            raise UsageError(
                f"{other.folder}: is of {other.granule}, {results[0].folder} of {results[0].granule}; expected one"
                " granule. Compare them one by one."
            )
    labels = [r.result.label for r in results]
    if len(set(labels)) < len(labels):
        raise UsageError(
            f"OUT: {len(labels)} results with segments of {', '.join(labels)}; expected different resolutions of the"
            " granule. Name one of each."
        )


def check_pass(ours: Ours, theirs: Theirs) -> None:
    """Raise unless a product is of our granule's pass: orbit, orientation, beams, place and time.

    Parameters
    ----------
    ours : Ours
        A result.
    theirs : Theirs
        A product.

    Raises
    ------
    ProductError
        If it is of another one; the message says what differs.
    """
    mine, other, name = orbit_of_ours(ours), theirs.orbit, theirs.granule.path.name
    product = theirs.reference.product
    give = f"Give the {product} granule of the same track and cycle"
    for what, a, b in (
        ("reference ground track", mine.rgt, other.rgt),
        ("cycle", mine.cycle, other.cycle),
    ):
        if a is not None and b is not None and a != b:
            raise ProductError(f"{name}: is of {what} {b}; expected {a}, that of {ours.granule}. {give}.")
    if mine.orientation and other.orientation and mine.orientation != other.orientation:
        raise ProductError(
            f"{name}: the satellite flew {other.orientation}; expected {mine.orientation}, as in {ours.granule}: strong"
            f" and weak beams are swapped. {give}."
        )
    pair = Pair(ours=ours.result, reference=theirs.reference)
    if not pair.beams:
        there = [b for b, t in theirs.reference.segments.items() if t.num_rows]
        raise ProductError(
            f"{name}: has segments on {', '.join(there) or 'no beam'}, ours lie on"
            f" {', '.join(ours.result.segments.slices)}; expected a beam in common. {give}, with its beams."
        )
    if matching.segments(pair).num_rows == 0:
        raise ProductError(f"{name}: {other_orbit(ours.result.segments, theirs.reference)}")
