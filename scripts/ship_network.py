"""Put a finished training into polynya/weights: the ONNX file, the weights, their description, and a model card made
from it.

python scripts/ship_network.py TRAINED polynya/weights --data DATA [--name track-unet]
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import ship_sums
import simulator_commit

CLASSES = {"thick_ice": "thick or snow-covered ice", "thin_ice": "thin ice", "open_water": "open water"}


def card(d: dict, *, commit: str, size: int) -> str:
    """Return the model card, Markdown."""
    m, data = d["metrics"], d["data"]
    drawn = sorted({t["source"] for t in data["tables"] if t.get("source")})
    simulated = [t for t in data["tables"] if not t.get("source")]
    parts = {}
    for part in (data.get("granule_parts") or {}).values():
        parts[part] = parts.get(part, 0) + 1
    rows = []
    after = {s["name"]: s for s in m["calibration"]["all"]["after"]}
    for k, name in enumerate(d["classes"]):
        s = after[name]
        rows.append(
            f"| {CLASSES[name]} | {m['recall'][k]:.3f} | {m['precision'][k]:.3f} | {m['f1'][k]:.3f} |"
            f" {s['calibration_error']:.4f} | {s['brier_skill']:.3f} | {int(sum(m['confusion'][k])):,} |"
        )
    labels = data["labels"]["train"]
    t = d.get("teacher")
    learned = [f"- Learned from `{t['file']}`, sha256 {t['weights_sha256'][:16]}, beside the labels."] if t else []
    lines = [
        f"# Model card: {d['name']}",
        "",
        (
            f"Surface class of 2 m segments of ICESat-2 ATL03 over sea ice: {', '.join(CLASSES.values())}. The default"
            " of `polynya freeboard`."
        ),
        "",
        (
            f"- Network: `polynya/models/{d['model']['name']}.py`, {m['parameters']:,} parameters, {size / 1e6:.1f} MB"
            f" as ONNX; reaches {d['halo'] * d['cell_m'] / 1000:.1f} km to either side, never across a gap of more than"
            f" {d['gap_m']:g} m."
        ),
        f"- Features (no label enters any): {', '.join(d['features'])}.",
        (
            f"- Recipe: `polynya/recipes/{d['recipe']['name']}.yaml`, seed {d['seed']}, epoch {m['epoch']} of"
            f" {m['epochs']}. Rebuilt by `make weights`. Weights sha256 {d['weights_sha256'][:16]}."
        ),
        (
            f"- Calibration: {d['calibration']['method']} scaling on granules of their own; the class is that of the"
            f" largest weight x probability, weights {', '.join(f'{w:.2f}' for w in d['decision_weights'])}, fitted on"
            " the same granules."
        ),
        *learned,
        "",
        "## Data",
        "",
        (
            f"- {len(simulated)} simulated granules (`scripts/make_training_data.py`, simulator of commit {commit}):"
            " every season and surface that the simulator has, strong and weak beams, a part of them with a Sentinel-2"
            " scene (`simulate"
            " pair`); labels are the simulation's truth."
        ),
        (
            f"- Tracks of photons drawn from {', '.join(drawn)} (doi:10.5067/ATLAS/ATL07.003), all in the training"
            " part; labels are NASA surface types: 2-5 water, 1 ice of unknown thickness, the rest unlabelled."
            if drawn
            else "- No real data."
        ),
        (
            f"- Split by granule: {', '.join(f'{n} {p}' for p, n in parts.items())}. Training part:"
            f" {labels['thick_ice']:,} thick, {labels['thin_ice']:,} thin, {labels['open_water']:,} water,"
            f" {labels['ice_thick_or_thin']:,} ice of unknown thickness."
        ),
        "",
        f"## Scores on the {m['part']} part ({m['n']:,} simulated segments; no skill on real data)",
        "",
        f"Macro-F1 {m['macro_f1']:.3f} (always the most frequent class: {m['majority_macro_f1']:.3f}).",
        "",
        "| class | recall | precision | F1 | calibration error | Brier skill | n |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "Against the rule, the published networks and other seeds: docs/networks.md.",
        "",
        "## Not for",
        "",
        "- Land ice, icebergs, lakes, open ocean far from ice, or segments of another length than 2 m.",
        (
            "- Claims of skill against imagery: no segment labelled from a real Sentinel-2 scene was used in training"
            " or scoring."
        ),
        "- Thin ice by thickness: thin means a brightness between water and snow in true colour.",
        "- Dark leads under cloud: mostly missed, as by every method that rests on photon rates.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of scripts/make_training_data.py")
    parser.add_argument("--name", default="track-unet")
    a = parser.parse_args()
    a.weights.mkdir(parents=True, exist_ok=True)
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copyfile(a.trained / f"{a.name}{suffix}", a.weights / f"{a.name}{suffix}")
    description = json.loads((a.weights / f"{a.name}.json").read_text(encoding="utf-8"))
    text = card(description, commit=simulator_commit.of(a.data), size=(a.weights / f"{a.name}.onnx").stat().st_size)
    (a.weights / f"{a.name}.md").write_text(text, encoding="utf-8")
    ship_sums.write(a.weights)
    print(text)


if __name__ == "__main__":
    main()
