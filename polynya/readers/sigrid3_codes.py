"""SIGRID-3 codes of ice charts (JCOMM Technical Report 23, WMO/TD-No. 1214) to the classes of the AutoICE challenge.

Concentration 0-10 (tenths), stage of development 0-5, form of ice (floe size) 0-6; 255 is unknown. The tables and the
rule of the dominant class are those of the AI4Arctic sea ice challenge data set (Buus-Hinkler et al. 2022,
doi:10.11583/DTU.c.6244065; Stokholm et al. 2024, doi:10.5194/tc-18-3471-2024). Its names of floe sizes stand one step
away from those of SIGRID-3, where code 03 is ice cake and 04 small floe; codes decide here, never names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MASK = 255
"""Class of what is unknown, ambiguous, or no ice and no water."""
NOT_FILLED = -9
"""Code of a field that the chart leaves empty."""
CHARTS = ("SIC", "SOD", "FLOE")
"""Concentration, stage of development, floe size."""
FIELDS = ("CT", "CA", "SA", "FA", "CB", "SB", "FB", "CC", "SC", "FC")
"""Fields that decide the classes: total and partial concentrations (C), stages (S) and forms (F) of three ice types."""
SIC = {
    **dict.fromkeys((0, 1, 2, 55), 0),
    **{10 * k: k for k in range(1, 10)},
    **dict.fromkeys((91, 92), 10),
}
"""Concentration codes to tenths: ice free, less than a tenth, bergy and open water are 0; 92 is 10/10 or fast ice."""
SOD = {
    **dict.fromkeys((0, 80), 0),
    **dict.fromkeys((81, 82), 1),
    **dict.fromkeys((83, 84, 85), 2),
    **dict.fromkeys((87, 88, 89), 3),
    **dict.fromkeys((86, 91, 93), 4),
    **dict.fromkeys((95, 96, 97), 5),
}
"""Stage codes to 0 water, 1 new, 2 young, 3 thin first-year, 4 thick first-year, 5 old ice."""
FLOE = {0: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 5, 9: 6, 10: 6}
"""Form codes to 0 water, 1 cake, 2 small, 3 medium, 4 big, 5 vast floe, 6 bergs, in the words of AI4Arctic."""
NAMES = {
    "SIC": tuple(f"{10 * k} %" for k in range(11)),
    "SOD": ("water", "new ice", "young ice", "thin first-year ice", "thick first-year ice", "old ice"),
    "FLOE": ("water", "cake ice", "small floe", "medium floe", "big floe", "vast floe", "bergs"),
}
"""Words for the classes of each chart."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How the class of a polygon is chosen among its ice types.

    Attributes
    ----------
    threshold : float
        Share of the total concentration that a class needs; a polygon without such a class is :data:`MASK`.
    adds_all : bool
        Whether the partial concentrations of all three types are added where their classes are equal. The program that
        made the AI4Arctic charts adds only the last of the equal types to an earlier one, and empty ones as -9; that
        masks some polygons.
    """

    threshold: float = 0.65
    adds_all: bool = True


AI4ARCTIC = Rules(adds_all=False)
"""The charts of the AI4Arctic ready-to-train files, polygon by polygon."""


def classes(
    codes: Mapping[str, np.ndarray], *, poly_type: np.ndarray | None = None, rules: Rules | None = None
) -> dict[str, np.ndarray]:
    """Return concentration, stage and floe class of polygons.

    Parameters
    ----------
    codes : mapping of str to numpy.ndarray of int, shape (n,)
        :data:`FIELDS`; -9 where a field is empty. A field that is missing is empty.
    poly_type : numpy.ndarray of str, shape (n,), optional
        ``W`` is water, whatever the codes say; ``L`` land, ``S`` ice shelf and ``N`` no data are :data:`MASK`.
    rules : Rules, optional
        By default a class needs 0.65 of the ice, all equal ones added.

    Returns
    -------
    dict of str to numpy.ndarray of uint8, shape (n,)
        ``SIC``, ``SOD`` and ``FLOE``.
    """
    rules = rules or Rules()
    count = next((len(v) for v in codes.values()), 0)
    empty = np.full(count, NOT_FILLED)
    fields = {name: np.asarray(codes.get(name, empty), np.int64) for name in FIELDS}
    total = _looked_up(fields["CT"], SIC, keep=True)
    partial = np.stack([_looked_up(fields[name], SIC, keep=True) for name in ("CA", "CB", "CC")])
    partial[0] = np.where((total > 0) & (partial[0] == NOT_FILLED), total, partial[0])
    stage = np.stack([_looked_up(fields[name], SOD) for name in ("SA", "SB", "SC")])
    floe = np.stack([_looked_up(fields[name], FLOE) for name in ("FA", "FB", "FC")])
    is_known = np.isin(fields["CT"], list(SIC))
    kinds = np.full(count, "I") if poly_type is None else np.char.upper(np.asarray(poly_type).astype(str))
    sic = np.where(is_known, total, MASK)
    sic = np.where(kinds == "W", 0, np.where(np.isin(kinds, ("L", "S", "N")), MASK, sic))
    out = {"SIC": sic}
    for name, own in (("SOD", stage), ("FLOE", floe)):
        chosen = _dominant(own, partial, total, rules)
        if name == "FLOE":  # a form without a class (fast ice, pancakes, unknown) leaves the whole polygon unknown
            chosen = np.where((floe == MASK).any(axis=0), MASK, chosen)
        out[name] = np.where(sic == 0, 0, np.where(sic == MASK, MASK, chosen))
    return {name: values.astype(np.uint8) for name, values in out.items()}


def concentration_percent(sic: np.ndarray) -> np.ndarray:
    """Return percent from tenths, float32, NaN where they are :data:`MASK`.

    Parameters
    ----------
    sic : numpy.ndarray of int
        0 to 10, or 255.
    """
    return np.where(np.asarray(sic) == MASK, np.nan, 10.0 * np.asarray(sic, np.float64)).astype(np.float32)


def _looked_up(codes: np.ndarray, table: Mapping[int, int], *, keep: bool = False) -> np.ndarray:
    """Return what a table makes of codes; others are :data:`MASK`, with ``keep`` themselves, empty ones stay empty."""
    out = np.where(codes == NOT_FILLED, NOT_FILLED, codes if keep else MASK)
    for code, value in table.items():
        out[codes == code] = value
    return out


def _dominant(own: np.ndarray, partial: np.ndarray, total: np.ndarray, rules: Rules) -> np.ndarray:
    """Return the class with most ice, where it has enough of it.

    Parameters
    ----------
    own, partial : numpy.ndarray of int, shape (3, n)
        Class and concentration (tenths) of the three ice types.
    total : numpy.ndarray of int, shape (n,)
        Tenths.
    rules : Rules
        Share that is enough, and what is added.
    """
    added = (np.maximum(partial, 0) if rules.adds_all else partial).astype(np.float64)
    for first in range(2):
        more = np.zeros(len(total))
        for other in range(first + 1, 3):
            is_same = (own[first] == own[other]) & (own[first] != NOT_FILLED)
            if rules.adds_all:
                more += np.where(is_same, np.maximum(partial[other], 0), 0)
            else:
                more = np.where(is_same, partial[other], more)
        added[first] += more
    best = added.argmax(axis=0)
    chosen = np.take_along_axis(own, best[None], axis=0)[0]
    most = np.take_along_axis(added, best[None], axis=0)[0]
    is_enough = (total > 0) & (most >= rules.threshold * total - 1e-9)
    return np.where(is_enough & (chosen != NOT_FILLED), chosen, MASK)
