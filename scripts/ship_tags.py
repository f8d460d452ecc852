"""Put a finished training of a network of tags into polynya/weights: the ONNX file, the weights, their description, and
a model card made from it and from its scores on imagettes that it was not trained on.

    python scripts/ship_tags.py TRAINED/NAME polynya/weights --data build/wave

The scores are those of docs/results/NAME.json (``scripts/results.py tags``); a result of other weights is left out
of the card, so the network is shipped, scored, and shipped again.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from pathlib import Path
from typing import Any

import ship_sums
import simulator_commit

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
ROWS = {
    "macro_f1": "macro F1, visible tags",
    "macro_f1_all": "macro F1, all tags",
    "micro_auroc": "micro AUROC, visible tags",
    "macro_auroc": "macro AUROC, visible tags",
    "exact_match": "images whose tags are all right",
    "hamming": "share of tags that are wrong",
    "top_label_ece": "calibration error of the most probable tag",
    "mean_tag_ece": "calibration error, mean over tags",
    "accuracy_at_70_percent": "accuracy of the most probable given tag or none, surest 70 %",
    "coverage_at_95_percent": "coverage at an accuracy of 95 %",
    "untagged_with_a_tag": "untagged images that get a tag",
}


def result(name: str, digits: str) -> dict[str, Any] | None:
    """Return the values of a network's result file, None where there is none or it is of other weights."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return found["values"] if found.get("networks", {}).get(name) == digits else None


def number(value: Any) -> str:
    """Return a number for people."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.3f}"


def tables(scores: dict[str, Any]) -> list[str]:
    """Return the scores as lines of Markdown."""
    network, forest = (scores["methods"][n] for n in ("network", "forest"))
    lines = ["| | network | forest of twenty numbers |", "|---|---|---|"]
    for key, name in ROWS.items():
        shown = []
        for one in (network, forest):
            ends = one.get(f"{key}_interval")
            shown.append(number(one[key]) + (f" [{number(ends[0])}, {number(ends[1])}]" if ends else ""))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    lines += ["", "| tag | n | F1 | precision | recall | AUROC | F1 of the forest |", "|---|---|---|---|---|---|---|"]
    for tag, own in network["tags"].items():
        cells = [number(own[k]) for k in ("f1", "precision", "recall", "auroc")]
        lines.append(f"| {tag} | {own['n']} | {' | '.join(cells)} | {number(forest['tags'][tag]['f1'])} |")
    return lines


def unknown(decision: dict[str, Any]) -> str:
    """Return which images get no tag besides those that reach no threshold; nothing where none do."""
    limit = f"{decision['unknown_below']:.2f}"
    return "" if limit == "0.00" else f" An image whose largest probability is below {limit} gets no tag."


def card(d: dict[str, Any], scores: dict[str, Any] | None, *, commit: str, size: int) -> str:
    """Return the model card, Markdown.

    Parameters
    ----------
    d : dict
        The network's description.
    scores : dict or None
        On other imagettes.
    commit : str
        Of the simulator.
    size : int
        Of the ONNX file, bytes.
    """
    m, decision = d["metrics"], d["decision"]
    lines = [
        f"# Model card: {d['name']}",
        "",
        (
            "Ten phenomena in Sentinel-1 wave-mode imagettes of 20 km, several per image: calibrated probabilities,"
            " thresholds per tag, unknown, and how far an image lies from the training."
        ),
        "",
        "**It has learned from simulated imagettes alone. None of the numbers below is skill on real imagettes.**",
        "",
        (
            f"- Network: `polynya/models/{d['model']['name']}.py`, {m['parameters']:,} parameters, {size / 1e6:.1f} MB"
            f" as ONNX; pictures of {d['size']} x {d['size']} pixels of {d['pixel_m']:g} m, stretched between the 1st"
            f" and the 99th percentile, and {', '.join(d['scalars'])}."
        ),
        (
            f"- Recipe: `polynya/recipes/{d['recipe']['name']}.yaml`, seed {d['seed']}, epoch {m['epoch']} of"
            f" {m['epochs']}. Rebuilt by `make tags-weights`. Weights sha256 {d['weights_sha256'][:16]}."
        ),
        (
            f"- Thresholds, calibration and limits of distance: {decision['n']} imagettes of orbits that were not"
            f" trained on.{unknown(decision)}"
        ),
        "",
        "## Data",
        "",
        (
            f"- {d['data']['imagettes']:,} simulated imagettes (`scripts/make_wave_data.py`, simulator of commit"
            f" {commit}), one tag wrong in 5 % of them. Tags that cannot be seen are unknown to the training."
        ),
        f"- Split by orbit: {', '.join(f'{n} {p}' for p, n in d['data']['split']['groups'].items())}.",
        "",
    ]
    if scores is not None:
        gain, ends = scores["network_minus_forest"], scores["network_minus_forest_interval"]
        lines += [
            f"## Scores on {scores['test']:,} other simulated imagettes of {scores['test_passes']} orbits, true tags",
            "",
            *tables(scores),
            "",
            f"Macro F1 above the forest's: {number(gain)} [{number(ends[0])}, {number(ends[1])}].",
            "Intervals are of draws of orbits.",
            f"{100 * scores['far']:.1f} % of the imagettes count as far from the training.",
            "",
        ]
    lines += [
        "## Not for",
        "",
        "- Claims of skill: TenGeoP-SARwv was not available; compare with tags of people first.",
        "- HH polarisation, other modes and other resolutions.",
        "- Phenomena outside the ten: internal waves, ships, upwelling. They may get one of the ten tags.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder and name of the network, without suffix")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of scripts/make_wave_data.py")
    a = parser.parse_args()
    name = a.trained.name
    description = json.loads(a.trained.with_name(f"{name}.json").read_text(encoding="utf-8"))
    scores = result(name, description["weights_sha256"][:16])
    a.weights.mkdir(parents=True, exist_ok=True)
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copyfile(a.trained.with_name(name + suffix), a.weights / f"{name}{suffix}")
    size = (a.weights / f"{name}.onnx").stat().st_size
    text = card(description, scores, commit=simulator_commit.of(a.data), size=size)
    (a.weights / f"{name}.md").write_text(text, encoding="utf-8")
    ship_sums.write(a.weights)
    print(text)


if __name__ == "__main__":
    main()
