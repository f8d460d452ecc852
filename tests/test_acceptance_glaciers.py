"""The shipped glacier network on simulated scenes of seeds that no training or table saw: it must beat the rule that
needs no network."""

from __future__ import annotations

import numpy as np

from polynya.physics import ice_rules
from polynya.predict import scenes as predict_scenes
from polynya.simulate.glaciers.scene import Config, simulate_scene
from polynya.workflows.glaciers import by_image


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def test_the_shipped_network_finds_ice_that_the_rule_misses():
    network = predict_scenes.load(by_image.GENERAL, runtime="onnxruntime")
    ours, rule, truth, debris = [], [], [], []
    for region, seed, share in (("HMA", 3_000_001, 0.8), ("ALP", 3_000_002, None)):
        scene = simulate_scene(Config(region=region, size=256, pixel_m=20.0, debris_share=share), seed=seed)
        bands = np.concatenate([scene.sensors[s] for s in network.sensors])
        strips = predict_scenes.strips([network], lambda r, c, bands=bands: bands[:, r, c], shape=scene.truth.shape)
        ours.append(np.concatenate([s.probability[-1] for s in strips]) >= 0.5)
        rule.append(ice_rules.classical(scene.sensors).mask)
        truth.append(scene.truth > 0)
        debris.append(scene.truth == 2)
    ours, rule, truth, debris = (np.stack(v) for v in (ours, rule, truth, debris))
    assert debris.mean() > 0.01  # else nothing is asked of it
    assert iou(ours, truth) > iou(rule, truth) + 0.1
    assert ours[debris].mean() > rule[debris].mean() + 0.3
    assert 0.8 < ours.sum() / truth.sum() < 1.25
