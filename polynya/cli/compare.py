"""Our results beside NASA's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .root import app, say


@app.command()
def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="OUT...",
            help=(
                "The granule's folder that polynya freeboard wrote; also one of the same granule with --resolution"
                " 150ph,"
                " to compare segments as long as NASA's."
            ),
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="New folder for the page and the tables.")],
    atl07: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ATL07 of the same track and cycle: heights, types, sea level.")
    ] = None,
    atl10: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="ATL10 of the same track and cycle: freeboard, sea level, leads."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="FILE",
            help="ATL20 of the same month, where OUT is a folder that polynya grid wrote.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap behind the uncertainties.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier comparison.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Compare a granule's sea level and freeboard with NASA's ATL07 and ATL10, along the track.

    FOLDER gets comparison.html (figures and tables; opens without a network), comparison.json, and Parquet and CSV
    tables: scores, NASA's segments with ours averaged over them, leads, sea level sections, distributions. Differences
    are ours minus NASA's; all segments of a 10 km section count as one sample of a mean difference, so its
    uncertainty does not shrink with their number.

    \b
    polynya freeboard ATL03_granule.h5 -o ross
    polynya freeboard ATL03_granule.h5 -o ross150 --resolution 150ph
    polynya compare ross/ATL03_granule ross150/ATL03_granule --atl07 ATL07.h5 --atl10 ATL10.h5 -o compared
    polynya compare ross_season --reference ATL20-02_20191101.h5 -o compared_maps
    """
    from .. import io
    from ..errors import UsageError
    from ..report.comparison.text import text
    from ..workflows import compare as workflow

    if reference is not None:
        if atl07 is not None or atl10 is not None or len(results) != 1:
            raise UsageError(
                "--reference: goes with one grid, and with no --atl07 and --atl10; expected polynya compare GRID"
                " --reference ATL20 -o FOLDER. Compare granules and grids one by one."
            )
        _compare_grids(results[0], reference=reference, out=out, overwrite=overwrite, as_json=as_json)
        return
    found = workflow.run(results, out=out, atl07=atl07, atl10=atl10, seed=seed, overwrite=overwrite)
    scores = found.tables["comparison"].to_pylist()
    if as_json:
        print(json.dumps({"folder": str(out), "messages": list(found.messages), "scores": io.plain(scores)}, indent=1))
        return
    print(text(scores))
    for message in found.messages:
        print(f"  {message}")
    say(f"{'done before, in' if found.was_done else 'wrote'} {out / workflow.PAGE}")


def _compare_grids(grid: Path, *, reference: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Compare a monthly grid with NASA's gridded freeboard."""
    from ..workflows.compare import grids

    found = grids.run_grids(grid, reference=reference, out=out, overwrite=overwrite)
    print(json.dumps(grids.as_json(found), indent=1) if as_json else grids.as_text(found))
    say(f"wrote {out}")
