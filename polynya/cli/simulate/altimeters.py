"""Commands that simulate tracks of radar altimeters with known leads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ..root import say, simulate_app

if TYPE_CHECKING:  # heavy, and only for the signatures
    from ...simulate.altika.product import Instrument, Options


Out = Annotated[
    Path,
    typer.Argument(
        metavar="FILE.nc|FOLDER",
        help="One track as FILE.nc with its truth beside it; or a new folder for --count tracks.",
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, help="Random seed: the same seed gives the same track; in a folder the first of them.")
]
Count = Annotated[
    int, typer.Option(min=1, max=10_000, help="Number of tracks, with seeds SEED, SEED + 1 ...; needs a folder.")
]
Cell = Annotated[float, typer.Option(min=40.0, max=100.0, help="Side of a cell of the lead maps (EPSG:3413), m.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier simulation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the record instead of the paths.")]
RANGES = (
    "standard: what tracks usually look like; stress: more refrozen leads and bright ice, and a larger error of drift"
    " in the radar map; varied: {varied} differ from track to track."
)
"""What ``--range`` says."""


@simulate_app.command("altika")
def simulate_altika(
    out: Out,
    seed: Seed = 0,
    count: Count = 1,
    echoes: Annotated[
        int, typer.Option(min=40, max=8000, help="Echoes of a track, 175 m apart: a multiple of 40.")
    ] = 800,
    ranges: Annotated[
        str, typer.Option("--range", help=RANGES.format(varied="receiver, slopes and contrasts"))
    ] = "standard",
    cell_m: Cell = 80.0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate SARAL/AltiKa echoes at 40 Hz over sea ice with leads, in the layout of an SGDR, with the truth.

    Beside the echoes (in a folder: under truth/) stand the truth (distance to the nearest lead, width crossed, bright
    ice without a lead), the true lead map, and the lead map of a radar, which misses some leads and has drifted.
    Numbers from simulated tracks are never skill on real data. What is simulated, and from which sources:
    docs/altika_simulator.md.

    \b
    polynya simulate altika track.nc --seed 1
    polynya simulate altika tracks --count 80 --seed 100
    polynya simulate altika hard --count 20 --range stress
    """
    from ...simulate.altika.product import ALTIKA, Options

    options = Options(seed=seed, echoes=echoes, ranges=ranges, cell_m=cell_m)
    _simulate_leads(out, options, ALTIKA, count=count, overwrite=overwrite, as_json=as_json)


@simulate_app.command("cryosat2")
def simulate_cryosat2(
    out: Out,
    seed: Seed = 0,
    count: Count = 1,
    echoes: Annotated[int, typer.Option(min=40, max=8000, help="Echoes of a track, 309 m apart.")] = 800,
    ranges: Annotated[str, typer.Option("--range", help=RANGES.format(varied="slopes and contrasts"))] = "standard",
    cell_m: Cell = 80.0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate CryoSat-2 echoes of SAR mode at 20 Hz over sea ice with leads, in the layout of L1b, with the truth.

    Beside the echoes (in a folder: under truth/) stand the truth (distance to the nearest lead, width crossed, bright
    ice without a lead), the true lead map, and the lead map of a radar, which misses some leads and has drifted.
    Numbers from simulated tracks are never skill on real data. What is simulated, and from which sources:
    docs/cryosat2_simulator.md.

    \b
    polynya simulate cryosat2 track.nc --seed 1
    polynya simulate cryosat2 tracks --count 20 --seed 100
    polynya simulate cryosat2 hard --count 20 --range stress
    """
    from ...simulate.altika.product import Options
    from ...simulate.cryosat2.product import CRYOSAT2

    options = Options(seed=seed, echoes=echoes, ranges=ranges, cell_m=cell_m)
    _simulate_leads(out, options, CRYOSAT2, count=count, overwrite=overwrite, as_json=as_json)


def _simulate_leads(
    out: Path, options: Options, instrument: Instrument[Any], *, count: int, overwrite: bool, as_json: bool
) -> None:
    """Write one track or a folder of tracks of an altimeter, and print what was written."""
    from ... import io
    from ...simulate.altika.product import simulate_track, simulate_tracks

    if out.suffix == ".nc":
        if count != 1:
            raise UsageError(f"--count {count} with {out.name}; expected a folder for several tracks. Name a folder.")
        written = simulate_track(out, options, overwrite=overwrite, instrument=instrument)
    else:
        written = simulate_tracks(out, options, count=count, overwrite=overwrite, instrument=instrument, say=say)
    print(json.dumps(io.plain(written.about), indent=1) if as_json else "\n".join(str(p) for p in written.paths))
