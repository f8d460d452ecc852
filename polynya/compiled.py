"""Loops over photons and segments: compiled to machine code once, loaded in milliseconds by every later process.

numba compiles them. To import numba and to load what it keeps takes half a second of CPU time, a third of what a
granule of 20 km needs in all. So a kernel's machine code is kept here, beside the byte code of its source, and llvmlite
loads it: the part of numba that knows no Python. Where that cannot be done (the kernel calls what not every process
holds, or a release of numba works otherwise), numba runs the kernel, as it runs any function.

:func:`kernel` marks a function that fills arrays which its caller made, and returns nothing; its arrays are
C-contiguous, its other arguments int or float. It may read outside its arrays as little as any C program may.
:func:`part` marks a function that kernels call, :func:`later` one that numba runs and need not be imported for before.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import logging
import os
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Compiled", "Kernel", "Part", "kernel", "later", "part"]

log = logging.getLogger(__name__)

VERSION = 1
"""Of the files of machine code: it changes when what is in them does."""
MATHEMATICS = ("ceil", "cos", "exp", "floor", "fmod", "log", "log10", "pow", "rint", "sin", "sqrt", "tan", "trunc")
LIBRARY = frozenset((*MATHEMATICS, "memcpy", "memmove", "memset"))
"""What machine code may call: functions of C that every process holds."""

Key = tuple[tuple[object, int], ...]
"""The type of every argument: an array's numbers and dimensions; ``int`` or ``float`` and 0."""

_LOCK = threading.RLock()
_ALONE = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of numba for code that needs neither Python nor numba's own library."""


class Compiled:
    """A function that numba compiles when it is first called; arguments and result are those of the function.

    Parameters
    ----------
    function : callable
        Numpy and loops, as numba takes them.
    options : dict
        Of ``numba.njit``.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.options = {"nogil": True, **options}

    def __call__(self, *arguments: Any) -> Any:
        return self.by_numba(*arguments)

    @functools.cached_property
    def by_numba(self) -> Callable[..., Any]:
        """numba's function."""
        return self.jitted(cache=True)

    def jitted(self, signature: Any = None, **options: Any) -> Any:
        """Return numba's function with more options; what it calls is compiled with the same.

        Parameters
        ----------
        signature : numba signature, optional
            Types to compile for at once.
        **options
            Of ``numba.njit``.
        """
        import numba

        shared = {name: value for name, value in options.items() if name != "cache"}
        within = {name: other.jitted(**shared) for name, other in _called(self.function)}
        copy = types.FunctionType(self.function.__code__, {**self.function.__globals__, **within}, self.__name__)
        copy.__qualname__, copy.__module__ = self.function.__qualname__, self.function.__module__
        with _LOCK:
            return numba.njit(signature, **{**self.options, **options})(copy)


class Part(Compiled):
    """A function that becomes part of the kernels that call it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function, {"inline": "always", "error_model": "numpy"})


class Kernel(Compiled):
    """A function that fills arrays, whose machine code is kept."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function, {"error_model": "numpy"})
        self._ready: dict[Key, Callable[..., int] | None] = {}

    def __call__(self, *arguments: Any) -> None:
        words: list[Any] = []
        key: Key = tuple([_add(words, a, self.__name__) for a in arguments])
        if key not in self._ready:
            self._ready[key] = _machine_code(self, key)
        call = self._ready[key]
        if call is None:
            self.by_numba(*arguments)
        elif call(_RETURNED, _RAISED, *words):
            raise RuntimeError(f"{self.__name__}: its machine code failed; expected a kernel that raises nothing.")


def kernel(function: Callable[..., None]) -> Kernel:
    """Mark a function that fills arrays."""
    return Kernel(function)


def part(function: Callable[..., Any]) -> Part:
    """Mark a function that kernels call."""
    return Part(function)


def later(function: Callable[..., Any] | None = None, *, fastmath: frozenset[str] = frozenset()) -> Callable[..., Any]:
    """Mark a function that numba compiles when it is first called.

    Parameters
    ----------
    function : callable, optional
        Of any arguments and result that numba knows.
    fastmath : frozenset of str
        Freedoms that LLVM may take with floating-point numbers.
    """
    if function is None:
        return functools.partial(later, fastmath=fastmath)
    return Compiled(function, {"fastmath": set(fastmath)} if fastmath else {})


_address, _first_byte = ctypes.addressof, ctypes.c_char.from_buffer
_RETURNED, _RAISED = (ctypes.byref(ctypes.c_void_p()) for _ in range(2))
"""Where machine code puts what a function returns and raises: nothing, from a kernel."""


def _add(words: list[Any], argument: Any, name: str) -> tuple[object, int]:
    """Append what machine code is given of an argument, and return its type.

    Of an array that is what numba's own functions are given: owner, object, size, bytes of an item, address, lengths
    and strides.
    """
    if isinstance(argument, np.ndarray) and argument.ndim:
        flags, size, item = argument.flags, argument.size, argument.itemsize
        if not (flags.c_contiguous and flags.aligned):
            raise TypeError(f"{name}: an array is not contiguous; expected C order. Copy it.")
        if size and flags.writeable:
            address = _address(_first_byte(argument))  # a third of the time of the other
        else:
            address = argument.__array_interface__["data"][0]
        if argument.ndim == 1:
            words += (None, None, size, item, address, size, item)
        else:
            words += (None, None, size, item, address, *argument.shape, *argument.strides)
        return argument.dtype, argument.ndim
    if isinstance(argument, int | np.integer):
        words.append(int(argument))
        return int, 0
    if isinstance(argument, float):
        words.append(argument)
        return float, 0
    raise TypeError(f"{name}: an argument is {type(argument).__name__}; expected an array, int or float.")


def _called(function: Callable[..., Any]) -> Iterator[tuple[str, Compiled]]:
    """Yield the compiled functions that a function names, by name."""
    for name in function.__code__.co_names:
        found = function.__globals__.get(name)
        if isinstance(found, Compiled):
            yield name, found


def _machine_code(of: Kernel, key: Key) -> Callable[..., int] | None:
    """Return the kernel's machine code for types of arguments, kept or made now; None where numba must run it."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return None
    try:
        with _LOCK:
            machine = _machine()
            name, folders = _name(of, key, machine), _folders(of)
            code = _kept(folders, name)
            if code is None:
                if not _is_as_expected(machine):
                    return None
                code = _made(of, key, machine, symbol=name)
                _keep(folders, name, code)
            return machine.function(code, name, key)
    except Exception as error:  # another release of numba or llvmlite: numba itself knows what to do
        log.debug("%s: numba runs it: %s", of.__name__, error)
        return None


class _Machine:
    """What makes machine code of a module of LLVM, and loads it into this process."""

    def __init__(self) -> None:
        import llvmlite
        import llvmlite.binding as llvm

        with contextlib.suppress(RuntimeError):  # releases that need no such call refuse it
            llvm.initialize()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        self.name = f"{VERSION} {llvmlite.__version__} {llvm.get_process_triple()} {cpu} {features}"
        self._llvm = llvm
        options = {"cpu": cpu, "features": features, "opt": 3, "codemodel": "jitdefault", "jit": True}
        self._target, for_engine = (
            llvm.Target.from_default_triple().create_target_machine(**options) for _ in range(2)
        )
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), for_engine)

    def code(self, text: str, function: str, *, symbol: str) -> bytes:
        """Return the machine code of a module of LLVM, in which a function gets the symbol's name."""
        module = self._llvm.parse_assembly(text)
        module.get_function(function).name = symbol
        called = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
        called |= {g.name for g in module.global_variables if g.is_declaration}
        if called - LIBRARY:
            raise ValueError(f"{symbol} needs {', '.join(sorted(called - LIBRARY))}")
        return self._target.emit_object(module)

    def function(self, code: bytes, symbol: str, key: Key) -> Callable[..., int]:
        """Load machine code and return its function, which is called without Python's lock."""
        self._engine.add_object_file(self._llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        address = self._engine.get_function_address(symbol)
        if not address:
            raise ValueError(f"{symbol} is not in its file")
        pointer, integer = ctypes.c_void_p, ctypes.c_int64
        words: list[Any] = [pointer, pointer]
        for kind, dimensions in key:
            if dimensions:
                words += [pointer, pointer, integer, integer, pointer, *[integer] * (2 * dimensions)]
            else:
                words.append(integer if kind is int else ctypes.c_double)
        return ctypes.CFUNCTYPE(ctypes.c_int32, *words)(address)


@functools.cache
def _machine() -> _Machine:
    return _Machine()


def _made(of: Kernel, key: Key, machine: _Machine, *, symbol: str) -> bytes:
    """Compile a kernel for types of arguments."""
    from numba import from_dtype, void
    from numba import types as kinds

    numbers = {int: kinds.int64, float: kinds.float64}
    signature = void(*[kinds.Array(from_dtype(k), n, "C") if n else numbers[k] for k, n in key])
    found = of.jitted(signature, **_ALONE).overloads[signature.args]
    return machine.code(found.library.get_llvm_str(), found.fndesc.llvm_func_name, symbol=symbol)


def _name(of: Kernel, key: Key, machine: _Machine) -> str:
    """Return the name of a kernel's file and symbol: it changes with all that the machine code rests on."""
    digest = hashlib.sha256(repr((machine.name, key, list(_content(of)))).encode()).hexdigest()
    return f"{of.function.__module__.rpartition('.')[2]}.{of.__name__}.{digest[:24]}"


def _content(of: Compiled) -> Iterator[object]:
    """Yield what a function's machine code rests on: its byte code, options, constants and the functions it calls."""
    code = of.function.__code__
    yield code.co_code, code.co_consts, code.co_names, code.co_varnames, sorted(of.options.items())
    for name in code.co_names:
        found = of.function.__globals__.get(name)
        if isinstance(found, Compiled):
            yield name, list(_content(found))
        elif isinstance(found, int | float | tuple):
            yield name, found


def _folders(of: Compiled) -> list[Path]:
    """Return where machine code may be kept: NUMBA_CACHE_DIR, or else beside the byte code or in the user's cache."""
    wanted = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(of.function.__code__.co_filename).parent / "__pycache__"
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polynya"
    return [Path(wanted)] if wanted else [beside, users]


def _kept(folders: list[Path], name: str) -> bytes | None:
    """Return machine code that was kept; None where there is none, or not as it was written."""
    for folder in folders:
        with contextlib.suppress(OSError):
            data = (folder / f"{name}.o").read_bytes()
            if hashlib.sha256(data[32:]).digest() == data[:32]:
                return data[32:]
    return None


def _keep(folders: list[Path], name: str, code: bytes) -> None:
    """Write machine code for later processes, into the first folder that takes it."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, folder / f"{name}.o")
            return


@functools.cache
def _is_as_expected(machine: _Machine) -> bool:
    """Return whether numba's functions take arguments as :func:`_add` gives them; one is tried before any is kept."""
    given = (np.arange(6.0).reshape(2, 3), np.arange(3, dtype=np.int32), 7, 0.5)
    out, expected = np.zeros(8), np.zeros(8)
    words: list[Any] = []
    key: Key = tuple([_add(words, a, "trial") for a in (*given, out)])
    code = _made(_trial, key, machine, symbol="trial")
    status = machine.function(code, "trial", key)(_RETURNED, _RAISED, *words)
    _trial.function(*given, expected)
    return status == 0 and np.array_equal(out, expected)


@kernel
def _trial(a, b, i, f, out):  # pragma: no cover - compiled
    for k in range(a.shape[1]):
        out[k] = a[1, k] * b[k] + f
    out[3], out[4], out[5], out[6], out[7] = a.shape[0], b.size, i, f, out.size
