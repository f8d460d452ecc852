"""Write sets of simulated imagettes: a folder of images with a table of tags, or a wave-mode SLC product."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ... import __version__, io
from ...errors import UsageError
from . import files, safe
from .imagette import Drawn, draw_imagette
from .names import PER_ORBIT, Place, place_of, product_name
from .presets import BEAMS

RECORD = "wave.json"
MOST = {"tiff": 100_000, "png": 100_000, "safe": 60}
"""Most imagettes of a set by its form; a real product has up to some hundreds, 64 MB each."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to simulate.

    Attributes
    ----------
    seed : int
        The same options and seed give the same files; imagette k has the seed (seed, k).
    count : int
        Imagettes.
    form : str
        ``tiff``: roughness, 16 bit; ``png``: stretched quick-looks, 8 bit; ``safe``: an SLC product.
    label_errors : float
        Share of imagettes with one wrong tag in the table.
    spacing_m : float
        Of the pixels of an SLC product, 5 to 25 m.
    """

    seed: int = 0
    count: int = 100
    form: str = "tiff"
    label_errors: float = 0.0
    spacing_m: float = safe.LINE_SPACING_M


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a simulation wrote: its files, the record last, and what the record says."""

    paths: tuple[Path, ...]
    about: dict[str, object] = field(default_factory=dict)


def simulate_imagettes(
    out: Path | str,
    options: Options | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write a set of imagettes and their truth.

    Parameters
    ----------
    out : Path or str
        New or empty; or an earlier simulation, with ``overwrite``.
    options : Options, optional
        What to simulate; the defaults if left out.
    overwrite : bool
        Replace the earlier simulation.
    say : callable
        Receives a line of progress now and then.

    Raises
    ------
    UsageError
        If an option is not what is expected.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    options, out = options or Options(), Path(out)
    _check(options)
    io.check_place(out, overwrite=overwrite, record=RECORD)
    with io.writing_folder(out, overwrite=overwrite, record=RECORD) as folder:
        entries = _write_safe(folder, options, say) if options.form == "safe" else _write_images(folder, options, say)
        tags = np.array([e.tags for e in entries])
        given = files.with_errors(tags, share=options.label_errors, seed=options.seed)
        files.write_tables(folder, entries, given=given)
        about = {
            "polynya": __version__,
            "simulated": "polynya; no measurement",
            "seed": options.seed,
            "form": options.form,
            "label_errors": options.label_errors,
            "imagettes": [{"file": e.filename, "beam": e.beam, **e.about} for e in entries],
        }
        io.write_json(json.loads(json.dumps(io.plain(about))), folder / RECORD)
    shown = (
        [out / Path(entries[0].filename).parts[0]] if options.form == "safe" else [out / e.filename for e in entries]
    )
    return Written(paths=(*shown, out / files.TABLE, out / files.TRUTH, out / RECORD), about=about)


def _check(options: Options) -> None:
    if options.form not in files.FORMS:
        raise UsageError(f"--form {options.form}: not known; expected {', '.join(files.FORMS)}. Choose one.")
    if options.seed < 0 or not 1 <= options.count <= MOST[options.form]:
        raise UsageError(
            f"seed {options.seed}, count {options.count}: expected a seed of 0 or more and 1 to {MOST[options.form]}"
            f" imagettes as {options.form}. Choose others."
        )
    if not 0.0 <= options.label_errors <= 1.0 or not 5.0 <= options.spacing_m <= 25.0:
        raise UsageError(
            f"label errors {options.label_errors:g}, spacing {options.spacing_m:g} m: expected a share, and 5 to 25 m."
            " Choose others."
        )


def _write_images(folder: Path, options: Options, say: Callable[[str], None]) -> list[files.Entry]:
    entries = []
    for k in range(options.count):
        drawn = draw_imagette([options.seed, k])
        place = place_of(options.seed, options.seed * 1000 + k // PER_ORBIT, k % PER_ORBIT + 1, drawn.beam)
        entries.append(files.write_image(folder, drawn, place, form=options.form))
        if (k + 1) % 100 == 0 or k + 1 == options.count:
            say(f"{k + 1} of {options.count} imagettes")
    return entries


def _write_safe(folder: Path, options: Options, say: Callable[[str], None]) -> list[files.Entry]:
    """Write one product; its beams alternate."""
    places = [place_of(options.seed, options.seed, k + 1, _beam(k)) for k in range(options.count)]
    name = product_name(places[0], places[-1])
    shown: list[tuple[Drawn, Place]] = []
    entries = []
    for k, place in enumerate(places):
        drawn = draw_imagette([options.seed, k], beam=_beam(k))
        seed = options.seed * 1000 + k
        own = safe.write_imagette(folder / name, drawn, place, seed=seed, spacing_m=options.spacing_m)
        entries.append(files.entry_of(drawn, place, f"{name}/measurement/{own}.tiff"))
        shown.append((drawn, place))
        say(f"{k + 1} of {options.count} imagettes")
    settings = f"Seed {options.seed}; see {RECORD}."
    safe.write_manifest(folder / name, shown, spacing_m=options.spacing_m, settings=settings)
    return entries


def _beam(k: int) -> str:
    return tuple(BEAMS)[k % 2]
