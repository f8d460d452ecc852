"""What commands print on a terminal: finished granules, verifications, a progress bar."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..schema import counted

if TYPE_CHECKING:
    import rich.progress


def granule_text(record: object) -> str:
    """Return the text for a finished granule: counts, the result, one line per message, and what was written.

    Parameters
    ----------
    record : polynya.engine.protocol.Record
        Anything with its attributes.
    """
    n = record.numbers
    files = [p for name, p in record.outputs.items() if not name.startswith("netcdf_")]
    netcdf = [Path(p) for name, p in record.outputs.items() if name.startswith("netcdf_")]
    if netcdf:
        files.append(f"{netcdf[0].parent / '*.nc'} ({counted(len(netcdf), 'file')})")
    if record.status == "skipped":
        return "\n  ".join([f"{Path(record.item).name}: {record.message}", *files])
    result = "no freeboard"
    if n.get("share_with_freeboard"):
        result = (
            f"mean total freeboard {_with_uncertainty(n)} over {100 * n['share_with_freeboard']:.0f} % of the segments"
        )
    counts = f"{counted(int(n['n_segments']), 'segment')}, {counted(int(n['n_leads_used']), 'lead')} used"
    head = f"{Path(record.item).name}: {counts}, {result} ({record.seconds:.1f} s)"
    return "\n  ".join([head, *(f"- {line}" for line in record.message.splitlines()), *files])


def _with_uncertainty(numbers: dict[str, float]) -> str:
    """Return the mean freeboard with one standard uncertainty, and the part that more segments do not reduce."""
    mean, sigma = numbers["mean_freeboard"], numbers.get("mean_freeboard_uncertainty")
    if sigma is None or not math.isfinite(sigma):
        return f"{mean:.3f} m"
    shared = numbers["mean_freeboard_uncertainty_correlated"]
    return f"{mean:.3f} ± {sigma:.3f} m (correlated part {shared:.3f} m)"


def verification_text(verification: object) -> str:
    """Return a verification as a table: one row per check with n, largest error, tolerance and verdict.

    Parameters
    ----------
    verification : polynya.workflows.verify.Verification
        Anything with its attributes.
    """
    v = verification
    lines = [f"{v.path.name}  {v.product} release {v.release or 'unknown'}", "", *_check_rows(v.checks)]
    notes = list(
        dict.fromkeys(
            f"{c.name} ({c.region}): {c.note}" for c in v.checks if c.note and (c.n or "NOT checked" in c.note)
        )
    )
    if any(c.status == "listed" for c in v.checks):
        notes.insert(0, "listed: reported, neither passed nor failed; not checkable: not in the file, never a pass")
    if notes:
        lines += ["", "notes:", *(f"  {note}" for note in notes)]
    return "\n".join([*lines, "", v.summary + "."])


def totals_text(verifications: Sequence[Any], totals: Sequence[Any]) -> str:
    """Return the checks over all granules as a table, and how many granules passed.

    Parameters
    ----------
    verifications : sequence of polynya.workflows.verify.Verification
        All granules.
    totals : sequence of polynya.workflows.verify.Check
        Of :func:`polynya.workflows.verify.totals`.
    """
    n = sum(v.passed for v in verifications)
    bare = [c.name for c in totals if not c.n]
    last = f"{n} of {counted(len(verifications), 'file')} passed" + (
        f"; not checkable in any: {'; '.join(bare)}." if bare else "."
    )
    return "\n".join(["all files", "", *_check_rows(totals), "", last])


def _check_rows(checks: Sequence[Any]) -> list[str]:
    """The lines of a table of checks."""
    rows = [("check", "where", "n", "largest error", "tolerance", "verdict")]
    for c in checks:
        error, limit = _amount(c.max_error, c.units, "{:.2e}"), _amount(c.tolerance, c.units, "{:g}")
        rows.append((c.name, c.region, f"{c.n:,}", error, limit, c.status))
    widths = [max(len(r[i]) for r in rows) for i in range(6)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(w) if i in (2, 3, 4) else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _amount(value: float, units: str, form: str) -> str:
    """A number with its units; shares as per cent."""
    if not math.isfinite(value):
        return "-"
    return f"{100 * value:.2f} %" if units == "1" else f"{form.format(value)} {units}".strip()


class Bar:
    """A progress bar on stderr; every method does nothing where none is shown."""

    def __init__(self, bar: rich.progress.Progress | None, total: float, text: str) -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task(text, total=total)

    def advance(self, amount: float = 1.0, *, text: str | None = None) -> None:
        """Move on by so much.

        Parameters
        ----------
        amount : float
            In the units of the total.
        text : str, optional
            What stands before the bar from now on.
        """
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=amount, description=text)

    def move(self, done: float, *, text: str | None = None) -> None:
        """Move to where so much is done.

        Parameters
        ----------
        done : float
            In the units of the total.
        text : str, optional
            What stands before the bar from now on.
        """
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, description=text)

    def line(self, text: str) -> None:
        """Print a line on stderr, above the bar; also where stderr is no terminal.

        Parameters
        ----------
        text : str
            Printed as it stands.
        """
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def progress(total: float, *, show: bool, text: str = "") -> Iterator[Bar]:
    """Yield the progress bar of a command.

    Parameters
    ----------
    total : float
        Granules, pixels, epochs: what is to be done.
    show : bool
        Whether anything is shown; the bar itself only where stderr is a terminal.
    text : str
        What stands before the bar.
    """
    if not show:
        yield Bar(None, total, text)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        yield Bar(bar, total, text)
