"""Put a finished training of a network of sea-ice concentration into polynya/weights: the ONNX file, the weights, their
description, and a model card made from it and from scores on scenes that it was not trained on.

    python scripts/ship_concentration.py TRAINED/NAME polynya/weights --data build/concentration --scores SCORES.json

SCORES.json is what ``benchmarks/score_concentration.py --json`` printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shutil
from pathlib import Path

import ship_sums
import simulator_commit

NAMES = {
    "network": "this network",
    "training_mean": "the training mean everywhere",
    "gaussian_classes": "Gaussian classes with angle",
    "forest": "random forest of one cell",
    "forest_with_surroundings": "random forest with surroundings",
}


def card(d: dict, scores: dict, *, commit: str, onnx: bytes) -> str:
    """Return the model card, Markdown.

    Parameters
    ----------
    d : dict
        The network's description.
    scores : dict
        Of ``benchmarks/score_concentration.py``.
    commit : str
        Of the simulator.
    onnx : bytes
        The ONNX file.
    """
    m = d["metrics"]
    own = scores["methods"]["network"]
    sensors = ", ".join(f"{s} ({n})" for s, n in d["scaling"]["sensors"].items())
    held = ", ".join(f"{100 * v:.1f} % within the {k} % interval" for k, v in own["coverage"].items())
    marginal = ", ".join(f"{100 * v:.1f} %" for v in own["coverage_miz_5_km_cells"].values())
    ratios = [b["rms_error"] / b["sigma"] for b in own["sigma_bins"]]
    rows = [
        f"| {NAMES[name]} | {r['r2']:.3f} [{r['r2_interval'][0]:.3f}, {r['r2_interval'][1]:.3f}] | {r['rmse']:.3f} |"
        f" {r['r2_5_km']:.3f} | {r['rmse_miz_5_km']:.3f} | {r['ice_or_water_5_km']:.3f} |"
        f" {distance(r['edge_km_median'])} |"
        for name, r in scores["methods"].items()
    ]
    kept = scores.get("noise_kept", {}).get("network")
    lines = [
        f"# Model card: {d['name']}",
        "",
        (
            "Sea-ice concentration with its uncertainty from Sentinel-1 EW, HH and HV in dB after removal of the"
            " thermal noise, with the incidence angle, on cells of 400 m. The default of `polynya concentration`."
        ),
        "",
        "**It has learned from simulated scenes alone. None of the numbers below is skill on real ice.**",
        "",
        (
            f"- Network: `polynya/models/{d['model']['name']}.py`, widths"
            f" {', '.join(str(w) for w in d['model']['widths'])}, {m['parameters']:,} parameters,"
            f" {len(onnx) / 1e6:.1f} MB as ONNX."
        ),
        f"- Inputs (bands): {sensors}; NaN where missing, HH or HV may be missing altogether.",
        (
            f"- Recipe: `polynya/recipes/{d['recipe']['name']}.yaml`, seed {d['seed']}, epoch {m['epoch']} of"
            f" {m['epochs']}. Rebuilt by `make concentration-weights`. Weights sha256 {d['weights_sha256'][:16]},"
            f" ONNX {hashlib.sha256(onnx).hexdigest()[:16]} (the one in run.json and reports)."
        ),
        (
            "- Uncertainty: the root mean square error that such a stated spread had on"
            f" {m.get('scenes_of_spread', 'the calibration')} scenes; intervals are quantiles of errors in bins of"
            " spread and concentration (`polynya/spread.py`, `scripts/calibrate_concentration.py`)."
        ),
        "",
        "## Data",
        "",
        (
            f"- {d['data']['scenes']} simulated windows of 102 km (`scripts/make_concentration_data.py`, simulator of"
            f" commit {commit}), standard ranges, north. Truth: the simulated cover."
        ),
        f"- Split by scene: {', '.join(f'{n} {p}' for p, n in d['data']['split']['groups'].items())}.",
        "",
        f"## Scores on {own['scenes']} other simulated scenes ({own['n']:,} cells)",
        "",
        (
            "| method | R² of cells [95 %] | RMSE | R² of 4.8 km | RMSE of 4.8 km, 15-80 % | ice or water at 15 % | ice"
            " edge, median km |"
        ),
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        (
            f"True values: {held}; in marginal ice {marginal}. Root mean square error over stated uncertainty in eight"
            f" bins of it: {min(ratios):.2f} to {max(ratios):.2f}."
        ),
        *([f"With the thermal noise left in: R² {kept['r2']:.3f}, {kept['r2_5_km']:.3f} of 4.8 km."] if kept else []),
        "",
        "## Not for",
        "",
        "- Melt: wet snow and ponds were not simulated, and change both channels by more than ice types differ.",
        "- Land, icebergs, ships, ambiguities of the radar.",
        "- Thin first-year ice as a class of its own: it was not simulated.",
        (
            "- Water and ice of another brightness than in training: on scenes of the wider stress ranges errors are up"
            " to 1.7 times as large as stated (docs/concentration.md)."
        ),
        "- Pixels far from 400 m, IW and SM products, other polarisations.",
        "- Claims of skill: compare with a chart or another product first (`polynya evaluate`).",
        "",
    ]
    return "\n".join(lines)


def distance(km: float | None) -> str:
    """Return a distance as text; a map without an edge has none."""
    return f"{km:.1f}" if km is not None and math.isfinite(km) else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder and name of the network, without suffix")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of scripts/make_concentration_data.py")
    parser.add_argument("--scores", type=Path, required=True, help="printed by benchmarks/score_concentration.py")
    a = parser.parse_args()
    a.weights.mkdir(parents=True, exist_ok=True)
    name = a.trained.name
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copyfile(a.trained.with_name(name + suffix), a.weights / f"{name}{suffix}")
    description = json.loads((a.weights / f"{name}.json").read_text(encoding="utf-8"))
    scores = json.loads(a.scores.read_text(encoding="utf-8"))["values"]
    onnx = (a.weights / f"{name}.onnx").read_bytes()
    text = card(description, scores, commit=simulator_commit.of(a.data), onnx=onnx)
    (a.weights / f"{name}.md").write_text(text, encoding="utf-8")
    ship_sums.write(a.weights)
    print(text)


if __name__ == "__main__":
    main()
