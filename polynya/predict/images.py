"""Tags of imagettes from an exported network: no torch.

An export is one ONNX file. Scaling, calibration, activation and the distance by features are inside its graph;
pictures and the numbers beside them are prepared here as in training (:mod:`polynya.samples.imagette_pictures`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..families.images import Decision, Description, decided, packed
from ..samples.imagette_pictures import Prepared, prepare
from ..schema.imagettes import Imagette
from . import runtime as predict_runtime

BATCH = 8
"""Imagettes given to a network at once."""


@dataclass(frozen=True, kw_only=True)
class TagPredictions:
    """What a network says of n imagettes.

    Attributes
    ----------
    labels : tuple of str
        Names of the tags.
    probability : numpy.ndarray of float64, shape (n, tags)
        Calibrated.
    tags : numpy.ndarray of bool, shape (n, tags)
        From the thresholds of the best F1 on.
    precise_tags : numpy.ndarray of bool, shape (n, tags)
        From the thresholds on that reached the wanted precision on the calibration part; fewer.
    confidence : numpy.ndarray of float64, shape (n,)
        The largest probability of the tags given; of an imagette without one the product of the probabilities that each
        is absent.
    unknown : numpy.ndarray of bool, shape (n,)
        No tag is given: none of the phenomena, or none that the network knows.
    distance : numpy.ndarray of float64, shape (n,)
        From the training's images, by the network's last features, in standard deviations (Mahalanobis); NaN where the
        export has none.
    is_far : numpy.ndarray of bool, shape (n,)
        Farther than 99 % of the calibration part: the probabilities may mean nothing.
    """

    labels: tuple[str, ...]
    probability: np.ndarray
    tags: np.ndarray
    precise_tags: np.ndarray
    confidence: np.ndarray
    unknown: np.ndarray
    distance: np.ndarray
    is_far: np.ndarray

    def __len__(self) -> int:
        return len(self.probability)


def load(name: Path | str, *, runtime: str = "auto", threads: int = 1) -> predict_runtime.Network:
    """Load an exported network of imagettes.

    Parameters
    ----------
    name : str or path
        A shipped name or an ``.onnx`` file.
    runtime : str
        ``onnxruntime``, ``openvino``, or ``auto``: OpenVINO where it is installed.
    threads : int
        How many threads will call it at once.

    Raises
    ------
    UsageError
        If there is no such network or runtime.
    ProductError
        If the file is no network of imagettes that polynya exported.
    """
    found = predict_runtime.load(predict_runtime.locate(name, family="images"), runtime=runtime, threads=threads)
    described(found)
    return found


def described(network: predict_runtime.Network) -> Description:
    """Return what a network of imagettes says of itself.

    Raises
    ------
    ProductError
        If it is one of another family, or its training did not end.
    """
    found = network.description
    if not isinstance(found, Description) or found.decision is None:
        raise ProductError(
            f"{network.path.name}: is a network of {found.family}; expected one of images, with thresholds. Choose"
            " another."
        )
    return found


def predict(network: predict_runtime.Network, imagettes: Iterable[Imagette], *, threads: int = 1) -> TagPredictions:
    """Return what a network says of imagettes; so many pictures are in memory as the threads work on.

    Parameters
    ----------
    network : Network
        Of :func:`load`, of pictures.
    imagettes : iterable of Imagette
        With pictures; any iterator of the readers.
    threads : int
        Imagettes are prepared and given to the network beside each other.

    Raises
    ------
    ProductError
        If the network takes feature vectors, or is none of imagettes.
    """
    d = described(network)
    if d.kind != "pictures":
        raise ProductError(
            f"{network.path.name}: takes feature vectors ({len(d.scalars)} numbers); expected a network of pictures."
            " Choose another, or give the vectors to predict_vectors."
        )

    def work(chunk: Sequence[Imagette]) -> np.ndarray:
        return evaluate(network, [prepare(i, size=d.size, pixel_m=d.pixel_m) for i in chunk])

    chunks = _chunks(iter(imagettes))
    found: list[np.ndarray] = []
    with ThreadPoolExecutor(threads) as pool:
        while some := list(itertools.islice(chunks, 2 * threads)):
            found += pool.map(work, some)
    return of_outputs(d, np.concatenate(found) if found else np.zeros((0, len(d.classes) + 1)))


def predict_vectors(network: predict_runtime.Network, vectors: np.ndarray) -> TagPredictions:
    """Return what a network says of feature vectors.

    Parameters
    ----------
    network : Network
        Of :func:`load`, of vectors.
    vectors : numpy.ndarray, shape (n, features)
        Of the network that the training's vectors were made by.

    Raises
    ------
    ProductError
        If the network takes pictures, or vectors of another length.
    """
    d = described(network)
    if d.kind != "vectors" or vectors.ndim != 2 or vectors.shape[1] != len(d.scalars):
        raise ProductError(
            f"{network.path.name}: takes {d.kind}, {len(d.scalars)} numbers each; found vectors of the shape"
            f" {vectors.shape}. Choose another network, or other vectors."
        )
    return of_outputs(d, network.evaluate(np.ascontiguousarray(vectors, np.float32)))


def evaluate(network: predict_runtime.Network, prepared: Sequence[Prepared]) -> np.ndarray:
    """Return what the graph gives for prepared imagettes, float32 (n, tags), with one more column for the distance."""
    pictures = np.stack([p.grey for p in prepared]).astype(np.float32) * np.float32(1.0 / 255.0)
    return network.evaluate(packed(pictures, np.stack([p.scalars for p in prepared])))


def of_outputs(d: Description, outputs: np.ndarray) -> TagPredictions:
    """Return predictions from what the graph gives.

    Parameters
    ----------
    d : Description
        Of the network.
    outputs : numpy.ndarray, shape (n, tags) or (n, tags + 1)
        Of :func:`evaluate`.
    """
    decision: Decision | None = d.decision
    if decision is None:
        raise ProductError(f"{d.name}: has no thresholds; expected a network whose training ended. Train it again.")
    n = len(d.classes)
    probability = np.asarray(outputs[:, :n], np.float64)
    tags = decided(probability, decision)
    has_distance = d.open_set is not None and outputs.shape[1] > n
    distance = np.asarray(outputs[:, n], np.float64) if has_distance else np.full(len(outputs), np.nan)
    limit = d.open_set.limits[1] if d.open_set is not None else np.inf
    given = np.where(tags, probability, 0.0).max(axis=1, initial=0.0)
    unknown = np.logical_not(tags.any(axis=1))
    return TagPredictions(
        labels=d.classes,
        probability=probability,
        tags=tags,
        precise_tags=decided(probability, decision, is_precise=True),
        confidence=np.where(unknown, np.prod(1.0 - probability, axis=1), given),
        unknown=unknown,
        distance=distance,
        is_far=distance > limit,
    )


def _chunks(imagettes: Iterator[Imagette]) -> Iterator[list[Imagette]]:
    while chunk := list(itertools.islice(imagettes, BATCH)):
        yield chunk
