"""Named heads: several targets of one network, side by side in its channels."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from .. import calibrate
from .protocol import Settings, Target, Tile, Weighting, merit_of, metric_error
from .registry import AnyTarget

if TYPE_CHECKING:
    from torch import Tensor


class Heads(Settings):
    """Several targets. A sample counts where any head knows it; a head costs only where it knows the sample.

    Attributes
    ----------
    heads : dict of str to target
        In the order of the network's channels.
    weights : dict of str to float
        How often a head's loss counts; once by default.
    """

    kind: Literal["heads"] = "heads"
    heads: dict[str, AnyTarget] = Field(min_length=1)
    weights: dict[str, float] = Field(default_factory=dict)

    STOP_METRICS: ClassVar[tuple[str, ...]] = ("loss",)

    @field_validator("heads")
    @classmethod
    def _are_not_nested(cls, value: dict[str, Target]) -> dict[str, Target]:
        nested = [name for name, head in value.items() if isinstance(head, Heads)]
        if nested:
            raise ValueError(f"head {nested[0]}: has heads itself; expected one target per head")
        return value

    @property
    def channels(self) -> int:
        """Outputs of the network: those of all heads."""
        return sum(h.channels for h in self.heads.values())

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of all outputs, ``HEAD.PLANE``."""
        return tuple(f"{name}.{plane}" for name, head in self.heads.items() for plane in head.planes)

    @property
    def dtype(self) -> np.dtype:
        """A field per head."""
        return np.dtype([(name, head.dtype) for name, head in self.heads.items()])

    def places(self) -> dict[str, slice]:
        """Return the channels of every head."""
        ends = list(accumulate(h.channels for h in self.heads.values()))
        return {
            name: slice(end - head.channels, end) for (name, head), end in zip(self.heads.items(), ends, strict=True)
        }

    def _parts(self) -> list[tuple[str, Target, slice]]:
        places = self.places()
        return [(name, head, places[name]) for name, head in self.heads.items()]

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return encoded labels of samples that nobody labelled."""
        out = np.zeros(shape, self.dtype)
        for name, head in self.heads.items():
            out[name] = head.nothing(shape)
        return out

    def encode(self, labels: dict[str, np.ndarray]) -> np.ndarray:
        """Return encoded labels of the heads as one array; heads that are missing are unknown.

        Parameters
        ----------
        labels : dict of str to numpy.ndarray, shape (...)
            Encoded by each head.
        """
        out = self.nothing(next(iter(labels.values())).shape)
        for name, values in labels.items():
            out[name] = values
        return out

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which samples any head knows."""
        return np.any([h.known(targets[n]) for n, h in self.heads.items()], axis=0)

    def of_tile(self, tile: Tile, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return the labels of every head from the tile's dataset of its name; without one nothing is known of it."""
        found = {n: h.of_tile(tile, n, rows, columns) for n, h in self.heads.items() if tile.has(n)}
        return self.encode(found) if found else self.nothing((rows.stop - rows.start, columns.stop - columns.start))

    def tally(self, targets: np.ndarray, *, where: str = "labels") -> dict[str, int]:
        """Return the counts of all heads, ``HEAD.NAME``."""
        return {f"{n}.{k}": v for n, h in self.heads.items() for k, v in h.tally(targets[n], where=where).items()}

    def fit_more(self, outputs: np.ndarray, targets: np.ndarray, calibration: calibrate.Calibration) -> dict[str, Any]:
        """Fit the spread of the heads that have one, ``HEAD.NAME``."""
        found: dict[str, Any] = {}
        for name, head, place in self._parts():
            mine = head.known(targets[name])
            if mine.any():
                own = head.fit_more(outputs[mine][:, place], targets[name][mine], calibration.part(place))
                found |= {f"{name}.{k}": v for k, v in own.get("spread", {}).items()}
        return {"spread": found} if found else {}

    def more_scores(
        self, outputs: np.ndarray, targets: np.ndarray, calibration: calibrate.Calibration, more: dict[str, Any]
    ) -> dict[str, object]:
        """Score the spread of the heads that have one."""
        out: dict[str, object] = {}
        for name, head, place in self._parts():
            mine = head.known(targets[name])
            begins = f"{name}."
            own = {k.removeprefix(begins): v for k, v in more.get("spread", {}).items() if k.startswith(begins)}
            if own and mine.any():
                part = calibration.part(place)
                found = head.more_scores(outputs[mine][:, place], targets[name][mine], part, {"spread": own})
                out |= {f"{name}.{k}": v for k, v in found.items()}
        return out

    def losses(self, outputs: Tensor, targets: np.ndarray, weighting: Weighting) -> Tensor:
        """Return the weighted sum of the heads' losses of every sample."""
        parts = [
            head.losses(outputs[..., place], np.ascontiguousarray(targets[name]), weighting)
            * self.weights.get(name, 1.0)
            for name, head, place in self._parts()
        ]
        return sum(parts[1:], parts[0])

    def activate(self, outputs: Tensor) -> Tensor:
        """Return the planes of all heads (batch, planes, ...)."""
        import torch

        return torch.cat([head.activate(outputs[:, place]) for _, head, place in self._parts()], dim=1)

    def values(self, outputs: np.ndarray, calibration: calibrate.Calibration) -> np.ndarray:
        """Return the planes of all heads (n, planes)."""
        return np.concatenate(
            [head.values(outputs[:, place], calibration.part(place)) for _, head, place in self._parts()], axis=1
        )

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> calibrate.Calibration:
        """Fit the calibration of every head; one that knows no sample, where another does, stays as it is."""
        found, is_known = [], self.known(targets).any()
        for name, head, place in self._parts():
            mine = head.known(targets[name])
            has_none = is_known and not mine.any()
            own = method if not has_none else "none"
            found.append(head.fit(outputs[mine][:, place], targets[name][mine], method=own))
        return calibrate.Calibration(
            method="heads" if method != "none" else "none",
            scale=tuple(s for f in found for s in f.scale),
            offset=tuple(o for f in found for o in f.offset),
            n=max(f.n for f in found),
        )

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the sums of all heads, one after another."""
        out = []
        for name, head, place in self._parts():
            mine = head.known(targets[name])
            out.append(head.sums(outputs[mine][:, place], targets[name][mine]).reshape(-1))
        return np.concatenate(out)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            name: head.sums(np.zeros((0, head.channels)), head.nothing((0,))).shape for name, head in self.heads.items()
        }

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return the scores of an epoch, ``HEAD.METRIC`` each."""
        out: dict[str, object] = {}
        begin = 0
        for name, shape in self._shapes().items():
            size = int(np.prod(shape))
            summary = self.heads[name].summary(sums[begin : begin + size].reshape(shape))
            out |= {f"{name}.{k}": v for k, v in summary.items()}
            begin += size
        return out

    def check_metric(self, metric: str) -> None:
        """Raise UsageError where training cannot stop on a metric: ``loss``, or ``HEAD.METRIC``."""
        name, _, own = metric.partition(".")
        if metric == "loss":
            return
        if name not in self.heads or own in ("", "loss"):
            known = [f"{n}.{m}" for n, h in self.heads.items() for m in h.STOP_METRICS if m != "loss"]
            raise metric_error(metric, self.kind, ("loss", *known))
        self.heads[name].check_metric(own)

    def merit(self, row: dict[str, object], metric: str) -> float:
        """Return a number of an epoch's row that is higher for a better one."""
        if metric == "loss":
            return merit_of(row, metric, lowest=())
        name, _, own = metric.partition(".")
        return self.heads[name].merit({own: row[metric]}, own)

    def scores(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        calibration: calibrate.Calibration,
        weights: tuple[float, ...] | None = None,
    ) -> dict[str, object]:
        """Return the scores of every head.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, channels)
            What the network gives, channels last.
        targets : numpy.ndarray, shape (n,)
            Of :meth:`encode`.
        calibration : polynya.calibrate.Calibration
            The fitted calibration.
        weights : tuple of float, optional
            Not used.
        """
        heads = {}
        for name, head, place in self._parts():
            mine = head.known(targets[name])
            if mine.any():
                heads[name] = head.scores(
                    outputs[mine][:, place], targets[name][mine], calibration=calibration.part(place), weights=None
                )
        return {"n": int(self.known(targets).sum()), "heads": heads}


TARGET = Heads
