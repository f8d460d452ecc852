"""Label tables as the review page takes them: found among files and folders, and read beam by beam."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ... import io, schema
from ...errors import ProductError
from ...io import parquet
from ...labels import corrections as log
from ...report import review as drawing

COLUMNS = tuple(
    n for n in drawing.Track.__dataclass_fields__ if n not in ("beam", "is_strong", "x", "rate", "source", "flag")
)


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """A label table by its footer.

    Attributes
    ----------
    path : Path
    granule : str
    rows : int
    about : dict
        The table's metadata, values as JSON where they are JSON.
    """

    path: Path
    granule: str
    rows: int
    about: dict[str, object]

    @property
    def corrections(self) -> Path:
        """The file of its corrections."""
        return log.beside(self.path)


def find(paths: Sequence[Path | str]) -> list[LabelFile]:
    """Return the label tables among files and folders, in the order given, folders sorted by name.

    Parameters
    ----------
    paths : sequence of Path or str
        Label tables, or folders that hold some.

    Raises
    ------
    ProductError
        If a file named is no label table, or a folder holds none.
    """
    found: dict[Path, LabelFile] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = [
                f for f in (read_footer(p) for p in sorted(path.rglob("*.parquet")) if not p.name.startswith(".")) if f
            ]
            if not inside:
                raise ProductError(
                    f"{path}: holds no label table; expected .parquet files that polynya label wrote. Name their"
                    " folder, or run polynya label first."
                )
            found |= {f.path.resolve(): f for f in inside}
            continue
        if not path.exists():
            raise ProductError(
                f"{path.name}: no such file at {path}; expected labels that polynya label wrote. Check the path."
            )
        one = read_footer(path)
        if one is None:
            raise ProductError(
                f"{path.name}: is no label table; expected one that polynya label wrote (polynya_table=labels). Run"
                " polynya label first."
            )
        found[path.resolve()] = one
    return list(found.values())


def read_footer(path: Path) -> LabelFile | None:
    """Return a label table by its footer, None where a file is something else.

    Parameters
    ----------
    path : Path
        A Parquet file, or any other.
    """
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        with parquet.opened(path) as file:
            metadata, rows = file.schema_arrow.metadata or {}, file.metadata.num_rows
    except (pa.ArrowException, OSError):
        return None
    if metadata.get(b"polynya_table") != schema.LABELS.name.encode():
        return None
    about = {
        k.decode(): _value(v.decode("utf-8", "replace"))
        for k, v in metadata.items()
        if k not in (b"geo", b"pandas", b"ARROW:schema")
    }
    return LabelFile(path=path, granule=str(about.get("granule") or path.stem), rows=rows, about=about)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_tracks(file: LabelFile) -> dict[str, drawing.Track]:
    """Read a label table's beams.

    Parameters
    ----------
    file : LabelFile
        As :func:`find` gives it.

    Raises
    ------
    ProductError
        If it cannot be read, lacks a column, or holds several granules.
    """
    table = io.read_table(file.path)
    missing = [
        n
        for n in schema.LABELS.names
        if n not in table.column_names
        and n in (*COLUMNS, "x_atc", "photon_rate", "label_source", "label_flag", "beam", "granule")
    ]
    if missing:
        raise ProductError(
            f"{file.path.name}: columns {missing} are missing; expected those of polynya.schema.LABELS. Run polynya"
            " label again."
        )
    granules = pc.unique(table["granule"].cast(pa.string())).to_pylist()
    if len(granules) > 1 or (granules and granules[0] != file.granule):
        raise ProductError(
            f"{file.path.name}: holds the granules {granules[:4]}, its metadata say {file.granule}; expected one"
            " granule per file. Review the files that polynya label wrote."
        )
    out = {}
    beams = table["beam"].cast(pa.string())
    for beam in sorted(pc.unique(beams).to_pylist()):
        part = table.filter(pc.equal(beams, beam))
        order = np.argsort(schema.to_numpy(part["x_atc"]), kind="stable")
        values = {n: _floats(part[n])[order] for n in ("height", "easting", "northing", "latitude", "longitude")}
        whole = {n: schema.to_numpy(part[n])[order] for n in ("image_value", "label", "label_source", "label_flag")}
        time = schema.to_numpy(part["time"].cast(schema.UTC_NS).cast(pa.int64()))[order]
        out[beam] = drawing.Track(
            beam=beam,
            is_strong=bool(pc.any(part["is_strong"]).as_py()),
            x=schema.to_numpy(part["x_atc"])[order],
            rate=_floats(part["photon_rate"])[order],
            time=time,
            image_value=whole["image_value"],
            label=whole["label"],
            source=whole["label_source"],
            flag=whole["label_flag"],
            **values,
        )
    return out


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(schema.to_numpy(column), np.float64)
