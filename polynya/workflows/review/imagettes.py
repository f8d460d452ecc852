"""The review of tags of imagettes: the state behind the page, and its addresses."""

from __future__ import annotations

import shutil
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ... import io, schema
from ...errors import OutputError, PolynyaError, ProductError, UsageError, one_line
from ...io import pictures
from ...labels import tag_reviews as log
from ...physics.stretch import stretch
from ...readers import imagette_products
from ...readers.wv_quicklooks import TABLE as REVIEWED_TABLE
from ...schema.imagette_tags import BITS, IMAGETTE_TAGS, NOT_ASSESSED, PROBABILITIES, QUALITY
from ...schema.imagettes import PHENOMENA, PRESENT, TAGS, UNKNOWN, Imagette
from ...simulate.wave_mode.files import OFFSET_DB, SCALE_DB, decibel_numbers
from .server import PNG, Answer, Query, Site, as_json
from .session import ConflictError

TABLE = "tags.parquet"
PICTURES_IN_MEMORY = 200
COLUMNS = (
    "name", "file", "tags", "confidence", "tag_quality", "latitude", "longitude", "azimuth_pixel", "range_pixel",
    "satellite", "beam", "incidence_angle", *PROBABILITIES,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TagFile:
    """A result of ``polynya tags`` under review.

    Attributes
    ----------
    path : Path
        Its table.
    source : Path
        The product or folder of images.
    """

    path: Path
    source: Path

    @property
    def name(self) -> str:
        """The folder's."""
        return self.path.parent.name

    @property
    def folder(self) -> Path:
        """Where the person's tags go: beside the result, so that tagging again leaves them."""
        return self.path.parent.with_name(f"{self.name}.reviewed")

    @property
    def corrections(self) -> Path:
        """The file of the changes."""
        return self.folder / log.LOG


def find(paths: Sequence[Path | str]) -> list[TagFile]:
    """Return the results of ``polynya tags`` among folders and files; none where there is none.

    Parameters
    ----------
    paths : sequence of Path or str
        Results, tables, or folders of results.
    """
    found: dict[Path, TagFile] = {}
    for path in map(Path, paths):
        inside = [path] if path.name == TABLE else [path / TABLE] if (path / TABLE).is_file() else []
        for table in inside or (sorted(path.glob(f"*/{TABLE}")) if path.is_dir() else []):
            one = _opened(table)
            if one is not None:
                found[table.resolve()] = one
    return list(found.values())


def _opened(table: Path) -> TagFile | None:
    try:
        meta = {k.decode(): v.decode("utf-8", "replace") for k, v in io.table_metadata(table).items()}
    except (PolynyaError, OSError):
        return None
    if meta.get("polynya_table") != IMAGETTE_TAGS.name:
        return None
    return TagFile(path=table.resolve(), source=Path(meta.get("source_path", "")))


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """A file in memory: rows of the table, names of pictures in the folder of the review, and its lines."""

    rows: list[dict]
    filenames: list[str]
    is_simulated: bool
    reviews: list[log.Review]
    place: dict[str, int]


class ImagetteSession:
    """All results of one review of tags, and who reviews.

    Parameters
    ----------
    files : sequence of TagFile
        Their logs are held by this process (:mod:`polynya.labels.lock`).
    who : str
        Written into every line.

    Notes
    -----
    Methods may be called from several threads. A method that changes something returns only once the change is on disk.
    """

    def __init__(self, files: Sequence[TagFile], *, who: str):
        self.files = list(files)
        self.who = who
        self._lock = threading.RLock()
        self._opened: dict[int, Opened] = {}
        self._pictures: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def overview(self) -> dict[str, object]:
        """Return who reviews, the tags, and every file."""
        names = [{"short": s, "name": n.replace("_", " "), "key": n} for s, n in PHENOMENA]
        quality = {str(b): n.replace("_", " ") for b, n in QUALITY.items()}
        about = {"who": self.who, "tags": names, "quality": quality, "aside": NOT_ASSESSED}
        files = [
            {"index": k, "name": f.name, "folder": f.folder.name, "reviewed": len(log.states(self._open(k).reviews))}
            for k, f in enumerate(self.files)
        ]
        return about | {"files": files}

    def state(self, index: int) -> dict[str, object]:
        """Return every imagette of a file: what the network says of it, and what a person said."""
        with self._lock:
            opened, file = self._open(index), self._file(index)
            held = log.states(opened.reviews)
            last = log.active(opened.reviews)
            return {
                "index": index,
                "name": file.name,
                "corrections": f"{file.folder.name}/{REVIEWED_TABLE}",
                "simulated": opened.is_simulated,
                "imagettes": [_row(r, held.get(r["name"])) for r in opened.rows],
                "undo": _last(last),
                "reviewed": len(held),
                "confirmed": sum(s.is_confirmed for s in held.values()),
            }

    def picture(self, index: int, row: int) -> bytes:
        """Return a picture as PNG, stretched between percentiles.

        Raises
        ------
        ProductError
            If it is gone or damaged.
        """
        with self._lock:
            key = (index, row)
            if key not in self._pictures:
                one = self._read(index, row)
                grey = np.round(255.0 * np.nan_to_num(stretch(one.picture, one.mask))).astype(np.uint8)
                self._pictures[key] = pictures.png_bytes(grey)
                while len(self._pictures) > PICTURES_IN_MEMORY:
                    self._pictures.popitem(last=False)
            self._pictures.move_to_end(key)
            return self._pictures[key]

    def set_tag(self, index: int, row: int, *, tag: str, present: bool) -> dict[str, object]:
        """Say that an imagette shows a tag, or does not; save it, and return what changed."""
        if tag not in TAGS:
            raise UsageError(f"tag: {tag[:40]!r}; expected one of {', '.join(TAGS)}.")
        return self._save(index, row, action=log.SET, tags={tag: int(present)})

    def confirm(self, index: int, row: int) -> dict[str, object]:
        """Say that an imagette shows what the page says, and no other tag; save it, and return what changed."""
        with self._lock:
            opened = self._open(index)
            one = self._row(opened, row)
            state = log.states(opened.reviews).get(one["name"])
            now = _merged(one, state)
            return self._save(index, row, action=log.CONFIRM, tags={t: int(v) for t, v in zip(TAGS, now, strict=True)})

    def undo(self, index: int, *, expected: str) -> dict[str, object]:
        """Take the last change back by a line of its own.

        Raises
        ------
        ConflictError
            If the last change is another one (another window was faster).
        """
        with self._lock:
            opened, file = self._open(index), self._file(index)
            last = log.active(opened.reviews)
            if not last or last[-1].id != expected:
                raise ConflictError("undo: that is not the last change any more; another window changed something.")
            new = log.append(file.corrections, log.Review(action=log.UNDO, who=self.who, undone=expected))
            opened.reviews.append(new)
            self._write_table(file, opened)
            return self._changed(index, opened.place.get(last[-1].name, -1))

    # ---- inside --------------------------------------------------------------------------------

    def _save(self, index: int, row: int, *, action: str, tags: dict[str, int]) -> dict[str, object]:
        with self._lock:
            opened, file = self._open(index), self._file(index)
            one = self._row(opened, row)
            about = self._keep_picture(index, row)
            line = log.Review(action=action, who=self.who, name=one["name"], tags=tags, about=about)
            opened.reviews.append(log.append(file.corrections, line))
            self._write_table(file, opened)
            return self._changed(index, row)

    def _changed(self, index: int, row: int) -> dict[str, object]:
        opened = self._open(index)
        held = log.states(opened.reviews)
        one = opened.rows[row] if row >= 0 else None
        return {
            "index": index,
            "row": row,
            "imagette": None if one is None else _row(one, held.get(one["name"])),
            "undo": _last(log.active(opened.reviews)),
            "reviewed": len(held),
            "confirmed": sum(s.is_confirmed for s in held.values()),
            "corrections": f"{self._file(index).folder.name}/{REVIEWED_TABLE}",
        }

    def _keep_picture(self, index: int, row: int) -> log.About:
        """Put the picture into the folder of the review, unless it is there; return what the table says of it."""
        opened, file = self._open(index), self._file(index)
        one, name = opened.rows[row], opened.filenames[row]
        if one["tag_quality"] & BITS["picture_not_readable"]:
            raise ProductError(
                f"{one['name']}: its picture could not be read when it was tagged; expected one that can be looked at."
                " Put it back whole, and tag it again."
            )
        known = log.states(opened.reviews).get(one["name"])
        if known is not None and (file.folder / known.about.filename).is_file():
            return known.about
        target = file.folder / name
        ours = {r.about.filename for r in opened.reviews if r.about is not None}
        if target.exists() and name not in ours:
            raise OutputError(f"{target}: is there, and no review wrote it; expected a free name. Move it away.")
        if one["file"]:
            source = file.source / one["file"]
            if not source.resolve().is_relative_to(file.source.resolve()) or not source.is_file():
                raise ProductError(f"{one['file']}: is not in {file.source}; expected the picture. Put it back.")
            if source.suffix.lower() not in pictures.ENDINGS:
                raise ProductError(
                    f"{one['file']}: is no picture by its name; expected one of {', '.join(pictures.ENDINGS)}. Check"
                    f" the table {file.name}."
                )
            with io.writing(target) as temporary:
                shutil.copyfile(source, temporary)
        else:
            _write_tiff(target, self._read(index, row))
        numbers = {n: _known(one[n]) for n in ("latitude", "longitude")}
        numbers |= {f"{n}_m": _known(one[n]) for n in ("azimuth_pixel", "range_pixel")}
        return log.About(filename=name, simulated=opened.is_simulated, **numbers)

    def _write_table(self, file: TagFile, opened: Opened) -> None:
        with io.writing(file.folder / REVIEWED_TABLE) as temporary:
            Path(temporary).write_text(log.table_text(opened.reviews), encoding="utf-8")

    def _read(self, index: int, row: int) -> Imagette:
        file, one = self._file(index), self._row(self._open(index), row)
        if not file.source.name or not file.source.exists():
            raise ProductError(
                f"{file.name}: its pictures are not at {file.source}; expected the product that was tagged. Put it"
                " back, or tag it again."
            )
        return imagette_products.read_one(file.source, one["name"], file=one["file"])

    def _file(self, index: int) -> TagFile:
        if not 0 <= index < len(self.files):
            raise UsageError(f"file {index}: expected 0 to {len(self.files) - 1}. Load the page again.")
        return self.files[index]

    def _row(self, opened: Opened, row: int) -> dict:
        if not 0 <= row < len(opened.rows):
            raise UsageError(f"row {row}: expected 0 to {len(opened.rows) - 1}. Load the page again.")
        return opened.rows[row]

    def _open(self, index: int) -> Opened:
        with self._lock:
            if index not in self._opened:
                file = self._file(index)
                table = schema.check(io.read_table(file.path), IMAGETTE_TAGS)
                rows = table.select(list(COLUMNS)).to_pylist()
                meta = table.schema.metadata or {}
                twice = [n for n, count in Counter(r["name"] for r in rows).items() if count > 1]
                if twice:
                    raise ProductError(
                        f"{file.name}: {len(twice)} names occur more than once, as {twice[0]}; expected one picture of"
                        " a name: a review would mix them up. Tag each folder by itself."
                    )
                self._opened[index] = Opened(
                    rows=rows,
                    filenames=_filenames(rows),
                    is_simulated=meta.get(b"is_simulated") == b"true",
                    reviews=log.read_log(file.corrections),
                    place={r["name"]: k for k, r in enumerate(rows)},
                )
            return self._opened[index]


def _filenames(rows: Sequence[dict]) -> list[str]:
    """Return the name of each picture in the folder of the review, each once."""
    plain = [PurePosixPath(r["file"]).name if r["file"] else f"{r['name']}.tiff" for r in rows]
    often = Counter(plain)
    return [n if often[n] == 1 else f"{k:05d}-{n}" for k, n in enumerate(plain)]


def _write_tiff(target: Path, one: Imagette) -> None:
    """Write the imagette of a product as decibels of 16 bit, as the simulator does."""
    tags = {"quantity": f"{one.quantity}_db", "beam": one.beam, "incidence_angle": f"{one.incidence_angle:g}"}
    tags |= {n: f"{getattr(one, n):g}" for n in ("azimuth_pixel_m", "range_pixel_m")}
    if one.is_simulated:
        tags["simulated_by"] = "polynya; no measurement"
    values = np.where(one.mask, one.picture, np.nan)
    with io.writing(target) as temporary:
        scale = {"scale": SCALE_DB, "offset": OFFSET_DB}
        pictures.write_tiff(Path(temporary), decibel_numbers(values), nodata=0, tags=tags, **scale)


def _merged(row: dict, state: log.State | None) -> np.ndarray:
    """Return what the page says: a person's tags, and the network's where nobody said anything; bool (10,)."""
    network = np.array([t in (row["tags"] or ()) for t in TAGS])
    return network if state is None else np.where(state.tags == UNKNOWN, network, state.tags == PRESENT)


def _row(row: dict, state: log.State | None) -> dict[str, object]:
    p = [None if row[n] is None or not np.isfinite(row[n]) else round(row[n], 3) for n in PROBABILITIES]
    c = row["confidence"]
    seen = (
        row["satellite"],
        row["beam"],
        f"{row['incidence_angle']:.1f}\u00b0" if _known(row["incidence_angle"]) else "",
    )
    lat, lon = (_known(row[n]) for n in ("latitude", "longitude"))
    place = "" if lat is None or lon is None else f"{lat:.2f}, {lon:.2f}"
    return {
        "name": row["name"],
        "about": " \u00b7 ".join(w for w in (*seen, place) if w),
        "p": p,
        "c": None if c is None or not np.isfinite(c) else round(c, 3),
        "q": row["tag_quality"],
        "tags": np.flatnonzero(_merged(row, state)).tolist(),
        "said": [] if state is None else np.flatnonzero(state.tags != UNKNOWN).tolist(),
        "confirmed": state is not None and state.is_confirmed,
    }


def _last(active: Sequence[log.Review]) -> dict[str, str] | None:
    if not active:
        return None
    r = active[-1]
    what = (
        "confirmed"
        if r.action == log.CONFIRM
        else ", ".join(f"{'' if v else 'no '}{t.replace('_', ' ')}" for t, v in r.tags.items())
    )
    return {"id": r.id, "text": f"{r.name}: {what}"}


def _known(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _picture(s: ImagetteSession, q: Query) -> Answer:
    try:
        return PNG, s.picture(q.whole("file"), q.whole("row"))
    except OSError as error:
        raise ProductError(f"the picture cannot be read ({one_line(error)}). Check the product.") from error


SITE: Site = Site(
    assets={
        "/": ("review_tags.html", "text/html; charset=utf-8"),
        "/review_tags.css": ("review_tags.css", "text/css; charset=utf-8"),
        "/review_tags.js": ("review_tags.js", "text/javascript; charset=utf-8"),
    },
    looks={
        "/api/session": lambda s, q: as_json(s.overview()),
        "/api/file": lambda s, q: as_json(s.state(q.whole("file"))),
        "/api/picture": _picture,
    },
    changes={
        "/api/tag": lambda s, q: as_json(
            s.set_tag(q.whole("file"), q.whole("row"), tag=q.text("tag"), present=q.flag("present"))
        ),
        "/api/confirm": lambda s, q: as_json(s.confirm(q.whole("file"), q.whole("row"))),
        "/api/undo": lambda s, q: as_json(s.undo(q.whole("file"), expected=q.text("id"))),
    },
)
"""The page of the review of tags: its files, what it may ask, and what it may change."""
