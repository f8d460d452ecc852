"""Totals over items, with errors that items may share kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...schema import counted
from ..html import Markup, escape, number


@dataclass(frozen=True, kw_only=True)
class Total:
    """A sum or mean over items.

    Attributes
    ----------
    value : float
        NaN without an item.
    random, correlated : float
        One standard uncertainty: what items do not share, and what they may all share; NaN where an item states none.
    n : int
        Items with a value.
    """

    value: float
    random: float
    correlated: float
    n: int

    @property
    def uncertainty(self) -> float:
        """Both parts together."""
        return float(np.hypot(self.random, self.correlated))


def total(rows: Sequence[Mapping], *, is_sum: bool) -> Total:
    """Return the sum of items, or their mean by weight.

    Random parts add in quadrature. Correlated parts add as they are: items of one season and region share tide model,
    mean sea surface and network, so this is the cautious end.

    Parameters
    ----------
    rows : sequence of mapping
        With ``value``, ``weight``, ``uncertainty_random``, ``uncertainty_correlated``; None where there is none.
    is_sum : bool
        Whether values add up.
    """
    known = [r for r in rows if r["value"] is not None and (is_sum or r["weight"] > 0)]
    if not known:
        nan = float("nan")
        return Total(value=nan, random=nan, correlated=nan, n=0)
    value, random, correlated = (
        np.array([np.nan if r[n] is None else r[n] for r in known], np.float64)
        for n in ("value", "uncertainty_random", "uncertainty_correlated")
    )
    weight = np.ones(value.size) if is_sum else np.array([r["weight"] for r in known], np.float64)
    weight = weight if is_sum else weight / weight.sum()
    return Total(
        value=float(np.sum(weight * value)),
        random=float(np.sqrt(np.sum((weight * random) ** 2))),
        correlated=float(np.sum(weight * correlated)),
        n=len(known),
    )


def totals(rows: Sequence[Mapping], *, is_sum: Mapping[str, bool]) -> Markup:
    """Return the totals of every command as large numbers.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of :data:`polynya.schema.runs.RUNS`.
    is_sum : mapping of str to bool
        Quantity -> whether it adds up over items.
    """
    cells, notes = [], []
    for quantity in dict.fromkeys(r["quantity"] for r in rows):
        part = [r for r in rows if r["quantity"] == quantity]
        adds = is_sum.get(quantity, False)
        found = total(part, is_sum=adds)
        if not found.n:
            continue
        units = part[0]["units"]
        decimals = 0 if is_count(quantity, units, is_sum) else {"1": 3, "m": 3}.get(units, 1)
        units = "" if units == "1" else units
        shown = number(found.value, decimals, units if not np.isfinite(found.uncertainty) else "")
        if np.isfinite(found.uncertainty):
            shown += f" \u00b1 {number(found.uncertainty, decimals, units)}"
            notes.append(
                f"{quantity}: random part {number(found.random, decimals + 1, units)}, part that items may share"
                f" {number(found.correlated, decimals, units)}"
            )
        name = f"{quantity}, {'sum' if adds else 'mean'} over {counted(found.n, 'item')}"
        cells.append(f"<div><dd>{escape(shown)}</dd><dt>{escape(name)}</dt></div>")
    seconds = float(np.sum([r["seconds"] or 0.0 for r in rows]))
    cells.append(f"<div><dd>{escape(_duration(seconds))}</dd><dt>work, all items together</dt></div>")
    note = (
        f'<p class="note">{escape("; ".join(notes))}. The shared parts add up as they are: means over more items do not'
        " reduce them.</p>"
        if notes
        else ""
    )
    return Markup(f'<section id="totals"><dl class="key">{"".join(cells)}</dl>{note}</section>')


def is_count(quantity: str, units: str, is_sum: Mapping[str, bool]) -> bool:
    """Tell whether a quantity is a whole number of something: a share and a score have no units either.

    Parameters
    ----------
    quantity, units : str
        Its name and units.
    is_sum : mapping of str to bool
        Quantity -> whether it adds up over items. One that is not there counts something.
    """
    return units == "1" and is_sum.get(quantity, True)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}\u202fs"
    return f"{seconds / 60:.0f}\u202fmin" if seconds < 7200 else f"{seconds / 3600:.1f}\u202fh"
