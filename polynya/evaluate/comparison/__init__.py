"""Our result beside NASA's ATL07 and ATL10 of the same track: differences, coverage, roughness, leads, distributions.

Heights are above either product's own mean sea surface; differences are ours minus NASA's. How segments are matched:
:mod:`polynya.evaluate.collocated`; how sure a mean difference is: :mod:`polynya.evaluate.section_bias`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ..collocated import Reference
from . import matching, scores
from .distributions import distributions
from .matching import COLUMNS, Pair, Result
from .tables import DISTRIBUTIONS, LEADS, SCORES, SECTIONS, SEGMENTS, TABLES

__all__ = [
    "COLUMNS",
    "DISTRIBUTIONS",
    "LEADS",
    "SCORES",
    "SECTIONS",
    "SEGMENTS",
    "TABLES",
    "Pair",
    "Reference",
    "Result",
    "compare",
]


def compare(results: Sequence[Result], references: Sequence[Reference], *, seed: int = 0) -> dict[str, pa.Table]:
    """Compare results of one granule with NASA's products of the same track.

    Parameters
    ----------
    results : sequence of Result
        Of one granule, at different resolutions.
    references : sequence of Reference
        ATL07, ATL10 or both.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to pyarrow.Table
        By the name of its specification in :data:`TABLES`.
    """
    parts: dict[str, list[pa.Table]] = {spec.name: [] for spec in TABLES}
    for reference in references:
        for ours in results:
            pair = Pair(ours=ours, reference=reference)
            matched, sections, leads = matching.segments(pair), matching.sections(pair), matching.leads(pair)
            rows = [
                *scores.differences(matched, sections, leads, seed=seed),
                *scores.coverage(pair),
                *scores.roughness(matched),
                *scores.found_leads(leads, matched),
            ]
            parts[SCORES.name].append(scores.table(pair, rows))
            parts[SEGMENTS.name].append(matched)
            parts[SECTIONS.name].append(sections)
            parts[LEADS.name].append(leads)
            parts[DISTRIBUTIONS.name].append(distributions(pair, matched))
    return {name: pa.concat_tables(tables) for name, tables in parts.items()}
