"""Probabilities that mean what they say: temperature and vector scaling of logits, fitted on a part of its own.

Guo et al. 2017 (arXiv:1706.04599): a network's softmax is overconfident; dividing the logits by one temperature
corrects most of it. Losses that weigh classes also shift the priors. One temperature cannot correct that; vector
scaling (a factor and an offset per class) can. Both are inside the exported graph. What is calibrated is the
probability; which class a segment is called may still use decision weights (:func:`fit_decision`), since the most
probable class is not the one that makes macro-F1 highest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from . import metrics
from .errors import ProductError

METHODS = ("none", "temperature", "vector")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """``scale * outputs + offset``, before the activation of the target (for classes: softmax).

    Attributes
    ----------
    method : str
        ``none``, ``temperature`` or ``vector``; what other targets fit is named in their files.
    scale, offset : tuple of float
        One per channel (for classes: per class).
    n : int
        Labelled samples it was fitted on.
    """

    method: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    n: int = 0

    @property
    def temperature(self) -> float:
        """1 / mean scale: exact for ``temperature``, an equivalent for ``vector``."""
        return 1.0 / float(np.mean(self.scale))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities (n, classes) of logits (n, classes)."""
        from scipy.special import softmax  # slow to import, and networks that are exported do without

        return softmax(self.apply(logits), axis=-1)

    def apply(self, outputs: np.ndarray) -> np.ndarray:
        """Return calibrated outputs, float64 (n, channels)."""
        return np.asarray(outputs, np.float64) * np.asarray(self.scale) + np.asarray(self.offset)

    def part(self, place: slice) -> Calibration:
        """Return the calibration of some channels."""
        return replace(self, scale=self.scale[place], offset=self.offset[place])

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "temperature": self.temperature}


def identity(channels: int) -> Calibration:
    """Return the calibration that changes nothing."""
    return Calibration(method="none", scale=(1.0,) * channels, offset=(0.0,) * channels)


def error_of(probability: np.ndarray, event: np.ndarray) -> float:
    """Return the expected calibration error of probabilities (n,) of an event, bool (n,); NaN without samples."""
    one = metrics.Blocks(index=np.zeros(event.size, np.int64), count=1, weights=np.zeros((0, 1)))
    return float(metrics.calibration_error(metrics.reliability_sums(probability, event, one)[0]))


def fit(logits: np.ndarray, targets: np.ndarray, *, method: str) -> Calibration:
    """Fit a calibration by maximum likelihood.

    Parameters
    ----------
    logits : numpy.ndarray, shape (n, classes)
        What the network gives before calibration.
    targets : numpy.ndarray of uint32, shape (n,)
        Admissible classes as bits; samples without a bit are left out.
    method : str
        ``none``, ``temperature`` or ``vector``.

    Returns
    -------
    Calibration

    Raises
    ------
    ProductError
        If no sample is labelled.
    """
    from scipy.optimize import minimize, minimize_scalar  # takes a second to import, and prediction does without
    from scipy.special import log_softmax, softmax

    classes = logits.shape[1]
    if method == "none":
        return identity(classes)
    allowed = (np.asarray(targets, np.int64)[:, None] >> np.arange(classes)) & 1 == 1
    used = allowed.any(axis=1) & ~allowed.all(axis=1)
    if not used.any():
        raise ProductError(
            "calibration: the part holds no labelled segment; expected some. Give more label tables, or a larger share."
        )
    z, allowed = np.asarray(logits, np.float64)[used], allowed[used]

    def cost(scale: np.ndarray, offset: np.ndarray) -> float:
        log_p = log_softmax(z * scale + offset, axis=1)
        return -float(np.logaddexp.reduce(np.where(allowed, log_p, -np.inf), axis=1).mean())

    best = minimize_scalar(
        lambda t: cost(np.exp(-t), 0.0), bounds=(np.log(0.05), np.log(20.0)), method="bounded", options={"xatol": 1e-6}
    )
    scale, offset = np.full(classes, np.exp(-best.x)), np.zeros(classes)
    if method == "vector":
        # A class that nobody saw keeps its offset: likelihood alone would push it to minus infinity.
        seen = np.array([(allowed[:, k] & (allowed.sum(axis=1) == 1)).any() for k in range(classes)])

        def flat(v: np.ndarray) -> tuple[float, np.ndarray]:
            s, b = np.exp(v[:classes]), np.where(seen, v[classes:], 0.0)
            logits_now = z * s + b
            log_p = log_softmax(logits_now, axis=1)
            inside = np.where(allowed, log_p, -np.inf)
            value = -np.logaddexp.reduce(inside, axis=1).mean()
            slope = (np.exp(log_p) - softmax(inside, axis=1)) / len(z)  # of the mean, by the scaled logits
            ridge = 1e-6
            gradient = np.concatenate([(slope * z * s).sum(axis=0), np.where(seen, slope.sum(axis=0), 0.0)])
            return value + ridge * float(v @ v), gradient + 2 * ridge * v

        found = minimize(
            flat,
            np.concatenate([np.log(scale), offset]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-3.0, 3.0)] * classes + [(-10.0, 10.0)] * classes,
        )
        scale, offset = np.exp(found.x[:classes]), np.where(seen, found.x[classes:], 0.0)
        offset = offset - offset.mean()
    return Calibration(method=method, scale=tuple(scale.tolist()), offset=tuple(offset.tolist()), n=int(used.sum()))


def fit_decision(probability: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
    """Return class weights whose ``argmax(weight * probability)`` has the highest macro-F1; coordinate search on a log
    grid.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n, classes)
        Calibrated probabilities.
    truth : numpy.ndarray of int, shape (n,)
        Classes; -1 is left out.

    Returns
    -------
    tuple of float
        The first class weighs 1.
    """
    known = truth >= 0
    log_p, truth = np.log(np.maximum(probability[known], 1e-12)), truth[known]
    classes = log_p.shape[1]
    weights = np.zeros(classes)
    if truth.size == 0:
        return (1.0,) * classes

    def score(w: np.ndarray) -> float:
        return float(metrics.macro_f1(metrics.confusion(truth, np.argmax(log_p + w, axis=1))))

    best = score(weights)
    for step in (0.8, 0.4, 0.2, 0.1):
        improved = True
        while improved:
            improved = False
            for k in range(1, classes):
                for move in (-step, step):
                    trial = weights.copy()
                    trial[k] = np.clip(trial[k] + move, -4.0, 4.0)
                    value = score(trial)
                    if value > best + 1e-6:
                        weights, best, improved = trial, value, True
    return tuple(np.exp(weights).tolist())


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class of a reliability table; ``reliability`` is (bins, 3): samples, mean probability, frequency."""

    name: str
    n: int
    events: int
    calibration_error: float
    brier_skill: float
    reliability: tuple[tuple[float, float, float], ...]


def scores(probability: np.ndarray, truth: np.ndarray, *, names: tuple[str, ...]) -> list[ClassScore]:
    """Score probabilities class by class: expected calibration error and Brier skill against the sample's own
    frequency.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n, classes)
        Calibrated probabilities.
    truth : numpy.ndarray of int, shape (n,)
        Classes; -1 (unknown, or one of several) is left out.
    names : tuple of str
        Names, in order.

    Returns
    -------
    list of ClassScore
        A class each; NaN where the class does not occur.
    """
    known = truth >= 0
    probability, truth = probability[known], truth[known]
    one = metrics.Blocks(index=np.zeros(truth.size, np.int64), count=1, weights=np.zeros((0, 1)))
    out = []
    for k, name in enumerate(names):
        sums = metrics.reliability_sums(probability[:, k], truth == k, one)[0]
        n = np.maximum(sums[:, 0], 1)
        table = tuple((float(s[0]), float(s[1] / m), float(s[2] / m)) for s, m in zip(sums, n, strict=True) if s[0] > 0)
        events = int(sums[:, 2].sum())
        skill = float(metrics.brier_skill(sums)) if 0 < events < truth.size else float("nan")
        out.append(
            ClassScore(
                name=name,
                n=int(truth.size),
                events=events,
                calibration_error=float(metrics.calibration_error(sums)),
                brier_skill=skill,
                reliability=table,
            )
        )
    return out


# Confidence of a class map: how probable it is that the named class is right.

N_CONFIDENCE_BINS = 100


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """How sure a map is of the class it names.

    Attributes
    ----------
    method : str
        ``probability``: the largest calibrated probability. ``entropy_kernel``: 1 - entropy (in units of its largest
        value) mapped to how often the class was right by kernel ridge regression with a Laplacian kernel over 100 bins
        (Maslov et al. 2025).
    x, y : tuple of float
        Nodes of that map, for ``entropy_kernel``.
    held_out_error : dict of str to float
        Calibration error of each method on the half of the calibration part that it was not fitted on; the least one
        was chosen.
    """

    method: str
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    held_out_error: dict[str, float] | None = None

    def of(self, probability: np.ndarray) -> np.ndarray:
        """Return confidences (n,) of probabilities (n, classes)."""
        if self.method == "probability":
            return probability.max(axis=-1)
        return np.interp(certainty(probability), self.x, self.y)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def certainty(probability: np.ndarray) -> np.ndarray:
    """Return 1 - entropy / log(classes) of probabilities (..., classes): 0 where all are equal, 1 where one is
    certain."""
    p = np.asarray(probability, np.float64)
    entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1)
    return 1.0 - entropy / np.log(p.shape[-1])


def kernel_ridge(
    value: np.ndarray, is_right: np.ndarray, *, width: float = 0.1, ridge: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Map a score of 0 to 1 to how often it was right: ridge regression with the kernel exp(-|a - b| / width) on bin
    means.

    Parameters
    ----------
    value : numpy.ndarray, shape (n,)
        Scores of 0 to 1.
    is_right : numpy.ndarray of bool, shape (n,)
        Whether the named class was right.
    width : float
        Width of the kernel.
    ridge : float
        Of a bin that holds every sample; bins with fewer bend the curve less.

    Returns
    -------
    x, y : numpy.ndarray, shape (101,)
        Nodes; y is cut to 0..1.
    """
    bins = np.clip((value * N_CONFIDENCE_BINS).astype(int), 0, N_CONFIDENCE_BINS - 1)
    n = np.bincount(bins, minlength=N_CONFIDENCE_BINS)
    used = n > 0
    place = np.bincount(bins, weights=value, minlength=N_CONFIDENCE_BINS)[used] / n[used]
    share = np.bincount(bins, weights=is_right, minlength=N_CONFIDENCE_BINS)[used] / n[used]
    mean = float(is_right.mean())
    kernel = np.exp(-np.abs(place[:, None] - place[None, :]) / width)
    weight = np.linalg.solve(kernel + np.diag(ridge * n.sum() / n[used]), share - mean)
    x = np.linspace(0.0, 1.0, N_CONFIDENCE_BINS + 1)
    y = mean + np.exp(-np.abs(x[:, None] - place[None, :]) / width) @ weight
    return x, np.clip(y, 0.0, 1.0)


def fit_confidence(probability: np.ndarray, truth: np.ndarray) -> Confidence:
    """Choose how confidence is said, by its calibration error on the half it was not fitted on, both ways round.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n, classes)
        Calibrated, in the order of the ground: the halves are the first and the second.
    truth : numpy.ndarray of int, shape (n,)
        Classes; -1 is left out.

    Raises
    ------
    ProductError
        If nothing is labelled.
    """
    known = truth >= 0
    probability, truth = probability[known], truth[known]
    if truth.size < 2:
        raise ProductError(
            "calibration: the part holds no labelled sample; expected some. Give more labels, or a larger share."
        )
    is_right = probability.argmax(axis=1) == truth
    score = certainty(probability)
    half = np.arange(truth.size) < truth.size // 2
    errors = {"probability": _confidence_error(probability.max(axis=1), is_right), "entropy_kernel": 0.0}
    for mine in (half, ~half):
        x, y = kernel_ridge(score[mine], is_right[mine])
        errors["entropy_kernel"] += 0.5 * _confidence_error(np.interp(score[~mine], x, y), is_right[~mine])
    method = min(errors, key=errors.get)
    x, y = kernel_ridge(score, is_right) if method == "entropy_kernel" else (np.empty(0), np.empty(0))
    return Confidence(method=method, x=tuple(x.tolist()), y=tuple(y.tolist()), held_out_error=errors)


def confidence_scores(probability: np.ndarray, truth: np.ndarray, confidence: Confidence) -> dict[str, object]:
    """Return the calibration error of a confidence on other samples, beside that of raw 1 - entropy, and the share that
    is sure."""
    known = truth >= 0
    probability, truth = probability[known], truth[known]
    is_right = probability.argmax(axis=1) == truth
    said = confidence.of(probability)
    return {
        "method": confidence.method,
        "n": int(truth.size),
        "calibration_error": _confidence_error(said, is_right),
        "calibration_error_of_entropy": _confidence_error(certainty(probability), is_right),
        "share_above_0.95": float((said >= 0.95).mean()),
        "right_above_0.95": float(is_right[said >= 0.95].mean()) if (said >= 0.95).any() else None,
    }


def _confidence_error(said: np.ndarray, is_right: np.ndarray) -> float:
    """Expected calibration error over 100 equal bins (Naeini et al. 2015)."""
    bins = np.clip((said * N_CONFIDENCE_BINS).astype(int), 0, N_CONFIDENCE_BINS - 1)
    gap = np.bincount(bins, weights=said - is_right, minlength=N_CONFIDENCE_BINS)
    return float(np.abs(gap).sum() / max(said.size, 1))


# Thresholds of tags: from which probability on an image is said to have one.

LEAST_THRESHOLD, MOST_THRESHOLD, THRESHOLD_STEPS = 0.2, 0.95, 76
PRECISION, FEWEST_CALLS, FEWEST_UNTAGGED = 0.9, 10, 20


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """From which probability on each tag is given.

    Attributes
    ----------
    best_f1 : tuple of float
        Of the highest F1, between 0.2 and 0.95; 0.5 for a tag that does not occur.
    precise : tuple of float or None
        Lowest one of which ``precision`` of at least ten calls are right; None where there is none.
    precision : float
    unknown_below : float
        An image whose largest probability is lower gets no tag; 0 where ``best_f1`` alone leaves enough of the untagged
        images without one.
    n, untagged : int
        Images, and those of which all tags are known to be absent.
    """

    best_f1: tuple[float, ...]
    precise: tuple[float | None, ...]
    precision: float
    unknown_below: float
    n: int
    untagged: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def fit_thresholds(
    probability: np.ndarray, present: np.ndarray, known: np.ndarray, *, untagged: float, precision: float = PRECISION
) -> Thresholds:
    """Choose thresholds of tags.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n, tags)
        Calibrated.
    present, known : numpy.ndarray of bool, shape (n, tags)
        Whether a tag is there, and whether that is known.
    untagged : float
        Share of images without any tag that may be given one; it decides ``unknown_below``. That is 0 where
        ``best_f1`` alone gives fewer of them a tag, and where there are fewer than 20 such images.
    precision : float
        That ``precise`` thresholds reach.
    """
    choices = np.linspace(LEAST_THRESHOLD, MOST_THRESHOLD, THRESHOLD_STEPS)
    best, precise = [], []
    for k in range(probability.shape[1]):
        p, y = probability[known[:, k], k], present[known[:, k], k]
        calls = p[:, None] >= choices
        hits, called = (calls & y[:, None]).sum(axis=0), calls.sum(axis=0)
        f1 = 2.0 * hits / np.maximum(called + y.sum(), 1)
        best.append(float(choices[int(np.argmax(f1))]) if y.any() else 0.5)
        order = np.argsort(-p, kind="stable")
        right = np.cumsum(y[order])
        last = np.append(np.flatnonzero(np.diff(p[order])), p.size - 1)[: p.size]  # the last of every run of equals
        good = last[(right[last] >= precision * (last + 1)) & (last + 1 >= FEWEST_CALLS)]
        precise.append(float(p[order][good[-1]]) if good.size else None)
    empty = known.all(axis=1) & ~present.any(axis=1)
    limit = 0.0
    if empty.sum() >= FEWEST_UNTAGGED:
        called = (probability[empty] >= np.array(best)).any(axis=1)
        strength = np.sort(np.where(called, probability[empty].max(axis=1), 0.0))
        strongest = float(strength[int(np.ceil((1.0 - untagged) * strength.size)) - 1])
        limit = float(np.nextafter(strongest, 1.0)) if strongest > 0.0 else 0.0
    return Thresholds(
        best_f1=tuple(best),
        precise=tuple(precise),
        precision=precision,
        unknown_below=min(limit, 1.0),
        n=len(probability),
        untagged=int(empty.sum()),
    )
