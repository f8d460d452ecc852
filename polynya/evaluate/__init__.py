"""Predictions and a reference to one tidy table: a row per metric, class and beam strength.

The reference is the truth of a simulated granule (:func:`against_truth`) or NASA's own segments of the same
track (:func:`against_product`). Both give a table of :data:`polynya.schema.EVALUATION`; ``region`` holds the
beam strength (strong, weak, all). A metric without samples is a row with NaN and n = 0: nothing is dropped.
:func:`summary` prints such a table.

Classes are scored in blocks of 1 km; sea surface and freeboard, whose errors are shared by a section of
10 km, in blocks of 10 km. The two beams of a pair share their blocks. On 60 km there are few of those, so
intervals are wide: that is the truth about 60 km.
"""

from .products import Reference, against_product
from .text import brief, summary
from .truth import against_truth

__all__ = ["Reference", "against_product", "against_truth", "brief", "summary"]
