"""What runs an exported network: where networks lie, onnxruntime and OpenVINO sessions. No torch."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import ProductError, UsageError, one_line

WEIGHTS = Path(__file__).parent.parent / "weights"


PROPERTY = "polynya"
"""Name of the ONNX metadata property."""


RUNTIMES = ("auto", "onnxruntime", "openvino")


def shipped(*, of_scenes: bool = False) -> list[str]:
    """Return the names of the networks that come with the package: those of tracks, or those of scenes."""
    return sorted(p.stem for p in WEIGHTS.glob("*.onnx") if _is_of_scenes(p) == of_scenes)


def _is_of_scenes(path: Path) -> bool:
    about = path.with_suffix(".json")
    return about.is_file() and json.loads(about.read_text(encoding="utf-8")).get("kind") == "scene"


def locate(name: Path | str, *, of_scenes: bool = False) -> Path:
    """Return the ONNX file of a shipped name or a path.

    Raises
    ------
    UsageError
        If there is neither.
    """
    path = Path(name)
    if path.suffix == ".onnx" and path.is_file():
        return path
    inside = WEIGHTS / f"{name}.onnx"
    if path.name == str(name) and inside.is_file():
        return inside
    known = ", ".join(shipped(of_scenes=of_scenes)) or "none is shipped"
    raise UsageError(
        f"{'--network' if of_scenes else '--classifier'} {name}: no such network; expected 'rule', a shipped name"
        f" ({known}) or an .onnx file. Check the name or the path."
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


LOADING = threading.Lock()
"""Held while a network is loaded: OpenVINO's first array must come from one thread."""


def session(path: Path):
    """Return an onnxruntime session of one thread: tiles run beside each other instead.

    Raises
    ------
    ProductError
        If the file cannot be read.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each status and exports none of them
        raise ProductError(
            f"{path.name}: onnxruntime cannot read it ({one_line(error)[:200]}); expected a network exported by polynya"
            " train. Export it again."
        ) from error


def evaluator(session, path: Path, *, runtime: str, threads: int) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the name and version of what runs a network, and the call; ``auto`` is OpenVINO where it is installed."""
    return (
        _onnxruntime(session)
        if runtime == "onnxruntime"
        else _openvino(path, threads, must=runtime == "openvino") or _onnxruntime(session)
    )


def _onnxruntime(session) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    import onnxruntime

    name = session.get_inputs()[0].name
    return f"onnxruntime {onnxruntime.__version__}", lambda batch: session.run(None, {name: batch})[0]


def _openvino(path: Path, threads: int, *, must: bool) -> tuple[str, Callable[[np.ndarray], np.ndarray]] | None:
    """Return OpenVINO's version and call, single precision; None where it is not installed."""
    try:
        import openvino
    except ImportError as error:
        if must:
            raise UsageError(
                "runtime openvino: it is not installed; expected the extra [cpu]. pip install 'polynya[cpu]', or use"
                " onnxruntime."
            ) from error
        return None
    options = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": str(threads), "INFERENCE_NUM_THREADS": str(threads)}
    model = openvino.Core().compile_model(str(path), "CPU", options)
    # The first array given to OpenVINO sets up its numpy bridge under a lock that waits for the interpreter: two
    # threads that come first together
    # wait for each other for ever. So one comes first here, where only one thread is (the cache's lock holds the
    # others).
    openvino.Tensor(np.zeros(1, np.float32))

    def evaluate(batch: np.ndarray) -> np.ndarray:
        return np.array(model.create_infer_request().infer([batch])[0])

    return f"openvino {openvino.__version__.split('-')[0]}", evaluate
