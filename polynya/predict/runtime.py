"""What runs an exported network: where networks lie, onnxruntime and OpenVINO sessions. No torch."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..description import Description, SomeDescription, from_text, read
from ..errors import PolynyaError, ProductError, UsageError, one_line
from ..io import onnx_files
from ..targets.one_of import OneOf

WEIGHTS = Path(__file__).parent.parent / "weights"


SUMS = "SHA256SUMS"
"""File beside the shipped networks with the SHA-256 of each, as ``sha256sum`` writes it."""
PROPERTY = "polynya"
"""Name of the ONNX metadata property."""


SUM_TOLERANCE = 1e-3
"""Probabilities of one of several classes add up to 1 within this."""
RUNTIMES = ("auto", "onnxruntime", "openvino")
REPORTER = "openvino_telemetry"
"""Package that OpenVINO brings along to report its use; nothing is sent that nobody asked for."""


def shipped(*, family: str = "tracks") -> list[str]:
    """Return the names of the networks of a family that come with the package."""
    return sorted(p.stem for p in WEIGHTS.glob("*.onnx") if _family(p) == family)


def is_shipped(name: str) -> bool:
    """Return whether a network of this name comes with the package; nothing is read."""
    return (WEIGHTS / f"{name}.onnx").is_file()


def _family(path: Path) -> str:
    """Return the family of a shipped network; networks of tracks of early releases have no description beside them."""
    about = path.with_suffix(".json")
    return read(json.loads(about.read_text(encoding="utf-8"))).family if about.is_file() else "tracks"


def locate(name: Path | str, *, family: str = "tracks") -> Path:
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
    known = ", ".join(shipped(family=family)) or "none is shipped"
    option = "--classifier" if family == "tracks" else "--network"
    raise UsageError(
        f"{option} {name}: no such network; expected 'rule', a shipped name ({known}) or an .onnx file. Check the name"
        " or the path."
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Network:
    """An exported network that is ready to run, of any family; several threads may use it at once.

    Attributes
    ----------
    name : str
        As it was asked for: a shipped name, or the file's.
    path : Path
    sha256 : str
        Of the ONNX file.
    description : Description
    about : dict
        The whole JSON of the file.
    runtime : str
        Name and version.
    evaluate : callable
        Graph input (float32) to what is predicted (float32).
    """

    name: str
    path: Path
    sha256: str
    description: Description
    about: dict[str, Any]
    runtime: str
    evaluate: Callable[[np.ndarray], np.ndarray]


def load(path: Path | str, *, runtime: str = "auto", threads: int = 1) -> Network:
    """Load an exported network of any family.

    Parameters
    ----------
    path : Path or str
        The ONNX file.
    runtime : str
        ``onnxruntime``, ``openvino``, or ``auto``: OpenVINO where it is installed.
    threads : int
        How many threads will call it at once.

    Raises
    ------
    UsageError
        If there is no such runtime or family.
    ProductError
        If the file is no network that polynya exported.
    """
    check_runtime(runtime)
    path = Path(path)
    with LOADING:
        opened = session(path)
        description, about = described(opened, path, wanted=Description)
        used, evaluate = evaluator(opened, path, runtime=runtime, threads=threads)
    evaluate = checked(evaluate, description, path)
    return Network(
        name=path.stem,
        path=path,
        sha256=sha256(path),
        description=description,
        about=about,
        runtime=used,
        evaluate=evaluate,
    )


def described(opened, path: Path, *, wanted: type[SomeDescription]) -> tuple[SomeDescription, dict[str, Any]]:
    """Return what an exported network says of itself, and the whole JSON of it; nothing is imported.

    Parameters
    ----------
    opened : onnxruntime.InferenceSession
        The network.
    path : Path
        Its file, for the error.
    wanted : type of Description
        Which networks are meant.

    Raises
    ------
    ProductError
        If the file is no network that polynya exported, or one of another family.
    """
    text = opened.get_modelmeta().custom_metadata_map.get(PROPERTY)
    if text is None:
        raise ProductError(
            f"{path.name}: metadata property {PROPERTY!r} is missing; expected a network exported by polynya train."
            " Export it again."
        )
    try:
        return from_text(text, wanted=wanted), json.loads(text)
    except PolynyaError as error:
        raise ProductError(f"{path.name}: metadata property {PROPERTY!r}, {one_line(error)}") from error


def check_runtime(runtime: str) -> None:
    """Raise UsageError where there is no such runtime."""
    if runtime not in RUNTIMES:
        raise UsageError(
            f"runtime {runtime!r}: no such runtime; expected one of {', '.join(RUNTIMES)}. Choose one of these."
        )


LOADING, COMPILING = threading.Lock(), threading.Lock()
"""Held while a network is opened (each only once), and compiled: OpenVINO's first array must come from one thread."""


def session(path: Path):
    """Return an onnxruntime session of one thread: tiles run beside each other instead.

    Raises
    ------
    ProductError
        If the file cannot be read, is no plain network (:mod:`.onnx_files`), or is a shipped one that was changed.
    """
    import onnxruntime

    onnx_files.check(path, description=PROPERTY)
    if path.resolve().parent != WEIGHTS.resolve():
        onnx_files.try_out(path)
    else:
        _check_shipped(path)
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


def _check_shipped(path: Path) -> None:
    """Raise where a network that comes with the package is not what was shipped."""
    sums = dict(line.split()[::-1] for line in (WEIGHTS / SUMS).read_text(encoding="utf-8").splitlines())
    found, expected = sha256(path), sums.get(path.name)
    if found != expected:
        known = f"{expected[:12]}..." if expected else f"none in {SUMS}"
        raise ProductError(
            f"{path.name}: its SHA-256 is {found[:12]}...; expected {known}: it is not the network that came with"
            " polynya. Install polynya again; keep a network of your own in another folder."
        )


def evaluator(session, path: Path, *, runtime: str, threads: int) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the name and version of what runs a network, and the call; ``auto`` is OpenVINO where it is installed."""
    return (
        _onnxruntime(session)
        if runtime == "onnxruntime"
        else _openvino(path, threads, must=runtime == "openvino") or _onnxruntime(session)
    )


def checked(
    evaluate: Callable[[np.ndarray], np.ndarray], description: Description, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the call of a network, with an error where its answers are no answers.

    Parameters
    ----------
    evaluate : callable
        Graph input to what is predicted, classes along the second axis.
    description : Description
        What is predicted: probabilities of one of several classes add up to 1.
    path : Path
        For the error.
    """
    n = len(description.classes) if isinstance(description.predicts, OneOf) else 0

    def answers(batch: np.ndarray) -> np.ndarray:
        out = evaluate(batch)
        if not np.isfinite(out).all():
            _no_answer(path, "is not a finite number")
        if n > 1 and out.ndim > 1 and out.shape[1] == n and out.size:
            total = out.sum(axis=1)
            if not (out.min() >= -SUM_TOLERANCE and np.abs(total - 1.0).max() <= SUM_TOLERANCE):
                worst = float(total.flat[np.abs(total - 1.0).argmax()])
                _no_answer(path, f"is no probability: {n} classes add up to {worst:.4g}, the least is {out.min():.4g}")
        return out

    return answers


def _no_answer(path: Path, what: str) -> NoReturn:
    raise ProductError(
        f"{path.name}: an answer of it {what}; expected probabilities that add up to 1. Export the network again."
    )


def _version_of_openvino() -> str | None:
    """Return the version that is installed, None where it is not; nothing of it is imported."""
    try:
        if importlib.util.find_spec("openvino") is None:
            return None
        return importlib.metadata.version("openvino")
    except ValueError:  # imports of it are blocked
        return None
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _onnxruntime(session) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    import onnxruntime

    name = session.get_inputs()[0].name
    return f"onnxruntime {onnxruntime.__version__}", lambda batch: session.run(None, {name: batch})[0]


def _openvino(path: Path, threads: int, *, must: bool) -> tuple[str, Callable[[np.ndarray], np.ndarray]] | None:
    """Return OpenVINO's version and call, single precision; None where it is not installed.

    Importing and compiling take tenths of a second: a thread does both while the caller reads what is to be evaluated.
    """
    version = _version_of_openvino()
    if version is None:
        if must:
            raise UsageError(
                "runtime openvino: it is not installed; expected the extra [cpu]. pip install 'polynya[cpu]', or use"
                " onnxruntime."
            )
        return None
    loader = ThreadPoolExecutor(1)
    compiled = loader.submit(_compiled, path, threads)
    loader.shutdown(wait=False)

    def evaluate(batch: np.ndarray) -> np.ndarray:
        return np.array(compiled.result().create_infer_request().infer([batch])[0])

    return f"openvino {version}", evaluate


def _compiled(path: Path, threads: int):
    options = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": str(threads), "INFERENCE_NUM_THREADS": str(threads)}
    with COMPILING:
        # OpenVINO reports its use over the network unless its reporter cannot be imported.
        sys.modules.setdefault(REPORTER, None)  # type: ignore[arg-type]
        try:
            import openvino
        except ImportError as error:
            raise UsageError(
                f"runtime openvino: it is installed, but cannot be imported ({one_line(error)[:160]}); expected one"
                " that works. Install it again, or uninstall it: onnxruntime then does the work."
            ) from error

        model = openvino.Core().compile_model(str(path), "CPU", options)
        # The first array given to OpenVINO sets up its numpy bridge under a lock that waits for the interpreter: two
        # threads that come first together wait for each other for ever. So one comes first here, where the lock holds
        # the others.
        openvino.Tensor(np.zeros(1, np.float32))
    return model
