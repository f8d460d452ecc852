"""The page of a folder of batches: where the items lie, totals, a table to sort and filter, failures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np

from ...schema import counted
from ...schema.runs import FAILED
from ..html import DASH, Markup, escape, fact_list, number, page, table
from .map import maps
from .timeline import timeline
from .totals import is_count, totals


def render(rows: Sequence[Mapping], *, is_sum: Mapping[str, bool], folder: str) -> str:
    """Return the page.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of :data:`polynya.schema.runs.RUNS`, times as datetimes.
    is_sum : mapping of str to bool
        Quantity -> whether it adds up over items.
    folder : str
        The folder's name.
    """
    rows = sorted(rows, key=lambda r: (r["command"], r["name"]))
    failed = [r for r in rows if r["state"] == FAILED]
    body = [
        _head(rows, folder),
        _summary(rows, failed),
        totals(rows, is_sum=is_sum),
        maps(rows, is_sum=is_sum),
        _failures(failed),
        _table(rows, is_sum),
        timeline(rows),
        _words(rows),
    ]
    return page(title=f"{folder}: {counted(len(rows), 'item')}", body=body, scripts=("runs_page.js",))


def _head(rows: Sequence[Mapping], folder: str) -> Markup:
    commands = ", ".join(dict.fromkeys(r["command"] for r in rows))
    facts = [("Command", f"polynya {commands}"), ("Items", f"{len(rows):,}")]
    times = sorted(r["data_time"] for r in rows if r["data_time"] is not None)
    if times:
        ends = [t.strftime("%Y-%m-%d") for t in (times[0], times[-1])]
        facts.append(("Data of", ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"))
    finished = [r["finished"] for r in rows if r["finished"] is not None]
    if finished:
        facts.append(("Last result", max(finished).strftime("%Y-%m-%d %H:%M UTC")))
    if any(r["is_simulated"] for r in rows):
        n = sum(bool(r["is_simulated"]) for r in rows)
        facts.append(("Simulated", f"{n} of {counted(len(rows), 'item')}: not satellite data"))
    return Markup(
        f'<header><p class="brand">polynya \u00b7 runs</p><h1>{escape(folder)}</h1>{fact_list(facts)}</header>'
    )


def _summary(rows: Sequence[Mapping], failed: Sequence[Mapping]) -> Markup:
    done = len(rows) - len(failed)
    empty = sum(r["state"] != FAILED and r["value"] is None for r in rows)
    words = f"{done:,} of {counted(len(rows), 'item')} {'has' if done == 1 else 'have'} a result"
    if empty:
        words += f", {empty:,} of them without a value"
    words += f"; {len(failed):,} failed, see below. The same command tries them again." if failed else "."
    return Markup(f'<section id="result"><p class="result">{escape(words)}</p></section>')


def _failures(failed: Sequence[Mapping]) -> Markup:
    if not failed:
        return Markup("")
    rows = []
    for r in failed[:200]:
        name = "" if r["reason"].startswith(r["name"]) else f"<code>{escape(r['name'])}</code> "
        rows.append(f'<li>{name}<span class="why">{escape(r["reason"])}</span></li>')
    more = f"<p>and {len(failed) - 200:,} more: see the table.</p>" if failed[200:] else ""
    return Markup(f'<section id="failures"><h2>Failures</h2><ul class="messages">{"".join(rows)}</ul>{more}</section>')


def _table(rows: Sequence[Mapping], is_sum: Mapping[str, bool]) -> Markup:
    several = len({r["command"] for r in rows}) > 1
    quantities = list(dict.fromkeys((r["quantity"], r["units"]) for r in rows))
    one = quantities[0] if len(quantities) == 1 else None
    value = f"{one[0]}, {one[1]}" if one and one[1] != "1" else one[0] if one else "value"
    has_sigma, has_correlated = _has_uncertainty(rows)
    head = [
        *(["command"] if several else []),
        "item",
        "state",
        "data of",
        value,
        *(["\u00b1"] if has_sigma else []),
        *(["correlated"] if has_correlated else []),
        "seconds",
        "note",
    ]
    out = []
    for k, r in enumerate(rows):
        link = f'<a href="{escape(quote(r["report"]))}">{escape(r["name"])}</a>' if r["report"] else escape(r["name"])
        sigma = _sigma(r)
        fine = r["units"] in ("1", "m")
        decimals = 0 if is_count(r["quantity"], r["units"], is_sum) else 3 if fine else 2
        time = r["data_time"]
        out.append(
            [
                *([r["command"]] if several else []),
                (Markup(f'<span data-item="{k}">{link}</span>'), r["name"]),
                (Markup(f'<span class="state {escape(r["state"])}">{escape(r["state"])}</span>'), r["state"]),
                (time.strftime("%Y-%m-%d %H:%M"), time.isoformat()) if isinstance(time, dt.datetime) else (DASH, ""),
                (number(r["value"], decimals), _key(r["value"])),
                *([(number(sigma, decimals), _key(sigma))] if has_sigma else []),
                *(
                    [(number(r["uncertainty_correlated"], decimals), _key(r["uncertainty_correlated"]))]
                    if has_correlated
                    else []
                ),
                (number(r["seconds"], 1), _key(r["seconds"])),
                (Markup(f'<span class="why" title="{escape(r["reason"])}">{escape(r["reason"])}</span>'), r["reason"]),
            ]
        )
    states = "".join(
        f'<button type="button" role="radio" aria-checked="{str(not s).lower()}" data-state="{s}">{s or "all"}</button>'
        for s in ("", "done", "failed")
    )
    tools = (
        '<div class="tools"><label>Filter <input id="filter" type="search" placeholder="name, date or words of the'
        ' note"'
        f'></label><div class="group" role="radiogroup" aria-label="state">{states}</div><span id="shown"></span></div>'
    )
    shown = table(head, out, text_columns=3 if several else 2, identifier="runs-table", sort_keys=True)
    return Markup(f'<section id="items"><h2>Items</h2>{tools}{shown}</section>')


def _has_uncertainty(rows: Sequence[Mapping]) -> tuple[bool, bool]:
    """Return whether any row has an uncertainty, and a correlated part of it: no column is empty."""
    return any(_sigma(r) is not None for r in rows), any(r["uncertainty_correlated"] is not None for r in rows)


def _sigma(row: Mapping) -> float | None:
    parts = (row["uncertainty_random"], row["uncertainty_correlated"])
    return None if None in parts else float(np.hypot(*parts))


def _key(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def _words(rows: Sequence[Mapping]) -> Markup:
    what = ""
    if any(_has_uncertainty(rows)):
        what = (
            " \u00b1 is one standard uncertainty; its correlated part comes from errors that the segments or pixels of"
            " one item share (of freeboard: sea surface, tides, mean sea surface; the network), which more of them do"
            " not reduce."
        )
    return Markup(f'<section id="words"><p class="note">The same rows are in runs.parquet.{what}</p></section>')
