"""What goes together: a granule and the scene under it, or a simulated granule and its truth; tables of such pairs."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ... import io
from ...errors import ProductError, UsageError, one_line
from ...io import opening
from .config import Config

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give other labels."""
COLUMNS = ("granule", "image", "truth", "shift_east", "shift_north", "corrections", "name")
"""Columns of a table of pairs; ``granule`` and one of ``image`` and ``truth`` must be there."""

FILES = ("granule", "image", "truth", "corrections")
"""Columns that name a file, or its address."""
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What one label table is made from: paths as text, and where it goes; an item of an engine.

    Attributes
    ----------
    granule : str
    out : str
        The table's file.
    image, truth : str
        One of them; the other is empty.
    shift : tuple of float, optional
        East and north, m; estimated where it is not given.
    corrections : str
        File of a person's corrections, or empty.
    """

    granule: str
    out: str
    image: str = ""
    truth: str = ""
    shift: tuple[float, float] | None = None
    corrections: str = ""

    @property
    def name(self) -> str:
        """The table's file, which tells a pair from the others of a run."""
        return self.out

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.out

    def key(self, config: Config) -> io.Key:
        """Return everything that decides the labels: settings, the shift, the content of every file.

        Parameters
        ----------
        config : Config
            How labels are made.
        """
        files = {
            "granule": self.granule,
            "scene": self.image,
            "truth": self.truth,
            "corrections": self.corrections,
            "weights": config.weights,
        }
        return io.Key(
            workflow="label",
            version=RESULTS_VERSION,
            settings={**config.model_dump(mode="json", exclude={"weights"}), "shift": self.shift},
            inputs={role: io.local_path(text) for role, text in files.items() if text},
        )


def read_pairs(path: Path | str, *, out: Path | str) -> list[Pair]:
    """Read a table of pairs (CSV with a header, or Parquet); relative paths are relative to the table.

    Parameters
    ----------
    path : Path or str
        Columns of :data:`COLUMNS`.
    out : Path or str
        Folder of the label tables, each named as its granule, or as the column ``name`` says.

    Returns
    -------
    list of Pair

    Raises
    ------
    ProductError
        If it cannot be read.
    UsageError
        If a column, a cell or a name does not fit.
    """
    path = Path(path)
    rows, names = _rows_of_parquet(path) if path.suffix.lower() in PARQUET else _rows_of_csv(path)
    unknown = [n for n in names if n not in COLUMNS]
    if unknown or "granule" not in names or not {"image", "truth"} & set(names):
        raise UsageError(
            f"{path.name}: columns {', '.join(names) or 'none'}; expected granule, image (or truth), and perhaps"
            f" {', '.join(COLUMNS[3:])}. Correct its first line."
        )
    pairs = [_pair(path, number, row, Path(out)) for number, row in enumerate(rows, start=2)]
    outs = [p.out for p in pairs]
    double = sorted({Path(o).stem for o in outs if outs.count(o) > 1})
    if double:
        raise UsageError(
            f"{path.name}: {', '.join(double[:3])} occurs more than once; expected names that differ, since each pair"
            " gets its own file. Add a column name."
        )
    if not pairs:
        raise UsageError(f"{path.name}: holds no pair; expected one line per pair below the header. Add them.")
    return pairs


def _rows_of_csv(path: Path) -> tuple[list[dict], list[str]]:
    text = opening.read_text(path, expected="a table of pairs as CSV. Check the path")
    try:
        reader = csv.DictReader(StringIO(text, newline=""))
        return list(reader), [n.strip() for n in reader.fieldnames or []]
    except csv.Error as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)}); expected a table of pairs as CSV. Check the path."
        ) from error


def _rows_of_parquet(path: Path) -> tuple[list[dict], list[str]]:
    """Return the rows as those of a CSV: numbers as text, nothing where a cell is missing."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)}); expected a table of pairs as Parquet. Check the path."
        ) from error
    rows = [{k: "" if v is None or v != v else str(v) for k, v in row.items()} for row in table.to_pylist()]
    return rows, list(table.column_names)


def _pair(path: Path, number: int, row: dict[str | None, object], out: Path) -> Pair:
    cells = {str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None}
    where = f"{path.name} {'line' if path.suffix.lower() not in PARQUET else 'row, counted with the header,'} {number}"
    if not cells.get("granule") or bool(cells.get("image")) == bool(cells.get("truth")):
        raise UsageError(
            f"{where}: granule '{cells.get('granule', '')}', image '{cells.get('image', '')}', truth"
            f" '{cells.get('truth', '')}'; expected a granule and one of the others. Correct the line."
        )
    shift = None
    if cells.get("shift_east") or cells.get("shift_north"):
        try:
            shift = (float(cells.get("shift_east", "")), float(cells.get("shift_north", "")))
        except ValueError:
            shift = (math.nan, math.nan)
        if not all(math.isfinite(v) for v in shift):
            raise UsageError(
                f"{where}: shift_east '{cells.get('shift_east', '')}', shift_north '{cells.get('shift_north', '')}';"
                " expected two numbers in metres, or both empty. Correct the line."
            )
    here = {k: cells.get(k, "") for k in FILES}
    here = {k: str(path.parent / v) if v and not io.is_address(v) else v for k, v in here.items()}
    name = cells.get("name") or Path(io.name_of(cells["granule"])).stem
    if Path(name).name != name:
        raise UsageError(f"{where}: name '{name}'; expected a plain file name. Correct the line.")
    return Pair(
        granule=here["granule"],
        out=str(out / f"{name}.parquet"),
        image=here["image"],
        truth=here["truth"],
        shift=shift,
        corrections=here["corrections"],
    )
