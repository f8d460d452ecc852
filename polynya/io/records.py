"""Records: what a run was, in run.json beside its result, and the one rule for what is done already."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import platform
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import OutputError, ProductError, one_line
from . import atomic, opening, outputs, stored
from .addresses import Place
from .addresses import place as place_of
from .input_files import files_of

_BLOCK = 1 << 22
_KNOWN_AT_MOST = 10_000
_known: dict[tuple[object, ...], str] = {}


@dataclass(frozen=True, kw_only=True)
class Key:
    """What decides a result: of two runs with the same key, the second one has nothing to do.

    Attributes
    ----------
    workflow : str
        Name of the command.
    version : int
        Of the workflow's method; raised only when its numbers change.
    settings : mapping of str to object
        Everything asked for that decides the numbers. No paths: those are inputs.
    inputs : mapping of str to Path
        What a file is to the run (``granule``, ``mss`` ...) -> the file, or a folder, which counts with every file
        below it. The first one is what the run is about; the others only help.
    networks : mapping of str to str
        What a network is to the run -> its SHA-256.
    """

    workflow: str
    version: int
    settings: Mapping[str, object]
    inputs: Mapping[str, Path]
    networks: Mapping[str, str] = field(default_factory=dict)


def finished(place: Place, key: Key) -> dict | None:
    """Return the record of a result that is done: the one rule for it.

    A result is done where its record is there with all the files that it lists, as they were written, and says the same
    workflow, version, settings, networks and inputs. An input is the same where its size and the SHA-256 of its content
    are; it is read again only where its size or one of its times (of content, and of the file's state, which no program
    can set back) differ from those in the record. What the run is about, the first input, may be gone: then it has not
    changed.

    Parameters
    ----------
    place : Path or Address
        A folder with a ``run.json``, or the ``NAME.run.json`` beside a single file.
    key : Key
        What this run would be.

    Returns
    -------
    dict or None
        None where nothing is there.

    Raises
    ------
    OutputError
        If something else is there: another result, one that misses a file, or no result at all. The message says what
        differs.
    ProductError
        If an input other than the first one is missing.
    """
    is_folder = not place.name.endswith(f".{atomic.RECORD}")
    for role, given in list(key.inputs.items())[1:]:
        if not Path(given).exists():
            raise ProductError(f"{Path(given).name}: no such file at {given}; expected the {role}. Check the path.")
    path = place / atomic.RECORD if is_folder else place
    if is_folder and isinstance(place, Path):
        _check_folder(place)
    if stored.is_free(place) if is_folder else not path.exists():
        return None
    held = atomic.read_record(path)
    if held is None or not held.get(atomic.CONTENTS):
        raise OutputError(
            f"{place}: is no finished result ({path.name} is missing, damaged, or of an earlier polynya); expected a"
            " new name, or the result of this command. Choose another with -o, or remove it yourself."
        )
    damage = _damage(path.parent, held)
    other = [damage] if damage else _differences(held.get("key"), key)
    if other:
        raise OutputError(
            f"{place}: holds a result {' and '.join(other)}; expected that of this command. Pass --overwrite, or"
            " another -o."
        )
    return held


def _damage(folder: Place, held: dict) -> str:
    """Return what is wrong with the files that a record lists; of objects in a store it is asked whether they exist."""
    names = atomic.listed_in(held)
    if isinstance(folder, Path):
        return outputs.damage(folder, names, held.get(outputs.WRITTEN))
    missing = [n for n in names if not (folder / n).exists()]
    return f"that misses {missing[0]}" if missing else ""


def _check_folder(place: Path) -> None:
    """Put in order what a dead run left beside a folder, and raise where a file has the folder's name."""
    if place.parent.is_dir():
        atomic.sweep(place)  # a run that died while it replaced a result left that one under another name
    if os.path.lexists(place) and not place.is_dir():
        raise OutputError(f"{place}: is a file; expected a folder, or a free name. Choose another with -o.")


@contextlib.contextmanager
def hashing(key: Key) -> Iterator[Callable[[], dict]]:
    """Hash a key's inputs in a thread while the block works; yield the function that waits for the key as plain data.

    What it returns goes into the record as ``key``: :func:`finished` reads it there.

    Raises
    ------
    ProductError
        From the function: if an input cannot be read, or changes meanwhile.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as pool:
        future = pool.submit(key_as_dict, key, stop=stop)

        def known() -> dict:
            found = future.result()
            _check_at_rest(key, found)  # hours may have passed since it was hashed
            return found

        try:
            yield known
        finally:
            stop.set()


def key_as_dict(key: Key, *, stop: threading.Event | None = None) -> dict:
    """Return a key as plain data, every input file with its size, times (ns) and SHA-256.

    Parameters
    ----------
    key : Key
        Its inputs are read.
    stop : threading.Event, optional
        Hashing ends early once it is set.

    Raises
    ------
    ProductError
        If an input cannot be read, or changes meanwhile.
    """
    inputs = {}
    for role, path in key.inputs.items():
        files = []
        for name, file in files_of(Path(path)):
            try:
                state = opening.regular_file(file, expected=f"the {role}, a regular file").stat()
                digest = _sha256(file, state, stop)
                now = file.stat()
            except OSError as error:
                raise ProductError(
                    f"{file.name}: cannot be read ({one_line(error)}); expected a readable file. Check {file}."
                ) from error
            if _state(now) != _state(state):
                raise _changed(file)
            files.append({"name": name, **_state(state), "sha256": digest})
        inputs[role] = files
    return {
        "workflow": key.workflow,
        "version": key.version,
        "settings": plain(dict(key.settings)),
        "networks": dict(key.networks),
        "inputs": inputs,
    }


def _check_at_rest(key: Key, found: dict) -> None:
    """Raise where an input is not the file any more that was hashed."""
    for role, path in key.inputs.items():
        held = {f["name"]: f for f in found["inputs"][role]}
        files = files_of(Path(path))
        if len(files) != len(held):
            raise _changed(Path(path))
        for name, file in files:
            try:
                now = _state(file.stat())
            except OSError as error:
                raise _changed(file) from error
            if name not in held or any(held[name][n] != v for n, v in now.items()):
                raise _changed(file)


def _changed(file: Path) -> ProductError:
    return ProductError(
        f"{file.name}: changed while it was read; expected a file at rest. Wait until it is complete, then run again."
    )


def digest_of(key: dict) -> str:
    """Return a short hash of a key as plain data: of what decides the numbers, not of names and times of files.

    Parameters
    ----------
    key : dict
        From :func:`hashing` or :func:`key_as_dict`.
    """
    inputs = {role: [[f["size"], f["sha256"]] for f in files] for role, files in key["inputs"].items()}
    return hashlib.sha256(json.dumps({**key, "inputs": inputs}, sort_keys=True).encode()).hexdigest()[:16]


def _differences(held: object, key: Key) -> list[str]:
    """Return what another result differs in, each as it stands after "a result"; empty for the same one."""
    if not isinstance(held, dict):
        return ["of an earlier version of polynya"]
    if held.get("workflow") != key.workflow:
        return [f"of polynya {held.get('workflow')}"]
    if held.get("version") != key.version:
        return ["of another version of the method"]
    out = []
    old, new = held.get("settings", {}), plain(dict(key.settings))
    changed = [n for n in {**old, **new} if n not in old or n not in new or old[n] != new[n]]
    if changed:
        out.append(f"of other settings ({', '.join(changed)})")
    if held.get("networks", {}) != dict(key.networks):
        out.append("of another network")
    inputs = held.get("inputs", {})
    other = [r for r in {**inputs, **key.inputs} if r not in inputs or r not in key.inputs]
    other += [r for r, p in key.inputs.items() if r in inputs and not _is_same(Path(p), inputs[r])]
    return out + [f"of {'other' if _is_plural(role) else 'another'} {role}" for role in other]


def _is_plural(role: str) -> bool:
    """Return whether a role is named in the plural: echoes, leads, sums of a file."""
    noun = role.split(" ")[0]
    return noun.endswith("s") and not noun.endswith("ss")


def _is_same(path: Path, held: list[dict]) -> bool:
    if not path.exists():
        return True
    files = files_of(path)
    if len(files) != len(held):
        return False
    for (name, file), old in zip(files, held, strict=True):
        if path.is_dir() and name != old.get("name"):
            return False
        try:
            state = file.stat()
            now = _state(state)
            if now["size"] != old.get("size"):
                return False
            if any(old.get(n) != v for n, v in now.items()) and _sha256(file, state) != old.get("sha256"):
                return False
        except OSError:
            return False
    return True


def _state(found: os.stat_result) -> dict[str, int]:
    """Return what tells that a file was not written to since: size, time of its content, time of its state."""
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns}


def _sha256(path: Path, state: os.stat_result, stop: threading.Event | None = None) -> str:
    """Return the SHA-256 of a file's content; once a process for a file that does not change."""
    known: tuple[str | int, ...] = (str(path), *_state(state).values())
    if known in _known:
        return _known[known]
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
            if stop is not None and stop.is_set():
                return ""
    if len(_known) >= _KNOWN_AT_MOST:
        _known.clear()
    _known[known] = digest.hexdigest()
    return _known[known]


def versions() -> dict[str, str]:
    """Return the versions of what computed a result; reads package metadata, imports nothing."""
    from importlib import metadata

    out = {"polynya": __version__, "python": platform.python_version()}
    for name in ("numpy", "numba", "h5py", "pyarrow", "scipy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            about = metadata.distribution(name).read_text("METADATA") or ""
            found = re.search(r"^Version: *(.+)$", about, re.MULTILINE)  # parsing all of it takes long
            out[name] = found.group(1).strip() if found else metadata.version(name)
    return out


def run_record(
    *, command: list[str], config: dict, inputs: list[dict], seed: int | None = None, **more: object
) -> dict:
    """Return the provenance of a run: what was asked, with which versions, of which inputs, when.

    Parameters
    ----------
    command : list of str
        As typed.
    config : dict
        Resolved settings.
    inputs : list of dict
        What each input is.
    seed : int, optional
        Of random numbers, where the run draws any.
    **more : object
        Further entries of the record, each under its own name.
    """
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


def write_json(data: object, path: Path, *, files: Mapping[str, Path] | None = None) -> Path:
    """Write JSON under a temporary name, then rename; NaN becomes null.

    A record that lists files gets their sizes and hashes, so it is written after them: :func:`finished` knows by them
    whether the files still are what was written.

    Parameters
    ----------
    data : object
        Dicts, lists, text, numbers, paths, times.
    path : Path
        Replaced if it is there.
    files : mapping of str to Path, optional
        Where the files of a record lie that have no name yet; by default they lie beside it.

    Returns
    -------
    Path
        The file.
    """
    if isinstance(data, dict) and data.get(atomic.CONTENTS) and outputs.WRITTEN not in data:
        places = {n: Path(path).parent / n for n in atomic.listed_in(data)} | dict(files or {})
        written = {n: outputs.state_of(p) for n, p in places.items() if p != Path(path) and p.is_file()}
        data = {**data, outputs.WRITTEN: written}
    with atomic.writing(Path(path)) as temporary:
        temporary.write_text(
            json.dumps(plain(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    return Path(path)


def read_json(path: Place | str) -> dict:
    """Read a JSON file that polynya wrote.

    Parameters
    ----------
    path : Path, Address or str
        The file.

    Raises
    ------
    ProductError
        If it is missing or not JSON.
    """
    path = place_of(path)
    try:
        if isinstance(path, Path):
            opening.regular_file(path)
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"holds a {type(found).__name__}")
        return found
    except (OSError, ValueError, RecursionError, ProductError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:120]}); expected the run.json of a finished run. Run it"
            " again."
        ) from error


def plain(value: Any) -> Any:
    """Return a value as JSON takes it: numbers that are not finite become null, paths and times text."""
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
