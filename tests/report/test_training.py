"""The training report: what it says is what it was given, it loads nothing, and hostile names stay text."""

from __future__ import annotations

import re

import pytest

from polynya.report import training

CLASSES = ["thick_ice", "thin_ice", "open_water"]


def score(events: int, error: float) -> dict:
    return {
        "name": "x",
        "n": 100,
        "events": events,
        "calibration_error": error,
        "brier_skill": 0.5,
        "reliability": [(60.0, 0.1, 0.2), (40.0, 0.9, 0.85)],
    }


def inputs(**changes) -> dict:
    history = [
        {
            "epoch": k,
            "rate": 0.01,
            "train_loss": 1.0 / k,
            "validation_loss": 1.1 / k,
            "macro_f1": 0.2 * k,
            "recall": [0.9, float("nan"), 0.1 * k],
            "samples": 10,
            "seconds": 1.0,
        }
        for k in (1, 2, 3)
    ]
    numbers = {
        "epoch": 2,
        "epochs": 3,
        "part": "test",
        "calibrated_on": "calibration",
        "unit": "segment",
        "classes": ["thick_ice", "thin_ice", "open_water"],
        "is_leaky": False,
        "n": 4321,
        "n_ice_of_unknown_thickness": 77,
        "macro_f1": 0.612,
        "f1": [0.9, 0.4, 0.5],
        "recall": [0.95, 0.41, 0.52],
        "precision": [0.9, 0.5, 0.6],
        "confusion": [[3000.0, 50.0, 10.0, 0.0], [200.0, 180.0, 40.0, 0.0], [300.0, 41.0, 500.0, 0.0]],
        "accuracy": 0.85,
        "majority_accuracy": 0.71,
        "majority_macro_f1": 0.277,
        "most_probable_macro_f1": 0.6,
        "water_recall": 0.59,
        "water_precision": 0.9,
        "parameters": 1234,
        "onnx_parity": 3e-7,
        "calibration": {"all": {"before": [score(70, 0.1234)] * 3, "after": [score(70, 0.0111)] * 3}},
        "reliability": {"before": [score(70, 0.1)] * 3, "after": [score(70, 0.01)] * 3},
    }
    data = {
        "granules": 3,
        "segments": 9000,
        "labelled": 8000,
        "strong_share": 0.5,
        "tables": [{"file": "<script>alert(1)</script>.parquet", "granule": "g<b>"}],
        "labels": {
            p: {"thick_ice": 11, "thin_ice": 12, "open_water": 13, "ice_thick_or_thin": 14}
            for p in ("train", "validation", "calibration", "test")
        },
    }
    counts = dict.fromkeys(("train", "validation", "calibration", "test"), 5)
    split = {"method": "block", "is_leaky": False, "groups": counts, "segments": counts, "left_out_in_gaps": 99}
    description = {
        "classes": CLASSES,
        "calibration": {
            "method": "temperature",
            "temperature": 1.75,
            "scale": [1 / 1.75] * 3,
            "offset": [0.0] * 3,
            "n": 500,
        },
        "data": data,
    }
    return {
        "plan": {"name": "try<1>", "about": "A & B"},
        "description": description,
        "history": history,
        "numbers": {**numbers, **changes},
        "split": split,
    }


def test_the_page_says_what_it_was_given():
    page = training.page(**inputs())
    text = re.sub(r"<[^>]+>", " ", page)
    for said in (
        "0.612",
        "4,321",
        "0.277",
        "Epoch 2 of 3",
        "1.750",
        "0.1234",
        "0.0111",
        "0.410",
        "99 segments lie in gaps",
        "77 more segments",
        "3e-07",
        "A &amp; B",
    ):
        assert said in text, said
    assert "nothing of real ice" in text and "leaks" not in text


def test_nothing_is_loaded_and_names_are_text():
    page = training.page(**inputs())
    assert "alert(1)" in page and "<script" not in page and "&lt;script&gt;" in page and "try&lt;1&gt;" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(http|//)""", page) and "default-src 'none'" in page


@pytest.mark.parametrize(
    ("change", "text"), [({"is_leaky": True}, "leaks"), ({"part": "validation"}, "There is no test part")]
)
def test_it_warns_of_scores_that_are_too_high(change, text):
    assert text in training.page(**inputs(**change))


def test_curves_lie_where_their_values_are():
    figure = training.curve_figure(
        [("a", [0.0, 1.0, float("nan"), 0.5], "#123456")], title="T", label="l", top=1.0, mark=2
    )
    path = re.search(r'<path d="([^"]+)" fill="none" stroke="#123456"', figure)[1]
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    wide, tall = training.WIDTH - training.LEFT - training.RIGHT, training.HEIGHT - training.TOP - training.BOTTOM
    expected = [
        (training.LEFT + wide * q, training.TOP + tall * (1 - v)) for q, v in ((0, 0.0), (1 / 3, 1.0), (1, 0.5))
    ]
    assert path.count("M") == 2  # a missing value breaks the line
    assert all(abs(a - b) < 0.06 for p, e in zip(points, expected, strict=True) for a, b in zip(p, e, strict=True))
    assert "no value" in training.curve_figure([("a", [float("nan")], "#000")], title="T", label="l")


def test_the_terminal_text_names_scores_and_files():
    numbers = inputs()["numbers"]
    said = training.text(numbers, {"onnx": "out/a.onnx"})
    assert (
        "macro-F1 0.612 on the test part" in said
        and "0.123 -> 0.011" in said
        and said.endswith("out/a.onnx")
        and "leaks" not in said
    )
    assert "too high" in training.text({**numbers, "is_leaky": True}, {})


def scene_inputs(classes: tuple[str, ...]) -> dict:
    """What a training on tiles of scenes gives."""
    n = len(classes)
    given = inputs()
    confusion = [[100.0 * (i == k) + 7.0 for i in range(n)] + [0.0] for k in range(n)]
    history = [
        {**row, "recall": row["recall"][:1] * n, "iou": [0.3] * (n - 1) + [0.1 * row["epoch"]]}
        for row in given["history"]
    ]
    numbers = {
        **given["numbers"],
        "unit": "pixel",
        "classes": list(classes),
        "recall": [0.9] * n,
        "precision": [0.8] * n,
        "f1": [0.111] * n,
        "iou": [0.4] * (n - 1) + [0.8764],
        "confusion": confusion,
        "all_of_last_class_iou": 0.2344,
        "calibration": {
            "all": {w: [score(70, 0.1)] * n for w in ("before", "after")},
            "HMA": {w: [score(70, 0.2)] * n for w in ("before", "after")},
        },
        "reliability": {w: [score(70, 0.1)] * n for w in ("before", "after")},
    }
    for key in ("n_ice_of_unknown_thickness", "water_recall", "water_precision"):
        numbers.pop(key)
    data = {
        "scenes": 12,
        "tiles": 34,
        "pixels": 5678901,
        "labelled": 4321,
        "regions": ["ALP", "HMA"],
        "tables": [{"file": "a.h5", "tiles": 34, "bytes": 99}],
        "labels": {p: dict.fromkeys(classes, 11) for p in ("train", "validation", "calibration", "test")},
    }
    split = {"method": "granule", "is_leaky": False, "groups": dict.fromkeys(data["labels"], 3)}
    description = {
        "classes": list(classes),
        "calibration": {
            **given["description"]["calibration"],
            "scale": [1.0] * n,
            "offset": [0.0] * n,
            "method": "vector",
        },
        "data": data,
    }
    return {**given, "description": description, "history": history, "numbers": numbers, "split": split}


@pytest.mark.parametrize("classes", [("other", "glacier"), ("other", "bright", "dark_ice")])
def test_a_page_of_scenes_speaks_of_pixels_scenes_and_overlap(classes):
    given = scene_inputs(classes)
    page = training.page(**given)
    text = re.sub(r"<[^>]+>", " ", page)
    last = classes[-1].replace("_", " ")
    for said in (
        "4,321 pixels",
        "loss per labelled pixel",
        "0.876",
        f"Calling everything {last}: IoU 0.234",
        "12 scenes, 34 tiles, 5,678,901 pixels, 4,321 labelled; regions ALP, HMA",
        f"IoU {last}",
        "HMA",
        "Split by scene",
    ):
        assert said in text, said
    assert "segment" not in text and "granule" not in text and "0.111" not in text  # IoU stands where tracks have F1
    said = training.text(given["numbers"], {"onnx": "a.onnx"})
    assert "4,321 pixels" in said and last in said


def test_a_page_without_a_positive_class_draws_no_overlap():
    given = scene_inputs(("other", "bright", "dark_ice"))
    page = training.page(**{**given, "numbers": {**given["numbers"], "positive": None}})
    assert "IoU dark ice" not in page and "Calling everything" not in page and "recall dark ice" in page
    page = training.page(**{**given, "numbers": {**given["numbers"], "positive": "bright"}})
    assert "IoU bright" in page and "IoU dark ice" not in page and "Calling everything bright" in page
