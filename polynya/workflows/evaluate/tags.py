"""``polynya evaluate`` for tags of imagettes: tables against tags of people, the truth of a simulation, or classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from ... import io, schema
from ...errors import PolynyaError, ProductError, UsageError
from ...evaluate import scene_rows
from ...evaluate.tags import rows
from ...evaluate.tags.scores import Answer, Truth, confidence_of
from ...readers import tengeop_sarwv, wv_quicklooks
from ...readers.wave_mode_names import parse
from ...samples import labelled_imagettes
from ...schema import counted
from ...schema.imagette_tags import IMAGETTE_TAGS, NOT_ASSESSED, PROBABILITIES
from ...schema.imagettes import ABSENT, PRESENT, TAGS, UNKNOWN

TABLE = "tags.parquet"
SIMULATED = "simulated imagettes: nothing here is skill on real data."
NETWORK = "the network has learned from simulated imagettes only."


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a reference says of one image: tags as 1, 0, -1 (unknown, or there and invisible); all that is there."""

    tags: np.ndarray
    there: np.ndarray


def is_tags(out: Path | str) -> bool:
    """Tell whether a result is of tags of imagettes: a table, its folder, or a folder of such.

    Parameters
    ----------
    out : Path or str
        File or folder.
    """
    return bool(tables_in(Path(out)))


def tables_in(out: Path) -> list[Path]:
    """Return the tables of tags of a result, sorted by their folders' names."""
    if out.is_file():
        return [out] if out.suffix == ".parquet" and _is_table(out) else []
    if (out / TABLE).is_file():
        return [out / TABLE] if _is_table(out / TABLE) else []
    return [p for p in sorted(out.glob(f"*/{TABLE}")) if _is_table(p)] if out.is_dir() else []


def _is_table(path: Path) -> bool:
    try:
        return io.table_metadata(path).get(b"polynya_table", b"").decode() == IMAGETTE_TAGS.name
    except (PolynyaError, OSError):
        return False


def run(out: Path | str, *, reference: Path | str, seed: int = 0, draws: int = 200) -> pa.Table:
    """Score tags against a reference.

    Parameters
    ----------
    out : Path or str
        Of :func:`is_tags`.
    reference : Path or str
        Folder with ``tags.csv`` (what ``polynya review`` wrote, quick-looks, a simulation, whose truth is then used),
        the folder of TenGeoP-SARwv, or a folder of such.
    seed, draws : int
        Of passes, for the intervals.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.

    Raises
    ------
    ProductError
        If something cannot be read, or no imagette is in both.
    """
    out, reference = Path(out), Path(reference)
    tables = [schema.check(io.read_table(p), IMAGETTE_TAGS) for p in tables_in(out)]
    if not tables:
        raise ProductError(f"{out}: holds no {TABLE} of polynya tags; expected one. Check the path.")
    meta = [{k.decode(): v.decode() for k, v in (t.schema.metadata or {}).items()} for t in tables]
    table = pa.concat_tables([t.replace_schema_metadata(None) for t in tables])
    known = read_reference(reference)
    names = table["name"].to_pylist()
    place = np.array([k for k, n in enumerate(names) if n in known], np.int64)
    _check_once([names[k] for k in place], out)
    if not place.size:
        raise ProductError(
            f"{reference.name} and {out.name}: no imagette is in both, by its name; expected tags of the same pictures."
            " Check the folders."
        )
    sample = _sample(table.take(pa.array(place)), [known[names[k]] for k in place])
    about: dict[str, object] = {"result": out.name}
    if any(m.get("is_simulated") == "true" for m in meta):
        about["simulated"] = SIMULATED
    if any(m.get("is_network_simulated") == "true" for m in meta):
        about["remark"] = NETWORK
    about["matched"] = "imagettes and reference are matched by the names of the pictures, without ending."
    left, unused = len(names) - place.size, len(known) - place.size
    if left or unused:
        about["left_out"] = f"{left:,} imagettes without a reference, and {unused:,} of the reference without tags."
    found = rows.compare(sample, draws=draws, seed=seed)
    return scene_rows.tidy(found, region="all", reference=reference.name, about=about)


def _check_once(names: list[str], out: Path) -> None:
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice:
        raise ProductError(
            f"{out.name}: {counted(len(twice), 'picture')} of the reference {'is' if len(twice) == 1 else 'are'} there"
            f" more than once, as {twice[0]}; expected each name once, since the reference is matched by name. Evaluate"
            " each folder by itself."
        )


def read_reference(path: Path) -> dict[str, Known]:
    """Return what is known of each image, by its name without ending; no picture is read.

    Parameters
    ----------
    path : Path
        Folder with ``tags.csv``, of TenGeoP-SARwv, or of such folders.

    Raises
    ------
    ProductError
        If it has no tags, is damaged, or has an image twice.
    """
    out: dict[str, Known] = {}
    try:
        folders = labelled_imagettes.folders([path])
    except UsageError as error:
        raise ProductError(str(error)) from error
    for folder in folders:
        for name, one in _of_folder(folder):
            if name in out:
                raise ProductError(
                    f"{folder.name}: {name} is in the reference twice; expected each image once. Give other folders."
                )
            out[name] = one
    return out


def _of_folder(folder: Path) -> list[tuple[str, Known]]:
    found = []
    if tengeop_sarwv.is_product(folder):
        for row in tengeop_sarwv.read_table(folder):
            tags = np.full(len(TAGS), UNKNOWN, np.int8)
            tags[row.phenomenon] = PRESENT
            found.append((row.name, Known(tags=tags, there=tags == PRESENT)))
        return found
    truth = labelled_imagettes.true_tags(folder)
    for one in wv_quicklooks.read_table(folder):
        there, tags = truth.get(one.filename, (one.tags == PRESENT, one.tags))
        found.append((PurePosixPath(one.filename).stem, Known(tags=tags, there=there)))
    return found


def _sample(table: pa.Table, known: list[Known]) -> rows.Sample:
    """Return answers and reference of the same images."""
    p = np.stack([schema.to_numpy(table[n]) for n in PROBABILITIES], axis=1)
    is_assessed = (schema.to_numpy(table["tag_quality"]) & NOT_ASSESSED) == 0
    given, precise = (_given(table[n].to_pylist()) for n in ("tags", "precise_tags"))
    p = np.nan_to_num(p)
    names = table["name"].to_pylist()
    passes = [f"{n.satellite}-{n.absolute_orbit}" if (n := parse(name)) is not None else name for name in names]
    tags = np.array([k.tags for k in known])
    truth = Truth(
        tags=np.array([k.there for k in known]),
        known=(tags == PRESENT) | (tags == ABSENT),
        passed=np.unique(passes, return_inverse=True)[1].reshape(-1),
    )
    confidence = np.where(is_assessed, confidence_of(p, given), -1.0)
    answer = Answer(probability=p, given=given, confidence=confidence)
    return rows.Sample(labels=TAGS, answer=answer, precise=precise, is_assessed=is_assessed, truth=truth)


def _given(words: list[list[str]]) -> np.ndarray:
    return np.array([[t in (w or ()) for t in TAGS] for w in words], bool).reshape(len(words), len(TAGS))
