"""Scores of tags for benchmarks/score_tags.py: those of ``polynya evaluate``."""

from polynya.evaluate.tags.scores import (
    Answer,
    Truth,
    auroc,
    bootstrap,
    calibration_error,
    confidence_of,
    coverage_curve,
    f1_of,
    interval,
    main_scores,
    scores,
    top_is_right,
)

__all__ = [
    "Answer",
    "Truth",
    "auroc",
    "bootstrap",
    "calibration_error",
    "confidence_of",
    "coverage_curve",
    "f1_of",
    "interval",
    "main_scores",
    "scores",
    "top_is_right",
]
