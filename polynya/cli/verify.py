"""Recompute NASA's published numbers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..errors import PolynyaError, one_line
from .root import FINISHED_WITH_FAILURES, app, say


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="ATL10 or ATL07 granules.")],
    tolerance_m: Annotated[float, typer.Option(min=0.0, help="Largest difference that passes, metres.")] = 5e-4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Do our formulas reproduce NASA's published numbers? Leads, sections, freeboards and surface types, from NASA's
    own segments. Several files: also the totals over all of them.

    Exit code 1 where a check is beyond the tolerance, or where nothing could be checked.
    """
    from .. import io
    from ..report import terminal
    from ..workflows import verify as workflow

    results, failures = [], 0
    for file in files:
        try:
            results.append(workflow.run(file, tolerance_m=tolerance_m))
        except PolynyaError as error:
            if len(files) == 1:
                raise
            failures += 1
            say(f"polynya: {one_line(error)}")
    if as_json:
        print(
            json.dumps([io.plain({**asdict(r), "passed": r.passed, "summary": r.summary}) for r in results], indent=1)
        )
    else:
        print("\n\n".join(terminal.verification_text(r) for r in results))
        if len(results) > 1:
            print("\n" + terminal.totals_text(results, workflow.totals(results)))
    bad = failures + sum(not r.passed for r in results)
    raise typer.Exit(0 if not bad else 1 if len(files) == 1 or bad == len(files) else FINISHED_WITH_FAILURES)
