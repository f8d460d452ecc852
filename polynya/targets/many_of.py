"""Several labels at once: sigmoid, a temperature per label, average precision and F1.

An image may show any of the labels, and of some nobody may know whether it does: a label costs only where it is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import field_validator

from .. import calibrate
from ..errors import ProductError, UsageError
from ..samples import class_bits
from .protocol import Settings, Weighting, merit_of, metric_error

if TYPE_CHECKING:
    from torch import Tensor

N_BINS = 200
"""Bins of probability from which an epoch's average precision is summed."""


class ManyOf(Settings):
    """Any number of labels.

    Attributes
    ----------
    labels : tuple of str
        1 to 32 names, in the order of the network's outputs.
    """

    kind: Literal["many_of"] = "many_of"
    labels: tuple[str, ...]

    STOP_METRICS: ClassVar[tuple[str, ...]] = ("macro_f1", "average_precision", "loss")

    @field_validator("labels")
    @classmethod
    def _fit_into_a_set(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(value) <= class_bits.MOST:
            raise ValueError(f"{len(value)} labels; expected 1 to {class_bits.MOST}. Use several heads")
        if len(set(value)) != len(value):
            raise ValueError("a label is named twice; expected each once")
        return value

    @property
    def channels(self) -> int:
        """Outputs of the network: one per label."""
        return len(self.labels)

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the probabilities."""
        return self.labels

    @property
    def dtype(self) -> np.dtype:
        """Bits of the labels that are present, and of those that are known."""
        return np.dtype([("present", np.uint32), ("known", np.uint32)])

    def encode(self, present: np.ndarray, known: np.ndarray | None = None, *, where: str = "labels") -> np.ndarray:
        """Return encoded labels.

        Parameters
        ----------
        present : numpy.ndarray of bool, shape (..., labels)
            Whether each label is present.
        known : numpy.ndarray of bool, shape (..., labels), optional
            All by default.
        where : str
            Where the labels stand, for the error.

        Returns
        -------
        numpy.ndarray, shape (...)
            With the fields ``present`` and ``known``.

        Raises
        ------
        UsageError
            If there are more or fewer labels than the target has.
        """
        present = np.asarray(present, bool)
        if present.shape[-1:] != (self.channels,):
            raise UsageError(
                f"{where}: {present.shape[-1] if present.ndim else 0} labels; expected {self.channels}:"
                f" {', '.join(self.labels)}. Name all labels in the target."
            )
        known = np.ones_like(present) if known is None else np.asarray(known, bool)
        out = self.nothing(present.shape[:-1])
        bit = (1 << np.arange(self.channels)).astype(np.uint64)
        out["known"] = (known * bit).sum(axis=-1)
        out["present"] = ((present & known) * bit).sum(axis=-1)
        return out

    def decode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which labels are present and which are known, bool (..., labels) each."""
        place = np.arange(self.channels)
        present, known = ((targets[k][..., None].astype(np.int64) >> place) & 1 == 1 for k in ("present", "known"))
        return present, known

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return encoded labels of samples that nobody labelled."""
        return np.zeros(shape, self.dtype)

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which samples have a known label."""
        return targets["known"] != 0

    def tally(self, targets: np.ndarray, *, where: str = "labels") -> dict[str, int]:
        """Return how often every label is known to be present."""
        present, known = self.decode(targets)
        return {name: int((present & known)[..., k].sum()) for k, name in enumerate(self.labels)}

    def losses(self, outputs: Tensor, targets: np.ndarray, weighting: Weighting) -> Tensor:
        """Return the mean binary cross-entropy (focal: Lin et al. 2017) over the known labels of every sample.

        ``alpha`` weighs the presence of each label (``weighted`` and ``focal``); ``smoothing`` moves labels towards a
        half.
        """
        import torch
        from torch.nn import functional as F

        present, known = (torch.from_numpy(part).to(outputs.device) for part in self.decode(targets))
        wanted = present.to(outputs.dtype) * (1.0 - weighting.smoothing) + 0.5 * weighting.smoothing
        loss = F.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
        if weighting.kind == "focal":
            loss = loss * (-torch.expm1(-loss)).clamp(min=1e-12) ** weighting.gamma
        if weighting.kind != "cross_entropy" and weighting.alpha is not None:
            alpha = torch.tensor(weighting.alpha, dtype=outputs.dtype, device=outputs.device)
            loss = loss * torch.where(present, alpha, torch.ones_like(alpha))
        loss = torch.where(known, loss, torch.zeros_like(loss))
        return loss.sum(-1) / known.sum(-1).clamp(min=1)

    def activate(self, outputs: Tensor) -> Tensor:
        """Return probabilities (batch, labels, ...)."""
        return outputs.sigmoid()

    def values(self, outputs: np.ndarray, calibration: calibrate.Calibration) -> np.ndarray:
        """Return calibrated probabilities (n, labels)."""
        from scipy.special import expit

        return expit(calibration.apply(outputs))

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> calibrate.Calibration:
        """Fit a temperature per label by maximum likelihood; ``vector`` adds an offset per label (Platt scaling).

        Labels that are never known, or always or never present, keep their outputs.

        Raises
        ------
        ProductError
            If no label is known.
        """
        if method == "none":
            return calibrate.identity(self.channels)
        present, known = self.decode(targets)
        if not known.any():
            raise ProductError(
                "calibration: the part holds no known label; expected some. Give more labels, or a larger share."
            )
        scale, offset = np.ones(self.channels), np.zeros(self.channels)
        for k in range(self.channels):
            z, y = np.asarray(outputs, np.float64)[known[:, k], k], present[known[:, k], k]
            if y.size and 0 < y.sum() < y.size:
                scale[k], offset[k] = _fit_label(z, y, has_offset=method == "vector")
        return calibrate.Calibration(
            method=method, scale=tuple(scale.tolist()), offset=tuple(offset.tolist()), n=int(self.known(targets).sum())
        )

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return samples with and without each label by bin of probability, (labels, bins, 2)."""
        present, known = self.decode(targets)
        from scipy.special import expit

        bins = np.clip((expit(np.asarray(outputs, np.float64)) * N_BINS).astype(int), 0, N_BINS - 1)
        out = np.zeros((self.channels, N_BINS, 2))
        for k in range(self.channels):
            for side, is_present in enumerate((False, True)):
                mine = known[..., k] & (present[..., k] == is_present)
                out[k, :, side] = np.bincount(bins[..., k][mine], minlength=N_BINS)
        return out

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return macro-F1 at a probability of a half, recall, and the mean average precision (to a bin's width)."""
        half = N_BINS // 2
        hits, support, called = sums[:, half:, 1].sum(1), sums[..., 1].sum(1), sums[:, half:].sum((1, 2))
        falling = sums[:, ::-1].cumsum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            f1, recall = 2 * hits / (support + called), hits / support
            precision = falling[..., 1] / falling.sum(-1)
            steps = np.nan_to_num(precision) * sums[:, ::-1, 1]
            average = steps.sum(1) / support
        return {
            "macro_f1": _mean(f1),
            "average_precision": _mean(average),
            "recall": recall.tolist(),
            "f1": f1.tolist(),
        }

    def check_metric(self, metric: str) -> None:
        """Raise UsageError where training cannot stop on a metric."""
        if metric not in self.STOP_METRICS:
            raise metric_error(metric, self.kind, self.STOP_METRICS)

    def merit(self, row: dict[str, object], metric: str) -> float:
        """Return a number of an epoch's row that is higher for a better one."""
        return merit_of(row, metric, lowest=())

    def scores(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        calibration: calibrate.Calibration,
        weights: tuple[float, ...] | None = None,
    ) -> dict[str, object]:
        """Score every label where it is known.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, labels)
            What the network gives, channels last.
        targets : numpy.ndarray, shape (n,)
            Of :meth:`encode`.
        calibration : polynya.calibrate.Calibration
            The fitted calibration.
        weights : tuple of float, optional
            Not used: a label is called where its probability is a half or more.

        Returns
        -------
        dict
            ``n``, ``macro_f1``, ``average_precision`` (means over labels that occur) and for each label ``n``,
            ``events``, ``recall``, ``precision``, ``f1``, ``average_precision``, ``always_f1`` (of always calling it),
            ``calibration_error_before`` and ``calibration_error``.
        """
        present, known = self.decode(targets)
        before = self.values(outputs, calibrate.identity(self.channels))
        after = self.values(outputs, calibration)
        labels = {}
        for k, name in enumerate(self.labels):
            mine = known[:, k]
            y, p, first = present[mine, k], after[mine, k], before[mine, k]
            hits, called = int((y & (p >= 0.5)).sum()), int((p >= 0.5).sum())
            events = int(y.sum())
            labels[name] = {
                "n": int(y.size),
                "events": events,
                "recall": _over(hits, events),
                "precision": _over(hits, called),
                "f1": _over(2 * hits, events + called),
                "always_f1": _over(2 * events, events + y.size),
                "average_precision": average_precision(p, y),
                "calibration_error_before": calibrate.error_of(first, y),
                "calibration_error": calibrate.error_of(p, y),
            }
        rows = [v for v in labels.values() if v["events"]]
        return {
            "n": int(self.known(targets).sum()),
            "macro_f1": _mean(np.array([v["f1"] for v in rows])),
            "average_precision": _mean(np.array([v["average_precision"] for v in rows])),
            "labels": labels,
        }


def average_precision(probability: np.ndarray, present: np.ndarray) -> float:
    """Return the mean precision at every sample that has the label, samples in falling order of probability.

    Samples of equal probability count together. NaN where no sample has the label.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n,)
        Calibrated probabilities.
    present : numpy.ndarray of bool, shape (n,)
        Whether each label is present.
    """
    if not present.any():
        return float("nan")
    order = np.argsort(-probability, kind="stable")
    p, y = probability[order], present[order]
    last = np.append(np.flatnonzero(np.diff(p)), p.size - 1)  # the last of every run of equal ones
    hits = np.cumsum(y)[last]
    return float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / hits[-1])


def _fit_label(z: np.ndarray, y: np.ndarray, *, has_offset: bool) -> tuple[float, float]:
    from scipy.optimize import minimize_scalar  # slow to import, and prediction does without

    sign = np.where(y, -1.0, 1.0)
    if not has_offset:
        best = minimize_scalar(
            lambda t: np.logaddexp(0.0, sign * z * np.exp(t)).mean(), bounds=(-3.0, 3.0), method="bounded"
        )
        return float(np.exp(best.x)), 0.0
    from scipy.optimize import minimize

    def cost(v: np.ndarray) -> float:
        return float(np.logaddexp(0.0, sign * (z * np.exp(v[0]) + v[1])).mean() + 1e-6 * (v @ v))

    found = minimize(cost, np.zeros(2), method="L-BFGS-B", bounds=[(-3.0, 3.0), (-10.0, 10.0)])
    return float(np.exp(found.x[0])), float(found.x[1])


def _over(a: float, b: float) -> float:
    return a / b if b else float("nan")


def _mean(values: np.ndarray) -> float:
    good = values[np.isfinite(values)]
    return float(good.mean()) if good.size else float("nan")


TARGET = ManyOf
