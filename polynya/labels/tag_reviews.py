"""A person's tags of imagettes: one JSON line per change, appended and never deleted, and the table that follows.

The lines and the table lie in a folder of their own beside the tags of a network (``NAME.reviewed``), with a copy of
each picture that was reviewed: a folder that training reads. A tag that a person set is known; of an imagette that was
confirmed all ten are. An undo is a line that names the line it takes back.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io as text_io
import json
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import OutputError, ProductError, one_line
from ..io import opening
from ..readers.wv_quicklooks import NUMBERS, SIMULATED, TABLE
from ..schema.imagettes import ABSENT, PRESENT, SHORT_NAMES, TAGS, UNKNOWN

LOG = "tags.reviews.jsonl"
SET, CONFIRM, UNDO = "set", "confirm", "undo"
ACTIONS = (SET, CONFIRM, UNDO)


@dataclass(frozen=True, kw_only=True)
class About:
    """What the table says of an imagette beside its tags.

    Attributes
    ----------
    filename : str
        Of its picture in the folder.
    latitude, longitude, azimuth_pixel_m, range_pixel_m : float or None
        None where not known.
    simulated : bool
    """

    filename: str
    latitude: float | None = None
    longitude: float | None = None
    azimuth_pixel_m: float | None = None
    range_pixel_m: float | None = None
    simulated: bool = False


@dataclass(frozen=True, kw_only=True)
class Review:
    """One line.

    Attributes
    ----------
    action : str
        ``set``: some tags; ``confirm``: all ten; ``undo``.
    who : str
    name : str
        Of the imagette; empty for ``undo``.
    tags : mapping of str to int
        Full names to 1 or 0.
    about : About or None
    undone : str
        ``undo`` only: the ``id`` that is taken back.
    id, time : str
        Given when it is written; UTC, ISO 8601.
    """

    action: str
    who: str
    name: str = ""
    tags: Mapping[str, int] = field(default_factory=dict)
    about: About | None = None
    undone: str = ""
    id: str = ""
    time: str = ""


def read_log(path: Path) -> list[Review]:
    """Read the lines of a file; one that does not exist has none. An incomplete last line is not there.

    Raises
    ------
    ProductError
        If a line is none that a review wrote, or the file cannot be read.
    """
    if not os.path.lexists(path):
        return []
    raw = opening.read_bytes(path, expected=f"reviews. Check {path}")
    out, seen = [], set()
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        try:
            one = _parsed(line)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProductError(
                f"{path.name}: line {number} is no review ({one_line(error)[:100]}); expected one JSON object per line."
                " The file was edited or damaged: correct or remove that line."
            ) from error
        if one.id in seen:
            raise ProductError(
                f"{path.name}: line {number} has the id {one.id} of an earlier line; expected one line per change."
                " Remove the copied line."
            )
        seen.add(one.id)
        out.append(one)
    return out


def _parsed(line: bytes) -> Review:
    raw = json.loads(line)
    texts = {k: raw[k] for k in ("action", "who", "name", "undone", "id", "time")}
    if not all(isinstance(v, str) for v in texts.values()) or raw["action"] not in ACTIONS or not raw["id"]:
        raise ValueError(f"action, who, name, undone, id and time are {texts}")
    tags = raw["tags"]
    if not set(tags) <= set(TAGS) or not all(v in (ABSENT, PRESENT) and not isinstance(v, bool) for v in tags.values()):
        raise ValueError(f"tags are {tags}")
    if raw["action"] == UNDO:
        return Review(**texts)
    about = About(**raw["about"])
    if not raw["name"] or not tags or (raw["action"] == CONFIRM and set(tags) != set(TAGS)) or not _is_good(about):
        raise ValueError(f"{raw['action']} of {raw['name']!r}: {about}")
    return Review(**texts, tags=tags, about=about)


def _is_good(about: About) -> bool:
    name = about.filename
    is_name = isinstance(name, str) and name == Path(name).name and name not in ("", ".", "..")
    numbers = [getattr(about, n) for n in NUMBERS]
    is_number = all(v is None or (isinstance(v, (int, float)) and math.isfinite(v)) for v in numbers)
    return is_name and is_number and isinstance(about.simulated, bool)


def append(path: Path, review: Review) -> Review:
    """Write one line to the end of a file and return it with id and time; on disk when this returns.

    Raises
    ------
    OutputError
        If it cannot be written; the file is then as it was.
    """
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    new = replace(review, id=secrets.token_hex(6), time=now)
    data = json.dumps(asdict(new), ensure_ascii=True, allow_nan=False).encode() + b"\n"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            whole = path.read_bytes()
            size = whole.rfind(b"\n") + 1  # what a stopped writer left was never said to be saved
            os.ftruncate(handle, size)
            try:
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
    except OSError as error:
        raise OutputError(
            f"{path.name}: the change cannot be written in {path.parent} ({one_line(error)}); expected a folder with"
            " room and write permission. It is NOT saved."
        ) from error
    return new


def active(reviews: Sequence[Review]) -> list[Review]:
    """Return the lines that hold: those that no undo takes back, in the file's order."""
    undone = {r.undone for r in reviews if r.action == UNDO}
    return [r for r in reviews if r.action != UNDO and r.id not in undone]


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What a person says of an imagette.

    Attributes
    ----------
    tags : numpy.ndarray of int8, shape (10,)
        1 present, 0 absent, -1 nobody said.
    is_confirmed : bool
        Whether all ten were looked at.
    about : About
    """

    tags: np.ndarray
    is_confirmed: bool
    about: About


def states(reviews: Sequence[Review]) -> dict[str, State]:
    """Return what holds of each imagette, by its name, in the order of their first lines."""
    out: dict[str, State] = {}
    for r in active(reviews):
        if r.about is None:
            continue
        old = out.get(r.name)
        tags = np.full(len(TAGS), UNKNOWN, np.int8) if old is None or r.action == CONFIRM else old.tags.copy()
        for tag, value in r.tags.items():
            tags[TAGS.index(tag)] = value
        is_confirmed = r.action == CONFIRM or (old is not None and old.is_confirmed)
        out[r.name] = State(tags=tags, is_confirmed=is_confirmed, about=r.about)
    return out


def table_text(reviews: Sequence[Review]) -> str:
    """Return the table of tags as training reads it: a row per imagette, empty where nobody knows a tag."""
    file = text_io.StringIO()
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["filename", *SHORT_NAMES, *NUMBERS, SIMULATED])
    for state in states(reviews).values():
        tags = ["" if v == UNKNOWN else int(v) for v in state.tags]
        numbers = [getattr(state.about, n) for n in NUMBERS]
        cells = ["" if v is None else f"{v:.6g}" for v in numbers]
        out.writerow([state.about.filename, *tags, *cells, int(state.about.simulated)])
    return file.getvalue()


def check_table(folder: Path, reviews: Sequence[Review]) -> None:
    """Raise where the table of a folder is not what its lines give, or gave before the last one.

    Parameters
    ----------
    folder : Path
        Of a review, or a new one.
    reviews : sequence of Review
        Its lines.

    Raises
    ------
    OutputError
        If the table, or the folder, was made by another program.
    """
    path = folder / TABLE
    if not reviews and folder.exists() and any(p.name[0] != "." for p in folder.iterdir()):
        raise OutputError(
            f"{folder}: is there, and polynya review did not write it; expected a free name. Rename that folder."
        )
    if not path.exists():
        return
    try:
        held = opening.read_text(path)
    except ProductError:
        held = ""
    if held not in (table_text(reviews), table_text(reviews[:-1])):
        raise OutputError(
            f"{path}: was changed by another program; expected the table that follows from {LOG}: it would be replaced."
            " Move it to another name."
        )
