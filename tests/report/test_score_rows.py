"""Scores of a training as lines of text."""

from __future__ import annotations

from polynya.report.score_rows import score_lines


def test_units_have_their_plural():
    about = {"part": "test", "epoch": 1, "epochs": 2, "is_leaky": False, "scores": {}}
    for n, unit, words in ((400, "echo", "400 echoes of"), (1, "echo", "1 echo of"), (2, "pixel", "2 pixels of")):
        assert score_lines({**about, "n": n, "unit": unit})[0].startswith(words)
