"""What goes together: a granule and the scene under it, or a simulated granule and its truth; tables of such pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ... import io
from ...errors import UsageError
from ...io import pairs
from .config import Config

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give other labels."""
COLUMNS = ("granule", "image", "truth", "shift_east", "shift_north", "corrections", "name")
"""Columns of a table of pairs; ``granule`` and one of ``image`` and ``truth`` must be there."""

FILES = ("granule", "image", "truth", "corrections")
"""Columns that name a file, or its address."""


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
        Folder of the label tables, or its address, each named as its granule, or as the column ``name`` says.

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
    folder = io.place(out)
    rows = pairs.read(path, columns=COLUMNS, needed=COLUMNS[:1], any_of=("image", "truth"))
    found = [_pair(path, row, folder) for row in rows]
    pairs.check_different(path, [p.out for p in found])
    return found


def _pair(path: Path, row: pairs.Row, out: io.Place) -> Pair:
    cells, where = row.cells, row.where
    if bool(cells.get("image")) == bool(cells.get("truth")):
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
