"""Surfaces that are asked for instead of what a season draws: ponds, bright patches, kinds of leads, swell.

    Surfaces(specular_ponds=15.0, leads="none")
    parse(["specular-ponds:15", "no-leads"])

Ranges of what is drawn, and their sources: :mod:`.presets`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from ...errors import UsageError
from .presets import REFROZEN, Range
from .profile import IceParameters


@dataclass(frozen=True, kw_only=True)
class Swell:
    """A swell that enters the ice at one end of the track.

    Attributes
    ----------
    height : float
        Significant wave height at the ice edge, m.
    wavelength : float or None
        Along the track, m; drawn where None.
    decay_km : float or None
        Distance over which the height falls by a factor e; infinite: no decay; drawn where None.
    """

    height: float
    wavelength: float | None = None
    decay_km: float | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a number that is out of range."""
        wavelength = 200.0 if self.wavelength is None else self.wavelength
        decay = 20.0 if self.decay_km is None else self.decay_km
        if not (0.0 <= self.height <= 20.0 and 10.0 <= wavelength <= 2000.0 and decay > 0.0):
            raise UsageError(
                f"swell of {self.height:g} m, wavelength {wavelength:g} m, decay {decay:g} km; expected a height of 0"
                " to 20 m, a wavelength of 10 to 2000 m, a decay above 0 km. Choose other numbers."
            )


LEADS = ("drawn", "none", "dark", "specular", "refrozen")
"""Words for the leads of a :class:`Surfaces`."""
_LIMITED = (
    "specular_ponds",
    "dark_ponds",
    "drained_share",
    "melt_patches",
    "bright_patches",
    "lead_scatter",
    "mss_bumps",
)


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """Surfaces that are asked for instead of what the season draws; what is None is drawn.

    Attributes
    ----------
    leads : str
        ``drawn``; ``none``; ``dark`` or ``specular``: all water is of this kind; ``refrozen``: all leads are refrozen,
        bright and smooth.
    refrozen_thickness : tuple of float
        Thickness of the ice of ``refrozen`` leads, low and high, m.
    specular_ponds, dark_ponds : float or None
        Melt ponds per kilometre of track, mirror-like and others. Table ``PATCH`` holds their sizes and levels.
    drained_share : float or None
        Share of ponds at sea level.
    melt_patches, bright_patches : float or None
        Patches on thick ice per kilometre of track.
    lead_scatter : float or None
        Standard deviation of the water's height between leads, m.
    mss_bumps : float or None
        Twice the standard deviation of the sea surface over 5-20 km that the granule's mean sea surface lacks, m.
    swell : Swell or None
        Swell in the ice; a height of 0 is none.
    """

    leads: str = "drawn"
    refrozen_thickness: Range = REFROZEN.thickness
    specular_ponds: float | None = None
    dark_ponds: float | None = None
    drained_share: float | None = None
    melt_patches: float | None = None
    bright_patches: float | None = None
    lead_scatter: float | None = None
    mss_bumps: float | None = None
    swell: Swell | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a word that does not exist or a number that is out of range."""
        if self.leads not in LEADS:
            raise UsageError(f"leads is {self.leads!r}; expected {', '.join(LEADS)}. Choose one of them.")
        low, high = self.refrozen_thickness
        if not 0.0 < low <= high <= 1.0:
            raise UsageError(
                f"refrozen_thickness is {low:g} to {high:g} m; expected thin ice, low before high, at most 1. Choose"
                " other numbers."
            )
        for name in _LIMITED:
            value, limit = getattr(self, name), 1.0 if name in ("drained_share", "lead_scatter", "mss_bumps") else 100.0
            if value is not None and not 0.0 <= value <= limit:
                raise UsageError(f"{name} is {value:g}; expected 0 to {limit:g}. Choose a number in that range.")

    def settings(self) -> dict[str, object]:
        """Return what a file states about what was asked for."""
        asked = {name: value for name, value in asdict(self).items() if value is not None}
        if self.swell is not None and self.swell.decay_km == float("inf"):
            asked["swell"] = {**asdict(self.swell), "decay_km": "infinite"}
        return asked


@dataclass(frozen=True, kw_only=True)
class _Word:
    """A word of ``--surface``: numbers that may follow it, each with its limits, and what they make of the record."""

    numbers: tuple[tuple[str, float, float], ...]
    default: tuple[float, ...]
    change: Callable[[Surfaces, tuple[float, ...]], Surfaces]


def _number(field: str) -> Callable[[Surfaces, tuple[float, ...]], Surfaces]:
    return lambda of, numbers: replace(of, **{field: numbers[0]})


def _leads(word: str) -> Callable[[Surfaces, tuple[float, ...]], Surfaces]:
    return lambda of, numbers: replace(of, leads=word)


def _refrozen(of: Surfaces, numbers: tuple[float, ...]) -> Surfaces:
    return replace(of, leads="refrozen", refrozen_thickness=(numbers[0], numbers[-1]))


def _swell(of: Surfaces, numbers: tuple[float, ...]) -> Surfaces:
    height, wavelength, decay = (*numbers, None, None)[:3]
    return replace(of, swell=Swell(height=height, wavelength=wavelength, decay_km=decay))


_PER_KM = (("per km", 0.0, 30.0),)
WORDS = {
    "specular-ponds": _Word(numbers=_PER_KM, default=(3.0,), change=_number("specular_ponds")),
    "dark-ponds": _Word(numbers=_PER_KM, default=(3.0,), change=_number("dark_ponds")),
    "drained-ponds": _Word(numbers=(("share", 0.0, 1.0),), default=(1.0,), change=_number("drained_share")),
    "melt-patches": _Word(numbers=_PER_KM, default=(0.5,), change=_number("melt_patches")),
    "bright-patches": _Word(numbers=_PER_KM, default=(0.3,), change=_number("bright_patches")),
    "lead-scatter": _Word(numbers=(("m", 0.0, 0.3),), default=(0.06,), change=_number("lead_scatter")),
    "mss-bumps": _Word(numbers=(("m", 0.0, 0.5),), default=(0.06,), change=_number("mss_bumps")),
    "swell": _Word(
        numbers=(("height, m", 0.0, 3.0), ("wavelength, m", 30.0, 1000.0), ("decay, km", 1.0, float("inf"))),
        default=(0.3,),
        change=_swell,
    ),
    "refrozen-leads": _Word(
        numbers=(("thickness, m", 0.01, 0.6), ("largest thickness, m", 0.01, 0.6)),
        default=REFROZEN.thickness,
        change=_refrozen,
    ),
    "no-leads": _Word(numbers=(), default=(), change=_leads("none")),
    "dark-leads": _Word(numbers=(), default=(), change=_leads("dark")),
    "specular-leads": _Word(numbers=(), default=(), change=_leads("specular")),
}
"""The words of ``--surface``."""


def parse(words: Sequence[str]) -> Surfaces:
    """Return the record that words such as ``specular-ponds:15`` mean.

    Parameters
    ----------
    words : sequence of str
        Each ``NAME``, ``NAME:NUMBER`` or ``NAME:NUMBER:NUMBER``; several may stand in one word with commas between.

    Returns
    -------
    Surfaces

    Raises
    ------
    UsageError
        If a surface does not exist, a number is out of range, or two words speak of the leads.
    """
    surfaces, seen = Surfaces(), {}
    for word in (w.strip() for text in words for w in text.split(",")):
        name, *texts = word.split(":")
        if name not in WORDS:
            raise UsageError(
                f"--surface {word}: there is no surface {name!r}; expected {', '.join(WORDS)}. Choose among them."
            )
        subject = "leads" if name.endswith("-leads") else name
        if subject in seen:
            raise UsageError(
                f"--surface {word}: {seen[subject]} is given too; expected one word about {subject}. Leave one out."
            )
        seen[subject] = word
        surfaces = WORDS[name].change(surfaces, _numbers(word, texts, WORDS[name]) or WORDS[name].default)
    return surfaces


def _numbers(word: str, texts: list[str], of: _Word) -> tuple[float, ...]:
    if len(texts) > len(of.numbers):
        what = " : ".join(name for name, _, _ in of.numbers) or "none"
        raise UsageError(f"--surface {word}: {len(texts)} numbers; expected at most {len(of.numbers)} ({what}).")
    out = []
    for text, (name, low, high) in zip(texts, of.numbers, strict=False):
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise UsageError(
                f"--surface {word}: {name} is {text!r}; expected a number from {low:g} to {high:g}. Choose one."
            )
        out.append(value)
    return tuple(out)


def closed(surfaces: Surfaces) -> Surfaces:
    """Return the record of a closed cover: no lead, and no pond or patch that is not asked for.

    Raises
    ------
    UsageError
        If leads are asked for.
    """
    if surfaces.leads not in ("drawn", "none"):
        raise UsageError(
            f"ice is closed and leads are {surfaces.leads}; expected no word about leads with a closed cover. Leave one"
            " out."
        )
    none = {
        name: 0.0
        for name in ("specular_ponds", "dark_ponds", "melt_patches", "bright_patches")
        if getattr(surfaces, name) is None
    }
    return replace(surfaces, leads="none", **none)


def of_options(words: Sequence[str], *, ice: str) -> Surfaces:
    """Return the record that ``--surface`` and ``--ice`` mean.

    Parameters
    ----------
    words : sequence of str
        As for :func:`parse`.
    ice : str
        ``drawn`` or ``closed``.

    Raises
    ------
    UsageError
        If one of them is wrong, or they contradict each other.
    """
    if ice not in ("drawn", "closed"):
        raise UsageError(f"ice is {ice!r}; expected drawn, closed. Choose one of them.")
    surfaces = parse(words)
    return closed(surfaces) if ice == "closed" else surfaces


def with_surfaces(parameters: IceParameters, surfaces: Surfaces) -> IceParameters:
    """Return a granule's ice parameters with the surfaces that are asked for.

    Parameters
    ----------
    parameters : IceParameters
        As drawn from the season.
    surfaces : Surfaces
        What replaces them.

    Returns
    -------
    IceParameters
    """
    asked = {
        "specular_ponds_per_km": surfaces.specular_ponds,
        "dark_ponds_per_km": surfaces.dark_ponds,
        "drained_share": surfaces.drained_share,
        "melt_patches_per_km": surfaces.melt_patches,
        "bright_patches_per_km": surfaces.bright_patches,
        "lead_scatter": surfaces.lead_scatter,
    }
    leads = {
        "drawn": {},
        "none": {"lead_share": 0.0},
        "dark": {"kind_shares": (0.0, 1.0, 0.0), "bright_ice_share": 0.0, "shiny_share": 0.0},
        "specular": {"kind_shares": (1.0, 0.0, 0.0)},
        "refrozen": {
            "open_share": 0.0,
            "mixed_share": 0.0,
            "bright_ice_share": 1.0,
            "bright_ice_thickness": surfaces.refrozen_thickness,
        },
    }
    return replace(parameters, **leads[surfaces.leads], **{k: v for k, v in asked.items() if v is not None})
