"""Put a finished training of a network of leads into polynya/weights: the ONNX file, the weights, their description,
and a model card made from it and from the results on tracks that it was not trained on.

    python scripts/ship_leads.py TRAINED/NAME polynya/weights --data build/leads

The scores are those of docs/results/leads*.json (``scripts/results.py leads ...``); a result of other weights is left
out of the card, so the network is shipped, scored, and shipped again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import ship_sums
import simulator_commit

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
NAMES = {
    "network": "this network",
    "maximum_power": "maximum power",
    "peakiness": "peakiness",
    "forest": "random forest of ten features",
    "forest_of_neighbours": "random forest of three echoes to each side",
    "majority": "no lead anywhere",
}


def result(name: str, digits: str) -> dict[str, Any] | None:
    """Return the values of a result file, None where there is none or it is of other weights."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return None if found.get("networks", {}).get("leads", digits) != digits else found["values"]


def scores_table(values: dict[str, Any]) -> list[str]:
    """Return the scores of all methods as lines of Markdown."""
    lines = [
        (
            "| method | average precision [95 %] | precision | recall | others called leads | median error of the"
            " distance within 3 km, m |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for name, r in values["methods"].items():
        ends = r.get("average_precision_interval")
        shown = f"{r['average_precision']:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")
        cells = [f"{r[k]:.3f}" if r.get(k) is not None else "-" for k in ("precision", "recall", "false_leads")]
        far = f"{r['distance_error_median_m']:.0f}" if "distance_error_median_m" in r else "-"
        lines.append(f"| {NAMES.get(name, name)} | {shown} | {' | '.join(cells)} | {far} |")
    return lines


def more_lines(digits: str) -> list[str]:
    """Return what results on other tracks, inputs, labels and thresholds say."""
    lines = []
    stress, shape, other = (result(f"leads_{n}", digits) for n in ("stress", "without_agc", "thresholds"))
    if stress:
        own, forest = (stress["methods"][n] for n in ("network", "forest_of_neighbours"))
        lines += [
            (
                "- Stress (40 % refrozen leads, bright ice every 25 km, a map that has drifted by 500 m): average"
                f" precision {own['average_precision']:.3f} (forest of neighbours {forest['average_precision']:.3f}),"
                f" median error of the distance {own['distance_error_median_m']:.0f} m, calibration error"
                f" {own['calibration_error']:.3f} against that map, {own['calibration_error_against_truth']:.3f}"
                f" against the truth, {100 * own['false_leads_in_bright_ice']:.0f} % of bright ice called lead."
            )
        ]
    if shape:
        own = shape["methods"]["network"]
        lines += [
            (
                "- A network that knows neither gain control nor tracker (recipe leads-shape, not shipped): average"
                f" precision {own['average_precision']:.3f}."
            )
        ]
    if other:
        map_, true = (other["methods"][n] for n in ("network", "network_of_true_labels"))
        lines += [
            (
                "- What the errors of the radar map cost, networks of the same standard tracks: average precision"
                f" {map_['average_precision']:.3f} with its labels, {true['average_precision']:.3f} with true ones;"
                f" median error of the distance {map_['distance_error_median_m']:.0f} and"
                f" {true['distance_error_median_m']:.0f} m."
            ),
            "",
            "| lead nearer than, m | average precision | of a forest of neighbours |",
            "|---|---|---|",
        ]
        by_t = {**other["thresholds"], "300": other["methods"]}
        lines += [
            f"| {t} | {by_t[t]['network']['average_precision']:.3f} |"
            f" {by_t[t]['forest_of_neighbours']['average_precision']:.3f} |"
            for t in sorted(by_t, key=float)
        ]
    return lines


def card(d: dict[str, Any], *, commit: str, size: int) -> str:
    """Return the model card, Markdown.

    Parameters
    ----------
    d : dict
        The network's description.
    commit : str
        Of the simulator.
    size : int
        Of the ONNX file, bytes.
    """
    m, digits = d["metrics"], d["weights_sha256"][:16]
    found = result("leads", digits)
    lines = [
        f"# Model card: {d['name']}",
        "",
        (
            "Leads along tracks of SARAL/AltiKa echoes at 40 Hz: the probability that a lead is nearer to nadir than"
            f" {d['threshold_m']:.0f} m, and the distance to the nearest lead with its 68 % interval."
        ),
        "",
        "**It has learned from simulated echoes alone. None of the numbers below is skill on real echoes.**",
        "",
        (
            f"- Network: `polynya/models/{d['model']['name']}.py`, {m['parameters']:,} parameters, {size / 1e6:.1f} MB"
            f" as ONNX; windows of {d['window']} echoes, broken at gaps of more than {d['gap_steps']:g} steps."
        ),
        (
            "- Inputs: 32 pooled gates of the echo divided by its maximum, and"
            f" {', '.join(f for f in d['features'] if not f.startswith('gate_'))}; power and gain control count from"
            " the lower quartile of 401 echoes around."
        ),
        (
            f"- Recipe: `polynya/recipes/{d['recipe']['name']}.yaml`, seed {d['seed']}, epoch {m['epoch']} of"
            f" {m['epochs']}. Rebuilt by `make leads-weights`. Weights sha256 {digits}."
        ),
        (
            f"- Labels: the nearest lead of a simulated radar map nearer than {d['threshold_m']:.0f} m; between that"
            f" and {d['belt'] * d['threshold_m']:.0f} m only the distance was learned. The map misses leads and drifts."
        ),
        "",
        "## Data",
        "",
        (
            f"- {d['data']['passes']} simulated tracks of 800 echoes (`scripts/make_lead_data.py`, simulator of commit"
            f" {commit}): standard ranges, and tracks whose receiver, slopes and contrasts vary."
        ),
        f"- Split by pass: {', '.join(f'{n} {p}' for p, n in d['data']['split']['groups'].items())}.",
    ]
    if found:
        own, seen = found["methods"]["network"], found["map"]
        lines += [
            "",
            f"## Scores on {found['tracks']} other simulated tracks ({own['n']:,} echoes), against the true leads",
            "",
            *scores_table(found),
            "",
            (
                f"The radar map itself: precision {seen['precision']:.2f}, recall {seen['recall']:.2f}. Calibration"
                f" error {own['calibration_error']:.3f} against the map,"
                f" {own['calibration_error_against_truth']:.3f} against the truth. Distances of the map"
                f" within the 68 % interval: {100 * own['interval_coverage_map']:.0f}"
                f" %. Bright ice without a lead that is called one: {100 * own['false_leads_in_bright_ice']:.0f} %."
            ),
            *more_lines(digits),
        ]
    lines += [
        "",
        "## Not for",
        "",
        "- Claims of skill: compare with leads of images or of another product first.",
        "- Summer: ponds look like leads and were not simulated. Open ocean and land.",
        "- CryoSat-2, Sentinel-3 and other radars: their echoes have other shapes.",
        "- Sequences shorter than a window: it saw few of them.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder and name of the network, without suffix")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of scripts/make_lead_data.py")
    a = parser.parse_args()
    a.weights.mkdir(parents=True, exist_ok=True)
    name = a.trained.name
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copyfile(a.trained.with_name(name + suffix), a.weights / f"{name}{suffix}")
    description = json.loads((a.weights / f"{name}.json").read_text(encoding="utf-8"))
    size = (a.weights / f"{name}.onnx").stat().st_size
    text = card(description, commit=simulator_commit.of(a.data), size=size)
    (a.weights / f"{name}.md").write_text(text, encoding="utf-8")
    ship_sums.write(a.weights)
    print(text)


if __name__ == "__main__":
    main()
