"""The folder of a training: what it holds already, and what is made new in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ... import io
from ...errors import OutputError, UsageError, one_line

STATE = "state.safetensors"
"""What a stopped training resumes from."""
_RENAMED = {"cross_fit": "kept_back"}
"""Keys of run.json that had other names in earlier releases."""


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


def claim(out: Path, *, asked: dict[str, object], resume: bool, overwrite: bool) -> Result | None:
    """Look at what the folder holds; return the finished training where there is one and it is to be resumed.

    Parameters
    ----------
    out : Path
        The folder.
    asked : dict
        Settings of this training, as run.json has them.
    resume, overwrite : bool
        What to do with an earlier training.

    Raises
    ------
    UsageError
        If it holds another training, or it is not known what to do with it.
    """
    if (out / "run.json").exists() and not overwrite:
        if not resume:
            raise UsageError(
                f"{out}: holds a finished training; expected an empty folder. Choose another with -o, or pass"
                " --overwrite."
            )
        record = io.read_json(out / "run.json")
        held = {**record["config"], "seed": record["seed"]}
        other = [k for k, v in asked.items() if _without_text(_held(held, k)) != _without_text(io.plain(v))]
        if other:
            raise UsageError(
                f"{out}: holds a finished training of another {' and '.join(other)}; expected the one asked for. Choose"
                " another folder with -o, or pass --overwrite."
            )
        outputs = {k: out / v for k, v in record["outputs"].items()}
        return Result(out=out, outputs=outputs, numbers=record["numbers"])
    if (out / STATE).exists() and not (resume or overwrite):
        raise UsageError(
            f"{out}: holds a training that was stopped; expected to know what to do with it. --resume goes on,"
            " --overwrite begins anew."
        )
    return None


def _without_text(settings: object) -> object:
    """Leave out the recipe's text about itself, which makes no weights."""
    return {k: v for k, v in settings.items() if k != "about"} if isinstance(settings, dict) else settings


def _held(record: dict[str, object], key: str) -> object:
    return record.get(key, record.get(_RENAMED.get(key, key)))


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
