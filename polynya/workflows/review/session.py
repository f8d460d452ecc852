"""The state behind the review page: label files, what a person changed in them, and the next view of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ... import schema
from ...errors import PolynyaError, ProductError, UsageError, one_line
from ...labels import corrections as log
from ...labels.corrections import Correction
from ...report import review as drawing
from ...report import review_picture
from .files import LabelFile, read_footer, read_tracks

FILES_IN_MEMORY = 3
TILES_IN_MEMORY = 500


@dataclass(frozen=True, kw_only=True)
class Now:
    """A beam's labels with the corrections in force; arrays of shape (n,)."""

    label: np.ndarray
    source: np.ndarray
    flag: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The scene of a file, or why there is none."""

    picture: review_picture.Picture | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A file in memory: as it is on disk, and as it is with the corrections."""

    tracks: dict[str, drawing.Track]
    stamp: tuple[int, int]
    lines: list[Correction]
    now: dict[str, Now]
    torn: str = ""


class ConflictError(PolynyaError):
    """The page asked to undo something that is not the last change any more."""


class Session:
    """Every label file of one review, and who reviews.

    Parameters
    ----------
    files : list of LabelFile
        Their corrections files are held by this process (:mod:`polynya.labels.lock`).
    who : str
        Written into every correction.

    Notes
    -----
    Methods may be called from several threads. A method that changes something returns only once the change is on disk.
    """

    def __init__(self, files: Sequence[LabelFile], *, who: str):
        self.files = list(files)
        self.who = who
        self._lock, self._picture_lock = threading.RLock(), threading.Lock()
        self._opened: OrderedDict[int, Opened] = OrderedDict()
        self._pictures: OrderedDict[int, Shown] = OrderedDict()
        self._tiles: OrderedDict[tuple[int, int, int, int], bytes | None] = OrderedDict()
        self._summaries: dict[int, dict[str, object]] = {}

    # ---- reading -------------------------------------------------------------------------------

    def overview(self) -> dict[str, object]:
        """Return who reviews, and every file with its progress."""
        with self._lock:
            return {"who": self.who, "files": [self._summary(i) for i in range(len(self.files))]}

    def state(self, index: int) -> dict[str, object]:
        """Return all about a file but its segments: beams, labels, shift, scene, what can be undone.

        Raises
        ------
        ProductError
            If the file or its corrections cannot be read.
        """
        with self._lock:
            opened, file = self._open(index), self._file(index)  # in this order: opening reads a footer that changed
            about = file.about
            mine = [c for c in opened.lines if c.granule == file.granule]
            undoable, redoable = log.history(opened.lines)
            beams = [
                {
                    "name": t.beam,
                    "strong": t.is_strong,
                    "n": len(t.x),
                    "x": [float(t.x[0]), float(t.x[-1])],
                    "labels": log.counts(opened.now[name].label),
                    "person": int((opened.now[name].source == schema.LABEL_PERSON).sum()),
                }
                for name, t in opened.tracks.items()
            ]
            state = {
                **self._summary(index),
                "version": _version(opened),
                "beams": beams,
                "sampled_shift": self._sampled_shift(file),
                "shift": self._shift(file, opened.lines),
                "crs": about.get("crs"),
                "scene": Path(str(about["scene"])).name if about.get("scene") else None,
                "minutes": about.get("minutes"),
                "sure": about.get("is_shift_sure"),
                "simulated": about.get("is_simulated"),
                "undo": _description(undoable[-1]) if undoable else None,
                "redo": _description(redoable[-1][0]) if redoable else None,
                "torn": opened.torn,
                "foreign": (
                    len(opened.lines)
                    - len(mine)
                    - sum(c.action == log.UNDO and c.granule != file.granule for c in opened.lines)
                ),
                "stale": self._stale(opened),
                "corrections": file.corrections.name,
            }
        return state | {"picture": self._picture_state(index)}

    def window(self, index: int, beam: str, *, x_from: float, x_to: float, columns: int) -> bytes:
        """Return a window of a beam for drawing; see :func:`polynya.report.review.window`."""
        track, now = self._track(index, beam)
        if not (np.isfinite(x_from) and np.isfinite(x_to) and x_to > x_from and 1 <= columns <= 20_000):
            raise UsageError(
                f"window: {x_from} to {x_to} in {columns} columns; expected an increasing window and 1 to 20000"
                " columns."
            )
        return drawing.window(track, label=now.label, source=now.source, x_from=x_from, x_to=x_to, columns=columns)

    def course(self, index: int, beam: str) -> bytes:
        """Return where a beam runs in the scene's CRS; see :func:`polynya.report.review.course`."""
        return drawing.course(self._track(index, beam)[0])

    def segment(self, index: int, beam: str, *, x: float) -> dict[str, object]:
        """Return the values of the segment nearest to a position."""
        track, now = self._track(index, beam)
        return drawing.in_words(track, drawing.nearest(track.x, x), label=now.label, source=now.source, flag=now.flag)

    def run(self, index: int, beam: str, *, x: float, step: int, unlabelled: bool) -> dict[str, object]:
        """Return the run of one label at a position (step 0), or the next (1) or previous (-1) run, of unlabelled
        segments or of any."""
        track, now = self._track(index, beam)
        if step:
            wanted = now.label == schema.UNCLASSIFIED if unlabelled else np.ones(len(track.x), bool)
            if unlabelled:
                wanted &= now.source != schema.LABEL_PERSON
            found = drawing.next_run(track.x, now.label, at=x, forward=step > 0, wanted=wanted)
        else:
            found = drawing.run_at(track.x, now.label, at=x)
        if found is None:
            return {"found": False}
        first, last = found
        return {
            "found": True,
            "from": float(track.x[first]),
            "to": float(track.x[last]),
            "n": last - first + 1,
            "kind": int(drawing.kinds(now.label[first : first + 1])[0]),
        }

    def tile(self, index: int, *, level: int, row: int, column: int) -> bytes | None:
        """Return a tile of the scene as PNG, None where there is none."""
        key = (index, level, row, column)
        with self._picture_lock:
            if key not in self._tiles:
                picture = self._picture(index).picture
                self._tiles[key] = (
                    None if picture is None else review_picture.tile(picture, level=level, row=row, column=column)
                )
                while len(self._tiles) > TILES_IN_MEMORY:
                    self._tiles.popitem(last=False)
            return self._tiles[key]

    # ---- changing ------------------------------------------------------------------------------

    def set_label(self, index: int, beam: str, *, x_from: float, x_to: float, label: int) -> dict[str, object]:
        """Give a stretch a class (-1 sets it aside), save it, and return the new state.

        Raises
        ------
        UsageError
            If the beam or the class does not exist, or no segment lies in the stretch.
        OutputError
            If it cannot be saved.
        """
        with self._lock:
            track, now = self._track(index, beam)
            if label not in log.SETTABLE or isinstance(label, bool):
                raise UsageError(f"label: class {label!r}; expected one of {log.SETTABLE}. Use the keys 0 to 3.")
            part = log.stretch(track.x, min(x_from, x_to), x_to=max(x_from, x_to))
            if part.stop <= part.start:
                raise UsageError(
                    f"label: no segment of {beam} lies from {x_from:.1f} to {x_to:.1f} m. Select a stretch with"
                    " segments."
                )
            file = self._file(index)
            new = Correction(
                action=log.LABEL,
                granule=file.granule,
                who=self.who,
                to=int(label),
                beam=beam,
                x_from=float(track.x[part.start]),
                x_to=float(track.x[part.stop - 1]),
                was=log.counts(now.label[part]),
            )
            return self._save(index, new)

    def set_shift(self, index: int, *, east: float, north: float) -> dict[str, object]:
        """Save another drift shift, in metres, and return the new state."""
        with self._lock:
            opened, file = self._open(index), self._file(index)
            if not (np.isfinite(east) and np.isfinite(north) and max(abs(east), abs(north)) <= 50_000):
                raise UsageError(f"shift: {east}, {north} m; expected at most 50 km each. Drag the track again.")
            return self._save(
                index,
                Correction(
                    action=log.SHIFT,
                    granule=file.granule,
                    who=self.who,
                    to=(float(east), float(north)),
                    was=self._shift(file, opened.lines),
                ),
            )

    def set_done(self, index: int, *, done: bool) -> dict[str, object]:
        """Save whether a file is reviewed, and return the new state."""
        with self._lock:
            opened, file = self._open(index), self._file(index)
            return self._save(
                index,
                Correction(
                    action=log.DONE,
                    granule=file.granule,
                    who=self.who,
                    to=bool(done),
                    was=log.is_done(opened.lines, granule=file.granule),
                ),
            )

    def undo(self, index: int, *, expected: str) -> dict[str, object]:
        """Take the last change back by appending a line, and return the new state.

        Raises
        ------
        ConflictError
            If the last change is not the one with the id expected (another window was faster).
        """
        with self._lock:
            done, _ = log.history(self._open(index).lines)
            return self._take_back(index, done[-1] if done else None, done[-1].id if done else "", expected)

    def redo(self, index: int, *, expected: str) -> dict[str, object]:
        """Bring back what was undone last, by appending a line that takes the undo back; ``expected`` is the change's
        id."""
        with self._lock:
            _, undone = log.history(self._open(index).lines)
            return self._take_back(
                index, undone[-1][1] if undone else None, undone[-1][0].id if undone else "", expected
            )

    def _take_back(self, index: int, line: Correction | None, change: str, expected: str) -> dict[str, object]:
        if line is None or change != expected:
            raise ConflictError(
                "undo: that is not the last change any more; another window changed something. The page shows what"
                " holds now."
            )
        return self._save(index, Correction(action=log.UNDO, granule=line.granule, who=self.who, to=line.id))

    def _save(self, index: int, new: Correction) -> dict[str, object]:
        opened = self._open(index)
        lines = [*opened.lines, log.append(self.files[index].corrections, new)]
        now = _now(opened.tracks, lines, self.files[index].granule)
        self._opened[index] = replace(opened, lines=lines, torn="", now=now)
        self._summaries.pop(index, None)
        return self.state(index)

    # ---- inside --------------------------------------------------------------------------------

    def _file(self, index: int) -> LabelFile:
        if not 0 <= index < len(self.files):
            raise UsageError(
                f"file {index}: there are {len(self.files)}; expected 0 to {len(self.files) - 1}. Load the page again."
            )
        return self.files[index]

    def _open(self, index: int) -> Opened:
        file = self._file(index)
        try:
            found = file.path.stat()
        except OSError as error:
            raise ProductError(
                f"{file.path.name}: is gone ({one_line(error)}); expected the labels at {file.path}. Put them back; the"
                " corrections are safe."
            ) from error
        stamp = (found.st_mtime_ns, found.st_size)
        opened = self._opened.get(index)
        if opened is None or opened.stamp != stamp:
            if opened is not None:  # the labels were made again meanwhile
                file = read_footer(file.path) or file
                self.files[index] = file
                self._pictures.pop(index, None)
            known = log.read_log(file.corrections)
            tracks = {k: t for k, t in read_tracks(file).items() if len(t.x)}
            if not tracks:
                raise ProductError(f"{file.path.name}: holds no segment; expected at least one. Take the next file.")
            lines = list(known.corrections)
            now = _now(tracks, lines, file.granule)
            opened = Opened(tracks=tracks, stamp=stamp, lines=lines, now=now, torn=known.torn)
            self._opened[index] = opened
            while len(self._opened) > FILES_IN_MEMORY:
                self._opened.popitem(last=False)
        self._opened.move_to_end(index)
        return opened

    def _track(self, index: int, beam: str) -> tuple[drawing.Track, Now]:
        with self._lock:
            opened = self._open(index)
            if beam not in opened.tracks:
                raise UsageError(
                    f"beam {beam!r}: {self.files[index].path.name} holds {list(opened.tracks)}. Choose one of these."
                )
            return opened.tracks[beam], opened.now[beam]

    def _summary(self, index: int) -> dict[str, object]:
        if index not in self._summaries:
            file = self.files[index]
            lines = log.read_log(file.corrections).corrections
            held = log.active(lines)
            self._summaries[index] = {
                "index": index,
                "name": file.path.name,
                "folder": file.path.parent.name,
                "granule": file.granule,
                "rows": file.rows,
                "done": log.is_done(lines, granule=file.granule),
                "changes": sum(c.action != log.DONE for c in held),
            }
        return self._summaries[index]

    @staticmethod
    def _sampled_shift(file: LabelFile) -> tuple[float, float]:
        values = (file.about.get("shift_east_m"), file.about.get("shift_north_m"))
        east, north = (float(v) if isinstance(v, (int, float)) and np.isfinite(v) else 0.0 for v in values)
        return east, north

    def _shift(self, file: LabelFile, lines: Sequence[Correction]) -> tuple[float, float]:
        """Return the shift in force; where all are undone, what held before the first."""
        held = log.shift(lines, granule=file.granule)
        first = next((c.was for c in lines if c.action == log.SHIFT and c.granule == file.granule), None)
        return held or (first if isinstance(first, tuple) else self._sampled_shift(file))

    @staticmethod
    def _stale(opened: Opened) -> int:
        """Return how many segments the file itself calls a person's though no correction in force covers them."""
        total = 0
        for name, track in opened.tracks.items():
            mine = track.source == schema.LABEL_PERSON
            for c in log.active(opened.lines):
                if c.action == log.LABEL and c.beam == name:
                    mine = mine.copy()
                    mine[log.stretch(track.x, c.x_from, x_to=c.x_to)] = False
            total += int(mine.sum())
        return total

    def _picture(self, index: int) -> Shown:
        """Return the scene, opened once."""
        if index not in self._pictures:
            file = self._file(index)
            self._pictures[index] = _opened_picture(file)
            for key in [k for k in self._tiles if k[0] == index]:
                del self._tiles[key]
            while len(self._pictures) > FILES_IN_MEMORY:
                gone, _ = self._pictures.popitem(last=False)
                for key in [k for k in self._tiles if k[0] == gone]:
                    del self._tiles[key]
        return self._pictures[index]

    def _picture_state(self, index: int) -> dict[str, object]:
        shown = self._pictures.get(index)  # known already: a change must not wait for a tile that is being read
        if shown is None:
            with self._picture_lock:
                shown = self._picture(index)
        picture = shown.picture
        if picture is None:
            return {"why": shown.why}
        return {
            "rows": picture.shape[0],
            "columns": picture.shape[1],
            "left": picture.left,
            "top": picture.top,
            "pixel": list(picture.pixel_m),
            "levels": picture.levels,
            "tile": review_picture.TILE,
            "time": None if picture.scene.time is None else str(picture.scene.time)[:19],
        }


def _opened_picture(file: LabelFile) -> Shown:
    named = file.about.get("scene")
    if not named:
        return Shown(why="These labels come without a scene: only the profile is shown.")
    path = next(
        (
            p
            for p in (Path(str(named)), file.path.parent / str(named), file.path.parent / Path(str(named)).name)
            if p.exists()
        ),
        None,
    )
    if path is None:
        name = Path(str(named)).name
        return Shown(why=f"The scene {name} is not where the labels say, nor beside them: only the profile is shown.")
    try:
        return Shown(picture=review_picture.open_picture(path))
    except PolynyaError as error:
        return Shown(why=f"The scene cannot be shown: {one_line(error)}")


def _now(tracks: dict[str, drawing.Track], lines: Sequence[Correction], granule: str) -> dict[str, Now]:
    out = {name: Now(label=t.label.copy(), source=t.source.copy(), flag=t.flag.copy()) for name, t in tracks.items()}
    for c in log.active(lines):
        if c.action == log.LABEL and c.granule == granule and c.beam in out:
            now = out[c.beam]
            log.overwrite(
                c,
                log.stretch(tracks[c.beam].x, c.x_from, x_to=c.x_to),
                label=now.label,
                source=now.source,
                flag=now.flag,
            )
    return out


def _version(opened: Opened) -> str:
    return f"{opened.stamp[0]}-{len(opened.lines)}"


def _description(c: Correction) -> dict[str, object]:
    """Return a change for the page: its id, and what it did, in words."""
    names = dict(schema.LABEL_CLASSES) | {schema.UNCLASSIFIED: "set aside"}
    if c.action == log.LABEL:
        label = names[int(c.to)].replace("_", " ")  # type: ignore[call-overload]
        text = f"{c.beam}, {c.x_to - c.x_from + 2:.0f} m: {label}"
    elif c.action == log.SHIFT:
        text = f"shift {c.to[0]:.0f}, {c.to[1]:.0f} m"  # type: ignore[index]
    else:
        text = "reviewed" if c.to else "not reviewed"
    return {"id": c.id, "text": text, "who": c.who, "time": c.time[:19], "action": c.action, "beam": c.beam} | (
        {"x": [c.x_from, c.x_to]} if c.action == log.LABEL else {}
    )
