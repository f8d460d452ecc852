"""Settings given on the command line: what does not fit becomes one line that names the option."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import UsageError

Settings = TypeVar("Settings", bound=BaseModel)


def validated(kind: type[Settings], values: dict[str, object], *, command: str) -> Settings:
    """Build a configuration from option values.

    Parameters
    ----------
    kind : type
        The configuration's class.
    values : dict
        Option names, with underscores, to values.
    command : str
        Whose help is pointed to.

    Raises
    ------
    UsageError
        If a value does not exist or does not fit.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-") if first["loc"] else "option"
        raise UsageError(
            f"--{name} {first.get('input')}: {first['msg'].removeprefix('Value error, ')}. See polynya {command}"
            " --help."
        ) from error
