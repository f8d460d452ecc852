"""Do simulated CryoSat-2 tracks look as real ones? Peakiness, stacks, power, and what CPOM's rule makes of them.

    python benchmarks/score_cryosat2_simulator.py [--seeds 1000-1024] [--echoes 800] [--ranges standard] [--json]

Printed are 5, 50 and 95 % quantiles of peakiness (CPOM's definition, on the 128 gates around the peak, and on all 256),
of the spread of the stack by peakiness, and of power; and precision and recall of CPOM's rule against the true leads
(d < 300 m). Beside them stand the numbers of real files: a table of SAR mode of 14 December 2022 (10,550 echoes), an
L2i file of SARIn, and a stretch of SAR mode over ocean. Numbers from simulated tracks are never skill on real data.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from polynya.physics import lead_rules
from polynya.physics.waveform_features import cropped, features
from polynya.schema.echoes import LEAD, SEA_ICE
from polynya.simulate.altika.presets import LEAD_DISTANCE_M
from polynya.simulate.cryosat2.track import Track, draw_track

EXPECTED = {
    "peakiness_128": "4.1 9.9 39.5",
    "peakiness_128_rule_leads": "19.0 29.7 45.7",
    "peakiness_128_rule_floes": "3.8 5.7 8.6",
    "stack_std": "1.1 16.4 44.9",
    "stack_std_rule_leads": "0.7 1.8 4.8",
    "stack_std_rule_floes": "17.1 34.9 46.9",
    "stack_std_by_peakiness": "38 35 24 15 7.7 2.6 1.4",
    "stack_skewness_rule_leads": "2.7 4.8 6.5 (SARIn)",
    "stack_kurtosis_rule_leads": "6.7 23.2 42.1 (SARIn)",
    "stack_peakiness_rule_leads": "4.9 18.9 184 (SARIn)",
    "stack_skewness_rule_floes": "-0.3 0.3 1.0 (SARIn)",
    "stack_kurtosis_rule_floes": "-1.4 -1.0 0.0 (SARIn)",
    "stack_peakiness_rule_floes": "1.4 1.9 3.3 (SARIn)",
    "contrast_db": "20.2 (SARIn, backscatter)",
    "power_w_floes": "6.5e-16 2.7e-15 8.1e-15 (ocean and ice sheet)",
}
"""Quantiles of the real files, or their medians by peakiness."""
EDGES = (0.0, 5.0, 7.0, 9.0, 12.0, 18.0, 30.0, 64.0)
"""Of peakiness."""
FAR_M = 3000.0


def score(tracks: Iterable[Track]) -> dict[str, object]:
    """Return the numbers of some tracks, pooled."""
    kept = list(tracks)
    true = np.concatenate([t.true_distance for t in kept])
    stack = {n: np.concatenate([getattr(t.stack, n) for t in kept]) for n in vars(kept[0].stack)}
    of = {128: features(np.concatenate([cropped(t.waveform) for t in kept]))}
    of[256] = features(np.concatenate([t.waveform for t in kept]))
    power = np.concatenate([t.scale * t.waveform.max(axis=1) for t in kept])
    is_lead, far = true < LEAD_DISTANCE_M, true > FAR_M
    found: dict[str, object] = {"tracks": len(kept), "echoes": len(true), "lead_share": round(float(is_lead.mean()), 4)}
    share = np.ones(len(true))  # all is pack ice
    for gates, some in of.items():
        answer = lead_rules.cpom(
            some.peakiness("cpom"), stack_std=stack["std"], sea_ice_concentration=share, rule=lead_rules.CPOM_SAR
        ).classes
        said = answer == LEAD
        found |= {
            f"peakiness_{gates}": quantiles(some["peakiness_cpom"]),
            f"peakiness_{gates}_rule_leads": quantiles(some["peakiness_cpom"][said]),
            f"peakiness_{gates}_rule_floes": quantiles(some["peakiness_cpom"][answer == SEA_ICE]),
            f"rule_{gates}_shares": [round(float(np.mean(answer == c)), 3) for c in (LEAD, SEA_ICE, 0)],
            f"rule_{gates}_precision": round(float(is_lead[said].mean()), 3),
            f"rule_{gates}_precision_1km": round(float((true[said] < 1000.0).mean()), 3),
            f"rule_{gates}_recall": round(float(said[is_lead].mean()), 3),
            f"rule_{gates}_recall_in_leads": round(float(said[true == 0.0].mean()), 3),
        }
        if gates == 128:
            kinds = (("leads", said), ("floes", answer == SEA_ICE))
    peakiness = of[128]["peakiness_cpom"]
    bins = [(peakiness >= a) & (peakiness < b) for a, b in pairwise(EDGES)]
    found |= {"stack_std": quantiles(stack["std"]), "stack_std_by_peakiness": [median(stack["std"][m]) for m in bins]}
    found |= {f"stack_{n}_rule_{kind}": quantiles(stack[n][m]) for kind, m in kinds for n in stack}
    leads = kinds[0][1]
    found["contrast_db"] = round(float(10.0 * np.log10(np.median(power[leads]) / np.median(power[far & ~leads]))), 1)
    found["power_w_floes"] = [float(f"{v:.2g}") for v in np.quantile(power[far & ~leads], (0.05, 0.5, 0.95))]
    found["power_w_rule_leads"] = [float(f"{v:.2g}") for v in np.quantile(power[leads], (0.05, 0.5, 0.95))]
    return found


def quantiles(values: np.ndarray) -> list[float]:
    """Return the 5, 50 and 95 % quantiles."""
    return [round(float(v), 2) for v in np.nanquantile(values, (0.05, 0.5, 0.95))]


def median(values: np.ndarray) -> float:
    """Return the median, NaN of nothing."""
    return round(float(np.nanmedian(values)), 1) if len(values) else np.nan


def main() -> int:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1000-1024")
    parser.add_argument("--echoes", type=int, default=800)
    parser.add_argument("--ranges", default="standard")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    found = score(draw_track(s, echoes=options.echoes, ranges=options.ranges) for s in seeds)
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for name, value in found.items():
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:30} {shown!s:34} {EXPECTED.get(name, '')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
