"""Tables of pairs: what goes together, a row each, as CSV with a header or as Parquet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pyarrow as pa

from ..errors import ProductError, UsageError, one_line
from . import opening, parquet

PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table of pairs.

    Attributes
    ----------
    where : str
        The table and the line, as messages name it.
    cells : dict of str to str
        Column -> text; empty where a cell is missing, numbers as text.
    """

    where: str
    cells: dict[str, str]


def read(path: Path | str, *, columns: Sequence[str], needed: Sequence[str], any_of: Sequence[str] = ()) -> list[Row]:
    """Read a table of pairs.

    Parameters
    ----------
    path : Path or str
        CSV with a header, or Parquet.
    columns : sequence of str
        All that it may have.
    needed : sequence of str
        Those that must be there, with a cell in every row.
    any_of : sequence of str
        Those of which one must be there.

    Returns
    -------
    list of Row
        At least one.

    Raises
    ------
    ProductError
        If it cannot be read.
    UsageError
        If a column or a cell does not fit, or there is no row.
    """
    path = Path(path)
    is_parquet = path.suffix.lower() in PARQUET
    rows, names = _of_parquet(path) if is_parquet else _of_csv(path)
    others = [n for n in columns if n not in needed and n not in any_of]
    fits = set(names) <= set(columns) and set(needed) <= set(names) and (not any_of or set(any_of) & set(names))
    if not fits:
        wanted = [*needed, " or ".join(any_of)] if any_of else needed
        raise UsageError(
            f"{path.name}: columns {', '.join(names) or 'none'}; expected {', '.join(wanted)}, and perhaps"
            f" {', '.join(others)}. Correct its first line."
        )
    found = []
    for number, row in enumerate(rows, start=2):
        cells = {str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None}
        where = f"{path.name} {'row, counted with the header,' if is_parquet else 'line'} {number}"
        empty = [n for n in needed if not cells.get(n)]
        if empty:
            raise UsageError(f"{where}: {empty[0]} is empty; expected {' and '.join(needed)}. Correct the line.")
        found.append(Row(where=where, cells=cells))
    if not found:
        raise UsageError(f"{path.name}: holds no pair; expected one line per pair below the header. Add them.")
    return found


def check_different(path: Path | str, outs: Sequence[str]) -> None:
    """Raise where two pairs of a table have one output.

    Parameters
    ----------
    path : Path or str
        The table.
    outs : sequence of str
        The output of each.

    Raises
    ------
    UsageError
        If so.
    """
    double = sorted({Path(o).stem for o in outs if outs.count(o) > 1})
    if double:
        raise UsageError(
            f"{Path(path).name}: {', '.join(double[:3])} occurs more than once; expected names that differ, since each"
            " pair gets its own file. Add a column name."
        )


def _of_csv(path: Path) -> tuple[list[dict], list[str]]:
    text = opening.read_text(path, expected="a table of pairs as CSV. Check the path")
    try:
        reader = csv.DictReader(StringIO(text, newline=""))
        return list(reader), [n.strip() for n in reader.fieldnames or []]
    except csv.Error as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)}); expected a table of pairs as CSV. Check the path."
        ) from error


def _of_parquet(path: Path) -> tuple[list[dict], list[str]]:
    """Return the rows as those of a CSV: numbers as text, nothing where a cell is missing."""
    try:
        table = parquet.read(path)
    except (OSError, pa.ArrowException) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)}); expected a table of pairs as Parquet. Check the path."
        ) from error
    rows = [{k: "" if v is None or v != v else str(v) for k, v in row.items()} for row in table.to_pylist()]
    return rows, list(table.column_names)
