"""What a user must know of the leads of a file: sentences for terminal, page and record, and its facts."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np

from ...readers import echo_files
from ...schema import counted
from ...schema.echoes import LEAD as LEAD_CLASS
from ...schema.echoes import MODE_NAMES, OCEAN, SEA_ICE, UNKNOWN, Echoes
from ...schema.lead_labels import KEEP_RANGE, OFF_NADIR, UNKNOWN_CAUSES
from . import rules
from .answers import Setting
from .config import DEFAULT, MAXIMUM_POWER, PRODUCT, RULE
from .summary import Summary

SIMULATED_INPUT = "These echoes are simulated, not satellite data: nothing here is evidence of skill."
SIMULATED_NETWORK = (
    "The network has learned from simulated echoes of AltiKa alone, and no real labelled echoes have tested it: compare"
    " its leads with a radar image (polynya evaluate) before you rest anything on them."
)
CAUSES = {
    "no_echo_or_no_position": "without an echo or a position",
    "probability_between_the_limits": "with a probability between the limits {ice:g} and {lead:g}",
    "rule_or_product_undecided": "that {rule} leaves undecided",
    "input_of_the_rule_missing": "that lack an input of {rule}: {inputs}",
    "no_network_or_rule_for_the_mission_or_mode": "for whose mission and mode there is no network and no rule",
    "land_or_continental_ice": "over land or continental ice",
}
PERCENT_SHOWN = 0.01


def sentences(first: Echoes, setting: Setting, total: Summary) -> tuple[str, ...]:
    """Return what to know of a file, most important first.

    Parameters
    ----------
    first : Echoes
        A block of it.
    setting : Setting
        What answered.
    total : Summary
        All its echoes.
    """
    out = [SIMULATED_INPUT] if first.is_simulated else []
    if total.is_sorted:
        out.append("The file is not in the order of time: its echoes were sorted (column echo: number in the file).")
    out += _of_network(first, setting, total)
    out += _of_unknown(setting, total)
    out += _of_conditions(total, concentration=setting.config.concentration)
    out += [f"{n.text[0].upper()}{n.text[1:]}." for n in first.notes if n.code == "saturation"]
    out += _of_ranges(setting, total)
    return tuple(out)


def _of_network(first: Echoes, setting: Setting, total: Summary) -> list[str]:
    used = setting.used
    if used is not None:
        out = [SIMULATED_NETWORK] if used.is_simulated else []
        foreign = total.bits["mode_or_mission_not_in_training"]
        if foreign:
            learned = ", ".join((*used.missions, *used.modes)) or "nothing that it names"
            out.append(
                f"{share(foreign, total.n)} of the echoes are of a mission or mode that the network {used.name} has not"
                f" learned (it has learned {learned}): bit mode_or_mission_not_in_training."
            )
        if used.needs_gain and total.n_without_gain:
            out.append(
                f"{share(total.n_without_gain, total.n)} of the echoes have no gain control (agc): their power is not"
                f" known. The network {used.name} was taught with it and is given averages instead: do not rely on its"
                " answers there. The recipe leads-shape trains one that needs none."
            )
        return out
    has_rule = total.rule != rules.NO_RULE
    by = f"classes are those of {rules_in_words(setting, first)}" if has_rule else "all echoes are unknown"
    named = echo_files.title(first.product, mission=first.mission)
    why = f"No network answers for {named}: the shipped one has learned AltiKa"
    if setting.config.network == RULE:
        why = "No network was asked for (--network rule)"
    elif first.product == "altika_sgdr":
        why = f"The network {DEFAULT} is not installed"
    out = [f"{why}; {by}. There is no probability and no distance."]
    if not has_rule and first.product == "altika_sgdr":
        out.append(
            "AltiKa's maximum power has no published threshold: give one (--lead-db DB) to have classes by that rule."
        )
    return out


def rules_in_words(setting: Setting, first: Echoes) -> str:
    """Return what a rule is called in a sentence."""
    if setting.rule == PRODUCT:
        return f"{rules.PRODUCT_CLASSES[first.product]}, the output of thresholds"
    return "the maximum power" if setting.rule == MAXIMUM_POWER else f"the published rule {setting.rule}"


def _of_unknown(setting: Setting, total: Summary) -> list[str]:
    n = total.classes[UNKNOWN]
    if not n:
        return []
    c, rule = setting.config, "the product" if setting.rule == PRODUCT else f"the rule {setting.rule}"
    inputs = " and ".join(text for name, text in rules.INPUTS.items() if total.lacking[name]) or "not said which"
    words = {"ice": c.ice_probability, "lead": c.lead_probability, "rule": rule, "inputs": inputs}
    parts = [
        f"{total.causes[value]:,} {CAUSES[name].format(**words)}"
        for value, name in UNKNOWN_CAUSES
        if name in CAUSES and total.causes[value]
    ]
    return [f"{share(n, total.n)} of the echoes are unknown: {', '.join(parts)}. They are in the table, class 0."]


def _of_conditions(total: Summary, *, concentration: str | None) -> list[str]:
    out, bits, n = [], total.bits, total.n
    if bits["melt_season"]:
        out.append(
            f"{share(bits['melt_season'], n)} of the echoes lie in the melt season (May to September north, November to"
            " March south; bit melt_season): melt ponds answer like leads, and no rule or network here knows summer. Do"
            " not use their classes."
        )
    if bits["latitude_not_searched"]:
        out.append(
            f"{share(bits['latitude_not_searched'], n)} of the echoes lie between 50 degrees south and 40 degrees"
            " north:"
            " no ice and no leads are looked for there (bit latitude_not_searched). Where the sea freezes all the same"
            " (Bohai Sea), --concentration GRID says so."
        )
    if bits["few_sea_echoes_around"]:
        out.append(
            f"{share(bits['few_sea_echoes_around'], n)} of the echoes have land around (bit few_sea_echoes_around):"
            " less"
            " than a quarter of the echoes that give the level of power are of sea, so the network knows it badly."
        )
    ocean = bits["open_ocean_or_low_ice_concentration"]
    if ocean:
        out.append(
            f"{share(ocean, n)} of the echoes lie over open ocean: ice concentration below the limit, or latitudes"
            " without sea ice (bit open_ocean_or_low_ice_concentration). Smooth water may pass for leads there."
        )
    if concentration is not None:
        out.append(
            f"Ice concentration is that of {PurePath(concentration).name} for all echoes; whether it is of their day is"
            " not checked."
        )
    if total.n_with_share < n:
        what = "No ice concentration is" if not total.n_with_share else "For some echoes no ice concentration is"
        out.append(f"{what} known, so open ocean is not recognised there: --concentration GRID gives it.")
    if bits["sequence_shorter_than_training"]:
        out.append(
            f"{share(bits['sequence_shorter_than_training'], n)} of the echoes are in sequences shorter than those of"
            " the training (bit sequence_shorter_than_training): the network knows few neighbours of theirs."
        )
    if bits["saturated"]:
        out.append(
            f"{share(bits['saturated'], n)} of the echoes are saturated (bit saturated): their power is a lower bound."
        )
    return out


def _of_ranges(setting: Setting, total: Summary) -> list[str]:
    if setting.used is None:
        return [
            "Freeboard: without distances, echoes of leads beside nadir cannot be told from others, so none is marked"
            " for removal (range_flag 3)."
        ]
    n = total.ranges[OFF_NADIR]
    if not n + total.ranges[KEEP_RANGE]:
        return ["Freeboard: no echo of sea has a distance, so none is marked for removal as beside a lead."]
    how = (
        "their range is longer than those around by more than half a gate"
        if total.is_range_checked
        else "the file lacks tracker or altitude, so all of them count, bent or not"
    )
    if not n:
        return ["Freeboard: no echo has a lead beside nadir (300 to 3000 m) that bends its range (range_flag)."]
    return [
        f"Freeboard: remove {counted(n, 'echo')} ({share(n, total.n)}) of leads beside nadir,"
        f" 300 to 3000 m away (range_flag 1, bit off_nadir_lead): {how}."
    ]


def share(n: int, of: int) -> str:
    """Return a share as people say it: whole percent, below 1 %, all."""
    if n == of:
        return "All"
    part = n / max(of, 1)
    return f"{100 * part:.0f} %" if part >= PERCENT_SHOWN else "Below 1 %"


def facts(first: Echoes, setting: Setting, total: Summary) -> dict[str, object]:
    """Return what the page says above everything else, in order.

    Parameters
    ----------
    first : Echoes
        A block of the file.
    setting : Setting
        What answered.
    total : Summary
        All its echoes.
    """
    named = echo_files.title(first.product, mission=first.mission)
    modes = [MODE_NAMES[int(m)].upper() for m in np.unique(first.mode) if m]
    used = setting.used
    out: dict[str, object] = {
        "measured" if not first.is_simulated else "SIMULATED": span(total),
        "product": ", ".join(t for t in (named, first.release, "/".join(modes)) if t),
        "echoes": f"{total.n:,}" + (f" of {first.gates} gates" if first.gates else ", no waveforms"),
        "answered by": f"network {used.name}, {used.sha256[:12]}" if used else total.rule,
    }
    if used is not None:
        out["rule beside"] = total.rule
        out["limits"] = (
            f"lead (nearer than {used.threshold_m:g} m) from probability {setting.config.lead_probability:g}, ice up to"
            f" {setting.config.ice_probability:g}"
        )
    passes = [n.text for n in first.notes if n.code == "pass"]
    return out | ({"pass": passes[0]} if passes else {})


def span(total: Summary) -> str:
    """Return begin and end of a track."""
    if np.isnat(total.start):
        return "time unknown"
    start = np.datetime_as_string(total.start, unit="s").replace("T", " ")
    return f"{start} to {np.datetime_as_string(total.end, unit='s').partition('T')[2]} UTC"


def input_of(first: Echoes, total: Summary) -> dict[str, object]:
    """Return what run.json says of the file."""
    return {
        "file": first.source,
        "mission": first.mission,
        "product": first.product,
        "release": first.release,
        "time": "" if np.isnat(total.start) else f"{np.datetime_as_string(total.start, unit='ms')}Z",
        "end": "" if np.isnat(total.end) else f"{np.datetime_as_string(total.end, unit='ms')}Z",
        "is_simulated": first.is_simulated,
        "missing": list(first.absent),
        "notes": [n.text for n in first.notes],
    }


def line(numbers: dict[str, float]) -> str:
    """Return the counts of a file as one line."""
    n = numbers
    leads = int(n[f"n_{CLASS_WORDS[LEAD_CLASS]}"])
    words = f"{counted(int(n['n_echoes']), 'echo')}: {leads:,} in {counted(int(n['n_leads']), 'lead')}"
    words += f", {int(n[f'n_{CLASS_WORDS[SEA_ICE]}']):,} ice, {int(n[f'n_{CLASS_WORDS[OCEAN]}']):,} ocean"
    return f"{words}, {int(n['n_unknown']):,} unknown; {int(n['n_remove']):,} to remove from ranges"


CLASS_WORDS = {LEAD_CLASS: "lead", SEA_ICE: "sea_ice", OCEAN: "ocean"}
