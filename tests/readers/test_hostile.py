"""Contract of every reader, also of a new one: a file that attacks ends in one line, whichever function gets it."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import pkgutil
import signal
import warnings

import pytest

from polynya import readers
from polynya.errors import PolynyaError
from tests import hostile

FIRST = ("path", "paths", "folder", "file")
WORDS = ("open", "read", "is_", "find", "scenes", "header", "index", "files")
MOST_SECONDS = 20


def functions():
    """Yield every public function of a reader that takes a file and needs nothing else."""
    for module in sorted(m.name for m in pkgutil.iter_modules(readers.__path__)):
        for name, function in vars(importlib.import_module(f"polynya.readers.{module}")).items():
            if name.startswith("_") or not inspect.isfunction(function):
                continue
            if not function.__module__.endswith(f"readers.{module}") or not name.startswith(WORDS):
                continue
            first, *rest = inspect.signature(function).parameters.values() or [None]
            if first is None or first.name not in FIRST or any(p.default is p.empty for p in rest):
                continue
            yield pytest.param(function, first.name == "paths", id=f"{module}.{name}")


FUNCTIONS = list(functions())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return hostile.make(tmp_path_factory.mktemp("hostile"))


@contextlib.contextmanager
def watched(text):
    def stop(*_):
        raise TimeoutError(f"{text}: no end within {MOST_SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def use(found):
    """Do with an answer what a caller does: enter it, take its first items."""
    if isinstance(found, contextlib.AbstractContextManager):
        with found as inner:
            return inner
    return list(itertools.islice(found, 3)) if inspect.isgenerator(found) else found


def test_the_readers_are_there():
    assert len(FUNCTIONS) >= 25


@pytest.mark.parametrize(("function", "is_list"), FUNCTIONS)
def test_a_file_that_attacks_ends_in_one_line(corpus, function, is_list):
    wrong = []
    for path in corpus:
        try:
            with watched(path.name), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(function([path] if is_list else path))
        except PolynyaError as error:
            if "\n" in str(error) or len(str(error)) < 30:
                wrong.append(f"{path.name}: {error}")
        except Exception as error:
            wrong.append(f"{path.name}: {type(error).__name__}: {error}"[:300])
    assert not wrong, "\n".join(wrong)
