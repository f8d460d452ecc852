"""Targets by their kind: a file of this folder (``one_of``), or a dotted name that is imported as written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainSerializer, PlainValidator, SerializationInfo, ValidationError

from .. import modules
from .protocol import Settings, Target


def named(kind: str) -> type[Settings]:
    """Return the class of a target: the ``TARGET`` of its file.

    Parameters
    ----------
    kind : str
        A file of this folder, or a dotted module.

    Raises
    ------
    ValueError
        If there is no such module, or it holds no target of that kind.
    """
    folder = str(__package__)
    full, module = modules.dotted(kind, folder=folder), modules.find(kind, folder=folder)
    if module is None:
        raise ValueError(
            f"kind {kind}: no module {full}; expected a file of polynya/targets or a dotted module. Check the name and"
            " PYTHONPATH"
        )
    found = getattr(module, "TARGET", None)
    if not (isinstance(found, type) and issubclass(found, Settings)) or found.model_fields["kind"].default != kind:
        raise ValueError(f"kind {kind}: {full} holds no TARGET of that kind; expected one. See docs/add_a_target.md")
    return found


def read(given: object) -> Any:
    """Return the target that a recipe or a description holds.

    Parameters
    ----------
    given : dict or Settings
        ``kind`` and the settings of that target; a target is returned as it is.

    Raises
    ------
    ValueError
        If there is no such target, or a setting does not fit.
    """
    if isinstance(given, Settings):
        return given
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        raise ValueError(f"found {str(given)[:60]}; expected kind and the settings of that target")
    try:
        return named(given["kind"]).model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}" if where else first["msg"]) from error


def _plain(target: Settings, info: SerializationInfo) -> dict[str, Any]:
    return target.model_dump(mode=info.mode)


if TYPE_CHECKING:
    AnyTarget = Target
else:
    AnyTarget = Annotated[Any, PlainValidator(read), PlainSerializer(_plain)]
    """A field that holds any target, by its ``kind``."""
