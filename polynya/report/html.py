"""The page frame of every report: escaping, tables, inlined style and script, atomic writing.

A page loads nothing: style, script and data are inside it, and its content policy forbids the rest.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from html import escape as _escape
from importlib.resources import files
from pathlib import Path

from ..errors import OutputError, one_line
from ..io import atomic

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""Content-Security-Policy of a page: nothing may be fetched, everything is inline."""

DASH = "\u2013"


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """Return a value as HTML text; what is Markup stays as it is."""
    return value if isinstance(value, Markup) else Markup(_escape(str(value), quote=True))


def script_json(value: object) -> str:
    """Return JSON that is safe inside a script element; NaN becomes null."""
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False, default=str)
    for char, code in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(char, code)
    return text


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def number(value: object, decimals: int = 2, unit: str = "") -> str:
    """Return a number for reading, an en dash where it is missing.

    Parameters
    ----------
    value : object
        Anything that ``float`` takes; None, NaN and other things become a dash.
    decimals : int
        Digits after the point.
    unit : str, optional
        Put behind the number with a narrow space.
    """
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return DASH
    if not math.isfinite(found):
        return DASH
    text = f"{found:,.{decimals}f}".replace("-", "\u2212")
    if not text.strip("\u22120.,"):
        text = text.lstrip("\u2212")
    return f"{text}\u202f{unit}" if unit else text


def percent(part: float, whole: float, decimals: int = 1) -> str:
    """Return ``part / whole`` in percent; what is not quite none or all is not rounded to it."""
    if not whole:
        return DASH
    share = 100.0 * part / whole
    smallest = 10.0**-decimals
    if 0 < share < smallest / 2:
        return f"<{smallest:.{decimals}f}\u202f%"
    if 100.0 - smallest / 2 < share < 100.0:
        return f">{100.0 - smallest:.{decimals}f}\u202f%"
    return f"{share:.{decimals}f}\u202f%"


def fact_list(facts: Iterable[tuple[object, object]]) -> Markup:
    """Return facts as a list of names and values.

    Parameters
    ----------
    facts : iterable of (object, object)
        In order; a name may occur more than once.
    """
    inner = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return Markup(f'<dl class="facts">{inner}</dl>')


def warnings(messages: Sequence[str]) -> Markup:
    """Return a section with what a reader must know before using a result; nothing where there is nothing.

    Parameters
    ----------
    messages : sequence of str
        Sentences.
    """
    if not messages:
        return Markup("")
    items = "".join(f"<li>{escape(m)}</li>" for m in messages)
    return Markup(f"<section><h2>Before you use it</h2><ul class=messages>{items}</ul></section>")


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    text_columns: int = 1,
    identifier: str = "",
    sort_keys: bool = False,
    caption: object = "",
) -> Markup:
    """Return a table; the first ``text_columns`` columns align left, the rest right.

    Parameters
    ----------
    head : sequence
        Names of the columns.
    rows : iterable of sequences
        A cell is a value, or a pair (value, sort key).
    text_columns : int
        So many columns from the left hold text; the others numbers, to the right.
    identifier : str
        Element id, from the program and never from a file.
    sort_keys : bool
        True where the script may sort the table by a click on its head.
    caption : object
        Text above the table.
    """
    name = f' id="{identifier}"' if identifier else ""
    out = [f'<div class="scroll"><table{name}{" class=sortable" if sort_keys else ""}>']
    if caption:
        out.append(f"<caption>{escape(caption)}</caption>")
    out.append("<thead><tr>")
    for k, cell in enumerate(head):
        kind = ' class="t"' if k < text_columns else ""
        inner = f'<button type="button">{escape(cell)}</button>' if sort_keys else escape(cell)
        out.append(f'<th scope="col"{kind}>{inner}</th>')
    out.append("</tr></thead><tbody>")
    for row in rows:
        out.append("<tr>")
        for k, cell in enumerate(row):
            kind = ' class="t"' if k < text_columns else ""
            key = ""
            if isinstance(cell, tuple):
                cell, sort = cell
                key = f' data-v="{escape(sort)}"'
            out.append(f"<td{kind}{key}>{escape(cell)}</td>")
        out.append("</tr>")
    out.append("</tbody></table></div>")
    return Markup("".join(out))


def resource(name: str) -> str:
    """Return the text of a style or script that lies in this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def page(
    *,
    title: str,
    body: Iterable[str],
    style: str = "report.css",
    more_styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    data: Sequence[tuple[str, str, str]] = (),
) -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        Plain text.
    body : iterable of str
        HTML parts, escaped by whoever made them.
    style : str
        Style sheet in this folder.
    more_styles : sequence of str
        Style sheets below this folder that follow it.
    scripts : sequence of str
        Scripts in this folder, in order; they run after the body is there.
    data : sequence of (id, type, text)
        Data blocks, put before the scripts. The text must hold no ``<``.

    Returns
    -------
    str
        HTML 5.
    """
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>\n",
        *map(resource, (style, *more_styles)),
        "</style></head>\n<body><main>\n",
        *body,
        "</main>\n",
    ]
    for identifier, kind, text in data:
        parts += [f'<script id="{identifier}" type="{kind}">', text, "</script>\n"]
    for name in scripts:
        parts += ["<script>\n", resource(name), "</script>\n"]
    parts.append("</body></html>\n")
    return "".join(parts)


def write_text(path: Path, text: str) -> Path:
    """Write a file under a temporary name in its folder and rename it.

    Raises
    ------
    OutputError
        If the folder does not take it; nothing is left behind.
    """
    temporary = atomic.temporary_name(path)
    try:
        temporary.write_bytes(text.encode("utf-8", "replace"))
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: the report cannot be written ({one_line(error)}); expected a folder that can be written to. Check"
            " permissions and free space."
        ) from error
    return path
