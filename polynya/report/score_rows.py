"""Scores of any target as rows of name and value."""

from __future__ import annotations

from ..schema import counted
from .html import number

_NO_SCORES = ("epoch", "epochs", "n", "parameters", "onnx_parity")


def scores_of(numbers: dict, *, prefix: str = "") -> list[tuple[str, str]]:
    """Return the scores of any target as rows of name and value.

    Parameters
    ----------
    numbers : dict
        Scores, nested by label, head or level.
    prefix : str
        Before every name.
    """
    rows: list[tuple[str, str]] = []
    for key, value in numbers.items():
        name = prefix + key.replace("_", " ")
        if key in _NO_SCORES or isinstance(value, (bool, str)) or value is None:
            continue
        if isinstance(value, dict):
            rows += scores_of(value, prefix=f"{name}: ")
        elif isinstance(value, (list, tuple)):
            if value and all(isinstance(v, (int, float)) for v in value):
                rows.append((name, ", ".join(number(v, 3) for v in value)))
        else:
            rows.append((name, f"{value:,}" if isinstance(value, int) else number(value, 4)))
    return rows


def score_lines(numbers: dict) -> list[str]:
    """Return the scores of a training as lines of text.

    Parameters
    ----------
    numbers : dict
        As run.json has them.
    """
    first = (
        f"{counted(numbers['n'], numbers['unit'])} of the {numbers['part']} part; epoch {numbers['epoch']} of"
        f" {numbers['epochs']}" + ("; the split leaks, these scores are too high" if numbers["is_leaky"] else "")
    )
    return [first, *(f"  {name} {value}" for name, value in scores_of(numbers))]
