"""The two files of a simulated granule: written together, and replaced only where a simulation wrote them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import pyarrow as pa

from ... import io, schema
from ...errors import OutputError, ProductError, UsageError, one_line


def truth_name(out: Path | str) -> Path:
    """Return the path of a granule's truth."""
    out = Path(out)
    return out.with_name(out.stem + "_truth.parquet")


@contextlib.contextmanager
def granule_pair(
    out: Path | str, *, about: dict[str, object], overwrite: bool = False
) -> Iterator[tuple[h5py.File, Callable[[pa.Table], None], ThreadPoolExecutor]]:
    """Open a granule and its truth under temporary names; both get their final names only if everything succeeds.

    Parameters
    ----------
    out : Path or str
        The granule, ``NAME.h5``.
    about : dict
        What the truth states about itself.
    overwrite : bool
        Replace an earlier simulated granule and its truth.

    Yields
    ------
    handle : h5py.File
    write_truth : function
        Writes the truth table of one beam; call it once per beam.
    pool : concurrent.futures.ThreadPoolExecutor
        Threads that compress.

    Raises
    ------
    UsageError
        If the name does not end in .h5, or there is an earlier granule and ``overwrite`` is not given.
    OutputError
        If the files cannot be written, or one of them is there and is no simulation of polynya.
    """
    out = Path(out)
    if out.suffix != ".h5":
        raise UsageError(f"the output is named {out.name}; expected a name that ends in .h5. Name it {out.stem}.h5.")
    if out.is_dir() or truth_name(out).is_dir():
        raise OutputError(
            f"{out}: is a folder, or {truth_name(out).name} is; expected files to write. Choose another name."
        )
    check_places(out, truth_name(out), overwrite=overwrite)
    about = {"granule": out.stem, **about}
    with io.writing(out) as temporary, io.writing(truth_name(out)) as truth_part:
        try:
            with ThreadPoolExecutor(2) as pool, h5py.File(temporary, "w", libver=("earliest", "v110")) as handle:
                writer = io.TableWriter(truth_part, spec=schema.TRUTH, about=about)
                with contextlib.closing(writer):
                    yield handle, writer.write, pool
        except RuntimeError as error:  # what HDF5 raises when it cannot flush
            raise OutputError(
                f"{out}: writing failed ({one_line(error)}); expected room on the disk. Free some or write elsewhere."
            ) from error


def check_places(granule: Path, truth: Path, *, overwrite: bool) -> None:
    """Raise unless granule and truth are free, or an earlier simulation that is to be replaced.

    Parameters
    ----------
    granule, truth : Path
        The files of a simulation.
    overwrite : bool
        An earlier simulation may be replaced.

    Raises
    ------
    UsageError
        If an earlier simulation is there and ``overwrite`` is not given.
    OutputError
        If something else is there.
    """
    there = [p for p in (granule, truth) if p.exists() or p.is_symlink()]
    for path in there:
        if not (_is_simulated_granule(path) if path == granule else _is_truth(path)):
            raise OutputError(
                f"{path}: exists already and is no simulation of polynya; expected a free name: it is not replaced,"
                " even with --overwrite. Choose another name, or move it away."
            )
    if granule in there and not overwrite:  # a truth alone is of a run that was stopped: the granule comes last
        raise UsageError(f"{there[0]}: exists already; expected a new name. Pass --overwrite to replace it.")


def _is_simulated_granule(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as handle:
            return "polynya_simulation" in handle.attrs
    except OSError:
        return False


def _is_truth(path: Path) -> bool:
    try:
        metadata = io.read_table(path, columns=["surface_class"]).schema.metadata or {}
    except ProductError:
        return False
    return metadata.get(b"polynya_table") == schema.TRUTH.name.encode()
