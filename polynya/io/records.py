"""Records and whole files: run.json, JSON, and names that appear only when what they hold is whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import OutputError, ProductError, one_line

if TYPE_CHECKING:  # heavy, and only for the signatures
    pass


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` and rename it when the block ends well.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"{path.name}: cannot be written in {path.parent} ({one_line(error)}); expected a folder with room and"
            " write permission. Choose another with -o, or free space."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that replaces it when the block ends well.

    Raises
    ------
    OutputError
        If the parent cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{path.name}.*.part"):  # of a run that was killed
            if not _is_alive(stale):
                shutil.rmtree(stale, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.{os.getpid()}.", suffix=".part", dir=path.parent))
        temporary.chmod(0o777 & ~_umask())
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({one_line(error)}); expected a folder with room and write permission. Choose"
            " another with -o."
        ) from error
    try:
        yield temporary
        if path.is_dir():
            old = path.with_name(f".{path.name}.{os.getpid()}.old.part")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({one_line(error)}); expected a folder with room and write permission. Choose"
            " another with -o, or free space."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _is_alive(part: Path) -> bool:
    words = part.name.split(".")
    pids = [w for w in words if w.isdigit()]
    if not pids:
        return False
    try:
        os.kill(int(pids[-1]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def versions() -> dict[str, str]:
    """Return the versions of what computed a result; reads package metadata, imports nothing."""
    from importlib import metadata

    out = {"polynya": __version__, "python": platform.python_version()}
    for name in ("numpy", "numba", "h5py", "pyarrow", "scipy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            out[name] = metadata.version(name)
    return out


def run_record(
    *, command: list[str], config: dict, inputs: list[dict], seed: int | None = None, **more: object
) -> dict:
    """Return the provenance of a run: what was asked, with which versions, of which inputs, when."""
    return {
        "polynya": __version__,
        "command": command,
        "config": config,
        "inputs": inputs,
        "seed": seed,
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        **more,
    }


def write_json(data: object, path: Path) -> Path:
    """Write JSON under a temporary name, then rename; NaN becomes null."""
    with writing(Path(path)) as temporary:
        temporary.write_text(
            json.dumps(plain(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    return Path(path)


def read_json(path: Path | str) -> dict:
    """Read a JSON file that polynya wrote.

    Raises
    ------
    ProductError
        If it is missing or not JSON.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"holds a {type(found).__name__}")
        return found
    except (OSError, ValueError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:120]}); expected the run.json of a finished run. Run it"
            " again."
        ) from error


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, (Path, dt.datetime)):
        return str(value)
    return value


def command_line() -> list[str]:
    """Return the command as typed, the program by its name only."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else []
