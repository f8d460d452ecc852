"""Records of the vocabulary: a variable, a table of variables, and a note that travels with data."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pyarrow as pa

DATUM = "WGS 84 ellipsoid in ITRF2014; latitude and longitude EPSG:4326"


@dataclass(frozen=True, kw_only=True)
class Note:
    """A remark that travels with data: programs read the code, people the text.

    Attributes
    ----------
    code : str
        What kind of remark it is, in ``snake_case``; the same code for the same fact.
    text : str
        One sentence or phrase; its words may change.
    """

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One exchanged variable.

    Attributes
    ----------
    name : str
    dtype : pyarrow.DataType
    units : str
        UDUNITS text; ``"1"`` for a pure number, ``""`` for text and time.
    long_name : str
    standard_name : str
        CF standard name, empty where CF has none that fits.
    flags : tuple of (int, str)
        Values and meanings, for class and flag variables.
    is_bits : bool
        True where the flags are bits that combine (CF ``flag_masks``).
    """

    name: str
    dtype: pa.DataType
    units: str
    long_name: str
    standard_name: str = ""
    flags: tuple[tuple[int, str], ...] = ()
    is_bits: bool = False

    def attributes(self) -> dict[str, str]:
        """Return the CF attributes as text."""
        out = {"units": self.units, "long_name": self.long_name}
        if self.standard_name:
            out["standard_name"] = self.standard_name
        if self.flags:
            out["flag_masks" if self.is_bits else "flag_values"] = " ".join(str(v) for v, _ in self.flags)
            out["flag_meanings"] = " ".join(m for _, m in self.flags)
        return {k: v for k, v in out.items() if v}

    def field(self) -> pa.Field:
        """Return the Arrow field with its metadata."""
        return pa.field(self.name, self.dtype, metadata=self.attributes())


def variable(
    name: str,
    dtype: pa.DataType,
    units: str,
    long_name: str,
    *,
    standard_name: str = "",
    flags: tuple[tuple[int, str], ...] = (),
    is_bits: bool = False,
) -> Variable:
    """Return one row of a table's specification; the parameters are the attributes of :class:`Variable`."""
    return Variable(
        name=name,
        dtype=dtype,
        units=units,
        long_name=long_name,
        standard_name=standard_name,
        flags=flags,
        is_bits=is_bits,
    )


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """The columns of one table, in order, and what it is in a phrase (CF ``title``)."""

    name: str
    title: str
    variables: tuple[Variable, ...]

    def __getitem__(self, name: str) -> Variable:
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    @property
    def names(self) -> list[str]:
        return [v.name for v in self.variables]

    def schema(self, *, about: dict[str, object] | None = None) -> pa.Schema:
        """Return the Arrow schema; ``about`` (granule, product, release, datum ...) goes into its metadata."""
        metadata = {"polynya_table": self.name, "datum": DATUM}
        metadata.update({k: v if isinstance(v, str) else json.dumps(v) for k, v in (about or {}).items()})
        return pa.schema([v.field() for v in self.variables], metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number, its 95 % interval and the samples it rests on.

    Attributes
    ----------
    value : float
    low, high : float
        Ends of the interval; NaN where none can be given.
    n : int
        Samples.
    """

    value: float
    low: float
    high: float
    n: int


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural but for one.

    Parameters
    ----------
    n : int
        How many.
    noun : str
        In the singular; see :func:`plural`.
    """
    return f"{n:,} {noun if n == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun: with an s, or es where it ends in s or is an echo.

    Parameters
    ----------
    noun : str
        In the singular.
    """
    return f"{noun}{'es' if noun.endswith(('s', 'echo')) else 's'}"
