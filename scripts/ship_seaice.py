"""Put a finished training of a network of optical sea ice into polynya/weights: the ONNX file, the weights, their
description, and a model card made from it.

    python scripts/ship_seaice.py TRAINED/NAME polynya/weights --data build/seaice
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import ship_sums
import simulator_commit


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
    m = d["metrics"]
    sensors = ", ".join(f"{s} ({n})" for s, n in d["scaling"]["sensors"].items())
    lines = [
        f"# Model card: {d['name']}",
        "",
        (
            "Water, thin ice, thick ice, melt ponds, land and ponds frozen on land in optical images with pixels of 1"
            " to 50 m: calibrated probabilities. The default of `polynya seaice`."
        ),
        "",
        "**It has learned from simulated images alone: nothing here is skill on real ice.**",
        "",
        (
            f"- Network: `polynya/models/{d['model']['name']}.py`, widths"
            f" {', '.join(str(w) for w in d['model']['widths'])}, decoder {d['model']['decoder']}, {m['parameters']:,}"
            f" parameters, {size / 1e6:.1f} MB as ONNX."
        ),
        f"- Inputs (bands): {sensors}, counts of 0 to 255; the near infrared may be missing.",
        (
            f"- Recipe: `polynya/recipes/{d['recipe']['name']}.yaml`, seed {d['seed']}, epoch {m['epoch']} of"
            f" {m['epochs']}. Rebuilt by `make seaice-weights`. Weights sha256 {d['weights_sha256'][:16]}."
        ),
        "",
        "## Data",
        "",
        (
            f"- {d['data']['scenes']} simulated images (`scripts/make_seaice_data.py`, simulator of commit {commit}),"
            " with their true classes."
        ),
        f"- Split by image: {', '.join(f'{n} {p}' for p, n in d['data']['split']['groups'].items())}.",
        "",
    ]
    lines += [
        "## Not for",
        "",
        "- Claims of skill: compare with a chart, or with outlines by people, first (`polynya evaluate`).",
        "- Thick cloud and its shadow: they were not simulated, and cloud may pass for ice.",
        "- Pixels below 1 m or beyond 50 m; bands other than red, green, blue and near infrared.",
        "- Thin ice against thick ice in numbers of metres: the border is one of brightness.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder and name of the network, without suffix")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of scripts/make_seaice_data.py")
    a = parser.parse_args()
    name = a.trained.name
    description = json.loads(a.trained.with_name(f"{name}.json").read_text(encoding="utf-8"))
    a.weights.mkdir(parents=True, exist_ok=True)
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copyfile(a.trained.with_name(name + suffix), a.weights / f"{name}{suffix}")
    size = (a.weights / f"{name}.onnx").stat().st_size
    ship_sums.write(a.weights)
    text = card(description, commit=simulator_commit.of(a.data), size=size)
    (a.weights / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
