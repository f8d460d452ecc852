"""What a training shows on stderr: a bar, and one line per epoch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

from ...report import terminal

Calls = tuple[Callable[[int, float], None], Callable[[dict], None]]


@contextlib.contextmanager
def shown(epochs: int, *, show: bool) -> Iterator[Calls]:
    """Yield what to call after each step and each epoch: a bar and a line on stderr, or nothing.

    Parameters
    ----------
    epochs : int
        Of the whole training.
    show : bool
        False to show nothing.
    """
    with terminal.progress(float(epochs), show=show, text=f"epoch 1/{epochs}") as bar:

        def on_step(epoch: int, share: float) -> None:
            bar.move(epoch - 1 + share, text=f"epoch {epoch}/{epochs}")

        def on_epoch(row: dict) -> None:
            bar.line(
                f"epoch {row['epoch']:3d}  loss {row['train_loss']:.4f}  validation {row['validation_loss']:.4f} "
                f" {scores_text(row)}  ({row['seconds']:.0f} s)"
            )

        yield on_step, on_epoch


_NO_SCORES = ("epoch", "rate", "train_loss", "validation_loss", "samples", "seconds", "iou", "f1")


def scores_text(row: dict) -> str:
    """Return the target's scores of an epoch as text: ``macro-F1 0.912  recall 0.95 0.88``.

    Parameters
    ----------
    row : dict
        Of the history.
    """
    parts = []
    for key, value in row.items():
        if key in _NO_SCORES:
            continue
        name = "macro-F1" if key == "macro_f1" else key.replace("_", " ")
        if isinstance(value, list):
            parts.append(f"{name} " + " ".join("-" if not math.isfinite(v) else f"{v:.2f}" for v in value))
        else:
            parts.append(f"{name} {value:.3f}")
    return "  ".join(parts)
