"""Change one line of polynya at a time and see whether a test notices.

    python scripts/mutants.py                 all of scripts/mutants.toml
    python scripts/mutants.py --short         a few, in less than a minute
    python scripts/mutants.py NAME ...        these

Each mutant is one change of one file: the package and its tests are copied to a temporary folder, the change is made
there, and the named tests run. A test that fails has caught it. A change that no test notices has SURVIVED. Exit 0 if
all are caught, 1 if one survived or could not be tried.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("polynya", "tests", "pyproject.toml")
CAUGHT, SURVIVED, ERROR = "caught", "SURVIVED", "ERROR"
TIMEOUT_S = 600
"""A test that runs for longer has noticed the change too: it does not end."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change and the tests that must notice it.

    Attributes
    ----------
    name : str
        What goes wrong, in words.
    file : str
        Below ``polynya/``.
    old, new : str
        Text that stands once in the file, and what it becomes. Where ``old`` has a space, the file may have any white
        space or none, so that a formatter does not break the match.
    tests : tuple of str
        Test files or single tests, as pytest takes them.
    short : bool
        Whether ``--short`` tries it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    short: bool = False


class NotTried(Exception):
    """A mutant could not be made, or its tests did not run."""


def load(table: Path) -> list[Mutant]:
    """Read the table of mutants."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["mutant"]
    found = [Mutant(**{**row, "tests": tuple(row["tests"])}) for row in rows]
    twice = {m.name for m in found if sum(m.name == other.name for other in found) > 1}
    if twice:
        raise SystemExit(f"{table.name}: {', '.join(sorted(twice))} stands there twice; expected names of their own.")
    return found


def changed(text: str, mutant: Mutant) -> str:
    """Return the text of a file with the mutant's change.

    Raises
    ------
    NotTried
        If the old text does not stand there exactly once.
    """
    pattern = re.compile(r"\s*".join(re.escape(word) for word in mutant.old.split()))
    count = len(pattern.findall(text))
    if count != 1:
        what = "pattern not found" if count == 0 else f"pattern found {count} times"
        raise NotTried(f"{what} in polynya/{mutant.file}: {mutant.old!r}; expected once. Adapt scripts/mutants.toml.")
    return pattern.sub(lambda _: mutant.new, text)


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """Make a copy of package and tests that may be changed; file times stay, so that compiled functions stay valid."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        here = Path(folder)
        for name in COPIED:
            if (root / name).is_dir():
                shutil.copytree(root / name, here / name)
            elif (root / name).exists():
                shutil.copy2(root / name, here / name)
        yield here


def run_tests(here: Path, tests: Sequence[str]) -> tuple[bool, str]:
    """Run tests in a copy; return whether all passed, and the last lines that pytest wrote.

    Raises
    ------
    NotTried
        If pytest could not run them.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=here, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no end after {TIMEOUT_S} s"
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode not in (0, 1):
        said = " | ".join((lines or done.stderr.splitlines())[-3:])
        raise NotTried(f"pytest ended with {done.returncode} on {' '.join(tests)}: {said}")
    if done.returncode == 0 and re.search(r"\d+ skipped", lines[-1]) and not re.search(r"\d+ passed", lines[-1]):
        raise NotTried(f"every test was skipped: {' '.join(tests)}")
    named = [line for line in lines if line.startswith("FAILED")]
    return done.returncode == 0, (named or lines)[-1]


def check_start(root: Path, mutants: Sequence[Mutant]) -> None:
    """Check that the copy is what is tested, and that the tests pass on it without a change.

    Raises
    ------
    NotTried
        If not.
    """
    with copy_of(root) as here:
        environment = {**os.environ, "PYTHONPATH": str(here)}
        words = [sys.executable, "-c", "import polynya; print(polynya.__file__)"]
        said = subprocess.run(words, cwd=here, env=environment, capture_output=True, text=True, check=False).stdout
        if here.resolve() not in Path(said.strip()).resolve().parents:
            raise NotTried(f"python imports {said.strip() or 'no polynya'}; expected the copy at {here}.")
        passed, last = run_tests(here, list(dict.fromkeys(t for m in mutants for t in m.tests)))
        if not passed:
            raise NotTried(f"tests fail without any change: {last}. Fix them first.")


def attempt(root: Path, mutant: Mutant) -> tuple[str, str]:
    """Make one change and run its tests; return what came of it, and why."""
    try:
        with copy_of(root) as here:
            path = here / "polynya" / mutant.file
            if not path.is_file():
                raise NotTried(f"no file polynya/{mutant.file}; adapt scripts/mutants.toml.")
            path.write_text(changed(path.read_text(encoding="utf-8"), mutant), encoding="utf-8")
            passed, last = run_tests(here, mutant.tests)
    except NotTried as error:
        return ERROR, str(error)
    return (SURVIVED, f"{' '.join(mutant.tests)} passed: {last}") if passed else (CAUGHT, last)


def main(words: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Try mutants and print a line for each; return the exit status."""
    parser = argparse.ArgumentParser(description="Change one line at a time and see whether a test notices.")
    parser.add_argument("names", nargs="*", help="mutants whose name contains one of these words; default: all")
    parser.add_argument("--short", action="store_true", help="only the few that are marked as short")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help="mutants at a time (default: one per core)")
    parser.add_argument("--table", type=Path, default=root / "scripts" / "mutants.toml", help="the table of mutants")
    options = parser.parse_args(words)
    chosen = [
        m
        for m in load(options.table)
        if (m.short or not options.short) and (not options.names or any(n in m.name for n in options.names))
    ]
    if not chosen:
        print("no mutant of this name; see scripts/mutants.toml", file=sys.stderr)
        return 1
    start = time.monotonic()
    try:
        check_start(root, chosen)
    except NotTried as error:
        print(f"{ERROR}: {error}", file=sys.stderr)
        return 1
    results = []
    with ThreadPoolExecutor(options.jobs) as pool:
        tried = pool.map(lambda m: attempt(root, m), chosen)
        for number, (mutant, (result, why)) in enumerate(zip(chosen, tried, strict=True), 1):
            results.append(result)
            more = "" if result == CAUGHT else f"\n    {why}"
            print(f"[{number}/{len(chosen)}] {result:8} {mutant.file}: {mutant.name}{more}", flush=True)
    bad = len(results) - results.count(CAUGHT)
    print(f"{results.count(CAUGHT)} of {len(results)} mutants caught in {time.monotonic() - start:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
