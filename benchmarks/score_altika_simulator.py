"""Do simulated AltiKa tracks look as published? Saturation, peakiness, maximum power, and the radar map's errors.

    python benchmarks/score_altika_simulator.py [--seeds 1000-1024] [--echoes 800] [--ranges standard] [--json]

An echo is one of a lead if the nearest lead is nearer than 300 m; far echoes have none within 3 km. Printed are
precision and recall of the radar map against the true leads, the shares of saturated echoes, the 10, 50 and 90 %
quantiles of peakiness (128 gates) and maximum power, and the area under the precision-recall curve of maximum power and
of peakiness as detectors of leads. Numbers from simulated tracks are never skill on real data.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

import numpy as np

from polynya.physics.waveform_features import features
from polynya.simulate.altika.track import Track, draw_track

EXPECTED = {
    "lead_share": "0.096",
    "map_precision": "0.92",
    "map_recall": "0.62",
    "saturated_leads": "0.083 (0.06 to 0.10)",
    "saturated_others": "0.052",
    "peakiness_leads": "8.7 20.3 33.3",
    "peakiness_far": "4.3 4.7 9.7",
    "max_power_db_leads": "31 39 45",
    "max_power_db_far": "23 27 33",
    "average_precision_max_power": "0.377",
    "average_precision_peakiness": "0.358",
}
"""What the method's description asks for; the shares vary from track to track."""


def score(tracks: Iterable[Track]) -> dict[str, object]:
    """Return the numbers of some tracks, pooled."""
    kept = list(tracks)
    true, seen = (np.concatenate([getattr(t, name) for t in kept]) for name in ("true_distance", "map_distance"))
    of = [features(t.waveform, agc=t.agc) for t in kept]
    peakiness = np.concatenate([f["peakiness_zakharova_128"] for f in of])
    power = np.concatenate([f["max_power_db"] for f in of])
    saturated = np.concatenate([t.saturated > 0 for t in kept])
    lead, mapped, far = true < 300.0, seen < 300.0, true > 3000.0

    def quantiles(values: np.ndarray) -> list[float]:
        return [round(float(v), 2) for v in np.quantile(values, (0.1, 0.5, 0.9))]

    return {
        "tracks": len(kept),
        "echoes": len(true),
        "lead_share": round(float(lead.mean()), 4),
        "map_precision": round(float((lead & mapped).sum() / mapped.sum()), 3),
        "map_recall": round(float((lead & mapped).sum() / lead.sum()), 3),
        "saturated_leads": round(float(saturated[lead].mean()), 4),
        "saturated_others": round(float(saturated[~lead].mean()), 4),
        "peakiness_leads": quantiles(peakiness[lead]),
        "peakiness_far": quantiles(peakiness[far]),
        "max_power_db_leads": quantiles(power[lead]),
        "max_power_db_far": quantiles(power[far]),
        "average_precision_max_power": round(average_precision(lead, power), 3),
        "average_precision_peakiness": round(average_precision(lead, peakiness), 3),
    }


def average_precision(truth: np.ndarray, values: np.ndarray) -> float:
    """Return the mean of the precision at every true sample, samples sorted by falling value."""
    hits = truth[np.argsort(-values, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def seeds_of(text: str) -> range:
    """Return the seeds of FIRST-LAST."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1000-1024")
    parser.add_argument("--echoes", type=int, default=800)
    parser.add_argument("--ranges", default="standard")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = score(draw_track(s, echoes=options.echoes, ranges=options.ranges) for s in seeds_of(options.seeds))
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for name, value in found.items():
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:30} {shown!s:24} {EXPECTED.get(name, '')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
