"""Fit the rule of `polynya concentration` on simulated Sentinel-1 scenes and write polynya/data/radar_ice_classes.json.

    python scripts/fit_radar_classes.py [--scenes 80] [--out FILE]

Classes are fitted on scenes of seeds from 10000, their errors measured on as many scenes of seeds from 20000.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from polynya.physics import angle_classes
from polynya.simulate.sentinel1.scene import draw_scene
from polynya.workflows.concentration import rule

SIZE = (256, 256)
FIT_FROM, ERRORS_FROM = 10_000, 20_000
NAMES, CODES = ("open_water", "new_ice", "young_ice", "first_year_ice", "old_ice"), (0, 1, 2, 4, 5)
PURE = 0.02
PIXELS = 3000
EDGES = np.array([0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])


def main() -> None:
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--out", type=Path, default=Path("polynya/data/radar_ice_classes.json"))
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    values, angles, kinds = [], [], []
    for seed in range(FIT_FROM, FIT_FROM + args.scenes):
        scene = draw_scene(seed, size=SIZE)
        is_pure = ((scene.concentration < PURE) | (scene.concentration > 1 - PURE)) & scene.valid
        chosen = rng.choice(np.flatnonzero(is_pure), min(PIXELS, int(is_pure.sum())), replace=False)
        values.append(scene.decibels().reshape(2, -1)[:, chosen])
        angles.append(scene.incidence.reshape(-1)[chosen])
        kinds.append(np.searchsorted(CODES, scene.stage.reshape(-1)[chosen]))
    classes = angle_classes.fit(
        np.concatenate(values, axis=1), np.concatenate(angles), np.concatenate(kinds), names=NAMES
    )
    given, truth = [], []
    for seed in range(ERRORS_FROM, ERRORS_FROM + args.scenes):
        scene = draw_scene(seed, size=SIZE)
        found = rule.concentration(classes, scene.decibels(), scene.incidence)
        seen = scene.valid & np.isfinite(found)
        given.append(found[seen])
        truth.append(scene.concentration[seen])
    errors = rule.errors(np.concatenate(given), np.concatenate(truth), edges=EDGES)
    held = {
        "about": "Classes of radar backscatter for `polynya concentration --network rule`, fitted on simulated scenes"
        " of Sentinel-1 EW: no measurement. Made by scripts/fit_radar_classes.py.",
        "channels": ["HH", "HV"],
        "classes": angle_classes.as_dict(classes),
        "errors": errors,
    }
    args.out.write_text(json.dumps(held, indent=1) + "\n")
    p, t = np.concatenate(given), np.concatenate(truth)
    print(f"wrote {args.out}; R2 {1 - ((p - t) ** 2).mean() / t.var():.3f} on simulated pixels")


if __name__ == "__main__":
    main()
