"""Labelled imagettes for training: folders with tables of tags, read once into pictures of one size.

Read are folders with ``tags.csv`` (quick-looks, and what ``polynya simulate wv`` writes) and the folder of
TenGeoP-SARwv. Where a simulation's truth lies beside the tags, a tag that is there but cannot be seen counts as
unknown, as it would for whoever looks at the picture. The pictures lie in a temporary file that is mapped into memory
and vanishes with the process: 160 kB each, and memory holds only those that are in use.
"""

from __future__ import annotations

import csv
import hashlib
import io as bytes_io
import itertools
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import ProductError, UsageError
from ..io import opening
from ..readers import tengeop_sarwv, wv_quicklooks
from ..schema.imagettes import PRESENT, SHORT_NAMES, TAGS, UNKNOWN, Imagette
from .imagette_pictures import Prepared, prepare

TRUTH = "truth.csv"
"""What a simulation writes beside its tags."""
CHUNK = 64
"""Imagettes read ahead; so many are in memory at once."""
THREADS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledImagettes:
    """Imagettes of many folders with their tags, n of them.

    Attributes
    ----------
    grey : numpy.ndarray of uint8, shape (n, size, size)
        Stretched pictures, mapped from a file; (n, 0, 0) where feature vectors are read.
    scalars : numpy.ndarray of float32, shape (n, 16)
        As of :data:`polynya.samples.imagette_pictures.SCALARS`; or the feature vectors (n, features).
    limits : numpy.ndarray of float32, shape (n, 2)
        What 0 and 255 of each picture stand for.
    tags : numpy.ndarray of int8, shape (n, 10)
        1 present, 0 absent, -1 unknown.
    passed : numpy.ndarray of int32, shape (n,)
        Position in ``passes``.
    passes : tuple of str
        Orbits; images of which no orbit is known are one each.
    names, satellites, beams : tuple of str
        Name of each; satellites and beams that occur.
    simulated : bool
        Whether any was taken by no satellite.
    digests : numpy.ndarray of uint32, shape (n,)
        Check sums of the pictures.
    about : tuple of dict
        Of each folder: its name, imagettes and tags.
    """

    grey: np.ndarray
    scalars: np.ndarray
    limits: np.ndarray
    tags: np.ndarray
    passed: np.ndarray
    passes: tuple[str, ...]
    names: tuple[str, ...]
    satellites: tuple[str, ...]
    beams: tuple[str, ...]
    simulated: bool
    digests: np.ndarray
    about: tuple[dict[str, object], ...]

    def __len__(self) -> int:
        return len(self.tags)

    def fingerprint(self) -> str:
        """Return a hash of pictures, numbers, tags and passes."""
        h = hashlib.sha256("\n".join([*self.passes, *self.names]).encode())
        for column in (self.digests, self.scalars, self.limits, self.tags, self.passed):
            h.update(np.ascontiguousarray(column).data)
        return h.hexdigest()


def folders(paths: Iterable[Path | str]) -> list[Path]:
    """Return the folders with tags that are meant, each once.

    Parameters
    ----------
    paths : iterable of Path or str
        Such folders, files in them, or folders of such folders.

    Raises
    ------
    UsageError
        If one holds no tags.
    """
    out: list[Path] = []
    for path in map(Path, paths):
        place = path.parent if path.is_file() else path
        inside = [] if _has_tags(place) or not place.is_dir() else sorted(p for p in place.iterdir() if _has_tags(p))
        if not inside and not _has_tags(place):
            raise UsageError(
                f"{path}: holds neither {wv_quicklooks.TABLE} nor {tengeop_sarwv.IMAGES_FILE}; expected a folder of"
                " imagettes with tags. Check the path, or write the table."
            )
        out += [p for p in inside or [place] if p not in out]
    return out


def _has_tags(folder: Path) -> bool:
    return tengeop_sarwv.is_product(folder) or wv_quicklooks.is_product(folder)


def opened(folder: Path | str) -> Iterator[Imagette]:
    """Read a folder's imagettes with their tags, one after the other.

    Parameters
    ----------
    folder : Path or str
        With ``tags.csv``, or of TenGeoP-SARwv.

    Raises
    ------
    ProductError
        If it has no tags, or is damaged.
    """
    folder = Path(folder)
    if tengeop_sarwv.is_product(folder):
        yield from tengeop_sarwv.read(folder)
        return
    unseen = unseen_tags(folder)
    names = [row.filename for row in wv_quicklooks.read_table(folder)]
    for name, imagette in zip(names, wv_quicklooks.read(folder), strict=True):
        hidden = unseen.get(name)
        if hidden is not None and hidden.any():
            imagette = replace(imagette, tags=np.where(hidden, np.int8(UNKNOWN), imagette.tags))
        yield imagette


def unseen_tags(folder: Path | str) -> dict[str, np.ndarray]:
    """Return which tags of which image are there but cannot be seen, by file name, bool (10,); empty without truth.

    Parameters
    ----------
    folder : Path or str
        Of a simulation.

    Raises
    ------
    ProductError
        If the truth lacks columns.
    """
    return {name: seen < 0 for name, (_, seen) in true_tags(folder).items()}


def true_tags(folder: Path | str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the true tags of a simulation, bool (10,), and the same as 1, 0, -1 for unseen ones, by file name.

    Parameters
    ----------
    folder : Path or str
        Of a simulation; without truth there are none.

    Raises
    ------
    ProductError
        If the truth lacks columns.
    """
    path = Path(folder) / TRUTH
    if not path.is_file():
        return {}
    found = {}
    try:
        for line in csv.DictReader(bytes_io.StringIO(opening.read_text(path))):
            tags = np.array([line[n] == "1" for n in SHORT_NAMES])
            found[line["filename"]] = (tags, np.array([line[f"{n}_visible"] for n in SHORT_NAMES]).astype(np.int8))
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise ProductError(
            f"{Path(folder).name}/{TRUTH}: cannot be read; expected the truth of polynya simulate wv. Simulate again."
        ) from error
    return found


def read(
    paths: Iterable[Path | str], *, size: int, pixel_m: float, vectors: str = "", features: int = 0
) -> LabelledImagettes:
    """Read imagettes with tags.

    Parameters
    ----------
    paths : iterable of Path or str
        Of :func:`folders`.
    size : int
        Pixels on a side of the pictures.
    pixel_m : float
        Side of a pixel on the ground, m.
    vectors : str
        Name of an NPY file in each folder with one feature vector per row of its table, instead of the pictures.
    features : int
        Numbers in such a vector.

    Raises
    ------
    UsageError
        If a folder has no tags, or there is no imagette.
    ProductError
        If something is damaged.
    """
    file = tempfile.TemporaryFile(prefix="polynya-imagettes-")  # noqa: SIM115 it lives as long as the map of it
    rows: list[tuple[Imagette, Prepared | None, int]] = []
    about, given, inside = [], [], 0
    for folder in folders(paths):
        before = len(rows)
        if vectors:
            rows += [(_light(i), None, zlib.crc32(i.picture.tobytes())) for i in opened(folder)]
            given.append(vectors_of(folder / vectors, count=len(rows) - before, features=features))
        else:
            for imagette, prepared in _prepared(opened(folder), size=size, pixel_m=pixel_m):
                data = prepared.grey.tobytes()
                file.write(data)
                inside += len(data)
                rows.append((_light(imagette), replace(prepared, grey=np.empty((0, 0), np.uint8)), zlib.crc32(data)))
        mine = np.array([i.tags for i, _, _ in rows[before:]]).reshape(-1, len(TAGS))
        counts = dict(zip(SHORT_NAMES, (mine == PRESENT).sum(axis=0).tolist(), strict=True))
        about.append({"file": folder.name, "imagettes": len(mine), "tags": counts})
    if not rows:
        raise UsageError("labelled imagettes: the folders hold none; expected some. Give other folders.")
    file.flush()
    if inside:
        grey: np.ndarray = np.memmap(file, np.uint8, "r", shape=(len(rows), size, size))
    else:
        grey = np.zeros((len(rows), 0, 0), np.uint8)
    file.close()
    passes: dict[str, int] = {}
    passed = np.array([passes.setdefault(i.group, len(passes)) for i, _, _ in rows], np.int32)
    return LabelledImagettes(
        grey=grey,
        scalars=np.concatenate(given) if vectors else np.array([p.scalars for _, p, _ in rows if p is not None]),
        limits=np.array([(0.0, 1.0) if p is None else p.limits for _, p, _ in rows], np.float32),
        tags=np.array([i.tags for i, _, _ in rows], np.int8),
        passed=passed,
        passes=tuple(passes),
        names=tuple(i.name for i, _, _ in rows),
        satellites=tuple(sorted({i.satellite for i, _, _ in rows} - {""})),
        beams=tuple(sorted({i.beam for i, _, _ in rows} - {""})),
        simulated=any(i.is_simulated for i, _, _ in rows),
        digests=np.array([c for _, _, c in rows], np.uint32),
        about=tuple(about),
    )


def vectors_of(path: Path, *, count: int, features: int) -> np.ndarray:
    """Return feature vectors, float32 (count, features), of an NPY file.

    Parameters
    ----------
    path : Path
        The file.
    count, features : int
        Its shape as it must be.

    Raises
    ------
    ProductError
        If it is missing, no NPY file of numbers, or of another shape.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, SyntaxError, TypeError) as error:
        raise ProductError(
            f"{path.parent.name}/{path.name}: cannot be read; expected an NPY file with a feature vector per row of the"
            " table of tags. Check settings.vectors of the recipe."
        ) from error
    if not isinstance(found, np.ndarray) or found.shape != (count, features) or found.dtype.kind not in "fiu":
        raise ProductError(
            f"{path.parent.name}/{path.name}: has the shape {getattr(found, 'shape', None)}; expected {count} vectors"
            f" of {features} numbers. Compute them again, or change model.features."
        )
    return found.astype(np.float32)


def _light(imagette: Imagette) -> Imagette:
    """Return an imagette without its picture."""
    return replace(imagette, picture=np.empty((0, 0), np.float32), mask=np.empty((0, 0), bool))


def _prepared(imagettes: Iterator[Imagette], *, size: int, pixel_m: float) -> Iterator[tuple[Imagette, Prepared]]:
    """Prepare imagettes some at a time; they are read while earlier ones are prepared."""

    def work(imagette: Imagette) -> Prepared:
        return prepare(imagette, size=size, pixel_m=pixel_m)

    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(itertools.islice(imagettes, CHUNK)):
            yield from zip(chunk, pool.map(work, chunk), strict=True)
