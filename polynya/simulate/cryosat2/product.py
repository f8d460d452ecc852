"""Write simulated CryoSat-2 tracks: one under a name of the caller's, or many under the names of L1b files."""

from __future__ import annotations

from pathlib import Path

from ..altika.product import Instrument, Options
from . import files
from .track import Track, check_arguments, draw_track


def _check(options: Options) -> None:
    check_arguments(seed=options.seed, echoes=options.echoes, ranges=options.ranges)


def _draw(options: Options) -> Track:
    return draw_track(options.seed, echoes=options.echoes, ranges=options.ranges)


def _write(track: Track, echoes: Path, truth: Path) -> None:
    files.write_echoes(track, echoes)
    files.write_truth(track, truth)


CRYOSAT2 = Instrument(check=_check, draw=_draw, name_of=files.name_of, write=_write)
"""For :func:`polynya.simulate.altika.product.simulate_track` and ``simulate_tracks``."""
