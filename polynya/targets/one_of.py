"""One class of several: softmax, superset labels, temperature or vector scaling.

A label is a set of admissible classes (:mod:`polynya.samples.class_bits`): ``thick or thin`` costs
-log(p_thick + p_thin) (Cour, Sapp and Taskar 2011, JMLR 12:1501).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import field_validator, model_validator

from .. import calibrate, metrics
from ..errors import UsageError
from ..samples import class_bits
from .protocol import Settings, Tile, Weighting, merit_of, metric_error

if TYPE_CHECKING:
    from torch import Tensor


class OneOf(Settings):
    """One class of several.

    Attributes
    ----------
    classes : tuple of str
        2 to 32 names, in the order of the network's outputs.
    positive : str or None
        The class that IoU as stop metric, balanced windows, areas with their intervals and the spread of maps are
        about; None where no class is meant.
    """

    kind: Literal["one_of"] = "one_of"
    classes: tuple[str, ...]
    positive: str | None = None

    STOP_METRICS: ClassVar[tuple[str, ...]] = ("macro_f1", "iou", "loss")

    @field_validator("classes")
    @classmethod
    def _fit_into_a_set(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not 2 <= len(value) <= class_bits.MOST:
            raise ValueError(f"{len(value)} classes; expected 2 to {class_bits.MOST}. Join some, or use several heads")
        if len(set(value)) != len(value):
            raise ValueError("a class is named twice; expected each once")
        return value

    @model_validator(mode="after")
    def _positive_is_a_class(self) -> OneOf:
        if self.positive is not None and self.positive not in self.classes:
            raise ValueError(f"positive {self.positive}: no such class; expected one of {', '.join(self.classes)}")
        return self

    @property
    def channels(self) -> int:
        """Outputs of the network: one per class."""
        return len(self.classes)

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the probabilities."""
        return self.classes

    @property
    def dtype(self) -> np.dtype:
        """Bits of admissible classes."""
        return class_bits.DTYPE

    @property
    def positive_index(self) -> int | None:
        """Number of the positive class."""
        return None if self.positive is None else self.classes.index(self.positive)

    def encode(
        self,
        codes: np.ndarray,
        *,
        admits: Mapping[int, Sequence[str]] | None = None,
        unlabelled: Sequence[int] = (-1, 255),
        where: str = "labels",
    ) -> np.ndarray:
        """Return encoded labels.

        Parameters
        ----------
        codes : numpy.ndarray of int, shape (...)
            Labels as numbers.
        admits : mapping of int to sequence of str, optional
            Classes that each code admits; code k is class k by default.
        unlabelled : sequence of int
            Codes of samples without a label.
        where : str
            Where the codes stand, for the error.

        Returns
        -------
        numpy.ndarray of uint32, shape (...)

        Raises
        ------
        UsageError
            If a code is outside the target.
        """
        if admits is None:
            numbers: dict[int, tuple[int, ...]] = {k: (k,) for k in range(len(self.classes))}
        else:
            numbers = {code: tuple(self.classes.index(n) for n in names) for code, names in admits.items()}
        return class_bits.bits_of(codes, numbers, unlabelled=unlabelled, where=where)

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return encoded labels of samples that nobody labelled."""
        return np.zeros(shape, self.dtype)

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which samples are labelled."""
        return targets != 0

    def of_tile(self, tile: Tile, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return the bits that a tile has."""
        return tile.target(name, rows, columns)

    def tally(self, targets: np.ndarray, *, where: str = "labels") -> dict[str, int]:
        """Return labelled samples of every class, those with one admissible class only.

        Raises
        ------
        UsageError
            If a label is outside the classes.
        """
        class_bits.check(targets, self.classes, where=where)
        return {name: int(np.count_nonzero(targets == 1 << k)) for k, name in enumerate(self.classes)}

    def fit_more(self, outputs: np.ndarray, targets: np.ndarray, calibration: calibrate.Calibration) -> dict[str, Any]:
        """Fit how sure the named class is; see :func:`polynya.calibrate.fit_confidence`."""
        found = calibrate.fit_confidence(calibration.probabilities(outputs), class_bits.single(targets))
        return {"confidence": found.as_dict()}

    def more_scores(
        self, outputs: np.ndarray, targets: np.ndarray, calibration: calibrate.Calibration, more: dict[str, Any]
    ) -> dict[str, object]:
        """Score the confidence."""
        probability, said = calibration.probabilities(outputs), calibrate.Confidence(**more["confidence"])
        return {"confidence": calibrate.confidence_scores(probability, class_bits.single(targets), said)}

    def losses(self, outputs: Tensor, targets: np.ndarray, weighting: Weighting) -> Tensor:
        """Return the loss of every sample; see :func:`polynya.losses.sample_losses`."""
        import torch

        from .. import losses

        alpha = None
        if weighting.alpha is not None:
            alpha = torch.tensor(weighting.alpha, dtype=torch.float32, device=outputs.device)
        return losses.sample_losses(
            outputs,
            torch.from_numpy(targets.astype(np.int64)).to(outputs.device),
            kind=weighting.kind,
            alpha=alpha,
            gamma=weighting.gamma,
            smoothing=weighting.smoothing,
        )

    def activate(self, outputs: Tensor) -> Tensor:
        """Return probabilities (batch, classes, ...)."""
        return outputs.softmax(dim=1)

    def values(self, outputs: np.ndarray, calibration: calibrate.Calibration) -> np.ndarray:
        """Return calibrated probabilities (n, classes)."""
        return calibration.probabilities(outputs)

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> calibrate.Calibration:
        """Fit temperature or vector scaling; see :func:`polynya.calibrate.fit`."""
        return calibrate.fit(outputs, targets, method=method)

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the confusion matrix (classes, classes + 1) of a batch."""
        return metrics.confusion(class_bits.single(targets), outputs.argmax(axis=-1), n_classes=self.channels)

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return macro-F1, and recall and IoU of every class."""
        with np.errstate(invalid="ignore"):
            return {
                "macro_f1": float(metrics.macro_f1(sums)),
                "recall": metrics.recall(sums).tolist(),
                "iou": metrics.iou(sums).tolist(),
            }

    def check_metric(self, metric: str) -> None:
        """Raise UsageError where training cannot stop on a metric."""
        if metric not in self.STOP_METRICS:
            raise metric_error(metric, self.kind, self.STOP_METRICS)
        if metric == "iou" and self.positive is None:
            raise UsageError(
                "stop.metric iou: is that of the positive class, and none is named; expected positive among"
                f" {', '.join(self.classes)}. Name it in the recipe."
            )

    def merit(self, row: dict[str, object], metric: str) -> float:
        """Return a number of an epoch's row that is higher for a better one."""
        if metric == "iou":
            return float(np.nan_to_num(row["iou"][self.positive_index]))  # type: ignore[index]
        return merit_of(row, metric, lowest=())

    def scores(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        calibration: calibrate.Calibration,
        weights: tuple[float, ...] | None = None,
    ) -> dict[str, object]:
        """Score classes, and probabilities before and after calibration.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, classes)
            What the network gives, channels last.
        targets : numpy.ndarray of uint32, shape (n,)
            Encoded labels.
        calibration : polynya.calibrate.Calibration
            The fitted calibration.
        weights : tuple of float, optional
            The class is that of the largest weight times probability.

        Returns
        -------
        dict
            ``n``, ``macro_f1``, ``f1``, ``iou``, ``recall``, ``precision``, ``confusion``, ``accuracy``, the same of
            always naming the most frequent class, ``reliability`` before and after.
        """
        truth = class_bits.single(targets)
        before, after = calibrate.identity(self.channels).probabilities(outputs), calibration.probabilities(outputs)
        called = np.argmax(after * np.asarray(weights or (1.0,) * self.channels), axis=1)
        c = metrics.confusion(truth, called, n_classes=self.channels)
        most = metrics.confusion(truth, np.argmax(after, axis=1), n_classes=self.channels)
        with np.errstate(invalid="ignore"):
            out: dict[str, object] = {
                "n": int(c.sum()),
                "macro_f1": float(metrics.macro_f1(c)),
                "f1": metrics.f1(c).tolist(),
                "iou": metrics.iou(c).tolist(),
                "recall": metrics.recall(c).tolist(),
                "precision": metrics.precision(c).tolist(),
                "confusion": c.tolist(),
                "accuracy": float(metrics.accuracy(c)),
                "majority_accuracy": float(metrics.majority_accuracy(c)),
                "majority_macro_f1": _majority_macro_f1(c),
                "most_probable_macro_f1": float(metrics.macro_f1(most)),
            }
        out["reliability"] = {
            when: [asdict(s) for s in calibrate.scores(p, truth, names=self.classes)]
            for when, p in (("before", before), ("after", after))
        }
        return out

    def calibration_table(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        groups: Mapping[str, np.ndarray],
        *,
        calibration: calibrate.Calibration,
    ) -> dict[str, dict[str, list[dict[str, object]]]]:
        """Return calibration error and Brier skill of every class, for all samples and for groups of them.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, classes)
            What the network gives, channels last.
        targets : numpy.ndarray of uint32, shape (n,)
            Encoded labels.
        groups : mapping of str to numpy.ndarray of bool, shape (n,)
            Subsets of the samples by name.
        calibration : polynya.calibrate.Calibration
            The fitted calibration.
        """
        truth = class_bits.single(targets)
        pairs = (
            ("before", calibrate.identity(self.channels).probabilities(outputs)),
            ("after", calibration.probabilities(outputs)),
        )
        return {
            name: {
                when: [
                    {k: v for k, v in asdict(s).items() if k != "reliability"}
                    for s in calibrate.scores(p[mine], truth[mine], names=self.classes)
                ]
                for when, p in pairs
            }
            for name, mine in {"all": np.ones(len(outputs), bool), **groups}.items()
            if mine.any()
        }


def _majority_macro_f1(c: np.ndarray) -> float:
    """Macro-F1 of always naming the most frequent class."""
    n = metrics.support(c)
    always = np.zeros_like(c)
    always[:, int(np.argmax(n))] = n
    return float(metrics.macro_f1(always))


TARGET = OneOf
