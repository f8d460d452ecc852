"""What a user must know of the tags of a product: sentences for terminal, page and record, and its facts."""

from __future__ import annotations

import numpy as np

from ...readers.image_folder import PIXEL_M
from ...schema import counted
from ...schema.imagettes import TAGS
from .config import Config
from .network import Used
from .summary import Summary

SIMULATED_INPUT = "These imagettes are simulated, not satellite data: nothing here is evidence of skill."
SIMULATED_NETWORK = (
    "The network has learned from simulated imagettes only, and no set of real labelled ones has tested it: look at the"
    " pictures before you rest anything on their tags (polynya review, polynya evaluate)."
)
SAMPLING = (
    "Wave mode is taken over the open ocean only, at two incidence angles: not over coasts, seldom over closed ice, and"
    " never everywhere at once. Shares of tags are shares of what was taken."
)
SIMILAR = "No tag stated means that none of the ten phenomena was found, or one that the network does not know."
ASIDE = {
    "far_from_training_images": "unlike the images of the training (by the network's own features)",
    "beam_or_incidence_not_in_training": "of a beam or incidence angle that the network has not learned",
    "size_not_in_training": "of another size or with coarser pixels than wave mode",
    "near_land": "with land nearer than {land_km:g} km to their middle, by outlines that may be 5 km off",
    "part_of_picture_missing": "of which more than a fifth is missing or masked",
    "no_calibration": "without calibration",
    "polarisation_not_in_training": "of another polarisation than VV",
    "picture_not_readable": "with a picture that cannot be read",
}


def sentences(used: Used, config: Config, total: Summary) -> tuple[str, ...]:
    """Return what to know of a product, most important first.

    Parameters
    ----------
    used : Used
        What tagged.
    config : Config
        Settings.
    total : Summary
        All its imagettes.
    """
    out = []
    if total.n_simulated:
        is_all = total.n_simulated >= total.n - total.n_damaged  # a damaged picture does not say what it is
        some = "" if is_all else f" ({total.n_simulated:,} of {total.n:,})"
        out.append(SIMULATED_INPUT.replace(" are simulated", f"{some} are simulated"))
    if used.description.is_simulated:
        out.append(SIMULATED_NETWORK)
    out += _of_damaged(total)
    out += _of_aside(config, total)
    bits = total.bits
    if bits["no_calibration"]:
        out.append(
            f"{share(bits['no_calibration'], total)} without calibration (stretched pictures): their level is not"
            " known. The network's thresholds do not hold there: every such simulated sea without a phenomenon got a"
            " tag. They get none; read their probabilities as a rank."
        )
    for bit, what in (("beam_and_incidence_not_known", "beam and incidence angle"), ("place_not_known", "place")):
        if bits[bit]:
            which = "Whether land is near" if bit == "place_not_known" else "Whether the network has learned them"
            out.append(f"{share(bits[bit], total)} with unknown {what}. {which} was not checked.")
    if bits["pixel_size_not_known"]:
        out.append(
            f"{share(bits['pixel_size_not_known'], total)} of unknown pixel size, and {PIXEL_M:g} m were assumed. With"
            " other pixels the network sees waves, cells and fronts of another size, and its tags mean nothing: give"
            " azimuth_pixel_m and range_pixel_m, in tags.csv or in the files' own metadata."
        )
    if bits["satellite_not_in_training"]:
        learned = ", ".join(used.description.satellites)
        seen = ", ".join(s for s in sorted(total.satellites) if s not in used.description.satellites)
        out.append(
            f"{share(bits['satellite_not_in_training'], total)} of a satellite that the network has not learned"
            f" ({seen}; it has learned {learned}). Its noise and calibration may differ, and so may its tags."
        )
    if config.land_km == 0:
        out.append("Nearness of land was not asked for (--land-km 0): land may pass for a phenomenon.")
    missing = [t.replace("_", " ") for t in TAGS if t not in used.description.classes]
    if missing:
        out.append(f"The network {used.name} does not know {', '.join(missing)}: their probabilities are missing.")
    return (*out, *total.notes, SIMILAR, SAMPLING)


def _of_damaged(total: Summary) -> list[str]:
    if not total.n_damaged:
        return []
    left = total.n_damaged - len(total.damaged)
    more = f" And {left:,} more." if left else ""
    return [
        f"{total.n_damaged:,} of {counted(total.n, 'picture')} cannot be read: {' '.join(total.damaged)}{more} The"
        " others are tagged; put whole files in their place and run the same command again with --overwrite."
    ]


def _of_aside(config: Config, total: Summary) -> list[str]:
    if not total.n_not_assessed:
        return []
    parts = [f"{total.bits[n]:,} {w.format(land_km=config.land_km)}" for n, w in ASIDE.items() if total.bits[n]]
    return [
        f"{share(total.n_not_assessed, total)} not assessed: {'; '.join(parts)}. They are unknown, whatever their"
        " probabilities, and maps leave them out."
    ]


def share(n: int, total: Summary) -> str:
    """Return a number of imagettes of all as the beginning of a sentence."""
    return f"All {counted(total.n, 'imagette')} are" if n == total.n else f"{n:,} of {counted(total.n, 'imagette')} are"


def facts(used: Used, total: Summary, *, product: str) -> dict[str, object]:
    """Return the product and what tagged it, in words, in order."""
    out: dict[str, object] = {"product": product, "imagettes": f"{total.n:,}"}
    if not np.isnat(total.start):
        out["time"] = f"{str(total.start)[:19]}Z to {str(total.end)[:19]}Z"
    seen = {**total.satellites, **total.beams}
    if seen:
        out["seen by"] = ", ".join(f"{k} {v:,}" for k, v in seen.items())
    if total.orbits:
        out["orbits"] = f"{len(total.orbits):,}"
    out["network"] = used.name
    if used.description.weights_sha256:
        out["sha256 of its weights"] = used.description.weights_sha256[:16]
    return out


def line(numbers: dict[str, float]) -> str:
    """Return the counts of a product as one line of a terminal.

    Parameters
    ----------
    numbers : dict
        Of :meth:`Summary.numbers`.
    """
    n, tagged, aside = (int(numbers[k]) for k in ("n_imagettes", "n_tagged", "n_not_assessed"))
    by_tag = sorted(((int(numbers[f"n_{t}"]), t) for t in TAGS), reverse=True)
    words = ", ".join(f"{t.replace('_', ' ')} {k:,}" for k, t in by_tag if k)
    none = n - tagged - aside
    rest = f"; {none:,} without a tag" + (f", {aside:,} not assessed" if aside else "")
    return f"{counted(n, 'imagette')}, {tagged:,} with tags" + (f": {words}" if words else "") + rest
