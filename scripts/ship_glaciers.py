"""Put a finished training of a glacier network into polynya/weights: the ONNX file, the weights, their description, and
a model card made from it.

python scripts/ship_glaciers.py TRAINED/NAME polynya/weights --data build/glaciers
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import ship_sums
import simulator_commit

PURPOSE = {
    "glavitu-narrow": (
        "Glacier or not, for every pixel, from any subset of six sensors. Debris-covered ice is glacier. What"
        " `polynya glaciers` takes for most images."
    ),
    "glacier-saturated": (
        "Glacier or not, for every pixel, of images without short-wave infrared whose snow is saturated (8-bit digital"
        " numbers of Landsat 4 to 7), with a DEM where there is one. `polynya glaciers` takes it for such images."
    ),
}
MADE_BY = {"glacier-saturated": "make glacier-saturated"}
NOT_FOR = {
    "glacier-saturated": (
        "- Images that are not saturated or have short-wave infrared: its real ground is one image of one day.",
    )
}
HELD_OUT = "both on out-of-fold predictions for the halves of the real chip"
CROSS_FITTED = (
    "two thirds on simulated scenes of their own, a third on out-of-fold predictions for halves of the real chips"
)


def card(d: dict, *, commit: str, size: int) -> str:
    """Return the model card, Markdown."""
    m, data = d["metrics"], d["data"]
    after = {s["name"]: s for s in m["calibration"]["all"]["after"]}
    real = sorted({t["file"] for t in data["tables"] if t["file"].startswith(("khumbu", "everest"))})
    rows = [
        f"| {n} | {m['recall'][k]:.3f} | {m['precision'][k]:.3f} | {m['iou'][k]:.3f} |"
        f" {after[n]['calibration_error']:.4f} | {after[n]['brier_skill']:.3f} | {int(sum(m['confusion'][k])):,} |"
        for k, n in enumerate(d["classes"])
    ]
    sensors = ", ".join(f"{s} ({n})" for s, n in d["scaling"]["sensors"].items())
    c = m["confidence"]
    first = (
        f" It starts from the weights of {d['start_from']['file']} (sha256 {d['start_from']['weights_sha256'][:16]}),"
        " trained by the recipe of that name."
        if "start_from" in d
        else ""
    )
    made_by = MADE_BY.get(d["name"], "make glacier-weights")
    lines = [
        f"# Model card: {d['name']}",
        "",
        PURPOSE.get(d["name"], "Glacier or not, for every pixel."),
        "",
        (
            f"- Network: `polynya/models/{d['model']['name']}.py`, width {d['model']['width']}, {m['parameters']:,}"
            f" parameters, {size / 1e6:.2g} MB as ONNX; windows of {d['size']} pixels."
        ),
        f"- Inputs (bands): {sensors}; physical units, NaN where missing. Pixels of {_pixels(data)} m.",
        (
            f"- Recipe: `polynya/recipes/{d['recipe']['name']}.yaml`, seed {d['seed']}, epoch {m['epoch']} of"
            f" {m['epochs']}.{first} Rebuilt by `{made_by}`. Weights sha256 {d['weights_sha256'][:16]}."
        ),
        (
            f"- Calibration: {d['calibration']['method']} scaling of the logits; confidence by"
            f" {c['method'].replace('_', ' ')} (chosen by its error on the half it was not fitted on),"
            f" {_calibrated_on(d)}."
            f" Within blocks of 3.2 km, errors of areas are {d['areas']['sd']:.2f} times those under full correlation;"
            f" the between-block correlation is {d['areas']['between_blocks']:.2f} (fitted on the same scenes; the"
            " intervals use both)."
        ),
        "",
        "## Data",
        "",
        (
            f"- Simulated: {data['scenes'] - len(real)} scenes of {len([r for r in data['regions'] if r != 'unknown'])}"
            f" regions (`scripts/make_glacier_data.py`, glacier simulator of commit {commit}); truth outlines."
        ),
        (
            f"- Real, training part only: {', '.join(real) if real else 'none'}."
            f"{' Khumbu: Sentinel-2 L2A, winter and spring 2024.' if any('khumbu' in r for r in real) else ''}"
            " Everest: Landsat-7, October 2000, digital numbers, no SWIR. RGI 6.0 outlines of 2000-2010: labels are"
            " noisy."
        ),
        (
            f"- Split by scene: {', '.join(f'{n} {p}' for p, n in data['split']['groups'].items())}. Labelled pixels of"
            f" the training part: {', '.join(f'{v:,} {k}' for k, v in data['labels']['train'].items())}."
        ),
        "",
        f"## Scores on the {m['part']} part ({m['n']:,} simulated pixels; no skill on real data)",
        "",
        f"IoU of calling everything glacier: {m.get('all_positive_iou', m.get('all_of_last_class_iou')):.3f}.",
        "",
        "| class | recall | precision | IoU | calibration error | Brier skill | n |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        (
            f"Confidence: calibration error {c['calibration_error']:.4f} (raw 1 - entropy:"
            f" {c['calibration_error_of_entropy']:.3f}); {100 * c['share_above_0.95']:.0f} % of the pixels lie above"
            " 0.95."
        ),
        "",
        *held_out(m.get("cross_fitting") or m.get("kept_back") or []),
        "Other networks, strategies, missing sensors and real chips: docs/glacier_networks.md.",
        "",
        "## Not for",
        "",
        (
            "- Outlines for publication without a check: debris-covered margins, snow patches, shadow and lakes are"
            " where it fails first."
        ),
        "- Pixels far from 10 to 30 m, night, or scenes that are mostly cloud.",
        "- Separating debris-covered ice from rock glaciers or dead ice: the simulation contains neither.",
        "- Claims of skill on regions of the world from simulated scores.",
        *NOT_FOR.get(d["name"], ()),
        "",
    ]
    return "\n".join(lines)


def _pixels(data: dict) -> str:
    low, high = data.get("pixel_m") or (10.0, 30.0)
    return f"{low:g} to {high:g}"


def _calibrated_on(d: dict) -> str:
    """Return what calibration and confidence were fitted on, in words."""
    if not (d["metrics"].get("cross_fitting") or d["metrics"].get("kept_back")):
        return "both on scenes of their own"
    return HELD_OUT if d["recipe"].get("calibrated_on") == "held_out" else CROSS_FITTED


def held_out(rows: list[dict]) -> list[str]:
    """Return the table of the held-out real ground."""
    if not rows:
        return []
    return [
        "## Held-out real ground",
        "",
        (
            "Halves of the real chips, each scored with a network of this recipe that was trained without that half"
            " (windows side by side, not blended). The shipped network was trained on both halves."
        ),
        "",
        (
            "| chip | half | IoU | everything glacier | precision | recall | area deviation | calibration error | Brier"
            " skill |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {r['scene']} | {r['tiles'].removeprefix('real_').split('/')[0]} | {r['iou']:.3f} |"
            f" {r['everything_iou']:.3f} |"
            f" {r['precision']:.3f} | {r['recall']:.3f} | {r['area_deviation']:+.3f} | {r['calibration_error']:.3f} |"
            f" {r['brier_skill']:.3f} |"
            for r in rows
        ),
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder and name of the network, without suffix")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of scripts/make_glacier_data.py")
    a = parser.parse_args()
    a.weights.mkdir(parents=True, exist_ok=True)
    name = a.trained.name
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copyfile(a.trained.with_name(name + suffix), a.weights / f"{name}{suffix}")
    description = json.loads((a.weights / f"{name}.json").read_text(encoding="utf-8"))
    text = card(description, commit=simulator_commit.of(a.data), size=(a.weights / f"{name}.onnx").stat().st_size)
    (a.weights / f"{name}.md").write_text(text, encoding="utf-8")
    ship_sums.write(a.weights)
    print(text)


if __name__ == "__main__":
    main()
