"""The folder of a training: what it holds already, and what is made new in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import filelock

from ... import io, recipes
from ...errors import OutputError, UsageError, one_line
from ...predict import runtime as predict_runtime
from ...samples import splits

STATE = "state.safetensors"
"""What a stopped training resumes from."""
UNFINISHED = (STATE, "history.json")
"""Files of a training that was stopped."""
LOCK_WAIT_S = 0.5
"""Long enough to take over the lock of a process that died on this computer."""
RESULTS_VERSION = 1
"""Raised only when the same data and settings give other weights."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished training.

    Attributes
    ----------
    out : Path
    outputs : dict of str to Path
        ``onnx``, ``weights``, ``description``, ``history``, ``report``, ``run``.
    numbers : dict
        Kept epoch, scores of the test part, calibration before and after, ONNX parity.
    is_leader : bool
        True in the process that writes and reports; torchrun's other processes are quiet.
    """

    out: Path
    outputs: dict[str, Path]
    numbers: dict[str, object]
    is_leader: bool = True


def result_key(
    plan: recipes.Recipe,
    *,
    split: splits.Config,
    seed: int,
    inputs: Mapping[str, Path],
    networks: Mapping[str, Path],
) -> io.Key:
    """Return everything that decides the weights.

    Parameters
    ----------
    plan : recipes.Recipe
        With the epochs that are trained.
    split : splits.Config
        How the data are split.
    seed : int
        Of weights, order and dropout.
    inputs : mapping of str to Path
        What tables and tiles are to the training -> files and folders.
    networks : mapping of str to Path
        What other networks are to the training -> their files.
    """
    recipe = {k: v for k, v in plan.as_dict().items() if k != "about"}  # its text about itself makes no weights
    return io.Key(
        workflow="train",
        version=RESULTS_VERSION,
        settings={"recipe": recipe, "split": split.model_dump(mode="json"), "seed": seed},
        inputs=inputs,
        networks={r: predict_runtime.sha256(p) if p.is_file() else "missing" for r, p in networks.items()},
    )


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder of a training for this process; the lock of a process that died on this computer is taken over.

    The lock is a file beside the folder; where none can be written there, the folder is not locked.

    Parameters
    ----------
    out : Path
        The folder.

    Raises
    ------
    OutputError
        If another process trains into it.
    """
    place = out.resolve()
    path = place.with_name(f".{place.name}.lock")
    lock = filelock.SoftFileLock(path, timeout=LOCK_WAIT_S, poll_interval=0.05)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        raise OutputError(
            f"{out}: another polynya train writes into it; expected one at a time. Wait for it, or choose another with"
            f" -o; if its computer is gone, remove {path}."
        ) from error
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def claim(out: Path, *, key: io.Key, resume: bool, overwrite: bool) -> Result | None:
    """Look at what the folder holds; return the finished training where there is one and it is to be resumed.

    Parameters
    ----------
    out : Path
        The folder.
    key : io.Key
        What decides this training.
    resume, overwrite : bool
        What to do with an earlier training.

    Raises
    ------
    UsageError
        If it holds a training, and it is not known what to do with it.
    OutputError
        If it holds another training that is not to be replaced, or something else.
    """
    if io.is_free(out):
        return None
    is_stopped = _is_state(out / STATE)
    if overwrite:
        io.check_replaceable(out, also=UNFINISHED if is_stopped else ())
        return None
    if (out / "run.json").exists():
        if not resume:
            raise UsageError(
                f"{out}: holds a finished training; expected an empty folder. Choose another with -o, or pass"
                " --overwrite."
            )
        record = io.finished(out, key)
        if record is not None:
            outputs = {k: out / v for k, v in record["outputs"].items()}
            return Result(out=out, outputs=outputs, numbers=record["numbers"])
    elif not is_stopped:
        raise OutputError(
            f"{out}: holds files and no training (no run.json, and no {STATE} of polynya); expected a new or empty"
            " folder. Choose another with -o."
        )
    if is_stopped and not resume:
        raise UsageError(
            f"{out}: holds a training that was stopped; expected to know what to do with it. --resume continues it,"
            " --overwrite starts again."
        )
    return None


def _is_state(path: Path) -> bool:
    """Return whether a file is what a stopped training of polynya resumes from."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            record = json.loads((file.metadata() or {})["polynya"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return False
    return isinstance(record, dict) and {"digest", "history"} <= set(record)


def prepare(out: Path, *, is_anew: bool) -> None:
    """Make the folder; beginning anew removes the files of an earlier training and nothing else.

    Parameters
    ----------
    out : Path
        The folder.
    is_anew : bool
        Whether an earlier training in it is discarded.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if is_anew:
            for name in (
                "run.json",
                STATE,
                "history.json",
                "report.html",
            ):  # run.json first: without it nothing counts as done
                (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({one_line(error)}); expected a folder with room and write permission. Choose"
            " another with -o."
        ) from error
