"""Write simulated tracks: one under a name of the caller's, or many into a folder under the names of SGDR files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ... import __version__, io
from ...errors import UsageError
from . import files, maps
from .lead_track import LeadTrack
from .track import Track, check_arguments, draw_track

RECORD = "tracks.json"
TRUTH = "truth"
"""Subfolder of a folder of tracks: so ``FOLDER/*.nc`` are the echoes and nothing else."""
MOST_TRACKS = 10_000


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to simulate.

    Attributes
    ----------
    seed : int
        The same options and seed give the same arrays.
    echoes : int
        Of a track; of AltiKa a multiple of 40.
    ranges : str
        ``standard``, ``stress`` or ``varied``.
    cell_m : float
        Side of a cell of the lead maps, 40 to 100 m.
    """

    seed: int = 0
    echoes: int = 800
    ranges: str = "standard"
    cell_m: float = 80.0


T = TypeVar("T", bound=LeadTrack)


@dataclass(frozen=True, kw_only=True)
class Instrument(Generic[T]):
    """What an altimeter does in its own way.

    Attributes
    ----------
    check : callable
        Raises UsageError unless a track of the options can be drawn.
    draw : callable
        Draws the track of the options.
    name_of : callable
        Returns the name of a track's file, without its ending.
    write : callable
        Writes the echoes and the truth of a track.
    """

    check: Callable[[Options], None]
    draw: Callable[[Options], T]
    name_of: Callable[[T], str]
    write: Callable[[T, Path, Path], None]


def _check_altika(options: Options) -> None:
    check_arguments(seed=options.seed, echoes=options.echoes, ranges=options.ranges)


def _draw_altika(options: Options) -> Track:
    return draw_track(options.seed, echoes=options.echoes, ranges=options.ranges)


def _write_altika(track: Track, echoes: Path, truth: Path) -> None:
    files.write_echoes(track, echoes)
    files.write_truth(track, truth)


ALTIKA = Instrument(check=_check_altika, draw=_draw_altika, name_of=files.name_of, write=_write_altika)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a simulation wrote: every file, the record last, and what the record says."""

    paths: tuple[Path, ...]
    about: dict[str, object] = field(default_factory=dict)


def places(echoes: Path, *, folder: Path | None = None) -> dict[str, Path]:
    """Return where the files of a track go, by kind: echoes, truth, both lead maps.

    Parameters
    ----------
    echoes : Path
        ``NAME.nc``.
    folder : Path, optional
        Of the truth and the maps; that of the echoes if left out.
    """
    folder, stem = folder or echoes.parent, echoes.name.removesuffix(".nc")
    return {
        "echoes": echoes,
        "truth": folder / f"{stem}_truth.nc",
        "sar_leads": folder / f"{stem}_sar_leads.tif",
        "true_leads": folder / f"{stem}_true_leads.tif",
    }


def simulate_track(
    out: Path | str,
    options: Options | None = None,
    *,
    overwrite: bool = False,
    instrument: Instrument[Any] = ALTIKA,
) -> Written:
    """Write one track and its truth.

    Parameters
    ----------
    out : Path or str
        ``NAME.nc``; NAME_truth.nc, NAME_sar_leads.tif, NAME_true_leads.tif and NAME.json are written beside it.
    options : Options, optional
        What to simulate; the defaults if left out.
    overwrite : bool
        Replace an earlier simulation of the same name.
    instrument : Instrument
        Whose echoes.

    Raises
    ------
    UsageError
        If an option is not what is expected, or an earlier simulation is there and ``overwrite`` is not given.
    OutputError
        If files cannot be written, or one is there that no simulation wrote.
    """
    options, out = options or Options(), Path(out)
    _check(options, instrument)
    if out.suffix != ".nc":
        raise UsageError(f"the output is named {out.name}; expected a name that ends in .nc. Name it {out.stem}.nc.")
    outputs, record = places(out), out.with_name(f"{out.stem}.json")
    io.check_files(outputs.values(), record=record, overwrite=overwrite)
    track = instrument.draw(options)
    with ExitStack() as stack:
        parts = {kind: stack.enter_context(io.writing(path)) for kind, path in outputs.items()}
        about = _write(track, parts, options, instrument)
        named = {kind: path.name for kind, path in outputs.items()}
        contents = [*named.values(), record.name]
        about = {"polynya": __version__, "files": named, "contents": contents, **about}
        io.write_json(about, stack.enter_context(io.writing(record)))
    return Written(paths=(*outputs.values(), record), about=about)


def simulate_tracks(
    out: Path | str,
    options: Options | None = None,
    *,
    count: int = 1,
    overwrite: bool = False,
    instrument: Instrument[Any] = ALTIKA,
    say: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write tracks of the seeds SEED, SEED + 1 ... into a folder.

    Parameters
    ----------
    out : Path or str
        New or empty; or an earlier simulation, with ``overwrite``.
    options : Options, optional
        What to simulate; the defaults if left out.
    count : int
        Number of tracks.
    overwrite : bool
        Replace the earlier simulation.
    instrument : Instrument
        Whose echoes.
    say : callable
        Receives a line of progress per track.

    Raises
    ------
    UsageError
        If an option is not what is expected.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    options, out = options or Options(), Path(out)
    _check(options, instrument)
    if not 1 <= count <= MOST_TRACKS:
        raise UsageError(f"count is {count}; expected 1 to {MOST_TRACKS}. Choose another.")
    io.check_place(out, overwrite=overwrite, record=RECORD)
    tracks: list[dict[str, object]] = []
    paths: list[Path] = []
    with io.writing_folder(out, overwrite=overwrite, record=RECORD) as folder:
        for seed in range(options.seed, options.seed + count):
            track = instrument.draw(replace(options, seed=seed))
            name = instrument.name_of(track)
            if (folder / f"{name}.nc").exists():  # two seeds with the same pass and second
                name = f"{name}_{seed}"
            outputs = places(folder / f"{name}.nc", folder=folder / TRUTH)
            about = _write(track, outputs, options, instrument)
            named = {kind: path.relative_to(folder).as_posix() for kind, path in outputs.items()}
            tracks.append({"files": named, **about})
            paths += [out / path for path in named.values()]
            say(f"{len(tracks)} of {count} tracks")
        about = {"polynya": __version__, "simulated": "polynya; no measurement", "tracks": tracks}
        io.write_json(about, folder / RECORD)
    return Written(paths=(*paths, out / RECORD), about=about)


def _check(options: Options, instrument: Instrument[Any]) -> None:
    instrument.check(options)
    if not maps.FINEST_M <= options.cell_m <= maps.COARSEST_M:
        raise UsageError(
            f"cells of {options.cell_m:g} m; expected {maps.FINEST_M:g} to {maps.COARSEST_M:g} m. Choose another."
        )


def _write(
    track: LeadTrack, where: dict[str, Path], options: Options, instrument: Instrument[Any]
) -> dict[str, object]:
    """Write the files of a track; return what the record says of it."""
    instrument.write(track, where["echoes"], where["truth"])
    maps.write_maps(track, cell_m=options.cell_m, true=where["true_leads"], radar=where["sar_leads"])
    return {
        **track.about,
        "echoes": len(track),
        "cell_m": options.cell_m,
        "lead_share": round(float(np.mean(track.is_lead)), 4),
    }
